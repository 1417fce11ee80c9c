"""The bodies of what carriers ask and hear; see docs/reference/active-carrier.md. Version 1 of each; bytes in, values out."""

from __future__ import annotations

import math
from collections.abc import Callable
from struct import Struct
from typing import Final, TypeVar

import msgspec

from hulian.network.identifiers.active.errors import MessageError
from hulian.network.identifiers.wire import fields
from hulian.network.identifiers.wire.errors import FieldError, WireError
from hulian.network.identifiers.wire.reader import Reader

__all__ = [
    "ENROL",
    "MAX_CONTENTS",
    "MAX_REPORT",
    "RECEIPT",
    "REKEY",
    "ContentsQuestion",
    "Enrol",
    "Hello",
    "Item",
    "Proof",
    "Rekey",
    "Report",
    "SessionQuestion",
    "SessionReport",
    "contents_answer",
    "nonce_answer",
    "receipt_answer",
    "receipt_covered",
    "session_answer",
    "session_covered",
]

VERSION: Final = 1
ENROL: Final = b"hulian active enrol 1\0"
REKEY: Final = b"hulian active rekey 1\0"
RECEIPT: Final = b"hulian active receipt 1\0"
SESSION: Final = b"hulian active session 1\0"
COUNTED: Final = b"hulian active counted 1\0"

MAX_SERIAL: Final = 64
MAX_CERTIFICATE: Final = 8_192
MAX_KEY: Final = 4_096
MAX_SIGNATURE: Final = 1_024
MAX_ITEMS: Final = 1_024
MAX_NAME: Final = 255
MAX_REPORT: Final = 49_152
MAX_CONTENTS: Final = 32_768
POINT: Final = 65
"""Bytes of a point of P-256, uncompressed: 4, x, y."""

SESSION_ID: Final = 16
MAC: Final = 32
_LONGEST_ADDRESS: Final = 64
_F64: Final = Struct(">d")
_M = TypeVar("_M")

Value = None | bool | int | float | str | bytes


class Item(msgspec.Struct, frozen=True):
    """One datum of a report: its name within the identifier, its time (UTC ns; 0 where the carrier has no clock), its value."""

    name: str
    time: int
    value: Value


class Proof(msgspec.Struct, frozen=True):
    """A signature, and the digest that it was made with."""

    digest: str
    signature: bytes


class Hello(msgspec.Struct, frozen=True):
    """Opcode 3000: a carrier asks for the nonce of its enrolment."""

    serial: str

    @classmethod
    def unpack(cls, data: bytes) -> Hello:
        """Raises `MessageError`."""
        return _read(data, "a hello", lambda reader: cls(_serial(reader)))


class Enrol(msgspec.Struct, frozen=True):
    """Opcode 3001: a carrier at its first power-up. ``covered`` is what both proofs are over."""

    serial: str
    address: str
    certificate: bytes
    key: bytes
    nonce: bytes
    first: Proof
    own: Proof
    covered: bytes

    @classmethod
    def unpack(cls, data: bytes) -> Enrol:
        """Raises `MessageError`."""

        def read(reader: Reader) -> Enrol:
            serial, address = _serial(reader), reader.text(_LONGEST_ADDRESS)
            certificate, key, nonce = reader.binary(MAX_CERTIFICATE), reader.binary(MAX_KEY), reader.binary(64)
            covered = ENROL + data[: reader.at]
            return cls(serial, address, certificate, key, nonce, _proof(reader), _proof(reader), covered)

        return _read(data, "an enrolment", read)


class Report(msgspec.Struct, frozen=True):
    """Opcode 3002: data of a carrier, numbered from 1."""

    identifier: str
    sequence: int
    items: tuple[Item, ...]

    @classmethod
    def unpack(cls, data: bytes) -> Report:
        """Raises `MessageError`."""
        if len(data) > MAX_REPORT:
            raise MessageError(f"a report of {len(data)} bytes, where {MAX_REPORT} are taken")

        def read(reader: Reader) -> Report:
            identifier, sequence = reader.handle(), reader.i64()
            if sequence < 1:
                reader.fail(FieldError, f"sequence number {sequence}")
            count = reader.count(14, MAX_ITEMS)
            if not count:
                reader.fail(FieldError, "a report without an item")
            return cls(identifier, sequence, tuple([_item(reader) for _ in range(count)]))

        return _read(data, "a report", read)


class ContentsQuestion(msgspec.Struct, frozen=True):
    """Opcode 3003: a carrier asks for contents newer than ``version``, which it has installed."""

    identifier: str
    version: int

    @classmethod
    def unpack(cls, data: bytes) -> ContentsQuestion:
        """Raises `MessageError`."""
        return _read(data, "a question for contents", lambda reader: cls(reader.handle(), reader.i32()))


class Rekey(msgspec.Struct, frozen=True):
    """Opcode 3004: a new key of a carrier, with the proof that it holds it, over ``covered``."""

    identifier: str
    key: bytes
    proof: Proof
    covered: bytes

    @classmethod
    def unpack(cls, data: bytes) -> Rekey:
        """Raises `MessageError`."""

        def read(reader: Reader) -> Rekey:
            began = reader.at
            identifier, key = reader.handle(), reader.binary(MAX_KEY)
            covered = REKEY + data[began : reader.at]
            return cls(identifier, key, _proof(reader), covered)

        return _read(data, "a new key", read)


class SessionQuestion(msgspec.Struct, frozen=True):
    """Opcode 3005: a carrier that has proved itself wants to prove further reports by a shared key; ``point`` is its half."""

    identifier: str
    point: bytes

    @classmethod
    def unpack(cls, data: bytes) -> SessionQuestion:
        """Raises `MessageError`."""

        def read(reader: Reader) -> SessionQuestion:
            identifier, point = reader.handle(), reader.binary(POINT)
            if len(point) != POINT or point[0] != 4:
                reader.fail(FieldError, "no point of P-256")
            return cls(identifier, point)

        return _read(data, "a question for a session", read)


class SessionReport(msgspec.Struct, frozen=True):
    """Opcode 3006: the body of a report (3002) in a session; ``code`` is the HMAC-SHA256 over ``covered``."""

    session: bytes
    counter: int
    report: bytes
    code: bytes
    covered: bytes

    @classmethod
    def unpack(cls, data: bytes) -> SessionReport:
        """Raises `MessageError`."""

        def read(reader: Reader) -> SessionReport:
            session, counter, report = reader.binary(SESSION_ID), reader.i64(), reader.binary(MAX_REPORT)
            covered = COUNTED + data[1 : reader.at]
            code = reader.binary(MAC)
            if len(session) != SESSION_ID or counter < 1 or len(code) != MAC:
                reader.fail(FieldError, "a session of 16 bytes, a counter from 1 on and a code of 32 bytes belong here")
            return cls(session, counter, report, code, covered)

        return _read(data, "a report in a session", read)


def nonce_answer(nonce: bytes) -> bytes:
    """The answer to a hello."""
    return fields.u8(VERSION) + fields.binary(nonce)


def contents_answer(document: bytes, signature: bytes) -> bytes:
    """Contents; both empty where there are none that are newer."""
    return fields.u8(VERSION) + fields.binary(document, MAX_CONTENTS) + fields.binary(signature, MAX_SIGNATURE)


def receipt_covered(report: bytes, sequence: int, version: int) -> bytes:
    """What the receipt of a report is signed over."""
    return RECEIPT + fields.binary(report) + fields.i64(sequence) + fields.i32(version)


def receipt_answer(sequence: int, version: int, signature: bytes, *, duplicate: bool) -> bytes:
    """The answer to a report: it is kept, and ``version`` is that of the newest contents."""
    return b"".join(
        (
            fields.u8(VERSION),
            fields.i64(sequence),
            fields.u8(duplicate),
            fields.i32(version),
            fields.binary(signature, MAX_SIGNATURE),
        )
    )


def session_covered(question: bytes, session: bytes, point: bytes, seconds: int, reports: int) -> bytes:
    """What the node signs of a session that begins, and what its key is bound to; ``question`` is the body that asked."""
    return SESSION + b"".join(
        (fields.binary(question), fields.binary(session), fields.binary(point), fields.i32(seconds), fields.i32(reports))
    )


def session_answer(session: bytes, point: bytes, seconds: int, reports: int, signature: bytes) -> bytes:
    """The answer to a question for a session: it is good for so many seconds and reports."""
    return b"".join(
        (
            fields.u8(VERSION),
            fields.binary(session),
            fields.binary(point),
            fields.i32(seconds),
            fields.i32(reports),
            fields.binary(signature, MAX_SIGNATURE),
        )
    )


# -- fields --------------------------------------------------------------------------------------------------------------


def _read(data: bytes, what: str, read: Callable[[Reader], _M]) -> _M:
    reader = Reader(data, what)
    try:
        version = reader.u8()
        if version != VERSION:
            reader.fail(FieldError, f"version {version}, where {VERSION} is spoken", at=0)
        found = read(reader)
        reader.done()
    except WireError as error:
        raise MessageError(error.message, place=error.place) from error
    return found


def _serial(reader: Reader) -> str:
    serial = reader.text(MAX_SERIAL)
    if not serial or not serial.isprintable() or "/" in serial:
        reader.fail(FieldError, "no serial number")
    return serial


def _proof(reader: Reader) -> Proof:
    return Proof(reader.text(16), reader.binary(MAX_SIGNATURE))


def _item(reader: Reader) -> Item:
    name = reader.text(MAX_NAME)
    if not name or not name.isprintable():
        reader.fail(FieldError, "an item without a name")
    time, kind = reader.i64(), reader.u8()
    value: Value
    if kind == 0:
        value = None
    elif kind == 1:
        value = reader.i64()
    elif kind == 2:
        number = float(_F64.unpack(reader.raw(8))[0])
        value = number
        if not math.isfinite(number):
            reader.fail(FieldError, "a number that is not finite: leave the value out instead")
    elif kind == 3:
        truth = reader.u8()
        if truth > 1:
            reader.fail(FieldError, f"a truth value of {truth}")
        value = truth == 1
    elif kind == 4:
        value = reader.text(MAX_REPORT)
    elif kind == 5:
        value = reader.binary(MAX_REPORT)
    else:
        reader.fail(FieldError, f"a value of kind {kind}")
    if time < 0:
        reader.fail(FieldError, "a time before 1970")
    return Item(name, time, value)
