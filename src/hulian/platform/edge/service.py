"""The edge component: runs every configured connector, follows changes, answers control requests."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import anyio
import anyio.to_thread
import msgspec
import structlog
from anyio import TASK_STATUS_IGNORED
from anyio.abc import TaskGroup, TaskStatus

from hulian.kernel.configuration import convert
from hulian.kernel.errors import HulianError
from hulian.kernel.event import Event, Severity
from hulian.kernel.unreadable import UNREADABLE
from hulian.network.exchange.protocols.contract import ConnectorState, Credentials, Environment, PeerTrust
from hulian.network.exchange.protocols.searching import search
from hulian.platform.edge.config import EdgeConfiguration
from hulian.platform.edge.contract import ConnectorPlan, Inputs, PlantSource, Uplink
from hulian.platform.edge.errors import DefectError, ExpiredCommandError, RequestError, SlowDeviceError, UnknownConnectorError
from hulian.platform.edge.events import EdgeEvent
from hulian.platform.edge.follower import Follower
from hulian.platform.edge.orphans import Orphans
from hulian.platform.edge.outbox import Outbox
from hulian.platform.edge.pace import Pace
from hulian.platform.edge.processing.hub import HUB, Hub
from hulian.platform.edge.processing.plan import PROTOCOL
from hulian.platform.edge.protocols import protocol_named, protocol_of_url
from hulian.platform.edge.runner import ConnectorRunner

__all__ = ["EdgeService"]

_log = structlog.get_logger(__name__)
COMMANDS_KEPT: Final = 10_000
"""Identities of carried-out commands that are remembered; beyond it the oldest goes."""
REST: Final = 30.0
"""Seconds that a removed connector has to take what waits for it."""
CLOCK_STEP: Final = 2.0
"""A jump of the wall clock against the monotonic clock that is told, in s."""


class _Running(msgspec.Struct):
    runner: ConnectorRunner
    scope: anyio.CancelScope
    ended: anyio.Event


class EdgeService:
    """Runs connectors as `PlantSource` lists them, each in a scope of its own.

    ``inputs`` gives a connector what its protocol needs from beside this room; ``follower`` is there on an edge node, whose
    plant is ordered by a centre.
    """

    name = "edge"

    def __init__(
        self,
        organisation: str,
        directory: Path,
        settings: EdgeConfiguration,
        plant: PlantSource,
        uplink: Uplink,
        trust: PeerTrust,
        *,
        power: bool = False,
        inputs: Inputs | None = None,
        follower: Follower | None = None,
    ) -> None:
        self._organisation = organisation
        self._directory = directory
        self._settings = settings
        self._plant = plant
        self._uplink = uplink
        self._trust = trust
        self._power = power
        self._inputs = inputs
        self._follower = follower
        self._running: dict[str, _Running] = {}
        self._status_due: set[str] = set()
        self._reloading = anyio.Lock()
        self._pace = Pace(settings.catch_up_rate)
        self._outbox = Outbox(directory / ".events", uplink.event, power=power)
        self.tell = self._outbox.put
        """Takes an event of this node, from the event loop; it is kept on disk until the spine has it."""
        self._orphans = Orphans(directory, settings, uplink, self.tell, pace=self._pace, power=power)
        self._commands: dict[str, dict[str, Any]] = {}
        self._hub = Hub(uplink.decode, self._write_to, lambda: set(self._processings))
        self._processings: frozenset[str] = frozenset()

    async def run(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """See `hulian.kernel.lifecycle.Component`."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._outbox.run)
            group.start_soon(self._send_status)
            group.start_soon(self._watch_clock)
            await self._reload(group, found=True)
            group.start_soon(self._serve, group)
            if self._follower is not None:
                self._follower.emit = self.tell
                group.start_soon(self._follower.run, partial(self._reload, group), self._states)
            task_status.started()

    # ------------------------------------------------------------ configuration

    async def _reload(self, group: TaskGroup, only: str | None = None, *, force: bool = False, found: bool = False) -> None:
        """Starts what is new, stops what is gone, restarts what changed; leaves the others alone. The journals of those that
        are gone are drained; ``found``: an earlier life may have left some."""
        async with self._reloading:
            plans = {plan.name: plan for plan in await anyio.to_thread.run_sync(self._plant.plans)}
            processing = (
                plan.name for plan in plans.values() if plan.protocol == PROTOCOL and plan.enabled and not plan.problem
            )
            self._processings = frozenset(processing)
            for name in sorted(self._running.keys() | plans.keys()):
                if only is not None and name != only:
                    continue
                running, plan = self._running.get(name), plans.get(name)
                if running is not None and (force or plan != running.runner.plan):
                    if plan is None:
                        await self._take_rest(running.runner)
                    running.scope.cancel()
                    await running.ended.wait()
                    del self._running[name]
                    if plan is None:
                        await self._forget(running.runner.plan)
                    running = None
                if running is None and plan is not None:
                    await self._orphans.release(name)
                    await self._prepare(plan)
                    self._start(group, plan)
            left = [name for name in await anyio.to_thread.run_sync(self._orphans.on_disk) if name not in plans]
            self._orphans.adopt(group, (name for name in left if only is None or name == only), found=found)

    def _states(self) -> Mapping[str, ConnectorState]:
        return {name: running.runner.state for name, running in self._running.items()}

    async def _prepare(self, plan: ConnectorPlan) -> None:
        """A connector whose input cannot be prepared starts all the same: it tries again by itself and says why."""
        if self._inputs is not None and plan.enabled:
            try:
                await self._inputs.prepare(plan)
            except HulianError as error:
                _log.warning("input not prepared", connector=plan.name, reason=str(error))

    async def _take_rest(self, runner: ConnectorRunner) -> None:
        """A connector that is to go takes first what its devices were told is safe; what it cannot take is told."""
        if self._inputs is None or not runner.running:
            return
        try:
            taken = await self._inputs.taken(runner.plan, REST)
        except HulianError as error:
            _log.warning("the rest of an input cannot be seen", connector=runner.plan.name, reason=str(error))
            taken = False
        if not taken:
            self.tell(
                Event(
                    time=time.time_ns(),
                    code=EdgeEvent.INPUT_GIVEN_UP,
                    severity=Severity.ERROR,
                    component="edge",
                    subject=runner.plan.name,
                    message=f"{runner.plan.name} was removed before it had taken everything that waited for it",
                    hint="disable a connector's devices first, and remove it when its input is empty",
                )
            )

    async def _forget(self, plan: ConnectorPlan) -> None:
        if self._inputs is not None:
            try:
                await self._inputs.forget(plan)
            except HulianError as error:
                _log.warning("input not released", connector=plan.name, reason=str(error))

    def _extras(self, plan: ConnectorPlan) -> Mapping[str, Any]:
        if plan.protocol == PROTOCOL:
            return {HUB: self._hub}
        return self._inputs.extras(plan) if self._inputs is not None else {}

    def _start(self, group: TaskGroup, plan: ConnectorPlan) -> None:
        runner = ConnectorRunner(
            plan,
            organisation=self._organisation,
            directory=self._directory,
            settings=self._settings,
            power=self._power,
            uplink=self._uplink,
            trust=self._trust,
            extras=self._extras(plan),
            emit=self.tell,
            changed=self._status_due.add,
            pace=self._pace,
            hub=self._hub,
        )
        running = _Running(runner, anyio.CancelScope(), anyio.Event())
        self._running[plan.name] = running

        async def keep() -> None:
            try:
                with running.scope:
                    await runner.run()
            except Exception as error:  # noqa: BLE001 - one connector's end must not end the others
                _log.error("connector scope failed", connector=plan.name, exc_info=error)
            finally:
                running.ended.set()

        group.start_soon(keep)

    # ------------------------------------------------------------ status

    async def _send_status(self) -> None:
        """Each connector each interval; a changed one at once, at most ten times a second."""
        last_all = 0.0
        while True:
            await anyio.sleep(0.1)
            now = time.monotonic()
            everything = now - last_all >= self._settings.status_ms / 1000
            due = set(self._running) if everything else {name for name in self._status_due if self._changed_state(name)}
            if everything:
                last_all = now
            self._status_due.clear()
            messages = {name: self._running[name].runner.status_message() for name in due & self._running.keys()}
            if everything:
                messages |= {name: self._orphans.status_message(name) for name in self._orphans.names()}
            for name, message in messages.items():
                try:
                    await self._uplink.status(name, message)
                except HulianError:
                    break  # status is repeated by nature; the next second brings it

    def _changed_state(self, name: str) -> bool:
        running = self._running.get(name)
        return running is not None and running.runner.state_changed()

    async def _watch_clock(self) -> None:
        """Tells when this node's wall clock steps: sample times of devices without a clock jump with it."""
        offset = time.time() - time.monotonic()
        while True:
            await anyio.sleep(1.0)
            step = time.time() - time.monotonic() - offset
            if abs(step) > CLOCK_STEP:
                offset += step
                self.tell(
                    Event(
                        time=time.time_ns(),
                        code=EdgeEvent.NODE_CLOCK_JUMPED,
                        severity=Severity.WARNING,
                        component="edge",
                        subject="clock",
                        message=f"this node's clock jumped by {step:+.1f} s",
                        hint="check the time synchronisation (chrony, NTP) of this machine",
                        details={"seconds": step},
                    )
                )

    # ------------------------------------------------------------ control

    async def _serve(self, group: TaskGroup) -> None:
        async for payload, reply in self._uplink.requests("edge"):
            group.start_soon(self._answer, group, payload, reply)

    async def _answer(self, group: TaskGroup, payload: bytes, reply: Callable[[bytes], Awaitable[None]]) -> None:
        try:
            answer = await self._do(group, payload)
        except HulianError as error:
            answer = {"error": error.as_dict()}
        except TimeoutError:
            answer = {"error": SlowDeviceError("the device did not answer in time").as_dict()}
        except Exception as error:  # noqa: BLE001 - who asks for what cannot be done now must not end the connectors
            _log.error("a request failed", exc_info=error)
            answer = {"error": DefectError(f"the request failed: {type(error).__name__}").as_dict()}
        try:
            await reply(msgspec.json.encode(answer))
        except HulianError as error:
            _log.warning("an answer found no way back", reason=str(error))

    async def _do(self, group: TaskGroup, payload: bytes) -> dict[str, Any]:
        try:
            request = msgspec.json.decode(payload, type=dict[str, Any])
        except UNREADABLE as error:
            raise RequestError(f"not a control request: {error}") from error
        match request.get("do"):
            case "reload" if self._follower is not None:
                self._follower.poke()
                return {"ok": True}
            case "reload":
                await self._reload(group, request.get("connector"))
                return {"ok": True}
            case "restart":
                await self._reload(group, self._named(request).plan.name, force=True)
                return {"ok": True}
            case "write":
                return await self._write(request)
            case "browse":
                return await self._browse(request)
            case "status":
                return {
                    "connectors": [msgspec.json.decode(running.runner.status_message()) for running in self._running.values()],
                    "orphans": [msgspec.json.decode(self._orphans.status_message(name)) for name in self._orphans.names()],
                }
            case other:
                raise RequestError(f"the edge cannot do {other!r}", hint="reload, restart, write, browse or status")

    async def _write(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Once an identity, and not after its expiry: a repeated command gets the first one's answer."""
        identity = request.get("identity")
        if identity and identity in self._commands:
            return self._commands[identity]
        if (expires := request.get("expires")) is not None and time.time_ns() > int(expires):
            raise ExpiredCommandError("the command came after its expiry: nothing was written")
        with anyio.fail_after(float(request.get("timeout", 10.0))):
            await self._named(request).write(str(request.get("address", "")), request.get("value"))
        if identity:
            self._commands[identity] = {"ok": True}
            while len(self._commands) > COMMANDS_KEPT:
                del self._commands[next(iter(self._commands))]
        return {"ok": True}

    async def _write_to(self, connector: str, address: str, value: Any) -> None:
        """The same for a rule of this edge, which has its own limits and tells what became of it."""
        await self._named({"connector": connector}).write(address, value)

    def _named(self, request: Mapping[str, Any]) -> ConnectorRunner:
        name = request.get("connector")
        running = self._running.get(name) if isinstance(name, str) else None
        if running is None:
            raise UnknownConnectorError(f"there is no connector {name!r}")
        return running.runner

    async def _browse(self, request: Mapping[str, Any]) -> dict[str, Any]:
        url = str(request.get("url", ""))
        if request.get("protocol"):
            protocol = await anyio.to_thread.run_sync(protocol_named, str(request["protocol"]))
        else:
            protocol = await anyio.to_thread.run_sync(protocol_of_url, url)
        configuration = convert(request.get("settings") or {}, protocol.configuration, place="settings")
        name = str(request.get("connector") or "browse")
        given = request.get("credentials") or {}
        running = self._running.get(name)
        credentials = Credentials(**{name: str(given.get(name, "")) for name in ("user", "password", "key")})
        if not given and running is not None:
            credentials = running.runner.plan.credentials
        plan = ConnectorPlan(
            name=name, protocol=protocol.name, url=url, settings={}, credentials=credentials, enabled=False, bindings=()
        )
        environment = Environment(
            organisation=self._organisation,
            connector=name,
            credentials=credentials,
            trust=self._trust,
            extras=self._extras(plan),
        )
        text = str(request.get("search") or "")
        depth = 0 if text else int(request.get("depth", 1))
        shown = protocol.browse(url, configuration, environment, under=request.get("under"), depth=depth)
        timeout = float(request.get("timeout", 30.0))
        # A search that takes too long says what it has found; a branch that takes too long is an error.
        with anyio.fail_after(timeout + 3 if text else timeout):
            nodes, whole = await search(shown, text, limit=self._settings.browse_limit, seconds=timeout if text else math.inf)
        return {"protocol": protocol.name, "nodes": nodes, "truncated": not whole}
