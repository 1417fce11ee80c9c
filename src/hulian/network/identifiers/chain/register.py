"""The link that changes records: create, add, modify, remove, all three at once, delete, list, home and unhome, for who may."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Sequence
from typing import Final

import anyio.to_thread
import msgspec

from hulian.network.identifiers.chain.authority import Authority, is_governed
from hulian.network.identifiers.chain.contract import Asker, Link, reply
from hulian.network.identifiers.chain.plain import Plain, plain_of
from hulian.network.identifiers.metadata.check import Rules
from hulian.network.identifiers.metadata.errors import MetadataError, TemplateUnreachableError
from hulian.network.identifiers.store import (
    RecordChangedError,
    RecordExistsError,
    RecordStore,
    key_of,
    responsible,
    zero_na,
)
from hulian.network.identifiers.store.kinds import GRANT, RECORD
from hulian.network.identifiers.wire.bodies import (
    Body,
    ChangeRequest,
    Created,
    Empty,
    Failure,
    HandleList,
    HandleOnly,
    RemoveRequest,
    Values,
    read_body,
)
from hulian.network.identifiers.wire.codes import AdminPermission, OpCode, OpFlag, Permission, ResponseCode
from hulian.network.identifiers.wire.frame import Message
from hulian.network.identifiers.wire.limits import MAX_HANDLE, MAX_MESSAGE, MAX_VALUES
from hulian.network.identifiers.wire.typed.values import check
from hulian.network.identifiers.wire.values import Reference, Value, pack_values, unpack_values

__all__ = ["OPERATIONS", "Register"]

OPERATIONS: Final = frozenset(
    (
        OpCode.CREATE,
        OpCode.DELETE,
        OpCode.ADD_VALUES,
        OpCode.REMOVE_VALUES,
        OpCode.MODIFY_VALUES,
        OpCode.CHANGE_VALUES,
        OpCode.LIST_HANDLES,
        OpCode.LIST_DERIVED_PREFIXES,
        OpCode.HOME_PREFIX,
        OpCode.UNHOME_PREFIX,
        OpCode.LIST_HOMED_PREFIXES,
    )
)
_NODES_OWN: Final = frozenset((OpCode.HOME_PREFIX, OpCode.UNHOME_PREFIX, OpCode.LIST_HOMED_PREFIXES))
_CHANGES: Final = OPERATIONS - {OpCode.LIST_HANDLES, OpCode.LIST_DERIVED_PREFIXES, OpCode.LIST_HOMED_PREFIXES}
_TRIES: Final = 5
_RECORD: Final = MAX_MESSAGE - MAX_HANDLE - 256
"""Bytes of a record: with its handle and a credential it must fit into one answer."""

_PART: Final = 1_000
_ZERO_NA: Final = b"0.NA/"

_A = AdminPermission
_EDITING: Final = _A.ADD_VALUE | _A.MODIFY_VALUE | _A.REMOVE_VALUE
"""What a grant to edit can stand for; never what makes or deletes records, or changes who decides about them."""


class _RefusedError(Exception):
    """Why a change is not made."""

    def __init__(self, code: ResponseCode, message: str = "", indexes: tuple[int, ...] | None = None) -> None:
        super().__init__(message)
        self.code, self.indexes = code, indexes


class Register:
    """Changes the records of ``store`` for those whom ``authority`` lets, and hands everything else on.

    Each operation asks for the permission that the protocol names for it, and for those of administrators where an HS_ADMIN
    is touched. A value without admin-write cannot be changed by anybody; public-write is kept, but opens nothing to
    strangers. A ``read_only`` node, a mirror, says so. The server's clock stamps each value. An answer of success is given
    when the change is durable.
    """

    def __init__(self, store: RecordStore, authority: Authority, next_: Link, *, read_only: bool = False) -> None:
        self._store = store
        self._authority = authority
        self._next = next_
        self._rules = Rules(authority.templates)
        self._read_only = read_only

    @property
    def plain(self) -> Plain | None:
        """A plain question changes nothing."""
        return plain_of(self._next)

    async def answer(self, request: Message, asker: Asker) -> Message:
        """See `Link`."""
        if request.op_code not in OPERATIONS:
            return await self._next.answer(request, asker)
        if self._read_only and request.op_code in _CHANGES:
            return reply(request, ResponseCode.SERVER_READ_ONLY, "this is a mirror: changes are made at the primary site")
        if asker.who is None:
            return reply(request, ResponseCode.AUTHENTICATION_NEEDED)
        try:
            return await self._done(request, asker, asker.who, read_body(request))
        except _RefusedError as refused:
            return reply(request, refused.code, Failure(str(refused), refused.indexes), authoritative=True)

    async def _done(self, request: Message, asker: Asker, who: Reference, body: Body) -> Message:
        code = OpCode(request.op_code)
        if code in _NODES_OWN:
            return await self._node(request, who, body)
        handle = self._handle(body, code)
        if code in (OpCode.LIST_HANDLES, OpCode.LIST_DERIVED_PREFIXES):
            return await self._listed(request, asker, who, handle)
        if code is OpCode.CREATE and request.has(OpFlag.MINT_SUFFIX):
            handle += uuid.uuid4().hex.upper()
        if not responsible(self._store, key_of(handle)):
            raise _RefusedError(ResponseCode.NOT_RESPONSIBLE, f"this node does not answer for {handle}")
        for _ in range(_TRIES):
            packed = self._store.packed(key_of(handle))
            before = () if packed is None else unpack_values(packed)
            after, needed = _changed(request, body, handle, before if packed is not None else None)
            await self._may(who, handle, before, needed, after)
            after = await self._checked(before, after)
            try:
                await anyio.to_thread.run_sync(self._swap, handle, packed, after, str(who))
            except (RecordChangedError, RecordExistsError):
                continue
            minted = code is OpCode.CREATE and request.has(OpFlag.MINT_SUFFIX)
            done: Body = Created(handle if minted else None) if code is OpCode.CREATE else Empty()
            return reply(request, ResponseCode.SUCCESS, done, authoritative=True)
        raise _RefusedError(ResponseCode.SERVER_BUSY, f"{handle} is being changed by others all the time")

    async def _checked(self, before: Sequence[Value], after: tuple[Value, ...] | None) -> tuple[Value, ...] | None:
        """What is stored for ``after``: as its template has it. Raises for what breaks a rule of it."""
        try:
            checked = await self._rules.checked(before, after)
        except TemplateUnreachableError as error:
            raise _RefusedError(ResponseCode.SERVER_BUSY, f"{error.code}: {error.message}") from None
        except MetadataError as error:
            hint = f"; {error.hint}" if error.hint else ""
            place = f" at {error.place}" if error.place else ""
            told = f"{error.code}: {error.message}{place}{hint}"
            raise _RefusedError(ResponseCode.INVALID_VALUE, told, (error.index,) if error.index else None) from None
        return checked if checked is None or checked is after else _whole(checked)

    async def _as_stored(self, before: Sequence[Value], after: tuple[Value, ...]) -> tuple[Value, ...]:
        """``after`` as it would be stored; as it is where it breaks a rule, which only who may change it is told."""
        try:
            return await self._checked(before, after) or after
        except _RefusedError:
            return after

    def _swap(self, handle: str, before: bytes | None, after: tuple[Value, ...] | None, by: str) -> None:
        self._store.swap(handle, before, after, by=by)

    @staticmethod
    def _handle(body: Body, code: OpCode) -> str:
        if not isinstance(body, Values | ChangeRequest | HandleOnly | RemoveRequest) or not body.handle:
            raise _RefusedError(ResponseCode.PROTOCOL_ERROR, "no handle")
        handle = body.handle
        if "/" not in handle:
            handle = zero_na(handle).decode()
        prefix, _, suffix = handle.partition("/")
        if not prefix or not (suffix or code is OpCode.CREATE) or len(handle.encode()) > MAX_HANDLE - 32:
            raise _RefusedError(ResponseCode.INVALID_HANDLE, "a handle is a prefix, a slash and a suffix")
        return handle

    async def _may(
        self,
        who: Reference,
        handle: str,
        values: Sequence[Value],
        needed: AdminPermission,
        after: Sequence[Value] | None = None,
    ) -> None:
        """Raises unless ``who`` has each permission of ``needed``, or was granted every value that becomes another one."""
        granted = await self._authority.granted(who, handle, values)
        if needed & ~granted and is_governed(values):
            editing = after is not None and not needed & ~_EDITING
            if editing and await self._authority.may_edit(who, values, await self._as_stored(values, tuple(after or ()))):
                return
            raise _RefusedError(ResponseCode.NOT_PERMITTED, f"{who} was not granted this")
        if not granted:
            raise _RefusedError(ResponseCode.INVALID_ADMIN, f"{who} is no administrator of {handle}")
        if missing := needed & ~granted:
            names = ", ".join(str(one.name).lower().replace("_", " ") for one in AdminPermission if one & missing and one.name)
            raise _RefusedError(ResponseCode.NOT_PERMITTED, f"{who} lacks the permission to {names}")

    # -- lists and the node itself -------------------------------------------------------------------------------------

    async def _listed(self, request: Message, asker: Asker, who: Reference, handle: str) -> Message:
        """The handles below a prefix, or the prefixes derived from it, in parts of a thousand where the connection has them."""
        key = key_of(handle) if key_of(handle).startswith(_ZERO_NA) else zero_na(handle)
        if not responsible(self._store, key) and not self._store.homes(key):
            raise _RefusedError(ResponseCode.NOT_RESPONSIBLE, f"this node does not answer for {handle}")
        derived = request.op_code == OpCode.LIST_DERIVED_PREFIXES
        prefix = key.removeprefix(_ZERO_NA)
        await self._may(who, f"{prefix.decode()}/", (), _A.LIST_DERIVED_PREFIXES if derived else _A.LIST_HANDLES)
        above = (key + b".") if derived else (prefix + b"/")
        last = b""
        while True:
            found = await anyio.to_thread.run_sync(self._store.below, above, last, _PART)
            answer = reply(request, ResponseCode.SUCCESS, HandleList(tuple(found)), authoritative=True)
            if len(found) < _PART:
                return answer
            if asker.part is None:
                raise _RefusedError(ResponseCode.ERROR, f"more than {_PART} handles: ask over TCP")
            await asker.part(msgspec.structs.replace(answer, flags=answer.flags | OpFlag.CONTINUED))
            last = key_of(found[-1])

    async def _node(self, request: Message, who: Reference, body: Body) -> Message:
        if not self._authority.runs_the_node(who):
            raise _RefusedError(ResponseCode.INVALID_ADMIN, f"{who} is no administrator of this node")
        if request.op_code == OpCode.LIST_HOMED_PREFIXES:
            homed = HandleList(tuple(key.decode() for key in self._store.prefixes()))
            return reply(request, ResponseCode.SUCCESS, homed, authoritative=True)
        if not isinstance(body, HandleOnly) or not body.handle or not key_of(body.handle).startswith(_ZERO_NA):
            raise _RefusedError(ResponseCode.INVALID_HANDLE, "a prefix handle is needed, such as 0.NA/88.111.1")
        prefix = body.handle[len(_ZERO_NA) :]
        change = self._store.home if request.op_code == OpCode.HOME_PREFIX else self._store.unhome
        await anyio.to_thread.run_sync(lambda: change(prefix, by=str(who)))
        return reply(request, ResponseCode.SUCCESS, Empty(), authoritative=True)


# -- what an operation makes of a record, and what it needs --------------------------------------------------------------


def _changed(
    request: Message, body: Body, handle: str, before: tuple[Value, ...] | None
) -> tuple[tuple[Value, ...] | None, AdminPermission]:
    """The values after the operation (None: the record is deleted), and the permissions that it takes."""
    prefix = key_of(handle).startswith(_ZERO_NA)
    overwrite = request.has(OpFlag.OVERWRITE)
    if isinstance(body, Values) and request.op_code == OpCode.CREATE:
        needed = _A.ADD_DERIVED_PREFIX if prefix else _A.ADD_HANDLE
        if before is not None:
            if not overwrite:
                raise _RefusedError(ResponseCode.HANDLE_EXISTS, f"{handle} exists already")
            needed |= _A.DELETE_DERIVED_PREFIX if prefix else _A.DELETE_HANDLE
            _writable(before)
        return _whole(_stamped(body.values)), needed
    if before is None:
        raise _RefusedError(ResponseCode.HANDLE_NOT_FOUND, f"there is no {handle}")
    if isinstance(body, HandleOnly):
        return None, _A.DELETE_DERIVED_PREFIX if prefix else _A.DELETE_HANDLE
    there = {value.index: value for value in before}
    if isinstance(body, RemoveRequest):
        gone = [there[index] for index in body.indexes if index in there]
        if not gone:
            raise _RefusedError(ResponseCode.VALUES_NOT_FOUND, "none of these values is there")
        _writable(gone)
        left = tuple(value for value in before if value.index not in set(body.indexes))
        return left, _needed(gone, _A.REMOVE_VALUE, _A.REMOVE_ADMIN)
    if isinstance(body, ChangeRequest):
        return _exchanged(body, before)
    if not isinstance(body, Values):
        raise _RefusedError(ResponseCode.PROTOCOL_ERROR, "a body that this operation does not have")
    new = _stamped(body.values)
    old = [there[value.index] for value in new if value.index in there]
    if request.op_code == OpCode.MODIFY_VALUES:
        if missing := tuple(value.index for value in new if value.index not in there):
            raise _RefusedError(ResponseCode.VALUES_NOT_FOUND, "values that are not there", missing)
        needed = _needed([*old, *new], _A.MODIFY_VALUE, _A.MODIFY_ADMIN)
    else:
        if old and not overwrite:
            taken = tuple(value.index for value in old)
            raise _RefusedError(ResponseCode.VALUE_EXISTS, "values that are there already", taken)
        needed = _needed(new, _A.ADD_VALUE, _A.ADD_ADMIN)
        if old:
            needed |= _needed(old, _A.MODIFY_VALUE, _A.MODIFY_ADMIN)
    _writable(old)
    fresh = {value.index: value for value in new}
    kept = [fresh.pop(value.index, value) for value in before]
    return _whole((*kept, *fresh.values())), needed


def _exchanged(body: ChangeRequest, before: tuple[Value, ...]) -> tuple[tuple[Value, ...], AdminPermission]:
    """Values put and others removed: it takes what adding, modifying and removing them one by one would take.

    An index that is to be removed and is not there is as it should be.
    """
    there, new, removed = {value.index: value for value in before}, _stamped(body.values), set(body.removed)
    if both := tuple(value.index for value in new if value.index in removed):
        raise _RefusedError(ResponseCode.INVALID_VALUE, "values that are put and removed", both)
    gone = [there[index] for index in removed if index in there]
    if not new and not gone:
        raise _RefusedError(ResponseCode.VALUES_NOT_FOUND, "nothing is put, and none of the others is there")
    old = [there[value.index] for value in new if value.index in there]
    _writable([*gone, *old])
    needed = _needed(gone, _A.REMOVE_VALUE, _A.REMOVE_ADMIN)
    for value in new:
        if value.index in there:
            needed |= _needed((there[value.index], value), _A.MODIFY_VALUE, _A.MODIFY_ADMIN)
        else:
            needed |= _needed((value,), _A.ADD_VALUE, _A.ADD_ADMIN)
    fresh = {value.index: value for value in new}
    kept = [fresh.pop(value.index, value) for value in before if value.index not in removed]
    return _whole((*kept, *fresh.values())), needed


def _needed(values: Iterable[Value], plain: AdminPermission, administrators: AdminPermission) -> AdminPermission:
    """What names administrators, grants values, or names the template that does, is for who may change administrators."""
    needed = AdminPermission(0)
    for value in values:
        needed |= administrators if value.type == "HS_ADMIN" or value.type.upper() in (GRANT, RECORD) else plain
    return needed


def _writable(values: Iterable[Value]) -> None:
    fixed = tuple(value.index for value in values if not value.permissions & Permission.ADMIN_WRITE)
    if fixed:
        raise _RefusedError(ResponseCode.NOT_PERMITTED, "values that not even administrators write", fixed)


def _stamped(values: tuple[Value, ...]) -> tuple[Value, ...]:
    """Values with the time of now. Raises for indexes that come twice or cannot be, and data that are not what they say."""
    seen: set[int] = set()
    for value in values:
        if value.index <= 0 or value.index in seen:
            why = "comes twice" if value.index in seen else "is not positive"
            raise _RefusedError(ResponseCode.INVALID_VALUE, f"index {value.index} {why}", (value.index,))
        seen.add(value.index)
        if (error := check(value)) is not None:
            raise _RefusedError(ResponseCode.INVALID_VALUE, f"{value.type}: {error.message} ({error.code})", (value.index,))
    now = int(time.time())
    return tuple(msgspec.structs.replace(value, timestamp=now) for value in values)


def _whole(values: tuple[Value, ...]) -> tuple[Value, ...]:
    if len(values) > MAX_VALUES or len(pack_values(values)) > _RECORD:
        raise _RefusedError(ResponseCode.INVALID_VALUE, f"a record of more than {MAX_VALUES} values or {_RECORD} bytes")
    return values
