"""One document of the model to a proposal, by the room of its format."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import msgspec

from hulian.kernel.point import Kind
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.semantics.contract import Content, Node
from hulian.network.exchange.semantics.proposals.plant import NodeNotes, Plant
from hulian.network.exchange.semantics.proposals.proposal import Gap, Proposal, ProposedConnector, ProposedPoint
from hulian.network.exchange.semantics.proposals.quantities import catalogue_unit, kind_of, number, storage_of

if TYPE_CHECKING:
    from hulian.network.exchange.semantics.automationml.points import PointProposal

# The room of a format is loaded when a document of it is: who only shows what can be asked loads none.

__all__ = ["NodeNotes", "propose"]

_NAME: Final = re.compile(r"[^\w.-]+")
_SECURITY: Final = {"none": "none", "1": "none", "sign": "sign", "2": "sign", "signandencrypt": "best", "3": "best"}
_MEASURED: Final = (StorageClass.DOUBLE, StorageClass.INTEGER)


def propose(content: Content, notes: NodeNotes | None = None) -> Proposal:
    """What of ``content`` can be live; empty for formats that name no live values. At most a million points."""
    maker = _MAKERS.get(content.document.format)
    if maker is None:
        return Proposal(document=content.document.name)
    return maker(content, notes or {})


class _Intake:
    """Connectors and points as they are found."""

    def __init__(self, document: str) -> None:
        self._document = document
        self.connectors: dict[str, ProposedConnector] = {}
        self.points: list[ProposedPoint] = []
        self.gaps: list[Gap] = []

    def free(self, name: str) -> str:
        """A name that no connector of the document has: 1 to 60 legible characters."""
        wanted = _NAME.sub("-", name).strip("-. ")[:60] or self._document[:60]
        found, count = wanted, 1
        while found in self.connectors:
            count += 1
            found = f"{wanted}-{count}"
        return found

    def unit(self, node: str, text: str) -> str:
        """The catalogue's unit; one that nobody knows is told."""
        unit, known = catalogue_unit(text)
        if not known:
            self.gaps.append(Gap(node, f"the unit '{text}' is not known: it stays as it is written, and nothing converts it"))
        return unit

    def done(self) -> Proposal:
        return Proposal(
            document=self._document,
            connectors=tuple(self.connectors.values()),
            points=tuple(self.points),
            missing=tuple(self.gaps),
        )


def _ordered(low: float | None, high: float | None) -> tuple[float | None, float | None]:
    return (None, None) if low is not None and high is not None and not low < high else (low, high)


# -- AutomationML ------------------------------------------------------------------------------------------------------


def _from_aml(content: Content, notes: NodeNotes) -> Proposal:
    from hulian.network.exchange.semantics.automationml.points import propose_points

    found = propose_points(content)
    intake, plant = _Intake(content.document.name), Plant(content.nodes(), notes, {one.node for one in found})
    names: dict[tuple[str, str], str] = {}
    addresses: dict[str, list[str]] = {}
    for one in found:
        node = plant.node(one.node)
        if node is None:
            continue
        key = (one.connector, one.endpoint)
        if key not in names:
            names[key] = intake.free(_connector_name(plant, one))
            intake.connectors[names[key]] = ProposedConnector(
                name=names[key], protocol=one.connector, url=one.endpoint, settings=_security(plant, one)
            )
        intake.points.append(_aml_point(intake, plant, node, one, names[key]))
        addresses.setdefault(names[key], []).append(one.address)
    for name, connector in intake.connectors.items():
        if connector.protocol == "mqtt":
            topics = {"topics": _topics(addresses[name])}
            intake.connectors[name] = msgspec.structs.replace(connector, settings=topics)
    return intake.done()


def _connector_name(plant: Plant, one: PointProposal) -> str:
    """The name of what says where the device is reached; else its protocol and host."""
    source = plant.node(one.source) if one.source else None
    if source is not None:
        return source.name
    try:
        host = urlsplit(one.endpoint).hostname or ""
    except ValueError:
        host = ""
    return "-".join(filter(None, (one.connector or "unassigned", host)))


def _security(plant: Plant, one: PointProposal) -> dict[str, Any]:
    """How an OPC UA server is reached, where it says so beside its endpoint, in the words of `MessageSecurityMode`."""
    source = plant.node(one.source) if one.connector == "opcua" and one.source else None
    said = plant.said(source, "securitymode", "messagesecuritymode") if source is not None else None
    mode = _SECURITY.get((said.value or "").strip().lower()) if said is not None else None
    return {"security": mode} if mode else {}


def _aml_point(intake: _Intake, plant: Plant, node: Node, one: PointProposal, connector: str) -> ProposedPoint:
    storage = storage_of(node.datatype, one.address)
    if storage is None:
        intake.gaps.append(Gap(node.id, "nothing tells its data type: a number of double precision is taken"))
        storage = StorageClass.DOUBLE
    scale = plant.said(node, "scale", "scalefactor")
    factor = number(scale.value) if scale is not None else None
    if factor and factor != 1.0 and storage is StorageClass.INTEGER:
        storage = StorageClass.DOUBLE
    constraints = node.constraints
    low, high = _ordered(number(constraints.low), number(constraints.high)) if constraints else (None, None)
    thing, above, below = plant.place(node)
    return ProposedPoint(
        node=node.id,
        connector=connector,
        address=one.address,
        thing=thing,
        above=above,
        below=below,
        name=plant.bound(node),
        storage=storage,
        kind=kind_of(storage, writable=bool(one.writable)),
        tag=plant.tag(node),
        unit=intake.unit(node.id, plant.unit(node)),
        low=low,
        high=high,
        texts=plant.texts(node),
        enumeration=plant.enumeration(node),
        meanings=node.meanings,
        writable=bool(one.writable),
        options={"scale": factor} if factor and factor != 1.0 else {},
    )


def _topics(addresses: list[str]) -> list[str]:
    """What must be subscribed to so that these addresses are heard."""
    found: dict[str, None] = {}
    for address in addresses:
        form, _, rest = address.partition(":")
        if form == "sparkplug":
            found[f"spBv1.0/{rest.partition('/')[0]}/#"] = None
        elif form == "json":
            found[rest.rpartition(":")[0]] = None
    return list(found)


# -- shells and things -------------------------------------------------------------------------------------------------


def _from_aas(content: Content, notes: NodeNotes) -> Proposal:
    from hulian.network.exchange.semantics.aas.interfaces import proposals as aas_proposals

    intake, plant = _Intake(content.document.name), Plant(content.nodes(), notes)
    for one in aas_proposals(content.nodes(), content.references()):
        name = intake.free(one.name)
        intake.connectors[name] = ProposedConnector(
            name=name, protocol=one.protocol, url=one.url, settings=one.settings, missing=tuple(dict.fromkeys(one.gaps))
        )
        for point in one.points:
            node = plant.node(point.sink) or plant.node(point.node)
            low, high = _ordered(point.low, point.high)
            writable = point.writable
            intake.points.append(
                ProposedPoint(
                    node=point.node,
                    connector=name,
                    address=point.address,
                    above=(one.name,),
                    below=tuple(point.name.split(".")),
                    name=plant.bound(node) if node is not None else "",
                    storage=point.storage,
                    kind=kind_of(point.storage, writable=writable),
                    unit=intake.unit(point.node, notes.get((point.node, "unit"), point.unit)),
                    low=low,
                    high=high,
                    texts={language or "en": text for language, text in point.texts.items() if text},
                    meanings=(point.meaning,) if point.meaning else (),
                    writable=writable,
                    options=point.options,
                    also=(point.sink,) if point.sink and plant.node(point.sink) is not None else (),
                )
            )
    return intake.done()


def _from_thing(content: Content, notes: NodeNotes) -> Proposal:
    from hulian.network.exchange.semantics.wot.connecting import connectors_of

    intake, plant = _Intake(content.document.name), Plant(content.nodes(), notes)
    found, losses = connectors_of(content)
    intake.gaps += [Gap(loss.place, f"{loss.what}: {loss.why}") for loss in losses]
    for one in found:
        name = intake.free(str(one["name"]))
        intake.connectors[name] = ProposedConnector(
            name=name, protocol=str(one["protocol"]), url=str(one["url"]), settings=one["settings"]
        )
        intake.points += [_thing_point(intake, plant, name, point) for point in one["points"]]
    return intake.done()


def _thing_point(intake: _Intake, plant: Plant, connector: str, point: Mapping[str, Any]) -> ProposedPoint:
    identity = str(point["node"])
    node = plant.node(identity)
    storage = StorageClass(point["storage"])
    low, high = _ordered(point["low"], point["high"])
    thing, above, below = plant.place(node) if node is not None else ("", (connector,), (str(point["name"]),))
    unit = plant.unit(node) if node is not None else str(point["unit"])
    return ProposedPoint(
        node=identity,
        connector=connector,
        address=str(point["address"]),
        thing=thing,
        above=above,
        below=below,
        name=plant.bound(node) if node is not None else "",
        storage=storage,
        kind=Kind.CONTINUOUS if storage in _MEASURED and not point["writable"] else Kind.STEP,
        unit=intake.unit(identity, unit),
        low=low,
        high=high,
        texts=dict(point["texts"]),
        enumeration=plant.enumeration(node) if node is not None else {},
        meanings=node.meanings if node is not None else (),
        writable=bool(point["writable"]),
        options=dict(point["options"]),
    )


_MAKERS: Final[dict[str, Callable[[Content, NodeNotes], Proposal]]] = {
    "aml": _from_aml,
    "aas": _from_aas,
    "aasx": _from_aas,
    "aas-xml": _from_aas,
    "aas-json": _from_aas,
    "td": _from_thing,
}
