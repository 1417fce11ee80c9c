"""Bodies that carry values: resolution, referral, create, add, modify."""

from __future__ import annotations

import msgspec

from hulian.network.identifiers.wire import fields
from hulian.network.identifiers.wire.errors import EncodeError
from hulian.network.identifiers.wire.limits import MAX_HANDLE, MAX_VALUES
from hulian.network.identifiers.wire.reader import Reader
from hulian.network.identifiers.wire.values import Value, pack_values, read_values

__all__ = ["Referral", "ResolveRequest", "Values"]


class ResolveRequest(msgspec.Struct, frozen=True):
    """Which values of a handle are wanted; empty lists ask for all. A type that ends with "." matches its subtypes too."""

    handle: str
    indexes: tuple[int, ...] = ()
    types: tuple[str, ...] = ()

    def pack(self) -> bytes:
        if max(len(self.indexes), len(self.types)) > MAX_VALUES:
            raise EncodeError(f"more than {MAX_VALUES} indexes or types", place="a resolution request")
        return fields.handle(self.handle) + fields.indexes(self.indexes) + fields.list_of(self.types, MAX_HANDLE)

    @classmethod
    def read(cls, reader: Reader) -> ResolveRequest:
        handle = reader.handle()
        indexes = tuple([reader.i32() for _ in range(reader.count(4, MAX_VALUES))])
        types = tuple([reader.handle() for _ in range(reader.count(4, MAX_VALUES))])
        return cls(handle, indexes, types)


class Values(msgspec.Struct, frozen=True):
    """A handle and values of it: the answer to a resolution, and the request to create, add or modify."""

    handle: str
    values: tuple[Value, ...] = ()

    def pack(self) -> bytes:
        return fields.handle(self.handle) + pack_values(self.values)

    @classmethod
    def read(cls, reader: Reader) -> Values:
        return cls(reader.handle(), read_values(reader))


class ChangeRequest(msgspec.Struct, frozen=True):
    """Values of a handle that are put (added, or in the place of those with the same indexes), and indexes of others that are
    removed, all at once. Opcode 3100, of our own: handle, values, indexes, as in the bodies of modify and remove."""

    handle: str
    values: tuple[Value, ...]
    removed: tuple[int, ...]

    def pack(self) -> bytes:
        return Values(self.handle, self.values).pack() + fields.indexes(self.removed)

    @classmethod
    def read(cls, reader: Reader) -> ChangeRequest:
        put = Values.read(reader)
        return cls(put.handle, put.values, tuple([reader.i32() for _ in range(reader.count(4, MAX_VALUES))]))


class Referral(msgspec.Struct, frozen=True):
    """Who is responsible instead (302, 303): a handle to ask about, or an empty one and the values that say so.

    ``values`` is None where the body ends behind the handle, as DO-IRP 3.0 has it when a handle is given.
    """

    handle: str = ""
    values: tuple[Value, ...] | None = None

    def pack(self) -> bytes:
        return fields.handle(self.handle) + (b"" if self.values is None else pack_values(self.values))

    @classmethod
    def read(cls, reader: Reader) -> Referral:
        handle = reader.handle()
        return cls(handle, read_values(reader) if reader.left else None)
