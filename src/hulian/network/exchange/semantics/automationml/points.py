"""Which live points an AutomationML description names, as proposals that a person confirms.

Engineering tools name the address of a value in few ways, and `KNOWN` lists those that are understood. A proposal says which
node is live, which connector reads it, and under which address, in the form that this connector's points have; where a file
names only a tag or an address of a controller, the connector is left open.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from hulian.network.exchange.semantics.automationml.names import EXTRA, normalised
from hulian.network.exchange.semantics.contract import Content, Kind, Node

__all__ = ["KNOWN", "PointProposal", "propose_points"]

KNOWN: Final = {
    "item": "an interface with Identifier and Namespace (OPCUAItem of VDI/NAMUR/ZVEI 2658), and attributes that name its ID",
    "node": "attributes NodeId or VariableNodeId (AMLOpcUaConnectionType of OPC 30040; AutomationML's data variables)",
    "explicit": "NodeId in parts: NamespaceUri and NumericId, StringId, GuidId or OpaqueId (OPC 10000-83, Annex A)",
    "uri": "refURI whose scheme is one of a live protocol (opc.tcp, mqtt, modbus+tcp), with AssociatedExternalValue or alone",
    "topic": "attributes Topic or MQTTTopic",
    "register": "attributes ModbusAddress or Register",
    "address": "attributes LogicalAddress, PLCAddress or IOAddress; which connector reads it is open",
    "tag": "attributes Tag, TagName or PLCTag; which connector has that tag is open",
}
"""What names a live point, by the word that a proposal gives as its reason."""

_MEANS: Final = {
    "nodeid": "node",
    "variablenodeid": "node",
    "opcuanodeid": "node",
    "identifier": "identifier",
    "namespace": "namespace",
    "namespaceuri": "namespace",
    "access": "access",
    "serveraddress": "endpoint",
    "endpoint": "endpoint",
    "endpointurl": "endpoint",
    "discoveryurl": "endpoint",
    "refdatasource": "source",
    "refuri": "uri",
    "refcaexattribute": "attribute",
    "direction": "direction",
    "topic": "topic",
    "mqtttopic": "topic",
    "modbusaddress": "register",
    "modbusregister": "register",
    "register": "register",
    "logicaladdress": "address",
    "plcaddress": "address",
    "ioaddress": "address",
    "tag": "tag",
    "tagname": "tag",
    "plctag": "tag",
    "numericid": "i",
    "stringid": "s",
    "guidid": "g",
    "opaqueid": "b",
    "explicitnodeid": "explicit",
    "rootnodeid": "explicit",
}
"""What an attribute of this name (in lower case, without ``_`` and ``-``) says of a point."""
_CONNECTORS: Final = {"topic": "mqtt", "register": "modbus", "address": "", "tag": ""}
_SCHEMES: Final = {
    "opc.tcp": "opcua",
    "mqtt": "mqtt",
    "mqtts": "mqtt",
    "modbus+tcp": "modbus",
    "modbus": "modbus",
}
_VALUES: Final = ("value", "v", "pv", "presentvalue", "currentvalue", "actualvalue")
"""Names of the attribute that is an object's value, where the object as a whole has the address."""
_NODE_ID: Final = re.compile(r"(ns=\d{1,5};|nsu=[^;]+;)?[isgb]=.+", re.DOTALL)
_MOST: Final = 1_000_000


class PointProposal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One node that seems to be live."""

    node: str
    """Id of the property; of the interface or element where no property of it is plainly its value."""
    connector: str
    """Kind of the connector: ``opcua``, ``mqtt``, ``modbus``; empty where the file does not tell."""
    address: str
    """As the points of that connector have it."""
    endpoint: str = ""
    """Where it is reached: ``opc.tcp://plc:4840``; empty where the file does not tell."""
    source: str = ""
    """Id of the object that says where it is reached; empty where the point itself does."""
    writable: bool | None = None
    reason: str
    """A key of `KNOWN`."""


class _Holder:
    """What the attributes below one node say of a point."""

    __slots__ = ("node", "said", "value")

    def __init__(self, node: Node) -> None:
        self.node = node
        self.said: dict[str, str] = {}
        self.value = ""


def propose_points(content: Content) -> list[PointProposal]:
    """Proposals in document order; classes and libraries name no live points. At most a million."""
    holders, endpoints, above = _gathered(content)
    proposals: list[PointProposal] = []
    items: dict[str, PointProposal] = {}
    for identity, holder in holders.items():
        for proposal in _proposed(identity, holder, holders, endpoints, above):
            if len(proposals) >= _MOST:
                return proposals
            own = holder.node.extra.get(EXTRA, {}).get("id")
            if proposal.reason == "item" and own:
                items[normalised(str(own))] = proposal
            else:
                proposals.append(proposal)
    return proposals + _named_items(content, items)


def _named_items(content: Content, items: dict[str, PointProposal]) -> list[PointProposal]:
    """Items by the attributes that name them, or by themselves where none does."""
    if not items:
        return []
    found = []
    used: set[str] = set()
    for node in content.nodes():
        if node.kind == Kind.PROPERTY and node.value:
            key = normalised(node.value)
            if key in items:
                used.add(key)
                found.append(msgspec.structs.replace(items[key], node=node.id))
    return found + [proposal for key, proposal in items.items() if key not in used]


_Endpoints = dict[str, tuple[str, str]]
"""Endpoint and id of each object that has one, by its ID and by its id."""


def _gathered(content: Content) -> tuple[dict[str, _Holder], _Endpoints, dict[str, str]]:
    """Who says something of a point; the endpoints; parents of objects."""
    holders: dict[str, _Holder] = {}
    endpoints: _Endpoints = {}
    above: dict[str, str] = {}
    last: dict[str, Node] = {}
    types: set[str] = set()
    for node in content.nodes():
        if node.kind in (Kind.OBJECT_TYPE, Kind.ROLE, Kind.INTERFACE_TYPE, Kind.PROPERTY_TYPE) or node.parent in types:
            types.add(node.id)
            continue
        last[node.id] = _without_content(node)
        if node.kind != Kind.PROPERTY:
            above[node.id] = node.parent
            continue
        above[node.id] = node.parent
        plain = node.name.lower().replace("_", "").replace("-", "")
        parent = last.get(node.parent)
        if parent is None:
            continue
        if plain in _VALUES and node.parent in holders:
            holders[node.parent].value = node.id
        means = _MEANS.get(plain)
        if means is None:
            if plain in _VALUES:
                holders.setdefault(node.parent, _Holder(parent)).value = node.id
            continue
        holder = holders.setdefault(node.parent, _Holder(parent))
        value = (node.value or "").strip()
        if value:
            holder.said.setdefault(means, value)
        if means == "identifier":
            holder.said["kind"] = _identifier_kind(node)
        if means == "endpoint" and value:
            endpoints.setdefault(node.parent, (value, node.parent))
            if own := parent.extra.get(EXTRA, {}).get("id"):
                endpoints.setdefault(normalised(str(own)), (value, node.parent))
    return holders, endpoints, above


def _without_content(node: Node) -> Node:
    """What may be said of a point is in the attributes below it: of most nodes of a document nothing else is needed."""
    own = node.extra.get(EXTRA, {}).get("id")
    return Node(id=node.id, kind=node.kind, name=node.name, parent=node.parent, extra={EXTRA: {"id": own}} if own else {})


def _identifier_kind(node: Node) -> str:
    """The letter of an identifier's type, as its attribute type or data type tells it."""
    said = f"{node.type} {node.datatype}".lower()
    if "numeric" in said or "int" in said:
        return "i"
    return "g" if "guid" in said else "b" if "opaque" in said or "base64" in said else "s"


def _proposed(
    identity: str, holder: _Holder, holders: dict[str, _Holder], endpoints: _Endpoints, above: dict[str, str]
) -> Iterator[PointProposal]:
    said = holder.said
    make: dict[str, Any] = {"node": _live(identity, holder), "writable": _writable(said)}
    if "identifier" in said and "namespace" in said:
        address = f"{_namespace(said['namespace'])}{said['kind']}={said['identifier']}"
        make |= _reached(identity, {}, endpoints, above)
        yield PointProposal(**make, connector="opcua", address=address, reason="item")
        return
    if "node" in said or "explicit" in said:
        address = said.get("node", said.get("explicit", ""))
        if _NODE_ID.fullmatch(address):
            make |= _reached(identity, said, endpoints, above)
            yield PointProposal(**make, connector="opcua", address=address, reason="node")
            return
    for letter in "isgb":
        if letter in said and "namespace" in said:
            # the parts stand below ExplicitNodeId below NodeId, or directly below NodeId, of what is live
            owner = above.get(identity, identity)
            while _MEANS.get(_plain(owner, holders, above)) in ("explicit", "node") and owner in above:
                owner = above[owner]
            live = holders.get(owner)
            node = _live(owner, live) if live is not None else owner
            address = f"{_namespace(said['namespace'])}{letter}={said[letter]}"
            reached = _reached(owner, {}, endpoints, above)
            yield PointProposal(node=node, connector="opcua", address=address, reason="explicit", **reached)
            return
    if "uri" in said and (proposal := _from_uri(said["uri"], make)) is not None:
        yield proposal
        return
    for means, connector in _CONNECTORS.items():
        if means in said:
            make |= _reached(identity, said, endpoints, above) if connector else {}
            address = _topic(said[means], "") if connector == "mqtt" else said[means]
            yield PointProposal(**make, connector=connector, address=address, reason=means)
            return


def _plain(identity: str, holders: dict[str, _Holder], above: dict[str, str]) -> str:
    holder = holders.get(identity)
    name = holder.node.name if holder is not None else identity.rpartition("@")[2].rpartition("/")[2]
    return name.lower().replace("_", "").replace("-", "")


def _live(identity: str, holder: _Holder) -> str:
    """The property that a description of a point belongs to."""
    if holder.node.kind == Kind.PROPERTY:
        name = holder.node.name.lower()
        return holder.node.parent if name.startswith("associatedexternalvalue") else identity
    return holder.value or identity


def _writable(said: dict[str, str]) -> bool | None:
    """What Access (1 read, 2 write, 3 both) or Direction (In: from outside into the model) tells."""
    access = said.get("access", "")
    if access.isdecimal() and len(access) < 4:
        return bool(int(access) & 2)
    return {"out": True, "inout": True, "in": False}.get(said.get("direction", "").lower())


def _namespace(text: str) -> str:
    """A namespace of a node id: its URI, or its number in the server."""
    if text.isdecimal():
        return f"ns={text};" if text != "0" else ""
    return f"nsu={text.replace(';', '%3B')};" if text != "http://opcfoundation.org/UA/" else ""


def _reached(identity: str, said: dict[str, str], endpoints: _Endpoints, above: dict[str, str]) -> dict[str, Any]:
    """Where a point is reached and who says so: itself, the data source that it names, the nearest object around it."""
    if said.get("endpoint"):
        return {"endpoint": said["endpoint"]}
    source = endpoints.get(normalised(said.get("source", "")))
    for _ in range(256):
        if source is not None or not identity:
            break
        source = endpoints.get(identity)
        identity = above.get(identity, "")
    return {"endpoint": source[0], "source": source[1]} if source is not None else {}


def _topic(topic: str, path: str) -> str:
    """The address of a value in the JSON of a topic; ``$`` is the payload as a whole."""
    return topic if topic.startswith(("json:", "sparkplug:")) else f"json:{topic}:{path or '$'}"


def _from_uri(uri: str, make: dict[str, Any]) -> PointProposal | None:
    try:
        parts = urlsplit(uri.strip())
        connector = _SCHEMES.get(parts.scheme.lower())
        if connector is None or not parts.netloc:
            return None
        path = unquote(parts.path.strip("/"))
        if connector == "opcua":
            asked = {key.lower(): values[0] for key, values in parse_qs(parts.query).items()}
            address = asked.get("nodeid") or asked.get("id") or unquote(parts.fragment)
            root = parts.path
            if not address and _NODE_ID.fullmatch(path.rpartition("/")[2]):
                address, root = path.rpartition("/")[2], f"/{path.rpartition('/')[0]}"
            if not _NODE_ID.fullmatch(address):
                return None
            endpoint = f"{parts.scheme}://{parts.netloc}{root.rstrip('/')}"
        else:
            address = _topic(path, unquote(parts.fragment)) if connector == "mqtt" and path else path
            endpoint = f"{parts.scheme}://{parts.netloc}"
    except ValueError:
        return None
    if not address:
        return None
    return PointProposal(**make, connector=connector, address=address, endpoint=endpoint, reason="uri")
