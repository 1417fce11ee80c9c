"""NDEF messages (NFC Forum: NDEF 1.0, RTD URI 1.0, RTD Text 1.0): octets ↔ records."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from hulian.network.identifiers.carriers.errors import CapacityError, NdefError

__all__ = [
    "MAXIMUM_MESSAGE",
    "MAXIMUM_RECORDS",
    "PREFIXES",
    "RawRecord",
    "Record",
    "TextRecord",
    "UriRecord",
    "decode_message",
    "encode_message",
]

MAXIMUM_MESSAGE: Final = 0xFFFD
"""Most octets of a message: what the file of a Type 4 tag holds."""

MAXIMUM_RECORDS: Final = 256

PREFIXES: Final = (
    "", "http://www.", "https://www.", "http://", "https://", "tel:", "mailto:", "ftp://anonymous:anonymous@", "ftp://ftp.",
    "ftps://", "sftp://", "smb://", "nfs://", "ftp://", "dav://", "news:", "telnet://", "imap:", "rtsp://", "urn:", "pop:",
    "sip:", "sips:", "tftp:", "btspp://", "btl2cap://", "btgoep://", "tcpobex://", "irdaobex://", "file://", "urn:epc:id:",
    "urn:epc:tag:", "urn:epc:pat:", "urn:epc:raw:", "urn:epc:", "urn:nfc:",
)  # fmt: skip
"""The beginnings of URIs that have a code, by their code (RTD URI 1.0, table 3)."""

_BEGIN, _END, _CHUNK, _SHORT, _HAS_ID = 0x80, 0x40, 0x20, 0x10, 0x08
_EMPTY, _WELL_KNOWN, _UNKNOWN, _UNCHANGED, _RESERVED = 0, 1, 5, 6, 7
_UTF_16: Final = 0x80
_LANGUAGE_LENGTH: Final = 0x3F


@dataclass(frozen=True, slots=True)
class UriRecord:
    """An address."""

    uri: str
    id: bytes = b""


@dataclass(frozen=True, slots=True)
class TextRecord:
    """A text in a language (an IANA tag of up to 63 characters)."""

    text: str
    language: str = "en"
    utf16: bool = False
    id: bytes = b""


@dataclass(frozen=True, slots=True)
class RawRecord:
    """Any other record, as it is: ``name_format`` 0 to 5 says how to read ``type`` (NDEF 1.0, table 1)."""

    name_format: int
    type: bytes = b""
    payload: bytes = b""
    id: bytes = b""


Record = UriRecord | TextRecord | RawRecord


def encode_message(records: Iterable[Record]) -> bytes:
    """One message. An empty one is one empty record, as the standard has it. Raises `CapacityError` above the bounds.

    >>> encode_message([UriRecord("https://id.example.com/88.111.1/ITEM7")]).hex()
    'd1011e550469642e6578616d706c652e636f6d2f38382e3131312e312f4954454d37'
    """
    raw = [_raw(record) for record in records] or [RawRecord(_EMPTY)]
    if len(raw) > MAXIMUM_RECORDS:
        raise CapacityError(f"more than {MAXIMUM_RECORDS} records", rule="ndef.records", position=MAXIMUM_RECORDS)
    message = b"".join(
        _encode(record, (_BEGIN if place == 0 else 0) | (_END if place == len(raw) - 1 else 0))
        for place, record in enumerate(raw)
    )
    if len(message) > MAXIMUM_MESSAGE:
        raise CapacityError(f"{len(message)} octets; a message has {MAXIMUM_MESSAGE}", rule="ndef.length")
    return message


def decode_message(data: bytes) -> tuple[Record, ...]:
    """The records of one message, all of ``data``. Positions in errors are octets.

    Chunked records are refused by name: tags of phones and labels have none.
    """
    if len(data) > MAXIMUM_MESSAGE:
        raise NdefError(f"a message longer than {MAXIMUM_MESSAGE} octets", rule="ndef.length", position=MAXIMUM_MESSAGE)
    records: list[Record] = []
    position, ended = 0, False
    while position < len(data):
        if ended:
            raise NdefError("octets behind the end of the message", rule="ndef.end", position=position)
        if len(records) == MAXIMUM_RECORDS:
            raise NdefError(f"more than {MAXIMUM_RECORDS} records", rule="ndef.records", position=position)
        flags = data[position]
        if bool(flags & _BEGIN) != (not records):
            raise NdefError(
                "the mark of the first record is missing, or not on the first", rule="ndef.begin", position=position
            )
        record, position = _decode(data, position)
        records.append(record)
        ended = bool(flags & _END)
    if not ended:
        raise NdefError("the message ends without its last record", rule="ndef.end", position=len(data))
    return tuple(records)


def _raw(record: Record) -> RawRecord:
    match record:
        case UriRecord():
            code = max(
                (code for code, prefix in enumerate(PREFIXES) if record.uri.startswith(prefix)),
                key=lambda code: len(PREFIXES[code]),
            )
            return RawRecord(_WELL_KNOWN, b"U", bytes([code]) + record.uri[len(PREFIXES[code]) :].encode(), record.id)
        case TextRecord():
            language = record.language.encode("ascii", "replace")
            if not 0 < len(language) <= _LANGUAGE_LENGTH or b"?" in language:
                raise NdefError(
                    f"{record.language!r} is no tag of a language", rule="ndef.language", hint="such as en or zh-CN"
                )
            # Without a mark of the order the high octet is first, but there are readers that guess the other way.
            text = ("\ufeff" + record.text).encode("utf-16-be") if record.utf16 else record.text.encode()
            status = bytes([(_UTF_16 if record.utf16 else 0) | len(language)])
            return RawRecord(_WELL_KNOWN, b"T", status + language + text, record.id)
        case RawRecord():
            return record


def _encode(record: RawRecord, flags: int) -> bytes:
    if not _EMPTY <= record.name_format <= _UNKNOWN:
        raise NdefError(f"{record.name_format} is no format of a name", rule="ndef.name-format")
    if len(record.type) > 0xFF or len(record.id) > 0xFF:
        raise CapacityError("a type and an id have 255 octets at most", rule="ndef.type")
    if record.name_format == _EMPTY and (record.type or record.payload or record.id):
        raise NdefError("an empty record holds nothing", rule="ndef.empty")
    if (record.name_format == _UNKNOWN) != (not record.type) and record.name_format != _EMPTY:
        raise NdefError("a record has a type, unless its type is unknown", rule="ndef.type")
    short = len(record.payload) <= 0xFF
    flags |= record.name_format | (_SHORT if short else 0) | (_HAS_ID if record.id else 0)
    head = bytes([flags, len(record.type)]) + len(record.payload).to_bytes(1 if short else 4, "big")
    return head + (bytes([len(record.id)]) if record.id else b"") + record.type + record.id + record.payload


def _decode(data: bytes, begin: int) -> tuple[Record, int]:
    flags, position = data[begin], begin + 1
    name_format = flags & 7
    if flags & _CHUNK or name_format == _UNCHANGED:
        raise NdefError("a chunked record", rule="ndef.chunk", position=begin, hint="write the message in one piece")
    if name_format == _RESERVED:
        raise NdefError("the reserved format of a name", rule="ndef.name-format", position=begin)

    def number(octets: int) -> int:
        nonlocal position
        if position + octets > len(data):
            raise NdefError("the message ends inside the head of a record", rule="ndef.length", position=len(data))
        position += octets
        return int.from_bytes(data[position - octets : position], "big")

    lengths = [number(1), number(1 if flags & _SHORT else 4)]
    lengths.insert(1, number(1) if flags & _HAS_ID else 0)
    if position + sum(lengths) > len(data):
        raise NdefError(
            f"a record of {sum(lengths)} octets, {len(data) - position} are left", rule="ndef.length", position=position
        )
    fields = []
    for length in lengths:
        fields.append(data[position : position + length])
        position += length
    kind, id_, payload = fields
    if name_format == _EMPTY and any(fields):
        raise NdefError("an empty record that holds something", rule="ndef.empty", position=begin)
    if (name_format not in (_EMPTY, _UNKNOWN) and not kind) or (name_format == _UNKNOWN and kind):
        raise NdefError("a record has a type, unless its type is unknown", rule="ndef.type", position=begin)
    return _read(RawRecord(name_format, kind, payload, id_), position - len(payload)), position


def _read(record: RawRecord, begin: int) -> Record:
    """The record by its type, where that is known; ``begin`` is where its payload stands."""
    payload = record.payload
    if record.name_format != _WELL_KNOWN or record.type not in (b"U", b"T"):
        return record
    if not payload:
        raise NdefError("a record without its first octet", rule="ndef.payload", position=begin)
    try:
        if record.type == b"U":
            if payload[0] >= len(PREFIXES):
                raise NdefError(f"{payload[0]:02X} is the code of no URI's beginning", rule="ndef.uri", position=begin)
            return UriRecord(PREFIXES[payload[0]] + payload[1:].decode(), record.id)
        length = payload[0] & _LANGUAGE_LENGTH
        if length + 1 > len(payload):
            raise NdefError("the text ends inside its language", rule="ndef.language", position=begin)
        utf16 = bool(payload[0] & _UTF_16)
        text = payload[1 + length :]
        # A mark of the order of octets may stand in front; without one, the high octet is first (RTD Text 1.0, 3.4).
        coding = "utf-8" if not utf16 else "utf-16" if text[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-16-be"
        return TextRecord(text.decode(coding), payload[1 : 1 + length].decode("ascii"), utf16, record.id)
    except UnicodeDecodeError as error:
        raise NdefError("the text is not in its own encoding", rule="ndef.text", position=begin + 1 + error.start) from None
