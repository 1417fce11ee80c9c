"""Documents into the information model and out of it: read beside the model, looked at, then applied or discarded."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote

import msgspec
from anyio import to_thread
from litestar import Request, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody, QueryParameter

from hulian.platform.api.access import Visitor, in_thread, needs, visitor
from hulian.platform.api.context import Context
from hulian.platform.api.documents.exporting import Written, streamed, written
from hulian.platform.api.documents.reading import Reading
from hulian.platform.api.documents.uploading import PlanView, UploadView
from hulian.platform.api.documents.views import (
    DifferencesView,
    LossesView,
    PreviewView,
    Shelf,
    VersionsView,
    VersionView,
    losses_view,
)
from hulian.platform.api.errors import NotFoundError
from hulian.platform.api.jobs import Job
from hulian.platform.api.receiving import discard, receive
from hulian.platform.api.streaming import Streaming
from hulian.trust import Action

__all__ = ["ROUTES"]

_TAGS: Final = ["model"]
_DIGITS: Final = 18

FileName = Annotated[str, QueryParameter(description="the file's name", max_length=300)]
FormatName = Annotated[
    str, QueryParameter(name="format", description="format of the file; told by its content otherwise", max_length=40)
]
As = Annotated[str, QueryParameter(name="as", description="format to write; the document's own otherwise", max_length=40)]


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
    file: FileName = "",
    name: Annotated[str, QueryParameter(description="name of the document; the file's otherwise", max_length=100)] = "",
    form: FormatName = "",
    upload: Annotated[str, QueryParameter(description="a file that was sent before, instead of a body", max_length=40)] = "",
    beside: Annotated[
        str, QueryParameter(name="with", description="further ones that it refers to, with commas between", max_length=9000)
    ] = "",
) -> Job:
    """The body is the file. The model stays as it is: the job's ``version`` is to be looked at, then applied or discarded."""
    documents = await context.documents()
    await in_thread(documents.admit)
    who = visitor(request)
    if upload:
        others = [one for one in beside.split(",") if one]
        reading = await in_thread(lambda: documents.uploaded(upload, others, name=name, form=form, who=who.name))
    else:
        reading = await _received(
            request, context, lambda path: documents.received(path, file=file, name=name, form=form, who=who.name)
        )
    return await _start(context, who, reading, file)


async def _received(request: Request[Any, Any, Any], context: Context, take: Callable[[Path], Any]) -> Any:
    """The body in a file, and what ``take`` makes of it in a thread; the file goes where that fails."""
    documents = await context.documents()
    path = (await receive(request, documents.scratch, context.configuration.model_limit, "model_limit")).path
    try:
        return await in_thread(lambda: take(path))
    except BaseException:
        await discard(path)
        raise


async def _start(context: Context, who: Visitor, reading: Reading, file: str) -> Job:
    job = context.jobs.new("model import", who.name)
    job.name, job.total = reading.name, reading.size
    try:
        context.jobs.start(job, reading.run, reading.end)
    except BaseException:
        await reading.discard()
        raise
    details = {"did": "read", "job": job.id, "bytes": reading.size, "file": file}
    await context.audit(who, Action.MODEL_WRITE, reading.name, details=details)
    return job


@post(
    "/model/uploads",
    opt=needs(Action.MODEL_WRITE),
    status_code=201,
    summary="Send a file",
    tags=_TAGS,
    request_max_body_size=None,
)
async def send(
    request: Request[Any, Any, Any],
    context: NamedDependency[Context],
    file: FileName = "",
    form: FormatName = "",
) -> UploadView:
    """One of several that belong together. It is kept for an hour, for whoever sent it; `/model/imports` reads it."""
    documents = await context.documents()
    await in_thread(documents.uploads.admit)
    who = visitor(request).name
    found: UploadView = await _received(request, context, lambda path: documents.take(path, file=file, form=form, who=who))
    return found


class Together(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Files that were sent."""

    uploads: Annotated[list[str], msgspec.Meta(max_length=200)]


@post("/model/uploads/plan", opt=needs(Action.MODEL_WRITE), status_code=200, summary="In which order", tags=_TAGS)
async def order(request: Request[Any, Any, Any], context: NamedDependency[Context], data: JSONBody[Together]) -> PlanView:
    """Which files are one document, which must come before which, and what none of them and nothing in the model brings."""
    documents = await context.documents()
    who = visitor(request).name
    found: PlanView = await in_thread(lambda: documents.plan(data.uploads, who))
    return found


@delete("/model/uploads/{identity:str}", opt=needs(Action.MODEL_WRITE), status_code=204, summary="Drop a file", tags=_TAGS)
async def drop(request: Request[Any, Any, Any], context: NamedDependency[Context], identity: FromPath[str]) -> None:
    """One that was sent and is not wanted."""
    documents = await context.documents()
    who = visitor(request).name
    await in_thread(lambda: documents.uploads.remove(identity, who))


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


@get(
    "/model/documents/{name:str}/export/losses",
    opt=needs(Action.MODEL_READ),
    summary="What an export would lose",
    tags=_TAGS,
)
async def losses(context: NamedDependency[Context], name: FromPath[str], form: As = "") -> LossesView:
    """By reason, and the bytes that the file would have: it is written, and thrown away."""
    found = await _written(context, name, form)
    found.file.close()
    return losses_view(found.losses, found.size)


@get(
    "/model/documents/{name:str}/export",
    opt=needs(Action.EXPORTS_CREATE),
    summary="A document as a file",
    tags=_TAGS,
    responses={200: ResponseSpec(bytes, media_type="application/octet-stream", description="in the format asked for")},
)
async def export(
    request: Request[Any, Any, Any], context: NamedDependency[Context], name: FromPath[str], form: As = ""
) -> Response[bytes]:
    """In its own format or another one; `export/losses` says before what that cannot hold."""
    found = await _written(context, name, form)
    details = {"format": form or "own", "bytes": found.size, "lost": sum(1 for loss in found.losses if loss.lost)}
    await context.audit(visitor(request), Action.EXPORTS_CREATE, name, details=details)
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(found.name)}",
        "Content-Length": str(found.size),
        "Cache-Control": "no-store",
    }
    return await Streaming(streamed(found), "application/octet-stream", headers=headers).prepare()


async def _written(context: Context, name: str, form: str) -> Written:
    documents = await context.documents()
    ended = threading.Event()
    content = await in_thread(partial(documents.content, name))
    try:
        # The thread is left to itself where nobody waits any more, and ends with its next piece.
        return await to_thread.run_sync(
            lambda: written(content, form, documents.scratch, context.configuration.model_limit, ended), abandon_on_cancel=True
        )
    except BaseException:
        ended.set()
        raise


ROUTES = [begin, send, order, drop, cancel, shelf, preview, apply, forget, versions, differences, remove, losses, export]
