"""Questions to the historian as messages, and answers back. Bytes in, values out.

A question is JSON, or ``HQ``, the length of the JSON (u32), the JSON, and columns, each with its length (u32) as an Arrow
stream of one batch. An answer is one message, or a series of them: ``begin`` names where the asker grants further
messages or cancels, ``data`` carries an Arrow stream, ``end`` closes, ``error`` closes with an error's code and words.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import pyarrow as pa

from hulian.data.historian import errors as historian_errors
from hulian.data.historian.contract import DEFAULT_LIMITS, Annotate, Limits, Request
from hulian.data.ingest.errors import AnswerError, AskError
from hulian.kernel.errors import BatchError, HulianError
from hulian.kernel.sample import SCHEMAS, Columns
from hulian.kernel.storage import StorageClass
from hulian.kernel.unreadable import UNREADABLE

__all__ = [
    "CANCEL",
    "GRANT",
    "KIND",
    "WINDOW",
    "Ask",
    "AskAnnotate",
    "AskBackup",
    "AskCorrect",
    "AskInsert",
    "AskQuery",
    "AskSizes",
    "kind_headers",
    "pack_ask",
    "pack_batch",
    "pack_error",
    "unpack_ask",
    "unpack_batches",
    "unpack_error",
]

WINDOW: Final = 8
"""Data messages of one answer that may be under way unasked."""
GRANT: Final = b"+"
CANCEL: Final = b"x"
KIND: Final = "Hulian-Answer"

_MARK: Final = b"HQ"
_LENGTH = struct.Struct("<I")
_MOST_PARTS: Final = 64
_ = historian_errors  # loaded so that every error of the historian finds its class again


class AskQuery(msgspec.Struct, frozen=True, kw_only=True, tag_field="do", tag="query"):
    """A query of the historian."""

    request: Request
    limits: Limits = DEFAULT_LIMITS


class AskInsert(msgspec.Struct, frozen=True, kw_only=True, tag_field="do", tag="insert"):
    """History from elsewhere; the columns are attached. The same ``token`` again changes nothing."""

    token: str


class AskCorrect(msgspec.Struct, frozen=True, kw_only=True, tag_field="do", tag="correct"):
    """New values in place of old ones; the columns are attached."""

    author: str
    reason: str


class AskAnnotate(msgspec.Struct, frozen=True, kw_only=True, tag_field="do", tag="annotate"):
    """A note."""

    annotation: Annotate


class AskSizes(msgspec.Struct, frozen=True, kw_only=True, tag_field="do", tag="sizes"):
    """What the tables hold."""


class AskBackup(msgspec.Struct, frozen=True, kw_only=True, tag_field="do", tag="backup"):
    """A consistent copy of historian and ledger into a directory."""

    directory: str


Ask = AskQuery | AskInsert | AskCorrect | AskAnnotate | AskSizes | AskBackup

_ask = msgspec.json.Decoder(Ask)


def pack_ask(ask: Ask, columns: Sequence[Columns] = ()) -> bytes:
    """The message of a question."""
    head = msgspec.json.encode(ask)
    if not columns:
        return head
    parts = [_MARK, _LENGTH.pack(len(head)), head]
    for one in columns:
        raw = pack_columns(one)
        parts += [_LENGTH.pack(len(raw)), raw]
    return b"".join(parts)


def unpack_ask(raw: bytes) -> tuple[Ask, list[Columns]]:
    """The inverse of `pack_ask`; raises `AskError` for anything else."""
    columns: list[Columns] = []
    try:
        if raw[:2] != _MARK:
            return _ask.decode(raw), columns
        (length,) = _LENGTH.unpack_from(raw, 2)
        place = 6 + length
        ask = _ask.decode(raw[6:place])
        while place < len(raw):
            if len(columns) >= _MOST_PARTS:
                raise AskError(f"a question carries more than {_MOST_PARTS} columns")
            (length,) = _LENGTH.unpack_from(raw, place)
            place += 4
            if place + length > len(raw):
                raise AskError("a question ends within its columns")
            columns += [_columns(batch) for batch in unpack_batches(raw[place : place + length])]
            place += length
    except (struct.error, msgspec.MsgspecError, UnicodeDecodeError, BatchError) as error:
        raise AskError(f"a question that cannot be read: {error}") from error
    return ask, columns


_STORAGE_BY_NAME: Final = {storage.value: storage for storage in StorageClass}


def _columns(batch: pa.RecordBatch) -> Columns:
    named = (batch.schema.metadata or {}).get(b"storage", b"").decode("ascii", "replace")
    kinds = [named] if named else [storage.value for storage in StorageClass if SCHEMAS[storage].equals(batch.schema)]
    storage = _STORAGE_BY_NAME.get(kinds[0] if kinds else "")
    if storage is None:
        raise AskError("columns of no storage class")
    columns = Columns.from_record_batch(storage, batch.replace_schema_metadata(None))
    if not columns.series.all():
        raise AskError("a sample without a series (id 0)")
    return columns


def pack_columns(columns: Columns) -> bytes:
    """Columns with the name of their storage class, which the Arrow types alone do not tell (text and structure)."""
    batch = columns.record_batch()
    return pack_batch(batch.replace_schema_metadata({"storage": columns.storage.value}))


def pack_batch(batch: pa.RecordBatch) -> bytes:
    """One record batch as an Arrow stream, schema and its metadata included."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(memoryview(sink.getvalue()))


def unpack_batches(raw: bytes) -> list[pa.RecordBatch]:
    """The record batches of an Arrow stream; raises `AskError` for anything else."""
    try:
        with pa.ipc.open_stream(raw) as reader:
            batches = list(reader)
        for batch in batches:
            batch.validate(full=True)
        return batches
    except (pa.ArrowException, OSError, ValueError) as error:
        raise AskError(f"not an Arrow stream: {error}") from error


def kind_headers(kind: str) -> bytes:
    """The headers of an answer's message."""
    return f"NATS/1.0\r\n{KIND}: {kind}\r\n\r\n".encode()


def pack_error(error: HulianError) -> bytes:
    """An error as it travels: what `HulianError.as_dict` shows, and the plain fields of its class."""
    document = error.as_dict()
    plain = {key: value for key, value in vars(error).items() if isinstance(value, str | int | float) and key not in document}
    return msgspec.json.encode({**document, "fields": plain})


def unpack_error(raw: bytes) -> HulianError:
    """The same error, of the same class where its code is known here, else `AnswerError` with that code in its message."""
    try:
        document: dict[str, Any] = msgspec.json.decode(raw, type=dict[str, Any])
    except UNREADABLE as error:
        return AnswerError(f"an error that cannot be read: {error}")
    message, place, hint = (str(document.get(key, "")) for key in ("message", "place", "hint"))
    code = str(document.get("code", ""))
    kind = _class_of(code)
    if kind is None:
        return AnswerError(f"{code}: {message}", place=place, hint=hint)
    found = kind.__new__(kind)
    HulianError.__init__(found, message, place=place, hint=hint)
    fields = document.get("fields")
    for key, value in fields.items() if isinstance(fields, dict) else ():
        if key.isidentifier() and not key.startswith("_") and not callable(getattr(kind, key, None)):
            setattr(found, key, value)
    return found


def _class_of(code: str) -> type[HulianError] | None:
    waiting: list[type[HulianError]] = [HulianError]
    while waiting:
        kind = waiting.pop()
        if kind.code == code:
            return kind
        waiting += kind.__subclasses__()
    return None
