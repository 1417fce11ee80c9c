"""The compressed form of GS1 Digital Links (GS1 Digital Link: URI Compression; section 3.9 of release 1.1).

A row of bits, written as Base64 for URLs without padding. Each entry begins with eight bits. Read as two hexadecimal
digits they are the first two digits of an application identifier (the others follow, four bits each), or a code above 99
that stands for a group of identifiers (`GROUPS`), or, from F0 on, a pair of the query that is no identifier: seven bits of
length, then the name in six bits a character. Values follow in the order of their identifiers, component by component:

* digits of fixed number n: one number in ceil(n * log2(10) + 0.01) bits;
* digits of variable number: the number of digits in ceil(log2(maximum) + 0.01) bits, then the digits so;
* characters: three bits that tell the encoding, the number of characters if it is variable, then the characters: as one
  decimal number (0), as hexadecimal digits in lower (1) or upper case (2), as Base64 (3), or as seven-bit ASCII (4).

No digits at all take one bit: the formula says so, and GS1's toolkit and its ports do it. Two things are not published in
what could be read, and follow the table of values: an optional single character (the hyphen of temperatures) counts as
variable, and so does an optional second date.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from hulian.network.identifiers.schemes.bits import BitReader, BitWriter
from hulian.network.identifiers.schemes.errors import (
    CharacterError,
    ContentError,
    ConversionError,
    LengthError,
    SchemeError,
    StructureError,
    UnknownError,
)
from hulian.network.identifiers.schemes.gs1.content import check_value
from hulian.network.identifiers.schemes.gs1.table import APPLICATIONS, Application

__all__ = ["GROUPS", "MAXIMUM_LENGTH", "compress", "decompress"]

MAXIMUM_LENGTH: Final = 4096
"""Longest compressed text that is read, in characters."""

_BASE64: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_RULE: Final = "gs1.compression"
_LONGEST_PAIR: Final = 127

_GTIN_AND: Final = {
    "0A": "22", "0B": "10", "0C": "21", "0D": "17", "0E": "7003", "0F": "30",
    "1A": "10 21 17", "1B": "15", "1C": "11", "1D": "16", "1E": "91", "1F": "10 15",
}  # fmt: skip
_STEMS: Final = {
    **{code: f"01 {rest}" for code, rest in _GTIN_AND.items()},
    **{f"2{letter}": f"01 310{decimals}" for decimals, letter in enumerate("ABCDEF")},
    **{f"3{letter}": f"01 320{decimals}" for decimals, letter in enumerate("ABCDEF")},
    "9A": "8010 8011",
    "9B": "8017 8019",
    "9C": "8018 8019",
    "9D": "414 254",
    **{f"A{decimals}": f"01 392{decimals}" for decimals in range(10)},
    **{f"C{decimals}": f"255 390{decimals}" for decimals in range(10)},
    **{f"C{letter}": f"255 394{decimals}" for decimals, letter in enumerate("ABCD")},
}
GROUPS: Final[Mapping[int, tuple[str, ...]]] = MappingProxyType(
    {int(code, 16): tuple(group.split()) for code, group in _STEMS.items()}
)
"""The published abbreviations: eight bits stand for these identifiers, whose values follow in this order."""


class _Field(NamedTuple):
    digits: bool
    length: int
    variable: bool


def compress(values: Mapping[str, str], other: tuple[tuple[str, str], ...] = (), *, optimise: bool = False) -> str:
    """``values`` by application identifier, and pairs that are none, as compressed text.

    Groups come first where ``optimise`` is set, then identifiers in ascending order. Raises `ConversionError` for a pair
    whose name is not of the Base64 alphabet or whose value is not ASCII, or with more than 127 characters in either.
    """
    writer, rest = BitWriter(), dict(values)
    for code in _chosen_groups(rest) if optimise else ():
        writer.write(code, 8)
        for ai in GROUPS[code]:
            _write_value(writer, APPLICATIONS[ai], rest.pop(ai))
    for ai in sorted(rest):
        for digit in ai:
            writer.write(int(digit), 4)
        _write_value(writer, APPLICATIONS[ai], rest[ai])
    for name, value in other:
        _write_other(writer, name, value)
    number, length = writer.padded(6)
    return "".join(_BASE64[number >> shift & 63] for shift in range(length - 6, -1, -6))


def decompress(text: str) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """The inverse of `compress`: checked values by application identifier, and the other pairs. Positions are in bits/6."""
    if len(text) > MAXIMUM_LENGTH:
        raise LengthError(f"a compressed link longer than {MAXIMUM_LENGTH} characters", rule=_RULE, position=MAXIMUM_LENGTH)
    number = 0
    for place, character in enumerate(text):
        index = _BASE64.find(character)
        if index < 0:
            raise CharacterError(f"{character!r} is not of the Base64 alphabet for URLs", rule=_RULE, position=place)
        number = number << 6 | index
    reader = BitReader(number, 6 * len(text), _RULE)
    values: dict[str, str] = {}
    other: list[tuple[str, str]] = []
    try:
        while reader.left >= 8:
            _read_entry(reader, values, other)
        if reader.left and reader.read(reader.left):
            raise StructureError("the bits behind the last value are not zero", rule=_RULE)
    except SchemeError as error:
        # Where in the text the reading stopped; the position within a value would mean nothing there.
        place = max(reader.position - 1, 0) // 6
        raise type(error)(error.message, rule=error.rule, position=place, hint=error.hint) from None
    if not values:
        raise StructureError("a compressed link without any application identifier", rule=_RULE, position=0)
    return values, other


def _chosen_groups(values: Mapping[str, str]) -> list[int]:
    """The group that spares the most digits first, then again among what is left, as the reference toolkit chooses."""
    left, chosen = set(values), []
    while fitting := [code for code, group in GROUPS.items() if left.issuperset(group)]:
        best = max(fitting, key=lambda code: sum(map(len, GROUPS[code])))
        left.difference_update(GROUPS[best])
        chosen.append(best)
    return chosen


def _read_entry(reader: BitReader, values: dict[str, str], other: list[tuple[str, str]]) -> None:
    code = reader.read(8)
    if code >= 0xF0:
        other.append(_read_other(reader, code & 15))
        return
    if code in GROUPS:
        group = GROUPS[code]
    else:
        digits = f"{code:02X}"
        while (digits not in APPLICATIONS) and len(digits) < 4 and digits.isdigit():
            digits += f"{reader.read(4):X}"
        if digits not in APPLICATIONS:
            raise UnknownError(f"{digits} is neither an application identifier nor a group", rule=_RULE)
        group = (digits,)
    for ai in group:
        value = _read_value(reader, APPLICATIONS[ai])
        check_value(APPLICATIONS[ai], value)
        if values.setdefault(ai, value) != value:
            raise StructureError(f"({ai}) is given twice with different values", rule="gs1.repeated")


def _fields(application: Application) -> list[_Field]:
    """The components as the bits see them: neighbouring digits of fixed number are one number."""
    if application.ai.startswith("723"):
        return [_Field(digits=False, length=30, variable=True)]
    fields: list[_Field] = []
    for part in application.components:
        digits, variable = part.kind == "N", part.optional or part.minimum != part.maximum
        if fields and digits == fields[-1].digits and not variable and not fields[-1].variable:
            fields[-1] = _Field(digits, fields[-1].length + part.maximum, variable=False)
        else:
            fields.append(_Field(digits, part.maximum, variable))
    return fields


_FIELDS: Final[Mapping[str, list[_Field]]] = MappingProxyType({ai: _fields(row) for ai, row in APPLICATIONS.items()})


def _number_width(digits: int) -> int:
    return math.ceil(digits * math.log2(10) + 0.01)


def _length_width(maximum: int) -> int:
    return math.ceil(math.log2(maximum) + 0.01)


def _write_value(writer: BitWriter, application: Application, value: str) -> None:
    begin = 0
    for part in _FIELDS[application.ai]:
        text = value[begin : begin + part.length]
        begin += len(text)
        if part.digits:
            if part.variable:
                writer.write(len(text), _length_width(part.length))
            writer.write(int(text or "0"), _number_width(len(text)))
        else:
            _write_characters(writer, text, _length_width(part.length) if part.variable else 0)


def _read_value(reader: BitReader, application: Application) -> str:
    return "".join((_read_digits if part.digits else _read_characters)(reader, part) for part in _FIELDS[application.ai])


def _read_digits(reader: BitReader, part: _Field) -> str:
    count = reader.read(_length_width(part.length)) if part.variable else part.length
    return _read_number(reader, count)


def _read_number(reader: BitReader, count: int) -> str:
    if not count and not reader.left:
        return ""  # an encoder that spares the empty number's bit can only be told at the very end
    number = reader.read(_number_width(count))
    text = str(number).rjust(count, "0") if count else ""
    if len(text) > count or (not count and number):
        raise ContentError(f"{number} is no number of {count} digits", rule=_RULE)
    return text


def _encoding_of(text: str) -> int:
    patterns = (r"[0-9]+", r"[0-9A-F]+", r"[0-9a-f]+", r"[A-Za-z0-9_-]+")
    for encoding, pattern in zip((0, 2, 1, 3), patterns, strict=True):
        if re.fullmatch(pattern, text):
            return encoding
    return 4


def _write_characters(writer: BitWriter, text: str, length_width: int) -> None:
    encoding = _encoding_of(text)
    writer.write(encoding, 3)
    if length_width:
        writer.write(len(text), length_width)
    if encoding == 0:
        writer.write(int(text), _number_width(len(text)))
        return
    for character in text:
        if encoding in (1, 2):
            writer.write(int(character, 16), 4)
        elif encoding == 3:
            writer.write(_BASE64.index(character), 6)
        else:
            writer.write(ord(character), 7)


def _read_characters(reader: BitReader, part: _Field) -> str:
    return _read_encoded(reader, _length_width(part.length) if part.variable else 0, part.length)


def _read_encoded(reader: BitReader, length_width: int, length: int) -> str:
    encoding = reader.read(3)
    count = reader.read(length_width) if length_width else length
    match encoding:
        case 0:
            return _read_number(reader, count)
        case 1 | 2:
            text = "".join(f"{reader.read(4):x}" for _ in range(count))
            return text if encoding == 1 else text.upper()
        case 3:
            return "".join(_BASE64[reader.read(6)] for _ in range(count))
        case 4:
            return "".join(chr(reader.read(7)) for _ in range(count))
    raise UnknownError(f"{encoding} is not an encoding of characters", rule=_RULE)


def _write_other(writer: BitWriter, name: str, value: str) -> None:
    for what, text in (("name", name), ("value", value)):
        if len(text) > _LONGEST_PAIR or not text.isascii() or (what == "name" and not re.fullmatch("[A-Za-z0-9_-]+", text)):
            raise ConversionError(f"the {what} {text!r} cannot be compressed", rule=_RULE, hint="leave it in the query")
    writer.write(15, 4)
    writer.write(len(name), 7)
    for character in name:
        writer.write(_BASE64.index(character), 6)
    _write_characters(writer, value, 7)


def _read_other(reader: BitReader, high: int) -> tuple[str, str]:
    name = "".join(_BASE64[reader.read(6)] for _ in range(high << 3 | reader.read(3)))
    value = _read_encoded(reader, 7, 0)
    if not name or not name.isprintable() or not value.isprintable():
        raise CharacterError("a pair without name, or with a control character", rule=_RULE)
    return name, value
