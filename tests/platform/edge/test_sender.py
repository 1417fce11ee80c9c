"""What the sender tells of a spine that takes nothing, and when it tells that this is over."""

from __future__ import annotations

import asyncio

import anyio
import pytest

from hulian.kernel.event import Event
from hulian.platform.edge.config import BufferPolicy
from hulian.platform.edge.events import EdgeEvent
from hulian.platform.edge.journal import Journal
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
