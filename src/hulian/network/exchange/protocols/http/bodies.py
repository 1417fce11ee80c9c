"""Bodies as they come: decompressed within a bound, and Arrow streams checked before anything of them is believed."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Final

import pyarrow as pa

from hulian.network.exchange.protocols.http.errors import BodyError, FormatError, SizeError

__all__ = ["arrow_batches", "decompressed"]

_STEP: Final = 2**20
_MOST_BATCHES: Final = 10_000
_MOST_COLUMNS: Final = 10_000
_RECORD_BATCH: Final = 3
_DICTIONARY_BATCH: Final = 2


def decompressed(body: bytes, encoding: str, limit: int) -> bytes:
    """The body without its content encodings (identity, gzip, deflate, zstd). Raises `SizeError` as soon as it is longer than
    ``limit`` bytes, `FormatError` for an encoding that we do not know, `BodyError` for one that it does not have."""
    names = [name.strip().lower() for name in encoding.split(",") if name.strip()]
    if len(names) > 1:
        raise FormatError("one content encoding at the most")
    name = names[0] if names else "identity"
    if name == "identity":
        found = body
    elif name in ("gzip", "x-gzip"):
        found = _inflated(body, limit, zlib.MAX_WBITS | 16)
    elif name == "deflate":
        found = _inflated(body, limit, zlib.MAX_WBITS)
    elif name == "zstd":
        found = _unpacked(body, limit)
    else:
        raise FormatError(f"the content encoding {name[:20]!r} is not read here")
    if len(found) > limit:
        raise _too_long(limit)
    return found


def _too_long(limit: int) -> SizeError:
    return SizeError(f"decompressed the body is longer than {limit // 2**20} MiB")


def _inflated(body: bytes, limit: int, window: int) -> bytes:
    parts, size, rest = [], 0, body
    while rest:
        stream = zlib.decompressobj(window)
        try:
            while not stream.eof:
                part = stream.decompress(rest, min(_STEP, limit - size + 1))
                rest = stream.unconsumed_tail
                size += len(part)
                parts.append(part)
                if size > limit:
                    raise _too_long(limit)
                if not part and not rest and not stream.eof:
                    raise BodyError("the compressed body ends too early")
        except zlib.error as error:
            raise BodyError(f"the body is not compressed as it says: {error}") from error
        rest = stream.unused_data  # a gzip body may have several members
    return b"".join(parts)


def _unpacked(body: bytes, limit: int) -> bytes:
    parts, size = [], 0
    # Into a buffer of our own: what `read` has allocated for its answer is lost where the body turns out to be broken.
    room = memoryview(bytearray(min(_STEP, limit + 1)))
    try:
        with pa.CompressedInputStream(pa.BufferReader(body), "zstd") as stream:
            while read := stream.readinto(room[: limit - size + 1]):
                size += read
                parts.append(bytes(room[:read]))
                if size > limit:
                    raise _too_long(limit)
    except (pa.ArrowException, OSError) as error:
        raise BodyError(f"the body is not compressed as it says: {str(error)[:200]}") from error
    return b"".join(parts)


def arrow_batches(body: bytes, limit: int) -> Iterator[pa.RecordBatch]:
    """The batches of an Arrow IPC stream, each checked in full. Raises `SizeError` where its buffers, decompressed, are longer
    than ``limit`` bytes in all, and `BodyError` where it is none."""
    try:
        _check_sizes(body, limit)
        with pa.ipc.open_stream(pa.BufferReader(body)) as reader:
            if len(reader.schema) > _MOST_COLUMNS:
                raise SizeError(f"more than {_MOST_COLUMNS} columns")
            for number, batch in enumerate(reader):
                if number >= _MOST_BATCHES:
                    raise SizeError(f"more than {_MOST_BATCHES} batches")
                # Offsets of a foreign stream may point anywhere.
                batch.validate(full=True)
                yield batch
    except (pa.ArrowException, OSError, ValueError, struct.error, IndexError) as error:
        raise BodyError(f"not an Arrow IPC stream: {str(error)[:200]}") from error


def _check_sizes(body: bytes, limit: int) -> None:
    """A compressed buffer says its length, and Arrow takes that much memory: the sum is looked at first."""
    size = 0
    messages = pa.ipc.MessageReader.open_stream(pa.BufferReader(body))
    while True:
        try:
            message = messages.read_next_message()
        except StopIteration:
            return
        size += sum(_lengths(message.metadata.to_pybytes(), message.body))
        if size > limit:
            raise _too_long(limit)


def _lengths(metadata: bytes, body: pa.Buffer | None) -> Iterator[int]:
    """How long the buffers of one message are when they are decompressed (Arrow's Message.fbs, BodyCompression BUFFER)."""
    message = _Table(metadata, struct.unpack_from("<I", metadata)[0])
    kind = message.number(1, "<B")
    batch = message.table(2)
    if batch is not None and kind == _DICTIONARY_BATCH:
        batch = batch.table(1)
    if batch is None or kind not in (_RECORD_BATCH, _DICTIONARY_BATCH):
        return
    compressed = batch.table(3) is not None
    for offset, length in batch.pairs(2):
        if length < 0 or offset < 0:
            raise ValueError("a buffer of negative length")
        if compressed and length >= 8 and body is not None:
            told = struct.unpack("<q", body.slice(offset, 8).to_pybytes())[0]
            if told < -1:
                raise ValueError("a buffer of negative length")
            yield length if told == -1 else told
        else:
            yield length


class _Table:
    """A table of a flatbuffer, as far as it is needed here."""

    __slots__ = ("_at", "_data", "_fields")

    def __init__(self, data: bytes, at: int) -> None:
        self._data, self._at = data, at
        entry = at - struct.unpack_from("<i", data, at)[0]
        if entry < 0:
            raise ValueError("a table outside of its message")
        size = struct.unpack_from("<H", data, entry)[0]
        self._fields = struct.unpack_from(f"<{max(0, size - 4) // 2}H", data, entry + 4)

    def _place(self, field: int) -> int | None:
        offset = self._fields[field] if field < len(self._fields) else 0
        return self._at + offset if offset else None

    def number(self, field: int, form: str) -> int:
        place = self._place(field)
        return 0 if place is None else int(struct.unpack_from(form, self._data, place)[0])

    def table(self, field: int) -> _Table | None:
        place = self._place(field)
        return None if place is None else _Table(self._data, place + struct.unpack_from("<I", self._data, place)[0])

    def pairs(self, field: int) -> Iterator[tuple[int, int]]:
        """A vector of structs of two 64-bit numbers."""
        place = self._place(field)
        if place is None:
            return
        begin = place + struct.unpack_from("<I", self._data, place)[0]
        count = struct.unpack_from("<I", self._data, begin)[0]
        yield from struct.iter_unpack("<qq", self._data[begin + 4 : begin + 4 + 16 * count])
