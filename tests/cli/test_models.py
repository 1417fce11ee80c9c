"""``hulian model``: the page's example as it stands, and what goes wrong told with its place."""

import json
import re
import shlex
from pathlib import Path

import pytest

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "topics" / "semantics-model.md").read_text()


@pytest.fixture
def pumps(tmp_path):
    path = tmp_path / "pumps.jsonl"
    path.write_text(re.search(r"```jsonl\n(.*?)```", PAGE, re.DOTALL)[1])
    return path


def test_the_example_of_the_page_runs(hulian, pumps):
    commands = [shlex.split(line) for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
    assert "7 nodes" not in hulian(*commands[0][1:], "--dry-run")
    assert "6 nodes" in hulian(*commands[0][1:])
    hulian(*commands[1][1:])
    found = json.loads(hulian(*commands[2][1:]))
    promised = json.loads(re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)[1])
    assert found["total"] == promised["total"]
    for node, wanted in zip(found["nodes"], promised["nodes"], strict=True):
        assert wanted.items() <= node.items()
    assert hulian(*commands[3][1:], "--json").count("PT_101") == 1


def test_why_nothing_is_found_is_told(hulian, pumps):
    hulian("model", "import", str(pumps), "--format", "hulian")
    told = hulian("model", "find", "--name", "PT_101", "--unit", "kg", status=1)
    assert "1 nodes are like that, but their units (kPa) are not of the dimension of kg" in told
    assert json.loads(hulian("model", "find", "--name", "PT_101", "--unit", "kg", "--json", status=1))["total"] == 0
    assert "dictionary search" in hulian("model", "find", "hulian:voltage", status=1)
    assert "Nothing" in hulian("model", "find", "--name", "PT_102_", "--unit", "bar", status=1)


def test_a_new_version_is_shown_before_it_counts(hulian, pumps):
    hulian("model", "import", str(pumps), "--format", "hulian")
    pumps.write_text(pumps.read_text().replace('"kPa"', '"mbar"'))
    told = hulian("model", "validate", str(pumps), "--format", "hulian")
    assert "would be imported" in told
    assert "'kPa' → 'mbar'" in told
    assert json.loads(hulian("model", "find", "--name", "PT_101", "--json"))["nodes"][0]["unit"] == "kPa"
    hulian("model", "import", str(pumps), "--format", "hulian")
    changes = json.loads(hulian("model", "diff", "pumps", "--json", status=1))
    assert changes["differences"]["first"][0]["fields"] == {"unit": ["kPa", "mbar"]}
    assert [row["current"] for row in json.loads(hulian("model", "documents", "pumps", "--json"))] == [True, False]


def test_what_is_exported_is_what_was_imported(hulian, pumps, tmp_path):
    hulian("model", "import", str(pumps), "--format", "hulian")
    hulian("model", "export", "pumps", str(tmp_path / "again.hulian.jsonl"))
    hulian("model", "remove", "pumps")
    assert "no document" in hulian("model", "documents")
    hulian("model", "import", str(tmp_path / "again.hulian.jsonl"), "--name", "pumps")
    assert len(json.loads(hulian("model", "documents", "pumps", "--json"))) == 2
    hulian("model", "diff", "pumps")


AML = """<CAEXFile SchemaVersion="3.0" FileName="plant.aml" xmlns="http://www.dke.de/CAEX">
<SuperiorStandardVersion>AutomationML 2.10</SuperiorStandardVersion>
<SourceDocumentInformation OriginName="t" OriginID="t" OriginVersion="1" LastWritingDateTime="2026-01-01T00:00:00Z"/>%s
</CAEXFile>"""


def test_one_language_is_exported_as_another_and_comes_back(hulian, tmp_path):
    (tmp_path / "libs").mkdir()
    roles = '<RoleClassLib Name="Roles"><RoleClass Name="Pump"/></RoleClassLib>'
    (tmp_path / "libs" / "roles.aml").write_text(AML % roles)
    plant = """<ExternalReference Path="libs/roles.aml" Alias="R"/><InstanceHierarchy Name="Plant">
      <InternalElement Name="P1" ID="1">
      <Attribute Name="pressure" AttributeDataType="xs:double" Unit="bar"><Value>1.5</Value></Attribute>
      <RoleRequirements RefBaseRoleClassPath="R@Roles/Pump"/></InternalElement></InstanceHierarchy>"""
    (tmp_path / "plant.aml").write_text(AML % plant)
    told = hulian("model", "import", str(tmp_path / "plant.aml"))
    assert "leads nowhere" not in told, "the file beside it was read"
    hulian("model", "export", "plant", str(tmp_path / "plant.NodeSet2.xml"), "--as", "nodeset")
    assert "http://opcfoundation.org/UA/AML/" in (tmp_path / "plant.NodeSet2.xml").read_text()
    hulian("model", "import", str(tmp_path / "plant.NodeSet2.xml"), "--name", "served")
    hulian("model", "export", "served", str(tmp_path / "again.aml"), "--as", "aml")
    hulian("model", "export", "plant", str(tmp_path / "first.aml"))
    assert (tmp_path / "again.aml").read_text() == (tmp_path / "first.aml").read_text()
    (tmp_path / "types.aml").write_text(AML % roles)
    hulian("model", "import", str(tmp_path / "types.aml"))
    hulian("model", "export", "types", str(tmp_path / "types.aasx"), "--as", "aasx")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("import", "nowhere.aml"), ["HL-SEM-0001", "nowhere.aml", "→"]),
        (("import", "hulian.toml"), ["HL-SEM-0003", "hulian.toml", "--format"]),
        (("import", "broken.aml"), ["HL-SEM-0001", "broken.aml, line 3", "→"]),
        (("import", "bomb.aml"), ["HL-SEM-0002", "bomb.aml", "→"]),
        (("export", "nothing"), ["HL-SEM-0010", "nothing", "→"]),
        (("export", "nothing", "--as", "dwg"), ["HL-SEM-0010"]),
        (("find", "no such word"), ["HL-SEM-0040", "meaning", "→"]),
        (("find", "--name", "x", "--unit", "wombats"), ["no node"]),
        (("sparql", "SELECT"), ["HL-SEM-0040", "sparql"]),
        (("bind", "nowhere", "99.118.8/x#y"), ["HL-SEM-0012", "nowhere"]),
        (("diff", "nothing"), ["nothing", "→"]),
        (("remove", "nothing"), ["HL-SEM-0010", "nothing", "→"]),
    ],
)
def test_what_cannot_be_done_is_told_with_code_place_and_hint(hulian, tmp_path, arguments, words):
    (tmp_path / "broken.aml").write_text(
        '<CAEXFile SchemaVersion="2.15" FileName="a">\n<InstanceHierarchy Name="x">\n</CAEXFile>'
    )
    (tmp_path / "bomb.aml").write_text('<!DOCTYPE a [<!ENTITY x "ha">]><CAEXFile>&x;</CAEXFile>')
    if words == ["no node"]:
        assert hulian("model", *arguments, status=1) == "Nothing in the model is like that.\n"
        return
    told = hulian("model", *arguments, status=1)
    assert "Traceback" not in told
    for word in words:
        assert word in told
