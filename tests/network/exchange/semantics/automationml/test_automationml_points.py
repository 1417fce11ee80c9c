"""The live points that engineering files name are found, with the connector that reads them."""

import pytest
from semantic_content import Collected

from hulian.network.exchange.semantics.automationml import FORMAT
from hulian.network.exchange.semantics.automationml.points import KNOWN, PointProposal, propose_points
from hulian.network.exchange.semantics.documents import file_source, memory_source


def attribute(name, value="", inside="", **more):
    attributes = "".join(f' {key}="{text}"' for key, text in more.items())
    said = f"<Value>{value}</Value>" if value else ""
    return f'<Attribute Name="{name}"{attributes}>{said}{inside}</Attribute>'


def proposals(elements, classes=""):
    document = f"""<CAEXFile SchemaVersion="3.0" FileName="p.aml" xmlns="http://www.dke.de/CAEX">
    <InstanceHierarchy Name="P">{elements}</InstanceHierarchy>{classes}</CAEXFile>"""
    return propose_points(Collected(*FORMAT.read(memory_source("p.aml", document.encode()), "d", [])))


def element(inside, identity="e"):
    return f'<InternalElement Name="E" ID="{identity}">{inside}</InternalElement>'


CASES = {
    "connection": (
        element(
            attribute(
                "speed", "", attribute("VariableNodeId", "nsu=urn:x;s=Speed") + attribute("ServerAddress", "opc.tcp://h:1")
            )
        ),
        PointProposal(
            node="d/e@speed", connector="opcua", address="nsu=urn:x;s=Speed", endpoint="opc.tcp://h:1", reason="node"
        ),
    ),
    "data source": (
        element(attribute("EndpointURL", "opc.tcp://plc:4840"), "{SRV}")
        + element(attribute("speed", "", attribute("NodeId", "ns=1;i=123") + attribute("RefDataSource", "srv"))),
        PointProposal(
            node="d/e@speed",
            connector="opcua",
            address="ns=1;i=123",
            endpoint="opc.tcp://plc:4840",
            source="d/{SRV}",
            reason="node",
        ),
    ),
    "explicit": (
        element(
            attribute(
                "speed",
                "",
                attribute(
                    "NodeId",
                    "",
                    attribute("ExplicitNodeId", "", attribute("NamespaceUri", "urn:x") + attribute("NumericId", "7")),
                ),
            )
        ),
        PointProposal(node="d/e@speed", connector="opcua", address="nsu=urn:x;i=7", reason="explicit"),
    ),
    "uri": (
        element(attribute("speed", "", attribute("refURI", "opc.tcp://plc:4840/mill?nodeId=ns%3D2%3Bs%3DA.B"))),
        PointProposal(
            node="d/e@speed", connector="opcua", address="ns=2;s=A.B", endpoint="opc.tcp://plc:4840/mill", reason="uri"
        ),
    ),
    "external value": (
        element(
            attribute(
                "speed",
                "",
                attribute(
                    "AssociatedExternalValue",
                    "",
                    attribute("refURI", "mqtt://b:1883/plant/speed#v") + attribute("Direction", "In"),
                ),
            )
        ),
        PointProposal(
            node="d/e@speed",
            connector="mqtt",
            address="json:plant/speed:v",
            endpoint="mqtt://b:1883",
            writable=False,
            reason="uri",
        ),
    ),
    "register": (
        element(attribute("Value", "1") + attribute("ModbusAddress", "1/holding@0:int16")),
        PointProposal(node="d/e@Value", connector="modbus", address="1/holding@0:int16", reason="register"),
    ),
    "topic": (
        element(attribute("Topic", "a/b")),
        PointProposal(node="d/e", connector="mqtt", address="json:a/b:$", reason="topic"),
    ),
    "address": (
        element(attribute("LogicalAddress", "%I0.0")),
        PointProposal(node="d/e", connector="", address="%I0.0", reason="address"),
    ),
    "tag": (
        element(attribute("pressure", "", attribute("Tag_Name", "PT-101"))),
        PointProposal(node="d/e@pressure", connector="", address="PT-101", reason="tag"),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_each_way_to_name_a_point_is_understood(case):
    document, expected = CASES[case]
    assert proposals(document) == [expected]
    assert expected.reason in KNOWN


def test_items_of_a_module_are_bound_by_the_attributes_that_name_them():
    item = (
        '<ExternalInterface Name="{}" ID="{}" RefBaseClassPath="MTPCommunicationICLib/DataItem/OPCUAItem">'
        + attribute("Identifier", "Mod.{}", RefAttributeType="MTPCommunicationATLib/OPCUABaseNodeIDType/OPCUAStringNodeIDType")
        + attribute("Namespace", "http://module")
        + attribute("Access", "3")
        + "</ExternalInterface>"
    )
    server = '<InternalElement Name="Server" ID="s">{}{}{}</InternalElement>'.format(
        attribute("Endpoint", "opc.tcp://m:4840"), item.format("a", "{A}", "a"), item.format("b", "{B}", "b")
    )
    found = proposals(server + element(attribute("V", "a")))
    make = {"connector": "opcua", "endpoint": "opc.tcp://m:4840", "source": "d/s", "writable": True, "reason": "item"}
    assert found == [
        PointProposal(node="d/e@V", address="nsu=http://module;s=Mod.a", **make),
        PointProposal(node="d/{B}", address="nsu=http://module;s=Mod.b", **make),
    ]


def test_documents_files_and_classes_name_no_points():
    documents = attribute("refURI", "./manual.pdf") + attribute("NodeId", "not one") + attribute("Tag")
    inside = f'<SystemUnitClass Name="C">{attribute("Tag", "default")}</SystemUnitClass>'
    classes = f'<SystemUnitClassLib Name="U">{inside}</SystemUnitClassLib>'
    assert proposals(element(documents), classes) == []
    assert proposals(element(attribute("refURI", "opc.tcp://[broken"))) == []


@pytest.mark.samples("automationml/ARAPCExample.aml")
def test_an_engineering_project_names_its_addresses(samples):
    content = Collected(*FORMAT.read(file_source(samples / "automationml/ARAPCExample.aml"), "d", []))
    found = propose_points(content)
    assert {proposal.reason for proposal in found} <= set(KNOWN)
    assert all(content.node(proposal.node) is not None for proposal in found)
    assert len(found) == sum(
        1
        for node in content.nodes()
        if node.name == "LogicalAddress" and node.value and content.node(node.parent).kind.name == "OBJECT"
    )
