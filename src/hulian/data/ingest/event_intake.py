"""Events of every component, into the historian."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from hulian.data.ingest.intake import Block, Entry, Intake
from hulian.data.ingest.store import DeadLetter
from hulian.kernel.event import Event
from hulian.kernel.unreadable import UNREADABLE
from hulian.network.exchange.spine.consumer import Delivery
from hulian.network.exchange.spine.streams import EVENTS

__all__ = ["EventIntake"]


class _EventPlan(NamedTuple):
    events: list[Event]
    dead: list[DeadLetter]


class EventIntake(Intake):
    """Events of every component, into the historian."""

    stream = EVENTS

    def read(self, messages: Sequence[Delivery]) -> _EventPlan:
        events: list[Event] = []
        dead: list[DeadLetter] = []
        for sequence, subject, payload in messages:
            try:
                events.append(msgspec.json.decode(payload, type=Event))
            except (*UNREADABLE, ValueError) as error:
                name = subject.decode("utf-8", "replace")
                dead.append(DeadLetter(self.stream, sequence, name, str(error), len(payload), payload, time.time_ns()))
        return _EventPlan(events, dead)

    def plan(self, block: Block) -> _EventPlan:
        plan: _EventPlan = block.content
        return plan

    def insert(self, plan: _EventPlan, token: str) -> None:
        if plan.events:
            self._historian.insert_events(plan.events, token)

    def entry(self, plan: _EventPlan, gone: int) -> Entry:
        self.dead += len(plan.dead)
        counters = [(name, value) for name, value in (("dead", len(plan.dead)), ("expired", gone)) if value]
        return (), plan.dead, (), counters
