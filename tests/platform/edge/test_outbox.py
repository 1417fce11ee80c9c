"""Events on their way: kept over kill -9 and days alone, in order, within a bound that is told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager

import anyio
import pytest

from hulian.kernel.event import Event, Severity
from hulian.network.exchange.spine.errors import SpineUnavailableError
from hulian.platform.edge import outbox
from hulian.platform.edge.journal import Journal
from hulian.platform.edge.outbox import Outbox

pytestmark = pytest.mark.anyio


def event(number: int, **more) -> Event:
    given = {"message": f"event {number}", "subject": "tank"} | more
    return Event(time=number, code="HL-EDGE-0101", severity=Severity.INFO, component="edge", **given)


class Spine:
    """What takes events, and sometimes does not."""

    def __init__(self) -> None:
        self.came: list[Event] = []
        self.away = False

    async def take(self, told: Event) -> None:
        await anyio.sleep(0)
        if self.away:
            raise SpineUnavailableError("away")
        self.came.append(told)

    async def until(self, count: int) -> list[int]:
        with anyio.fail_after(10):
            while len(self.came) < count:
                await anyio.sleep(0.01)
        return [told.time for told in self.came]


@asynccontextmanager
async def running(box: Outbox):
    async with anyio.create_task_group() as group:
        group.start_soon(box.run)
        yield
        group.cancel_scope.cancel()


async def test_events_go_in_order_and_are_forgotten_then(tmp_path):
    spine = Spine()
    box = Outbox(tmp_path / "events", spine.take)
    box.put(event(0))
    async with running(box):
        for number in range(1, 500):
            box.put(event(number))
        assert await spine.until(500) == list(range(500))
        with anyio.fail_after(10):
            while box.pending:  # forgotten in blocks, a moment after the last was taken
                await anyio.sleep(0.01)
    again = Outbox(tmp_path / "events", spine.take)
    async with running(again):
        again.put(event(500))
        assert await spine.until(501) == list(range(501))


async def test_what_is_told_while_the_spine_is_away_comes_after_a_restart(tmp_path):
    spine = Spine()
    spine.away = True
    async with running(box := Outbox(tmp_path / "events", spine.take)):
        for number in range(1000):
            box.put(event(number))
        await anyio.sleep(0.1)
    spine.away = False
    async with running(Outbox(tmp_path / "events", spine.take)):
        assert await spine.until(1000) == list(range(1000))


async def test_what_is_told_before_a_kill_9_comes(tmp_path):
    script = (
        "import anyio, sys\n"
        "from pathlib import Path\n"
        "from hulian.kernel.event import Event, Severity\n"
        "from hulian.network.exchange.spine.errors import SpineUnavailableError\n"
        "from hulian.platform.edge.outbox import Outbox\n"
        "async def away(event): raise SpineUnavailableError('away')\n"
        "async def main():\n"
        "    box = Outbox(Path(sys.argv[1]), away)\n"
        "    async with anyio.create_task_group() as group:\n"
        "        group.start_soon(box.run)\n"
        "        number = 0\n"
        "        while True:\n"
        "            for _ in range(20):\n"
        "                box.put(Event(time=number, code='HL-EDGE-0101', severity=Severity.INFO, component='edge',\n"
        "                              subject='tank', message='x'))\n"
        "                number += 1\n"
        "            await anyio.sleep(0.005)\n"
        "            print(number, file=sys.stderr, flush=True)\n"
        "anyio.run(main)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "events")], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    told = 0
    for line in process.stderr:
        told = int(line)
        if told >= 1000:
            break
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stderr.close()
    spine = Spine()
    async with running(Outbox(tmp_path / "events", spine.take)):
        came = await spine.until(told)
    assert came[:told] == list(range(told))


async def test_beyond_the_bound_the_oldest_go_and_how_many_is_told(tmp_path):
    spine = Spine()
    spine.away = True
    async with running(box := Outbox(tmp_path / "events", spine.take, bound=2**20)):
        for start in range(0, 20_000, 100):
            for number in range(start, start + 100):
                box.put(event(number))
            await anyio.sleep(0)
        await anyio.sleep(0.2)
        assert sum(path.stat().st_size for path in (tmp_path / "events").iterdir()) <= 2**20 + 4096
        spine.away = False
        with anyio.fail_after(20):
            while box.pending:
                await anyio.sleep(0.01)
    assert spine.came[0].code == "HL-EDGE-0116"
    kept = [told.time for told in spine.came[1:]]
    assert kept == list(range(20_000 - len(kept), 20_000))
    assert spine.came[0].details["dropped"] == 20_000 - len(kept)


async def test_a_disk_that_takes_nothing_costs_only_the_oldest(tmp_path, monkeypatch):
    monkeypatch.setattr(outbox, "_PAUSE", 0.02)
    full = True
    append = Journal.append
    monkeypatch.setattr(Journal, "append", lambda self, *given: False if full else append(self, *given))
    spine = Spine()
    async with running(box := Outbox(tmp_path / "events", spine.take)):
        for number in range(outbox.HELD + 5):
            box.put(event(number))
        await anyio.sleep(0.1)
        assert not spine.came
        full = False
        times = await spine.until(outbox.HELD + 1)
    assert times[:-1] == list(range(5, outbox.HELD + 5))
    assert spine.came[-1].details == {"dropped": 5}


async def test_an_event_of_any_length_goes(tmp_path):
    spine = Spine()
    async with running(box := Outbox(tmp_path / "events", spine.take)):
        box.put(event(0, message="x" * 20 * 2**20, details={"much": ["y" * 1000] * 1000}))
        box.put(event(1))
        assert await spine.until(2) == [0, 1]
    assert len(spine.came[0].message) == 2000


async def test_the_edge_goes_on_where_events_cannot_be_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(outbox, "_PAUSE", 0.01)
    (tmp_path / "events").write_text("a file where a directory should be")
    spine = Spine()
    async with running(box := Outbox(tmp_path / "events", spine.take)):
        box.put(event(0))
        await anyio.sleep(0.05)
        assert box.pending == 1
        (tmp_path / "events").unlink()
        assert await spine.until(1) == [0]


@pytest.mark.parametrize("power", [False, True])
async def test_with_power_an_event_is_past_the_disks_cache(tmp_path, monkeypatch, power):
    synced: list[int] = []
    monkeypatch.setattr("hulian.platform.edge.journal.os.fsync", synced.append)
    spine = Spine()
    async with running(box := Outbox(tmp_path / "events", spine.take, power=power)):
        await anyio.sleep(0.05)
        synced.clear()
        box.put(event(0))
        await spine.until(1)
        with anyio.move_on_after(10 if power else 0.1):
            while not synced:
                await anyio.sleep(0.01)
    assert bool(synced) is power
