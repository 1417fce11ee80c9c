"""One connector, kept alive: run, restarted when it breaks, never in the way of its neighbours."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import anyio
import anyio.to_thread
import msgspec
import structlog

from hulian.kernel.configuration import convert
from hulian.kernel.errors import HulianError
from hulian.kernel.event import Event, Severity
from hulian.kernel.identifier import escape
from hulian.network.exchange.protocols.contract import (
    Binding,
    Connector,
    ConnectorState,
    ConnectorStatus,
    Environment,
    PeerTrust,
)
from hulian.platform.edge.config import EdgeConfiguration
from hulian.platform.edge.contract import ConnectorPlan, Uplink
from hulian.platform.edge.errors import ConnectorDownError, NotWritableError, UnknownPointError
from hulian.platform.edge.events import EdgeEvent
from hulian.platform.edge.journal import Journal
from hulian.platform.edge.pace import Pace
from hulian.platform.edge.processing.bank import FilterBank
from hulian.platform.edge.processing.declaration import Described, Filters, filters_of, plain
from hulian.platform.edge.processing.hub import Hub
from hulian.platform.edge.protocols import protocol_named
from hulian.platform.edge.sender import Sender
from hulian.platform.edge.sink import JournalSink

__all__ = ["ConnectorRunner"]

_log = structlog.get_logger(__name__)
LONGEST_PAUSE: Final = 60.0
SETTLED: Final = 30.0
"""A connector that ran this long, in s, starts its back-off anew."""


class ConnectorRunner:
    """Owns the journal, the sender and the connector of one `ConnectorPlan`."""

    def __init__(
        self,
        plan: ConnectorPlan,
        *,
        organisation: str,
        directory: Path,
        settings: EdgeConfiguration,
        power: bool,
        uplink: Uplink,
        trust: PeerTrust,
        extras: Mapping[str, Any],
        emit: Callable[[Event], None],
        changed: Callable[[str], None],
        pace: Pace,
        hub: Hub | None = None,
    ) -> None:
        self.plan = plan
        self._pace = pace
        self._hub = hub
        self._uplink = uplink
        self._emit = emit
        self._changed = changed
        own = directory / escape(plan.name)
        self._environment = Environment(
            organisation=organisation,
            connector=plan.name,
            credentials=plan.credentials,
            trust=trust,
            extras=extras,
            directory=own / "input",
            power=power,
        )
        self.journal = Journal(
            own,
            bound=settings.buffer_mb * 2**20,
            policy=settings.buffer_policy,
            power=power,
        )
        self._settings = settings
        self._connector: Connector | None = None
        self._sink: JournalSink | None = None
        self._sender: Sender | None = None
        self._restarts = 0
        self._shown: tuple[str, str, str] = ("", "", "")
        self._bindings = tuple(plain(binding) for binding in plan.bindings)
        self._by_address = {binding.address: binding for binding in self._bindings}

    async def run(self) -> None:
        """Runs until cancelled; only a journal that cannot be opened ends it, with an event."""
        try:
            self.journal.open()
        except HulianError as error:
            self._tell(EdgeEvent.JOURNAL_UNWRITABLE, Severity.CRITICAL, str(error), error.hint, active=True)
            self._set(ConnectorStatus(state=ConnectorState.STOPPED, error_code=error.code, error=str(error), hint=error.hint))
            await anyio.sleep_forever()
        if self._hub is not None:
            self._hub.opened(self.plan.name, self.journal)
        sender = Sender(self.plan.name, self.journal, self._uplink, self._settings.window, self._emit, self._pace)
        self._sender = sender
        self._sink = JournalSink(
            self._environment.organisation,
            self.plan.name,
            self.journal,
            self._settings,
            self._uplink.encode,
            self._emit,
            self._on_written,
            self._filter_bank(),
        )
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(sender.run)
                group.start_soon(self._sink.watch)
                if self.plan.problem is not None:
                    problem = self.plan.problem
                    self._refuse(problem["code"], problem["message"], problem["hint"])
                elif self.plan.enabled:
                    group.start_soon(self._keep_running, self._sink)
                else:
                    self._set(ConnectorStatus(state=ConnectorState.STOPPED, hint="the connector is disabled"))
        finally:
            try:
                self._sink.close()
            finally:
                if self._hub is not None:
                    self._hub.closed(self.plan.name)
                self.journal.close()

    @property
    def running(self) -> bool:
        """Whether the connector itself runs now: not disabled, refused or between two tries."""
        return self._connector is not None

    def _filter_bank(self) -> FilterBank | None:
        """The filters of this connector's points. A wrong one makes its own point bad, with an event that says why."""
        declared: dict[int, tuple[Filters, Described]] = {}
        refused: list[int] = []
        for binding in self.plan.bindings:
            try:
                found = filters_of(binding.options, binding.storage, place=f"{self.plan.name}, {binding.address}, options")
            except HulianError as error:
                refused.append(binding.series)
                self._tell(EdgeEvent.PROCESSING_REFUSED, Severity.ERROR, str(error), error.hint, active=None)
                continue
            if found is not None:
                declared[binding.series] = found
        if not declared and not refused:
            return None
        bank = FilterBank(declared, refused)
        bank.storages({binding.series: binding.storage for binding in self.plan.bindings})
        return bank

    def _on_written(self) -> None:
        if self._sender is not None:
            self._sender.wake()
        if self._hub is not None:
            self._hub.written(self.plan.name)
        self._changed(self.plan.name)

    async def _keep_running(self, sink: JournalSink) -> None:
        pause = 1.0
        while True:
            began = time.monotonic()
            try:
                # The first use of a protocol imports its library: seconds that the other connectors must not wait.
                protocol = await anyio.to_thread.run_sync(protocol_named, self.plan.protocol)
                configuration = convert(
                    dict(self.plan.settings), protocol.configuration, place=f"connector {self.plan.name}, settings"
                )
                self._connector = protocol.connector(self.plan.url, configuration, self._bindings, self._environment)
                await self._connector.run(sink)
                message, hint = "the connector ended by itself", ""
            except HulianError as error:
                self._refuse(error.code, error.message, error.hint)
                self._connector = None
                if self._hub is not None:
                    self._hub.end(self.plan.name)
                await anyio.sleep_forever()
                return
            except Exception as error:  # noqa: BLE001 - a connector's defect must not reach its neighbours
                message, hint = f"{type(error).__name__}: {error}", "this is a defect: report the log"
                _log.error("connector failed", connector=self.plan.name, exc_info=error)
            finally:
                self._connector = None
            self._restarts += 1
            if time.monotonic() - began > SETTLED:
                pause = 1.0
            wait = pause * random.uniform(0.7, 1.3)  # noqa: S311 - jitter, not a secret
            pause = min(pause * 2, LONGEST_PAUSE)
            self._tell(EdgeEvent.CONNECTOR_FAILED, Severity.ERROR, message, hint, active=None)
            self._set(
                ConnectorStatus(
                    state=ConnectorState.WAITING,
                    error_code=EdgeEvent.CONNECTOR_FAILED,
                    error=message,
                    hint=hint,
                    retry_at=time.time_ns() + int(wait * 1e9),
                )
            )
            await anyio.sleep(wait)

    async def write(self, address: str, value: Any) -> None:
        """Writes to an address that the configuration marks writable; see `Connector.write`."""
        binding: Binding | None = self._by_address.get(address)
        if binding is None:
            raise UnknownPointError(f"{self.plan.name} has no point at {address!r}")
        if not binding.writable:
            raise NotWritableError(f"{address!r} of {self.plan.name} is not writable")
        if self._connector is None:
            raise ConnectorDownError(f"{self.plan.name} is not running")
        await self._connector.write(binding, value)

    def status_message(self) -> bytes:
        """What the console, the ledger and the metrics read: status, journal and restarts, as JSON."""
        journal, sink = self.journal, self._sink
        status = sink.current if sink is not None else ConnectorStatus(state=ConnectorState.STARTING)
        if sink is not None:
            status.samples = sink.samples_taken
            status.last_sample = status.last_sample or sink.last_sample
            status.points = len(self.plan.bindings)
            if sink.filtered:
                status.counters = {**status.counters, "filtered": sink.filtered}
        return msgspec.json.encode(
            {
                "name": self.plan.name,
                "protocol": self.plan.protocol,
                "enabled": self.plan.enabled,
                "status": status,
                "restarts": self._restarts,
                "journal": {
                    "epoch": journal.epoch,
                    "sequence": journal.sequence,
                    "offset": journal.offset,
                    "acknowledged": journal.acknowledged,
                    "bytes": journal.bytes,
                    "bound": journal.bound,
                    "policy": journal.policy,
                    "dropped": journal.dropped + (sink.held_dropped if sink is not None else 0),
                    "refusal": self._sender.refusal if self._sender is not None else "",
                },
            }
        )

    def _refuse(self, code: str, message: str, hint: str) -> None:
        """Shows a configuration that can never work; a changed one starts the connector anew."""
        self._tell(EdgeEvent.CONNECTOR_REFUSED, Severity.ERROR, f"{code}: {message}", hint, active=True)
        self._set(ConnectorStatus(state=ConnectorState.REFUSED, error_code=code, error=message, hint=hint))

    @property
    def state(self) -> ConnectorState:
        """Where the connection stands."""
        return self._sink.current.state if self._sink is not None else ConnectorState.STARTING

    def state_changed(self) -> bool:
        """Whether state or error differ from when this was last asked."""
        if self._sink is None:
            return False
        now = (self._sink.current.state, self._sink.current.error_code, self._sink.current.error)
        changed, self._shown = now != self._shown, now
        return changed

    def _set(self, status: ConnectorStatus) -> None:
        if self._sink is not None:
            self._sink.status(status)

    def _tell(self, code: str, severity: Severity, message: str, hint: str, *, active: bool | None) -> None:
        self._emit(
            Event(
                time=time.time_ns(),
                code=code,
                severity=severity,
                component="edge",
                subject=self.plan.name,
                message=message,
                hint=hint,
                active=active,
            )
        )
