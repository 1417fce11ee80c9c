"""Every sample in every language: what is written is valid for that language's own judge, and brings the sample back."""

from __future__ import annotations

import importlib.util
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from asyncua import Client, Server
from lxml import etree
from nodeset_browser import AsyncuaBrowser
from nodeset_documents import peer
from round_trips import SAMPLES, TESTS, different, documents, known, pairs
from semantic_content import Collected

from hulian.network.exchange.semantics.aas.verification import findings
from hulian.network.exchange.semantics.contract import Loss
from hulian.network.exchange.semantics.documents import file_source, memory_source
from hulian.network.exchange.semantics.errors import TranslationError
from hulian.network.exchange.semantics.formats import format_named
from hulian.network.exchange.semantics.instrumentml.schema import faults

SOURCES = dict(documents())
DOCUMENTS = {name: known(path).name for name, path in SOURCES.items() if name.startswith(("samples/", "cases/"))}
NO_DEVICE = {
    "Opc.ISA95.NodeSet2.xml",
    "IDTA-02017-1-0_AID.aasx",
    "AMLSimpleExample.tm.jsonld",
    "pac4200.tm.jsonld",
    "boiler.tm.jsonld",
}
"""Documents that have types only: InstrumentML has none."""
CAEX, UANODESET = "automationml/CAEX_ClassModel_V.3.0.xsd", "nodesets/UANodeSet.xsd"


def others(form: str) -> pytest.MarkDecorator:
    """Documents of every other language; those of the same are in test_round_trips.py."""
    return pytest.mark.parametrize("name", [name for name, own in DOCUMENTS.items() if own != form])


def read(name: str, form: str = "", called: str = "doc") -> tuple[Collected, str]:
    path = SOURCES[name]
    found = format_named(form) if form else known(path)
    assert found is not None
    return Collected(*found.read(file_source(path), called, [])), found.name


def exported(content: Any, form: str) -> tuple[bytes, list[Loss]]:
    out = io.BytesIO()
    losses = format_named(form).write(content, out)
    return out.getvalue(), losses


def back(document: bytes, through: str, form: str) -> tuple[bytes, list[Loss]]:
    """A document read as one language and written as another, under another name."""
    found: list[Loss] = []
    content = Collected(*format_named(through).read(memory_source(f"x.{through}", document), "elsewhere", found))
    return exported(content, form)


@pytest.fixture(scope="module")
def wot():
    spec = importlib.util.spec_from_file_location("node_wot_of_exports", TESTS / "peers" / "node-wot" / "peer.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if reason := module.missing():
        pytest.skip(reason)
    with module.NodeWot() as running:
        yield running


@pytest.mark.samples(CAEX)
@others("aml")
def test_caex_takes_it(name, samples):
    judged_by(samples / CAEX, name, "aml")


@pytest.mark.samples(UANODESET)
@others("nodeset")
def test_the_schema_of_node_sets_takes_it(name, samples):
    judged_by(samples / UANODESET, name, "nodeset")


def judged_by(xsd: Path, name: str, target: str) -> None:
    content, own = read(name)
    document, losses = exported(content, target)
    etree.XMLSchema(etree.parse(xsd)).assertValid(etree.fromstring(document, etree.XMLParser(huge_tree=True)))
    comes_back(name, own, document, target, losses)


def comes_back(name: str, own: str, document: bytes, target: str, losses: list[Loss]) -> None:
    """The document again, but for files beside the description, each of which is in the list of losses."""
    content, _ = read(name)
    beside = {attachment.path for attachment in content.attachments()}
    again, more = back(document, target, own)
    told = {loss.place for loss in losses}
    outside = [loss for loss in losses if "the node from which it leads is not in the document" in loss.why]
    found = different(own, file_source(SOURCES[name]), memory_source(SOURCES[name].name, again))
    left = [line for line in found if line.partition(": ")[0] not in beside and not line.startswith("relationships: ")]
    assert len(left) <= len(outside), left
    assert [loss for loss in more if loss.lost] == []
    if len(left) < len(found):
        assert beside <= told


@others("aas")
def test_aas_core_verifies_it(name):
    content, own = read(name)
    document, losses = exported(content, "aasx")
    assert list(findings(memory_source("a.aasx", document))) == []
    comes_back(name, own, document, "aasx", losses)


@others("td")
def test_the_schema_of_thing_models_takes_it(name, wot):
    content, _ = read(name)
    document, losses = exported(content, "td")
    things = json.loads(document)
    for thing in things if isinstance(things, list) else [things]:
        assert wot.order(do="validate", td=thing, model=True)["errors"] == []
    again = Collected(*format_named("td").read(memory_source("x.td.json", document), "x", []))
    assert list(again.nodes())
    assert losses, "a thing has no forms without a device"


@others("iml")
def test_our_schema_of_instrumentml_takes_it_or_it_is_refused(name):
    content, _ = read(name)
    if Path(name).name in NO_DEVICE:
        with pytest.raises(TranslationError) as caught:
            exported(content, "iml")
        assert caught.value.code == "HL-SEM-0049"
        return
    document, losses = exported(content, "iml")
    assert faults(memory_source("x.iml", document)) == []
    again = Collected(*format_named("iml").read(memory_source("x.iml", document), "x", []))
    assert list(again.nodes())
    assert losses


def test_what_is_nothing_is_no_thing():
    content, _ = read("cases/instrumentml/every-element.iml")
    content.batches.clear()
    with pytest.raises(TranslationError):
        exported(content, "td")


# ------------------------------------------------------------ servers


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """NodeSets of four languages, with the companion specifications that they stand on."""
    folder = tmp_path_factory.mktemp("node-sets")
    base = (SAMPLES / "nodesets/Opc.Ua.AMLBaseTypes.NodeSet2.xml").read_text(encoding="utf-8-sig")
    # asyncua cannot do without version and date of a model, which the schema allows to leave out
    dated = '<RequiredModel ModelUri="http://opcfoundation.org/UA/" Version="1.04" PublicationDate="2019-05-01T00:00:00Z"/>'
    base, count = re.subn(r'<RequiredModel ModelUri="http://opcfoundation.org/UA/"[^>]*/>', dated, base)
    assert count
    (folder / "aml.xml").write_text(base.replace(' ParentNodeId=""', ""))
    (folder / "i4aas.xml").write_bytes((SAMPLES / "nodesets/Opc.Ua.I4AAS.NodeSet2.xml").read_bytes())
    paths, contents = [folder / "aml.xml", folder / "i4aas.xml"], []
    for name, called in (
        ("samples/automationml/golden-Topology.aml", "topology"),
        ("samples/automationml/ARAPCExample.aml", "arapc"),
        ("samples/aas/IDTA-02011-1-1-1_HSEBoM.aasx", "bom"),
        ("samples/wot/pac4200.td.jsonld", "meter"),
        ("cases/instrumentml/every-element.iml", "laboratory"),
    ):
        document, _ = exported(read(name, called=called)[0], "nodeset")
        paths.append(folder / f"{called}.xml")
        paths[-1].write_bytes(document)
        contents.append(Collected(*format_named("nodeset").read(memory_source("x.xml", document), called, [])))
    golden = Collected(*format_named("nodeset").read(file_source(SAMPLES / GOLDEN), "golden", []))
    # it was published before node sets told their models; a server knows no namespace without one
    model = {"attributes": {"ModelUri": "http://www.iosb.fraunhofer.de/Topology.aml"}}
    golden.document.extra["nodeset"]["models"] = [model]
    # it doubles references, which node-opcua refuses
    (batch,) = [batch for batch in golden.batches if batch.references]
    once = {(each.source, each.relation, each.target, bool(each.extra)): each for each in batch.references}
    assert len(batch.references) - len(once) == 2
    batch.references = list(once.values())
    paths.append(folder / "golden.xml")
    paths[-1].write_bytes(exported(golden, "nodeset")[0])
    return paths, [*contents, golden]


AML = "nsu=http://opcfoundation.org/UA/AML/;"
GOLDEN = "automationml/golden-Topology.NodeSet2.xml"
SERVED = (
    "nodesets/Opc.Ua.AMLBaseTypes.NodeSet2.xml",
    "nodesets/Opc.Ua.I4AAS.NodeSet2.xml",
    "automationml/ARAPCExample.aml",
    GOLDEN,
)


@pytest.mark.anyio
@pytest.mark.timeout(300)
@pytest.mark.samples(*SERVED)
async def test_asyncua_imports_node_sets_of_every_language(imported):
    paths, contents = imported
    server = Server()
    await server.init()
    for path in paths[:2]:
        await server.import_xml(str(path))
    for path, content in zip(paths[2:-1], contents[:-1], strict=True):
        taken = await server.import_xml(str(path))
        assert len(taken) == sum("class" in node.extra["nodeset"] for node in content.nodes())


@pytest.mark.anyio
@pytest.mark.timeout(300)
@pytest.mark.samples(*SERVED)
async def test_node_opcua_serves_node_sets_of_every_language(imported):
    module = peer()
    if reason := module.missing():
        pytest.skip(reason)
    paths, contents = imported
    served = module.NodeOpcua(variables=1, nodesets=[str(path) for path in paths])
    async with served as server, Client(server.url, timeout=60) as client:
        browser = await AsyncuaBrowser.of(client)
        values = 0
        for content in contents:
            nodes = [node for node in content.nodes() if "class" in node.extra.get("nodeset", {})]
            for node in nodes[:: max(1, len(nodes) // 40)]:
                live = client.get_node(browser.node(node.id))
                assert (await live.read_browse_name()).Name == node.name
                if node.datatype == "xs:string" and node.value:
                    assert await live.read_value() == node.value
                    values += 1
        assert values > 10
        links = [each for each in contents[1].references() if each.relation == f"{AML}i=4002"]
        assert len(links) == 29
        for link in links:
            side = client.get_node(browser.node(link.source))
            seen = [browser.identity(each.nodeid) for each in await side.get_referenced_nodes(browser.node(link.relation))]
            assert link.target in seen
        # the golden pair: the file that was made from the description stands beside the published one, and has the same in it
        (files,) = await browser.browse([f"{AML}i=5006"])
        pair = [await tree(browser, one.id) for one in files if one.name[1] == "Topology.aml"]
        assert len(pair) == 2
        published, ours = sorted(pair, key=len)
        assert len(published) > 20
        assert published < ours
        # the published one joins its libraries to their classes by links, which no client browses
        assert {path.split("/")[1] for path in ours - published} == {
            "InterfaceClassLibs",
            "SystemUnitClassLibs",
            "RoleClassLibs",
        }


async def tree(browser: AsyncuaBrowser, top: str) -> set[str]:
    """Paths of all that stands below a node."""
    found, waiting = set(), [("", top)]
    while waiting:
        path, identity = waiting.pop()
        (children,) = await browser.browse([identity])
        for child in children:
            below = f"{path}/{child.name[1]}"
            if below not in found:
                found.add(below)
                waiting.append((below, child.id))
    return found


# ------------------------------------------------------------ changes on the way


def test_a_value_that_was_changed_in_the_other_language_comes_back_changed():
    content, own = read("samples/automationml/AMLSimpleExample.caex3.aml")
    document, _ = exported(content, "nodeset")
    node = next(node for node in content.nodes() if node.datatype == "xs:string" and node.value)
    made = Collected(*format_named("nodeset").read(memory_source("x.xml", document), "elsewhere", []))
    alike = (node.name, node.value, node.datatype)
    variable = next(one for one in made.nodes() if (one.name, one.value, one.datatype) == alike)
    variable.value = "17.25"
    again, losses = exported(made, own)
    assert [loss for loss in losses if loss.lost] == []
    changed = Collected(*format_named(own).read(memory_source("x.aml", again), "doc", []))
    assert [one.value for one in changed.nodes() if one.value == "17.25"] == ["17.25"]
    assert len(list(changed.nodes())) == len(list(content.nodes()))


def test_what_the_other_language_has_more_is_told():
    content, own = read("samples/automationml/Topology_2021.aml")
    made = Collected(*format_named("nodeset").read(memory_source("x.xml", exported(content, "nodeset")[0]), "elsewhere", []))
    one = next(node for node in made.nodes() if node.name == "CAEXSchemaVersion")
    new = type(one)(**{name: getattr(one, name) for name in one.__struct_fields__} | {"id": one.id + "2", "name": "more"})
    made.batches[-1].nodes.append(new)
    one.value = "9"
    _, losses = exported(made, own)
    assert [(loss.place, loss.what) for loss in losses if loss.lost] == [
        (one.id, "that its value was changed to '9'"),
        (new.id, "property 'more'"),
    ]


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ('{"aml": {', '{"aml": 5, "x": {'),
        ('"nodes": [', '"nodes": [1,'),
        ("[[0,", "[[[0,"),
    ],
)
def test_what_somebody_else_put_there_is_told(was, becomes):
    content, own = read("samples/automationml/Topology_2021.aml")
    document, _ = exported(content, "nodeset")
    wrong = document.replace(was.replace(": ", ":").encode(), becomes.replace(": ", ":").encode())
    assert wrong != document
    made = Collected(*format_named("nodeset").read(memory_source("x.xml", wrong), "elsewhere", []))
    again, losses = exported(made, own)
    assert losses, "a part of it is gone"
    Collected(*format_named(own).read(memory_source("x.aml", again), "x", []))


@pytest.mark.samples("automationml", "nodesets", "aas", "wot")
def test_the_table_of_the_page_is_what_running_gives():
    page = (TESTS.parent / "docs" / "topics" / "semantics-formats.md").read_text()
    table = page.partition("-->\n")[2].partition("<!-- end")[0]
    assert table == pairs(), "python -m benchmarks.roundtrip writes it"
