"""Sparkplug B payloads to columns, beside the protobuf library (upb) that parses the same payloads and takes out the values.

``sparkplug.metrics_per_s``: data messages of several edge nodes as they come from a broker, through births, aliases, sequence
numbers and points to the columns that the edge's journal takes. ``sparkplug.small_metrics_per_s``: the same with four metrics a
message. The reference only parses, and lists alias, time and value of each metric. In turns, in CPU time.
"""

from __future__ import annotations

import random
import statistics
import time
from typing import Any

ROUNDS = 9
NODES = 20
BATCH = 500
"""Messages that are handed over together; a busy broker gives as many at once."""


class _Nobody:
    def moment(self, kind: Any, subject: str, message: str) -> None:
        raise RuntimeError(message)

    begin = moment

    def end(self, kind: Any, subject: str) -> None: ...

    def count(self, name: str) -> None: ...


def prepared(metrics: int, messages: int) -> tuple[Any, list[list[tuple[Any, bytes]]]]:
    """A session that knows all births, and batches of data messages: five doubles to a float, an integer, a truth value."""
    from hulian.kernel.storage import StorageClass
    from hulian.network.exchange.protocols.contract import Binding
    from hulian.network.exchange.protocols.mqtt.config import BindingOptions, SparkplugSettings
    from hulian.network.exchange.protocols.mqtt.rows import Rows, Target
    from hulian.network.exchange.protocols.mqtt.simulator import SparkplugNode
    from hulian.network.exchange.protocols.mqtt.sparkplug.messages import parse_topic
    from hulian.network.exchange.protocols.mqtt.sparkplug.session import Session

    kinds = ("Double",) * 5 + ("Float", "Int32", "Boolean")
    storages = {"Int32": StorageClass.INTEGER, "Boolean": StorageClass.BOOLEAN}
    chance = random.Random(7)
    sent: list[tuple[Any, bytes]] = []
    nodes = [SparkplugNode("G", f"N{n}", lambda where, raw: sent.append((parse_topic(where), raw))) for n in range(NODES)]
    targets: dict[tuple[str, str, str], list[Target]] = {}
    for number, node in enumerate(nodes):
        for place in range(metrics):
            kind = kinds[place % len(kinds)]
            node.declare("dev", f"m{place}", kind, False if kind == "Boolean" else 0)
            storage = storages.get(kind, StorageClass.DOUBLE)
            binding = Binding(
                series=number * metrics + place + 1, address=f"sparkplug:G/N{number}/dev:m{place}", storage=storage
            )
            targets[f"G/N{number}", "dev", f"m{place}"] = [Target(binding, BindingOptions(), 0.0)]
        node.birth()
    session = Session(targets, SparkplugSettings(), _Nobody())  # type: ignore[arg-type]
    rows = Rows()
    for where, raw in sent:
        session.take(where, raw, time.time_ns(), rows)
    sent.clear()
    values = {
        "Double": lambda: chance.gauss(100, 20),
        "Float": lambda: chance.gauss(1, 1),
        "Int32": lambda: chance.randrange(-9, 9999),
        "Boolean": lambda: chance.random() < 0.5,
    }
    for number in range(messages):
        nodes[number % NODES].update("dev", {f"m{n}": values[kinds[n % len(kinds)]]() for n in range(metrics)})
    # Each round begins where the one before ended: a whole run of sequence numbers a node.
    assert messages % (256 * NODES) == 0
    return session, [sent[at : at + BATCH] for at in range(0, len(sent), BATCH)]


def ours(session: Any, batches: list[list[tuple[Any, bytes]]], expected: int) -> float:
    from hulian.network.exchange.protocols.mqtt.rows import Rows

    rows, found, now = Rows(), 0, time.time_ns()
    began = time.process_time()
    for batch in batches:
        for where, raw in batch:
            session.gather(where, raw, now, rows)
        session.flush(rows)
        found += sum(map(len, rows.take()))
    session.settle()
    taken = time.process_time() - began
    assert found == expected, f"{found} of {expected} samples"
    return found / taken


def upb(batches: list[list[tuple[Any, bytes]]], expected: int) -> float:
    from hulian.network.exchange.protocols.mqtt.sparkplug.protobuf import Payload

    fields = {0: "double_value", 5: "float_value", 6: "int_value", 7: "boolean_value"}
    names = [fields.get(place, "double_value") for place in range(8)]
    found = 0
    began = time.process_time()
    for batch in batches:
        aliases, times, values = [], [], []
        for _, raw in batch:
            payload = Payload.FromString(raw)
            for place, metric in enumerate(payload.metrics):
                aliases.append(metric.alias)
                times.append(metric.timestamp)
                values.append(getattr(metric, names[place & 7]))
        found += len(values)
    taken = time.process_time() - began
    assert found == expected
    return found / taken


def _row(name: str, metrics: int, messages: int) -> dict[str, Any]:
    session, batches = prepared(metrics, messages)
    expected = metrics * messages
    mine: list[float] = []
    theirs: list[float] = []
    ours(session, batches, expected)
    for _ in range(ROUNDS):
        mine.append(ours(session, batches, expected))
        theirs.append(upb(batches, expected))
    value, other = statistics.median(mine), statistics.median(theirs)
    return {
        "name": name,
        "value": value,
        "unit": "metrics/s",
        "reference": "protobuf (upb), parsed and taken out",
        "reference_value": other,
        "ratio": value / other,
        "conditions": f"{messages} DDATA of {metrics} metrics (five doubles to a float, an integer and a truth value; alias "
        f"and time each) of {NODES} edge nodes, {BATCH} messages at once, all points bound, to columns; CPU time, median of "
        f"{ROUNDS} turns; "
        f"ours {min(mine):.0f} to {max(mine):.0f}, theirs {min(theirs):.0f} to {max(theirs):.0f}",
    }


def run() -> list[dict[str, Any]]:
    return [
        _row("sparkplug.metrics_per_s", 48, 2 * 256 * NODES),
        _row("sparkplug.small_metrics_per_s", 4, 4 * 256 * NODES),
    ]
