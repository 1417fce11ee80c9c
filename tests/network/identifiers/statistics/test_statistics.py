"""What a started node counts is kept, told to those who run it, and lost by a kill for the current minute at most."""

from __future__ import annotations

import base64
import socket
import subprocess
import sys
import time

import anyio
import anyio.to_thread
import counting_node
import httpx
import pytest
import sqlalchemy as sa
from counting_node import service
from free_ports import free_port
from identifier_nodes import question, text

from hulian.network.identifiers.chain.errors import UnreachableError
from hulian.network.identifiers.chain.sites import Target
from hulian.network.identifiers.nodes.observing import Watched
from hulian.network.identifiers.nodes.tiers import enterprise
from hulian.network.identifiers.statistics import collect, kept
from hulian.network.identifiers.statistics.collect import Dropped, Statistics
from hulian.network.identifiers.statistics.counts import Counts, Kind
from hulian.network.identifiers.statistics.events import FaultEvent
from hulian.network.identifiers.statistics.faults import Faults
from hulian.network.identifiers.statistics.kept import DAY, MINUTE, Kept, begin_of
from hulian.network.identifiers.statistics.tables import source
from hulian.network.identifiers.statistics.tally import Meter, Networks
from hulian.network.identifiers.store import RecordStore
from hulian.network.identifiers.transport.client import Client
from hulian.network.identifiers.transport.server import Listener
from hulian.network.identifiers.wire.codes import Transport
from hulian.network.identifiers.wire.frame import encode
from hulian.registry import Registry
from hulian.registry.errors import RegistryError

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]


def login(name: str = "ADMIN", secret: str = "secret") -> dict[str, str]:
    pair = base64.b64encode(f"300%3A88.111.1/{name}:{secret}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


def total(rows: list[dict], name: str) -> int:
    return sum(row[name] for row in rows)


def ask(port: int, *names: str, source_address: str = "127.0.0.1") -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind((source_address, 0))
        udp.settimeout(30)
        for name in names:
            udp.sendto(encode(question(f"88.111.1/{name}")), ("127.0.0.1", port))
            udp.recv(4096)


async def test_a_node_tells_its_statistics_to_those_who_run_it(tmp_path):
    node = service(tmp_path)
    node._store.create("88.111.1/item", [text("URL", "x")])
    async with anyio.create_task_group() as group:
        await group.start(node.run)
        while not node.rest_port:
            await anyio.sleep(0.02)
        await anyio.to_thread.run_sync(ask, node.listener.port, "item", "none", "item")
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{node.rest_port}") as client:
            assert (await client.get("/88.111.1/item")).status_code == 200
            assert (await client.get("/api/statistics")).status_code == 401
            assert (await client.get("/api/statistics", headers=login("SOMEBODY", "known"))).status_code == 403
            assert (await client.post("/api/statistics", headers=login())).status_code == 405
            answer = await client.get("/api/statistics?minutes=5&days=2", headers=login())
            assert answer.status_code == 200
            assert answer.headers["cache-control"] == "no-store"
            told = answer.json()
            lines = (await client.get("/api/statistics", headers=login() | {"Accept": "text/plain;version=0.0.4"})).text
        group.cancel_scope.cancel()
    assert told["total"]["answers"] == {"resolve": {"1": 3, "100": 1}}
    assert total(told["days"], "successes") == 3
    assert total(told["days"], "requests") == total(told["minutes"], "requests") == 4
    assert told["sources"]["distinct"] == 1
    assert told["sources"]["most"] == [{"source": "127.0.0.1", "requests": 4}]
    assert told["days"][-1]["registrations"] == {"created": 1, "changed": 0, "deleted": 0, "total": 3}
    latency = told["total"]["latency"]["resolve"]
    assert latency["count"] == 4
    assert latency["min_ms"] <= latency["mean_ms"] <= latency["max_ms"]
    assert abs(time.time() - time.mktime(time.strptime(latency["max_at"][:19], "%Y-%m-%dT%H:%M:%S")) + time.timezone) < 60
    assert [(one["code"], one["cause"]) for one in told["faults"]] == [("HL-ID-0951", 4)]
    assert 'hulian_identifiers_answers_total{kind="resolve",code="1"} 3' in lines
    assert "# TYPE hulian_identifiers_answers_total counter" in lines
    assert 'hulian_identifiers_registrations_total{what="created"} 1' in lines
    # Stopped, it has written everything, and says so.
    rows = node.statistics.kept.counts(DAY, 0, int(time.time()) + 1)
    assert sum(counts.answered(Kind.RESOLVE) for _, counts in rows) == 4
    assert max(counts.peak for _, counts in rows) >= 1
    assert [one.code for one in node.statistics.kept.faults()] == [FaultEvent.STOPPED, FaultEvent.STARTED]


async def test_a_killed_node_has_lost_no_registration_and_at_most_the_current_minute(tmp_path):
    command = [sys.executable, counting_node.__file__, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            port, rest = map(int, process.stdout.readline().split())
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{rest}", headers=login(), timeout=20) as client:
                await anyio.to_thread.run_sync(ask, port, "none", "none")
                told = (await client.get("/api/statistics")).json()  # which writes them
                assert total(told["days"], "requests") == 2
                record = {"index": 1, "type": "URL", "data": "x"}
                assert (await client.put("/api/handles/88.111.1/new", json=record)).status_code == 201
                await anyio.to_thread.run_sync(ask, port, "none", "none", "none")  # in memory only
        finally:
            process.kill()
    node = service(tmp_path)
    async with anyio.create_task_group() as group:
        await group.start(node.run)
        while len(node.statistics.kept.faults()) < 3:
            await anyio.sleep(0.01)
        rows = node.statistics.kept.counts(DAY, 0, 1 << 40)
        assert 2 <= sum(counts.answered() for _, counts in rows) <= 6
        assert sum(counts.created for _, counts in rows) == 1
        assert node.statistics.total.requests == 0
        told = [one.code for one in reversed(node.statistics.kept.faults())]
        assert told == [FaultEvent.STARTED, FaultEvent.UNCLEAN_STOP, FaultEvent.STARTED]
        assert node.statistics.kept.faults()[1].cause == 2
        group.cancel_scope.cancel()


@pytest.fixture
def registry(tmp_path):
    made = Registry.open(tmp_path / "node.db")
    yield made
    made.close()


async def test_what_the_database_refuses_waits_and_is_a_fault_until_it_takes_it(registry, monkeypatch):
    monkeypatch.setattr(collect, "QUIET", 0.0)
    store, meter = RecordStore(registry), Meter()
    statistics = Statistics(meter, Kept(registry), changes=store.log.since)
    await statistics.write()
    store.create("88.111.1/a", [text("URL", "x")])
    meter.tally.one("192.0.2.1", 1, 1, 0.001)

    with monkeypatch.context() as broken:
        broken.setattr(Kept, "_add_sources", lambda *_: (_ for _ in ()).throw(RegistryError("the disk is full")))
        await statistics.collect()
        await statistics.write()
        assert statistics.faults.lasts(FaultEvent.STORE_FAILED, "identifiers")
        assert statistics.kept.counts(DAY, 0, 1 << 40) == []
        meter.tally.one("192.0.2.1", 1, 100, 0.001)
    await statistics.collect()
    await statistics.write()
    ((_, day),) = statistics.kept.counts(DAY, 0, 1 << 40)
    assert day.answers == {Kind.RESOLVE: {1: 1, 100: 1}}
    assert day.created == 1
    assert statistics.kept.sources(begin_of(DAY, time.time()))[0] == [(Networks().of("192.0.2.1"), 2)]
    await statistics.collect()
    await statistics.write()
    (fault,) = statistics.kept.faults()
    assert (fault.code, fault.cause, fault.over is not None) == (FaultEvent.STORE_FAILED, 2, True)
    assert "the disk is full" in fault.message


async def test_a_flood_is_an_attack_until_a_minute_without(registry, monkeypatch):
    monkeypatch.setattr(collect, "QUIET", 0.05)
    found = Dropped(10, 10)
    statistics = Statistics(Meter(), Kept(registry), dropped=lambda: found)
    await statistics.collect()
    assert statistics.kept.faults() == []
    found = Dropped(500, 400)
    await statistics.collect()
    (fault,) = statistics.kept.faults()
    assert (fault.code, fault.cause, fault.over) == (FaultEvent.BUDGET_EXHAUSTED, 3, None)
    assert (statistics.current.dropped, statistics.total.over_budget) == (0, 400)
    with anyio.fail_after(60):
        while statistics.faults.lasts(FaultEvent.BUDGET_EXHAUSTED, "identifiers"):
            await anyio.sleep(0.01)
            await statistics.collect()
    (fault,) = statistics.kept.faults()
    assert fault.over > fault.at


async def test_a_node_that_does_not_answer_is_a_fault_until_it_does(registry):
    store, faults = RecordStore(registry), Faults()
    store.home("88.111.1")
    port = free_port()
    ask, target = Watched(Client(tries=(0.2,), tcp_seconds=1), faults), Target("127.0.0.1", port, Transport.UDP)
    for missed in range(1, 4):
        with pytest.raises(UnreachableError):
            await ask(target, question("88.111.1/none"))
        assert faults.lasts(FaultEvent.UPSTREAM_UNREACHABLE, str(target)) == (missed == 3)
    async with anyio.create_task_group() as group:
        await group.start(Listener(enterprise(store), "127.0.0.1", port).run)
        assert (await ask(target, question("88.111.1/none"))).response_code == 100
        group.cancel_scope.cancel()
    (fault,) = faults.waiting()
    assert (fault.cause, fault.over is not None) == (1, True)


def test_sources_are_bounded_and_forgotten(registry, monkeypatch):
    monkeypatch.setattr(kept, "MOST_SOURCES", 20)
    day, here = begin_of(DAY, time.time()), Kept(registry, source_days=3)
    networks = [bytes(15) + bytes((number,)) for number in range(50)]
    for turn in range(3):
        counts = {network: 1 + (number < 5) * 10 for number, network in enumerate(networks[turn:])}
        here.write(day, Counts(), counts, 2)
    most, distinct, others = here.sources(day)
    assert distinct == 20
    assert sum(count for _, count in most) + others == sum(50 - turn + 50 + 2 for turn in range(3))
    assert {network for network, _ in most} >= set(networks[:6])
    for ago in (2, 3):
        here.write(day - ago * DAY, Counts(), {networks[0]: 7}, 0)
    here._tidied = 0
    here.write(day, Counts(), {}, 0)
    assert here.sources(day - 2 * DAY)[1] == 1
    assert here.sources(day - 3 * DAY) == ([], 0, 0)
    never = Kept(registry, source_days=0)
    never.write(day, Counts(), {networks[0]: 1}, 1)
    with registry.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(source)).scalar() == 0


def test_minutes_roll_up_to_days_and_go(registry):
    here, now = Kept(registry), time.time()
    day = begin_of(DAY, now)
    counts = Counts(answers={Kind.RESOLVE: {1: 5}}, peak=3, peak_at=day + 7)
    for minute in (day, day, day + MINUTE):
        here.write(minute, counts, {}, 0)
    here.write(day - 3 * DAY, counts, {}, 0)
    assert [(begin - day, found.answered()) for begin, found in here.counts(MINUTE, day, day + DAY)] == [(0, 10), (60, 5)]
    assert [(begin, found.answered(), found.peak) for begin, found in here.counts(DAY, day, day + 1)] == [(day, 15, 3)]
    here._tidied = 0
    here.write(day, Counts(), {}, 0)
    assert here.counts(MINUTE, 0, day) == []
    assert [found.answered() for _, found in here.counts(DAY, 0, day)] == [5]
