"""``hulian dictionary``: words, tags and units, and what goes wrong told with its place."""

import json

import pytest

OWN = """id,kind,name.en,name.zh,unit,quantity
plant:outlet-pressure,property,Outlet pressure,出口压力,bar,hulian:pressure
plant:speed,property,Speed,转速,1/min,
"""


def test_a_dictionary_of_ones_own_is_taken_searched_and_compared(hulian, tmp_path):
    path = tmp_path / "plant.csv"
    path.write_text(OWN)
    assert "2 new" in hulian("dictionary", "import", str(path))
    assert [row["entry"]["identifier"] for row in json.loads(hulian("dictionary", "search", "出口", "--json"))] == [
        "plant:outlet-pressure"
    ]
    path.write_text(OWN.replace("Speed", "Rotational speed"))
    assert "1 changed" in hulian("dictionary", "import", str(path))
    changed = json.loads(hulian("dictionary", "diff", "plant", "1", "--json", status=1))["changed"]
    assert changed[0]["fields"]["names"][0]["en"] == "Speed"
    assert [row["release"] for row in json.loads(hulian("dictionary", "list", "plant", "--json"))] in ([1, 2], [2, 1])
    hulian("dictionary", "search", "nowhere", status=1)
    hulian("dictionary", "remove", "plant")
    hulian("dictionary", "search", "出口", status=1)


def test_a_tag_is_understood_without_any_dictionary_and_better_once_somebody_said(hulian):
    found = json.loads(hulian("dictionary", "suggest", "PT_101.PV", "--json"))[0]["suggestions"]
    assert {(one["aspect"], one["concept"]) for one in found} >= {
        ("quantity", "hulian:pressure"),
        ("role", "hulian:measured-value"),
    }
    assert all(one["reasons"] for one in found)
    assert "hulian:temperature" not in hulian("dictionary", "suggest", "QX_7")
    hulian("dictionary", "confirm", "QX_7", "hulian:temperature")
    assert "confirmed" in hulian("dictionary", "suggest", "QX_7")
    hulian("dictionary", "confirm", "QX_7", "")
    assert "confirmed" not in hulian("dictionary", "suggest", "QX_7")


CATALOGUE = """
version = 1

[[connector]]
name = "boiler"
protocol = "modbus"
url = "modbus://127.0.0.1:1502"

[[point]]
connector = "boiler"
name = "99.118.8/boiler#pt"
address = "holding@0:int16"
tag = "PT_101.PV"
unit = "bar"
path = "line 2"

[[point]]
connector = "boiler"
name = "99.118.8/boiler#tt"
address = "holding@1:int16"
tag = "TT_102.PV"
unit = "Cel"
path = "line 2"
"""


def test_a_live_point_is_suggested_for_confirmed_and_found_by_its_meaning(hulian, tmp_path):
    (tmp_path / "plant.toml").write_text(CATALOGUE)
    hulian("dictionary", "list")  # makes the registry
    hulian("catalogue", "apply", "plant.toml")
    told = hulian("dictionary", "suggest", "--connector", "boiler")
    assert "99.118.8/boiler#pt  PT_101.PV  bar" in told
    assert "0 of 2 points have a meaning" in told
    hulian("dictionary", "confirm", "99.118.8/boiler#pt", "hulian:pressure")
    found = json.loads(hulian("model", "find", "hulian:pressure", "--in", "line 2", "--json"))
    assert [node["point"] for node in found["nodes"]] == ["99.118.8/boiler#pt"]
    assert "99.118.8/boiler#tt  hulian:temperature" in hulian("dictionary", "confirm", "--above", "0.5", "--dry-run")
    hulian("dictionary", "confirm", "--above", "0.5", "--connector", "boiler")
    assert "2 of 2 points have a meaning" in hulian("dictionary", "suggest", "--all")
    hulian("dictionary", "confirm", "99.118.8/boiler#tt", "")
    assert "1 of 2" in hulian("dictionary", "suggest")
    hulian("dictionary", "confirm", "99.118.8/boiler#tt", "--none")
    assert "2 of 2" in hulian("dictionary", "suggest")


def test_words_of_a_dictionary_find_nodes_of_the_model(hulian, tmp_path):
    (tmp_path / "plant.csv").write_text(OWN)
    hulian("dictionary", "import", "plant.csv")
    lines = [
        {"hulian": 1, "document": {"name": "x", "format": "hulian"}},
        {"node": {"id": "a", "kind": 2, "name": "PT_1", "unit": "psi", "meanings": ["plant:outlet-pressure"]}},
    ]
    (tmp_path / "x.hulian.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    hulian("model", "import", "x.hulian.jsonl")
    found = json.loads(hulian("model", "find", "outlet pressure", "--unit", "bar", "--json"))
    assert [(node["name"], round(node["factor"], 6)) for node in found["nodes"]] == [("PT_1", 0.068948)]
    assert hulian("model", "find", "speed", status=1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("show", "no identifier"), ["HL-SEM-0030", "→"]),
        (("show", "plant:nothing"), ["HL-SEM-", "plant:nothing"]),
        (("units", "wombat"), ["HL-SEM-0020", "wombat", "→"]),
        (("units", "bar", "kg"), ["HL-SEM-0021"]),
        (("import", "nowhere.xml"), ["HL-SEM-0001", "nowhere.xml", "→"]),
        (("import", "hulian.toml"), ["HL-SEM-0003", "→"]),
        (("diff", "nothing", "1"), ["nothing"]),
        (("confirm", "X", ""), ["X", "→"]),
    ],
)
def test_what_cannot_be_done_is_told(hulian, arguments, words):
    told = hulian("dictionary", *arguments, status=1)
    assert "Traceback" not in told
    for word in words:
        assert word in told


def test_a_number_is_converted_exactly(hulian):
    assert json.loads(hulian("dictionary", "units", "degC", "K", "21.5", "--json"))["value"] == 294.65
    assert json.loads(hulian("dictionary", "units", "bar", "--json"))["unece"] == ["BAR"]
