"""Arrow: the form of large batches. One IPC stream of one uncompressed record batch of `hulian.kernel.sample.SCHEMAS`.

What is read comes from outside: before pyarrow sees it, the lengths in its messages are held against the bytes at hand, and
compressed buffers are refused, which say themselves how much to allocate.
"""

from __future__ import annotations

import struct

import pyarrow as pa

from hulian.kernel.errors import BatchError
from hulian.kernel.sample import Columns
from hulian.network.exchange.spine.errors import CodecError
from hulian.network.exchange.spine.header import Layout

__all__ = ["read_arrow", "write_arrow"]


def write_arrow(columns: Columns) -> bytes:
    """The body of a message."""
    batch = columns.record_batch()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue().to_pybytes())


def read_arrow(layout: Layout, raw: bytes) -> Columns:
    """The columns of one message; raises `CodecError` for whatever `write_arrow` cannot have written."""
    body = pa.py_buffer(raw).slice(layout.body)
    try:
        with pa.ipc.open_stream(_uncompressed(body)) as reader:
            batch = reader.read_next_batch()
        if batch.num_rows != layout.samples:
            raise CodecError(f"the header counts {layout.samples} samples, the Arrow batch {batch.num_rows}")
        batch.validate(full=True)
        return Columns.from_record_batch(layout.storage, batch)
    except (pa.ArrowException, BatchError, StopIteration, OSError, ValueError) as error:
        raise CodecError(f"the Arrow batch cannot be read: {error}") from error


def _uncompressed(body: pa.Buffer) -> pa.Buffer:
    """``body``, where none of its record batches is compressed: a compressed buffer says itself how much to allocate."""
    raw, place = memoryview(body), 0
    try:
        for _ in range(3):
            if place + 8 > len(raw):
                break
            mark, size = struct.unpack_from("<Ii", raw, place)
            if mark != 0xFFFF_FFFF or not 0 <= size <= len(raw) - place - 8:
                raise CodecError("not an Arrow stream")
            if size == 0:
                break
            message = raw[place + 8 : place + 8 + size]
            table = struct.unpack_from("<I", message)[0]
            kind_at, header_at, length_at = (_field(message, table, number) for number in (1, 2, 3))
            kind = message[kind_at] if kind_at else 0
            if kind not in (1, 3):
                raise CodecError("an Arrow stream of one plain batch holds a schema and the batch, nothing else")
            if kind == 3:
                header = header_at + struct.unpack_from("<I", message, header_at)[0]
                if _field(message, header, 3):
                    raise CodecError("compressed Arrow batches are not accepted")
            length = struct.unpack_from("<q", message, length_at)[0] if length_at else 0
            if not 0 <= length <= len(raw) - place - 8 - size:
                raise CodecError("an Arrow message is longer than what carries it")
            place += 8 + size + length
    except (struct.error, IndexError) as error:
        raise CodecError("not an Arrow stream") from error
    return body


def _field(message: memoryview, table: int, number: int) -> int:
    """Where field ``number`` of the flatbuffers table at ``table`` stands, 0 where it is absent."""
    vtable = table - struct.unpack_from("<i", message, table)[0]
    if vtable < 0:
        raise CodecError("not an Arrow stream")
    size = struct.unpack_from("<H", message, vtable)[0]
    entry = 4 + 2 * number
    if entry + 2 > size:
        return 0
    relative: int = struct.unpack_from("<H", message, vtable + entry)[0]
    return table + relative if relative else 0
