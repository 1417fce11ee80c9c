"""Small NodeSets: names, values, places, meanings, bends, and documents that are refused."""

from __future__ import annotations

import json

import pytest
from lxml import etree
from nodeset_documents import OWN, PUMP, read, whole, written
from semantic_content import Collected

from hulian.network.exchange.semantics.contract import Batch, Document, Kind, Node, Relation
from hulian.network.exchange.semantics.documents import memory_source
from hulian.network.exchange.semantics.errors import DocumentError, HostileDocumentError
from hulian.network.exchange.semantics.nodeset import FORMAT
from hulian.network.exchange.semantics.nodeset.bends import BENDS
from hulian.network.exchange.semantics.nodeset.canonical import canonical, differences
from hulian.network.exchange.semantics.nodeset.standard import missing_models, standard_node, standard_nodes

N1 = f"nsu={OWN};"
N2 = "nsu=http://example.com/other/;"


def variable(value: str, attributes: str = "", number: int = 1) -> str:
    return (
        f'<UAVariable NodeId="ns=1;i={number}" BrowseName="1:V" {attributes}><References>'
        '<Reference ReferenceType="HasTypeDefinition">i=63</Reference>'
        f'<Reference ReferenceType="HasComponent" IsForward="false">i=85</Reference></References>{value}</UAVariable>'
    )


def same(document: bytes) -> None:
    """There and back."""
    again = written(read(document))
    assert differences(canonical(memory_source("a", document)), canonical(memory_source("b", again))) == []


def test_the_head():
    losses = []
    content = read(whole(""), losses)
    document = content.document
    assert document.namespaces == (OWN,)
    assert document.requires == ("http://example.com/other/",)
    assert losses == []
    assert [loss.what for loss in missing_models(document, [])] == ["the required model http://example.com/other/, version 2.1"]
    assert missing_models(document, ["http://example.com/other/"]) == []
    same(whole(""))


@pytest.mark.parametrize(
    ("value", "datatype", "text"),
    [
        ("<uax:Boolean>true</uax:Boolean>", "i=1", "true"),
        ("<uax:SByte>-5</uax:SByte>", "i=2", "-5"),
        ("<uax:Byte>255</uax:Byte>", "i=3", "255"),
        ("<uax:Int16>-3</uax:Int16>", "i=4", "-3"),
        ("<uax:UInt64>18446744073709551615</uax:UInt64>", "i=9", "18446744073709551615"),
        ("<uax:Float>1.5</uax:Float>", "i=10", "1.5"),
        ("<uax:Double>-INF</uax:Double>", "i=11", "-INF"),
        ("<uax:String> a &lt; b </uax:String>", "i=12", " a < b "),
        ("<uax:DateTime>2026-01-01T00:00:00Z</uax:DateTime>", "i=13", "2026-01-01T00:00:00Z"),
        (
            "<uax:Guid><uax:String>72962B91-FA75-4ae6-8D28-B404DC7DAF63</uax:String></uax:Guid>",
            "i=14",
            "72962b91-fa75-4ae6-8d28-b404dc7daf63",
        ),
        ("<uax:ByteString>aGVs\n bG8=</uax:ByteString>", "i=15", "aGVsbG8="),
        ("<uax:XmlElement><a xmlns='urn:a'><b c='1'/></a></uax:XmlElement>", "i=16", '<a xmlns="urn:a"><b c="1"/></a>'),
        ("<uax:NodeId><uax:Identifier>ns=2;s=x;y</uax:Identifier></uax:NodeId>", "i=17", f"{N2}s=x;y"),
        ("<uax:ExpandedNodeId><uax:Identifier>ns=1;i=7</uax:Identifier></uax:ExpandedNodeId>", "i=18", f"{N1}i=7"),
        ("<uax:StatusCode><uax:Code>2147483648</uax:Code></uax:StatusCode>", "i=19", "2147483648"),
        (
            "<uax:QualifiedName><uax:NamespaceIndex>2</uax:NamespaceIndex><uax:Name>N</uax:Name></uax:QualifiedName>",
            "i=20",
            {"NamespaceIndex": "http://example.com/other/", "Name": "N"},
        ),
        ("<uax:LocalizedText><uax:Locale>de</uax:Locale><uax:Text>Pumpe</uax:Text></uax:LocalizedText>", "i=21", "Pumpe"),
        ("<uax:LocalizedText><uax:Text>pump</uax:Text></uax:LocalizedText>", "i=21", "pump"),
        ("<uax:LocalizedText/>", "i=21", ""),
        ("<uax:ListOfInt32><uax:Int32>1</uax:Int32><uax:Int32>-2</uax:Int32></uax:ListOfInt32>", "i=6", [1, -2]),
        (
            "<uax:ListOfDouble><uax:Double>1.50</uax:Double><uax:Double>NaN</uax:Double></uax:ListOfDouble>",
            "i=11",
            [1.5, "NaN"],
        ),
        ("<uax:ListOfBoolean><uax:Boolean>true</uax:Boolean></uax:ListOfBoolean>", "i=1", [True]),
        ("<uax:ListOfString><uax:String/><uax:String>b</uax:String></uax:ListOfString>", "i=12", ["", "b"]),
        (
            "<uax:ListOfString><uax:String xsi:nil='true'/></uax:ListOfString>",
            "i=12",
            {"String": {"@{http://www.w3.org/2001/XMLSchema-instance}nil": "true"}},
        ),
        ("<uax:ListOfInt32/>", "i=6", []),
        (
            "<uax:ListOfNodeId><uax:NodeId><uax:Identifier>ns=1;g=72962B91-FA75-4ae6-8D28-B404DC7DAF63</uax:Identifier></uax:NodeId></uax:ListOfNodeId>",
            "i=17",
            [f"{N1}g=72962b91-fa75-4ae6-8d28-b404dc7daf63"],
        ),
        (
            "<uax:Matrix><uax:Dimensions><uax:Int32>2</uax:Int32><uax:Int32>3</uax:Int32></uax:Dimensions><uax:Elements>"
            + "".join(f"<uax:Int16>{number}</uax:Int16>" for number in range(6))
            + "</uax:Elements></uax:Matrix>",
            "i=4",
            [[0, 1, 2], [3, 4, 5]],
        ),
        (
            "<uax:ListOfVariant><uax:Variant><uax:Value><uax:Int32>5</uax:Int32></uax:Value></uax:Variant></uax:ListOfVariant>",
            "i=24",
            [{"Value": {"Int32": "5"}}],
        ),
        (
            "<uax:ExtensionObject><uax:TypeId><uax:Identifier>ns=1;i=5</uax:Identifier></uax:TypeId><uax:Body>"
            "<Part xmlns='urn:part'><Name>n</Name><Of><Id><uax:Identifier>ns=2;i=9</uax:Identifier></Id></Of>"
            "<Many><A>1</A><A>2</A></Many>"
            "</Part></uax:Body></uax:ExtensionObject>",
            "ns=1;i=4",
            {
                "TypeId": {"Identifier": f"{N1}i=5"},
                "Body": {
                    "Part": {
                        "@xmlns": "urn:part",
                        "Name": "n",
                        "Of": {
                            "Id": {"Identifier": {"@xmlns": "http://opcfoundation.org/UA/2008/02/Types.xsd", "#": f"{N2}i=9"}}
                        },
                        "Many": {"A": ["1", "2"]},
                    }
                },
            },
        ),
    ],
)
def test_values(value, datatype, text):
    document = whole(variable(f"<Value>{value}</Value>", f'DataType="{datatype}"'))
    [node] = read(document).nodes()
    assert node.value is not None
    assert (node.value if isinstance(text, str) else json.loads(node.value)) == text or node.value == json.dumps(text)
    losses = []
    again = written(read(document), losses)
    assert losses == []
    assert differences(canonical(memory_source("a", document)), canonical(memory_source("b", again))) == []
    # Indexes are made anew: a foreign namespace before ours changes no value.
    shifted = document.replace(b"<NamespaceUris>", b"<NamespaceUris><Uri>urn:first</Uri>")
    for old, new in ((b"ns=2;", b"ns=3;"), (b"ns=1;", b"ns=2;"), (b'"1:', b'"2:'), (b"Index>2<", b"Index>3<")):
        shifted = shifted.replace(old, new)
    [moved] = read(shifted).nodes()
    assert moved == node


def test_data_types_are_those_of_xsd_where_they_are():
    [one] = read(whole(variable("", 'DataType="i=11"'))).nodes()
    [many] = read(whole(variable("", 'DataType="i=11" ValueRank="1"'))).nodes()
    [other] = read(whole(variable("", 'DataType="ns=1;i=3002" ValueRank="1"'))).nodes()
    assert (one.datatype, many.datatype, other.datatype) == ("xs:double", "xs:double[]", f"{N1}i=3002")


def test_standard_properties_are_understood():
    document = whole(PUMP)
    content = read(document)
    pressure = content.node(f"{N1}i=2")
    assert (pressure.unit, pressure.constraints.low, pressure.constraints.high) == ("BAR", "0", "16")
    assert (pressure.parent, pressure.relation, pressure.writable) == (f"{N1}i=1", Relation.COMPONENT, True)
    assert pressure.meanings == ("0112/2///61987#ABA565#007",)
    assert content.node(f"{N1}i=5").constraints.choices == (("0", "off"), ("1", "on"))
    assert content.node(f"{N1}i=3002").constraints.choices == (("0", "Off"), ("1", "On"))
    [speed] = [node for node in content.nodes() if node.relation == Relation.INPUT]
    assert (speed.parent, speed.name, speed.datatype, speed.descriptions) == (
        f"{N1}i=7",
        "Speed",
        "xs:double",
        {"": "in 1/min"},
    )
    assert content.node(f"{N1}i=1").labels == {"": "Pump", "zh": "泵"}
    assert content.node(f"{N1}i=1").type == f"{N1}i=1000"
    assert content.node(f"{N1}i=1000").type == "i=58"
    # An interface is a role, whichever of the two types stands first.
    assert [content.node(f"{N1}i={number}").kind for number in (1001, 1002)] == [Kind.ROLE, Kind.ROLE]
    # What was understood is written as it stood.
    same(document)
    assert b"i=8#" not in written(content)


def test_places_of_nodes_in_any_order():
    """A parent further down, one that only the parent itself knows, one that is of another document."""
    nodes = """
    <UAObject NodeId="ns=1;i=3" BrowseName="1:C" ParentNodeId="ns=1;i=2"><References>
      <Reference ReferenceType="HasComponent" IsForward="false">ns=1;i=2</Reference></References></UAObject>
    <UAObject NodeId="ns=1;i=4" BrowseName="1:D"/>
    <UAObject NodeId="ns=1;i=5" BrowseName="1:E" ParentNodeId="ns=1;i=1"/>
    <UAObject NodeId="ns=1;i=2" BrowseName="1:B"><References>
      <Reference ReferenceType="ns=1;i=4001" IsForward="false">ns=1;i=1</Reference></References></UAObject>
    <UAObject NodeId="ns=1;i=1" BrowseName="1:A" ParentNodeId="ns=2;i=1"><References>
      <Reference ReferenceType="HasOrderedComponent">ns=1;i=4</Reference></References></UAObject>
    <UAObject NodeId="ns=1;i=6" BrowseName="1:F"/>
    <UAReferenceType NodeId="ns=1;i=4001" BrowseName="1:Holds"><References>
      <Reference ReferenceType="HasSubtype" IsForward="false">i=47</Reference></References></UAReferenceType>"""
    content = read(whole(nodes))
    places = {node.name: (node.parent, node.relation) for node in content.nodes()}
    assert places == {
        "A": (f"{N2}i=1", "component"),
        "B": (f"{N1}i=1", f"{N1}i=4001"),
        "C": (f"{N1}i=2", "component"),
        "D": (f"{N1}i=1", "i=49"),
        "E": (f"{N1}i=1", "component"),
        "F": ("", "component"),
        "Holds": ("i=47", "subtype"),
    }
    order = [node.name for node in content.nodes()]
    assert order.index("A") < order.index("B") < order.index("C")
    assert order.index("A") < order.index("D")
    same(whole(nodes))


def test_circles_and_second_definitions_are_reported():
    nodes = """
    <UAObject NodeId="ns=1;i=1" BrowseName="1:A" ParentNodeId="ns=1;i=2"/>
    <UAObject NodeId="ns=1;i=2" BrowseName="1:B" ParentNodeId="ns=1;i=1"/>
    <UAObject NodeId="ns=1;i=3" BrowseName="1:C" ParentNodeId="ns=1;i=3"/>
    <UAObject NodeId="ns=1;i=4" BrowseName="1:D"/><UAObject NodeId="ns=1;i=4" BrowseName="1:Other"/>"""
    losses = []
    content = read(whole(nodes), losses)
    assert {node.name: node.parent for node in content.nodes()} == {"A": "", "B": f"{N1}i=1", "C": "", "D": ""}
    assert sorted(loss.why for loss in losses) == sorted(
        [BENDS["circle-of-parents"], BENDS["circle-of-parents"], BENDS["twice-defined"]]
    )
    assert all("own.xml" in loss.place for loss in losses)


def test_bends():
    """Each is in the list with its reason."""
    losses = []
    nodes = """
    <UAObject NodeId=" ns=1;i=1 " BrowseName="1:A" ParentNodeId="" DesignToolOnly="true" SymbolicName="not a name"><Odd/>
      <DisplayName>a</DisplayName><DisplayName>b</DisplayName><References>
      <Reference ReferenceType="Organizes" IsForward="false">
         ns=0;i=85
      </Reference><Reference ReferenceType="Special">nsu=http://example.com/other/;i=5</Reference></References></UAObject>"""
    content = read(whole(nodes), losses)
    [node] = content.nodes()
    assert (node.id, node.parent, node.relation) == (f"{N1}i=1", "i=85", "organizes")
    assert [(each.relation, each.target) for each in content.references()] == [(f"{N1}i=3000", f"{N2}i=5")]
    assert {loss.why for loss in losses} == {BENDS["unknown-child"], BENDS["twice-in-locale"]}
    not_written = []
    written(content, not_written)
    assert [loss.what for loss in not_written] == [
        "the attribute DesignToolOnly='true'",
        "the attribute SymbolicName='not a name'",
    ]
    assert all(len(reason) > 20 for reason in BENDS.values())


@pytest.mark.parametrize(
    ("nodes", "words", "line"),
    [
        ('<UAObject NodeId="ns=9;i=1" BrowseName="A"/>', "no namespace 9", 9),
        ('<UAObject NodeId="ns=1;i=99999999999" BrowseName="A"/>', "32 bits", 9),
        ('<UAObject NodeId="Unknown" BrowseName="A"/>', "neither a node id nor an alias", 9),
        ('<UAObject NodeId="ns=1;i=1"/>', "no BrowseName", 9),
        ('<UAObject NodeId="ns=1;i=1" BrowseName="9:A"/>', "no namespace 9", 9),
        ('<UAObject NodeId="ns=1;s=' + "x" * 2000 + '" BrowseName="A"/>', "more than 1024", 9),
        ('<UAObject NodeId="ns=1;i=1" BrowseName="A"/><Models/>', "after the first node", 9),
        ('<UAObject NodeId="ns=1;i=1" BrowseName="A">', "no XML", 10),
        ("</UANodeSet><more/>", "no XML", 9),
    ],
)
def test_broken_documents_are_refused_with_their_line(nodes, words, line):
    with pytest.raises(DocumentError) as raised:
        read(whole(nodes))
    assert words in str(raised.value)
    assert f"line {line}" in raised.value.place


@pytest.mark.parametrize(
    "document",
    [
        b'<!DOCTYPE a [<!ENTITY b "c">]><UANodeSet xmlns="http://opcfoundation.org/UA/2011/03/UANodeSet.xsd"/>',
        whole("<UAObject>" * 400),
        whole(variable("<Value>" + "<a>" * 300 + "</a>" * 300 + "</Value>")),
    ],
)
def test_hostile_documents_are_refused(document):
    with pytest.raises(HostileDocumentError):
        read(document)


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<a/>",
        b'<UANodeSetChanges xmlns="http://opcfoundation.org/UA/2011/03/UANodeSet.xsd" TransactionId="1"/>',
        b"\xff\xfe\x00",
    ],
)
def test_what_is_no_nodeset_is_refused(document):
    with pytest.raises(DocumentError):
        read(document)


def test_recognised():
    assert FORMAT.recognises("x.xml", whole("")[:4096])
    assert FORMAT.recognises("Opc.Ua.Di.NodeSet2.xml", b"<!-- a licence of more than four KiB")
    assert not FORMAT.recognises("plant.aml", b"<CAEXFile")


def test_a_value_that_xml_cannot_hold_is_a_loss():
    content = read(whole(variable("<Value><uax:String>a</uax:String></Value>", 'DataType="i=12"')))
    [node] = content.nodes()
    node.value, node.labels = "a\x00b", {"": "c\x07d"}
    losses = []
    document = written(content, losses)
    assert {loss.what for loss in losses} == {"the value 'a\\x00b'", "control characters of a text"}
    assert etree.fromstring(document).findtext(".//{*}DisplayName") == "cd"


def test_a_document_that_a_mapping_made_gets_its_models():
    """As AutomationML's mapping makes them: nodes with the keys of this room, and nothing else of a NodeSet."""
    uri = "http://example.com/line/"
    document = Document(name="line", format="nodeset", namespaces=(uri,), requires=("http://opcfoundation.org/UA/AML/",))
    node = Node(
        id=f"nsu={uri};s=x",
        kind=Kind.PROPERTY,
        name="X",
        parent="i=85",
        relation=Relation.ORGANIZES,
        type="i=63",
        datatype="xs:string",
        value="v",
        extra={"nodeset": {"browse": uri, "class": "Variable", "attributes": {"AccessLevel": "15"}}},
    )
    losses = []
    text = written(Collected(document, [Batch([node], [], [])]), losses)
    assert losses == []
    again = read(text)
    assert again.document.requires == document.requires
    assert again.document.namespaces == (uri,)
    [found] = again.nodes()
    assert (found.id, found.parent, found.relation, found.type, found.value, found.writable) == (
        node.id, "i=85", "organizes", "i=63", "v", True
    )  # fmt: skip


def test_points_and_identifiers_go_along():
    content = read(whole(PUMP))
    node = content.node(f"{N1}i=2")
    node.point, node.identifier = "99.118.8/pump-17#pressure", "99.118.8/pump-17"
    node.extra["nodeset"]["extensions"] = ['<a xmlns="urn:tool" b="1"/>']
    again = read(written(content))
    assert list(again.nodes()) == list(content.nodes())


def test_progress_ends_at_the_size_and_can_cancel():
    document = whole(variable(""))
    seen = []
    source = memory_source("a.xml", document, seen.append)
    for _ in FORMAT.read(source, "a", [])[1]:
        pass
    assert seen[-1] == len(document)

    class CancelledError(Exception):
        pass

    def cancel(count):
        raise CancelledError

    with pytest.raises(CancelledError):
        list(FORMAT.read(memory_source("a.xml", document, cancel), "a", [])[1])


def test_the_table_of_the_base_namespace():
    nodes = {node.id: node for node in standard_nodes()}
    assert len(nodes) > 1500
    given = set()
    for node in nodes.values():
        assert not node.parent or node.parent in given
        given.add(node.id)
    assert (nodes["i=47"].name, nodes["i=47"].type, nodes["i=47"].kind) == ("HasComponent", "i=44", Kind.REFERENCE_TYPE)
    assert nodes["i=2368"].kind is Kind.PROPERTY_TYPE
    assert nodes["i=24137"].extra["nodeset"]["attributes"]["Symmetric"] == "true"
    assert (nodes["i=85"].kind, nodes["i=17602"].kind, nodes["i=58"].kind) == (Kind.FOLDER, Kind.ROLE, Kind.OBJECT_TYPE)
    assert standard_node("i=999999999") is None
