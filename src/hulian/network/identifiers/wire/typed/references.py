"""HS_VLIST: a list of values of other handles; HS_SERV, HS_SERV.PREFIX and HS_ALIAS: a handle as text."""

from __future__ import annotations

import msgspec

from hulian.network.identifiers.wire import fields
from hulian.network.identifiers.wire.errors import EncodeError, LimitError, TextError
from hulian.network.identifiers.wire.limits import MAX_HANDLE
from hulian.network.identifiers.wire.reader import Reader
from hulian.network.identifiers.wire.values import Reference

__all__ = ["HandleText", "ValueList"]


class ValueList(msgspec.Struct, frozen=True):
    """The references of an HS_VLIST, in order. Who follows them must expect loops."""

    references: tuple[Reference, ...]

    def pack(self) -> bytes:
        return fields.i32(len(self.references)) + b"".join(
            [fields.handle(reference.handle) + fields.i32(reference.index) for reference in self.references]
        )

    @classmethod
    def unpack(cls, data: bytes) -> ValueList:
        reader = Reader(data, "an HS_VLIST")
        found = tuple([Reference(reader.handle(), reader.i32()) for _ in range(reader.count(8))])
        reader.done()
        return cls(found)


class HandleText(msgspec.Struct, frozen=True):
    """The handle that an HS_SERV or HS_ALIAS names. Who follows it must expect loops."""

    handle: str

    def pack(self) -> bytes:
        raw = fields.handle(self.handle)[4:]
        if not raw:
            raise EncodeError("an empty handle", place="an HS_SERV or HS_ALIAS")
        return raw

    @classmethod
    def unpack(cls, data: bytes) -> HandleText:
        if not 0 < len(data) <= MAX_HANDLE:
            raise LimitError(f"a handle of {len(data)} bytes", place="an HS_SERV or HS_ALIAS", offset=0)
        try:
            return cls(data.decode())
        except UnicodeDecodeError as error:
            raise TextError(f"not UTF-8: {error.reason}", place="an HS_SERV or HS_ALIAS", offset=error.start) from None
