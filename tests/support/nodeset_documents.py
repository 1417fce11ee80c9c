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
