"""Follows the orders of the centre: asks for them, tries them out, keeps or takes them back, says how it stands."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import anyio
import anyio.to_thread
import msgspec
import structlog

from hulian.kernel.errors import HulianError
from hulian.kernel.event import Event, Severity
from hulian.network.exchange.protocols.contract import ConnectorState
from hulian.platform.edge.events import EdgeEvent
from hulian.platform.edge.plans import Order, PlanStore

__all__ = ["Follower"]

_log = structlog.get_logger(__name__)
_ASK_EVERY: Final = 10.0
_TELL_EVERY: Final = 5.0
_UP: Final = (ConnectorState.CONNECTED, ConnectorState.DEGRADED)


class Follower:
    """Keeps `PlanStore` and the centre in step.

    ``ask`` sends what the node has and gives a sealed order, empty where there is nothing new; ``reload`` makes the edge run
    what the store says; ``states`` says how its connectors stand; ``tell`` carries the node's own status; ``pending`` are
    certificates that a person at the centre has to look at; ``adopt`` takes over what an order says of the node itself, in a
    worker thread, and does nothing where that is so already.
    """

    def __init__(
        self,
        name: str,
        store: PlanStore,
        ask: Callable[[bytes], Awaitable[bytes]],
        tell: Callable[[bytes], Awaitable[None]],
        *,
        probation: float,
        pending: Callable[[], list[dict[str, Any]]] = list,
        adopt: Callable[[Order], None] = lambda order: None,
    ) -> None:
        self._name = name
        self._store = store
        self._ask = ask
        self._tell = tell
        self.emit: Callable[[Event], None] = lambda event: None
        """Where its events go; the edge sets it."""
        self._probation = probation
        self._pending = pending
        self._adopt = adopt
        self._poked = anyio.Event()
        self._changed = anyio.Event()

    def poke(self) -> None:
        """The centre says that there is something new."""
        self._poked.set()

    async def run(self, reload: Callable[[], Awaitable[None]], states: Callable[[], Mapping[str, ConnectorState]]) -> None:
        """Follows until cancelled."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._report, states)
            await self._take_over()  # a kill may have come between an order and what it says of the node
            if self._store.on_trial:
                await self._try(reload, states, frozenset())
            while True:
                self._poked = anyio.Event()
                if (sealed := await self._fetch()) and await self._stage(sealed):
                    before = frozenset(name for name, state in states().items() if state in _UP)
                    await reload()
                    await self._take_over()
                    self._changed.set()
                    await self._try(reload, states, before)
                    self._changed.set()
                    continue
                with anyio.move_on_after(_ASK_EVERY):
                    await self._poked.wait()

    async def _fetch(self) -> bytes:
        """The centre's answer. A question that was asked when the link broke is given up with the next `poke`."""
        refused, reason = self._store.refused
        request = {"version": self._store.version, "refused": refused, "reason": reason, "pending": self._pending()}
        answer = b""

        async def ask() -> None:
            nonlocal answer
            try:
                answer = await self._ask(msgspec.json.encode(request))
            except HulianError as error:
                _log.info("the centre was not reached", reason=str(error))
            group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            group.start_soon(ask)
            await self._poked.wait()
            group.cancel_scope.cancel()
        return answer

    async def _stage(self, sealed: bytes) -> bool:
        try:
            return await anyio.to_thread.run_sync(self._store.stage, sealed)
        except HulianError as error:
            self._say(Severity.ERROR, f"an order of the centre cannot be used: {error}", error.hint, active=None)
            return False

    async def _take_over(self) -> None:
        """Only when connectors run as ordered: a device that is let in before somebody reads it would speak to nobody."""
        try:
            await anyio.to_thread.run_sync(self._adopt, self._store.order)
        except HulianError as error:
            self._say(Severity.ERROR, f"a part of the centre's order cannot be used: {error}", error.hint, active=None)

    async def _try(
        self, reload: Callable[[], Awaitable[None]], states: Callable[[], Mapping[str, ConnectorState]], before: frozenset[str]
    ) -> None:
        """What was up before has to come up again, and nothing may be refused; else the order is taken back."""
        deadline = time.monotonic() + self._probation
        wanted = before & {plan.name for plan in self._store.order.connectors if plan.enabled}
        while True:
            now = states()
            refused = [name for name, state in now.items() if state is ConnectorState.REFUSED]
            missing = sorted(name for name in wanted if now.get(name) not in _UP)
            if not refused and not missing:
                await anyio.to_thread.run_sync(self._store.confirm)
                return
            if refused or time.monotonic() > deadline:
                break
            await anyio.sleep(0.2)
        version = self._store.version
        reason = f"refused: {', '.join(refused[:10])}" if refused else f"did not come up: {', '.join(missing[:10])}"
        await anyio.to_thread.run_sync(self._store.roll_back, reason)
        hint = "look at the connectors' errors, mend the configuration at the centre; it is offered again as a new version"
        self._say(Severity.ERROR, f"version {version} was taken back ({reason}); version {self._store.version} runs", hint)
        await reload()
        await self._take_over()

    def _say(self, severity: Severity, message: str, hint: str, *, active: bool | None = None) -> None:
        self.emit(
            Event(
                time=time.time_ns(),
                code=EdgeEvent.ORDER_TAKEN_BACK,
                severity=severity,
                component="edge",
                subject=self._name,
                message=message,
                hint=hint,
                active=active,
            )
        )

    async def _report(self, states: Callable[[], Mapping[str, ConnectorState]]) -> None:
        while True:
            self._changed = anyio.Event()
            refused, reason = self._store.refused
            status = {
                "version": self._store.version,
                "on_trial": self._store.on_trial,
                "refused": refused,
                "reason": reason,
                "connectors": len(states()),
            }
            try:
                await self._tell(msgspec.json.encode(status))
            except HulianError as error:
                _log.debug("the node's status waits", reason=str(error))
            with anyio.move_on_after(_TELL_EVERY):
                await self._changed.wait()
