"""``/api/applications``: prefixes are applied for, and reviewers decide."""

from __future__ import annotations

import base64
import binascii
import ipaddress
from collections.abc import Set
from typing import Any, Final, TypeVar

import anyio.to_thread
import msgspec

from hulian.kernel.unreadable import UNREADABLE
from hulian.network.identifiers.chain.authority import Authority
from hulian.network.identifiers.chain.proofs import Proofs
from hulian.network.identifiers.provisioning import (
    NEEDS,
    Action,
    Application,
    Desk,
    Event,
    Proposal,
    ProvisioningError,
    Registration,
    Role,
    State,
    allowed,
)
from hulian.network.identifiers.provisioning.desk import LARGEST_PAGE, LONGEST_REASON
from hulian.network.identifiers.provisioning.errors import (
    CrowdedError,
    NotPermittedError,
    OutdatedError,
    StateError,
    TakenError,
    UnknownApplicationError,
)
from hulian.network.identifiers.provisioning.record import KEY, handle_of
from hulian.network.identifiers.provisioning.registration import LONGEST, key_of_pem
from hulian.network.identifiers.store import RecordStore, key_of
from hulian.network.identifiers.transport.rest.answers import Answer, json_answer
from hulian.network.identifiers.transport.rest.contract import Node
from hulian.network.identifiers.transport.rest.errors import (
    LoginError,
    MethodError,
    PathError,
    PlainHttpError,
    RequestError,
)
from hulian.network.identifiers.transport.rest.proving import Prover
from hulian.network.identifiers.transport.rest.requests import Request, read_body
from hulian.network.identifiers.transport.rest.sessions import Sessions
from hulian.network.identifiers.wire.codes import AdminPermission
from hulian.network.identifiers.wire.json_form.fields import instant_text
from hulian.network.identifiers.wire.typed.keys import PublicKey
from hulian.network.identifiers.wire.values import Reference, Value

__all__ = ["Routes", "network_of"]

PATH: Final = "/api/applications"
_APPLICATION: Final = "APPLICATION/"
_USUAL_PAGE: Final = 50
_MOST_PARENTS: Final = 500
_FURTHEST: Final = 2**31
_SECOND: Final = 1_000_000_000
_STATUS: Final = {
    UnknownApplicationError: 404,
    NotPermittedError: 403,
    StateError: 409,
    TakenError: 409,
    OutdatedError: 409,
    CrowdedError: 503,
}
_T = TypeVar("_T")
_REVIEWS: Final = AdminPermission.ADD_DERIVED_PREFIX | AdminPermission.DELETE_DERIVED_PREFIX


class _Sent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A new application: ``registration`` is the text that was signed, ``signature`` Base64."""

    registration: str
    signature: str


class _Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One action on an application."""

    action: Action
    reason: str = ""
    revision: int | None = None
    registration: str = ""
    signature: str = ""


class _ApplicantKeys:
    """The keys of applicants, whose prefixes have no record yet: a `Keys`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def here(self, handle: str) -> bool:
        """No secret key is kept for an applicant."""
        return True

    async def values(self, handle: str, types: tuple[str, ...]) -> tuple[Value, ...]:
        """The public key of the application that ``handle`` names."""
        if "HS_PUBKEY" not in types or not handle.upper().startswith(_APPLICATION):
            return ()
        try:
            found = await anyio.to_thread.run_sync(self._desk.find, handle[len(_APPLICATION) :].lower())
        except UnknownApplicationError:
            return ()
        key = PublicKey.of(key_of_pem(found.registration.public_key)).pack()
        return (Value(index=KEY, type="HS_PUBKEY", data=key),)


class Routes:
    """The applications of one node. Every method raises `RestError` and its kinds; what the desk refuses is an answer."""

    def __init__(self, node: Node, prover: Prover, sessions: Sessions) -> None:
        self._node = node
        self._prover = prover
        self._desk: Desk | None = None
        if node.store is not None and node.applications:
            self._desk = Desk(node.store, node.applications)
            self._applicants = Prover(Proofs(_ApplicantKeys(self._desk)), sessions, signs_each=True)

    async def answer(self, request: Request) -> Answer:
        """Every request whose path begins with `PATH`."""
        if self._desk is None:
            hint = "root, top-level and second-level nodes do, where identifiers.applications is not 0; their mirrors do not"
            raise PathError("this node takes no applications for prefixes", hint=hint)
        identity = request.path[len(PATH) :].strip("/")
        method = "GET" if request.method == "HEAD" else request.method
        try:
            if identity:
                if method == "GET":
                    return await self._show(request, self._desk, identity)
                if method == "PUT":
                    return await self._change(request, self._desk, identity)
                raise MethodError(f"{method} is nothing here", allowed=("GET", "PUT"), place=request.path[:200])
            if method == "GET":
                return await self._list(request, self._desk)
            if method == "POST":
                return await self._apply(request, self._desk)
            raise MethodError(f"{method} is nothing here", allowed=("GET", "POST"), place=request.path[:200])
        except ProvisioningError as error:
            status = _STATUS.get(type(error), 400)
            return json_answer(request, error.as_dict(), status=status, headers=_PRIVATE)

    # -- the four requests ---------------------------------------------------------------------------------------------

    async def _apply(self, request: Request, desk: Desk) -> Answer:
        """``POST``: a new application. Its signature proves who applies; nobody needs to be known here before."""
        if not request.secure:
            raise PlainHttpError("applications are made over https only")
        sent = _read(await read_body(request, 4 * LONGEST), _Sent)
        proposal = _proposal(sent.registration, sent.signature)
        made, new = await anyio.to_thread.run_sync(desk.apply, proposal, network_of(request.source))
        return json_answer(request, _head(made), status=201 if new else 200, headers=_PRIVATE)

    async def _show(self, request: Request, desk: Desk, identity: str) -> Answer:
        who = await self._who(request)
        found, roles = await self._seen(desk, identity, who)
        events = await anyio.to_thread.run_sync(desk.history, found.id)
        document = {**_shown(found, roles), "history": [_told(one) for one in events]}
        return json_answer(request, document, headers=_PRIVATE)

    async def _change(self, request: Request, desk: Desk, identity: str) -> Answer:
        if not request.secure:
            raise PlainHttpError("changes are made over https only")
        who = await self._who(request)
        found, roles = await self._seen(desk, identity, who)
        step = _read(await read_body(request, 4 * LONGEST + 8 * LONGEST_REASON), _Step)
        needed = NEEDS.get(step.action)
        if needed is not None and Role.REVIEWER in roles:
            missing = needed & ~await self._granted(who, found.prefix)
            if missing:
                names = " and ".join(str(one.name).lower().replace("_", " ") for one in AdminPermission if one & missing)
                raise NotPermittedError(f"{who} lacks the permission to {names}")
        proposal = _proposal(step.registration, step.signature) if step.registration else None

        def act() -> Application:
            return desk.act(
                found.id, step.action, str(who), roles, reason=step.reason, revision=step.revision, proposal=proposal
            )

        made = await anyio.to_thread.run_sync(act)
        return json_answer(request, _shown(made, await self._roles(who, made)), headers=_PRIVATE)

    async def _list(self, request: Request, desk: Desk) -> Answer:
        """``GET``: what the asker may review, in pages; an applicant is shown their own application."""
        who = await self._who(request)
        state = _state(request.text("state"))
        after = request.number("after", 0, _FURTHEST)
        most = request.number("limit", _USUAL_PAGE, LARGEST_PAGE) or 1
        if key_of(who.handle).startswith(_APPLICATION.encode()):
            own, _ = await self._seen(desk, who.handle[len(_APPLICATION) :].lower(), who)
            page = [own] if state in (None, own.state) and own.number > after else []
        else:
            parents = await self._parents(who)
            page = await anyio.to_thread.run_sync(desk.page, parents, state, after, most) if parents else []
        document: dict[str, Any] = {
            "applications": [{**_head(one), "organisation": one.registration.organisation.name} for one in page],
            "next": page[-1].number if len(page) == most else None,
        }
        return json_answer(request, document, headers=_PRIVATE)

    # -- who may -------------------------------------------------------------------------------------------------------

    async def _who(self, request: Request) -> Reference:
        """Who asks: an applicant by the key applied with, everybody else as anywhere. Raises `LoginError`.

        A session that was proved elsewhere says nothing about applicants: somebody may own a prefix that is called as they are.
        """
        applies = _APPLICATION in request.headers.get("authorization", "").upper()
        who = await (self._applicants if applies else self._prover).who(request)
        if who is None:
            raise LoginError("applications are shown to their applicants and to reviewers")
        if not applies and key_of(who.handle).startswith(_APPLICATION.encode()):
            raise LoginError("an applicant signs each request", place="Authorization")
        return who

    async def _seen(self, desk: Desk, identity: str, who: Reference) -> tuple[Application, set[Role]]:
        """The application, where ``who`` may see it. A stranger is told what they would be told if there were none."""
        found = await anyio.to_thread.run_sync(desk.find, identity)
        roles = await self._roles(who, found)
        if not roles:
            raise UnknownApplicationError("there is no such application", place=identity[:64])
        return found, roles

    async def _roles(self, who: Reference, found: Application) -> set[Role]:
        roles = set()
        handle = key_of(who.handle)
        owner = found.state in (State.APPROVED, State.SUSPENDED) and handle == key_of(handle_of(found.prefix))
        if who.index == KEY and (owner or handle == key_of(found.applicant)):
            roles.add(Role.APPLICANT)
        if await self._granted(who, found.prefix) & _REVIEWS:
            roles.add(Role.REVIEWER)
        return roles

    async def _granted(self, who: Reference, prefix: str) -> AdminPermission:
        """What the prefix above lets ``who`` do. What stands in the record of the prefix itself is its owner's own."""
        return await self._authority.granted(who, handle_of(prefix), ()) & _REVIEWS

    async def _parents(self, who: Reference) -> list[str]:
        """The prefixes of this node whose derived prefixes ``who`` may review."""
        homed = await anyio.to_thread.run_sync(self._store.prefixes)
        found = []
        for key in homed[:_MOST_PARENTS]:
            prefix = key.decode().removeprefix("0.NA/")
            below = "x" if prefix == "0.NA" else f"{prefix}.x"
            if await self._granted(who, below):
                found.append(prefix)
        return found

    @property
    def _authority(self) -> Authority:
        if self._node.authority is None:
            raise PathError("this node keeps no records of its own")
        return self._node.authority

    @property
    def _store(self) -> RecordStore:
        if self._node.store is None:
            raise PathError("this node keeps no records of its own")
        return self._node.store


_PRIVATE: Final = (("cache-control", "no-store"),)


def _read(body: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(body, type=kind)
    except UNREADABLE as error:
        raise RequestError(f"it cannot be read: {error}") from None


def _proposal(text: str, signature: str) -> Proposal:
    try:
        return Proposal(text=text, signature=base64.b64decode(signature, validate=True))
    except (binascii.Error, ValueError):
        raise RequestError("a signature is Base64", place="$.signature") from None


def _state(text: str) -> State | None:
    if not text:
        return None
    try:
        return State(text.replace("-", " ").replace("_", " "))
    except ValueError:
        raise RequestError("there is no such state", place="?state", hint=", ".join(State)) from None


def network_of(source: str) -> str:
    """The network that counts as one source; a loopback address is this machine's."""
    try:
        address = ipaddress.ip_address(source.partition("%")[0])
    except ValueError:
        return source[:64]
    mapped = getattr(address, "ipv4_mapped", None) or address
    return str(mapped) if mapped.version == 4 else str(ipaddress.ip_network((mapped, 64), strict=False))


def _head(found: Application) -> dict[str, Any]:
    return {
        "id": found.id,
        "prefix": found.prefix,
        "state": found.state.value,
        "revision": found.revision,
        "applied": instant_text(found.applied // _SECOND),
        "changed": instant_text(found.changed // _SECOND),
        "applicant": str(Reference(found.applicant, KEY)),
    }


def _shown(found: Application, roles: Set[Role]) -> dict[str, Any]:
    registration: Registration = found.registration
    document = {**_head(found), "registration": registration, "actions": [str(one) for one in allowed(found.state, roles)]}
    if Role.REVIEWER in roles:
        document["remarks"] = registration.remarks
    return document


def _told(one: Event) -> dict[str, Any]:
    told: dict[str, Any] = {
        "at": instant_text(one.at // _SECOND),
        "by": one.by,
        "action": one.action,
        "before": one.before,
        "after": one.after,
    }
    if one.reason:
        told["reason"] = one.reason
    return told
