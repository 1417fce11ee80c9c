"""``/api/bulk``: the body streams in, lines of JSON stream out, at the same time."""

from __future__ import annotations

import re
import uuid
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final

import anyio
import anyio.from_thread
import anyio.to_thread
import msgspec
import structlog

from hulian.kernel.errors import HulianError
from hulian.network.identifiers.chain.authority import Authority
from hulian.network.identifiers.metadata.check import Rules
from hulian.network.identifiers.store import Job, RecordStore, key_of, responsible
from hulian.network.identifiers.transport.rest.answers import Answer, Streamed, json_answer
from hulian.network.identifiers.transport.rest.bulk.job import Run
from hulian.network.identifiers.transport.rest.bulk.rows import arrow_rows, csv_rows
from hulian.network.identifiers.transport.rest.contract import Node
from hulian.network.identifiers.transport.rest.errors import (
    BusyError,
    DefectError,
    ForbiddenError,
    FormatError,
    JobError,
    LoginError,
    PathError,
    PlainHttpError,
    RequestError,
    RestError,
)
from hulian.network.identifiers.transport.rest.proving import Prover
from hulian.network.identifiers.transport.rest.requests import Request
from hulian.network.identifiers.wire.codes import AdminPermission
from hulian.network.identifiers.wire.values import Reference, Value

__all__ = ["Bulk"]

AT_ONCE: Final = 2
"""Jobs that run at the same time."""

MOST_TOLD: Final = 10_000
"""Refused rows that are told one by one; the others are counted."""

_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,100}")
_FORMS: Final = {"text/csv": csv_rows, "application/vnd.apache.arrow.stream": arrow_rows}
_log = structlog.get_logger(__name__)


class Bulk:
    """Starts jobs and says how they stand."""

    def __init__(self, node: Node, prover: Prover) -> None:
        self._node = node
        self._prover = prover
        self._running: set[str] = set()

    async def state(self, request: Request) -> Answer:
        """``GET``: how far the job has come, to whom it belongs."""
        store, _ = self._parts()
        who = await self._user(request)
        found = await anyio.to_thread.run_sync(store.jobs.find, self._name(request))
        if found is None or found.owner != str(who):
            raise PathError("there is no such job of yours")
        document = {"job": found.name, "acknowledged": found.rows, "records": found.records, "refused": found.refused}
        return json_answer(request, {**document, "done": found.done})

    async def post(self, request: Request) -> Streamed:
        """``POST``: runs the job, from its beginning or from where it was cut."""
        store, authority = self._parts()
        who = await self._user(request)
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in _FORMS:
            raise FormatError(f"the content type {kind[:60]!r} is not read here", hint=f"one of {', '.join(_FORMS)}")
        name = self._name(request)
        if name in self._running:
            raise JobError("the job is running", hint="wait for it, or look at it with GET")
        if len(self._running) >= AT_ONCE:
            raise BusyError(f"{AT_ONCE} jobs are running")
        self._running.add(name)
        try:
            job = await anyio.to_thread.run_sync(self._job, store, name, str(who))
        except BaseException:
            self._running.discard(name)
            raise

        async def lines(send: Callable[[bytes], Awaitable[None]]) -> None:
            try:
                await _Stream(store, authority, request, who, job).run(kind, send)
            finally:
                self._running.discard(name)

        return Streamed("application/x-ndjson", lines)

    def _parts(self) -> tuple[RecordStore, Authority]:
        if self._node.store is None or self._node.authority is None:
            raise PathError("this node keeps no records of its own")
        return self._node.store, self._node.authority

    async def _user(self, request: Request) -> Reference:
        if not request.secure:
            raise PlainHttpError("changes are made over https only")
        who = await self._prover.who(request)
        if who is None:
            raise LoginError("a job needs somebody whose it is")
        return who

    @staticmethod
    def _name(request: Request) -> str:
        name = request.text("job")
        if not name and request.method == "POST":
            return uuid.uuid4().hex
        if not _NAME.fullmatch(name):
            raise RequestError("a job is named by 1 to 100 letters, digits, dots, hyphens and underscores", place="?job")
        return name

    @staticmethod
    def _job(store: RecordStore, name: str, owner: str) -> Job:
        found = store.jobs.find(name)
        if found is None:
            found = Job(name=name, owner=owner)
            store.jobs.begin(found)
        if found.owner != owner:
            raise JobError("a job of this name is somebody else's", hint="choose another name")
        return found


class _Stream:
    """One job's request: its body is taken as fast as rows are written, and its lines never wait for a slow reader for long.

    A sender that reads nothing before its body is out must not be waited for: progress replaces progress that is not sent
    yet, and at most 10,000 refused rows are told.
    """

    def __init__(self, store: RecordStore, authority: Authority, request: Request, who: Reference, job: Job) -> None:
        self._store, self._authority = store, authority
        self._request, self._who, self._job = request, who, job
        self._waiting: deque[dict[str, Any]] = deque()
        self._more = anyio.Event()
        self._told = 0
        self._over = False

    async def run(self, kind: str, send: Callable[[bytes], Awaitable[None]]) -> None:
        self._say({"job": self._job.name, "acknowledged": self._job.rows})
        async with anyio.create_task_group() as group:
            group.start_soon(self._write, send)
            last = await self._ran(kind)
            self._say(last)
            self._over = True

    async def _ran(self, kind: str) -> dict[str, Any]:
        try:
            done = await anyio.to_thread.run_sync(self._work, kind)
        except HulianError as error:
            return {"done": False, **error.as_dict()}
        except Exception:  # noqa: BLE001 - the client is told, and the log has the cause
            _log.exception("a bulk job failed", job=self._job.name)
            return {"done": False, **DefectError("the server failed; its log has the cause").as_dict()}
        return {"done": True, "acknowledged": done.rows, "records": done.records, "refused": done.refused}

    def _work(self, kind: str) -> Job:
        """In a worker thread."""
        run = Run(
            self._store,
            self._job,
            self._who,
            lambda prefix: anyio.from_thread.run(self._allowed, prefix),
            lambda values: anyio.from_thread.run(self._checked, values),
            lambda lines: anyio.from_thread.run_sync(self._say_all, lines),
        )
        ended = False

        def read() -> bytes:
            nonlocal ended
            if ended:
                return b""
            part, ended = anyio.from_thread.run(self._received)
            return part

        return run.over(_FORMS[kind](read, run.refuse))

    async def _received(self) -> tuple[bytes, bool]:
        """The next bytes that are there, and whether they are the last ones."""
        while True:
            message = await self._request.receive()
            if message["type"] == "http.disconnect":
                raise RequestError("the sender went away; the job goes on where it was acknowledged")
            part, ended = message.get("body", b""), not message.get("more_body")
            if part or ended:
                return part, ended

    async def _allowed(self, prefix: str) -> RestError | None:
        if not responsible(self._store, key_of(f"{prefix}/")):
            return ForbiddenError(f"this node does not answer for {prefix}", hint="the node must home the prefix first")
        granted = await self._authority.granted(self._who, f"{prefix}/", ())
        if granted & AdminPermission.ADD_HANDLE:
            return None
        return ForbiddenError(f"{self._who} may not add handles under {prefix}")

    async def _checked(self, values: tuple[Value, ...]) -> tuple[Value, ...]:
        return await Rules(self._authority.templates).checked((), values) or values

    def _say_all(self, lines: list[dict[str, Any]]) -> None:
        for line in lines:
            self._say(line)

    def _say(self, line: dict[str, Any]) -> None:
        if "refused" in line and isinstance(line["refused"], dict):
            self._told += 1
            if self._told > MOST_TOLD:
                return
        elif self._waiting and "acknowledged" in line and self._waiting[-1].keys() == line.keys():
            self._waiting.pop()
        self._waiting.append(line)
        self._more.set()

    async def _write(self, send: Callable[[bytes], Awaitable[None]]) -> None:
        while not self._over or self._waiting:
            if not self._waiting:
                await self._more.wait()
            self._more = anyio.Event()
            lines = list(self._waiting)
            self._waiting.clear()
            if lines:
                await send(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
