"""What a document in InstrumentML can be live of: a connector for each port that can be driven, and what its answers bring."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Final

from hulian.kernel.point import Kind
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.instrument.browse import fields_of
from hulian.network.exchange.protocols.instrument.description import Field, Instrument, read_description
from hulian.network.exchange.protocols.instrument.errors import DescriptionError
from hulian.network.exchange.semantics.contract import Content, Node
from hulian.network.exchange.semantics.instrumentml import FORMAT
from hulian.network.exchange.semantics.proposals import (
    Gap,
    NodeNotes,
    Plant,
    Proposal,
    ProposedConnector,
    ProposedPoint,
    catalogue_unit,
)

__all__ = ["propose_instruments"]

_READ_AS: Final = "i/"
"""What the ids of `read_description` begin with."""


def propose_instruments(content: Content, notes: NodeNotes) -> Proposal:
    """Every port with an ``OutputAdapter``; a port that cannot be driven is told with its reason.

    Commands that only take arguments are no points: they are there to be written, which a person decides. The description
    itself is the connector's setting, so that what is driven is what was imported. Where a device has Parameters ``identifier``
    and ``location`` (a path of the plant), its points have them.
    """
    name = content.document.name
    plant = Plant(content.nodes(), notes)
    written = io.BytesIO()
    FORMAT.write(content, written)
    text = written.getvalue()
    ports = [node for node in content.nodes() if _element(node) == "Port"]
    driven = [port for port in ports if any(_element(one) == "OutputAdapter" for one in plant.below(port))]
    connectors: list[ProposedConnector] = []
    points: list[ProposedPoint] = []
    gaps: list[Gap] = []
    for port in driven:
        local = port.id.partition("/")[2]
        try:
            instrument = read_description(text, local, name)
        except DescriptionError as error:
            gaps.append(Gap(port.id, error.message))
            continue
        device = next((node for node in plant.above(port) if _element(node) == "Device"), port)
        label = device.name if len(driven) == 1 else f"{device.name}-{port.name}"
        settings = {"description": text.decode("utf-8")} | ({"port": local} if len(driven) > 1 else {})
        connectors.append(
            ProposedConnector(name=label[:60], protocol="instrument", url=_url(instrument.endpoint), settings=settings)
        )
        points += _points(plant, name, label[:60], device, instrument, gaps)
    return Proposal(document=name, connectors=tuple(connectors), points=tuple(points), missing=tuple(gaps))


def _points(
    plant: Plant, document: str, connector: str, device: Node, instrument: Instrument, gaps: list[Gap]
) -> Iterator[ProposedPoint]:
    thing, above = plant.identifier(device), tuple(one.name for one in reversed(plant.above(device)))
    location = plant.said(device, "location", "plantpath")
    if location is not None and location.value:
        above = tuple(filter(None, location.value.split("/")))
    seen: set[str] = set()
    for owner in (*instrument.messages, *instrument.bundles):
        given = instrument.messages[owner].fields if owner in instrument.messages else {}
        for leaf, field in fields_of(instrument, owner):
            node = plant.node(_identity(document, field))
            if node is None or any(field is one for one in given.values()) or node.id in seen:
                continue
            seen.add(node.id)
            unit, known = catalogue_unit(plant.unit(node))
            if not known:
                gaps.append(Gap(node.id, f"the unit '{unit}' is not known: it stays as it is written, and nothing converts it"))
            storage = leaf.storage or StorageClass.DOUBLE
            yield ProposedPoint(
                node=node.id,
                connector=connector,
                address=leaf.address,
                thing=thing,
                above=(*above, device.name),
                below=(owner, field.name),
                name=plant.bound(node),
                storage=storage,
                kind=Kind.CONTINUOUS if storage is StorageClass.DOUBLE else Kind.STEP,
                unit=unit,
                low=leaf.low,
                high=leaf.high,
                texts=plant.texts(node),
                enumeration=plant.enumeration(node) if storage is not StorageClass.DOUBLE else {},
                meanings=node.meanings,
            )


def _identity(document: str, field: Field) -> str:
    """The id in the model of what was read under another name."""
    return f"{document}/{field.node.id.removeprefix(_READ_AS)}"


def _element(node: Node) -> str:
    return str(node.extra.get("iml", {}).get("element", ""))


def _url(endpoint: str) -> str:
    """Where the description says that the instrument is, as this connector's URL; empty where it says nothing."""
    scheme, mark, rest = endpoint.partition("://")
    kinds = {"tcp": "instrument", "serial": "instrument-serial"}
    return f"{kinds[scheme]}://{rest}" if mark and scheme in kinds else ""
