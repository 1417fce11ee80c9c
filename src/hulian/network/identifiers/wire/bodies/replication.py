"""Bodies by which a mirror pulls from the primary (opcodes 1000 to 1002). What follows the answers is no part of a message."""

from __future__ import annotations

from typing import Final

import msgspec

from hulian.network.identifiers.wire import fields
from hulian.network.identifiers.wire.errors import FieldError
from hulian.network.identifiers.wire.reader import Reader

__all__ = ["DumpRequest", "NextTransaction", "Transaction", "TransactionLogAnswer", "TransactionLogRequest"]

_MAX_STATE = 65_536


class NextTransaction(msgspec.Struct, frozen=True):
    """The answer to opcode 1000: the number that the next transaction will have."""

    transaction: int

    def pack(self) -> bytes:
        return fields.i64(self.transaction)

    @classmethod
    def read(cls, reader: Reader) -> NextTransaction:
        return cls(reader.i64())


class TransactionLogRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Opcode 1001 from version 2.9 on: what happened since.

    Either one source is read on from ``last_transaction`` and ``last_date`` (milliseconds since 1970), or, where ``state`` is
    given, all sources from the state that its JSON text describes. ``hash_option``, ``servers`` and ``server`` say which share
    of the handles the asker keeps.
    """

    last_transaction: int = 0
    last_date: int = 0
    state: str | None = None
    hash_option: int = 2
    servers: int = 1
    server: int = 0

    def pack(self) -> bytes:
        if self.state is None:
            head = b"\0" + fields.i64(self.last_transaction) + fields.i64(self.last_date)
        else:
            head = b"\1" + fields.text(self.state, _MAX_STATE)
        return head + fields.u8(self.hash_option) + fields.i32(self.servers) + fields.i32(self.server)

    @classmethod
    def read(cls, reader: Reader) -> TransactionLogRequest:
        began = reader.at
        form = reader.u8()
        state, transaction, date = None, 0, 0
        if form == 0:
            transaction, date = reader.i64(), reader.i64()
        elif form == 1:
            state = reader.text(_MAX_STATE)
        else:
            reader.fail(FieldError, f"form {form} of a request for transactions", at=began)
        return cls(
            last_transaction=transaction,
            last_date=date,
            state=state,
            hash_option=reader.u8(),
            servers=reader.i32(),
            server=reader.i32(),
        )


class Transaction(msgspec.Struct, frozen=True, kw_only=True):
    """One change as our own mirrors read it: a row of the log, and the counted values of the record where they are still those.

    ``at`` is UTC ns. ``values`` is empty for what leaves no record, and where a later change has replaced them.
    """

    number: int
    at: int
    what: int
    handle: str
    by: str
    content: bytes
    seal: bytes
    values: bytes

    def pack(self) -> bytes:
        return b"".join(
            (
                fields.i64(self.number),
                fields.i64(self.at),
                fields.u8(self.what),
                fields.handle(self.handle),
                fields.handle(self.by),
                fields.binary(self.content),
                fields.binary(self.seal),
                fields.binary(self.values),
            )
        )

    @classmethod
    def read(cls, reader: Reader) -> Transaction:
        return cls(
            number=reader.i64(),
            at=reader.i64(),
            what=reader.u8(),
            handle=reader.handle(),
            by=reader.handle(),
            content=reader.binary(32),
            seal=reader.binary(32),
            values=reader.binary(),
        )


_SMALLEST_TRANSACTION: Final = 37


class TransactionLogAnswer(msgspec.Struct, frozen=True):
    """The answer to opcode 1001: one byte of flags, of which the first says that the connection stays open.

    What Handle.Net sends behind it is not published. To our own mirrors we send ``last``, the number of the newest change, and
    the changes that they asked for; ``last`` is -1 where neither is there.
    """

    flags: int = 0
    last: int = -1
    transactions: tuple[Transaction, ...] = ()

    @property
    def keep_open(self) -> bool:
        return bool(self.flags & 1)

    def pack(self) -> bytes:
        head = fields.u8(self.flags)
        if self.last < 0:
            return head
        packed = [transaction.pack() for transaction in self.transactions]
        return head + fields.i64(self.last) + fields.i32(len(packed)) + b"".join(packed)

    @classmethod
    def read(cls, reader: Reader) -> TransactionLogAnswer:
        flags = reader.u8()
        if not reader.left:
            return cls(flags)
        began = reader.at
        last = reader.i64()
        if last < 0:
            reader.fail(FieldError, f"the number {last} of the newest change", at=began)
        count = reader.count(_SMALLEST_TRANSACTION)
        return cls(flags, last, tuple([Transaction.read(reader) for _ in range(count)]))


class DumpRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Opcode 1002: everything, or everything behind ``start`` (``start_kind`` says whether that is a handle or a prefix)."""

    hash_option: int = 2
    servers: int = 1
    server: int = 0
    start: str | None = None
    start_kind: int = 0

    def pack(self) -> bytes:
        head = fields.u8(self.hash_option) + fields.i32(self.servers) + fields.i32(self.server)
        return head if self.start is None else head + fields.handle(self.start) + fields.i32(self.start_kind)

    @classmethod
    def read(cls, reader: Reader) -> DumpRequest:
        hash_option, servers, server = reader.u8(), reader.i32(), reader.i32()
        if not reader.left:
            return cls(hash_option=hash_option, servers=servers, server=server)
        return cls(hash_option=hash_option, servers=servers, server=server, start=reader.handle(), start_kind=reader.i32())
