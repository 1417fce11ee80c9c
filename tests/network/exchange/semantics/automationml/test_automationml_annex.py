"""OPC UA as AutomationML by OPC 10000-83, Annex A: libraries of a namespace, valid by the published schema."""

import io

import pytest
from lxml import etree
from semantic_content import Collected

from hulian.network.exchange.semantics.automationml import FORMAT
from hulian.network.exchange.semantics.automationml.annex import explicit
from hulian.network.exchange.semantics.automationml.from_opcua import PROFILE, to_automationml
from hulian.network.exchange.semantics.contract import Batch, Constraints, Document, Kind, Node, Reference, Relation
from hulian.network.exchange.semantics.documents import memory_source

SCHEMA = "automationml/CAEX_ClassModel_V.3.0.xsd"
U = "http://example.org/pumps/"
OWN = f"nsu={U};"
CAEX = {"c": "http://www.dke.de/CAEX"}


def ua(identity, kind, name, parent="", **more):
    attributes = more.pop("attributes", {})
    extra = {"browse": more.pop("browse", U), "class": kind.name, "attributes": attributes, **more.pop("nodeset", {})}
    return Node(
        id=f"{OWN}{identity}", kind=kind, name=name, parent=parent and f"{OWN}{parent}", extra={"nodeset": extra}, **more
    )


NODES = [
    ua(
        "i=1",
        Kind.OBJECT_TYPE,
        "PumpType",
        type="i=58",
        attributes={"IsAbstract": "true"},
        labels={"": "PumpType", "de": "Pumpe"},
    ),
    ua("i=2", Kind.PROPERTY, "Speed", "i=1", type="i=63", datatype="xs:double", nodeset={"rule": "i=78"}, browse="urn:other"),
    ua("i=3", Kind.PROPERTY, "Curve", "i=1", type="i=68", datatype="xs:double[]", relation=Relation.PROPERTY, value="[1.0]"),
    ua("i=4", Kind.OPERATION, "Start", "i=1", nodeset={"rule": "i=80"}),
    ua("i=5", Kind.OBJECT_TYPE, "BigPumpType", type=f"{OWN}i=1"),
    ua("i=6", Kind.ROLE, "IMaintained", type="i=17602"),
    ua("i=7", Kind.REFERENCE_TYPE, "Feeds", type="i=32", nodeset={"inverse": {"": "FedBy"}}),
    ua("i=8", Kind.REFERENCE_TYPE, "Beside", type="i=32", attributes={"Symmetric": "true"}),
    ua(
        "i=9",
        Kind.DATA_TYPE,
        "Mode",
        type="i=29",
        constraints=Constraints(choices=(("0", "Off"), ("1", "On"))),
        nodeset={"definition": {"fields": [{"Name": "Off", "Value": "0"}, {"Name": "On", "Value": "1"}]}},
    ),
    ua(
        "i=10",
        Kind.DATA_TYPE,
        "Point",
        type="i=22",
        nodeset={"definition": {"fields": [{"Name": "x", "DataType": "i=11"}, {"Name": "m", "DataType": f"{OWN}i=9"}]}},
    ),
    ua("i=11", Kind.OBJECT, "P1", type=f"{OWN}i=5"),
    ua("s=a;b", Kind.OBJECT, "P2", type=f"{OWN}i=1"),
    ua("i=12", Kind.PROPERTY, "Mode", "i=11", type="i=63", datatype=f"{OWN}i=9", value="1", attributes={"AccessLevel": "3"}),
    ua("i=13", Kind.OBJECT_TYPE, "PumpType", type="i=58", attributes={"Odd": "1"}),
]
REFERENCES = [
    Reference(f"{OWN}i=11", f"{OWN}i=7", f"{OWN}s=a;b"),
    Reference(f"{OWN}i=11", f"{OWN}i=7", f"{OWN}s=a;b"),
    Reference(f"{OWN}i=11", f"{OWN}i=7", f"{OWN}i=1"),
    Reference(f"{OWN}i=1", "i=17603", f"{OWN}i=6"),
]


@pytest.fixture(scope="module")
def mapped():
    models = [{"attributes": {"ModelUri": U, "Version": "1.2", "PublicationDate": "2024-01-01T00:00:00Z"}}]
    document = Document(name="pumps", format="nodeset", namespaces=(U,), extra={"nodeset": {"models": models}})
    losses = []
    content = Collected(*to_automationml(Collected(document, [Batch(NODES, REFERENCES)]), "plant", losses))
    out = io.BytesIO()
    assert FORMAT.write(content, out) == []
    return content, out.getvalue(), losses


@pytest.mark.samples(SCHEMA)
def test_it_is_valid_and_read_again_as_the_same(samples, mapped):
    content, written, _ = mapped
    etree.XMLSchema(etree.parse(samples / SCHEMA)).assertValid(etree.fromstring(written))
    findings = []
    again = Collected(*FORMAT.read(memory_source("a.aml", written), "plant", findings))
    assert {node.id for node in again.nodes()} == {node.id for node in content.nodes()}
    assert {finding.what for finding in findings} == {"a path that leads nowhere"}
    assert all(not finding.lost for finding in findings)
    types = {node.id: node.type for node in content.nodes()}
    assert {node.id: node.type for node in again.nodes()} == types


def one(written, path):
    found = etree.fromstring(written).xpath(path, namespaces=CAEX)
    assert len(found) == 1, (path, found)
    return found[0]


def test_libraries_classes_and_elements_have_their_places(mapped):
    _, written, losses = mapped
    root = etree.fromstring(written)
    assert PROFILE in [each.text for each in root.iterfind("c:SuperiorStandardVersion", CAEX)]
    libraries = [each.get("Name") for each in root if each.tag.endswith("Lib")]
    assert libraries == [
        f"ICL_{U}",
        "RCL_OpcAmlMetaModel",
        f"RCL_{U}",
        "SUC_OpcAmlMetaModel",
        f"SUC_{U}",
        "ATL_OpcAmlMetaModel",
        f"ATL_{U}",
    ]
    library = one(written, f"c:SystemUnitClassLib[@Name='SUC_{U}']")
    assert library.findtext("c:Version", namespaces=CAEX) == "1.2"
    assert library.findtext(".//{*}OpcUaNamespaceUri") == U
    pump = one(written, "//c:SystemUnitClass[@Name='PumpType']")
    assert pump.get("RefBaseClassPath") == "[SUC_http://opcfoundation.org/UA/]/[BaseObjectType]"
    roles = [each.get("RefRoleClassPath") for each in pump.iterfind("c:SupportedRoleClass", CAEX)]
    assert roles == ["[RCL_OpcAmlMetaModel]/[UaBaseRole]", f"[RCL_{U}]/[IMaintained]"]
    assert one(written, "//c:SystemUnitClass[@Name='BigPumpType']").get("RefBaseClassPath") == f"[SUC_{U}]/[PumpType]"
    values = {each.get("Name"): each.findtext("c:Value", namespaces=CAEX) for each in pump.iterfind("c:Attribute", CAEX)}
    assert values == {"NodeId": None, "DisplayName": "PumpType", "IsAbstract": "true"}
    assert "OpcUa:TypeOnly" in etree.tostring(pump.find("c:Attribute[@Name='IsAbstract']", CAEX)).decode()
    start = one(written, "//c:InternalElement[@Name='Start']")
    assert start.get("RefBaseSystemUnitPath") == "[SUC_OpcAmlMetaModel]/[UaMethodNodeClass]"
    told = {(loss.place, loss.what) for loss in losses}
    assert (f"{OWN}i=13", "the name 'PumpType'") in told
    assert (f"{OWN}i=13", "Odd='1'") in told
    assert (f"{OWN}i=11", f"Feeds to {OWN}i=1") in told


def test_values_have_types_and_node_ids_their_parts(mapped):
    _, written, _ = mapped
    curve = one(written, "//c:InternalElement[@Name='Curve']/c:Attribute[@Name='Value']")
    assert curve.get("RefAttributeType") == "[ATL_http://opcfoundation.org/UA/]/[ListOfDouble]"
    speed = one(written, "//c:InternalElement[@Name='Speed']")
    value = speed.find("c:Attribute[@Name='Value']", CAEX)
    assert (value.get("AttributeDataType"), value.get("RefAttributeType")) == (
        "xs:double",
        "[ATL_http://opcfoundation.org/UA/]/[Double]",
    )
    assert speed.findtext("c:Attribute[@Name='BrowseName']/c:Attribute/c:Value", namespaces=CAEX) == "urn:other"
    parts = one(written, "//c:InternalElement[@Name='P2']/c:Attribute[@Name='NodeId']/c:Attribute[@Name='RootNodeId']")
    said = {each.get("Name"): each.findtext("c:Value", namespaces=CAEX) for each in parts}
    assert said == {"NamespaceUri": U, "StringId": "a;b"}
    mode = one(written, "//c:AttributeType[@Name='Mode']")
    assert [each.text for each in mode.iter("{*}RequiredValue")] == ["Off", "On"]
    point = one(written, "//c:AttributeType[@Name='Point']")
    assert {each.get("Name"): each.get("RefAttributeType") for each in point.iterfind("c:Attribute", CAEX)} == {
        "NodeId": None,
        "x": "[ATL_http://opcfoundation.org/UA/]/[Double]",
        "m": f"[ATL_{U}]/[Mode]",
    }


def test_references_are_pairs_of_interfaces_with_a_link(mapped):
    _, written, _ = mapped
    link = one(written, "//c:InternalLink[@Name='Feeds:P2']")
    ends = {each.get("ID"): each for each in etree.fromstring(written).iter("{*}ExternalInterface")}
    first, second = ends[link.get("RefPartnerSideA")], ends[link.get("RefPartnerSideB")]
    assert (first.getparent().get("Name"), second.getparent().get("Name")) == ("P1", "P2")
    assert first.get("RefBaseClassPath") == f"[ICL_{U}]/[Feeds]"
    assert second.get("RefBaseClassPath") == f"[ICL_{U}]/[Feeds]/[FedBy]"
    back = one(written, "//c:InterfaceClass[@Name='FedBy']/c:Attribute[@Name='RefClassConnectsToPath']/c:Value")
    assert back.text == f"[ICL_{U}]/[Feeds]"
    beside = one(written, "//c:InterfaceClass[@Name='Beside']/c:Attribute[@Name='RefClassConnectsToPath']/c:Value")
    assert beside.text == f"[ICL_{U}]/[Beside]"
    component = one(written, "//c:InternalLink[@Name='HasComponent:Speed']")
    rule = ends[component.get("RefPartnerSideB")].find("c:Attribute[@Name='ModellingRule']/c:Value", CAEX)
    assert rule.text == "Mandatory"


def test_node_ids_come_apart():
    assert explicit("nsu=urn:a%3Bb;g=1-2") == ("urn:a;b", "g", "1-2")
    assert explicit("odd") == ("http://opcfoundation.org/UA/", "s", "odd")
