"""A Sparkplug session of ours and an edge node on one wire, without a broker; and which test covers which assertion."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Binding
from hulian.network.exchange.protocols.mqtt.config import BindingOptions, SparkplugSettings
from hulian.network.exchange.protocols.mqtt.rows import Rows, Target
from hulian.network.exchange.protocols.mqtt.simulator import SparkplugNode
from hulian.network.exchange.protocols.mqtt.sparkplug.messages import parse_topic
from hulian.network.exchange.protocols.mqtt.sparkplug.session import Session
from hulian.network.exchange.protocols.reports import Reports

START = 1_700_000_000_000_000_000
_Test = TypeVar("_Test", bound=Callable)


def tck(*ids: str) -> Callable[[_Test], _Test]:
    """Says which assertions of the specification a test covers; `test_sparkplug_tck.py` reads it from the source."""

    def named(test: _Test) -> _Test:
        assert all(one.startswith("tck-id-") for one in ids), ids
        return test

    return named


class Plant:
    """``points`` maps ``device|metric`` (or ``metric`` of the node) to a storage class; what the node sends reaches us.

    ``lost`` messages are lost on the way; while ``kept`` is a list, they are put there instead.
    """

    def __init__(self, points: dict[str, StorageClass] | None = None, *, scales: dict[str, float] | None = None, **options):
        self.now = START
        self.rows = Rows()
        self.events = []
        self.reports = Reports("mqtt", "devices", self.events.append)
        self.targets: dict[str, Target] = {}
        bound: dict[tuple[str, str, str], list[Target]] = {}
        for series, (name, storage) in enumerate((points or {}).items(), 1):
            device, _, metric = name.rpartition("|")
            binding = Binding(series=series, address=f"sparkplug:G/N{'/' + device if device else ''}:{metric}", storage=storage)
            self.targets[name] = Target(binding, BindingOptions(scale=(scales or {}).get(name, 1.0)), 0.0)
            bound["G/N", device, metric] = [self.targets[name]]
        self.session = Session(bound, SparkplugSettings(**options), self.reports)
        self.node = SparkplugNode("G", "N", self.hear, clock=lambda: self.now)
        self.lost = 0
        self.kept: list[tuple[str, bytes]] | None = None

    def hear(self, where: str, payload: bytes) -> None:
        self.now += 1_000_000
        if self.lost:
            self.lost -= 1
        elif self.kept is not None:
            self.kept.append((where, payload))
        else:
            self.deliver(where, payload)

    def deliver(self, where: str, payload: bytes) -> None:
        self.session.take(parse_topic(where), payload, self.now, self.rows)

    def gather(self, *messages: tuple[str, bytes]) -> None:
        for where, payload in messages:
            self.session.gather(parse_topic(where), payload, self.now, self.rows)
        self.session.flush(self.rows)
        self.session.settle()

    def wait(self, seconds: float) -> None:
        self.now += int(seconds * 1e9)
        self.session.tick(self.now, self.rows)

    def answer(self) -> int:
        """Delivers what the session sent; how many messages that were."""
        sent, self.session.outbox = self.session.outbox, []
        for where, payload in sent:
            self.node.receive(where, payload)
        return len(sent)

    def samples(self) -> list[tuple[str, object, int]]:
        """Point, value and status of what came since the last time, in the order of the storage classes."""
        return [(name, value, status) for name, _, value, status in self.timed()]

    def timed(self) -> list[tuple[str, int, object, int]]:
        names = {target.series: name for name, target in self.targets.items()}
        return [
            (names[int(series)], int(time), value, int(status))
            for columns in self.rows.take()
            for series, time, value, status in zip(
                columns.series, columns.time, columns.value.to_pylist(), columns.status, strict=True
            )
        ]

    def open(self) -> set[str]:
        return {code for code, _ in self.reports.open}

    def state(self) -> dict[str, tuple]:
        self.session.settle()
        return {
            name: (one.last_time, one.last_status, repr(one.last_value), one.last_seen) for name, one in self.targets.items()
        }
