"""A listener that others push to: acknowledged when it is in the edge's journal, and not before."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

import anyio
import msgspec
from anyio import to_thread

from hulian.kernel.errors import HulianError
from hulian.kernel.sample import Columns
from hulian.network.exchange.protocols.bookmarks import Bookmarks
from hulian.network.exchange.protocols.contract import Binding, ConnectorState, Environment, Sink
from hulian.network.exchange.protocols.http.config import HttpConfiguration, Listen
from hulian.network.exchange.protocols.http.errors import (
    BodyError,
    FullError,
    HttpError,
    ListenError,
    OptionError,
    SilenceError,
    TypeFitError,
    WindowError,
)
from hulian.network.exchange.protocols.http.intake import Body, Intake, Taken
from hulian.network.exchange.protocols.http.keys import PREFIX, Answered, KeyWindow, digest_of
from hulian.network.exchange.protocols.http.seen import Seen
from hulian.network.exchange.protocols.http.server import Answer, Application, bind, serve, tls_context
from hulian.network.exchange.protocols.standing import Backoff, Standing
from hulian.network.exchange.protocols.tabular import Rows, TableMapping

__all__ = ["HttpConnector"]

_FULL: Final = 0.5
_SERIOUS: Final = (ListenError, SilenceError, WindowError)
_COUNTED: Final[dict[type[HulianError], str]] = {BodyError: "bad_bodies", TypeFitError: "bad_values"}


class _Waiting:
    """A request whose samples wait for the journal."""

    __slots__ = ("changes", "columns", "done", "error")

    def __init__(self, columns: list[Columns], changes: dict[str, bytes | None]) -> None:
        self.columns = columns
        self.changes = changes
        self.done = anyio.Event()
        self.error: HttpError | None = None


class HttpConnector:
    """Listens for as long as `run` is not cancelled. A 2xx answer means that the samples are in the journal, together with the
    idempotency key of the request where it had one."""

    def __init__(
        self, listen: Listen, configuration: HttpConfiguration, bindings: Sequence[Binding], environment: Environment
    ) -> None:
        configuration.check(listen, token=bool(environment.credentials.password))
        self.listen = listen
        self.configuration = configuration
        self.environment = environment
        self.intake = Intake(configuration, bindings, Seen(environment.organisation, str(listen)))
        rows = Rows(TableMapping(), self.intake.targets)
        rows.last = self.intake.last
        self.standing = Standing(
            "http",
            environment,
            rows,
            self.intake.wrong,
            bad_after=configuration.bad_after,
            serious=_SERIOUS,
            counted=_COUNTED,
        )
        self._bookmarks = Bookmarks(environment.directory)
        self._keys = KeyWindow(configuration.keys, configuration.keys_seconds)
        self._addresses = {target.name: target for target in self.intake.targets}
        self._one_body = anyio.Lock()
        self._waiting: list[_Waiting] = []
        self._arrived = anyio.Event()
        self._sink: Sink | None = None
        self._heard = time.monotonic()

    # -- the life of the listener --------------------------------------------------------------------------------------

    async def run(self, sink: Sink) -> None:
        """Lives until it is cancelled."""
        self._sink = sink
        self.standing.attach(sink)
        backoff = Backoff(self.configuration.reconnect_first, self.configuration.reconnect_most)
        context = await to_thread.run_sync(
            tls_context, self.listen, self.configuration, self.environment.trust, self.environment.connector
        )
        try:
            async with anyio.create_task_group() as scope:
                scope.start_soon(self.standing.watch)
                while True:
                    try:
                        await self._listen(sink, context, backoff)
                    except* (ListenError, WindowError) as group:
                        error = _first(group)
                    delay = backoff.next()
                    self.standing.lost(error, delay)
                    await anyio.sleep(delay)
        finally:
            self._bookmarks.close()
            self.standing.set(ConnectorState.STOPPED, None)

    async def _listen(self, sink: Sink, context: Any, backoff: Backoff) -> None:
        await self._remember(sink)
        application = Application(self.configuration, self.environment.credentials, self._push, to_thread.run_sync)
        with bind(self.listen) as listener:
            self._heard = time.monotonic()
            self.standing.came_back()
            backoff.reset()
            async with anyio.create_task_group() as scope:
                scope.start_soon(self._commit, sink)
                if self.configuration.silent_after:
                    scope.start_soon(self._watch_silence)
                await serve(application, listener, context, self.configuration)

    async def _remember(self, sink: Sink) -> None:
        try:
            known = await to_thread.run_sync(self._bookmarks.open, sink.position)
            stored = await to_thread.run_sync(self._bookmarks.items, PREFIX)
        except OSError as error:
            raise WindowError(str(error), place=str(self.listen)) from error
        if not known:
            text = "which requests came before is not known any more: one that is repeated may be stored twice"
            self.standing.reports.moment(WindowError, str(self.listen), text)
        self._keys.load(stored)

    async def _watch_silence(self) -> None:
        after = self.configuration.silent_after
        while True:
            silent = time.monotonic() - self._heard
            if silent >= after:
                if self.standing.state is ConnectorState.CONNECTED:
                    error = SilenceError(f"nobody has pushed for {after:g} s", place=str(self.listen))
                    self.standing.lost(error, after)
                silent = 0.0
            await anyio.sleep(max(0.01, min(after - silent, after / 4)))

    # -- one request ---------------------------------------------------------------------------------------------------

    async def _push(self, body: Body, key: str) -> Answer:
        """See `hulian.network.exchange.protocols.http.server.Push`."""
        self._heard = time.monotonic()
        self.standing.came_back()
        self.standing.reports.count("requests")
        if self._sink is not None and self._sink.fill > _FULL:
            self.standing.reports.count("refused")
            raise FullError("the journal is more than half full: the spine has to take some first")
        digest = digest_of(body.form.encode(), body.stream.encode(), body.precision.encode(), body.content) if key else b""
        if key and (before := self._keys.begin(key, digest, body.received)) is not None:
            self.standing.reports.count("repeated")
            return Answer(before.status, before.body, replayed=True)
        stored = False
        try:
            answer = await self._store(body, key, digest)
            stored = True
            return answer
        finally:
            if key:
                self._keys.give_up(key, forget=not stored)

    async def _store(self, body: Body, key: str, digest: bytes) -> Answer:
        if not body.content and body.form in ("line", "json"):
            return Answer(204)
        async with self._one_body:
            try:
                taken = await to_thread.run_sync(self.intake.take, body)
            except BodyError as error:
                self.standing.reports.moment(BodyError, body.stream or body.form, error.message)
                raise
        answer = self._answer(body, taken)
        changes = self._keys.end(key, Answered(body.received, digest, answer.status, answer.body)) if key else {}
        if taken.columns or changes:
            waiting = _Waiting(taken.columns, changes)
            self._waiting.append(waiting)
            self._arrived.set()
            await waiting.done.wait()
            if waiting.error is not None:
                raise waiting.error
        return answer

    def _answer(self, body: Body, taken: Taken) -> Answer:
        reports = self.standing.reports
        if taken.unbound:
            reports.count("unbound", taken.unbound)
        for name in taken.misfits:
            reports.moment(TypeFitError, name, f"a value of {name!r} in a {body.form} body does not fit its point")
        if not taken.lost:
            return Answer(204)
        message = (
            f"partial write: {taken.lost} lines or rows were left out, the others are stored; {'; '.join(taken.wrong[:3])}"
        )
        reports.moment(BodyError, body.stream or body.form, message)
        reports.count("bad_rows", taken.lost)
        error = BodyError(message)
        return Answer(400, msgspec.json.encode({**error.as_dict(), "error": message, "rejected": taken.lost}))

    async def _commit(self, sink: Sink) -> None:
        """What waits goes to the journal together: one group, and one bookmark for all of its keys."""
        while True:
            await self._arrived.wait()
            self._arrived = anyio.Event()
            waiting, self._waiting = self._waiting, []
            try:
                await self._commit_all(waiting, sink)
            except OSError as error:
                problem = WindowError(str(error), place=str(self.listen))
                self.standing.reports.moment(WindowError, str(self.listen), str(error))
                for one in waiting:
                    one.error = problem
            finally:
                for one in waiting:
                    one.done.set()

    async def _commit_all(self, waiting: list[_Waiting], sink: Sink) -> None:
        columns = [part for one in waiting for part in one.columns]
        changes = {name: value for one in waiting for name, value in one.changes.items()}
        number: int | None = None
        if changes:
            number = await to_thread.run_sync(lambda: self._bookmarks.write(changes, samples=bool(columns)))
        if columns:
            # Nothing is awaited in between: samples and number belong into one group of the journal.
            self.standing.hand_over(columns)
            await sink.commit(number)

    async def write(self, binding: Binding, value: Any) -> None:
        """Who pushes cannot be written to."""
        raise OptionError("what is pushed cannot be written", place=binding.address, hint="give the point to another connector")


def _first(group: BaseExceptionGroup[HulianError]) -> HulianError:
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found if isinstance(found, HulianError) else ListenError(str(found))
