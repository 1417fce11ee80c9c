"""What the sender sends first, and what it tells of a spine that takes nothing."""

from __future__ import annotations

import asyncio

import anyio
import pytest

from hulian.kernel.event import Event
from hulian.platform.edge.config import BufferPolicy
from hulian.platform.edge.events import EdgeEvent
from hulian.platform.edge.journal import Journal
from hulian.platform.edge.pace import Pace
from hulian.platform.edge.sender import Sender

pytestmark = pytest.mark.anyio


class Refusing:
    """A spine that refuses until it is told otherwise, and answers a little later, as a real one does."""

    connected = True
    refuses = True

    def send(self, source, payload, identity, done):
        error = OSError("full") if self.refuses else None
        asyncio.get_running_loop().call_later(0.05, done, error)


async def test_the_end_of_a_refusal_is_told_although_the_source_has_fallen_silent(tmp_path):
    journal = Journal(tmp_path, bound=2**20, policy=BufferPolicy.DROP_OLDEST)
    journal.open()
    journal.append([(1, lambda epoch, sequence, offset: b"x")])
    told: list[Event] = []
    spine = Refusing()
    sender = Sender("pump", journal, spine, 8, told.append)
    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            group.start_soon(sender.run)
            while not told:
                await anyio.sleep(0.05)
            spine.refuses = False
            while len(told) < 2:
                await anyio.sleep(0.05)
            group.cancel_scope.cancel()
    journal.close()
    assert [(event.code, event.active) for event in told] == [(EdgeEvent.SPINE_REFUSES, True), (EdgeEvent.SPINE_REFUSES, False)]
    assert journal.pending == 0


class Remembering:
    """A spine that is away, comes back, and remembers the order in which messages came."""

    connected = True

    def __init__(self):
        self.away = True
        self.came: list[int] = []
        self.under_way = self.most = self.tried = 0

    def send(self, source, payload, identity, done):
        self.under_way += 1
        self.most = max(self.most, self.under_way)

        def answer():
            self.under_way -= 1
            if self.away:
                self.tried += 1
                done(TimeoutError("away"))
            else:
                self.came.append(int(payload))
                done(None)

        asyncio.get_running_loop().call_later(0.005, answer)


def number(epoch, sequence, offset):
    return b"%d" % sequence


async def test_after_a_time_without_link_what_is_new_goes_first_and_the_rest_in_order(tmp_path):
    journal = Journal(tmp_path, bound=2**22, policy=BufferPolicy.DROP_OLDEST)
    journal.open()
    spine = Remembering()
    sender = Sender("pump", journal, spine, 8, lambda event: None, Pace(2_000))
    with anyio.fail_after(60):
        async with anyio.create_task_group() as group:
            group.start_soon(sender.run)
            for _ in range(40):
                journal.append([(10, number)] * 10)
            sender.wake()
            while spine.tried < 10:
                await anyio.sleep(0.01)
            spine.most = 0
            while spine.tried < 13:
                await anyio.sleep(0.01)
            assert spine.most == 1, "while it is away one message is tried, not a window of them"
            assert journal.acknowledged == 0
            spine.away = False
            while not spine.came:
                await anyio.sleep(0.005)
            fresh = []
            while journal.pending:
                if len(fresh) < 20:
                    journal.append([(10, number)])
                    fresh.append(journal.sequence)
                    sender.wake()
                    while fresh[-1] not in spine.came:
                        await anyio.sleep(0.001)
                await anyio.sleep(0.005)
            group.cancel_scope.cancel()
    backlog = [one for one in spine.came if one <= 400]
    assert backlog == list(range(1, 401)), "in order, each once"
    assert [one for one in spine.came if one > 400] == fresh
    assert spine.came.index(fresh[0]) < spine.came.index(300), "what is new did not wait for the backlog"
    journal.close()


async def test_a_restart_in_the_middle_of_catching_up_loses_nothing(tmp_path):
    """What came ahead is not acknowledged before what was behind: the next life sends both."""
    journal = Journal(tmp_path, bound=2**22, policy=BufferPolicy.DROP_OLDEST)
    journal.open()
    spine = Remembering()
    spine.away = False
    for _ in range(40):
        journal.append([(10, number)] * 10)
    sender = Sender("pump", journal, spine, 4, lambda event: None, Pace(1_000))
    with anyio.fail_after(60):
        async with anyio.create_task_group() as group:
            group.start_soon(sender.run)
            while len(spine.came) < 5:
                await anyio.sleep(0.01)
            journal.append([(10, number)])
            sender.wake()
            while 401 not in spine.came:
                await anyio.sleep(0.01)
            group.cancel_scope.cancel()
        assert journal.acknowledged < 400
        again = Journal(tmp_path, bound=2**22, policy=BufferPolicy.DROP_OLDEST)
        again.open()
        async with anyio.create_task_group() as group:
            sender = Sender("pump", again, spine, 4, lambda event: None, Pace(1_000_000))
            group.start_soon(sender.run)
            await sender.emptied()
            group.cancel_scope.cancel()
    assert set(spine.came) == set(range(1, 402))
    again.close()


async def test_the_pace_is_shared():
    now = [0.0]
    slept = []
    pace = Pace(1000, clock=lambda: now[0])
    now[0] = 10.0

    async def take(samples):
        await pace.take(samples)
        slept.append(samples)

    with anyio.fail_after(10):
        await take(100)
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(take, 20)
    assert slept == [100, 20, 20, 20]
    assert pace._free_at == pytest.approx(10.0 - 0.1 + 0.16)
