"""The file of root data that every client starts from: a length, a count, and the values of the root handle."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from hulian.network.identifiers.wire import fields
from hulian.network.identifiers.wire.errors import LengthError, LimitError
from hulian.network.identifiers.wire.limits import MAX_ELEMENTS
from hulian.network.identifiers.wire.reader import Reader
from hulian.network.identifiers.wire.values import Value, pack_values, read_values

__all__ = ["MAX_ROOT_INFO", "pack_root_info", "unpack_root_info"]

MAX_ROOT_INFO: Final = MAX_ELEMENTS


def pack_root_info(values: Iterable[Value]) -> bytes:
    """The file that holds ``values``."""
    return fields.binary(pack_values(values), MAX_ROOT_INFO, "root data")


def unpack_root_info(data: bytes) -> tuple[Value, ...]:
    """The values of the file. Raises `LimitError`, `LengthError` and the errors of `Reader`; offsets count from its start."""
    if len(data) > MAX_ROOT_INFO + 4:
        raise LimitError(f"{len(data)} bytes, where {MAX_ROOT_INFO} are accepted", place="root data", offset=0)
    reader = Reader(data, "root data")
    size = reader.i32()
    if size != reader.left:
        raise LengthError(f"it promises {size} bytes, {reader.left} are there", place="root data", offset=0)
    found = read_values(reader)
    reader.done()
    return found
