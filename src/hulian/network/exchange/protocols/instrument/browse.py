"""What an instrument shows: the fields of its answers, its data, and its commands, as the description names them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from hulian.kernel.point import Kind
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Browsed
from hulian.network.exchange.protocols.instrument.config import InstrumentConfiguration
from hulian.network.exchange.protocols.instrument.description import Field, Instrument
from hulian.network.exchange.protocols.instrument.errors import AddressError
from hulian.network.exchange.protocols.instrument.line import open_line
from hulian.network.exchange.protocols.instrument.pieces import ValuesPiece
from hulian.network.exchange.protocols.instrument.points import address_of
from hulian.network.exchange.protocols.instrument.target import Target

__all__ = ["browse_instrument", "fields_of", "leaves_of"]


async def browse_instrument(
    place: Target, instrument: Instrument, configuration: InstrumentConfiguration, *, under: str | None, depth: int
) -> AsyncIterator[Browsed]:
    """Messages and bundles, and below them what they bring or take. Raises `ReachError` where the instrument is not there:
    the description is known without it, but then nobody can say that it is the right one."""
    line = await open_line(place, timeout=configuration.connect_timeout, most=configuration.largest_answer)
    line.close()
    known = [*instrument.messages, *instrument.bundles]
    if under is not None and under not in known:
        raise AddressError(f"the description has no {under!r}", place=under)
    for name in known:
        leaves = list(leaves_of(instrument, name))
        if not leaves or under not in (None, name):
            continue
        if under is None:
            message = instrument.messages.get(name)
            yield Browsed(address=name, name=message.label if message else name, path=(name,), leaf=False)
        if under is not None or depth != 1:
            for leaf in leaves:
                yield leaf


def leaves_of(instrument: Instrument, owner: str) -> Iterator[Browsed]:
    """What a message or bundle of this name can be read or set by."""
    for leaf, _ in fields_of(instrument, owner):
        yield leaf


def fields_of(instrument: Instrument, owner: str) -> Iterator[tuple[Browsed, Field]]:
    """The same, each with its field of the description."""
    bundle = instrument.bundles.get(owner)
    if bundle is not None:
        for field in bundle.fields.values():
            if field.name != bundle.basis:
                timed = bool(bundle.basis or bundle.interval)
                storage = StorageClass.DOUBLE if timed else StorageClass.STRUCTURE
                yield _leaf(owner, field, storage, writable=False), field
        return
    message = instrument.messages[owner]
    settable = {field.meant for one in instrument.messages.values() if one is not message for field in one.fields.values()}
    for answer in message.answers:
        response = instrument.responses.get(answer)
        if response is None or response.error or any(field.node.value is None for field in message.fields.values()):
            continue
        lists = {name for piece in response.record.pieces if isinstance(piece, ValuesPiece) for name in piece.names}
        for field in response.fields.values():
            storage = StorageClass.STRUCTURE if field.name in lists else field.storage
            yield _leaf(owner, field, storage, writable=field.meant in settable), field
    for field in message.fields.values():
        yield _leaf(owner, field, field.storage, writable=True), field


def _leaf(owner: str, field: Field, storage: StorageClass, *, writable: bool) -> Browsed:
    node = field.node
    constraints = node.constraints
    return Browsed(
        address=address_of(owner, field.name),
        name=field.name,
        path=(owner, field.name),
        leaf=True,
        storage=storage,
        kind=Kind.CONTINUOUS if storage in (StorageClass.DOUBLE, StorageClass.INTEGER) else Kind.STEP,
        unit=node.unit,
        low=_number(constraints.low) if constraints else None,
        high=_number(constraints.high) if constraints else None,
        writable=writable and node.writable is not False,
        description=node.descriptions.get("", "") or node.labels.get("", ""),
    )


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
