"""Sparkplug B messages: topics, and payloads written. No I/O, no clock. Sparkplug 3.0.0, sections 4 and 6."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import msgspec

from hulian.network.exchange.protocols.mqtt.sparkplug.definitions import Definitions
from hulian.network.exchange.protocols.mqtt.sparkplug.metrics import (
    NUMBERS,
    encode_definition,
    encode_properties,
    encode_template,
    encode_value,
)
from hulian.network.exchange.protocols.mqtt.sparkplug.protobuf import Payload

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
    "level",
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


def level(name: str) -> str:
    """``name`` as the level of a topic; raises `ValueError` where it cannot be one (section 4.1)."""
    if not name or set(name) & set("+/#\0"):
        raise ValueError(f"{name!r} cannot be a level of a topic")
    return name


def topic(kind: str, node: str, device: str = "") -> str:
    """The topic of a message; ``node`` is ``group/node``."""
    group, _, name = node.partition("/")
    return f"{NAMESPACE}/{group}/{kind}/{name}" + (f"/{device}" if device else "")


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """One metric to write. ``datatype`` is a name of `NUMBERS`; ``timestamp`` ms, None for that of the payload; ``template``
    names the definition of a Template's value."""

    name: str = ""
    alias: int | None = None
    datatype: str = "Double"
    value: Any = None
    timestamp: int | None = None
    historical: bool = False
    transient: bool = False
    properties: Mapping[str, Any] = {}
    template: str = ""


def _add(payload: Any, metric: Metric, *, typed: bool, definitions: Definitions = MappingProxyType({})) -> None:
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
    if metric.transient:
        message.is_transient = True
    if metric.value is None:
        message.is_null = True
    elif metric.datatype == "Template":
        encode_template(message.template_value, metric.value, metric.template, definitions)
    else:
        encode_value(message, number, metric.value)
    if metric.properties:
        encode_properties(message.properties, metric.properties)


def encode_birth(
    metrics: Iterable[Metric],
    *,
    sequence: int,
    timestamp: int,
    birth_death: int | None = None,
    aliases: bool = True,
    definitions: Definitions = MappingProxyType({}),
) -> bytes:
    """NBIRTH (``birth_death`` is its bdSeq; the rebirth control and the ``definitions`` of all templates are added) or DBIRTH
    (``birth_death`` None)."""
    payload = Payload(timestamp=timestamp, seq=sequence)
    if birth_death is not None:
        for name, definition in definitions.items():
            message = payload.metrics.add(name=name, timestamp=timestamp, datatype=NUMBERS["Template"])
            encode_definition(message.template_value, definition)
        _add(payload, Metric(name="bdSeq", datatype="Int64", value=birth_death, timestamp=timestamp), typed=True)
        _add(payload, Metric(name=REBIRTH, datatype="Boolean", value=False, timestamp=timestamp), typed=True)
    for metric in metrics:
        one = metric if aliases else msgspec.structs.replace(metric, alias=None)
        timed = one if one.timestamp is not None else msgspec.structs.replace(one, timestamp=timestamp)
        _add(payload, timed, typed=True, definitions=definitions)
    return bytes(payload.SerializeToString())


def encode_data(
    metrics: Iterable[Metric], *, sequence: int, timestamp: int, definitions: Definitions = MappingProxyType({})
) -> bytes:
    """NDATA or DDATA; a metric with an alias is written without its name, and none with its data type."""
    payload = Payload(timestamp=timestamp, seq=sequence)
    for metric in metrics:
        one = metric if metric.alias is None else msgspec.structs.replace(metric, name="")
        timed = one if one.timestamp is not None else msgspec.structs.replace(one, timestamp=timestamp)
        _add(payload, timed, typed=False, definitions=definitions)
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


def encode_command(
    metrics: Iterable[Metric], *, timestamp: int, typed: bool = True, definitions: Definitions = MappingProxyType({})
) -> bytes:
    """NCMD or DCMD; ``typed``: with the data types, which the standard leaves out and older edge nodes need."""
    payload = Payload(timestamp=timestamp)
    for metric in metrics:
        one = metric if metric.alias is None else msgspec.structs.replace(metric, name="")
        timed = one if one.timestamp is not None else msgspec.structs.replace(one, timestamp=timestamp)
        _add(payload, timed, typed=typed, definitions=definitions)
    return bytes(payload.SerializeToString())


def encode_rebirth_request(timestamp: int, *, typed: bool = True) -> bytes:
    """The NCMD that asks an edge node for its births."""
    return encode_command([Metric(name=REBIRTH, datatype="Boolean", value=True)], timestamp=timestamp, typed=typed)


def encode_state(*, online: bool, timestamp: int) -> bytes:
    """STATE of a host application (Sparkplug 3.0.0, section 6.4.25)."""
    return msgspec.json.encode({"online": online, "timestamp": timestamp})
