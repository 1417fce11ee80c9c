"""AutomationML as OPC UA: OPC 30040's own example comes out equal."""

import json

import pytest
from lxml import etree
from semantic_content import Collected

from hulian.network.exchange.semantics.automationml import FORMAT
from hulian.network.exchange.semantics.automationml.opcua import to_opcua
from hulian.network.exchange.semantics.automationml.uatypes import aml_id, dictionary_entry, ua_value
from hulian.network.exchange.semantics.contract import Kind, Relation
from hulian.network.exchange.semantics.documents import file_source, memory_source

UA = "{http://opcfoundation.org/UA/2011/03/UANodeSet.xsd}"
RELATIONS = {
    "i=47": Relation.COMPONENT,
    "i=46": Relation.PROPERTY,
    "i=35": Relation.ORGANIZES,
    "i=45": Relation.SUBTYPE,
    "i=40": "type",
}
DATATYPES = {"i=12": "xs:string"}


class Graph:
    """What two node sets have in common when they say the same: nodes by browse path, and references between paths."""

    def __init__(self, nodes, references):
        self.nodes, self.edges = nodes, references
        tree = (Relation.COMPONENT, Relation.PROPERTY, Relation.ORGANIZES)
        above = {
            target: source
            for source, relation, target in references
            if relation in tree and source in nodes and target in nodes
        }

        def path(identity):
            if identity not in nodes:
                return identity
            name = nodes[identity][0]
            return f"{path(above[identity])}/{name}" if identity in above else name

        self.canonical = {(path(identity), *rest[1:]) for identity, rest in nodes.items()}
        # the example doubles the reference to a role that is both supported and required
        self.references = {(path(source), relation, path(target)) for source, relation, target in references}


def golden(path):
    """The published node set: all that it says, its numbers replaced by browse paths."""
    root = etree.parse(path).getroot()
    aliases = {each.get("Alias"): each.text for each in root.iter(f"{UA}Alias")}
    uris = ["http://opcfoundation.org/UA/", *(each.text for each in root.iter(f"{UA}Uri"))]

    def identity(text):
        text = aliases.get(text, text)
        if not text.startswith("ns="):
            return text
        index, rest = text[3:].split(";")
        return f"nsu={uris[int(index)]};{rest}"

    nodes, references = {}, []
    for each in root.iterchildren(f"{UA}UAObject", f"{UA}UAVariable", f"{UA}UAObjectType"):
        own = identity(each.get("NodeId"))
        value = each.findtext(f"{UA}Value/*") if each.find(f"{UA}Value") is not None else None
        datatype = DATATYPES[identity(each.get("DataType"))] if each.get("DataType") else ""
        value = (value or "") if each.find(f"{UA}Value") is not None else None
        tag = each.tag.removeprefix(f"{UA}UA")
        label = each.findtext(f"{UA}DisplayName")
        nodes[own] = (each.get("BrowseName"), tag, label, datatype, value, each.get("AccessLevel"), each.get("UserAccessLevel"))
        for reference in each.iter(f"{UA}Reference"):
            kind = identity(reference.get("ReferenceType"))
            relation, other = RELATIONS.get(kind, kind), identity(reference.text)
            forward = reference.get("IsForward") != "false"
            references.append((own, relation, other) if forward else (other, relation, own))
    # where the text has Organizes from a library to its classes, the example has the type of links
    libraries = {own for own, said in nodes.items() if "ClassLibs" not in said[0]}
    references = [
        (source, Relation.ORGANIZES, target)
        if relation == aml_id(4002) and source in libraries and nodes[target][1] == "ObjectType"
        else (source, relation, target)
        for source, relation, target in references
    ]
    return Graph(nodes, references)


def ours(content):
    nodes, references = {}, []
    for node in content.nodes():
        extra = node.extra["nodeset"]
        access = extra.get("attributes", {})
        nodes[node.id] = (
            node.name,
            extra["class"],
            node.labels[""],
            node.datatype,
            node.value,
            access.get("AccessLevel"),
            access.get("UserAccessLevel"),
        )
        if node.parent:
            references.append((node.parent, node.relation, node.id))
        if node.type:
            is_type = extra["class"].endswith("Type")
            references.append((node.type, Relation.SUBTYPE, node.id) if is_type else (node.id, "type", node.type))
    references += [(each.source, each.relation, each.target) for each in content.references()]
    return Graph(nodes, references)


def mapped(source, namespace="urn:plant"):
    losses = []
    read = Collected(*FORMAT.read(source, "plant", []))
    return Collected(*to_opcua(read, namespace, losses)), losses


@pytest.mark.samples("automationml/golden-Topology.aml", "automationml/golden-Topology.NodeSet2.xml")
def test_the_published_pair_is_equal(samples):
    expected = golden(samples / "automationml/golden-Topology.NodeSet2.xml")
    content, losses = mapped(file_source(samples / "automationml/golden-Topology.aml"))
    result = ours(content)
    assert len(content._nodes) == len(expected.nodes) == 28
    assert result.canonical == expected.canonical
    assert result.references == expected.references
    assert [loss.what for loss in losses] == [
        "its base BaseInterfaceClassLib@AutomationMLInterfaceClassLib/AutomationMLBaseInterface",
        "its base BaseRoleClassLib@AutomationMLBaseRoleClassLib/AutomationMLBaseRole",
    ]


PLANT = b"""<CAEXFile SchemaVersion="3.0" FileName="p.aml" xmlns="http://www.dke.de/CAEX">
<InstanceHierarchy Name="P"><InternalElement Name="Pump" ID="1" RefBaseSystemUnitPath="U/Pump/Small">
<Version>4</Version><AdditionalInformation>x</AdditionalInformation>
<Attribute Name="p" AttributeDataType="xs:double" Unit="bar" RefAttributeType="A/Pressure"><DefaultValue>0</DefaultValue>
<Value>1.5</Value><RefSemantic CorrespondingAttributePath="IRDI:0112/2///61987#ABA565#007"/>
<RefSemantic CorrespondingAttributePath="odd"/></Attribute>
<Attribute Name="n" AttributeDataType="xs:int"><Value>many</Value></Attribute>
<Attribute Name="t" AttributeDataType="xs:duration"><Value>PT1M0.5S</Value></Attribute>
<ExternalInterface Name="i" ID="a" RefBaseClassPath="I/Flange"/><ExternalInterface Name="j" ID="b"/>
<SupportedRoleClass RefRoleClassPath="R/Machine"/><InternalLink Name="l" RefPartnerSideA="a" RefPartnerSideB="b"/>
<RoleRequirements RefBaseRoleClassPath="R/Gone"/></InternalElement></InstanceHierarchy>
<InterfaceClassLib Name="I"><InterfaceClass Name="Flange"/></InterfaceClassLib>
<RoleClassLib Name="R"><RoleClass Name="Machine"/></RoleClassLib>
<SystemUnitClassLib Name="U"><SystemUnitClass Name="Pump"><SystemUnitClass Name="Small" RefBaseClassPath="Pump"/>
</SystemUnitClass></SystemUnitClassLib>
<AttributeTypeLib Name="A"><AttributeType Name="Pressure"/></AttributeTypeLib></CAEXFile>"""


def test_what_becomes_of_each_element():
    content, losses = mapped(memory_source("p.aml", PLANT))
    own = "nsu=urn:plant;s="
    pressure = content.node(f"{own}1@p")
    assert (pressure.datatype, pressure.value, pressure.type) == ("xs:double", "1.5", f"{own}attribute:A/Pressure")
    unit = content.node(f"{own}1@p|EngineeringUnits")
    assert json.loads(unit.value)["Body"]["EUInformation"]["DisplayName"] == {"Text": "bar"}
    assert content.node(f"{own}1@t").extra["nodeset"]["value"] == "Double"
    assert content.node(f"{own}1@n").value is None
    assert content.node(f"{own}1@t").value == "60500.0"
    assert content.node(f"{own}1@t|AttributeDataType").value == "xs:duration"
    assert content.node(f"{own}1|Version").value == "4"
    assert content.node(f"{own}1|AdditionalInformation").value == "<AdditionalInformation>x</AdditionalInformation>"
    assert content.node(f"{own}1").type == f"{own}unit:U/Pump/Small"
    small = content.node(f"{own}unit:U/Pump/Small")
    assert (small.type, small.parent, small.relation) == (f"{own}unit:U/Pump", f"{own}unit:U/Pump", Relation.ORGANIZES)
    assert small.kind == Kind.OBJECT_TYPE
    references = {(each.source, each.relation, each.target) for each in content.references()}
    assert (f"{own}a", aml_id(4002), f"{own}b") in references
    assert (f"{own}1", aml_id(4001), f"{own}role:R/Machine") in references
    entry = "nsu=http://opcfoundation.org/UA/Dictionary/IRDI;s=0112/2///61987#ABA565#007"
    assert (f"{own}1@p", Relation.DESCRIBED, entry) in references
    told = {loss.what for loss in losses}
    assert told == {"its default value", "its meaning 'odd'", "its value 'many'", "its role plant/role:R/Gone"}
    known = {""}
    for node in content.nodes():
        assert node.parent in known
        known.add(node.id)


@pytest.mark.parametrize(
    ("text", "datatype", "value"),
    [
        ("256", "xs:unsignedByte", None),
        (" 7 ", "xs:int", "7"),
        ("1", "xs:boolean", "true"),
        ("2024-01-01", "xs:dateTime", "2024-01-01T00:00:00Z"),
        ("{788eb291-f103-4fdc-aba0-4893b599f556}", "i=14", "788eb291-f103-4fdc-aba0-4893b599f556"),
        ("x", "i=14", None),
        ("P1DT2H", "i=290", "93600000.0"),
        ("P1Y", "i=290", None),
        ("P", "i=290", None),
        ("1e3", "xs:double", "1e3"),
        ("1,5", "xs:double", None),
    ],
)
def test_values_are_of_their_type_or_none(text, datatype, value):
    assert ua_value(text, datatype) == value


def test_meanings_lead_into_dictionaries():
    dictionary = "nsu=http://opcfoundation.org/UA/Dictionary/"
    assert dictionary_entry("ECLASS: 0173-1#02-AAB381#008") == f"{dictionary}IRDI;s=0173-1#02-AAB381#008"
    assert dictionary_entry("0112/2///61987#ABA565#007") == f"{dictionary}IRDI;s=0112/2///61987#ABA565#007"
    assert dictionary_entry("http://qudt.org/vocab/unit/BAR") == f"{dictionary}URI;s=http://qudt.org/vocab/unit/BAR"
    assert dictionary_entry("pressure") is None
