"""The recovery law, one for all protocols that dial over TCP.

Whatever happens to the link or to the peer: values become uncertain, then bad with the right code; the status names a code
and what to do; connectors beside it miss nothing; the connection comes back by itself, before the peer has been there for as
long as it was away; and what the peer kept meanwhile is fetched, each value once.

"For an hour" is the same law with the clock taken out: no wait is longer than the time away or the longest that is configured
(each status that a connector shows is held against that), and `Backoff` is walked through a day by a clock of its own.

Each protocol's own tests go further where only it can fail. They show, besides:

* killed and frozen peers, lost packets and pace: ``modbus/test_faults``; broken sessions, a hung server, garbage, nodes that
  vanish: ``opcua/test_faults`` and ``opcua/test_recovery``; an unplugged cable, a frozen broker, revoked passwords, kill -9 on
  our side: ``mqtt/test_foreign_broker``;
* certificates that are replaced, expired or unknown: ``opcua/test_recovery``, ``opcua/test_faults``, ``mqtt/test_client``;
* redundant servers: ``opcua/test_events`` (another server of a set takes over and back).

How a hostile peer is borne is in ``test_hostile_peers``.
"""

from __future__ import annotations

import itertools
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import anyio
import pytest
from line import Line, Names
from recovery_peers import QUICK, port_of, quick, through

from hulian.kernel.quality import Quality, is_bad, is_good
from hulian.network.exchange.protocols.contract import ConnectorState, Environment
from hulian.network.exchange.protocols.standing import Backoff

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(90)]

HOST = "peer.plant.example"
FIRST, MOST = QUICK["reconnect_first"], QUICK["reconnect_most"]
NUMBERS = itertools.count(1)
UNCERTAIN = Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE
AWAY, DENIED = Quality.BAD_NO_COMMUNICATION, Quality.BAD_USER_ACCESS_DENIED


class Pair(NamedTuple):
    """Two peers of one protocol: something happens to ``peer``, nothing to ``neighbour``."""

    protocol: Any
    peer: Any
    neighbour: Any


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def pair(dialled: tuple[Any, Any], anyio_backend: str) -> AsyncIterator[Pair]:
    protocol, peer = dialled
    login = {"user": "engineer", "password": "right"} if peer.logins else {}
    async with peer(**login) as one, peer(**login) as other:
        yield Pair(protocol, one, other)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """The name service that connectors ask; it knows the peers' host."""
    service = Names()
    service.known.add(HOST)
    monkeypatch.setattr(socket, "getaddrinfo", service.getaddrinfo)
    return service


class Scene(NamedTuple):
    """What a fault may act on."""

    peer: Any
    line: Line
    names: Names


class Fault(NamedTuple):
    """How it begins, how it ends, and what is to be seen meanwhile.

    ``reachable``: the peer itself goes on, and values change there. ``fetched``: what a peer of that kind kept of them has to
    come (what is lost in the middle of a stream that goes on is lost to protocols without a check sum; TCP does not lose it).
    ``long``: it lasts until the waits have become their longest.
    """

    begins: Callable[[Scene], Awaitable[None]]
    ends: Callable[[Scene], Awaitable[None]]
    bad: Quality = AWAY
    state: ConnectorState = ConnectorState.WAITING
    reachable: bool = True
    fetched: tuple[str, ...] = ("session", "disk")
    long: bool = True


async def _cut(scene: Scene) -> None:
    scene.line.cut()


async def _silence(scene: Scene) -> None:
    scene.line.silence()


async def _kill(scene: Scene) -> None:
    await scene.peer.stop()


async def _start(scene: Scene) -> None:
    await scene.peer.start()


async def _babble(scene: Scene) -> None:
    chance = random.Random(7)
    scene.line.lie(lambda data: chance.randbytes(len(data)))


async def _truncate(scene: Scene) -> None:
    scene.line.lie(lambda data: data[: len(data) // 2])


async def _mend(scene: Scene) -> None:
    scene.line.mend()


async def _forget(scene: Scene) -> None:
    scene.names.forgotten.add(HOST)
    scene.line.drop()


async def _remember(scene: Scene) -> None:
    scene.names.forgotten.clear()


async def _revoke(scene: Scene) -> None:
    await scene.peer.revoke()
    scene.line.drop()


async def _restore(scene: Scene) -> None:
    await scene.peer.restore()


FAULTS = {
    "cut": Fault(_cut, _mend),
    "silent": Fault(_silence, _mend, long=False),
    "killed": Fault(_kill, _start, reachable=False),
    "garbage": Fault(_babble, _mend, long=False),
    "truncated": Fault(_truncate, _mend, fetched=(), long=False),
    "nameless": Fault(_forget, _remember, long=False),
    "revoked": Fault(_revoke, _restore, bad=DENIED, state=ConnectorState.REFUSED, fetched=("disk",)),
}


@asynccontextmanager
async def connected(
    pair: Pair, peer: Any, url: str, sink: Any, environment: Any, name: str, settings: Any
) -> AsyncIterator[None]:
    """A connector of one point that has had its first good value."""
    given = environment(peer)
    place = Environment(
        organisation="law", connector=name, credentials=given.credentials, trust=given.trust, extras=given.extras
    )
    connector = pair.protocol.connector(url, settings, peer.bindings[:1], place)
    async with anyio.create_task_group() as group:
        group.start_soon(connector.run, sink)
        await sink.until(lambda: sink.statuses and sink.statuses[-1].state is ConnectorState.CONNECTED, "connected")
        try:
            yield
        finally:
            group.cancel_scope.cancel()


class Watched:
    """A point of a peer, and what came of it."""

    def __init__(self, peer: Any, sink: Any) -> None:
        self.peer, self.sink = peer, sink
        self.binding = peer.bindings[0]
        self.given: list[float] = []

    async def give(self) -> None:
        """One more value at the peer."""
        self.given.append(float(next(NUMBERS)))
        await self.peer.set(self.binding.address, self.given[-1])

    @property
    def came(self) -> list[float]:
        """The good values of ours, in the order in which they came, a repetition of the one before left out."""
        rows = [value for _, value, status in self.sink.of(self.binding.series) if is_good(status) and value in self.given]
        return [value for value, _ in itertools.groupby(rows)]

    @property
    def last(self) -> Any:
        return self.sink.last(self.binding.series) or (0, None, Quality.BAD)

    async def arrives(self) -> None:
        """The newest value has come and is the last."""
        await self.sink.until(lambda: self.last[1:] == (self.given[-1], 0), f"{self.given[-1]}, good")

    async def beat(self) -> None:
        """A value after the other, as soon as the one before has come."""
        while True:
            await self.give()
            await self.arrives()


@pytest.mark.parametrize("fault", FAULTS)
async def test_the_recovery_law(fault: str, pair: Pair, names: Names, sink: Any, environment: Any) -> None:
    what, beside = FAULTS[fault], type(sink)()
    peer = pair.peer
    if fault == "revoked" and not peer.logins:
        pytest.skip("the protocol has no login")
    point, other = Watched(peer, sink), Watched(pair.neighbour, beside)
    async with (
        Line(port_of(peer)) as line,
        connected(
            pair, pair.neighbour, pair.neighbour.url, beside, environment, f"beside-{fault}", pair.neighbour.configuration
        ),
        connected(pair, peer, through(peer, HOST, line.port), sink, environment, fault, quick(peer.configuration)),
        anyio.create_task_group() as group,
    ):
        scene = Scene(peer, line, names)
        group.start_soon(other.beat)
        await point.give()
        await point.arrives()
        await what.begins(scene)
        try:
            await becomes_uncertain_then_bad(point, what)
            assert_named(sink, what)
            if what.reachable:
                for _ in range(3):
                    await point.give()
            if what.long:
                await stays_away_for_long(sink)
            beats = len(other.came)
            await beside.until(lambda: len(other.came) > beats + 3, "the neighbour goes on meanwhile")
        finally:
            await what.ends(scene)
        if what.reachable and peer.keeps in what.fetched:
            await point.arrives()
            assert point.came == point.given, "what the peer kept is fetched, each value once and in order"
        await sink.until(lambda: sink.statuses[-1].state is ConnectorState.CONNECTED, "connected again")
        await point.give()
        await point.arrives()
        await sink.until(lambda: not _open(sink), "every event of it is over")
        group.cancel_scope.cancel()
    assert other.came in (other.given, other.given[:-1]), "the neighbour misses nothing"
    assert {status for _, _, status in beside.of(other.binding.series)} <= {0, Quality.BAD_WAITING_FOR_INITIAL_DATA}
    assert not beside.events
    assert_waits_are_short(sink, what)


async def becomes_uncertain_then_bad(point: Watched, what: Fault) -> None:
    sink, series, last = point.sink, point.binding.series, point.given[-1]
    await sink.until(lambda: point.last[1:] == (None, what.bad), f"bad with {what.bad.name}")
    rows = [row for row in sink.of(series) if row[1] == last or not is_good(row[2])]
    first_bad = next(place for place, row in enumerate(rows) if is_bad(row[2]) and place)
    assert rows[first_bad - 1][1:] == (last, UNCERTAIN), "the last value is uncertain before it is bad"


def assert_named(sink: Any, what: Fault) -> None:
    """The status says what is wrong and what to do, and so does an event."""
    status = sink.statuses[-1]
    assert status.state is what.state
    assert status.error_code.startswith("HL-")
    assert status.error
    assert status.hint
    assert status.retry_at
    assert any(event.active and event.hint for event in sink.events)


async def stays_away_for_long(sink: Any) -> None:
    """Beyond the last step of the waits: from here on an hour is like a moment."""

    def at_the_longest() -> bool:
        waits = {status.retry_at - shown for status, shown in _planned(sink)}
        return len([wait for wait in waits if wait > MOST * 1e9 / 2.5]) >= 2

    await sink.until(at_the_longest, "waits as long as they become")


def _planned(sink: Any) -> list[tuple[Any, int]]:
    """The first status of each planned attempt, and when it came."""
    found: dict[int, tuple[Any, int]] = {}
    for status, shown in zip(sink.statuses, sink.shown_at, strict=True):
        if status.retry_at:
            found.setdefault(status.retry_at, (status, shown))
    return list(found.values())


def assert_waits_are_short(sink: Any, what: Fault) -> None:
    """Each wait is at most as long as the peer had been away by then; with a login that is refused, at most the longest."""
    lost = 0
    for status, shown in _planned(sink):
        lost = lost or status.since
        wait = (status.retry_at - shown) / 1e9
        assert wait <= MOST
        if what.state is ConnectorState.WAITING:
            # The status is made a moment after the wait was chosen; on a busy machine that moment is some milliseconds.
            assert wait <= (shown - lost) / 1e9 + FIRST


def _open(sink: Any) -> set[tuple[str, str]]:
    """Conditions that have begun and not ended."""
    found: set[tuple[str, str]] = set()
    for event in sink.events:
        if event.active is not None:
            (found.add if event.active else found.discard)((event.code, event.subject))
    return found


async def test_a_slow_line_is_not_a_lost_one(pair: Pair, names: Names, sink: Any, environment: Any) -> None:
    peer, point = pair.peer, Watched(pair.peer, sink)
    async with (
        Line(port_of(peer)) as line,
        connected(pair, peer, through(peer, HOST, line.port), sink, environment, "slow", peer.configuration),
    ):
        await point.give()
        await point.arrives()
        made = line.connections
        line.slow(0.02)
        for _ in range(4):
            await point.give()
            await point.arrives()
        assert point.came == point.given
        assert line.connections == made, "nobody dialled anew"
    assert not [event for event in sink.events if event.active]


# -- the hour ------------------------------------------------------------------------------------------------------------


class Clock:
    """Seconds that a test counts."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("jitter", ["least", "most", "any"])
@pytest.mark.parametrize(("first", "most"), [(0.5, 30.0), (0.1, 5.0), (1.0, 60.0)])
def test_who_was_away_is_found_before_as_much_time_has_passed_again(
    first: float, most: float, jitter: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a moment to a day; the clock is ours, and each attempt takes a hundredth of a second."""
    chance = random.Random(3)
    share = {"least": lambda low, high: low, "most": lambda low, high: high, "any": chance.uniform}[jitter]
    monkeypatch.setattr(random, "uniform", share)
    clock = Clock()
    backoff = Backoff(first, most, clock)
    for away in (0.2, 1.0, 7.0, 60.0, 3600.0, 86_400.0):
        began, attempts = clock.now, 0
        while clock.now - began < away:
            wait = backoff.next()
            assert wait <= most
            clock.now += wait + 0.01
            attempts += 1
        late = clock.now - began - away
        assert late <= min(max(first, away), most) + 0.01
        assert attempts <= 20 + away / (most / 2), "nobody is asked without end"
        backoff.reset()


def test_the_waits_of_every_protocol_are_bounded_as_they_are_delivered(protocol: Any) -> None:
    """A first wait below any restart, a longest one of half a minute: an hour costs no more."""
    settings = protocol.configuration()
    found = {name: getattr(settings, name, None) for name in QUICK}
    first = found["reconnect_first"] or found["retry_first"]
    most = found["reconnect_most"] or found["retry_longest"]
    assert first is not None
    assert most is not None
    assert first <= 1.0
    assert most <= 60.0


def test_every_simulator_says_whether_its_protocol_dials(simulator_class: Any) -> None:
    """A new protocol cannot forget the law."""
    assert isinstance(simulator_class.tcp, bool)
    if simulator_class.tcp:
        assert simulator_class.keeps in ("", "session", "disk")
        if simulator_class.logins:
            assert callable(simulator_class.revoke)
            assert callable(simulator_class.restore)
