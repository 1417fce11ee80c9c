"""Applications for prefixes: made by this installation, and decided where its node gives prefixes out."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter

from hulian.kernel.unreadable import UNREADABLE
from hulian.platform.api.access import needs, visitor
from hulian.platform.api.context import Context
from hulian.platform.api.errors import RequestError
from hulian.platform.api.naming.documents import (
    ApplicationBody,
    ApplicationItem,
    ApplicationPage,
    ApplicationView,
    OfficesView,
    RegistrationBody,
    SealView,
    SignedRegistration,
    StepBody,
)
from hulian.platform.api.routes.identifiers import WALK, begun, told, writes
from hulian.trust import Action

__all__ = ["ROUTES"]

State = Literal["", "submitted", "in review", "incomplete", "approved", "suspended", "rejected", "withdrawn", "revoked"]
Place = Annotated[Literal["here", "above"], QueryParameter(description="this node, or the one above it")]


def _identity(text: str) -> str:
    if len(text) != 32 or not set(text) <= set("0123456789abcdef"):
        raise RequestError(f"{text[:80]!r} is no application", place="identity", hint="32 digits and letters from a to f")
    return text


def _prefix(data: ApplicationBody) -> str:
    """What is applied for, for the audit trail: whatever the registration says, before anybody has looked at it."""
    registration: Any = data.registration
    if data.signed is not None:
        try:
            registration = msgspec.json.decode(data.signed.registration)
        except UNREADABLE:
            return ""
    return str(registration.get("prefix", "")) if isinstance(registration, dict) else ""


@get(
    "/identifiers/applications/offices",
    opt=needs(Action.IDENTIFIERS_READ),
    summary="Where prefixes can be applied for",
    tags=["identifiers"],
)
async def offices(context: NamedDependency[Context]) -> OfficesView:
    """This node where it gives prefixes out, and the node above it where one is named (`identifiers.report_to`)."""
    found: OfficesView = await (await context.naming()).applications.offices()
    return found


@get("/identifiers/applications", opt=needs(Action.IDENTIFIERS_READ), summary="Applications", tags=["identifiers"])
async def applications(
    request: Request[Any, Any, Any],
    context: NamedDependency[Context],
    standing: Annotated[State, QueryParameter(name="state", description="only those in this state")] = "",
    after: Annotated[int, QueryParameter(ge=0, le=2**31, description="next of the page before")] = 0,
    limit: Annotated[int, QueryParameter(ge=1, le=200)] = 50,
) -> ApplicationPage:
    """Those that were made at this node, oldest first."""
    context.asking.take(visitor(request).name, WALK)
    found: ApplicationPage = await (await context.naming()).applications.page(standing, after, limit)
    return found


@get(
    "/identifiers/applications/seals",
    opt=needs(Action.IDENTIFIERS_READ),
    summary="Check the history of applications",
    tags=["identifiers"],
)
async def seals(request: Request[Any, Any, Any], context: NamedDependency[Context]) -> SealView:
    """Computes every seal of the history again; a row that was altered by other means is an error that names it."""
    context.asking.take(visitor(request).name, 2 * WALK)
    found: SealView = await (await context.naming()).applications.seals()
    return found


@get(
    "/identifiers/applications/{identity:str}",
    opt=needs(Action.IDENTIFIERS_READ),
    summary="One application",
    tags=["identifiers"],
)
async def application(
    request: Request[Any, Any, Any], context: NamedDependency[Context], identity: FromPath[str], at: Place = "here"
) -> ApplicationView:
    """With its registration and its history, and for who may change identifiers the contact, and what can be done now."""
    context.asking.take(visitor(request).name, 2 * WALK)
    naming = await context.naming()
    found: ApplicationView = await naming.applications.show(at, _identity(identity), whole=writes(request, context))
    return found


@post("/identifiers/applications", opt=needs(Action.IDENTIFIERS_WRITE), summary="Apply for a prefix", tags=["identifiers"])
async def apply(
    request: Request[Any, Any, Any], context: NamedDependency[Context], data: JSONBody[ApplicationBody]
) -> ApplicationItem:
    """A registration is signed with the key of this installation; ``signed`` is one that its applicant has signed."""
    naming = await begun(request, context)
    applying = naming.applications.apply(data)
    of = _prefix(data)
    found: ApplicationItem = await told(context, visitor(request), "apply", of, applying, kind="application", at=data.at)
    return found


@post(
    "/identifiers/registrations",
    opt=needs(Action.IDENTIFIERS_WRITE),
    status_code=200,
    summary="Sign a registration",
    tags=["identifiers"],
)
async def sign(
    request: Request[Any, Any, Any], context: NamedDependency[Context], data: JSONBody[RegistrationBody]
) -> SignedRegistration:
    """With the key of this installation: to be handed to whoever decides, or as the consent of a new owner."""
    naming = await begun(request, context)
    prefix = str(data.registration.get("prefix", ""))
    signing = naming.applications.sign(data.registration)
    found: SignedRegistration = await told(context, visitor(request), "sign", prefix, signing, kind="application")
    return found


@post(
    "/identifiers/applications/{identity:str}/{step:str}",
    opt=needs(Action.IDENTIFIERS_WRITE, "application:{identity}"),
    status_code=200,
    summary="One step of an application",
    tags=["identifiers"],
)
async def take(
    request: Request[Any, Any, Any],
    context: NamedDependency[Context],
    identity: FromPath[str],
    step: FromPath[str],
    data: JSONBody[StepBody],
) -> ApplicationView:
    """``step``: review, ask, approve, reject, suspend, resume, revoke, transfer; of who has applied, amend and withdraw."""
    naming, one = await begun(request, context), _identity(identity)
    acting = naming.applications.act(one, step, data)
    await told(context, visitor(request), step[:40], one, acting, kind="application", at=data.at, reason=data.reason[:500])
    found: ApplicationView = await naming.applications.show(data.at, one, whole=True)
    return found


ROUTES = [offices, applications, seals, application, apply, sign, take]
