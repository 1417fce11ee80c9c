"""The OPC UA connector: keeps one server connected for ever and turns what it publishes into columns."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import anyio
import msgspec
from asyncua import ua
from asyncua.ua.status_codes import StatusCodes, get_name_and_doc

from hulian.kernel.configuration import convert
from hulian.kernel.event import Severity
from hulian.kernel.quality import Quality
from hulian.kernel.sample import Columns
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Binding, ConnectorState, ConnectorStatus, Environment, Sink
from hulian.network.exchange.protocols.opcua import address, calling, security, writing
from hulian.network.exchange.protocols.opcua.conditions import Conditions
from hulian.network.exchange.protocols.opcua.config import BindingOptions, Group, OpcuaConfiguration
from hulian.network.exchange.protocols.opcua.errors import (
    ForeignError,
    LoginError,
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
    WireError,
)
from hulian.network.exchange.protocols.opcua.events import OpcuaEvent
from hulian.network.exchange.protocols.opcua.history import Gaps, History
from hulian.network.exchange.protocols.opcua.intake import Intake
from hulian.network.exchange.protocols.opcua.limits import read_limits
from hulian.network.exchange.protocols.opcua.listening import Listener
from hulian.network.exchange.protocols.opcua.monitoring import Item
from hulian.network.exchange.protocols.opcua.nodes import Nodes
from hulian.network.exchange.protocols.opcua.polling import Poller
from hulian.network.exchange.protocols.opcua.redundancy import ServerSet, announced
from hulian.network.exchange.protocols.opcua.samples import Block
from hulian.network.exchange.protocols.opcua.session import Session
from hulian.network.exchange.protocols.opcua.subscription import Subscriptions
from hulian.network.exchange.protocols.opcua.wire import PublishResponse
from hulian.network.exchange.protocols.standing import Backoff

__all__ = ["OpcuaConnector"]

_BEAT: Final = 0.25
_AWAY: Final = (UnreachableError, SilentError, SessionLostError)
_GARBLED: Final = (ForeignError, WireError)
"""Something on the way spoke, or spoilt what the server said: the server may still have our session."""


class _Kept(NamedTuple):
    """A session that the server keeps for a while although the connection is lost, and its subscriptions."""

    session: Session
    subscriptions: Subscriptions
    until: float
    tries: int = 0


_TRIES: Final = 1
"""How often the lost server of a redundant set is tried again, for the sake of its session, before another takes over."""


class OpcuaConnector:
    """One OPC UA server, alive from `run` to its cancellation (`hulian…contract.Connector`)."""

    def __init__(
        self, url: str, configuration: OpcuaConfiguration, bindings: Sequence[Binding], environment: Environment
    ) -> None:
        self._servers = ServerSet(url, configuration)
        self._configuration = configuration
        self._environment = environment
        self._login = security.load_login(configuration, environment.credentials)
        self._status = ConnectorStatus(state=ConnectorState.STARTING, since=time.time_ns(), points=len(bindings))
        self._conditions = Conditions(environment.connector)
        self._gaps = Gaps(len(bindings), configuration)
        self._intake = Intake(bindings, configuration, self._conditions, self._status, self._gaps.add)
        self._nodes = Nodes(self._intake, configuration, self._conditions)
        self._listener = Listener(
            environment.connector, configuration, self._conditions, self._intake.counters, self._nodes.changed
        )
        self._table = self._intake.table
        self._counters = self._intake.counters
        self._sink: Sink | None = None
        self._session: Session | None = None
        self._subscriptions: Subscriptions | None = None
        self._kept: _Kept | None = None
        self._away_since = 0.0
        self._away_status = Quality.BAD_NO_COMMUNICATION
        self._unconfirmed: set[int] = set()

    # -- the life of the connection ---------------------------------------------------------------------------------

    async def run(self, sink: Sink) -> None:
        """See `hulian…contract.Connector.run`."""
        self._sink = sink
        self._table.expect_confirmation(time.time_ns() - int(self._configuration.bad_after * 1e9))
        self._away_since = anyio.current_time()
        self._refuse(sink, {place: status for place, (status, _) in self._intake.faults.items()})
        self._show(sink)
        backoff = Backoff(self._configuration.retry_first, self._configuration.retry_longest)
        async with anyio.create_task_group() as group:
            group.start_soon(self._heartbeat, sink)
            while True:
                reached = self._counters["connections"]
                before = self._servers.url
                error = await self._attempt(sink)
                if self._counters["connections"] > reached:
                    backoff.reset()
                pause = self._pause(error, backoff)
                if self._servers.several and self._change_server(sink, before, error):
                    pause = 0.0
                self._disconnected(sink, error, pause)
                await self._wait(error, pause)

    def _change_server(self, sink: Sink, before: str, error: OpcuaError) -> bool:
        """Whether the next server is tried at once; after all of a set were lost, there is a pause as for one."""
        if before == self._servers.url:
            if self._kept is not None and self._kept.tries < _TRIES:
                self._kept = self._kept._replace(tries=self._kept.tries + 1)
                return True  # the line may be back in a moment, and the session with it
            around = self._servers.next()
        else:
            around = False
        self._kept = None
        self._conditions.tell(
            sink, OpcuaEvent.SERVER_CHANGED, Severity.WARNING, f"{self._servers.url} takes over from {before}: {error.message}"
        )
        return not around

    async def _attempt(self, sink: Sink) -> OpcuaError:
        """Connects and stays connected; returns what ended that."""
        failure: OpcuaError | None = None
        before, self._kept = self._kept, None
        try:
            session = await Session.open(
                self._servers.url,
                self._configuration,
                self._environment,
                self._login,
                before=before.session if before else None,
            )
        except OpcuaError as error:
            if before is not None and isinstance(error, (*_AWAY, *_GARBLED)) and anyio.current_time() < before.until:
                self._kept = before
            return error
        self._session = session
        try:
            if before is not None and session.resumed:
                await before.subscriptions.resume(session)
                await self._go_on(sink, session, before.subscriptions)
            elif before is not None and await before.subscriptions.transfer(session):
                await self._go_on(sink, session, before.subscriptions)
            else:
                await self._begin_anew(sink, session)
            raise AssertionError("unreachable: serving ends by an error")
        except* OpcuaError as group:
            failure = _leaf(group)
        finally:
            self._session = self._subscriptions = None
            if self._may_go_on(session, failure):
                session.abandon()
            elif self._may_transfer(session, failure):
                await session.close(keep_subscriptions=True)
            else:
                self._kept = None
                await session.close()
        return failure

    def _may_go_on(self, session: Session, failure: OpcuaError | None) -> bool:
        """Whether the next connection may take this session over: the line is dead, not the session."""
        garbled = isinstance(failure, _GARBLED)
        if session.resumed and (self._unconfirmed or garbled):
            return False  # what the server kept is itself what cannot be read
        kept = self._kept is not None and self._kept.session is session
        return kept and (not session.alive or garbled or isinstance(failure, SilentError))

    def _may_transfer(self, session: Session, failure: OpcuaError | None) -> bool:
        """Whether the session is over and its subscriptions are not: another session may take these over."""
        kept = self._kept is not None and self._kept.session is session
        return kept and isinstance(failure, SessionLostError) and not failure.subscription

    async def _go_on(self, sink: Sink, session: Session, subscriptions: Subscriptions) -> None:
        """Goes on with the subscriptions of the connection before: nothing in between is lost that the server kept."""
        self._unconfirmed = subscriptions.identities
        self._gaps.kept()
        self._connected(sink, session, polling=False, anew=False)
        await self._serve(sink, session, subscriptions)

    async def _begin_anew(self, sink: Sink, session: Session) -> None:
        self._unconfirmed = set()
        await self._nodes.learn(session)
        limits = await read_limits(session)
        await self._ask_for_the_set(sink, session)
        items, refused = self._nodes.resolve()
        subscriptions = Subscriptions(
            session,
            self._configuration,
            limits,
            lambda response: self._deliver(sink, response),
            lambda number: self._intake.missed(sink, number),
        )
        polling = self._configuration.mode == "poll"
        if not polling and items:
            try:
                refused |= await subscriptions.create(items)
            except RefusedError as error:
                if self._configuration.mode == "subscribe" or not _unsupported(error):
                    raise
                polling = True
        if not polling:
            await self._listener.begin(sink, subscriptions, self._nodes.namespaces)
        self._connected(sink, session, polling=polling, anew=True)
        self._gaps.until(time.time_ns())
        self._refuse(sink, refused)
        await self._serve(sink, session, subscriptions, items if polling else None)

    async def _ask_for_the_set(self, sink: Sink, session: Session) -> None:
        """A server of a redundant set knows the others' names, not their addresses: these a person has to give."""
        mode, uris = ("none", list[str]()) if self._servers.several else await announced(session)
        if mode in ("none", "transparent"):
            self._conditions.end(sink, OpcuaEvent.SET_UNKNOWN, "every server of the set is known")
            return
        self._conditions.begin(
            sink, OpcuaEvent.SET_UNKNOWN, Severity.WARNING,
            f"the server belongs to a {mode} redundant set of {len(uris)}, and no other server of it is configured",
            "give the addresses of the others under 'servers'", details={"mode": mode, "servers": uris[:20]},
        )  # fmt: skip

    async def _serve(
        self, sink: Sink, session: Session, subscriptions: Subscriptions, polled: Sequence[Item] | None = None
    ) -> None:
        """Everything that goes on while the connection stands; ends only by an error."""
        poller = Poller(session, subscriptions.limits, lambda blocks: self._polled(sink, blocks))
        self._subscriptions = subscriptions
        history = History(session, subscriptions.limits, self._configuration, self._gaps)
        async with anyio.create_task_group() as group:
            group.start_soon(session.renew_for_ever)
            if self._servers.several:
                group.start_soon(self._servers.watch_for_ever, session, self._environment, self._login)
            if self._configuration.history != "off":
                group.start_soon(
                    history.fill_for_ever,
                    self._nodes.resolved,
                    lambda blocks: self._filled(sink, blocks),
                    lambda *told: self._tell_history(sink, *told),
                )
            if polled is not None:
                group.start_soon(poller.poll_for_ever, polled, self._configuration.poll_interval)
                return
            if subscriptions.count:
                self._kept = _Kept(session, subscriptions, anyio.current_time() + session.lifetime)
                group.start_soon(subscriptions.publish_for_ever)
                group.start_soon(self._listener.refresh_for_ever, session, subscriptions)
                group.start_soon(self._keep, session, subscriptions)
            else:
                group.start_soon(poller.pulse_for_ever, self._configuration.keep_alive)
            group.start_soon(
                self._nodes.follow_for_ever, session, subscriptions, poller, lambda found: self._refuse(sink, found), sink
            )

    async def _keep(self, session: Session, subscriptions: Subscriptions) -> None:
        """Notes until when the server would keep this session if the connection were lost now."""
        while True:
            self._kept = _Kept(session, subscriptions, anyio.current_time() + session.lifetime)
            self._counters["republished"] = subscriptions.republished
            self._counters["transferred"] = subscriptions.transferred
            await anyio.sleep(1)

    async def change_group(self, name: str, group: Group) -> dict[int, int]:
        """Gives a group of points other settings while everything goes on; returns the status of points that refuse.

        Raises `OfflineError` where the link is down: the next connection has to be made with the new settings then.
        """
        if self._subscriptions is None:
            raise OfflineError("the server is not connected", place=self._servers.url)
        places = [place for place, options in self._intake.options.items() if options.group == name]
        return await self._subscriptions.change(name, group, self._nodes.resolve(places)[0])

    def _filled(self, sink: Sink, blocks: list[Block]) -> None:
        self._counters["history_pending"] = len(self._gaps)
        for columns in self._table.past(blocks):
            self._counters["history_samples"] += len(columns)
            sink.samples(columns)

    def _tell_history(self, sink: Sink, filled: int, samples: int, failed: list[tuple[int, int]]) -> None:
        self._counters["history_pending"] = len(self._gaps)
        if filled:
            text = f"{samples} samples of {filled} points that were missed have come from the server's history"
            self._conditions.tell(sink, OpcuaEvent.HISTORY_FILLED, Severity.INFO, text)
        if failed:
            named = {self._table.bindings[place].address: get_name_and_doc(status)[0] for place, status in failed[:20]}
            self._conditions.tell(
                sink, OpcuaEvent.HISTORY_MISSING, Severity.WARNING,
                f"the server's history does not give what {len(failed)} points missed: {next(iter(named.values()))}",
                "check the user's rights to read history, and how long the server keeps it",
                details={"points": named, "count": len(failed)},
            )  # fmt: skip

    # -- what comes -------------------------------------------------------------------------------------------------

    def _deliver(self, sink: Sink, response: PublishResponse) -> None:
        received = time.time_ns()
        self._counters["messages"] += 1
        if response.server_time:
            self._intake.check_clock(sink, response.server_time - received)
        if response.notification.blocks:
            self._intake.hand_over(sink, self._table.take(response.notification.blocks, received), received)
        self._listener.hear(sink, response)
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
        self._intake.hand_over(sink, self._table.take(blocks, received, polled=True), received)

    def _refuse(self, sink: Sink, refused: dict[int, int]) -> None:
        if refused:
            self._intake.refuse(sink, refused)
            self._show(sink)

    # -- states -----------------------------------------------------------------------------------------------------

    def _connected(self, sink: Sink, session: Session, *, polling: bool, anew: bool) -> None:
        self._counters["connections"] += 1
        self._counters["resumed"] += not anew
        self._away_since = 0.0
        if anew:
            self._intake.begin_anew()
        status = self._status
        status.error_code = status.error = status.hint = ""
        status.retry_at = 0
        self._state(ConnectorState.CONNECTED)
        how = security.describe(session.endpoint)
        for code in [code for code in self._conditions.open if code not in _NOT_THE_LINK]:
            self._conditions.end(sink, code, f"connected again ({how})")
        if not (self._intake.faults or OpcuaEvent.BAD_BINDINGS not in self._conditions):
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
            self._gaps.begin(self._table.last_time)
            for columns in self._table.mark(Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE, now, keep_value=True):
                sink.samples(columns)
        refused = isinstance(error, LoginError | PlainPasswordError)
        self._away_status = Quality.BAD_USER_ACCESS_DENIED if refused else Quality.BAD_NO_COMMUNICATION
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

    def _pause(self, error: OpcuaError, backoff: Backoff) -> float:
        """As long as the server has been away; where a person must act first, longer, so that no account is locked."""
        pause = backoff.next()
        if isinstance(error, LoginError | SecurityError | PlainPasswordError):
            jitter = random.uniform(0.6, 1.0)  # noqa: S311 - not a secret
            pause = max(pause, min(self._configuration.retry_longest, self._configuration.retry_first * 16) * jitter)
        return pause

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
                for columns in self._table.mark(self._away_status, time.time_ns(), keep_value=False):
                    sink.samples(columns)
            self._intake.calm(sink)
            if beat % 4 == 0:
                self._show(sink)

    def _state(self, state: ConnectorState) -> None:
        if self._status.state != state:
            self._status.state = state
            self._status.since = time.time_ns()

    def _show(self, sink: Sink) -> None:
        self._status.bad_points = self._table.bad_points
        if self._session is not None and self._status.state in (ConnectorState.CONNECTED, ConnectorState.DEGRADED):
            self._state(ConnectorState.DEGRADED if self._intake.faults else ConnectorState.CONNECTED)
        sink.status(msgspec.structs.replace(self._status, counters=dict(self._counters)))

    # -- writing ----------------------------------------------------------------------------------------------------

    async def write(self, binding: Binding, value: Any) -> None:
        """See `hulian…contract.Connector.write`."""
        if not (binding.writable or binding.address in self._configuration.writable):
            raise NotWritableError(f"{binding.address} is not writable", place=self._environment.connector)
        session = self._session
        if session is None:
            raise OfflineError("the server is not connected", place=self._servers.url)
        node = address.resolve(binding.address, self._nodes.namespaces)
        options = convert(dict(binding.options), BindingOptions, place=binding.address)
        if not options.object:
            await writing.write(session, node, binding.address, value, await self._limits(session, node, options))
            return
        owner = address.resolve(options.object, self._nodes.namespaces)
        outputs = await calling.call(session, owner, node, binding.address, value)
        if binding.storage is StorageClass.STRUCTURE and self._sink is not None:
            text = calling.as_json(outputs)
            self._sink.samples(Columns.of(binding.storage, [binding.series], [time.time_ns()], [text]))

    async def _limits(self, session: Session, node: ua.NodeId, options: BindingOptions) -> tuple[float, float] | None:
        if options.low is not None or options.high is not None:
            return (-math.inf if options.low is None else options.low, math.inf if options.high is None else options.high)
        limits = await calling.property_of(session, node, "EURange")
        low, high = getattr(limits, "Low", None), getattr(limits, "High", None)
        return (low, high) if isinstance(low, float) and isinstance(high, float) and low < high else None


_NOT_THE_LINK: Final = frozenset(
    str(code)
    for code in (
        OpcuaEvent.BAD_BINDINGS, OpcuaEvent.CLOCK_APART, OpcuaEvent.QUEUE_OVERFLOW, OpcuaEvent.CERTIFICATE_EXPIRES,
        OpcuaEvent.POLLING, OpcuaEvent.SET_UNKNOWN, OpcuaEvent.SOURCE_AHEAD, OpcuaEvent.EVENTS_DROPPED,
    )
)  # fmt: skip


def _leaf(group: BaseException) -> OpcuaError:
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    if not isinstance(group, OpcuaError):
        raise group
    return group


def _unsupported(error: RefusedError) -> bool:
    return error.status in (StatusCodes.BadServiceUnsupported, StatusCodes.BadNotImplemented, StatusCodes.BadNotSupported)
