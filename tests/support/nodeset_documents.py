"""NodeSets for tests: the published ones that are here, and small ones made of pieces."""

from __future__ import annotations

import importlib.util
import io
from pathlib import Path
from typing import Any

from semantic_content import Collected

from hulian.network.exchange.semantics.contract import Content, Loss
from hulian.network.exchange.semantics.documents import file_source, memory_source
from hulian.network.exchange.semantics.nodeset import FORMAT

TESTS = Path(__file__).parents[1]
PUBLISHED = TESTS / "peers" / "node-opcua" / "node_modules" / "node-opcua-nodesets" / "nodesets"
"""What node-opcua brings along, the base NodeSet among it."""
SAMPLES = (
    "nodesets/Opc.ISA95.NodeSet2.xml",
    "nodesets/Opc.Ua.AMLBaseTypes.NodeSet2.xml",
    "nodesets/Opc.Ua.AMLLibraries.NodeSet2.xml",
    "nodesets/Opc.Ua.Di.NodeSet2.xml",
    "nodesets/Opc.Ua.I4AAS.NodeSet2.xml",
    "nodesets/Opc.Ua.IA.NodeSet2.xml",
    "nodesets/Opc.Ua.IRDI.NodeSet2.xml",
    "nodesets/Opc.Ua.Machinery.Examples.NodeSet2.xml",
    "nodesets/Opc.Ua.Machinery.NodeSet2.xml",
    "nodesets/Opc.Ua.PackML.NodeSet2.xml",
    "automationml/golden-Topology.NodeSet2.xml",
)
OWN = "http://example.com/own/"
_FRAME = """<?xml version="1.0" encoding="utf-8"?>
<UANodeSet xmlns="http://opcfoundation.org/UA/2011/03/UANodeSet.xsd" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
  xmlns:uax="http://opcfoundation.org/UA/2008/02/Types.xsd">
  <NamespaceUris><Uri>http://example.com/own/</Uri><Uri>http://example.com/other/</Uri></NamespaceUris>
  <Models><Model ModelUri="http://example.com/own/" Version="1.0" PublicationDate="2026-01-01T00:00:00Z">
    <RequiredModel ModelUri="http://opcfoundation.org/UA/"/><RequiredModel ModelUri="http://example.com/other/" Version="2.1"/>
  </Model></Models>
  <Aliases><Alias Alias="HasComponent">i=47</Alias><Alias Alias="Special">ns=1;i=3000</Alias></Aliases>
  %s
</UANodeSet>
"""

PUMP = """
<UAObject NodeId="ns=1;i=1" BrowseName="1:Pump"><DisplayName>Pump</DisplayName>
  <DisplayName Locale="zh">泵</DisplayName><References>
  <Reference ReferenceType="HasTypeDefinition">ns=1;i=1000</Reference>
  <Reference ReferenceType="Organizes" IsForward="false">i=85</Reference></References></UAObject>
<UAVariable NodeId="ns=1;i=2" BrowseName="1:Pressure" ParentNodeId="ns=1;i=1" DataType="Double" AccessLevel="3"><References>
  <Reference ReferenceType="HasTypeDefinition">i=2368</Reference>
  <Reference ReferenceType="HasComponent" IsForward="false">ns=1;i=1</Reference>
  <Reference ReferenceType="HasDictionaryEntry">ns=2;s=0112/2///61987#ABA565#007</Reference></References></UAVariable>
<UAVariable NodeId="ns=1;i=3" BrowseName="EURange" ParentNodeId="ns=1;i=2" DataType="i=884"><References>
  <Reference ReferenceType="HasProperty" IsForward="false">ns=1;i=2</Reference></References>
  <Value><uax:ExtensionObject><uax:TypeId><uax:Identifier>i=885</uax:Identifier></uax:TypeId><uax:Body><uax:Range>
  <uax:Low>0</uax:Low><uax:High>16</uax:High></uax:Range></uax:Body></uax:ExtensionObject></Value></UAVariable>
<UAVariable NodeId="ns=1;i=4" BrowseName="EngineeringUnits" ParentNodeId="ns=1;i=2" DataType="i=887"><References>
  <Reference ReferenceType="HasProperty" IsForward="false">ns=1;i=2</Reference></References>
  <Value><uax:ExtensionObject><uax:TypeId><uax:Identifier>i=888</uax:Identifier></uax:TypeId><uax:Body><uax:EUInformation>
  <uax:NamespaceUri>http://www.opcfoundation.org/UA/units/un/cefact</uax:NamespaceUri><uax:UnitId>4342098</uax:UnitId>
  </uax:EUInformation></uax:Body></uax:ExtensionObject></Value></UAVariable>
<UAVariable NodeId="ns=1;i=5" BrowseName="1:Mode" ParentNodeId="ns=1;i=1" DataType="i=7"><References>
  <Reference ReferenceType="HasComponent" IsForward="false">ns=1;i=1</Reference></References></UAVariable>
<UAVariable NodeId="ns=1;i=6" BrowseName="EnumStrings" ParentNodeId="ns=1;i=5" DataType="i=21" ValueRank="1"><References>
  <Reference ReferenceType="HasProperty" IsForward="false">ns=1;i=5</Reference></References>
  <Value><uax:ListOfLocalizedText><uax:LocalizedText><uax:Text>off</uax:Text></uax:LocalizedText>
  <uax:LocalizedText><uax:Text>on</uax:Text></uax:LocalizedText></uax:ListOfLocalizedText></Value></UAVariable>
<UAMethod NodeId="ns=1;i=7" BrowseName="1:Start" ParentNodeId="ns=1;i=1"><References>
  <Reference ReferenceType="HasComponent" IsForward="false">ns=1;i=1</Reference></References></UAMethod>
<UAVariable NodeId="ns=1;i=8" BrowseName="InputArguments" ParentNodeId="ns=1;i=7" DataType="i=296" ValueRank="1"><References>
  <Reference ReferenceType="HasProperty" IsForward="false">ns=1;i=7</Reference></References>
  <Value><uax:ListOfExtensionObject><uax:ExtensionObject><uax:TypeId><uax:Identifier>i=297</uax:Identifier></uax:TypeId><uax:Body>
  <uax:Argument><uax:Name>Speed</uax:Name><uax:DataType><uax:Identifier>i=11</uax:Identifier></uax:DataType>
  <uax:ValueRank>-1</uax:ValueRank><uax:ArrayDimensions/><uax:Description><uax:Text>in 1/min</uax:Text></uax:Description>
  </uax:Argument></uax:Body></uax:ExtensionObject></uax:ListOfExtensionObject></Value></UAVariable>
<UAObjectType NodeId="ns=1;i=1000" BrowseName="1:PumpType"><References>
  <Reference ReferenceType="HasSubtype" IsForward="false">i=58</Reference></References></UAObjectType>
<UAObjectType NodeId="ns=1;i=1001" BrowseName="1:IPumpType" IsAbstract="true"><References>
  <Reference ReferenceType="HasSubtype" IsForward="false">ns=1;i=1002</Reference></References></UAObjectType>
<UAObjectType NodeId="ns=1;i=1002" BrowseName="1:IThingType" IsAbstract="true"><References>
  <Reference ReferenceType="HasSubtype" IsForward="false">i=17602</Reference></References></UAObjectType>
<UADataType NodeId="ns=1;i=3002" BrowseName="1:Mode"><References>
  <Reference ReferenceType="HasSubtype" IsForward="false">i=29</Reference></References>
  <Definition Name="1:Mode"><Field Name="Off" Value="0"/>
  <Field Name="On" Value="1"><Description Locale="en">runs</Description></Field>
  </Definition></UADataType>
"""
"""A pump with all that standard properties tell, and the types that it needs."""


def whole(nodes: str) -> bytes:
    """A NodeSet with these nodes, in the namespace ``OWN`` (index 1)."""
    return (_FRAME % nodes).encode()


def read(document: bytes | Path, losses: list[Loss] | None = None) -> Collected:
    """A document as the model has it."""
    source = file_source(document) if isinstance(document, Path) else memory_source("own.xml", document)
    return Collected(*FORMAT.read(source, "own", [] if losses is None else losses))


def written(content: Content, losses: list[Loss] | None = None) -> bytes:
    """A document of the model as a NodeSet."""
    out = io.BytesIO()
    found = FORMAT.write(content, out)
    if losses is not None:
        losses.extend(found)
    return out.getvalue()


def peer() -> Any:
    """The module that runs node-opcua."""
    spec = importlib.util.spec_from_file_location("hulian_peer_nodeset", TESTS / "peers" / "node-opcua" / "peer.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
