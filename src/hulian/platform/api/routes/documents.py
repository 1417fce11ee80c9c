"""Documents into the information model and out of it: read beside the model, looked at, then applied or discarded."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from hulian.platform.api.access import in_thread, needs, visitor
from hulian.platform.api.context import Context
from hulian.platform.api.documents.receiving import discard, receive
from hulian.platform.api.documents.views import DifferencesView, PreviewView, Shelf, VersionsView, VersionView
from hulian.platform.api.errors import NotFoundError
from hulian.platform.api.jobs import Job
from hulian.trust import Action

__all__ = ["ROUTES"]

_TAGS: Final = ["model"]
_DIGITS: Final = 18


class Removed(msgspec.Struct, frozen=True, kw_only=True):
    """What is gone; its versions stay and can be applied again."""

    name: str


def _key(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= _DIGITS):
        raise NotFoundError(f"{text[:40]!r} is no version", hint="a number: GET /api/v1/model/imports lists them")
    return int(text)


@post(
    "/model/imports",
    opt=needs(Action.MODEL_WRITE),
    status_code=202,
    summary="Read a document",
    tags=_TAGS,
    request_max_body_size=None,
)
async def begin(
    request: Request[Any, Any, Any],
    context: NamedDependency[Context],
    file: Annotated[str, QueryParameter(description="the file's name", max_length=300)] = "",
    name: Annotated[str, QueryParameter(description="name of the document; the file's otherwise", max_length=100)] = "",
    form: Annotated[
        str, QueryParameter(name="format", description="format of the file; told by its content otherwise", max_length=40)
    ] = "",
) -> Job:
    """The body is the file. The model stays as it is: the job's ``version`` is to be looked at, then applied or discarded."""
    documents = await context.documents()
    await in_thread(documents.admit)
    declared = request.headers.get("content-length", "")
    size = int(declared) if declared.isdecimal() else 0
    path, size = await receive(request.stream(), documents.scratch, size, context.configuration.model_limit)
    try:
        who = visitor(request)
        reading, document = await in_thread(lambda: documents.reading(path, file=file, name=name, form=form, who=who.name))
        job = context.jobs.new("model import", who.name)
        job.name, job.total = document, size
        context.jobs.start(job, reading.run, reading.end)
    except BaseException:
        await discard(path)
        raise
    await context.audit(who, Action.MODEL_WRITE, document, details={"did": "read", "job": job.id, "bytes": size, "file": file})
    return job


@delete("/jobs/{identity:str}", opt=needs(Action.MODEL_WRITE), status_code=202, summary="Cancel a job", tags=["system"])
async def cancel(request: Request[Any, Any, Any], context: NamedDependency[Context], identity: FromPath[str]) -> Job:
    """Asks it to end; it has ended when its state says so, and nothing of it stays."""
    job = context.jobs.cancel(identity)
    await context.audit(visitor(request), Action.MODEL_WRITE, job.name, details={"did": "cancel", "job": job.id})
    return job


@get("/model/imports", opt=needs(Action.MODEL_READ), summary="Documents, and what waits to be one", tags=_TAGS)
async def shelf(context: NamedDependency[Context]) -> Shelf:
    """The versions that count, and those that somebody has read and not decided on."""
    found: Shelf = await in_thread((await context.documents()).shelf)
    return found


@get("/model/imports/{key:str}", opt=needs(Action.MODEL_READ), summary="What an import would change", tags=_TAGS)
async def preview(context: NamedDependency[Context], key: FromPath[str]) -> PreviewView:
    """Field by field, with what is lost, what is wrong, and what it stands on."""
    documents = await context.documents()
    found: PreviewView = await in_thread(partial(documents.preview, _key(key)))
    return found


@post(
    "/model/imports/{key:str}/apply",
    opt=needs(Action.MODEL_WRITE),
    status_code=200,
    summary="Make a version count",
    tags=_TAGS,
)
async def apply(
    request: Request[Any, Any, Any],
    context: NamedDependency[Context],
    key: FromPath[str],
    replaces: Annotated[int | None, QueryParameter(description="as the preview says; refused where another counts now")] = None,
) -> VersionView:
    """One that waits, or an earlier one. Refused where it has errors."""
    documents = await context.documents()
    found: VersionView = await in_thread(partial(documents.apply, _key(key), replaces))
    details = {"did": "apply", "version": found.key, "nodes": found.nodes, "digest": found.digest}
    await context.audit(visitor(request), Action.MODEL_WRITE, found.name, details=details)
    return found


@delete("/model/imports/{key:str}", opt=needs(Action.MODEL_WRITE), status_code=204, summary="Discard a version", tags=_TAGS)
async def forget(request: Request[Any, Any, Any], context: NamedDependency[Context], key: FromPath[str]) -> None:
    """One that does not count: it is gone for good."""
    documents = await context.documents()
    version = await in_thread(partial(documents.discard, _key(key)))
    details = {"did": "discard", "version": version.key}
    await context.audit(visitor(request), Action.MODEL_WRITE, version.document.name, details=details)


@get("/model/documents/{name:str}/versions", opt=needs(Action.MODEL_READ), summary="Versions of a document", tags=_TAGS)
async def versions(context: NamedDependency[Context], name: FromPath[str]) -> VersionsView:
    """All that are kept, the newest first."""
    documents = await context.documents()
    found: VersionsView = await in_thread(partial(documents.versions, name))
    return found


@get("/model/documents/{name:str}/differences", opt=needs(Action.MODEL_READ), summary="Between two versions", tags=_TAGS)
async def differences(
    context: NamedDependency[Context],
    name: FromPath[str],
    old: Annotated[int, QueryParameter(description="key of a version", ge=0, le=2**53)],
    new: Annotated[int, QueryParameter(description="key of another", ge=0, le=2**53)],
) -> DifferencesView:
    """What differs, field by field."""
    documents = await context.documents()
    found: DifferencesView = await in_thread(partial(documents.differences, name, old, new))
    return found


@delete("/model/documents/{name:str}", opt=needs(Action.MODEL_WRITE), status_code=200, summary="Remove a document", tags=_TAGS)
async def remove(request: Request[Any, Any, Any], context: NamedDependency[Context], name: FromPath[str]) -> Removed:
    """Out of the model; its versions stay for a while, and what people noted on its nodes stays."""
    documents = await context.documents()
    await in_thread(partial(documents.remove, name))
    await context.audit(visitor(request), Action.MODEL_WRITE, name, details={"did": "remove"})
    return Removed(name=name)


ROUTES = [begin, cancel, shelf, preview, apply, forget, versions, differences, remove]
