"""Electronic product codes as the bits of a tag (GS1 EPC Tag Data Standard 1.13, sections 14.3 to 14.6)."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from hulian.network.identifiers.schemes.bits import BitReader, BitWriter
from hulian.network.identifiers.schemes.epc.layouts import BY_HEADER, PREFIX_BITS, Layout
from hulian.network.identifiers.schemes.errors import (
    CharacterError,
    ContentError,
    ConversionError,
    LengthError,
    SchemeError,
    StructureError,
    UnknownError,
)
from hulian.network.identifiers.schemes.gs1.content import CHARACTER_SETS

__all__ = ["Content", "decode", "decode_hex", "decode_raw", "encode"]

_MAXIMUM: Final = 64
_RAW = re.compile(r"urn:epc:raw:(\d{1,3})\.x([0-9A-F]+)\Z", re.IGNORECASE)


class Content(NamedTuple):
    """What stands in a tag: the fields of its EPC, not yet checked against the scheme."""

    layout: Layout
    filter: int
    company_prefix: str
    reference: str
    serial: str


def encode(code: Content) -> bytes:
    """Fields that fit their scheme, filled up to words of 16 bits. Raises `ConversionError` where the layout is too small."""
    layout = code.layout
    if not 0 <= code.filter <= 7:
        raise ConversionError(f"the filter {code.filter} is not one of 0 to 7", rule="epc.filter")
    partition = 12 - len(code.company_prefix)
    writer = BitWriter()
    writer.write(layout.header, 8)
    writer.write(code.filter, 3)
    writer.write(partition, 3)
    writer.write(int(code.company_prefix), PREFIX_BITS[partition])
    bits, most = layout.references[partition]
    match layout.reference:
        case "digits":
            writer.write(int(code.reference or "0"), bits)
        case "integer":
            writer.write(_integer(code.reference, bits, layout, most), bits)
        case "characters":
            _write_characters(writer, code.reference, bits, layout, most)
    match layout.tail:
        case "integer":
            writer.write(_integer(code.serial, layout.tail_bits, layout, 99), layout.tail_bits)
        case "characters":
            _write_characters(writer, code.serial, layout.tail_bits, layout, layout.tail_bits // 7)
        case "digits":
            writer.write(_numeric(code.serial, layout), layout.tail_bits)
        case "zeros":
            writer.write(0, layout.tail_bits)
    number, length = writer.padded(16)
    return number.to_bytes(length // 8, "big")


def decode(data: bytes) -> Content:
    """What is in ``data``, which ends with it but for zeros up to a word. Positions in errors are bits."""
    if not data or len(data) > _MAXIMUM:
        raise LengthError(f"the EPC of a tag has 1 to {_MAXIMUM} octets, not {len(data)}", rule="epc.tag", position=0)
    layout = BY_HEADER.get(data[0])
    if layout is None:
        raise UnknownError(
            f"{data[0]:02X} is not the header of an EPC that is known here",
            rule="epc.header",
            position=0,
            hint="the tag may not be programmed, carry another standard (toggle bit), or a scheme of TDS 2",
        )
    total = 8 * len(data)
    if not layout.bits <= total <= layout.bits + (-layout.bits % 16):
        raise LengthError(
            f"{layout.name} has {layout.bits} bits, there are {total}", rule="epc.tag", position=min(total, layout.bits)
        )
    reader = BitReader(int.from_bytes(data, "big"), total, "epc.tag")
    reader.read(8)
    filter_, partition = reader.read(3), reader.read(3)
    if partition > 6:
        raise ContentError(f"the partition {partition} is not one of 0 to 6", rule="epc.partition", position=11)
    prefix = _digits(reader, PREFIX_BITS[partition], 12 - partition, "company prefix")
    bits, most = layout.references[partition]
    match layout.reference:
        case "digits":
            reference = _digits(reader, bits, most, "reference")
        case "integer":
            reference = str(reader.read(bits))
            if len(reference) > most:
                raise ContentError(
                    f"a reference of more than {most} digits", rule="epc.reference", position=reader.position - bits
                )
        case "characters":
            reference = _read_characters(reader, bits)
    match layout.tail:
        case "integer":
            serial = str(reader.read(layout.tail_bits))
        case "characters":
            serial = _read_characters(reader, layout.tail_bits)
        case "digits":
            serial = _read_numeric(reader, layout.tail_bits)
        case _:
            serial = ""
    if reader.left and reader.read(reader.left):
        raise ContentError("the bits behind the code are not zero", rule="epc.reserved", position=layout.bits)
    return Content(layout, filter_, prefix, reference, serial)


def decode_hex(text: str) -> Content:
    """A tag's EPC in hexadecimal digits, as readers show it."""
    if len(text) > 2 * _MAXIMUM:
        raise LengthError("more hexadecimal digits than the EPC of a tag has", rule="epc.tag", position=2 * _MAXIMUM)
    if bad := re.search("[^0-9A-Fa-f]", text):
        raise CharacterError(f"{bad[0]!r} is no hexadecimal digit", rule="epc.hexadecimal", position=bad.start())
    if len(text) % 2:
        raise LengthError("half an octet is missing", rule="epc.tag", position=len(text))
    return _decode_digits(bytes.fromhex(text), 0)


def decode_raw(text: str) -> Content:
    """``urn:epc:raw:96.x3074257BF7194E4000001A85``."""
    match = _RAW.match(text)
    if match is None:
        raise StructureError("a raw URI is a number of bits, '.x', and hexadecimal digits", rule="epc.raw", position=12)
    bits, digits = int(match[1]), match[2]
    if not 4 * len(digits) - 3 <= bits <= 4 * len(digits):
        raise LengthError(f"{len(digits)} hexadecimal digits are not {bits} bits", rule="epc.raw", position=match.start(2))
    # A raw URI counts from the right: what is spare stands in front.
    number = int(digits, 16)
    if number >> bits:
        raise ContentError(f"the number has more than {bits} bits", rule="epc.raw", position=match.start(2))
    spare = -bits % 8
    return _decode_digits((number << spare).to_bytes((bits + spare) // 8, "big"), match.start(2))


def _decode_digits(data: bytes, begin: int) -> Content:
    """As `decode`, but positions are those of the hexadecimal digits, which begin at ``begin``."""
    try:
        return decode(data)
    except SchemeError as error:
        raise type(error)(
            error.message, rule=error.rule, position=begin + (error.position or 0) // 4, hint=error.hint
        ) from None


def _integer(text: str, bits: int, layout: Layout, most: int) -> int:
    if not text.isdigit() or (text[0] == "0" and text != "0") or len(text) > min(most, 20) or int(text) >> bits:
        raise ConversionError(
            f"{layout.name} holds numbers below 2^{bits} without leading zeros, not {text!r}",
            rule="epc.integer",
            hint="the longer layout of the scheme holds characters",
        )
    return int(text)


def _numeric(text: str, layout: Layout) -> int:
    """A leading 1 keeps leading zeros (14.3.5)."""
    number = int(f"1{text}") if text.isdigit() and len(text) <= 20 else -1
    if number < 0 or number >> layout.tail_bits or len(text) > (12 if layout.kind == "sgcn" else 17):
        raise ConversionError(f"{layout.name} does not hold the digits {text!r}", rule="epc.digits")
    return number


def _write_characters(writer: BitWriter, text: str, bits: int, layout: Layout, most: int) -> None:
    if len(text) > most:
        raise ConversionError(f"{layout.name} holds {most} characters, not {len(text)}", rule="epc.characters")
    for character in text:
        writer.write(ord(character), 7)
    writer.write(0, bits - 7 * len(text))


def _digits(reader: BitReader, bits: int, digits: int, what: str) -> str:
    number = reader.read(bits)
    text = str(number).rjust(digits, "0") if digits else ""
    if len(text) > digits or (not digits and number):
        raise ContentError(
            f"the {what} {number} has more than {digits} digits", rule="epc.digits", position=reader.position - bits
        )
    return text


def _read_characters(reader: BitReader, bits: int) -> str:
    begin = reader.position
    raw = [reader.read(7) for _ in range(bits // 7)]
    rest = reader.read(bits % 7)
    end = raw.index(0) if 0 in raw else len(raw)
    if any(raw[end:]) or rest:
        raise ContentError("characters behind the end of a text", rule="epc.characters", position=begin + 7 * end)
    for place, value in enumerate(raw[:end]):
        if chr(value) not in CHARACTER_SETS["X"][0]:
            raise CharacterError(f"{value} is no character of set 82", rule="epc.characters", position=begin + 7 * place)
    return "".join(map(chr, raw[:end]))


def _read_numeric(reader: BitReader, bits: int) -> str:
    text = str(reader.read(bits))
    if len(text) < 2 or text[0] != "1":
        raise ContentError("a serial of digits is not led by a 1", rule="epc.digits", position=reader.position - bits)
    return text[1:]
