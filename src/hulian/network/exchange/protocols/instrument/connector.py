"""A connection to one described instrument: ask, decode, obey, and come back by itself."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import anyio
import msgspec
import numpy as np
import pyarrow as pa

from hulian.kernel.errors import HulianError
from hulian.kernel.quality import Quality
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Binding, ConnectorState, Environment, Sink
from hulian.network.exchange.protocols.instrument.config import InstrumentConfiguration
from hulian.network.exchange.protocols.instrument.description import Bundle, Instrument, Message
from hulian.network.exchange.protocols.instrument.errors import (
    AddressError,
    GarbageError,
    InstrumentError,
    LostError,
    NotTakenError,
    RangeError,
    ReachError,
    RefusedError,
    SilenceError,
)
from hulian.network.exchange.protocols.instrument.line import Line, open_line
from hulian.network.exchange.protocols.instrument.pieces import Incomplete, Mismatch
from hulian.network.exchange.protocols.instrument.points import Point, Question, points_of, setter_of
from hulian.network.exchange.protocols.instrument.saying import fitting, say
from hulian.network.exchange.protocols.instrument.target import Target as Place
from hulian.network.exchange.protocols.standing import Backoff, Standing
from hulian.network.exchange.protocols.tabular import Rows, TableMapping

__all__ = ["InstrumentConnector"]

_SERIOUS: Final = (ReachError, LostError, SilenceError, GarbageError)
_COUNTED: Final[dict[type[HulianError], str]] = {RefusedError: "refusals", RangeError: "bad_values"}
_MOST_PARTS: Final = 1_000
"""Answers that are not final, before one that is."""
_FIRST_CONNECT: Final = 2.0


class Answer(msgspec.Struct):
    """What came of one message: values by response or bundle and field, and when (UTC ns)."""

    values: dict[str, dict[str, Any]]
    time: int


class InstrumentConnector:
    """Asks every message that a point needs at its interval, for as long as `run` is not cancelled.

    A message that is answered with an error makes its points bad and no others. After an answer that is late or wrong the
    connection is opened anew: what comes then cannot be taken for the answer of another message.
    """

    def __init__(
        self,
        place: Place,
        instrument: Instrument,
        configuration: InstrumentConfiguration,
        bindings: Sequence[Binding],
        environment: Environment,
    ) -> None:
        self.configuration = configuration
        self.instrument = instrument
        self._place = place
        points, wrong = points_of(bindings, instrument, configuration)
        self._points = {point.binding.series: point for point in points}
        self._questions = self._make_questions(points)
        rows = Rows(TableMapping(), [point.target for point in points])
        self.standing = Standing(
            "instrument", environment, rows, wrong, bad_after=configuration.bad_after, serious=_SERIOUS, counted=_COUNTED
        )
        self._rows = {question: self._rows_of(question) for question in self._questions}
        self._kept: dict[int, tuple[Any, float]] = {}
        self._line: Line | None = None
        self._turn = anyio.Lock()
        self._answered: set[str] = set()

    def _make_questions(self, points: Sequence[Point]) -> list[Question]:
        found: dict[tuple[str, float], Question] = {}
        for point in points:
            if point.asked is not None:
                options, configuration = point.options, self.configuration
                group = configuration.groups[options.group] if options.group else configuration.interval
                interval = options.interval or group
                question = found.setdefault((point.asked.name, interval), Question(point.asked, interval))
                question.points.append(point)
        return list(found.values())

    def _rows_of(self, question: Question) -> Rows:
        rows = Rows(TableMapping(), [point.target for point in question.points])
        rows.last = self.standing.rows.last
        return rows

    # -- the life of the connection ------------------------------------------------------------------------------------

    async def run(self, sink: Sink) -> None:
        """Lives until it is cancelled."""
        self.standing.attach(sink)
        try:
            async with anyio.create_task_group() as scope:
                scope.start_soon(self.standing.watch)
                await self._connect_for_ever()
        finally:
            if self._line is not None:
                self._line.close()
                self._line = None
            self.standing.set(ConnectorState.STOPPED, None)

    async def _connect_for_ever(self) -> None:
        backoff = Backoff(self.configuration.reconnect_first, self.configuration.reconnect_most)
        since = time.monotonic()
        while True:
            self._answered.clear()
            healthy = False
            try:
                await self._session(time.monotonic() - since)
            except _AnewError:
                since = time.monotonic()
                continue
            except InstrumentError as error:
                healthy = bool(self._answered) or (not self._questions and not isinstance(error, ReachError))
                if healthy:
                    backoff.reset()
                    since = time.monotonic()
                self._kept.clear()
                delay = backoff.next()
                self.standing.lost(error, delay)
                await anyio.sleep(delay)
                self.standing.reports.count("reconnects")

    async def _session(self, away: float) -> None:
        """One connection, from its start to the error that ends it."""
        configuration = self.configuration
        line = await open_line(
            self._place,
            timeout=min(configuration.connect_timeout, max(_FIRST_CONNECT, away)),
            most=configuration.largest_answer,
        )
        self._line = line
        try:
            if not self._questions:
                self.standing.came_back()
            await self._ask_for_ever(line)
        finally:
            self.standing.reports.count("stray_bytes", line.stray)
            line.close()
            self._line = None

    async def _ask_for_ever(self, line: Line) -> None:
        now = time.monotonic()
        for place, question in enumerate(self._questions):
            # What is never answered comes last, after the others have shown that the instrument is there.
            question.due = now + (self.configuration.recheck if question.alone_silent else place * 1e-6)
        waiting = list(self._questions)
        heapq.heapify(waiting)
        while True:
            wait = waiting[0].due - time.monotonic() if waiting else 3600.0
            if wait > 0:
                try:
                    async with asyncio.timeout(wait):
                        await line.closed.wait()
                except TimeoutError:
                    pass
                line.check()
                continue
            question = waiting[0]
            await self._poll(line, question)
            now = time.monotonic()
            late = now - question.due
            question.due += question.interval * max(1, int(late / question.interval) + (late > question.interval))
            heapq.heapreplace(waiting, question)

    # -- questions -----------------------------------------------------------------------------------------------------

    async def _poll(self, line: Line, question: Question) -> None:
        try:
            answer = await self._ask(line, question.message, {})
        except RefusedError as error:
            self.standing.came_back()
            self._refused(question, error)
            return
        except SilenceError as error:
            if self._answered - {question.message.name}:
                # Others were answered on this connection: it is this message, or the line; a new connection tells which.
                question.alone_silent = True
                self._refused(question, error)
                raise _AnewError("another connection tells more") from error
            raise
        question.alone_silent = False
        self.standing.came_back()
        if question.failing is not None:
            self.standing.reports.end(question.failing, question.message.name)
            question.failing = None
        self._take(question, answer)

    def _refused(self, question: Question, error: InstrumentError) -> None:
        """The points of one message are bad; told once."""
        if question.failing is type(error):
            return
        if question.failing is not None:
            self.standing.reports.end(question.failing, question.message.name)
        question.failing = type(error)
        self.standing.reports.begin(type(error), question.message.name, f"{question.message.name}: {error.message}", error.hint)
        own = {point.binding.series for point in question.points}
        for series in own:
            self._kept.pop(series, None)
        status = Quality.BAD_TIMEOUT if isinstance(error, SilenceError) else Quality.BAD_DEVICE_FAILURE
        marks = self._rows[question].marks(int(status), time.time_ns(), only=lambda target: target.series in own)
        self.standing.hand_over(marks)

    async def _ask(self, line: Line, message: Message, given: Mapping[str, Any]) -> Answer:
        """Says a message and waits for what answers it. Raises `RangeError` before anything is sent, `RefusedError`,
        `SilenceError`, `GarbageError`, `LostError`."""
        data = say(message, given)
        async with self._turn:
            if self.configuration.request_gap:
                await anyio.sleep(self.configuration.request_gap)
            line.send(data)
            self.standing.reports.count("requests")
            answer = Answer({}, time.time_ns())
            if message.answers:
                try:
                    await self._answers(line, message, answer, len(data))
                except RefusedError:
                    self._answered.add(message.name)
                    raise
                self._answered.add(message.name)
            return answer

    async def _answers(self, line: Line, message: Message, answer: Answer, sent: int) -> None:
        instrument = self.instrument
        errors = [one for one in instrument.responses.values() if one.error]
        expected = [(name, instrument.responses.get(name) or instrument.bundles[name]) for name in message.answers]
        expected = [(one.name, one) for one in errors] + [pair for pair in expected if pair[1] not in errors]
        most = self.configuration.largest_answer

        def parse(buffer: bytes) -> tuple[tuple[str, dict[str, Any]], int] | None:
            reasons = []
            waiting = False
            for name, one in expected:
                try:
                    values, size = one.record.decode(buffer, most)
                except Incomplete:
                    waiting = True
                except Mismatch as reason:
                    reasons.append(str(reason))
                else:
                    return (name, values), size
            if waiting:
                return None
            self.standing.reports.count("garbage")
            what = f"{message.name!r} was answered by {buffer[:60]!r}: {'; '.join(reasons)[:300]}"
            raise GarbageError(what, place=line.peer)

        for _ in range(_MOST_PARTS):
            name, values = await line.take(parse, message.timeout or self.configuration.timeout, sent)
            answer.time = time.time_ns()
            response = instrument.responses.get(name)
            if response is not None and response.error:
                words = ", ".join(f"{key} {value}" for key, value in values.items())
                raise RefusedError(f"the instrument refuses {message.name!r}: {words[:500] or name}", place=line.peer)
            answer.values.setdefault(name, {}).update(values)
            if response is None or response.final:
                return
            sent = 0
        raise GarbageError(f"{message.name!r} is answered without end", place=line.peer)

    # -- answers to columns --------------------------------------------------------------------------------------------

    def _take(self, question: Question, answer: Answer) -> None:
        single: dict[str, Any] = {}
        for point in question.points:
            values = answer.values.get(point.answer, {})
            if point.field not in values:
                continue
            value = values[point.field]
            if (
                isinstance(value, np.ndarray)
                and point.bundle is not None
                and point.target.storage is not StorageClass.STRUCTURE
            ):
                self._column(question, point, value, _times(point.bundle, values, len(value), answer.time))
                continue
            if isinstance(value, np.ndarray):
                value = msgspec.json.encode(value.tolist()).decode()
            if not self._unchanged(point, value):
                single[point.target.name] = value
        if not single:
            return
        columns = [pa.array([value]) if value is not None else pa.nulls(1, pa.null()) for value in single.values()]
        table = pa.table(columns, names=list(single))
        self._map(question, table, np.array([answer.time], np.int64))

    def _column(self, question: Question, point: Point, values: Any, times: Any) -> None:
        if len(values):
            missing = np.isnan(values)
            column = pa.array(values, mask=missing) if missing.any() else pa.array(values)
            self._map(question, pa.table([column], names=[point.target.name]), times)

    def _map(self, question: Question, table: pa.Table, times: Any) -> None:
        mapped = self._rows[question].map(table, times)
        for name, _ in mapped.misfits[:100]:
            address = self._points[int(name)].binding.address
            message = f"{address}: a value does not fit the type of its point"
            self.standing.reports.moment(RangeError, address, message, "give the point the type that 'hulian browse' shows")
        self.standing.hand_over(mapped.columns)

    def _unchanged(self, point: Point, value: Any) -> bool:
        if not self.configuration.changes_only:
            return False
        now = time.monotonic()
        before = self._kept.get(point.binding.series)
        if before is not None and before[0] == value and now < before[1] + self.configuration.repeat_after:
            return True
        self._kept[point.binding.series] = (value, now)
        return False

    # -- set-points ----------------------------------------------------------------------------------------------------

    async def write(self, binding: Binding, value: Any) -> None:
        """Says the message that sets the point, within what the description allows, and returns when the instrument has
        answered it, or (where it does not answer, and the option 'verify' is not false) shows the same value."""
        point = self._points.get(binding.series)
        if point is None or point.binding.address != binding.address:
            raise AddressError("the description has no such point", place=binding.address)
        message, field = setter_of(point, self.instrument)
        given = self._given(point, message, field.name if field else "", value)
        say(message, given)
        line = self._line
        if line is None:
            raise LostError("the instrument is not connected", place=str(self._place), hint="try again when it is back")
        try:
            await self._ask(line, message, given)
            self.standing.reports.count("writes")
            if field is not None and point.asked is not None and point.options.verify and not point.bundle:
                await self._verify(line, point, point.asked, fitting(field, given[field.name], binding.address))
        except (SilenceError, GarbageError) as error:
            line.close(error)
            raise

    def _given(self, point: Point, message: Message, name: str, value: Any) -> dict[str, Any]:
        if not name:
            try:
                found = msgspec.json.decode(value) if isinstance(value, str | bytes) and value else value or {}
            except msgspec.DecodeError as error:
                raise RangeError("it is no object", place=point.binding.address) from error
            if not isinstance(found, dict):
                raise RangeError(f"{message.name!r} takes an object with its fields", place=point.binding.address)
            return found
        if (point.options.scale != 1.0 or point.options.offset != 0.0) and isinstance(value, int | float):
            value = (value - point.options.offset) / point.options.scale
        return {name: value}

    async def _verify(self, line: Line, point: Point, asked: Message, wanted: Any) -> None:
        answer = await self._ask(line, asked, {})
        shown = answer.values.get(point.answer, {}).get(point.field)
        if isinstance(wanted, float) and isinstance(shown, int | float):
            same = abs(wanted - shown) <= 1e-4 * max(abs(wanted), abs(shown), 1e-9)
        else:
            same = shown == wanted
        if not same:
            raise NotTakenError(f"{wanted!r} was written, the instrument shows {shown!r}", place=point.binding.address)
        question = next(one for one in self._questions if point in one.points)
        self._kept.pop(point.binding.series, None)
        self._take(question, answer)


class _AnewError(InstrumentError):
    """The connection is opened anew at once; nothing is lost yet."""


def _times(bundle: Bundle, values: Mapping[str, Any], count: int, now: int) -> Any:
    """UTC ns of the rows: the last is of now, the others as far before it as the basis or the interval says."""
    if bundle.basis and bundle.basis in values:
        basis = np.asarray(values[bundle.basis], np.float64)
        seconds = np.nan_to_num(basis - basis[-1]) if count else basis
        return now + np.round(np.clip(seconds, -1e9, 0.0) * 1e9).astype(np.int64)
    return now - np.round(np.arange(count - 1, -1, -1) * bundle.interval * 1e9).astype(np.int64)
