"""Bodies that name handles, and bodies of answers that say little: delete, remove, list, home, get-site, created, error."""

from __future__ import annotations

import msgspec

from hulian.network.identifiers.wire import fields
from hulian.network.identifiers.wire.limits import MAX_VALUES
from hulian.network.identifiers.wire.reader import Reader
from hulian.network.identifiers.wire.typed.site import Site

__all__ = ["Created", "Empty", "Failure", "HandleList", "HandleOnly", "RemoveRequest", "SiteAnswer"]


class Empty(msgspec.Struct, frozen=True):
    """No body: the answer to most changes, and to the login of the Chinese dialect. What a server puts there anyway is kept."""

    rest: bytes = b""

    def pack(self) -> bytes:
        return self.rest

    @classmethod
    def read(cls, reader: Reader) -> Empty:
        return cls(reader.rest())


class HandleOnly(msgspec.Struct, frozen=True):
    """One handle: delete, list handles, list derived prefixes, home, unhome, list homed, get-site, terminate, backup.

    Where nothing is named (list homed, get-site, terminate) senders write ``/``, or leave the body empty: then it is None.
    """

    handle: str | None

    def pack(self) -> bytes:
        return b"" if self.handle is None else fields.handle(self.handle)

    @classmethod
    def read(cls, reader: Reader) -> HandleOnly:
        return cls(reader.handle() if reader.left else None)


class RemoveRequest(msgspec.Struct, frozen=True):
    """Which values of a handle are to be removed."""

    handle: str
    indexes: tuple[int, ...]

    def pack(self) -> bytes:
        return fields.handle(self.handle) + fields.indexes(self.indexes)

    @classmethod
    def read(cls, reader: Reader) -> RemoveRequest:
        return cls(reader.handle(), tuple([reader.i32() for _ in range(reader.count(4, MAX_VALUES))]))


class Created(msgspec.Struct, frozen=True):
    """The answer to create: the handle, where the server minted its suffix or says it anyway; else None and no body."""

    handle: str | None = None

    def pack(self) -> bytes:
        return b"" if self.handle is None else fields.handle(self.handle)

    @classmethod
    def read(cls, reader: Reader) -> Created:
        return cls(reader.handle() if reader.left else None)


class HandleList(msgspec.Struct, frozen=True):
    """Handles: the answer to list handles, list derived prefixes and list homed prefixes."""

    handles: tuple[str, ...]

    def pack(self) -> bytes:
        return fields.i32(len(self.handles)) + b"".join([fields.handle(handle) for handle in self.handles])

    @classmethod
    def read(cls, reader: Reader) -> HandleList:
        return cls(tuple([reader.handle() for _ in range(reader.count(4))]))


class SiteAnswer(msgspec.Struct, frozen=True):
    """The answer to get-site: a site record as HS_SITE has it.

    ``counted`` says that its length stands in front, as some readers of DO-IRP 3.0 expect; 2.x has none. The two cannot be
    confused, because the format of a record is never 0.
    """

    site: Site
    counted: bool = False

    def pack(self) -> bytes:
        return fields.binary(self.site.pack()) if self.counted else self.site.pack()

    @classmethod
    def read(cls, reader: Reader) -> SiteAnswer:
        head = reader.data[reader.at : reader.at + 4]
        counted = head[:2] == b"\0\0" and int.from_bytes(head, "big") == reader.left - 4
        if counted:
            reader.skip(4)
        return cls(Site.read(reader), counted)


class Failure(msgspec.Struct, frozen=True):
    """What an error answer says: a message for people, and in DO-IRP 3.0 the indexes of the values that it is about.

    ``message`` is None where the body is empty, ``indexes`` is None where the body ends behind the message.
    """

    message: str | None = ""
    indexes: tuple[int, ...] | None = None

    def pack(self) -> bytes:
        if self.message is None:
            return b""
        return fields.text(self.message) + (b"" if self.indexes is None else fields.indexes(self.indexes))

    @classmethod
    def read(cls, reader: Reader) -> Failure:
        if not reader.left:
            return cls(None)
        message = reader.text()
        if not reader.left:
            return cls(message)
        return cls(message, tuple([reader.i32() for _ in range(reader.count(4, MAX_VALUES))]))
