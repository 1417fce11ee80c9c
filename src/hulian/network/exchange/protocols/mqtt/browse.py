"""What MQTT devices publish: topics as branches, fields as leaves; below ``spBv1.0`` edge nodes, devices and metrics."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any, Final

import anyio
import msgspec

from hulian.kernel.point import Kind
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Address, Browsed, Environment
from hulian.network.exchange.protocols.mqtt.address import json_address, metric_address
from hulian.network.exchange.protocols.mqtt.client import BrokerSource, Place
from hulian.network.exchange.protocols.mqtt.config import MqttConfiguration
from hulian.network.exchange.protocols.mqtt.errors import SourceError
from hulian.network.exchange.protocols.mqtt.rows import Rows
from hulian.network.exchange.protocols.mqtt.seen import Seen, memories, shown
from hulian.network.exchange.protocols.mqtt.source import SOURCE
from hulian.network.exchange.protocols.mqtt.sparkplug.messages import NAMESPACE, REBIRTH, parse_topic, topic
from hulian.network.exchange.protocols.mqtt.sparkplug.metrics import NAMES, natural_storage
from hulian.network.exchange.protocols.mqtt.sparkplug.nodes import Born
from hulian.network.exchange.protocols.mqtt.sparkplug.session import Session
from hulian.network.exchange.protocols.reports import Reports

__all__ = ["browse_topics"]

_UNITS: Final = ("engUnit", "Engineering Units", "engineeringUnits", "EngUnit", "units", "unit", "uom")
_LOWS: Final = ("engLow", "EngLow", "low", "min")
_HIGHS: Final = ("engHigh", "EngHigh", "high", "max")
_HIDDEN: Final = frozenset(("bdSeq",))


async def browse_topics(
    place: Place | None, configuration: MqttConfiguration, environment: Environment, *, under: Address | None, depth: int
) -> AsyncIterator[Browsed]:
    """Raises `SourceError` where no connector of this kind runs, or nothing was published since it started; of a foreign
    broker also why it cannot be looked at."""
    source = environment.extras.get(SOURCE) if place is None else _visitor(place, configuration, environment)
    where = str(place) if place else ""
    listened = None
    if hasattr(source, "listen") and configuration.browse_seconds:
        listened = await _listen(source, configuration, environment, where)
    running = memories(environment.organisation, where)
    found: dict[str, Browsed] = {}
    for memory in [*running, *([listened] if listened else [])]:
        for node in _everything(memory, frozenset(configuration.writable)):
            found.setdefault(node.address, node)
    if not found:
        hint = "let a device publish now and browse again; 'hulian device add' makes its credential"
        if place:
            hint = "let something publish there, or listen longer: 'browse_seconds'; the user must be allowed to read 'topics'"
        raise SourceError("no device has published since anyone listens", place=where or "mqtt://", hint=hint)
    base = _under(under, found)
    for node in sorted(found.values(), key=lambda one: (one.path, one.leaf)):
        inside = len(node.path) > len(base) and node.path[: len(base)] == base
        if inside and (not depth or len(node.path) - len(base) <= depth):
            yield node


def _visitor(place: Place, configuration: MqttConfiguration, environment: Environment) -> BrokerSource:
    """A session of its own that the broker forgets at the end: looking takes nothing from a running connector."""
    settings = msgspec.structs.replace(
        configuration.broker, client_id="", clean_start=True, session=0, will=None, qos=0, retained=True
    )
    name = f"hulian-browse-{secrets.token_hex(6)}"
    return BrokerSource(place, settings, environment, configuration.topics, client_id=name, keep=False)


async def _listen(source: Any, configuration: MqttConfiguration, environment: Environment, place: str) -> Seen:
    """What comes within a few seconds. Edge nodes whose birth nobody here knows are asked for one, so that they show names."""
    reports = Reports("mqtt", environment.connector, lambda event: None)
    memory = Seen(environment.organisation, configuration.mappings, shared=False, most=configuration.browse_topics, place=place)
    memory.session = session = Session({}, configuration.sparkplug, reports)
    rows = Rows()
    known = {
        topic("NCMD", name)
        for one in memories(environment.organisation, place)
        if one.session is not None
        for name, node in one.session.nodes.items()
        if node.alive
    }
    with anyio.move_on_after(configuration.browse_seconds):
        async with aclosing(source.listen()) as batches:
            async for batch in batches:
                for text, payload in zip(batch.topics, batch.payloads, strict=True):
                    where = parse_topic(text)
                    if where is None:
                        memory.look(text, payload, batch.received)
                    else:
                        session.take(where, payload, batch.received, rows)
                outbox, session.outbox = session.outbox, []
                for text, payload in outbox:
                    if text not in known:
                        await source.publish(text, payload)
                if len(memory.topics) >= memory.most:
                    break
    return memory


def _under(under: Address | None, found: dict[str, Browsed]) -> tuple[str, ...]:
    if not under:
        return ()
    if under in found:
        return found[under].path
    return tuple(under.split("/"))


def _everything(memory: Seen, writable: frozenset[str]) -> Iterator[Browsed]:
    branches: set[tuple[str, ...]] = set()
    for text, fields in list(memory.topics.items()):
        levels = tuple(text.split("/"))
        yield from _branches(levels, branches)
        for path, field in fields.items():
            address = json_address(text, path)
            yield Browsed(
                address=address,
                name=memory.called(levels, path) or (path[-1] if path else levels[-1] or text),
                path=(*levels, *(path or ("value",))),
                leaf=True,
                storage=field.storage,
                kind=_kind(field.storage),
                unit=memory.units.get(text, ""),
                writable=address in writable,
                value=field.value,
            )
    if memory.session is not None:
        yield from _metrics(memory.session, writable)


def _branches(levels: tuple[str, ...], known: set[tuple[str, ...]]) -> Iterator[Browsed]:
    for end in range(1, len(levels) + 1):
        path = levels[:end]
        if path not in known:
            known.add(path)
            yield Browsed(address="/".join(path), name=path[-1] or "/", path=path, leaf=False)


def _metrics(session: Session, writable: frozenset[str]) -> Iterator[Browsed]:
    branches: set[tuple[str, ...]] = set()
    for name, node in list(session.nodes.items()):
        for device_name, device in list(node.devices.items()):
            levels = (NAMESPACE, *name.split("/", 1), *([device_name] if device_name else ()))
            yield from _branches(levels, branches)
            for born in list(device.metrics.values()):
                if born.name not in _HIDDEN and born.name != REBIRTH:
                    yield _leaf(name, device_name, levels, born, writable, alive=device.alive)


def _leaf(node: str, device: str, levels: tuple[str, ...], born: Born, writable: frozenset[str], *, alive: bool) -> Browsed:
    address = metric_address(node, device, born.name)
    storage = natural_storage(born.datatype)
    properties = born.properties
    kind = NAMES[born.datatype] if born.datatype < len(NAMES) else str(born.datatype)
    kind = f"{kind} {born.template}" if born.template else kind
    description = next(
        (str(properties[key]) for key in ("documentation", "description", "Documentation") if properties.get(key)), ""
    )
    return Browsed(
        address=address,
        name=born.name.rpartition("/")[2],
        path=(*levels, *born.name.split("/")),
        leaf=True,
        storage=storage,
        kind=_kind(storage),
        unit=next((str(properties[key]) for key in _UNITS if properties.get(key)), ""),
        low=_limit(properties, _LOWS),
        high=_limit(properties, _HIGHS),
        writable=address in writable,
        description=description or (kind if alive else f"{kind}, not alive"),
        value=shown(born.value),
    )


def _limit(properties: dict[str, object], keys: tuple[str, ...]) -> float | None:
    for key in keys:
        value = properties.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    return None


def _kind(storage: StorageClass) -> Kind:
    return Kind.CONTINUOUS if storage is StorageClass.DOUBLE else Kind.STEP
