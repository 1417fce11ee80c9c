"""Sparkplug B messages: topics, and payloads written. No I/O, no clock. Sparkplug 3.0.0, sections 4 and 6."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from hulian.network.exchange.protocols.mqtt.metrics import NUMBERS, encode_value
from hulian.network.exchange.protocols.mqtt.protobuf import Payload

__all__ = [
    "NAMESPACE",
    "REBIRTH",
    "Metric",
    "Topic",
    "encode_birth",
    "encode_command",
    "encode_data",
    "encode_death",
    "encode_rebirth_request",
    "encode_state",
    "parse_topic",
    "topic",
]

NAMESPACE: Final = "spBv1.0"
REBIRTH: Final = "Node Control/Rebirth"
_NODE_TYPES: Final = frozenset(("NBIRTH", "NDATA", "NDEATH", "NCMD"))
_DEVICE_TYPES: Final = frozenset(("DBIRTH", "DDATA", "DDEATH", "DCMD"))


class Topic(NamedTuple):
    """A topic of the namespace. ``node`` is ``group/node``; ``device`` is empty for the node itself."""

    kind: str
    node: str
    device: str = ""


def parse_topic(text: str) -> Topic | None:
    """None where ``text`` is no Sparkplug topic. ``STATE`` carries the host application's name as node.

    >>> parse_topic("spBv1.0/TE/DDATA/Analysers/Feed")
    Topic(kind='DDATA', node='TE/Analysers', device='Feed')
    """
    parts = text.split("/")
    if parts[0] != NAMESPACE:
        return None
    if len(parts) == 3 and parts[1] == "STATE":
        return Topic("STATE", parts[2])
    if len(parts) == 4 and parts[2] in _NODE_TYPES and parts[1] and parts[3]:
        return Topic(parts[2], f"{parts[1]}/{parts[3]}")
    if len(parts) == 5 and parts[2] in _DEVICE_TYPES and all(parts):
        return Topic(parts[2], f"{parts[1]}/{parts[3]}", parts[4])
    return None


def topic(kind: str, node: str, device: str = "") -> str:
    """The topic of a message; ``node`` is ``group/node``."""
    group, _, name = node.partition("/")
    return f"{NAMESPACE}/{group}/{kind}/{name}" + (f"/{device}" if device else "")


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """One metric to write. ``datatype`` is a name of `NUMBERS`; ``timestamp`` ms, None for that of the payload."""

    name: str = ""
    alias: int | None = None
    datatype: str = "Double"
    value: Any = None
    timestamp: int | None = None
    historical: bool = False
    properties: Mapping[str, Any] = {}


def _add(payload: Any, metric: Metric, *, typed: bool) -> None:
    message = payload.metrics.add()
    if metric.name:
        message.name = metric.name
    if metric.alias is not None:
        message.alias = metric.alias
    if metric.timestamp is not None:
        message.timestamp = metric.timestamp
    number = NUMBERS[metric.datatype]
    if typed:
        message.datatype = number
    if metric.historical:
        message.is_historical = True
    if metric.value is None:
        message.is_null = True
    else:
        encode_value(message, number, metric.value)
    for key, value in metric.properties.items():
        message.properties.keys.append(key)
        property_value = message.properties.values.add()
        kind = _property_type(value)
        property_value.type = kind
        encode_value(property_value, kind, value)


def _property_type(value: Any) -> int:
    for kind, name in ((bool, "Boolean"), (int, "Int32"), (float, "Double"), (str, "String")):
        if isinstance(value, kind):
            return NUMBERS[name]
    raise TypeError(f"{value!r} is no property")


def encode_birth(
    metrics: Iterable[Metric], *, sequence: int, timestamp: int, birth_death: int | None = None, aliases: bool = True
) -> bytes:
    """NBIRTH (``birth_death`` is its bdSeq; the rebirth control is added) or DBIRTH (``birth_death`` None)."""
    payload = Payload(timestamp=timestamp, seq=sequence)
    if birth_death is not None:
        _add(payload, Metric(name="bdSeq", datatype="Int64", value=birth_death, timestamp=timestamp), typed=True)
        _add(payload, Metric(name=REBIRTH, datatype="Boolean", value=False, timestamp=timestamp), typed=True)
    for metric in metrics:
        one = metric if aliases else msgspec.structs.replace(metric, alias=None)
        _add(payload, one if one.timestamp is not None else msgspec.structs.replace(one, timestamp=timestamp), typed=True)
    return bytes(payload.SerializeToString())


def encode_data(metrics: Iterable[Metric], *, sequence: int, timestamp: int) -> bytes:
    """NDATA or DDATA; a metric with an alias is written without its name."""
    payload = Payload(timestamp=timestamp, seq=sequence)
    for metric in metrics:
        one = metric if metric.alias is None else msgspec.structs.replace(metric, name="")
        _add(payload, one if one.timestamp is not None else msgspec.structs.replace(one, timestamp=timestamp), typed=True)
    return bytes(payload.SerializeToString())


def encode_death(*, birth_death: int | None = None, sequence: int | None = None, timestamp: int | None = None) -> bytes:
    """NDEATH (``birth_death``) or DDEATH (``sequence``)."""
    payload = Payload()
    if timestamp is not None:
        payload.timestamp = timestamp
    if sequence is not None:
        payload.seq = sequence
    if birth_death is not None:
        _add(payload, Metric(name="bdSeq", datatype="Int64", value=birth_death), typed=True)
    return bytes(payload.SerializeToString())


def encode_command(metrics: Iterable[Metric], *, timestamp: int) -> bytes:
    """NCMD or DCMD."""
    payload = Payload(timestamp=timestamp)
    for metric in metrics:
        one = metric if metric.alias is None else msgspec.structs.replace(metric, name="")
        _add(payload, one if one.timestamp is not None else msgspec.structs.replace(one, timestamp=timestamp), typed=True)
    return bytes(payload.SerializeToString())


def encode_rebirth_request(timestamp: int) -> bytes:
    """The NCMD that asks an edge node for its births."""
    return encode_command([Metric(name=REBIRTH, datatype="Boolean", value=True)], timestamp=timestamp)


def encode_state(*, online: bool, timestamp: int) -> bytes:
    """STATE of a host application (Sparkplug 3.0.0, section 6.4.25)."""
    return msgspec.json.encode({"online": online, "timestamp": timestamp})
