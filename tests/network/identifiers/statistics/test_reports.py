"""Reports go up to the node above: made once, kept while it is away, received once, and of nobody but whose prefix it is."""

from __future__ import annotations

import contextlib
import datetime
from pathlib import Path

import anyio
import msgspec
import pytest
from free_ports import free_port
from identifier_nodes import NODE_KEY, hierarchy, identity, private_key, site, text

from hulian.network.identifiers.nodes.reporting import HOUR, Reporter
from hulian.network.identifiers.nodes.tiers import delegating_inside
from hulian.network.identifiers.statistics import report as report_module
from hulian.network.identifiers.statistics.counts import Counts, Kind
from hulian.network.identifiers.statistics.data import Data
from hulian.network.identifiers.statistics.errors import DeliveryError
from hulian.network.identifiers.statistics.events import FaultEvent
from hulian.network.identifiers.statistics.faults import Faults
from hulian.network.identifiers.statistics.kept import DAY, Kept, begin_of
from hulian.network.identifiers.statistics.report import Entry, Inbox, Outgoing, Product, Report, Terminal
from hulian.network.identifiers.statistics.sealed import seal
from hulian.network.identifiers.statistics.tally import Networks
from hulian.network.identifiers.transport.rest.application import Application
from hulian.network.identifiers.transport.rest.asker import RestAsker
from hulian.network.identifiers.transport.rest.contract import Node
from hulian.network.identifiers.transport.rest.server import RestListener
from hulian.network.identifiers.wire.values import Reference

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]
PREFIX = "88.111.1"
OWN = Reference("0.NA/88.111.1", 300)
MIDDLE = datetime.datetime.now(datetime.UTC).replace(day=15, hour=12, minute=0, second=0, microsecond=0)
NOON = MIDDLE.timestamp()
"""In the middle of this month: no day of the tests is one of two months."""


class Upper:
    """The second level's HTTP face, which can be away."""

    def __init__(self, plant, group) -> None:
        self._plant, self._group, self.port = plant, group, free_port()
        self.inbox = Inbox(plant.stores["second"].registry)
        self.asker = RestAsker(f"http://127.0.0.1:{self.port}", seconds=10)
        self._scope = anyio.CancelScope()

    async def begin(self) -> None:
        store = self._plant.stores["second"]
        inside = delegating_inside(store, [NODE_KEY], self._plant.follow())
        node = Node(answering=inside.answering, proofs=inside.proofs, authority=inside.authority, store=store, inbox=self.inbox)
        face = RestListener(Application(node), "127.0.0.1", self.port)
        self._scope = anyio.CancelScope()

        async def run(*, task_status=anyio.TASK_STATUS_IGNORED) -> None:
            with self._scope:
                await face.run(task_status=task_status)

        await self._group.start(run)


class Lower:
    """The enterprise that reports, at a time of its own."""

    def __init__(self, plant, upper: Upper) -> None:
        self.store = plant.stores["enterprise"]
        self.kept = Kept(self.store.registry)
        self.upper, self.now = upper, NOON

    def reporter(self, *data: Data) -> Reporter:
        async def send(body: bytes) -> object:
            return await self.upper.asker.post("/api/reports", body)

        chosen = data or [one for one in Data if one not in (Data.SOURCES, Data.PRIVATE)]
        return Reporter(
            self.store, self.kept, PREFIX, lambda: identity(OWN), send, chosen, clock=lambda: self.now, seconds=0.01
        )


@contextlib.asynccontextmanager
async def both(directory: Path):
    async with hierarchy(directory) as plant, anyio.create_task_group() as group:
        upper = Upper(plant, group)
        yield Lower(plant, upper), upper
        group.cancel_scope.cancel()


def kinds(upper: Upper, kind: str = "") -> list[Report]:
    return [one.report for one in upper.inbox.of(PREFIX, kind)]


async def test_what_is_due_is_kept_while_the_upper_node_is_away_and_received_once(tmp_path):
    async with both(tmp_path) as (lower, upper):
        yesterday = begin_of(DAY, NOON) - DAY
        month = MIDDLE.replace(day=1, hour=0)
        before = int(month.timestamp()) - DAY
        counted = Counts(answers={Kind.RESOLVE: {1: 7, 100: 2}}, created=3, registered=12, peak=5, peak_at=yesterday)
        lower.kept.write(yesterday, counted, {Networks().of("192.0.2.1"): 9}, 1)
        lower.kept.write(before, Counts(answers={Kind.RESOLVE: {1: 40}}), {}, 0)
        lower.store.create("0.NA/88.111.1", [site(2641), text("DESC", "Pumps Ltd", 3)])
        lower.store.create("88.111.1/sold", [text("URL", "x")])
        lower.store.delete("88.111.1/sold")

        reporter = lower.reporter()
        reporter.make()
        waiting = len(reporter.outgoing)
        with pytest.raises(DeliveryError) as away:
            await reporter.deliver()
        assert not away.value.for_ever
        # Another process goes on with the same queue, and makes nothing a second time.
        reporter = lower.reporter()
        reporter.make()
        assert len(reporter.outgoing) == waiting >= 5

        await upper.begin()
        _, oldest = reporter.outgoing.oldest()
        sent = await upper.asker.post("/api/reports", seal("report", oldest, identity(OWN)))
        assert sent["new"] is True  # taken, and killed before it was noted: it is sent again
        assert await reporter.deliver() == waiting
        assert len(reporter.outgoing) == 0
        assert len(kinds(upper)) == waiting

        (routes,) = kinds(upper, "routes")
        assert {(one.prefix, one.protocol, one.address, one.ip, one.port) for one in routes.routes} == {
            (PREFIX, "udp", "127.0.0.1", 4, 2641),
            (PREFIX, "tcp", "127.0.0.1", 4, 2641),
        }
        (subjects,) = kinds(upper, "subjects")
        assert [(one.prefix, one.description) for one in subjects.subjects] == [(PREFIX, "Pumps Ltd")]
        days = {one.begin: one for one in kinds(upper, "counts")}
        assert (days[yesterday].counts.succeeded(), days[yesterday].counts.peak, days[yesterday].sources) == (7, 5, {})
        (master,) = kinds(upper, "master")
        operations = [one.operation for one in master.entries if one.handle == "88.111.1/sold"]
        assert operations == [1, 2]
        (business,) = kinds(upper, "business")
        assert business.counts.succeeded() >= 40
        assert business.prefixes == 1

        # Nothing is due until something changes, or time goes on.
        reporter.make()
        assert len(reporter.outgoing) == 0
        lower.store.replace("0.NA/88.111.1", [site(2642)])
        reporter.make()
        assert [reporter.outgoing.oldest()[0].kind, len(reporter.outgoing)] == [Data.ROUTES, 1]
        lower.now += HOUR
        reporter.make()
        assert len(reporter.outgoing) == 2
        assert await reporter.deliver() == 2
        assert len(kinds(upper, "routes")) == 2
        assert [(name, count) for name, count, _ in upper.inbox.prefixes()] == [(PREFIX, waiting + 2)]
        told = await upper.asker.get("/api/reports", identity(NODE_KEY))
        assert [one["prefix"] for one in told["prefixes"]] == [PREFIX]
        listed = await upper.asker.get(f"/api/reports?prefix={PREFIX}&kind=counts", identity(NODE_KEY))
        assert listed["reports"][0]["report"]["counts"]["answers"]["resolve"]["1"] == 7
        with pytest.raises(DeliveryError) as refused:
            await upper.asker.get("/api/reports", identity(OWN))
        assert refused.value.status == 403


async def test_master_data_say_what_the_thing_is_and_what_is_private_only_where_it_is_asked_for(tmp_path):
    async with both(tmp_path) as (lower, upper):
        await upper.begin()
        hidden = {"permissions": 12}
        pump = [
            text("HULIAN.RECORD", "2:88.111.1/types/pump"),
            text("product.maker", "ACME", 10),
            text("Product.Type", "centrifugal pump", 11),
            text("brand", "Flow", 12),
            text("name", "X200", 13),
            text("produced", "2026-01-05T08:00:00+08:00", 14),
            text("expires", "2036-01-05", 15, **hidden),
            text("type", "is nothing of a product", 16),
        ]
        lower.store.create("88.111.1/pump", pump)
        lower.store.replace("88.111.1/pump", [msgspec.structs.replace(value, timestamp=1_700_000_000) for value in pump])
        carrier = [
            text("HULIAN.CARRIER", b'{"state":"active","terminal":"module","purpose":"metering","model":"M1"}', 2),
            text("HULIAN.MASTER", b'{"serial":"S1","owner":"Pumps Ltd","imei":"490154203237518","licence":"L-1"}', 4, **hidden),
        ]
        lower.store.create("88.111.1/meter", carrier)
        lower.store.create("88.111.1/odd", [text("HULIAN.CARRIER", b"[1]", 2), text("name", bytes(2_000), 3)])
        lower.store.create("88.111.1/gone", [text("brand", "x")])
        lower.store.delete("88.111.1/gone")

        async def told(*data: Data) -> dict[tuple[str, int], Entry]:
            reporter = lower.reporter(*data)
            reporter.make()
            assert await reporter.deliver() == 1
            (newest, *_) = kinds(upper, "master")
            return {(one.handle.removeprefix("88.111.1/"), one.operation): one for one in newest.entries}

        entries = await told(Data.MASTER)
        made = entries["pump", 1]
        assert made.created == made.at
        assert entries["pump", 3].created == 1_700_000_000 * 10**9
        assert made.metadata == entries["pump", 3].metadata == "2:88.111.1/types/pump"
        produced = "2026-01-05T08:00:00+08:00"
        product = Product(type="centrifugal pump", brand="Flow", name="X200", maker="ACME", produced=produced)
        assert made.product == product
        assert entries["meter", 1].terminal == Terminal(type="module", purpose="metering", model="M1")
        assert entries["odd", 1].terminal is None
        assert len(entries["odd", 1].product.name) == 255
        assert (entries["gone", 2].product, entries["gone", 2].created) == (None, 0)
        plain = entries["alias", 1]
        assert plain == Entry(handle="88.111.1/alias", operation=1, at=plain.at, created=plain.at)

        lower.store.replace("88.111.1/pump", pump)
        lower.store.replace("88.111.1/meter", [*carrier, text("NOTE", "x", 5)])
        lower.now += DAY
        entries = await told(Data.MASTER, Data.PRIVATE)
        assert entries["pump", 3].product == msgspec.structs.replace(product, expires="2036-01-05")
        known = {"serial": "S1", "owner": "Pumps Ltd", "imei": "490154203237518", "licence": "L-1"}
        assert entries["meter", 3].terminal == Terminal(type="module", purpose="metering", model="M1", **known)


async def test_sources_are_told_only_where_they_are_asked_for(tmp_path):
    async with both(tmp_path) as (lower, upper):
        await upper.begin()
        yesterday = begin_of(DAY, NOON) - DAY
        lower.kept.write(yesterday, Counts(dropped=1), {Networks().of("192.0.2.1"): 9}, 4)
        reporter = lower.reporter(Data.COUNTS, Data.SOURCES)
        reporter.make()
        assert await reporter.deliver() == 1
        (counts,) = kinds(upper)
        assert (counts.sources, counts.other_sources) == ({"192.0.2.1": 9}, 4)


async def test_nobody_reports_for_another_and_nothing_takes_the_place_of_a_report(tmp_path):
    async with both(tmp_path) as (_lower, upper):
        await upper.begin()
        report = Report(kind=Data.COUNTS, prefix=PREFIX, begin=0, end=DAY, counts=Counts(dropped=1))
        body = seal("report", report.packed(), identity(OWN))
        assert (await upper.asker.post("/api/reports", body))["new"] is True
        other = msgspec.structs.replace(report, counts=Counts(dropped=2))
        key = private_key()
        for sealed, status, said in (
            (seal("report", other.packed(), identity(OWN)), 409, "HL-ID-0904"),
            (seal("report", report.packed(), identity(Reference("0.NA/88.112", 300), key)), 403, "HL-ID-0903"),
            (seal("report", report.packed(), identity(Reference("88.111.1/USER", 300), key)), 403, "HL-ID-0903"),
            (
                seal("report", msgspec.structs.replace(report, prefix="88.111.2").packed(), identity(OWN)),
                403,
                "does not report for",
            ),
            (seal("report", b"{}", identity(OWN)), 400, "HL-ID-0901"),
            (body.replace(b'"report"', b'"vote"'), 400, "HL-ID-0901"),
        ):
            with pytest.raises(DeliveryError) as refused:
                await upper.asker.post("/api/reports", sealed)
            assert (refused.value.status, said in refused.value.message) == (status, True)
        tampered = msgspec.json.decode(body)
        tampered["document"] = msgspec.json.decode(seal("report", other.packed(), identity(OWN)))["document"]
        with pytest.raises(DeliveryError, match="signature does not hold"):
            await upper.asker.post("/api/reports", msgspec.json.encode(tampered))
        assert [one.counts.dropped for one in kinds(upper)] == [1]


async def test_an_upper_node_that_is_away_is_a_fault_until_it_is_back(tmp_path):
    async with both(tmp_path) as (lower, upper), anyio.create_task_group() as group:
        faults, reporter = Faults(), lower.reporter(Data.COUNTS)
        lower.kept.write(begin_of(DAY, NOON) - DAY, Counts(dropped=1), {}, 0)
        group.start_soon(reporter.run, faults)
        with anyio.fail_after(60):
            while not faults.lasts(FaultEvent.UPSTREAM_UNREACHABLE, "reports"):
                await anyio.sleep(0.01)
            await upper.begin()
            while faults.lasts(FaultEvent.UPSTREAM_UNREACHABLE, "reports"):
                await anyio.sleep(0.01)
        assert len(kinds(upper)) == 1
        assert (faults.waiting()[0].cause, faults.waiting()[0].over is not None) == (1, True)
        group.cancel_scope.cancel()


async def test_a_long_list_goes_in_parts_and_a_full_queue_waits(tmp_path, monkeypatch):
    async with both(tmp_path) as (lower, upper):
        await upper.begin()
        monkeypatch.setattr("hulian.network.identifiers.nodes.reporting.MOST_ROWS", 200)
        monkeypatch.setattr("hulian.network.identifiers.nodes.reporting.MOST_WAITING", 4)
        lower.store.create_many((f"88.111.1/n{number}", [text("URL", "x")]) for number in range(1_500))
        reporter = lower.reporter(Data.MASTER)
        reporter.make()
        assert 4 <= len(reporter.outgoing) < 9
        taken = 0
        while len(reporter.outgoing):
            taken += await reporter.deliver()
            reporter.make()
        entries = [one.handle for report in kinds(upper, "master") for one in report.entries]
        assert len(entries) == len(set(entries)) == 1_505
        assert max(len(report.entries) for report in kinds(upper)) == 200
        assert report_module.MOST_ROWS == 2_000
        assert len(Outgoing(lower.store.registry)) == 0
