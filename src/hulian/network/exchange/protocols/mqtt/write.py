"""Set-points to MQTT devices: published, then confirmed by what the device itself reports."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import msgspec

from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.mqtt.address import JsonPlace, MetricPlace
from hulian.network.exchange.protocols.mqtt.errors import ConfirmError, DeathError, WriteError
from hulian.network.exchange.protocols.mqtt.rows import Target
from hulian.network.exchange.protocols.mqtt.source import MessageSource
from hulian.network.exchange.protocols.mqtt.sparkplug.messages import Metric, encode_command, topic
from hulian.network.exchange.protocols.mqtt.sparkplug.metrics import NAMES
from hulian.network.exchange.protocols.mqtt.sparkplug.session import Session

__all__ = ["write_json", "write_metric"]


def _raw(target: Target, value: Any) -> Any:
    """What the device is told for ``value``: scale and offset taken off."""
    options = target.options
    if not options.scaled:
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise WriteError(f"{value!r} is not a number", place=target.binding.address)
    return (value - options.offset) / options.scale


async def _confirmed(target: Target, value: Any, timeout: float, send: Callable[[], Awaitable[None]]) -> None:
    """Sends, and waits until the point reports ``value``."""
    if not timeout:
        await send()
        return
    heard = anyio.Event()

    structured = target.storage is StorageClass.STRUCTURE

    def hear(reported: Any) -> None:
        close = isinstance(reported, float) and abs(reported - value) <= 1e-6 * max(1.0, abs(reported))
        if close or reported == value or (structured and _holds(msgspec.json.decode(reported), msgspec.json.decode(value))):
            heard.set()

    target.waiters.append(hear)
    try:
        await send()
        with anyio.move_on_after(timeout):
            await heard.wait()
    finally:
        target.waiters.remove(hear)
    if not heard.is_set():
        raise ConfirmError(f"the device did not report {value!r} within {timeout:g} s", place=target.binding.address)


def _holds(reported: Any, value: Any) -> bool:
    """Whether a reported structure is ``value``, or a template's instance with everything that ``value`` says of it."""
    if isinstance(reported, dict) and isinstance(value, dict):
        return all(key in reported and _holds(reported[key], one) for key, one in value.items())
    return bool(reported == value)


async def write_json(source: MessageSource, place: JsonPlace, target: Target, value: Any, timeout: float) -> None:
    """To the option ``write_topic``: the bare value, or a document with the value at ``write_path``."""
    options = target.options
    if not options.write_topic:
        raise WriteError(
            "the point has no topic to write to", place=target.binding.address, hint="set its option 'write_topic'"
        )
    document = _raw(target, value)
    if options.write_path:
        for key in reversed(options.write_path.split(".")):
            document = {key: document}
        payload = msgspec.json.encode(document)
    else:
        payload = document.encode() if isinstance(document, str) else msgspec.json.encode(document)

    async def send() -> None:
        await source.publish(options.write_topic, payload)

    await _confirmed(target, _comparable(target, value), timeout, send)


async def write_metric(
    source: MessageSource,
    session: Session,
    place: MetricPlace,
    target: Target,
    value: Any,
    timeout: float,
    *,
    typed: bool = True,
) -> None:
    """NCMD or DCMD with the alias of the birth, or the name where it gave none; ``typed``: with the data type.

    Data sets, arrays and instances of templates are given as a structure in the form in which they are read, or as its JSON.
    """
    node = session.nodes.get(place.node)
    device = node.devices.get(place.device) if node else None
    if node is None or device is None or not device.alive:
        raise DeathError("the edge node or device is not alive", place=target.binding.address)
    born = device.metrics.get(place.metric)
    if born is None:
        raise WriteError("no birth named this metric", place=target.binding.address)
    if target.storage is StorageClass.STRUCTURE and isinstance(value, str):
        try:
            value = msgspec.json.decode(value)
        except msgspec.DecodeError as error:
            raise WriteError(f"the structure is no JSON: {error}", place=target.binding.address) from error
    metric = Metric(
        name=place.metric,
        alias=born.alias,
        datatype=NAMES[born.datatype] if born.datatype < len(NAMES) else "Unknown",
        value=_raw(target, value),
        template=born.template,
    )
    try:
        now = time.time_ns() // 1_000_000
        payload = encode_command([metric], timestamp=now, typed=typed, definitions=node.definitions)
    except (ValueError, TypeError, OverflowError, AttributeError, KeyError) as error:
        raise WriteError(f"{value!r:.200} does not fit the metric: {error}", place=target.binding.address) from error
    kind = "DCMD" if place.device else "NCMD"

    async def send() -> None:
        await source.publish(topic(kind, place.node, place.device), payload)

    session.attentive += 1
    try:
        await _confirmed(target, _comparable(target, value), timeout, send)
    finally:
        session.attentive -= 1


def _comparable(target: Target, value: Any) -> Any:
    """``value`` as the point would report it."""
    try:
        return value if target.options.scaled else target.convert(value)
    except (ValueError, TypeError, OverflowError) as error:
        raise WriteError(f"{value!r} does not fit a {target.storage}", place=target.binding.address) from error
