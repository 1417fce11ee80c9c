"""``hulian last``, ``history``, ``live``, ``ledger``, ``events``, ``export``, ``import``: the data."""

from __future__ import annotations

import sys
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from hulian.cli.local import DEFAULT_REMOTE, Json, Remote, open_platform
from hulian.cli.output import emit, table

if TYPE_CHECKING:
    from hulian.sdk.records import Job

__all__ = ["events", "export", "history", "import_", "last", "ledger", "live"]

Points = Annotated[list[str], Parameter(help="names of points, e.g. 99.118.8/reactor#pressure", negative="")]
Last = Annotated[str, Parameter(name="--last", help="length of the window before now: 15m, 1h, 7d")]
Start = Annotated[datetime | None, Parameter(help="begin of the window, with time zone: 2026-11-22T08:00:00+01:00")]
End = Annotated[datetime | None, Parameter(help="end of the window")]


def last(points: Points, /, *, remote: Remote = DEFAULT_REMOTE, json: Json = False) -> None:
    """Show the last values of points.

    Example:

        hulian last 99.118.8/reactor#pressure
    """
    with open_platform(remote) as platform:
        found = platform.last(points)
    if json:
        emit(found)
        return
    rows = [
        {"point": item.name, "value": item.value, "unit": item.unit, "quality": item.quality, "time": item.time}
        for item in found
    ]
    table(rows, ["point", "value", "unit", "quality", "time"], empty="There is no sample yet.")


def history(
    points: Points,
    /,
    *,
    last: Last = "",
    start: Start = None,
    end: End = None,
    every: Annotated[str, Parameter(help="width of a step: 10s, 1m, 1h; raw samples without it")] = "",
    agg: Annotated[list[str] | None, Parameter(help="mean, min, max, count, sum, first, last, p95 …", negative="")] = None,
    limit: Annotated[int, Parameter(help="rows at the most")] = 1000,
    remote: Remote = DEFAULT_REMOTE,
    json: Json = False,
) -> None:
    """Print recorded values, raw or in steps, as CSV or JSON.

    Examples:

        hulian history 99.118.8/reactor#pressure --last 15m
        hulian history 99.118.8/reactor#pressure --last 7d --every 1h --agg mean max
    """
    import pyarrow as pa
    import pyarrow.csv

    with open_platform(remote) as platform:
        found = platform.history(
            points,
            last=last or (None if start else "1h"),
            start=start,
            end=end,
            every=every or None,
            agg=(agg or ["mean"]) if every else None,
            limit=limit,
        ).to_arrow()
    if json:
        emit([{key: str(value) if key == "time" else value for key, value in row.items()} for row in found.to_pylist()])
    else:
        pa.csv.write_csv(found, sys.stdout.buffer)
        sys.stdout.flush()


def live(points: Points, /, *, remote: Remote = DEFAULT_REMOTE, json: Json = False) -> None:
    """Print values as they arrive, until Ctrl-C.

    Example:

        hulian live 99.118.8/reactor#pressure
    """
    with open_platform(remote) as platform:
        for sample in platform.live(points):
            if json:
                emit(sample._asdict())
            else:
                print(f"{sample.time.isoformat(timespec='milliseconds')}  {sample.point}  {sample.value}", flush=True)


def ledger(*, remote: Remote = DEFAULT_REMOTE, json: Json = False) -> int:
    """Show for each source what was sent, stored, duplicated, missing, dropped, pending.

    Exit status 1 where something is missing. Dropped is what a full journal dropped by its policy.

    Examples:

        hulian ledger
        hulian ledger --json
    """
    with open_platform(remote) as platform:
        found = platform.ledger()
    if json:
        emit(found)
    else:
        columns = ["source", "state", "sent", "stored", "duplicated", "missing", "dropped", "pending"]
        rows = [{name: getattr(row, name) for name in columns} for row in found.rows]
        table(rows, columns, empty="No source has sent anything yet.")
    return 1 if found.totals.get("missing") else 0


def events(
    *,
    severity: Annotated[list[str] | None, Parameter(help="info, warning, error, critical", negative="")] = None,
    subject: Annotated[str, Parameter(help="only events about this")] = "",
    limit: Annotated[int, Parameter(help="rows at the most")] = 50,
    remote: Remote = DEFAULT_REMOTE,
    json: Json = False,
) -> None:
    """Show what happened, newest first.

    Examples:

        hulian events
        hulian events --severity error critical --json
    """
    with open_platform(remote) as platform:
        found = platform.events(severity=severity or None, subject=subject or None, limit=limit)
    if json:
        emit(found)
        return
    rows = [
        {
            "time": item.time[:19].replace("T", " "),
            "severity": item.severity,
            "code": item.code,
            "subject": item.subject,
            "message": item.message + (f" → {item.hint}" if item.hint else ""),
        }
        for item in found
    ]
    table(rows, ["time", "severity", "code", "subject", "message"], empty="Nothing has happened: a healthy system is quiet.")


def export(
    target: Annotated[Path, Parameter(help="file to write: .csv or .parquet")],
    points: Points,
    /,
    *,
    last: Last = "",
    start: Start = None,
    end: End = None,
    remote: Remote = DEFAULT_REMOTE,
) -> None:
    """Write recorded values to a CSV or Parquet file of any size.

    Example:

        hulian export shift.parquet 99.118.8/reactor#pressure --last 8h
    """
    shown = _Meter()
    with open_platform(remote) as platform:
        written = platform.export(
            target, points, last=last or (None if start else "1h"), start=start, end=end, progress=shown.bytes
        )
    shown.end()
    print(f"{target}: {written:,} bytes")


def import_(
    source: Annotated[Path, Parameter(help="file to read: .csv or .parquet")],
    /,
    *,
    dry_run: Annotated[bool, Parameter(help="check every row and change nothing", negative="")] = False,
    remote: Remote = DEFAULT_REMOTE,
) -> None:
    """Bring recorded values from a CSV or Parquet file into the historian.

    Examples:

        hulian import shift.parquet --dry-run
        hulian import shift.parquet
    """
    shown = _Meter()
    with open_platform(remote) as platform:
        job = platform.import_file(source, dry_run=dry_run, progress=shown.job)
    shown.end()
    print(f"{source}: {job.samples:,} samples of {job.points} points {'would be imported' if dry_run else 'imported'}")


class _Meter:
    """Progress on a terminal, at most four times a second; silent elsewhere."""

    def __init__(self) -> None:
        self._due = 0.0
        self._used = False

    def bytes(self, done: int) -> None:
        self._print(f"{done / 2**20:,.1f} MiB")

    def job(self, job: Job) -> None:
        share = f"{100 * job.done / job.total:.0f} %" if job.total else ""
        self._print(f"{share}  {job.samples:,} samples")

    def _print(self, text: str) -> None:
        if sys.stderr.isatty() and time.monotonic() >= self._due:
            self._due = time.monotonic() + 0.25
            self._used = True
            print(f"\r  {text}   ", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        if self._used:
            print(file=sys.stderr)
