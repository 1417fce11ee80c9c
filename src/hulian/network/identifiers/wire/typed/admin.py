"""HS_ADMIN: who may administer a handle, and how far."""

from __future__ import annotations

import msgspec

from hulian.network.identifiers.wire import fields
from hulian.network.identifiers.wire.codes import AdminPermission
from hulian.network.identifiers.wire.reader import Reader
from hulian.network.identifiers.wire.values import Reference

__all__ = ["Admin"]


class Admin(msgspec.Struct, frozen=True):
    """An administrator: handle and index of a key, or of an HS_VLIST of administrators; ``permissions`` of `AdminPermission`.

    ``tail`` holds the two spare bytes that old records end with.

    >>> Admin.unpack(bytes.fromhex("0fff 0000000e 38382e3131312e312f41444d494e 0000012c"))
    Admin(handle='88.111.1/ADMIN', index=300, permissions=4095, tail=b'')
    """

    handle: str
    index: int
    permissions: int = AdminPermission.ALL.value
    tail: bytes = b""

    @property
    def reference(self) -> Reference:
        return Reference(self.handle, self.index)

    def allows(self, permission: AdminPermission) -> bool:
        """Whether every bit of ``permission`` is set."""
        return self.permissions & permission == permission

    def pack(self) -> bytes:
        return fields.u16(self.permissions) + fields.handle(self.handle) + fields.i32(self.index) + self.tail

    @classmethod
    def unpack(cls, data: bytes) -> Admin:
        reader = Reader(data, "an HS_ADMIN")
        permissions, handle, index = reader.u16(), reader.handle(), reader.i32()
        tail = reader.raw(2) if reader.left == 2 else b""
        reader.done()
        return cls(handle, index, permissions, tail)
