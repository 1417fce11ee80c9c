"""Who may do what to a record: HS_ADMIN values, of the record and of its prefix, and the groups that they name."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

from hulian.network.identifiers.chain.lookup import Lookup
from hulian.network.identifiers.metadata.check import named_template
from hulian.network.identifiers.metadata.errors import MetadataError
from hulian.network.identifiers.metadata.grants import Granted, Right, grantable, granted_by
from hulian.network.identifiers.metadata.templates import Templates
from hulian.network.identifiers.store import key_of, zero_na
from hulian.network.identifiers.store.kinds import GRANT, RECORD
from hulian.network.identifiers.wire.codes import AdminPermission, Permission
from hulian.network.identifiers.wire.errors import WireError
from hulian.network.identifiers.wire.typed.admin import Admin
from hulian.network.identifiers.wire.typed.references import ValueList
from hulian.network.identifiers.wire.values import Reference, Value

__all__ = ["Authority", "is_governed"]

_ZERO_NA: Final = b"0.NA/"
_DERIVED: Final = AdminPermission.ADD_DERIVED_PREFIX | AdminPermission.DELETE_DERIVED_PREFIX
_DEEPEST: Final = 10
_MOST_GROUPS: Final = 1_000
"""Handles that are looked at for groups within a group; the members of one group are all compared."""


_MOST_GRANTED: Final = 256
"""Whom a record grants something that are looked at as groups, of which each may be a question to another node; all are
compared with the asker."""


class Authority:
    """Finds what an asker may do to a handle.

    It is the sum of what the HS_ADMIN values of the record give, and what those of its prefix's record give. The record of a
    prefix ``0.NA/a.b`` belongs to who may derive prefixes from ``0.NA/a``: that is all that the administrators of ``a`` may do
    to it. ``administrators`` of this node may do everything; they are how a node gets its first records.
    """

    def __init__(self, lookup: Lookup, administrators: Iterable[Reference] = (), templates: Templates | None = None) -> None:
        self.lookup = lookup
        self.templates = templates or Templates(lookup)
        self._administrators = tuple(administrators)

    def runs_the_node(self, who: Reference | None) -> bool:
        """Whether ``who`` is an administrator of this node itself."""
        return who is not None and any(_same(who, known) for known in self._administrators)

    async def granted(self, who: Reference, handle: str, values: Sequence[Value]) -> AdminPermission:
        """What ``who`` may do to ``handle``, whose record holds ``values`` (none: there is no record yet)."""
        if self.runs_the_node(who):
            return AdminPermission.ALL | AdminPermission.LIST_DERIVED_PREFIXES
        granted = await self._of(who, values)
        key = key_of(handle)
        if not key.startswith(_ZERO_NA):
            granted |= await self._of(who, await self.lookup.values(zero_na(key).decode(), ("HS_ADMIN",)))
        elif above := parent(key):
            granted |= await self._of(who, await self.lookup.values(above, ("HS_ADMIN",))) & _DERIVED
        return granted

    # -- value by value ------------------------------------------------------------------------------------------------

    async def readable(self, who: Reference | None, handle: str, values: Sequence[Value]) -> set[int]:
        """The indexes of those of ``values``, the whole record of ``handle``, that ``who`` may read."""
        public = {value.index for value in values if value.public_read}
        private = [value for value in values if not value.public_read and value.admin_read]
        if who is None or not private:
            return public
        if await self.granted(who, handle, values) & AdminPermission.READ_VALUE:
            return public | {value.index for value in private}
        return public | await self.may_read(who, values)

    async def may_read(self, who: Reference, values: Sequence[Value]) -> set[int]:
        """The indexes of those private ones of ``values``, a whole record, that are granted to ``who``."""
        if not is_governed(values):
            return set()
        private = [value for value in values if not value.public_read and value.admin_read and grantable(value)]
        granted = await self._grants(who, values, "read")
        return {value.index for value in private if any(one.covers(value) for one in granted)}

    async def may_edit(self, who: Reference, before: Sequence[Value], after: Sequence[Value]) -> bool:
        """Whether ``who`` was granted each value that ``after`` has in another form than ``before``, both whole records.

        Permissions and types of what is there stay, and what decides about others is not granted. What everyone may write
        (public-write, in a record that names a template or grants something) is changed, but neither added nor removed.
        """
        if not is_governed(before):
            return False
        old, new = {value.index: value for value in before}, {value.index: value for value in after}
        touched = [(old.get(index), new.get(index)) for index in old.keys() | new.keys() if old.get(index) != new.get(index)]
        granted: list[Granted] | None = None
        for was, now in touched:
            if not all(grantable(value) for value in (was, now) if value is not None):
                return False
            if was is not None and now is not None:
                if (was.type, was.permissions) != (now.type, now.permissions):
                    return False
                if was.permissions & Permission.PUBLIC_WRITE:
                    continue
            if granted is None:
                granted = await self._grants(who, before, "edit")
            if not all(any(one.covers(value) for one in granted) for value in (was, now) if value is not None):
                return False
        return bool(touched)

    async def _grants(self, who: Reference, values: Sequence[Value], right: Right) -> list[Granted]:
        """What the record of ``values`` and its template grant to ``who``. Without its template a record grants what it says
        itself."""
        template = None
        try:
            if (reference := named_template(values)) is not None:
                template = await self.templates.template(reference)
        except MetadataError:
            pass
        judged: dict[Reference, bool] = {}
        found = []
        for one in granted_by(values, template, right):
            if one.who not in judged:
                known = _same(who, one.who)
                judged[one.who] = known or (len(judged) < _MOST_GRANTED and await self._is(who, one.who))
            if judged[one.who]:
                found.append(one)
        return found

    async def _of(self, who: Reference, values: Iterable[Value]) -> AdminPermission:
        granted = AdminPermission(0)
        for value in values:
            if value.type == "HS_ADMIN" and (admin := _admin(value)) and await self._is(who, admin.reference):
                granted |= AdminPermission(admin.permissions & 0x1FFF)
        return granted

    async def _is(self, who: Reference, administrator: Reference) -> bool:
        """Whether ``who`` is the administrator, or in the group that it names, or in a group of that group."""
        if _same(who, administrator):
            return True
        seen: set[tuple[bytes, int]] = set()
        waiting = deque([(administrator, 0)])
        while waiting and len(seen) < _MOST_GROUPS:
            reference, depth = waiting.popleft()
            name = (key_of(reference.handle), reference.index)
            if name in seen or depth > _DEEPEST:
                continue
            seen.add(name)
            for value in await self.lookup.values(reference.handle, ("HS_VLIST",)):
                if value.index == reference.index or not reference.index:
                    members = _members(value)
                    if any(_same(who, member) for member in members):
                        return True
                    waiting += [(member, depth + 1) for member in members[: _MOST_GROUPS - len(waiting)]]
        return False


def is_governed(values: Iterable[Value]) -> bool:
    """Whether a record says, or its template may say, who else may read or edit its values."""
    return any(value.type in (GRANT, RECORD) for value in values)


def parent(key: bytes) -> str:
    """The handle of the prefix that ``key``, a prefix handle, is derived from; of a first one it is the root's.

    >>> parent(b"0.NA/88.111.1"), parent(b"0.NA/88"), parent(b"0.NA/0.NA")
    ('0.NA/88.111', '0.NA/0.NA', '')
    """
    if key == b"0.NA/0.NA":
        return ""
    above = key.removeprefix(_ZERO_NA).rpartition(b".")[0]
    return f"0.NA/{above.decode() or '0.NA'}"


def _same(who: Reference, wanted: Reference) -> bool:
    """An index of 0 stands for any key of the handle."""
    return key_of(who.handle) == key_of(wanted.handle) and wanted.index in (0, who.index)


def _admin(value: Value) -> Admin | None:
    try:
        return Admin.unpack(value.data)
    except WireError:
        return None


def _members(value: Value) -> tuple[Reference, ...]:
    try:
        return ValueList.unpack(value.data).references
    except WireError:
        return ()
