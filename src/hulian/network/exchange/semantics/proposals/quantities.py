"""What a description says of a value, in the terms of the catalogue: units, data types, numbers."""

from __future__ import annotations

import functools
import math
import re
from typing import Final

from hulian.kernel.point import Kind
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.semantics.errors import UnitError
from hulian.network.exchange.semantics.units import find

__all__ = ["catalogue_unit", "kind_of", "number", "storage_of"]

_POWER: Final = re.compile(r"(.*[^\d+-])?(-\d+)", re.DOTALL)
_STORAGE: Final = {
    "double": StorageClass.DOUBLE, "float": StorageClass.DOUBLE, "decimal": StorageClass.DOUBLE,
    "boolean": StorageClass.BOOLEAN,
    "byte": StorageClass.INTEGER, "short": StorageClass.INTEGER, "int": StorageClass.INTEGER, "long": StorageClass.INTEGER,
    "integer": StorageClass.INTEGER, "unsignedbyte": StorageClass.INTEGER, "unsignedshort": StorageClass.INTEGER,
    "unsignedint": StorageClass.INTEGER, "nonnegativeinteger": StorageClass.INTEGER, "positiveinteger": StorageClass.INTEGER,
    "unsignedlong": StorageClass.STRUCTURE,
    "string": StorageClass.TEXT, "normalizedstring": StorageClass.TEXT, "token": StorageClass.TEXT, "anyuri": StorageClass.TEXT,
    "datetime": StorageClass.TEXT, "date": StorageClass.TEXT, "time": StorageClass.TEXT, "duration": StorageClass.TEXT,
    "base64binary": StorageClass.BYTES, "hexbinary": StorageClass.BYTES,
}  # fmt: skip
_REGISTERS: Final = re.compile(r":(float|int|uint|string|bytes)\d*")


@functools.lru_cache(maxsize=10_000)
def catalogue_unit(text: str) -> tuple[str, bool]:
    """The catalogue's unit for what a description says (UNECE, UCUM, IRDI, symbol), and whether it is a known one.

    A unit that UCUM has no code for, or that says from where it counts, keeps its symbol; an unknown one stays as written.

    >>> catalogue_unit("MQH"), catalogue_unit("0112/2///62720#UAA323"), catalogue_unit("bar(g)"), catalogue_unit("furlongs")
    (('m3/h', True), ('bar', True), ('bar(g)', True), ('furlongs', False))
    """
    text = text.strip()
    if not text:
        return "", True
    try:
        unit = find(text)
    except UnitError:
        return text, False
    if unit.reference or unit.difference or not unit.ucum:
        return (text if text in (unit.symbol, *unit.spellings) else unit.title), True
    return (text if text in unit.ucum else _readable(unit.ucum[0])), True


def _readable(code: str) -> str:
    """``m3.h-1`` as ``m3/h``, which UCUM means the same by."""
    out = ""
    for place, part in enumerate(code.split(".")):
        power = _POWER.fullmatch(part)
        if power is None or place == 0 or not power[1]:
            out += f".{part}" if place else part
        else:
            out += f"/{power[1]}{power[2][1:] if power[2] != '-1' else ''}"
    return out


def storage_of(datatype: str, address: str = "") -> StorageClass | None:
    """What keeps values of an XSD type; where none is said, what an address of registers shows; None where nothing tells."""
    if datatype.endswith("[]"):
        return StorageClass.STRUCTURE
    found = _STORAGE.get(datatype.removeprefix("xs:").lower())
    if found is not None:
        return found
    if re.search(r"(^|/)(coil|discrete)@", address):
        return StorageClass.BOOLEAN
    registers = _REGISTERS.search(address)
    if registers is None:
        return None
    kinds = {"float": StorageClass.DOUBLE, "string": StorageClass.TEXT, "bytes": StorageClass.BYTES}
    return kinds.get(registers[1], StorageClass.INTEGER)


def kind_of(storage: StorageClass, *, writable: bool) -> Kind:
    """What is set, counted or switched goes in steps; only measured numbers are continuous."""
    return Kind.CONTINUOUS if storage is StorageClass.DOUBLE and not writable else Kind.STEP


def number(text: str | None) -> float | None:
    """A finite number, or None."""
    try:
        found = float(text) if text else None
    except ValueError:
        return None
    return found if found is not None and math.isfinite(found) else None
