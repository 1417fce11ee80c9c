"""Sparkplug B payloads as the analysers write them. Bytes only: no socket, no clock.

The plant stands for foreign devices, so it shares no code with the platform that reads it: this is the small part of
Sparkplug 3.0.0, section 6.4, that an analyser needs, written to the field numbers of its protocol buffers.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

__all__ = ["REBIRTH", "DataType", "Metric", "Value", "asks_rebirth", "encode"]

REBIRTH: Final = "Node Control/Rebirth"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LONGEST_COMMAND: Final = 64 * 1024


class DataType(IntEnum):
    """The data types that are used here (section 6.4.16)."""

    INT64 = 4
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12


Value = bool | int | float | str


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric; births carry name, alias and properties, data only the alias."""

    type: DataType
    value: Value
    name: str = ""
    alias: int | None = None
    timestamp: int | None = None
    historical: bool = False
    properties: Mapping[str, Value] = field(default_factory=dict)


def encode(metrics: Iterable[Metric], *, timestamp: int, sequence: int | None = None) -> bytes:
    """A payload; ``timestamp`` in milliseconds, ``sequence`` none for a death of the node."""
    parts = [_number(1, timestamp)]
    parts += [_block(2, _metric(metric)) for metric in metrics]
    if sequence is not None:
        parts.append(_number(3, sequence))
    return b"".join(parts)


def asks_rebirth(payload: bytes) -> bool:
    """Whether an NCMD asks for the births; anything that is no such payload does not."""
    if len(payload) > _LONGEST_COMMAND:
        return False
    try:
        for number, value in _fields(payload):
            if number == 2 and isinstance(value, bytes):
                metric = dict(_fields(value))
                if metric.get(1) == REBIRTH.encode() and metric.get(14) == 1:
                    return True
    except (IndexError, ValueError):
        return False
    return False


def _metric(metric: Metric) -> bytes:
    parts = []
    if metric.name:
        parts.append(_block(1, metric.name.encode()))
    if metric.alias is not None:
        parts.append(_number(2, metric.alias))
    if metric.timestamp is not None:
        parts.append(_number(3, metric.timestamp))
    parts.append(_number(4, metric.type))
    if metric.historical:
        parts.append(_number(5, 1))
    if metric.properties:
        parts.append(_block(9, _properties(metric.properties)))
    parts.append(
        _value(metric.type, metric.value, {DataType.INT64: 11, DataType.DOUBLE: 13, DataType.BOOLEAN: 14, DataType.STRING: 15})
    )
    return b"".join(parts)


def _properties(properties: Mapping[str, Value]) -> bytes:
    keys = [_block(1, key.encode()) for key in properties]
    fields = {DataType.INT64: 4, DataType.DOUBLE: 6, DataType.BOOLEAN: 7, DataType.STRING: 8}
    values = []
    for value in properties.values():
        kind = _type_of(value)
        values.append(_block(2, _number(1, kind) + _value(kind, value, fields)))
    return b"".join(keys + values)


def _type_of(value: Value) -> DataType:
    match value:
        case bool():
            return DataType.BOOLEAN
        case int():
            return DataType.INT64
        case float():
            return DataType.DOUBLE
        case _:
            return DataType.STRING


def _value(kind: DataType, value: Value, fields: Mapping[DataType, int]) -> bytes:
    number = fields[kind]
    match kind:
        case DataType.DOUBLE:
            return _varint(number << 3 | _FIXED64) + struct.pack("<d", value)
        case DataType.STRING:
            return _block(number, str(value).encode())
        case _:
            return _number(number, int(value))


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3 | _VARINT) + _varint(value)


def _block(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    value &= 0xFFFF_FFFF_FFFF_FFFF
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _fields(data: bytes) -> Iterable[tuple[int, int | bytes]]:
    """The fields of a message; raises `IndexError` or `ValueError` where it is none."""
    position = 0
    while position < len(data):
        key, position = _read_varint(data, position)
        match key & 7:
            case 0:
                value, position = _read_varint(data, position)
                yield key >> 3, value
            case 2:
                length, position = _read_varint(data, position)
                if length > len(data) - position:
                    raise ValueError("a block ends beyond the message")
                yield key >> 3, data[position : position + length]
                position += length
            case 1 | 5 as width:
                position += 8 if width == _FIXED64 else 4
                if position > len(data):
                    raise ValueError("a number ends beyond the message")
            case other:
                raise ValueError(f"wire type {other}")


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise ValueError("a number of more than 64 bits")
