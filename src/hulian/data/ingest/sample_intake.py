"""Sample batches: decoded in bulk, counted by the ledger, inserted a column at a time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

import anyio

from hulian.data.historian.contract import Historian
from hulian.data.ingest.configuration import IngestConfiguration
from hulian.data.ingest.events import IngestEvent
from hulian.data.ingest.intake import Block, Entry, Intake, event
from hulian.data.ingest.ledger import Decision, Ledger
from hulian.data.ingest.store import DeadLetter, IngestStore
from hulian.kernel.errors import IdentifierError
from hulian.kernel.event import Event, Severity
from hulian.kernel.identifier import unescape
from hulian.kernel.sample import Columns
from hulian.network.exchange.spine.bundle import unpack
from hulian.network.exchange.spine.codec import Bulk, Dropped, Group, decode_many, join
from hulian.network.exchange.spine.connection import Spine
from hulian.network.exchange.spine.consumer import Delivery
from hulian.network.exchange.spine.errors import CodecError
from hulian.network.exchange.spine.streams import SAMPLES

__all__ = ["SampleIntake"]


class _Read(NamedTuple):
    """The batches of the messages of a block, and what they hold."""

    deliveries: list[Delivery]
    bulk: Bulk


class _SamplePlan(NamedTuple):
    columns: list[Columns]
    decision: Decision
    dead: list[DeadLetter]


class SampleIntake(Intake):
    """Sample batches: decoded in bulk, counted by the ledger, inserted a column at a time."""

    stream = SAMPLES

    def __init__(
        self,
        spine: Spine,
        historian: Historian,
        store: IngestStore,
        configuration: IngestConfiguration,
        writing: anyio.Lock,
        *,
        organisation: str,
        ledger: Ledger,
    ) -> None:
        super().__init__(spine, historian, store, configuration, writing)
        self.samples = 0
        """Samples stored since the start."""
        self.duplicates = 0
        self._organisation = organisation
        self._ledger = ledger

    def read(self, messages: Sequence[Delivery]) -> _Read:
        deliveries: list[Delivery] = []
        for message in messages:
            if message[2][:2] == b"HM":
                try:
                    deliveries += [(message[0], message[1], batch) for batch in unpack(message[2])]
                    continue
                except CodecError:
                    pass  # read as a batch it is refused, with its place
            deliveries.append(message)
        return _Read(deliveries, decode_many([payload for _, _, payload in deliveries]))

    def plan(self, block: Block) -> _SamplePlan:
        deliveries, bulk = block.content
        now = time.time_ns()
        reasons = {index: str(error) for index, error in bulk.errors}
        groups = self._own(bulk.groups, deliveries, reasons)
        decision = self._ledger.decide(groups, now, self._declared(bulk.dropped, deliveries, reasons))
        columns = join(groups, decision.keep)
        dead = []
        for index, reason in sorted(reasons.items()):
            sequence, subject, payload = deliveries[index]
            dead.append(
                DeadLetter(self.stream, sequence, subject.decode("utf-8", "replace"), reason, len(payload), payload, now)
            )
        return _SamplePlan(columns, decision, dead)

    def _own(self, groups: Sequence[Group], messages: Sequence[Delivery], reasons: dict[int, str]) -> list[Group]:
        """The groups whose header names this organisation and the source that the subject allowed to speak."""
        own: list[Group] = []
        for group in groups:
            subjects = {messages[index][1] for index in group.places.tolist()}
            if group.organisation == self._organisation and all(_source_of(subject) == group.source for subject in subjects):
                own.append(group)
            else:
                text = f"the batch names {group.organisation}/{group.source}, its subject another source"
                reasons.update((index, text) for index in group.places.tolist())
        return own

    def _declared(self, dropped: Sequence[Dropped], messages: Sequence[Delivery], reasons: dict[int, str]) -> list[Dropped]:
        """As `_own`, of declarations."""
        own: list[Dropped] = []
        for one in dropped:
            if one.organisation == self._organisation and _source_of(messages[one.place][1]) == one.source:
                own.append(one)
            else:
                reasons[one.place] = f"the declaration names {one.organisation}/{one.source}, its subject another source"
        return own

    def insert(self, plan: _SamplePlan, token: str) -> None:
        if plan.columns:
            self._historian.insert(plan.columns, token)

    def entry(self, plan: _SamplePlan, gone: int) -> Entry:
        decision = plan.decision
        events: list[Event] = []
        if gone:
            events.append(
                event(
                    IngestEvent.EXPIRED,
                    Severity.ERROR,
                    self.stream,
                    f"{gone} messages left the stream before they were stored",
                    hint="too old or too many: raise spine.samples_hours or spine.samples_bytes; the ledger counts the samples",
                )
            )
        events += [
            event(
                IngestEvent.NEW_EPOCH,
                Severity.WARNING,
                life.source,
                f"{life.source} began epoch {life.epoch}: its journal was lost or replaced",
                hint="samples that were only in the old journal are gone; what had reached the spine is stored",
                details={"epoch": life.epoch},
            )
            for life in decision.began
        ]
        touched = {id(life): life for life in decision.touched}
        for source in sorted({source for source, _ in decision.closed}):
            if not self._ledger.announced_holes(source):
                dropped, lives = self._ledger.explained(source)
                touched |= {id(life): life for life in lives}
                events.append(_closed(source, dropped))
        events += [
            event(
                IngestEvent.MISCOUNTED,
                Severity.WARNING,
                source,
                f"{source} counts its samples wrongly: a batch does not begin where the one before ended",
                hint="its samples are stored, its counts are not exact; report it with the version of the source's software",
            )
            for source in sorted(set(decision.miscounted))
        ]
        if plan.dead:
            self._mourn(plan.dead, events)
        counters = [(name, value) for name, value in (("dead", len(plan.dead)), ("expired", gone)) if value]
        return list(touched.values()), plan.dead, events, counters

    def settle(self, plan: _SamplePlan) -> None:
        for letter in plan.dead:
            source = _source_of(letter.subject.encode()) or letter.subject
            self._ledger.undecodable[source] = self._ledger.undecodable.get(source, 0) + 1
        self._ledger.settle(plan.decision.touched)
        self.dead += len(plan.dead)
        self.samples += plan.decision.samples
        self.duplicates += plan.decision.duplicates

    def _mourn(self, dead: Sequence[DeadLetter], events: list[Event]) -> None:
        """Says once a source and block how many messages could not be read."""
        by_subject: dict[str, list[DeadLetter]] = {}
        for letter in dead:
            by_subject.setdefault(letter.subject, []).append(letter)
        for subject, letters in by_subject.items():
            source = _source_of(subject.encode()) or subject
            events.append(
                event(
                    IngestEvent.UNDECODABLE,
                    Severity.ERROR,
                    source,
                    f"{len(letters)} messages of {source} are no sample batches: {letters[0].reason}",
                    hint="they are kept as dead letters; nothing else is held up",
                    details={"stream": self.stream, "sequence": letters[0].sequence, "bytes": letters[0].size},
                )
            )


def _closed(source: str, dropped: int) -> Event:
    """No sample of ``source`` is missing any more; ``dropped`` of those that were reported never come."""
    if not dropped:
        return event(IngestEvent.GAP, Severity.INFO, source, f"the missing samples of {source} have come", active=False)
    return event(
        IngestEvent.GAP,
        Severity.INFO,
        source,
        f"no samples of {source} are missing: {dropped} were dropped at the edge by the policy of its full journal",
        hint="bring the spine back sooner, or raise edge.buffer_mb; the ledger counts them as dropped",
        active=False,
        details={"dropped": dropped},
    )


def _source_of(subject: bytes) -> str:
    try:
        return unescape(subject.rsplit(b".", 1)[-1].decode())
    except (IdentifierError, UnicodeDecodeError):
        return ""
