"""Metadata templates of identifiers: what records of a kind hold, and whether one does."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter

from hulian.platform.api.access import needs, visitor
from hulian.platform.api.context import Context
from hulian.platform.api.errors import RequestError
from hulian.platform.api.naming.documents import CheckView, TemplateBody, TemplatePage, TemplateView
from hulian.platform.api.routes.identifiers import WALK, begun, handle_of, told, writes
from hulian.trust import Action

__all__ = ["ROUTES"]


@get("/identifiers/templates", opt=needs(Action.IDENTIFIERS_READ), summary="Metadata templates", tags=["identifiers"])
async def templates(
    request: Request[Any, Any, Any],
    context: NamedDependency[Context],
    begins: Annotated[str, QueryParameter(description="beginning of the handle: 88.111.1/types/", max_length=2048)] = "",
    after: Annotated[str, QueryParameter(description="next of the page before", max_length=2048)] = "",
    limit: Annotated[int, QueryParameter(ge=1, le=200)] = 50,
) -> TemplatePage:
    """Those of this node. One page looks at 20,000 records at most: it may be short, or empty, with a ``next``."""
    context.asking.take(visitor(request).name, 2 * WALK)
    naming = await context.naming()
    found: TemplatePage = await naming.templates.page(begins, after, limit, whole=writes(request, context))
    return found


@get(
    "/identifiers/templates/{name:str}",
    opt=needs(Action.IDENTIFIERS_READ),
    summary="One metadata template",
    tags=["identifiers"],
)
async def template(request: Request[Any, Any, Any], context: NamedDependency[Context], name: FromPath[str]) -> TemplateView:
    """All its versions, and the records of this node that name it. ``name`` is escaped as those of records are."""
    context.asking.take(visitor(request).name, WALK)
    naming = await context.naming()
    found: TemplateView = await naming.templates.read(handle_of(name), whole=writes(request, context))
    return found


@post("/identifiers/templates", opt=needs(Action.IDENTIFIERS_WRITE), summary="A new metadata template", tags=["identifiers"])
async def create(
    request: Request[Any, Any, Any], context: NamedDependency[Context], data: JSONBody[TemplateBody]
) -> TemplateView:
    """Its first version is published; what is published is fixed."""
    if "/" not in data.handle:
        raise RequestError("a template has a handle of its own", place="$.handle", hint="such as 88.111.1/types/pump")
    naming = await begun(request, context)
    publishing = naming.templates.publish(data.handle, data.template, data.version, new=True)
    await told(context, visitor(request), "publish", data.handle, publishing, version=data.version)
    found: TemplateView = await naming.templates.read(data.handle, whole=True)
    return found


@post(
    "/identifiers/templates/{name:str}",
    opt=needs(Action.IDENTIFIERS_WRITE, "identifier:{name}"),
    summary="Another version of a metadata template",
    tags=["identifiers"],
)
async def publish(
    request: Request[Any, Any, Any], context: NamedDependency[Context], name: FromPath[str], data: JSONBody[TemplateBody]
) -> TemplateView:
    """``version`` is one more than that of the last one. Records go on following the version that they name."""
    naming, handle = await begun(request, context), handle_of(name)
    publishing = naming.templates.publish(handle, data.template, data.version, new=False)
    await told(context, visitor(request), "publish", handle, publishing, version=data.version)
    found: TemplateView = await naming.templates.read(handle, whole=True)
    return found


@get(
    "/identifiers/records/{name:str}/check",
    opt=needs(Action.IDENTIFIERS_READ),
    summary="A record beside its template",
    tags=["identifiers"],
)
async def check(
    request: Request[Any, Any, Any],
    context: NamedDependency[Context],
    name: FromPath[str],
    template: Annotated[str, QueryParameter(description="another one, as version:handle", max_length=2060)] = "",
) -> CheckView:
    """Every rule that the record breaks, by attribute."""
    context.asking.take(visitor(request).name, 2 * WALK)
    naming = await context.naming()
    found: CheckView = await naming.templates.check(handle_of(name), template, whole=writes(request, context))
    return found


ROUTES = [templates, template, create, publish, check]
