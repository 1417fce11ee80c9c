"""``/identity/token`` and ``/identityv2/data``: the interface of the national system's second-level nodes.

Every answer is HTTP 200 with ``status`` (1 done, -1 not logged in, -2 not done, -3 forbidden, -4 our fault), ``message`` and
``data``, as its clients expect it. What is asked goes through the same chain as over every other protocol.
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
from collections.abc import Sequence
from typing import Any, Final

import anyio
import anyio.to_thread
import msgspec
import structlog

from hulian.kernel.errors import HulianError
from hulian.kernel.unreadable import UNREADABLE
from hulian.network.identifiers.provisioning.logins import Logins
from hulian.network.identifiers.store import RecordStore, key_of, responsible
from hulian.network.identifiers.transport.rest.answers import Answer
from hulian.network.identifiers.transport.rest.asking import Put, asked
from hulian.network.identifiers.transport.rest.attempts import Attempts
from hulian.network.identifiers.transport.rest.contract import Node
from hulian.network.identifiers.transport.rest.errors import RestError
from hulian.network.identifiers.transport.rest.proving import Prover
from hulian.network.identifiers.transport.rest.provisioning import attributes
from hulian.network.identifiers.transport.rest.provisioning.attributes import TEMPLATE, UnfitError
from hulian.network.identifiers.transport.rest.provisioning.tokens import Held, Tokens, bearer
from hulian.network.identifiers.transport.rest.requests import Request, read_body
from hulian.network.identifiers.transport.rest.sessions import Sessions
from hulian.network.identifiers.wire.bodies import Body, HandleOnly, ResolveRequest, Values
from hulian.network.identifiers.wire.codes import AdminPermission, OpCode, OpFlag, ResponseCode, response_text
from hulian.network.identifiers.wire.errors import WireError
from hulian.network.identifiers.wire.values import Reference, Value, pack_values

__all__ = ["Routes"]

MOST: Final = 2_000
"""Records of one batch."""

_BATCH: Final = 16 << 20
_AT_ONCE: Final = 4
_LONGEST_PASSWORD: Final = 1_024
_DONE, _LOGGED_OUT, _REFUSED, _FORBIDDEN, _FAILED = 1, -1, -2, -3, -4
_KINDS: Final = {
    ResponseCode.INVALID_ADMIN: _FORBIDDEN,
    ResponseCode.NOT_PERMITTED: _FORBIDDEN,
    ResponseCode.AUTHENTICATION_NEEDED: _FORBIDDEN,
    ResponseCode.SERVER_READ_ONLY: _FORBIDDEN,
    ResponseCode.ERROR: _FAILED,
}
_log = structlog.get_logger(__name__)


class _Login(msgspec.Struct, frozen=True):
    username: str
    password: str


class _Data(msgspec.Struct, frozen=True):
    value: str
    format: str = "string"


class _Item(msgspec.Struct, frozen=True):
    index: int
    type: str
    data: _Data
    auth: str | int | None = None


class _Record(msgspec.Struct, frozen=True, rename="camel"):
    handle: str
    value: list[_Item]
    template_version: str


class _Named(msgspec.Struct, frozen=True):
    handle: str


class _RefusedError(Exception):
    """Why something is not done, with its status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Routes:
    """The interface of one node. Tokens live for 24 hours, in this process."""

    def __init__(self, node: Node, prover: Prover, sessions: Sessions) -> None:
        self._node = node
        self._tokens = Tokens()
        self._attempts = Attempts()
        self._logins = Logins(node.store.registry) if node.store is not None else None
        self._batches = 0

    async def answer(self, request: Request) -> Answer:
        """Every request below ``/identity`` and ``/identityv2``."""
        routes = {
            ("POST", "/identity/token"): self._login,
            ("POST", "/identity/token/v1"): self._login_by_digest,
            ("GET", "/identityv2/data/detail"): self._detail,
            ("POST", "/identityv2/data"): self._create,
            ("PUT", "/identityv2/data"): self._update,
            ("DELETE", "/identityv2/data"): self._delete,
            ("POST", "/identityv2/data/batchCreate"): self._batch,
        }
        route = routes.get((request.method, request.path.rstrip("/")))
        try:
            if route is None:
                raise _RefusedError(_REFUSED, f"there is no {request.method} {request.path[:100]}")
            if not request.secure:
                raise _RefusedError(_LOGGED_OUT, "passwords and tokens are taken over https only")
            return _said(_DONE, "success", await route(request))
        except _RefusedError as error:
            return _said(error.status, str(error))
        except UnfitError as error:
            return _said(_REFUSED, str(error))
        except RestError as error:
            return _said(_FAILED if error.status >= 500 else _REFUSED, f"{error.message} ({error.code})")
        except HulianError as error:
            _log.warning("a request of the second-level interface was not done", reason=str(error))
            return _said(_FAILED, f"{error.message} ({error.code})")

    # -- who asks ------------------------------------------------------------------------------------------------------

    async def _login(self, request: Request) -> dict[str, str]:
        """A token for a login and its password, or for an identity of this node and its secret key."""
        given = await self._given(request)
        if "/" not in given.username:
            logins = self._logged()
            found = await anyio.to_thread.run_sync(logins.verify, given.username, given.password)
            if found is not None:
                stamp = found.password_hash.encode()
                return {"token": self._tokens.give(Held(found.who, found.name, stamp))}
        else:
            for value in await self._secrets(given.username):
                if hmac.compare_digest(value.data, given.password.encode()):
                    return self._gave(given.username, value)
        self._attempts.failed(request.source)
        raise _RefusedError(_REFUSED, "the name or the password is wrong")

    async def _login_by_digest(self, request: Request) -> dict[str, str]:
        """The same by SHA-256(hex(SHA-256(password)) + date). Only the secret key of an identity can be compared with it: of
        a login the password is not kept, nor what would do in its place."""
        given = await self._given(request)
        if "/" not in given.username:
            raise _RefusedError(
                _LOGGED_OUT, "this digest cannot be compared with a password that is not kept: POST /identity/token"
            )
        for value in await self._secrets(given.username):
            inner = hashlib.sha256(value.data).hexdigest()
            for day in _days():
                wanted = hashlib.sha256(f"{inner}{day}".encode()).hexdigest()
                if hmac.compare_digest(wanted.encode(), given.password.lower().encode()):
                    return self._gave(given.username, value)
        self._attempts.failed(request.source)
        raise _RefusedError(_REFUSED, "the name or the password is wrong")

    async def _given(self, request: Request) -> _Login:
        self._attempts.check(request.source)
        given: _Login = _read(await read_body(request, 8 * _LONGEST_PASSWORD), _Login)
        if not given.password or len(given.password) > _LONGEST_PASSWORD or len(given.username) > attributes.LONGEST_HANDLE:
            raise _RefusedError(_REFUSED, "the name or the password is wrong")
        return given

    async def _secrets(self, name: str) -> list[Value]:
        """The secret keys that stand under ``name`` (a handle, or index:handle) at this node."""
        who = Reference.parse(name)
        authority = self._node.authority
        if authority is None or not authority.lookup.here(who.handle):
            return []
        values = await authority.lookup.values(who.handle, ("HS_SECKEY",))
        return [value for value in values if value.data and who.index in (0, value.index)][:32]

    def _gave(self, name: str, value: Value) -> dict[str, str]:
        who = Reference(Reference.parse(name).handle, value.index)
        return {"token": self._tokens.give(Held(who, str(who), hashlib.sha256(value.data).digest()))}

    async def _who(self, request: Request) -> Reference:
        """Whose token it is, while their password or key is the one that they logged in with."""
        token = bearer(request.headers.get("authorization", ""))
        held = self._tokens.find(token) if token else None
        if held is None:
            raise _RefusedError(_LOGGED_OUT, "not logged in, or the token is over")
        if "/" in held.name:
            stamps = [hashlib.sha256(value.data).digest() for value in await self._secrets(held.name)]
        else:
            found = await anyio.to_thread.run_sync(self._logged().find, held.name)
            stamps = [] if found is None else [found.password_hash.encode()]
        if held.stamp not in stamps:
            self._tokens.end(token)
            raise _RefusedError(_LOGGED_OUT, "the password was changed: log in again")
        return held.who

    def _logged(self) -> Logins:
        if self._logins is None:
            raise _RefusedError(_FORBIDDEN, "this node keeps no records of its own")
        return self._logins

    # -- records -------------------------------------------------------------------------------------------------------

    async def _detail(self, request: Request) -> dict[str, Any]:
        who = await self._who(request)
        handle = attributes.named(request.text("handle"))
        question = ResolveRequest(handle)
        found = await self._asked(OpCode.RESOLVE, question, request, who)
        if not found.done and _KINDS.get(ResponseCode(found.code)) == _FORBIDDEN:
            found = await self._asked(OpCode.RESOLVE, question, request, who, OpFlag.PUBLIC_ONLY)
        values = self._done(found).values
        version = attributes.template_of(values)
        shown = [_shown(TEMPLATE, "TEMPLATE", version)] if version else []
        shown += [_shown(value.index, value.type, text) for value, text in attributes.attributes_of(values)]
        prefix = handle.partition("/")[0]
        return {"prefix": prefix, "handle": handle, "templateVersion": version, "value": shown}

    async def _create(self, request: Request) -> bool:
        who = await self._who(request)
        sent = _read(await read_body(request), _Record)
        self._done(await self._asked(OpCode.CREATE, Values(attributes.named(sent.handle), _values(sent)), request, who))
        return True

    async def _update(self, request: Request) -> bool:
        """The values that are sent stand in the place of those with the same index; others stay."""
        who = await self._who(request)
        sent = _read(await read_body(request), _Record)
        body = Values(attributes.named(sent.handle), _values(sent))
        self._done(await self._asked(OpCode.ADD_VALUES, body, request, who, OpFlag.OVERWRITE))
        return True

    async def _delete(self, request: Request) -> bool:
        who = await self._who(request)
        sent = _read(await read_body(request), _Named)
        self._done(await self._asked(OpCode.DELETE, HandleOnly(attributes.named(sent.handle)), request, who))
        return True

    async def _batch(self, request: Request) -> list[dict[str, str]]:
        """New records, in one transaction; those that cannot be made are told, and do no harm to the others."""
        who = await self._who(request)
        if self._batches >= _AT_ONCE:
            raise _RefusedError(_FAILED, f"{_AT_ONCE} batches are being written: try again")
        self._batches += 1
        try:
            sent = _read(await read_body(request, _BATCH), list[_Record])
            if len(sent) > MOST:
                raise _RefusedError(_REFUSED, f"{len(sent)} records, where a batch has {MOST} at the most")
            return await self._made(who, sent)
        finally:
            self._batches -= 1

    async def _made(self, who: Reference, sent: Sequence[_Record]) -> list[dict[str, str]]:
        store = self._store()
        told = [{"handle": one.handle[: attributes.LONGEST_HANDLE], "msg": "success"} for one in sent]
        may: dict[str, str] = {}
        places: dict[bytes, int] = {}
        packed: list[bytes] = []
        for place, one in enumerate(sent):
            try:
                handle = attributes.named(one.handle)
                prefix = handle.partition("/")[0]
                if prefix not in may:
                    may[prefix] = await self._refusal(who, prefix)
                if may[prefix]:
                    raise UnfitError(may[prefix])
                if key_of(handle) in places:
                    raise UnfitError("it comes twice")
                values = pack_values(_values(one))
            except UnfitError as error:
                told[place]["msg"] = str(error)
                continue
            places[key_of(handle)] = place
            packed.append(values)
        keys, handles = list(places), [sent[place].handle for place in places.values()]
        there = await anyio.to_thread.run_sync(lambda: store.create_packed(handles, keys, packed, by=str(who)))
        for position in there:
            told[places[keys[position]]]["msg"] = "it exists already"
        return told

    async def _refusal(self, who: Reference, prefix: str) -> str:
        """Why ``who`` may not add handles under ``prefix``; empty where they may."""
        if not responsible(self._store(), key_of(f"{prefix}/")) or self._node.authority is None:
            return f"this node does not answer for {prefix}"
        granted = await self._node.authority.granted(who, f"{prefix}/", ())
        return "" if granted & AdminPermission.ADD_HANDLE else f"{who} may not add handles under {prefix}"

    async def _asked(self, code: OpCode, body: Body, request: Request, who: Reference, flags: OpFlag | int = 0) -> Put:
        try:
            return await asked(self._node, code, body, who=who, source=request.source, flags=flags)
        except WireError as error:
            raise UnfitError(error.message) from error

    @staticmethod
    def _done(found: Put) -> Values:
        """The values of the answer, where it is a success."""
        if not found.done:
            status = _KINDS.get(ResponseCode(found.code), _REFUSED)
            raise _RefusedError(status, found.message or response_text(found.code))
        return found.body if isinstance(found.body, Values) else Values("", ())

    def _store(self) -> RecordStore:
        if self._node.store is None:
            raise _RefusedError(_FORBIDDEN, "this node takes no changes")
        return self._node.store


def _values(sent: _Record) -> tuple[Value, ...]:
    if not 0 < len(sent.value) <= attributes.MOST:
        raise UnfitError(f"a record has 1 to {attributes.MOST} attributes")
    found = [attributes.template(sent.template_version)]
    for one in sent.value:
        if one.data.format != "string":
            raise UnfitError("the format of data is string")
        found.append(attributes.attribute(one.index, one.type, one.data.value))
    if len({value.index for value in found}) != len(found):
        raise UnfitError("an index comes twice")
    return tuple(found)


def _shown(index: int, kind: str, text: str) -> dict[str, Any]:
    return {"auth": "", "index": index, "type": kind, "data": {"format": "string", "value": text}}


def _read(body: bytes, kind: Any) -> Any:
    try:
        return msgspec.json.decode(body, type=kind)
    except UNREADABLE as error:
        raise _RefusedError(_REFUSED, f"it cannot be read: {error}") from None


def _days() -> tuple[str, str]:
    """Today, as clients in China and those that count in UTC write it."""
    now = datetime.datetime.now(datetime.UTC)
    return tuple((now + datetime.timedelta(hours=hours)).strftime("%Y-%m-%d") for hours in (8, 0))  # type: ignore[return-value]


def _said(status: int, message: str, data: Any = None) -> Answer:
    body = msgspec.json.encode({"status": status, "message": message, "data": data})
    return Answer(body=body, headers=(("cache-control", "no-store"),))
