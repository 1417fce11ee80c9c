"""What a carrier says and hears: the bodies of its operations. Version 1 of each; docs/reference/active-carrier.md."""

from __future__ import annotations

import math
from collections.abc import Sequence
from struct import Struct
from typing import NamedTuple, Union

from .errors import FormatError
from .frame import Fields, field, text

__all__ = [
    "Item",
    "ItemValue",
    "ReportAnswer",
    "SignedContents",
    "Value",
    "contents_body",
    "enrol_body",
    "hello_body",
    "read_contents",
    "read_failure",
    "read_nonce",
    "read_report_answer",
    "read_values",
    "rekey_body",
    "report_body",
    "resolve_body",
]

VERSION = b"\1"
MOST_ITEMS = 1024
MOST_REPORT = 49152
_MOST_NAME = 255
_MOST_VALUES = 2048
_F64 = Struct(">d")

ItemValue = Union[None, bool, int, float, str, bytes]  # noqa: UP007 - Python 3.9


class Item(NamedTuple):
    """One datum: ``name`` within the identifier, the value, and ``time`` in UTC ns (0: when it is received)."""

    name: str
    value: ItemValue
    time: int = 0


class Value(NamedTuple):
    """One value of a resolved identifier; ``number`` is its index."""

    number: int
    type: str
    data: bytes


class ReportAnswer(NamedTuple):
    """That a report is kept: ``duplicate`` where it was before; ``version`` of the newest contents; who says so."""

    sequence: int
    duplicate: bool
    version: int
    signature: bytes


class SignedContents(NamedTuple):
    """Contents as they were signed."""

    document: bytes
    signature: bytes


def _version(fields: Fields) -> None:
    if fields.raw(1) != VERSION:
        raise FormatError("an answer of a version that is not known")


def hello_body(serial: str) -> bytes:
    return VERSION + text(serial)


def read_nonce(body: bytes) -> bytes:
    """The nonce that an enrolment is signed over."""
    fields = Fields(body)
    _version(fields)
    nonce = fields.field(64)
    fields.done()
    if len(nonce) < 16:
        raise FormatError("a nonce that is too short")
    return nonce


def enrol_body(serial: str, address: str, certificate: bytes, public: bytes, nonce: bytes) -> bytes:
    """What both keys sign; the two signatures follow as `field`s of a digest's name and a signature."""
    return VERSION + text(serial) + text(address) + field(certificate) + field(public) + field(nonce)


def report_body(identifier: str, sequence: int, items: Sequence[Item]) -> bytes:
    """A report. Raises `FormatError` for what it cannot carry."""
    if not 0 < len(items) <= MOST_ITEMS:
        raise FormatError(f"a report holds 1 to {MOST_ITEMS} items, not {len(items)}")
    parts = [VERSION, text(identifier), sequence.to_bytes(8, "big"), len(items).to_bytes(4, "big")]
    for item in items:
        name = item.name.encode()
        if not 0 < len(name) <= _MOST_NAME or not item.name.isprintable():
            raise FormatError(f"the name of an item has 1 to {_MOST_NAME} bytes that can be printed")
        if item.time < 0 or (isinstance(item.value, float) and not math.isfinite(item.value)):
            raise FormatError("a time before 1970, or a number that is not finite: leave the value out")
        parts += (field(name), item.time.to_bytes(8, "big", signed=True), _value(item.value))
    body = b"".join(parts)
    if len(body) > MOST_REPORT:
        raise FormatError(f"a report of {len(body)} bytes, where {MOST_REPORT} are taken")
    return body


def _value(value: ItemValue) -> bytes:
    if value is None:
        return b"\0"
    if isinstance(value, bool):
        return b"\3\1" if value else b"\3\0"
    if isinstance(value, int):
        try:
            return b"\1" + value.to_bytes(8, "big", signed=True)
        except OverflowError as error:
            raise FormatError("an integer beyond 64 bits") from error
    if isinstance(value, float):
        return b"\2" + _F64.pack(value)
    if isinstance(value, str):
        return b"\4" + text(value)
    return b"\5" + field(value)


def read_report_answer(body: bytes) -> ReportAnswer:
    fields = Fields(body)
    _version(fields)
    sequence, duplicate, version = fields.number(8), fields.number(1), fields.number(4)
    found = ReportAnswer(sequence, bool(duplicate), version, fields.field(1024))
    fields.done()
    return found


def contents_body(identifier: str, version: int) -> bytes:
    """Asks for contents newer than ``version``."""
    return VERSION + text(identifier) + version.to_bytes(4, "big")


def rekey_body(identifier: str, public: bytes, digest: str, signature: bytes) -> bytes:
    """A new public key, and the proof that the carrier holds its private half."""
    return VERSION + text(identifier) + field(public) + text(digest) + field(signature)


def read_contents(body: bytes) -> SignedContents | None:
    """The contents; None where there are none that are newer."""
    fields = Fields(body)
    _version(fields)
    found = SignedContents(fields.field(32768), fields.field(1024))
    fields.done()
    return found if found.document else None


def resolve_body(identifier: str, types: Sequence[str] = ()) -> bytes:
    return text(identifier) + bytes(4) + len(types).to_bytes(4, "big") + b"".join([text(kind) for kind in types])


def read_values(body: bytes) -> list[Value]:
    """The values of a record."""
    fields = Fields(body)
    fields.text(2048)
    count = fields.number(4)
    if not 0 <= count <= min(_MOST_VALUES, len(body) // 27):
        raise FormatError("a count of values that cannot be")
    found = []
    for _ in range(count):
        index = fields.number(4)
        fields.raw(10)  # timestamp, TTL and its type, permissions
        kind, data = fields.text(2048), fields.field()
        for _ in range(fields.number(4)):
            fields.field(2048)
            fields.raw(4)
        found.append(Value(index, kind, data))
    fields.done()
    return found


def read_failure(body: bytes) -> str:
    """The words of a refusal; empty where there are none that can be read."""
    try:
        return Fields(body).text(4096)
    except FormatError:
        return ""
