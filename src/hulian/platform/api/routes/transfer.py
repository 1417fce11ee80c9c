"""History as files: out while it is read, in after it was checked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from anyio import from_thread, to_thread
from litestar import Request, Response, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody, QueryParameter

from hulian.data.historian.transfer.moving import Format, ImportReport, import_samples
from hulian.data.historian.transfer.tables import Progress, Target
from hulian.kernel.sample import Columns
from hulian.platform.api.access import needs, visitor
from hulian.platform.api.context import Context
from hulian.platform.api.errors import RequestError
from hulian.platform.api.jobs import Job
from hulian.platform.api.query import Question, plan
from hulian.platform.api.receiving import discard, receive
from hulian.platform.api.streaming import Streaming
from hulian.platform.api.tabular import CSV, PARQUET, CsvEncoder, Encoder, ParquetEncoder, chunks, encoded
from hulian.trust import Action

__all__ = ["ROUTES"]

_ROWS = 2**31 - 1
_SHOWN = 100
_DIGITS = 20
_FORMATS: Final[dict[str, Format]] = {"text/csv": "csv", "application/vnd.apache.parquet": "parquet"}


class Export(Question, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A question whose answer becomes a file."""

    format: Literal["csv", "parquet"] = "csv"  # type: ignore[assignment]
    limit: Annotated[int, msgspec.Meta(ge=1, le=_ROWS, description="most samples")] = _ROWS


@post(
    "/exports",
    opt=needs(Action.EXPORTS_CREATE),
    status_code=200,
    summary="History as a file",
    tags=["history"],
    responses={200: ResponseSpec(bytes, media_type="application/octet-stream", description="CSV or Parquet")},
)
async def export(request: Request[Any, Any, Any], context: NamedDependency[Context], data: JSONBody[Export]) -> Response[bytes]:
    """Streamed, whatever its size. A file that breaks off never looks complete."""
    points = await context.points.resolve(data.points, most=context.configuration.query_points, place="$.points")
    parts = plan(data, await context.points.tracks(points))
    encoder: Encoder = ParquetEncoder() if data.format == "parquet" else CsvEncoder()
    name = f"hulian-{datetime.now(UTC):%Y%m%d-%H%M%S}.{data.format}"
    await context.audit(visitor(request), Action.EXPORTS_CREATE, name, details={"points": len(points), "format": data.format})
    return await Streaming(
        encoded(chunks(context.queries, parts, context.limits()), encoder),
        PARQUET if data.format == "parquet" else CSV,
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    ).prepare()


@post(
    "/imports",
    opt=needs(Action.HISTORY_WRITE),
    status_code=202,
    summary="A file into history",
    tags=["history"],
    request_max_body_size=None,
)
async def import_file(
    request: Request[Any, Any, Any],
    context: NamedDependency[Context],
    dry_run: Annotated[bool, QueryParameter(description="check the whole file and write nothing")] = False,
    skip_bad: Annotated[bool, QueryParameter(description="take the other rows where some are bad")] = False,
    name: Annotated[str, QueryParameter(description="the file's name, for the record", max_length=300)] = "",
) -> Job:
    """The body is a CSV or Parquet file. It is checked as a whole first; then the job writes it. Twice is once."""
    form = _FORMATS.get(request.headers.get("content-type", "").partition(";")[0].strip())
    if form is None:
        raise RequestError("the body is neither CSV nor Parquet", place="header content-type", hint=", ".join(_FORMATS))
    path, size, digest = await receive(request, context.house.scratch, context.configuration.import_limit, "import_limit")
    try:
        who = visitor(request)
        job = context.jobs.new("import", who.name)
        job.name, job.dry_run, job.total = name, dry_run, size if dry_run else 2 * size
        work = _Import(context, path, form, skip_bad=skip_bad)
        context.jobs.start(job, work.run)
    except BaseException:
        await discard(path)
        raise
    details = {"did": "dry run" if dry_run else "import", "job": job.id, "bytes": size, "digest": digest}
    await context.audit(who, Action.HISTORY_WRITE, name or "file", details=details)
    return job


class _Import:
    """One file on its way into history: checked as a whole in a first pass, written in a second."""

    def __init__(self, context: Context, path: Path, form: Format, *, skip_bad: bool) -> None:
        self._context = context
        self._path = path
        self._form = form
        self._skip_bad = skip_bad

    async def run(self, job: Job) -> None:
        try:
            report = await to_thread.run_sync(self._move, job)
        finally:
            await discard(self._path)
        job.done, job.samples, job.points, job.refused = job.total, report.rows, report.points, report.refused
        if report.rows:
            job.first_ms, job.last_ms = report.first // 1000 / 1000, report.last // 1000 / 1000
        job.problems = [str(problem) for problem in report.problems[:_SHOWN]]

    def _move(self, job: Job) -> ImportReport:
        before, passed = 0, 0

        def tell(progress: Progress) -> None:
            nonlocal before, passed
            if progress.bytes < before:
                passed += progress.total
            before = progress.bytes
            job.done, job.samples, job.refused = min(job.total, passed + before), progress.rows, progress.refused

        def resolve(name: str) -> Target | None:
            point = self._context.catalogue.points_named([name]).get(name)
            if point is None and name.isdecimal() and len(name) <= _DIGITS:
                point = self._context.catalogue.points_of_series([int(name)]).get(int(name))
            return Target(point.series, point.storage) if point else None

        def insert(columns: Sequence[Columns], token: str) -> None:
            from_thread.run(self._context.queries.insert_history, columns, token)

        with self._path.open("rb") as file:
            return import_samples(file, self._form, resolve, insert, dry_run=job.dry_run, skip_bad=self._skip_bad, tell=tell)


ROUTES = [export, import_file]
