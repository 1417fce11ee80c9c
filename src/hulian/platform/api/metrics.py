"""Prometheus text exposition, format 0.0.4."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hulian.data.historian.contract import Size
from hulian.kernel.version import VERSION
from hulian.network.exchange.spine.streams import StreamFigures
from hulian.platform.api.context import Context

__all__ = ["Family", "exposition", "render"]

Sample = tuple[Mapping[str, str], float]
Family = tuple[str, str, str, Sequence[Sample]]
"""Name, kind, help text, samples."""


def render(families: Iterable[Family]) -> bytes:
    """The families as text. Label values are escaped as the format asks."""
    lines: list[str] = []
    for name, kind, text, samples in families:
        if not samples:
            continue
        lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
        for labels, value in samples:
            inner = ",".join(f'{key}="{_escaped(str(item))}"' for key, item in labels.items())
            lines.append(f"{name}{{{inner}}} {_number(value)}" if inner else f"{name} {_number(value)}")
    return ("\n".join(lines) + "\n").encode()


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return repr(int(value)) if float(value).is_integer() else repr(float(value))


def exposition(
    context: Context,
    components: Sequence[Any],
    streams: Sequence[StreamFigures],
    sizes: Mapping[str, Size],
    connectors: Mapping[str, Any],
    historian: bool,
    points: int,
    orphans: Mapping[str, Any],
) -> bytes:
    """Everything that is counted, as Prometheus reads it."""
    none: Mapping[str, str] = {}
    hub = context.hub
    return render(
        [
            ("hulian_info", "gauge", "Version of the platform.", [({"version": VERSION}, 1)]),
            ("hulian_points", "gauge", "Points in the catalogue.", [(none, points)]),
            ("hulian_spine_connected", "gauge", "Whether the API reaches the spine.", [(none, context.house.spine.connected)]),
            ("hulian_historian_up", "gauge", "Whether the historian answers.", [(none, historian)]),
            *_components(components),
            *_streams(streams),
            *_tables(sizes),
            *_connectors(connectors),
            *_journals({**connectors, **orphans}),
            ("hulian_journals_orphaned", "gauge", "Journals whose connector is gone, not empty yet.", [(none, len(orphans))]),
            ("hulian_live_viewers", "gauge", "Open live streams.", [(none, len(hub.viewers))]),
            ("hulian_live_samples_total", "counter", "Samples decoded for live streams.", [(none, hub.samples)]),
            ("hulian_live_lagged_total", "counter", "Samples not shown to slow viewers.", [(none, hub.lagged)]),
            ("hulian_live_undecodable_total", "counter", "Live messages that could not be read.", [(none, hub.undecodable)]),
        ]
    )


def _components(components: Sequence[Any]) -> list[Family]:
    by = [({"component": item.name}, item) for item in components]
    return [
        ("hulian_component_up", "gauge", "Whether a component runs.", [(at, str(item.state) == "running") for at, item in by]),
        ("hulian_component_restarts_total", "counter", "Restarts of a component.", [(at, item.restarts) for at, item in by]),
        (
            "hulian_component_memory_bytes",
            "gauge",
            "Resident memory of a component.",
            [(at, item.memory_mb * 2**20) for at, item in by],
        ),
    ]


def _streams(streams: Sequence[StreamFigures]) -> list[Family]:
    by = [({"stream": item.name}, item) for item in streams]
    return [
        ("hulian_stream_messages", "gauge", "Messages a stream holds.", [(at, item.messages) for at, item in by]),
        ("hulian_stream_bytes", "gauge", "Bytes a stream holds.", [(at, item.bytes) for at, item in by]),
        ("hulian_stream_limit_bytes", "gauge", "Bytes a stream may hold.", [(at, item.max_bytes) for at, item in by]),
        ("hulian_stream_waiting", "gauge", "Messages not yet acknowledged.", [(at, item.waiting) for at, item in by]),
        ("hulian_stream_dropped_total", "counter", "Messages dropped unread.", [(at, item.lost) for at, item in by]),
    ]


def _tables(sizes: Mapping[str, Size]) -> list[Family]:
    by = [({"table": name}, size) for name, size in sizes.items()]
    return [
        ("hulian_table_rows", "gauge", "Rows of a historian table.", [(at, size.rows) for at, size in by]),
        ("hulian_table_bytes", "gauge", "Bytes of a historian table.", [(at, size.bytes) for at, size in by]),
    ]


def _journals(connectors: Mapping[str, Any]) -> list[Family]:
    by = [
        ({"connector": name}, item["journal"])
        for name, item in sorted(connectors.items())
        if isinstance(item, dict) and isinstance(item.get("journal"), dict)
    ]
    pending = [(at, max(0, journal.get("sequence", 0) - journal.get("acknowledged", 0))) for at, journal in by]
    return [
        ("hulian_journal_pending", "gauge", "Batches of a journal that the spine has not acknowledged.", pending),
        ("hulian_journal_bytes", "gauge", "Bytes of a journal on disk.", [(at, item.get("bytes", 0)) for at, item in by]),
        (
            "hulian_journal_dropped_total",
            "counter",
            "Samples that a full journal dropped.",
            [(at, item.get("dropped", 0)) for at, item in by],
        ),
    ]


def _connectors(connectors: Mapping[str, Any]) -> list[Family]:
    by = [({"connector": name}, item) for name, item in sorted(connectors.items()) if isinstance(item, dict)]
    own = [({**at, "counter": key}, value) for at, item in by for key, value in sorted(item.get("counters", {}).items())]

    def each(field: str, scale: float = 1.0) -> list[Sample]:
        return [(at, item.get(field, 0) * scale) for at, item in by]

    up = [(at, item.get("state") == "connected") for at, item in by]
    return [
        ("hulian_connector_up", "gauge", "Whether a connector is connected.", up),
        ("hulian_connector_samples_total", "counter", "Samples a connector took.", each("samples")),
        ("hulian_connector_bad_points", "gauge", "Points that cannot be read.", each("bad_points")),
        ("hulian_connector_last_sample_seconds", "gauge", "Time of the newest sample.", each("last_sample", 1e-9)),
        ("hulian_connector_counter_total", "counter", "A connector's own counters.", own),
    ]
