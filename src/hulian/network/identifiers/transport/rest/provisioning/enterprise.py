"""``/api/v1/doip``: the interface of the national system's enterprise nodes, digital objects over HTTP.

Every answer is HTTP 200 with ``code`` (1 done), ``message`` and ``data``, as its clients expect it. What is asked goes through
the same chain as over every other protocol.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import structlog

from hulian.kernel.errors import HulianError
from hulian.kernel.unreadable import UNREADABLE
from hulian.network.identifiers.chain.lookup import Lookup
from hulian.network.identifiers.store import key_of
from hulian.network.identifiers.transport.rest.answers import Answer
from hulian.network.identifiers.transport.rest.asking import Put, asked
from hulian.network.identifiers.transport.rest.attempts import Attempts
from hulian.network.identifiers.transport.rest.contract import Node
from hulian.network.identifiers.transport.rest.errors import RestError
from hulian.network.identifiers.transport.rest.proving import Prover
from hulian.network.identifiers.transport.rest.provisioning import attributes
from hulian.network.identifiers.transport.rest.provisioning.applications import network_of
from hulian.network.identifiers.transport.rest.provisioning.attributes import FIRST, UnfitError
from hulian.network.identifiers.transport.rest.provisioning.tokens import JsonWebTokens, Nonces, bearer
from hulian.network.identifiers.transport.rest.requests import Request, read_body
from hulian.network.identifiers.transport.rest.sessions import Sessions
from hulian.network.identifiers.wire import sm2
from hulian.network.identifiers.wire.authentication.signers import verify
from hulian.network.identifiers.wire.bodies import Body, HandleOnly, RemoveRequest, ResolveRequest, Values
from hulian.network.identifiers.wire.codes import OpCode, OpFlag, ResponseCode, response_text
from hulian.network.identifiers.wire.errors import WireError
from hulian.network.identifiers.wire.typed.keys import PublicKey
from hulian.network.identifiers.wire.values import Reference, Value

__all__ = ["Routes"]

PATH: Final = "/api/v1/doip"
_PUBLIC: Final = f"{PATH}/public"
_MOST_KEYS: Final = 32
_LONGEST_SIGNATURE: Final = 4_096

DONE, UNPROVED, ABSENT, THERE, UNREADABLE_INPUT = 1, 102, 104, 105, 106
UNKNOWN_OPERATION, UNSUPPORTED, MAY_NOT_READ, MAY_NOT_EDIT, MAY_NOT_DELETE = 404, 405, 403, 406, 700
NOT_LOGGED_IN, OUR_FAULT, NOT_OURS = 401, 500, 701
_CODES: Final = {
    ResponseCode.HANDLE_NOT_FOUND: ABSENT,
    ResponseCode.HANDLE_EXISTS: THERE,
    ResponseCode.NOT_RESPONSIBLE: NOT_OURS,
    ResponseCode.PREFIX_REFERRAL: NOT_OURS,
    ResponseCode.SERVICE_REFERRAL: NOT_OURS,
    ResponseCode.ERROR: OUR_FAULT,
    ResponseCode.SERVER_BUSY: OUR_FAULT,
}
_FORBIDDEN: Final = frozenset((ResponseCode.INVALID_ADMIN, ResponseCode.NOT_PERMITTED, ResponseCode.AUTHENTICATION_NEEDED))
_log = structlog.get_logger(__name__)

Scalar = str | int | float | bool


class _Response(msgspec.Struct, frozen=True):
    handle: str
    signature: str


class _Attributes(msgspec.Struct, frozen=True):
    content: dict[str, Scalar]


class _Object(msgspec.Struct, frozen=True):
    """``type`` is the handle of the template, ``content`` the attributes by name."""

    type: str
    attributes: _Attributes


class _RefusedError(Exception):
    """Why something is not done, with its code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Routes:
    """The interface of one node, which signs its tokens with its own key."""

    def __init__(self, node: Node, prover: Prover, sessions: Sessions) -> None:
        self._node = node
        self._nonces = Nonces()
        self._attempts = Attempts()
        self._tokens = JsonWebTokens(node.signing) if node.signing is not None else None

    async def answer(self, request: Request) -> Answer:
        """Every request below `PATH`."""
        path, method = request.path.rstrip("/"), request.method
        try:
            if path == f"{_PUBLIC}/challenge" and method == "GET":
                return _said(DONE, "success", self._challenge(request))
            if path == f"{_PUBLIC}/verify-response" and method == "POST":
                return _said(DONE, "success", await self._verified(request))
            if path == PATH and method in ("GET", "POST"):
                return _said(DONE, "success", await self._operation(request))
            raise _RefusedError(UNKNOWN_OPERATION, f"there is no {method} {path[:100]}")
        except _RefusedError as error:
            return _said(error.code, str(error))
        except UnfitError as error:
            return _said(UNREADABLE_INPUT, str(error))
        except RestError as error:
            return _said(OUR_FAULT if error.status >= 500 else UNREADABLE_INPUT, f"{error.message} ({error.code})")
        except HulianError as error:
            _log.warning("a request of the enterprise interface was not done", reason=str(error))
            return _said(OUR_FAULT, f"{error.message} ({error.code})")

    # -- who asks ------------------------------------------------------------------------------------------------------

    def _challenge(self, request: Request) -> str:
        """A nonce. Whether there is such a handle is not told."""
        self._attempts.check(request.source)
        handle = attributes.named(request.text("handle"))
        nonce = self._nonces.give(key_of(handle), network_of(request.source))
        if not nonce:
            raise _RefusedError(OUR_FAULT, "too many challenges wait for their answers: try again in a minute")
        return nonce

    async def _verified(self, request: Request) -> dict[str, str]:
        """A token for who has signed a nonce of theirs: RSA by PKCS #1 v1.5 with SHA-256; EC and SM2 keys as they sign."""
        if self._tokens is None:
            raise _RefusedError(OUR_FAULT, "this node has no RSA key to sign tokens with")
        if not request.secure:
            raise _RefusedError(UNPROVED, "tokens are given over https only")
        self._attempts.check(request.source)
        sent: _Response = _read(await read_body(request, 16_384), _Response)
        handle = attributes.named(sent.handle)
        nonces = self._nonces.take(key_of(handle), network_of(request.source))
        try:
            signature = base64.b64decode(sent.signature, validate=True)
        except (binascii.Error, ValueError):
            signature = b""
        if nonces and 0 < len(signature) <= _LONGEST_SIGNATURE:
            for value in await self._keys(handle):
                if _signed(value, nonces, signature, handle):
                    return {"token": self._tokens.give(Reference(handle, value.index), _fingerprint(value))}
        self._attempts.failed(request.source)
        raise _RefusedError(UNPROVED, "the signature is not over a nonce that waits for it, or not of a key of the handle")

    async def _keys(self, handle: str) -> Sequence[Value]:
        return (await self._lookup.values(handle, ("HS_PUBKEY",)))[:_MOST_KEYS]

    async def _who(self, request: Request) -> Reference | None:
        """Whose token it is, while the key that they proved is theirs; None where none came."""
        header = request.headers.get("authorization", "")
        if not header:
            return None
        if not request.secure:
            raise _RefusedError(UNPROVED, "tokens are taken over https only")
        self._attempts.check(request.source)
        claims = self._tokens.find(bearer(header)) if self._tokens is not None else None
        if claims is None:
            self._attempts.failed(request.source)
            raise _RefusedError(NOT_LOGGED_IN, "the token is not of this node, or over")
        who = Reference.parse(claims.sub)
        for value in await self._keys(who.handle):
            if value.index == who.index and _fingerprint(value) == claims.key:
                return who
        raise _RefusedError(NOT_LOGGED_IN, "the key that was proved is that of the handle no longer")

    @property
    def _lookup(self) -> Lookup:
        if self._node.authority is None:
            raise _RefusedError(UNSUPPORTED, "this node keeps no records of its own")
        return self._node.authority.lookup

    # -- operations ----------------------------------------------------------------------------------------------------

    async def _operation(self, request: Request) -> Any:
        handle = attributes.named(request.text("targetId"))
        operation = request.text("operationId")
        who = await self._who(request)
        if operation == "0.DOIP/Op.Retrieve":
            return await self._retrieve(request, handle, who)
        changes = {
            "0.DOIP/Op.Create": self._create,
            "0.DOIP/Op.Update": self._update,
            "0.DOIP.EXTEND/Op.Update.Non.Overlay": self._extend,
            "0.DOIP/Op.Delete": self._delete,
        }
        change = changes.get(operation)
        if change is None:
            raise _RefusedError(UNKNOWN_OPERATION, f"there is no operation {operation[:100]!r}")
        if request.method != "POST":
            raise _RefusedError(UNSUPPORTED, f"{operation} is asked for by POST")
        if who is None:
            raise _RefusedError(NOT_LOGGED_IN, "a change takes a token: see /api/v1/doip/public/challenge")
        return await change(request, handle, who)

    async def _retrieve(self, request: Request, handle: str, who: Reference | None) -> dict[str, Any]:
        question = ResolveRequest(handle)
        found = await self._asked(request, OpCode.RESOLVE, question, who, 0 if who else OpFlag.PUBLIC_ONLY)
        if who is not None and found.code in _FORBIDDEN:
            found = await self._asked(request, OpCode.RESOLVE, question, who, OpFlag.PUBLIC_ONLY)
        if found.code == ResponseCode.VALUES_NOT_FOUND:
            raise _RefusedError(MAY_NOT_READ, "nothing of it is public")
        values = _done(found, MAY_NOT_READ)
        listed = attributes.attributes_of(values)
        kind = attributes.template_of(values)
        elements = [{"index": value.index, "type": value.type, "name": value.type, "value": text} for value, text in listed]
        content = {value.type: text for value, text in listed}
        return {
            "id": handle,
            "type": kind,
            "attributes": {"id": handle, "type": kind, "content": content, "elements": elements},
        }

    async def _create(self, request: Request, handle: str, who: Reference) -> dict[str, Any]:
        sent = await _object(request)
        listed = [attributes.attribute(FIRST + place, name, text) for place, (name, text) in enumerate(_content(sent).items())]
        body = Values(handle, (attributes.template(sent.type), *listed))
        _done(await self._asked(request, OpCode.CREATE, body, who), MAY_NOT_EDIT)
        return msgspec.to_builtins(sent)  # type: ignore[no-any-return]

    async def _update(self, request: Request, handle: str, who: Reference) -> dict[str, Any]:
        """The attributes that are sent, and no others. What is new is written before what is old is removed."""
        sent = await _object(request)
        stale = await self._written(request, handle, who, sent)
        if stale:
            _done(await self._asked(request, OpCode.REMOVE_VALUES, RemoveRequest(handle, stale), who), MAY_NOT_EDIT)
        return msgspec.to_builtins(sent)  # type: ignore[no-any-return]

    async def _extend(self, request: Request, handle: str, who: Reference) -> dict[str, Any]:
        """The attributes that are sent, beside those that are there."""
        sent = await _object(request)
        await self._written(request, handle, who, sent)
        return msgspec.to_builtins(sent)  # type: ignore[no-any-return]

    async def _written(self, request: Request, handle: str, who: Reference, sent: _Object) -> tuple[int, ...]:
        """Writes the attributes of ``sent``; the indexes of those that were there and are not among them."""
        before = _done(await self._asked(request, OpCode.RESOLVE, ResolveRequest(handle), who), MAY_NOT_EDIT)
        there = {value.type: value.index for value, _ in reversed(attributes.attributes_of(before))}
        free = max([FIRST - 1, *(value.index for value in before)]) + 1
        new: list[Value] = []
        for name, text in _content(sent).items():
            index = there.get(name)
            if index is None:
                index, free = free, free + 1
            new.append(attributes.attribute(index, name, text))
        body = Values(handle, (attributes.template(sent.type), *new))
        _done(await self._asked(request, OpCode.ADD_VALUES, body, who, OpFlag.OVERWRITE), MAY_NOT_EDIT)
        kept = {value.index for value in new}
        return tuple(value.index for value, _ in attributes.attributes_of(before) if value.index not in kept)

    async def _delete(self, request: Request, handle: str, who: Reference) -> None:
        _done(await self._asked(request, OpCode.DELETE, HandleOnly(handle), who), MAY_NOT_DELETE)

    async def _asked(self, request: Request, code: OpCode, body: Body, who: Reference | None, flags: OpFlag | int = 0) -> Put:
        try:
            return await asked(self._node, code, body, who=who, source=request.source, flags=flags)
        except WireError as error:
            raise UnfitError(error.message) from error


def _done(found: Put, forbidden: int) -> tuple[Value, ...]:
    """The values of the answer, where it is a success; ``forbidden`` is the code where the asker may not."""
    if found.done:
        return found.body.values if isinstance(found.body, Values) else ()
    if found.code in _FORBIDDEN:
        raise _RefusedError(forbidden, found.message or "this needs a proof of who asks")
    raise _RefusedError(_CODES.get(ResponseCode(found.code), UNREADABLE_INPUT), found.message or response_text(found.code))


async def _object(request: Request) -> _Object:
    found: _Object = _read(await read_body(request), _Object)
    if not 0 < len(found.attributes.content) <= attributes.MOST:
        raise UnfitError(f"an object has 1 to {attributes.MOST} attributes")
    return found


def _content(sent: _Object) -> Mapping[str, str]:
    """The attributes as text: true and false in small letters, numbers in digits."""
    found = {}
    for name, value in sent.attributes.content.items():
        found[name] = str(value).lower() if isinstance(value, bool) else str(value)
    return found


def _signed(value: Value, nonces: Sequence[str], signature: bytes, handle: str) -> bool:
    try:
        key = PublicKey.unpack(value.data).usable()
        name = "SM3" if isinstance(key, sm2.PublicKey) else "SHA-256"
        return any(verify(key, name, signature, nonce.encode(), handle.encode()) for nonce in nonces)
    except WireError:
        return False


def _fingerprint(value: Value) -> str:
    return hashlib.sha256(value.data).hexdigest()


def _read(body: bytes, kind: Any) -> Any:
    try:
        return msgspec.json.decode(body, type=kind)
    except UNREADABLE as error:
        raise _RefusedError(UNREADABLE_INPUT, f"it cannot be read: {error}") from None


def _said(code: int, message: str, data: Any = None) -> Answer:
    body = msgspec.json.encode({"code": code, "message": message, "data": data})
    return Answer(body=body, headers=(("cache-control", "no-store"),))
