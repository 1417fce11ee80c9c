"""The OPC UA connector: keeps one server connected for ever and turns what it publishes into columns."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import anyio
import msgspec
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import get_name_and_doc

from hulian.kernel.configuration import convert
from hulian.kernel.errors import ConfigurationError
from hulian.kernel.event import Severity
from hulian.kernel.quality import Quality
from hulian.network.exchange.protocols.contract import Binding, ConnectorState, ConnectorStatus, Environment, Sink
from hulian.network.exchange.protocols.opcua import address, security, writing
from hulian.network.exchange.protocols.opcua.conditions import Conditions
from hulian.network.exchange.protocols.opcua.config import BindingOptions, OpcuaConfiguration
from hulian.network.exchange.protocols.opcua.errors import (
    AddressError,
    LoginError,
    NodeError,
    NotWritableError,
    OfflineError,
    OpcuaError,
    PlainPasswordError,
    RefusedError,
    SecurityError,
    SessionLostError,
    SilentError,
    UnapprovedError,
    UnreachableError,
)
from hulian.network.exchange.protocols.opcua.events import OpcuaEvent
from hulian.network.exchange.protocols.opcua.polling import Poller
from hulian.network.exchange.protocols.opcua.samples import Block
from hulian.network.exchange.protocols.opcua.session import Session
from hulian.network.exchange.protocols.opcua.subscription import Item, Subscriptions, read_limits
from hulian.network.exchange.protocols.opcua.table import Table, Taken
from hulian.network.exchange.protocols.opcua.values import BuiltIn
from hulian.network.exchange.protocols.opcua.wire import PublishResponse

__all__ = ["OpcuaConnector"]

_NAMED: Final = 20
"""How many bindings one event names; the rest it counts."""

_BEAT: Final = 0.25
_QUIET: Final = 60_000_000_000
"""How long (ns) a server's queue must not overflow until the condition is over."""

_AWAY: Final = (UnreachableError, SilentError, SessionLostError)


class _Kept(NamedTuple):
    """A session that the server keeps for a while although the connection is lost, and its subscriptions."""

    session: Session
    subscriptions: Subscriptions
    until: float


class OpcuaConnector:
    """One OPC UA server, alive from `run` to its cancellation (`hulian…contract.Connector`)."""

    def __init__(
        self, url: str, configuration: OpcuaConfiguration, bindings: Sequence[Binding], environment: Environment
    ) -> None:
        security.authority(url)
        self._url = url
        self._configuration = configuration
        self._environment = environment
        self._login = security.load_login(configuration, environment.credentials)
        self._table = Table(bindings)
        self._options: dict[int, BindingOptions] = {}
        self._faults: dict[int, tuple[int, str]] = {}
        """Why a binding is bad: its status and, for a person, the reason."""
        for place, binding in enumerate(bindings):
            self._prepare(place, binding)
        self._hopeless = frozenset(self._faults)
        self._status = ConnectorStatus(state=ConnectorState.STARTING, since=time.time_ns(), points=len(bindings))
        self._counters = dict.fromkeys(
            (
                "connections",
                "resumed",
                "messages",
                "republished",
                "lost_messages",
                "overflows",
                "type_mismatches",
                "clock_offset_ms",
            ),
            0,
        )
        self._conditions = Conditions(environment.connector)
        self._session: Session | None = None
        self._kept: _Kept | None = None
        self._namespaces: list[str] = []
        self._away_since = 0.0
        self._overflow_at = 0
        self._unconfirmed: set[int] = set()

    def _prepare(self, place: int, binding: Binding) -> None:
        try:
            address.check(binding.address)
            self._options[place] = convert(dict(binding.options), BindingOptions, place=binding.address)
        except AddressError as error:
            self._faults[place] = (Quality.BAD_NODE_ID_INVALID, error.message)
        except ConfigurationError as error:
            self._faults[place] = (Quality.BAD_CONFIGURATION_ERROR, f"{error}; {error.hint}")

    # -- the life of the connection ---------------------------------------------------------------------------------

    async def run(self, sink: Sink) -> None:
        """See `hulian…contract.Connector.run`."""
        self._table.expect_confirmation(time.time_ns() - int(self._configuration.bad_after * 1e9))
        self._away_since = anyio.current_time()
        self._refuse(sink, {place: status for place, (status, _) in self._faults.items()})
        self._show(sink)
        attempt = 0
        async with anyio.create_task_group() as group:
            group.start_soon(self._heartbeat, sink)
            while True:
                reached = self._counters["connections"]
                error = await self._attempt(sink)
                attempt = 0 if self._counters["connections"] > reached else attempt + 1
                pause = self._pause(error, attempt)
                self._disconnected(sink, error, pause)
                await self._wait(error, pause)

    async def _attempt(self, sink: Sink) -> OpcuaError:
        """Connects and stays connected; returns what ended that."""
        failure: OpcuaError | None = None
        before, self._kept = self._kept, None
        try:
            session = await Session.open(
                self._url, self._configuration, self._environment, self._login, before=before.session if before else None
            )
        except OpcuaError as error:
            if before is not None and isinstance(error, _AWAY) and anyio.current_time() < before.until:
                self._kept = before
            return error
        self._session = session
        try:
            if before is not None and session.resumed:
                await self._go_on(sink, session, before.subscriptions)
            else:
                await self._begin_anew(sink, session)
            raise AssertionError("unreachable: serving ends by an error")
        except* OpcuaError as group:
            failure = _leaf(group)
        finally:
            self._session = None
            if self._may_go_on(session, failure):
                session.abandon()
            else:
                self._kept = None
                await session.close()
        return failure

    def _may_go_on(self, session: Session, failure: OpcuaError | None) -> bool:
        """Whether the next connection may take this session over: the line is dead, not the session."""
        if session.resumed and self._unconfirmed:
            return False
        kept = self._kept is not None and self._kept.session is session
        return kept and (not session.alive or isinstance(failure, SilentError))

    async def _go_on(self, sink: Sink, session: Session, subscriptions: Subscriptions) -> None:
        """Goes on with the subscriptions of the connection before: nothing in between is lost that the server kept."""
        await subscriptions.resume(session)
        self._unconfirmed = subscriptions.identities
        self._connected(sink, session, polling=False, anew=False)
        await self._serve(sink, session, subscriptions)

    async def _begin_anew(self, sink: Sink, session: Session) -> None:
        self._unconfirmed = set()
        self._namespaces = await self._read_namespaces(session)
        limits = await read_limits(session)
        items, refused = self._resolve()
        subscriptions = Subscriptions(
            session,
            self._configuration,
            limits,
            lambda response: self._deliver(sink, response),
            lambda number: self._missed(sink, number),
        )
        polling = self._configuration.mode == "poll"
        if not polling and items:
            try:
                refused |= await subscriptions.create(items)
            except RefusedError as error:
                if self._configuration.mode == "subscribe" or not _unsupported(error):
                    raise
                polling = True
        self._connected(sink, session, polling=polling, anew=True)
        self._refuse(sink, refused)
        await self._serve(sink, session, subscriptions, items if polling else None)

    async def _serve(
        self, sink: Sink, session: Session, subscriptions: Subscriptions, polled: Sequence[Item] | None = None
    ) -> None:
        """Everything that goes on while the connection stands; ends only by an error."""
        poller = Poller(session, subscriptions.limits, lambda blocks: self._polled(sink, blocks))
        async with anyio.create_task_group() as group:
            group.start_soon(session.renew_for_ever)
            if polled is not None:
                group.start_soon(poller.poll_for_ever, polled, self._configuration.poll_interval)
                return
            if subscriptions.count:
                self._kept = _Kept(session, subscriptions, anyio.current_time() + session.lifetime)
                group.start_soon(subscriptions.publish_for_ever)
                group.start_soon(self._keep, session, subscriptions)
            else:
                group.start_soon(poller.pulse_for_ever, self._configuration.keep_alive)
            group.start_soon(self._recheck, sink, subscriptions, poller)

    async def _keep(self, session: Session, subscriptions: Subscriptions) -> None:
        """Notes until when the server would keep this session if the connection were lost now."""
        while True:
            self._kept = _Kept(session, subscriptions, anyio.current_time() + session.lifetime)
            self._counters["republished"] = subscriptions.republished
            await anyio.sleep(1)

    async def _read_namespaces(self, session: Session) -> list[str]:
        (answer,) = await session.read([address.standard(ObjectIds.Server_NamespaceArray)])
        value = answer.Value.Value if answer.Value is not None else None
        return [str(uri) for uri in value] if isinstance(value, list) else []

    def _resolve(self, places: Sequence[int] | None = None) -> tuple[list[Item], dict[int, int]]:
        """The bindings as node ids of this server; those whose namespace it does not have are refused."""
        items: list[Item] = []
        refused: dict[int, int] = {}
        for place in range(len(self._table)) if places is None else places:
            if place in self._hopeless:
                continue
            try:
                node = address.resolve(self._table.bindings[place].address, self._namespaces)
            except NodeError as error:
                refused[place] = Quality.BAD_NODE_ID_UNKNOWN
                self._faults[place] = (Quality.BAD_NODE_ID_UNKNOWN, error.message)
                continue
            items.append(Item(place, node, self._options[place]))
        return items, refused

    async def _recheck(self, sink: Sink, subscriptions: Subscriptions, poller: Poller) -> None:
        """Looks again at refused and silent points: a node may have come, gone, or come back."""
        table = self._table
        before = table.last_time.copy()
        while True:
            await anyio.sleep(self._configuration.recheck)
            silent = (table.last_time == before).nonzero()[0].tolist()
            items, refused = self._resolve(silent)
            by_place = {item.place: item for item in items}
            statuses = await poller.statuses(items)
            gone = {place: status for place, status in statuses.items() if _no_node(status) and not table.refused[place]}
            back = [by_place[place] for place, status in statuses.items() if not _no_node(status) and table.refused[place]]
            self._refuse(sink, {**{place: code for place, code in refused.items() if not table.refused[place]}, **gone})
            if back:
                await subscriptions.remove([item.place for item in back])
                still = await subscriptions.add(back)
                self._restored(sink, [item.place for item in back if item.place not in still])
            before = table.last_time.copy()

    # -- what comes -------------------------------------------------------------------------------------------------

    def _deliver(self, sink: Sink, response: PublishResponse) -> None:
        received = time.time_ns()
        self._counters["messages"] += 1
        if response.server_time:
            self._check_clock(sink, response.server_time - received)
        if response.notification.blocks:
            self._hand_over(sink, self._table.take(response.notification.blocks, received), received)
        if self._unconfirmed and not response.more:
            self._confirm(sink, response.subscription, received)

    def _confirm(self, sink: Sink, subscription: int, received: int) -> None:
        """After a session was taken over: once every subscription has told all it kept, the rest has not changed."""
        self._unconfirmed.discard(subscription)
        if not self._unconfirmed:
            for columns in self._table.confirm(received):
                sink.samples(columns)

    def _polled(self, sink: Sink, blocks: list[Block]) -> None:
        received = time.time_ns()
        self._counters["messages"] += 1
        self._hand_over(sink, self._table.take(blocks, received, polled=True), received)

    def _hand_over(self, sink: Sink, taken: Taken, received: int) -> None:
        for columns in taken.columns:
            sink.samples(columns)
        self._status.samples += taken.samples
        if taken.samples:
            self._status.last_sample = received
        if taken.mismatched:
            self._counters["type_mismatches"] += len(taken.mismatched)
            named = {self._table.bindings[place].address: _kind_name(kind) for place, kind in taken.mismatched[:_NAMED]}
            self._conditions.tell(
                sink,
                OpcuaEvent.TYPE_MISMATCH,
                Severity.ERROR,
                f"{len(taken.mismatched)} points send another type than configured: "
                + ", ".join(f"{name} sends {kind}" for name, kind in named.items()),
                "browse the server again and propose the points anew; a changed type opens a new series",
                details={"points": named},
            )
        if taken.overflowed:
            self._counters["overflows"] += len(taken.overflowed)
            self._overflow_at = received
            addresses = [self._table.bindings[place].address for place in taken.overflowed[:_NAMED]]
            self._conditions.begin(
                sink,
                OpcuaEvent.QUEUE_OVERFLOW,
                Severity.WARNING,
                f"the server's queue overflowed and lost samples of {len(taken.overflowed)} points: {', '.join(addresses)}",
                "raise queue_size or lower publishing_interval; a slow server may not bear this sampling_interval",
            )

    def _missed(self, sink: Sink, number: int) -> None:
        self._counters["lost_messages"] += number
        self._conditions.tell(
            sink,
            OpcuaEvent.NOTIFICATIONS_LOST,
            Severity.ERROR,
            f"{number} messages of the server never came and it no longer has them",
            "look for an overloaded server or network; the samples in them are lost",
        )

    def _check_clock(self, sink: Sink, offset: int) -> None:
        self._counters["clock_offset_ms"] = offset // 1_000_000
        if abs(offset) > self._configuration.clock_tolerance * 1e9:
            self._conditions.begin(
                sink,
                OpcuaEvent.CLOCK_APART,
                Severity.WARNING,
                f"the server's clock is {abs(offset) / 1e9:.0f} s {'ahead of' if offset > 0 else 'behind'} ours",
                "synchronise both clocks (NTP, PTP); samples keep the server's time",
            )
        else:
            self._conditions.end(sink, OpcuaEvent.CLOCK_APART, "the server's clock agrees with ours again")

    def _refuse(self, sink: Sink, refused: dict[int, int]) -> None:
        """Marks bindings that cannot be served bad, and names them in one event."""
        if not refused:
            return
        now = time.time_ns()
        for place, code in refused.items():
            if place not in self._faults or self._faults[place][0] != code:
                self._faults[place] = (code, get_name_and_doc(code)[0])
            self._table.refused[place] = True
        for code in set(refused.values()):
            places = [place for place, status in refused.items() if status == code]
            for columns in self._table.mark(code, now, keep_value=False, places=places):
                sink.samples(columns)
        named = {self._table.bindings[place].address: self._faults[place][1] for place in list(refused)[:_NAMED]}
        self._conditions.begin(
            sink,
            OpcuaEvent.BAD_BINDINGS,
            Severity.ERROR,
            f"{len(refused)} of {len(self._table)} points cannot be read: "
            + "; ".join(f"{name}: {reason}" for name, reason in list(named.items())[:5]),
            "browse the server for the points' present addresses; the others go on",
            details={"points": named, "count": len(refused)},
            again=True,
        )
        self._show(sink)

    def _restored(self, sink: Sink, places: Sequence[int]) -> None:
        for place in places:
            self._faults.pop(place, None)
            self._table.refused[place] = False
        if places and not self._faults:
            self._conditions.end(sink, OpcuaEvent.BAD_BINDINGS, "every point can be read again")

    # -- states -----------------------------------------------------------------------------------------------------

    def _connected(self, sink: Sink, session: Session, *, polling: bool, anew: bool) -> None:
        self._counters["connections"] += 1
        self._counters["resumed"] += not anew
        self._away_since = 0.0
        for place in set(self._faults) - self._hopeless if anew else ():
            del self._faults[place]
            self._table.refused[place] = False
        status = self._status
        status.error_code = status.error = status.hint = ""
        status.retry_at = 0
        self._state(ConnectorState.CONNECTED)
        how = security.describe(session.endpoint)
        for code in [code for code in self._conditions.open if code not in _NOT_THE_LINK]:
            self._conditions.end(sink, code, f"connected again ({how})")
        if not (self._faults or OpcuaEvent.BAD_BINDINGS not in self._conditions):
            self._conditions.end(sink, OpcuaEvent.BAD_BINDINGS, "every point can be read again")
        if session.warning:
            self._conditions.begin(
                sink,
                OpcuaEvent.CERTIFICATE_EXPIRES,
                Severity.WARNING,
                session.warning,
                "renew the server's certificate in time",
            )
        if polling and self._configuration.mode != "poll":
            self._conditions.begin(
                sink, OpcuaEvent.POLLING, Severity.INFO, "the server has no subscriptions; its values are polled",
                f"set mode = \"poll\" to say so; poll_interval is {self._configuration.poll_interval:g} s",
            )  # fmt: skip
        self._show(sink)

    def _disconnected(self, sink: Sink, error: OpcuaError, pause: float) -> None:
        now = time.time_ns()
        if not self._away_since:
            self._away_since = anyio.current_time()
            for columns in self._table.mark(Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE, now, keep_value=True):
                sink.samples(columns)
        status = self._status
        status.error_code, status.error, status.hint = error.code, str(error), error.hint
        status.retry_at = now + int(pause * 1e9)
        if isinstance(error, UnapprovedError):
            self._state(ConnectorState.NEEDS_APPROVAL)
        elif isinstance(error, LoginError | SecurityError | PlainPasswordError):
            self._state(ConnectorState.REFUSED)
        else:
            self._state(ConnectorState.WAITING)
        code = OpcuaEvent.LINK_LOST if isinstance(error, _AWAY) else error.code
        severity = Severity.WARNING if isinstance(error, UnapprovedError) else Severity.ERROR
        self._conditions.begin(sink, code, severity, str(error), error.hint)
        self._show(sink)

    def _pause(self, error: OpcuaError, attempt: int) -> float:
        """Exponential with jitter; where a person must act first, longer, so that no account is locked by retries."""
        steps = attempt + (4 if isinstance(error, LoginError | SecurityError | PlainPasswordError) else 0)
        longest = self._configuration.retry_longest
        return float(min(longest, self._configuration.retry_first * 2.0 ** min(steps, 30)) * random.uniform(0.6, 1.0))  # noqa: S311

    async def _wait(self, error: OpcuaError, pause: float) -> None:
        if not isinstance(error, UnapprovedError):
            await anyio.sleep(pause)
            return
        trust = self._environment.trust
        with anyio.move_on_after(max(pause, self._configuration.retry_longest)):
            while True:
                if await anyio.to_thread.run_sync(lambda: trust.check(error.certificate, peer=error.peer)):
                    return
                await anyio.sleep(0.5)

    async def _heartbeat(self, sink: Sink) -> None:
        beat = 0
        while True:
            await anyio.sleep(_BEAT)
            beat += 1
            if self._away_since and anyio.current_time() - self._away_since >= self._configuration.bad_after:
                for columns in self._table.mark(Quality.BAD_NO_COMMUNICATION, time.time_ns(), keep_value=False):
                    sink.samples(columns)
            if self._overflow_at and time.time_ns() - self._overflow_at > _QUIET:
                self._overflow_at = 0
                self._conditions.end(sink, OpcuaEvent.QUEUE_OVERFLOW, "the server's queue no longer overflows")
            if beat % 4 == 0:
                self._show(sink)

    def _state(self, state: ConnectorState) -> None:
        if self._status.state != state:
            self._status.state = state
            self._status.since = time.time_ns()

    def _show(self, sink: Sink) -> None:
        self._status.bad_points = self._table.bad_points
        if self._session is not None and self._status.state in (ConnectorState.CONNECTED, ConnectorState.DEGRADED):
            self._state(ConnectorState.DEGRADED if self._faults else ConnectorState.CONNECTED)
        sink.status(msgspec.structs.replace(self._status, counters=dict(self._counters)))

    # -- writing ----------------------------------------------------------------------------------------------------

    async def write(self, binding: Binding, value: Any) -> None:
        """See `hulian…contract.Connector.write`."""
        if not (binding.writable or binding.address in self._configuration.writable):
            raise NotWritableError(f"{binding.address} is not writable", place=self._environment.connector)
        session = self._session
        if session is None:
            raise OfflineError("the server is not connected", place=self._url)
        await writing.write(session, address.resolve(binding.address, self._namespaces), binding.address, value)


_NOT_THE_LINK: Final = frozenset(
    str(code)
    for code in (
        OpcuaEvent.BAD_BINDINGS, OpcuaEvent.CLOCK_APART, OpcuaEvent.QUEUE_OVERFLOW, OpcuaEvent.CERTIFICATE_EXPIRES,
        OpcuaEvent.POLLING,
    )
)  # fmt: skip


def _leaf(group: BaseException) -> OpcuaError:
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    if not isinstance(group, OpcuaError):
        raise group
    return group


def _unsupported(error: RefusedError) -> bool:
    return any(name in error.message for name in ("BadServiceUnsupported", "BadNotImplemented", "BadNotSupported"))


def _no_node(status: int) -> bool:
    return status & 0xFFFF_0000 in (Quality.BAD_NODE_ID_UNKNOWN, Quality.BAD_NODE_ID_INVALID)


def _kind_name(kind: int) -> str:
    return f"{BuiltIn(kind & 0x3F).name.title()}{'[]' if kind & 0x80 else ''}"
