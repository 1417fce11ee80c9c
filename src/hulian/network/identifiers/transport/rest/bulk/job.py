"""One bulk job: windows of rows are written in durable batches, and what is acknowledged is never done twice."""

from __future__ import annotations

import hashlib
import sys
from array import array
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from operator import itemgetter
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hulian.kernel.errors import HulianError
from hulian.network.identifiers.store import Job, RecordStore
from hulian.network.identifiers.store.errors import RecordExistsError
from hulian.network.identifiers.store.kinds import GOVERNED
from hulian.network.identifiers.transport.rest.bulk.records import Records, records_of
from hulian.network.identifiers.transport.rest.bulk.rows import SCHEMA
from hulian.network.identifiers.transport.rest.errors import JobError, RestError
from hulian.network.identifiers.wire.values import Reference, Value, pack_values, unpack_values

__all__ = ["WINDOW", "Allowed", "Checked", "Run", "windows"]

WINDOW: Final = 10_000
"""Rows, and so at the most records, of one batch."""

Allowed = Callable[[str], RestError | None]
"""Why nothing may be registered under a prefix; None where it may."""

Checked = Callable[[tuple[Value, ...]], tuple[Value, ...]]
"""The values of a new record as they are stored. Raises where they break a rule."""

Say = Callable[[list[dict[str, Any]]], None]
_MOST_PREFIXES: Final = 10_000
_MOST_NOTED: Final = 10_000
_MOST_UNTOLD: Final = 1_000_000
_UNKNOWN: Final = RestError("not asked yet")
_GOVERNED: Final = pa.array(sorted(GOVERNED))


def windows(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same rows, cut every 10,000, so that a file is cut alike however it arrives. Rows at the end of a window whose handle
    may go on in the next one are left to that, unless they fill it."""
    waiting: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        waiting.append(batch)
        count += batch.num_rows
        while count >= WINDOW:
            whole = _joined(waiting)
            window = whole.slice(0, WINDOW)
            cut = _last_begins(window) or WINDOW
            yield window.slice(0, cut)
            waiting, count = [whole.slice(cut)], count - cut
    if count:
        yield _joined(waiting)


def _joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    if len(batches) == 1:
        return batches[0]
    (found,) = pa.Table.from_batches(batches, SCHEMA).combine_chunks().to_batches() or [SCHEMA.empty_table().to_batches()[0]]
    return found


def _last_begins(window: pa.RecordBatch) -> int:
    """Where the last handle of the window begins."""
    handles = window.column("handle")
    last = handles[len(handles) - 1]
    at = len(handles) - 1
    while at > 0 and handles[at - 1] == last:
        at -= 1
    return at


class Run:
    """Runs ``job`` for ``who``: writes, and says by ``say`` what is durable and what is refused. Blocking.

    While one window is written by a thread of its own, this one prepares the next: the database works without the
    interpreter's lock.
    """

    def __init__(self, store: RecordStore, job: Job, who: Reference, allowed: Allowed, checked: Checked, say: Say) -> None:
        self._store = store
        self._before = job
        self._job = job
        self._who = str(who)
        self._allowed = allowed
        self._checked = checked
        self._say = say
        self._prefixes: dict[str, RestError | None] = {}
        self._told: list[tuple[int, dict[str, Any]]] = []
        self._untold = array("q")
        self._written: Future[list[int]] | None = None
        self._settle: Callable[[list[int]], None] = lambda _: None

    def refuse(self, line: int, handle: str, error: HulianError) -> None:
        """Notes that the row at ``line`` is refused; it is said and counted with its window. Raises `JobError` where hardly
        a row is good."""
        if len(self._told) < _MOST_NOTED:
            told = {"line": line, "handle": handle[:200], "code": error.code, "message": error.message, "hint": error.hint}
            self._told.append((line, {"refused": told}))
        elif len(self._untold) < _MOST_UNTOLD:
            self._untold.append(line)
        else:
            raise JobError(f"more than {_MOST_UNTOLD} rows in a row are refused", hint="look at the first ones")

    def over(self, batches: Iterator[pa.RecordBatch]) -> Job:
        """Writes the rows of ``batches``; where the job stands then. Raises `JobError` where they are not those of before."""
        rows, digest = 0, b""
        with ThreadPoolExecutor(1, "bulk") as writer:
            for window in windows(batches):
                rows += window.num_rows
                digest = _digest(digest, window)
                if rows > self._before.rows:
                    self._write(writer, window, rows, digest)
                elif rows == self._before.rows and digest != self._before.digest:
                    raise JobError(
                        "the rows that were acknowledged before are other ones", hint="give another file a job of its own"
                    )
                else:
                    self._taken(_line(window))  # said and counted before
            self._wait()
        if rows < self._before.rows:
            raise JobError(f"{self._before.rows} rows were acknowledged before, and now there are {rows}", hint=_SAME)
        if not self._before.done:
            self._finish()
        return self._job

    def _write(self, writer: Executor, window: pa.RecordBatch, rows: int, digest: bytes) -> None:
        """Begins to write a window, once the one before is durable."""
        if rows - window.num_rows < self._before.rows:
            raise JobError("the rows that were acknowledged before end elsewhere", hint=_SAME)
        records = self._governed(window, self._permitted(records_of(window, self.refuse)))
        self._wait()
        last, made = _line(window), self._job
        refused = self._job.refused + self._noted(last)

        def beside(connection: Any, count: int) -> None:
            nonlocal made
            there, not_made = self._job.records + count, len(records.keys) - count
            made = msgspec.structs.replace(self._job, rows=rows, records=there, refused=refused + not_made, digest=digest)
            self._store.jobs.advance(connection, made)

        def settle(there: list[int]) -> None:
            self._job = made
            for place in there:
                error = RecordExistsError(
                    "the handle exists already", hint="bulk jobs make records; change one at /api/handles"
                )
                self.refuse(records.lines[place], records.handles[place], error)
            done = {"acknowledged": made.rows, "records": made.records, "refused": made.refused}
            self._say([*self._taken(last), done])

        create = self._store.create_packed
        self._written = writer.submit(create, records.handles, records.keys, records.packed, by=self._who, beside=beside)
        self._settle = settle

    def _wait(self) -> None:
        """Until the window that is being written is durable; then that is said."""
        if self._written is not None:
            there, self._written = self._written.result(), None
            self._settle(there)

    def _noted(self, last: int) -> int:
        """How many refused rows stand at the line ``last`` or before it."""
        return sum(line <= last for line, _ in self._told) + sum(line <= last for line in self._untold)

    def _taken(self, last: int) -> list[dict[str, Any]]:
        """What is to be said of the rows up to the line ``last``; it is noted no longer."""
        found = [told for line, told in self._told if line <= last]
        self._told = [one for one in self._told if one[0] > last]
        self._untold = array("q", [line for line in self._untold if line > last])
        return found

    def _permitted(self, records: Records) -> Records:
        """Those of prefixes that ``who`` may add handles to. Each prefix is asked about once."""
        first = records.handles[0].partition("/")[0] if records.handles else ""
        if self._prefixes.get(first, _UNKNOWN) is None and all(
            map(f"{first}/".__eq__, _heads(records.handles, len(first) + 1))
        ):
            return records
        gone: set[int] = set()
        for place, handle in enumerate(records.handles):
            prefix = handle[: handle.index("/")]
            if prefix not in self._prefixes:
                if len(self._prefixes) >= _MOST_PREFIXES:
                    self._prefixes.clear()
                self._prefixes[prefix] = self._allowed(prefix)
            if (error := self._prefixes[prefix]) is not None:
                self.refuse(records.lines[place], handle, error)
                gone.add(place)
        return records.without(gone) if gone else records

    def _governed(self, window: pa.RecordBatch, records: Records) -> Records:
        """Those that are what their templates say, as these have them. A window without such records is not looked at."""
        rows = pc.is_in(pc.utf8_upper(window.column("type")), value_set=_GOVERNED)
        handles = set(pc.filter(window.column("handle"), rows).to_pylist())
        if not handles:
            return records
        self._wait()  # their template may stand in the window before
        gone: set[int] = set()
        packed = list(records.packed)
        for place, handle in enumerate(records.handles):
            if handle not in handles:
                continue
            try:
                packed[place] = pack_values(self._checked(unpack_values(packed[place])))
            except HulianError as error:
                self.refuse(records.lines[place], handle, error)
                gone.add(place)
        found = Records(records.handles, records.keys, packed, records.lines)
        return found.without(gone) if gone else found

    def _finish(self) -> None:
        """The job is done; what was refused behind its last row is counted."""
        last = sys.maxsize
        final = msgspec.structs.replace(self._job, done=True, refused=self._job.refused + self._noted(last))
        advance = self._store.jobs.advance
        self._store.create_packed([], [], [], by=self._who, beside=lambda connection, _: advance(connection, final))
        self._job = final
        self._say(self._taken(last))


_BY_ITSELF: Final = "bulk jobs make records; change one at /api/handles"
_SAME: Final = "send the same file again, or give another one a job of its own"


def _line(window: pa.RecordBatch) -> int:
    """The line of the last row."""
    lines = window.column("line")
    return int(lines[len(lines) - 1].as_py())


def _heads(handles: Sequence[str], size: int) -> Iterator[str]:
    """The first characters of each."""
    return map(itemgetter(slice(size)), handles)


def _digest(before: bytes, window: pa.RecordBatch) -> bytes:
    """Over every row so far."""
    made = hashlib.sha256(before)
    for name in ("handle", "type", "data", "permissions"):
        # What stands at a place without a value is nobody's business: none of it is hashed.
        column = pc.fill_null(window.column(name).cast(pa.binary()), b"")
        _, offsets, data = column.buffers()
        ends = np.frombuffer(offsets, np.int32, len(column) + 1, column.offset * 4)
        made.update((ends - ends[0]).tobytes())
        made.update(memoryview(data)[ends[0] : ends[-1]] if data is not None else b"")
    for name in ("index", "ttl"):
        made.update(window.column(name).to_numpy(zero_copy_only=False).tobytes())
    return made.digest()
