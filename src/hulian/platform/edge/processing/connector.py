"""The processing connector: reads the journals of other connectors on the edge, and gives what the `Engine` makes of them.

It is a connector like any other: its points have a journal, a sequence and a line in the ledger. What it reads is on disk
before it reads it, and how far it read is in its checkpoint: after a kill -9 nothing is computed twice and nothing left out.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any, Final

import anyio
import msgspec
import structlog

from hulian.kernel.errors import HulianError
from hulian.kernel.event import Event, Severity
from hulian.kernel.quality import Quality
from hulian.kernel.sample import Columns
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import (
    Address,
    Binding,
    Browsed,
    ConnectorState,
    ConnectorStatus,
    Environment,
    Sink,
)
from hulian.platform.edge.errors import NotWritableError, ProcessingError
from hulian.platform.edge.events import EdgeEvent
from hulian.platform.edge.processing.checkpoint import Checkpoint, Mark
from hulian.platform.edge.processing.engine import Engine, Outcome
from hulian.platform.edge.processing.hub import HUB, Hub
from hulian.platform.edge.processing.plan import PROTOCOL, CommandEntry, ComputedEntry, ProcessingSettings, RuleEntry
from hulian.platform.edge.processing.rules import Change, What

__all__ = ["ProcessingConnector", "ProcessingProtocol", "protocol"]

_log = structlog.get_logger(__name__)
_TICK: Final = 0.25
_JOURNALS_WITHIN: Final = 10.0
"""Seconds that the journals of a start are waited for."""
_SNAPSHOT_EVERY: Final = 5.0
_COMMAND_SECONDS: Final = 10.0
_COMMANDS_UNDER_WAY: Final = 32
_TOO_LATE: Final = 10_000_000_000
"""A change of a rule that is older than this, in ns, writes nothing any more: the plant has moved on."""


class ProcessingConnector:
    """See the module. Commands of rules go through the edge's own write path, one task each, bounded in number."""

    def __init__(self, settings: ProcessingSettings, bindings: Sequence[Binding], environment: Environment, hub: Hub) -> None:
        self._settings = settings
        self._name = environment.connector
        self._hub = hub
        self._engine = Engine(settings, bindings, place=f"connector {self._name}")
        self._sources = sorted(
            {source.connector for source in settings.known.points.values() if source.series in self._engine.inputs}
        )
        directory = environment.directory
        self._checkpoint = None if directory is None else Checkpoint(directory, power=environment.power)
        self._read: dict[str, tuple[int, int]] = {}
        self._number = 0
        self._commanded: dict[str, int] = {}
        self._under_way = 0
        self._kept = 0.0
        self._errors = 0

    async def run(self, sink: Sink) -> None:
        """See `Connector`."""
        recovered = False
        try:
            await self._recover(sink)
            recovered = True
            self._tell_refused(sink)
            sink.status(self._status())
            async with anyio.create_task_group() as group:
                while True:
                    worked = await self._round(sink, group)
                    await self._hub.wait(self._name, 0 if worked else _TICK)
        finally:
            if recovered:
                self._keep_snapshot()
            self._hub.end(self._name)

    async def write(self, binding: Binding, value: Any) -> None:
        """A computed point is made of others; nobody writes to it."""
        raise NotWritableError(f"{binding.address} is computed", hint="write to one of the points that it is made of")

    # ------------------------------------------------------------ reading

    async def _recover(self, sink: Sink) -> None:
        """Goes to where the last life was: its snapshot, what came after it up to its last commit, its marks."""
        mark = self._checkpoint.load(sink.position) if self._checkpoint is not None else None
        if self._checkpoint is None or mark is None:
            # A processing that is new begins with what comes from now on.
            self._number = sink.position or 0
            ends = self._hub.ends()
            self._read = {source: ends[source] for source in self._sources if source in ends}
            await self._commit(sink, ())
            return
        with anyio.move_on_after(_JOURNALS_WITHIN):
            while any(source not in self._hub.ends() for source in self._sources if source in mark.read):
                await self._hub.wait(self._name, _TICK)
        self._number = mark.number
        self._read = {source: read for source, read in mark.read.items() if source in self._sources}
        kept = self._checkpoint.snapshot()
        before: dict[str, tuple[int, int]] = {}
        if kept is not None and kept[0].number <= mark.number:  # a newer one knows of a commit that is lost
            before = kept[0].read
            try:
                self._engine.load(kept[1])
            except (KeyError, ValueError, TypeError) as error:
                _log.warning("the snapshot of a processing is not understood", connector=self._name, error=str(error))
        await self._again(before, self._read)
        if kept is not None and kept[0].number == mark.number:
            # Nothing came of what was read between the commit and the snapshot.
            self._read |= {source: read for source, read in before.items() if source in self._sources}
            mark = kept[0]
        self._engine.remember(mark.marks)

    async def _again(self, since: dict[str, tuple[int, int]], until: dict[str, tuple[int, int]]) -> None:
        """Reads what was read before, for its state only."""
        for source in self._sources:
            epoch, last = until.get(source, (0, 0))
            known = since.get(source, (epoch, 0))
            after = known[1] if known[0] == epoch else 0
            while after < last and (batches := self._hub.read(self._name, source, after)):
                for batch in batches:
                    if batch.sequence <= last:
                        self._engine.feed(batch.columns)
                    after = batch.sequence
                await anyio.lowlevel.checkpoint()

    async def _round(self, sink: Sink, group: Any) -> bool:
        """Reads some of every source, computes, commits, acts; whether there was anything."""
        ends = self._hub.ends()
        outcomes: list[Outcome] = []
        read = dict(self._read)
        for source in self._sources:
            if source not in ends:
                continue
            epoch, after = read.get(source, ends[source])
            after = after if epoch == ends[source][0] else 0
            batches = self._hub.read(self._name, source, after)
            outcomes += [self._engine.feed(batch.columns) for batch in batches]
            if batches or source not in read:
                read[source] = (ends[source][0], batches[-1].sequence if batches else after)
        outcomes.append(self._engine.advance(time.time_ns()))
        columns = [part for outcome in outcomes for part in outcome.columns]
        changes = [change for outcome in outcomes for change in outcome.changes]
        moved = read != self._read
        self._read = read
        if columns or changes:
            await self._commit(sink, columns)
            for change in changes:
                self._act(sink, group, change)
        if time.monotonic() - self._kept > _SNAPSHOT_EVERY:
            self._keep_snapshot()
        return moved

    async def _commit(self, sink: Sink, columns: Sequence[Columns]) -> None:
        self._number += 1
        if self._checkpoint is not None:
            self._checkpoint.keep(self._mark(bare=not columns))
        for part in columns:
            sink.samples(part)
        if columns:
            await sink.commit(self._number)

    def _mark(self, *, bare: bool) -> Mark:
        return Mark(number=self._number, bare=bare, read=self._read, marks=self._engine.marks())

    def _keep_snapshot(self) -> None:
        self._kept = time.monotonic()
        if self._checkpoint is None or not self._number:
            return
        try:
            self._checkpoint.keep_snapshot(self._mark(bare=True), self._engine.snapshot())
        except HulianError as error:
            _log.warning("a snapshot was not kept", connector=self._name, reason=str(error))
            return
        self._hub.keep(self._name, {source: self._read.get(source, (0, 0)) for source in self._sources})

    # ------------------------------------------------------------ acting

    def _act(self, sink: Sink, group: Any, change: Change) -> None:
        rule = self._engine.entries[change.rule]
        sink.event(self._event(rule, change))
        command = rule.command
        if command is None or change.what is not What.BEGUN:
            return
        now = time.time_ns()
        if now - change.time > _TOO_LATE:
            self._tell_command(
                sink, rule, command, f"nothing was written: the rule began {(now - change.time) / 1e9:.0f} s ago", done=False
            )
        elif now - self._commanded.get(rule.name, 0) < command.interval_s * 1e9:
            self._tell_command(
                sink, rule, command, f"nothing was written: {command.interval_s:g} s are not over since the last", done=False
            )
        elif self._under_way >= _COMMANDS_UNDER_WAY:
            self._tell_command(sink, rule, command, "nothing was written: too many commands are under way", done=False)
        else:
            self._commanded[rule.name] = now
            self._under_way += 1
            group.start_soon(partial(self._command, sink, rule, command))

    async def _command(self, sink: Sink, rule: RuleEntry, command: CommandEntry) -> None:
        target = self._settings.known.points[command.point]
        try:
            with anyio.fail_after(_COMMAND_SECONDS):
                await self._hub.write(target.connector, target.address, command.value)
        except HulianError as error:
            self._tell_command(sink, rule, command, f"{error}", done=False)
        except TimeoutError:
            self._tell_command(sink, rule, command, "the device did not answer in time", done=False)
        else:
            self._tell_command(sink, rule, command, f"wrote {command.value} to {command.point}", done=True)
        finally:
            self._under_way -= 1

    def _tell_command(self, sink: Sink, rule: RuleEntry, command: CommandEntry, message: str, *, done: bool) -> None:
        sink.event(
            Event(
                time=time.time_ns(),
                code=EdgeEvent.RULE_COMMANDED,
                severity=Severity.INFO if done else Severity.ERROR,
                component="edge",
                subject=f"{self._name}/{rule.name}",
                message=f"{rule.name}: {message}",
                hint="" if done else "look at the device and at the rule",
                details={"point": command.point, "value": command.value, "principal": command.owner, "done": done},
            )
        )

    def _event(self, rule: RuleEntry, change: Change) -> Event:
        begins = change.what is What.BEGUN
        switched = change.what in (What.SWITCHED_OFF, What.SWITCHED_ON)
        off = change.what is What.SWITCHED_OFF
        if switched:
            severity = Severity.ERROR if off else Severity.INFO
            message = (
                f"{rule.name} began too often and is switched off for {rule.rest_s:g} s" if off else f"{rule.name} is on again"
            )
            hint = "give the rule a hold or a wider 'until'" if off else ""
        else:
            severity = rule.event.severity if begins else Severity.INFO
            message = (rule.event.message or rule.name) if begins else f"{rule.name} is over"
            hint = rule.event.hint if begins else ""
        return Event(
            time=change.time,
            code=EdgeEvent.RULE_SWITCHED_OFF if switched else EdgeEvent.RULE_ACTIVE,
            severity=severity,
            component="edge",
            subject=f"{self._name}/{rule.name}",
            message=message,
            hint=hint,
            active=off if switched else begins,
            details={"when": rule.when},
        )

    def _tell_refused(self, sink: Sink) -> None:
        """What cannot work is told, and its point is bad; the others go on."""
        now = time.time_ns()
        wrong = [refusal.series for refusal in self._engine.refused if refusal.series]
        if wrong:
            status = [Quality.BAD_CONFIGURATION_ERROR] * len(wrong)
            sink.samples(Columns.of(StorageClass.DOUBLE, wrong, [now] * len(wrong), [None] * len(wrong), status))
        for refusal in self._engine.refused:
            sink.event(
                Event(
                    time=now,
                    code=EdgeEvent.PROCESSING_REFUSED,
                    severity=Severity.ERROR,
                    component="edge",
                    subject=f"{self._name}/{refusal.what}",
                    message=str(refusal.error),
                    hint=refusal.error.hint,
                )
            )

    def _status(self) -> ConnectorStatus:
        wrong = len(self._engine.refused)
        state = ConnectorState.DEGRADED if wrong else ConnectorState.CONNECTED
        if not wrong:
            return ConnectorStatus(state=state)
        first = self._engine.refused[0].error
        return ConnectorStatus(state=state, error_code=first.code, error=str(first), hint=first.hint, bad_points=wrong)


class ProcessingProtocol:
    """The edge's own: no device stands behind it."""

    name = PROTOCOL
    schemes: tuple[str, ...] = (PROTOCOL,)
    configuration: type[msgspec.Struct] = ProcessingSettings
    options: type[msgspec.Struct] = ComputedEntry

    def connector(
        self, url: str, configuration: Any, bindings: Sequence[Binding], environment: Environment
    ) -> ProcessingConnector:
        """See `Protocol`."""
        return ProcessingConnector(configuration, bindings, environment, environment.extras[HUB])

    def browse(
        self, url: str, configuration: Any, environment: Environment, *, under: Address | None = None, depth: int = 1
    ) -> AsyncIterator[Browsed]:
        """There is nothing to browse."""
        raise ProcessingError(
            "a processing shows nothing: its points are written", hint="give its points an expression or a window"
        )


protocol = ProcessingProtocol()
