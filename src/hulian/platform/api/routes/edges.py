"""Edge nodes: inviting, enrolling, approving, revoking, and how each one stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
from litestar import Request, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from hulian.platform.api.access import in_thread, needs, public, visitor
from hulian.platform.api.context import Context
from hulian.platform.api.errors import ConflictError
from hulian.trust import Action, Edge, EdgeState

__all__ = ["ROUTES"]

Says = msgspec.Meta
_NOT_SERVED: Final = "set leaf_port = 7422 and leaf_host under [spine] in hulian.toml, then start it again"


class EdgeView(msgspec.Struct, frozen=True, kw_only=True):
    """An edge node. ``status`` is what it said of itself last, None while nothing is heard of it; ``heard_ms`` when that was.
    ``ordered`` is the newest order that there is for it (0: none yet), its ``status`` says which one it runs."""

    name: str
    state: EdgeState
    fingerprint: str
    source: str
    connectors: list[str]
    created_ms: float
    decided_by: str
    expires_ms: float
    ordered: int
    heard_ms: float | None
    status: dict[str, Any] | None


class EdgePage(msgspec.Struct, frozen=True, kw_only=True):
    """By name. ``served`` says whether nodes can reach this platform at all, and else ``hint`` what to do."""

    items: list[EdgeView]
    served: bool
    hint: str


class InvitationBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For whom, and for how long."""

    label: Annotated[str, Says(max_length=200, examples=["hall 3"])] = ""
    hours: Annotated[float, Says(gt=0, le=720)] = 24.0


class InvitationView(msgspec.Struct, frozen=True, kw_only=True):
    """The secret is shown this once."""

    secret: str
    id: str
    label: str
    expires_ms: float


class OpenInvitation(msgspec.Struct, frozen=True, kw_only=True):
    """An invitation that nobody has used yet, without its secret."""

    id: str
    label: str
    created_ms: float
    expires_ms: float


class InvitationPage(msgspec.Struct, frozen=True, kw_only=True):
    """Newest first."""

    items: list[OpenInvitation]


class EnrolmentBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an edge node asks with: the invitation, a request for a certificate, the hash of its own password."""

    invitation: Annotated[str, Says(max_length=300)]
    name: Annotated[str, Says(max_length=63)]
    request: Annotated[str, Says(max_length=8192)]
    password_hash: Annotated[str, Says(max_length=100)]


class ClaimView(msgspec.Struct, frozen=True, kw_only=True):
    """By ``claim`` the node asks how it stands; ``fingerprint`` is what the person compares."""

    claim: str
    fingerprint: str


class ClaimBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which enrolment."""

    claim: Annotated[str, Says(max_length=100)]


class AdmissionView(msgspec.Struct, frozen=True, kw_only=True):
    """How an enrolment stands; certificates, port and key only once it is approved."""

    state: EdgeState
    organisation: str = ""
    certificate: str = ""
    authority: str = ""
    leaf_port: int = 0
    orders: str = ""


class DecisionBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person decided; with ``fingerprint`` only for that key."""

    decision: Literal["approve", "revoke"]
    fingerprint: Annotated[str, Says(max_length=100)] | None = None


def _view(context: Context, edge: Edge, ordered: Mapping[str, int]) -> EdgeView:
    return EdgeView(
        name=edge.name,
        state=edge.state,
        fingerprint=edge.fingerprint,
        source=edge.source,
        connectors=list(edge.sources),
        created_ms=edge.created // 1000 / 1000,
        decided_by=edge.decided_by,
        expires_ms=edge.expires // 1000 / 1000,
        ordered=ordered.get(edge.name, 0),
        heard_ms=context.board.heard("edges", edge.name),
        status=context.board.of("edges", edge.name),
    )


def _served(context: Context) -> None:
    if not context.house.leaf_port:
        raise ConflictError("this platform serves no edge nodes", hint=_NOT_SERVED)


@get("/edges", opt=needs(Action.EDGES_READ), summary="Edge nodes", tags=["edges"])
async def edges(context: NamedDependency[Context]) -> EdgePage:
    """Each with its state, its connectors and what it says of itself."""
    found, ordered = await in_thread(lambda: (context.trust.edges.list(), context.catalogue.plan_versions()))
    served = bool(context.house.leaf_port)
    return EdgePage(items=[_view(context, edge, ordered) for edge in found], served=served, hint="" if served else _NOT_SERVED)


@get("/edges/invitations", opt=needs(Action.EDGES_READ), summary="Open invitations", tags=["edges"])
async def invitations(context: NamedDependency[Context]) -> InvitationPage:
    """Those that can still be used; their secrets are not kept."""
    found = await in_thread(context.trust.edges.invitations)
    return InvitationPage(
        items=[
            OpenInvitation(
                id=one.id, label=one.label, created_ms=one.created // 1000 / 1000, expires_ms=one.expires // 1000 / 1000
            )
            for one in found
        ]
    )


@post("/edges/invitations", opt=needs(Action.EDGES_WRITE), status_code=201, summary="Invite an edge node", tags=["edges"])
async def invite(
    request: Request[Any, Any, Any], context: NamedDependency[Context], data: JSONBody[InvitationBody]
) -> InvitationView:
    """A secret that lets one node ask to come in: 'hulian edge join' takes it."""
    _served(context)
    by = visitor(request).name
    made = await in_thread(lambda: context.trust.edges.invite(data.label, hours=data.hours, by=by))
    invited = made.invitation
    return InvitationView(secret=made.secret, id=invited.id, label=invited.label, expires_ms=invited.expires // 1000 / 1000)


@delete("/edges/invitations/{invitation:str}", opt=needs(Action.EDGES_WRITE), summary="Withdraw an invitation", tags=["edges"])
async def withdraw(request: Request[Any, Any, Any], context: NamedDependency[Context], invitation: FromPath[str]) -> None:
    """From now on it opens nothing; a node that came in by it stays."""
    by = visitor(request).name
    await in_thread(lambda: context.trust.edges.withdraw(invitation, by=by))


@post("/enrolments", opt=public(), status_code=201, summary="Ask to come in", tags=["edges"])
async def enrol(request: Request[Any, Any, Any], context: NamedDependency[Context], data: JSONBody[EnrolmentBody]) -> ClaimView:
    """Called by an edge node; uses the invitation up. A person approves."""
    source = visitor(request).source

    def write() -> ClaimView:
        claim = context.trust.edges.enrol(data.invitation, data.name, data.request, data.password_hash, source=source)
        return ClaimView(claim=claim, fingerprint=context.trust.edges.claimed(claim).fingerprint)

    made: ClaimView = await in_thread(write)
    return made


@post("/enrolments/claim", opt=public(), status_code=200, summary="How an enrolment stands", tags=["edges"])
async def claim(context: NamedDependency[Context], data: JSONBody[ClaimBody]) -> AdmissionView:
    """Called by an edge node until a person has decided."""

    def look() -> AdmissionView:
        edge = context.trust.edges.claimed(data.claim)
        if edge.state is not EdgeState.APPROVED:
            return AdmissionView(state=edge.state)
        return AdmissionView(
            state=edge.state,
            organisation=context.house.organisation,
            certificate=edge.certificate,
            authority=context.trust.ca.root_pem().decode(),
            leaf_port=context.house.leaf_port,
            orders=context.trust.orders.public().hex(),
        )

    found: AdmissionView = await in_thread(look)
    return found


@post(
    "/edges/{name:str}",
    opt=needs(Action.EDGES_WRITE, "edge:{name}"),
    status_code=200,
    summary="Approve or revoke",
    tags=["edges"],
)
async def decide(
    request: Request[Any, Any, Any], context: NamedDependency[Context], name: FromPath[str], data: JSONBody[DecisionBody]
) -> EdgeView:
    """A revoked node is cut off within seconds; what its connectors have journalled stays with it."""
    _served(context)
    by = visitor(request).name

    def write() -> Edge:
        if data.decision == "revoke":
            return context.trust.edges.revoke(name, by=by)
        return context.trust.edges.approve(name, fingerprint=data.fingerprint, by=by)

    edge = await in_thread(write)
    await context.house.edges.changed(name, state=True)
    return _view(context, edge, await in_thread(context.catalogue.plan_versions))


@delete("/edges/{name:str}", opt=needs(Action.EDGES_WRITE, "edge:{name}"), summary="Forget an edge node", tags=["edges"])
async def forget(request: Request[Any, Any, Any], context: NamedDependency[Context], name: FromPath[str]) -> None:
    """Only one that no connector runs on."""
    by = visitor(request).name

    def write() -> None:
        carried = [record.name for record in context.catalogue.connectors() if record.edge == name]
        if carried:
            raise ConflictError(
                f"{len(carried)} connectors run on {name!r}, {carried[0]!r} among them", hint="move or remove them first"
            )
        context.trust.edges.remove(name, by=by)

    await in_thread(write)
    await context.house.edges.changed(name, state=True)


ROUTES = [edges, invitations, invite, withdraw, enrol, claim, decide, forget]
