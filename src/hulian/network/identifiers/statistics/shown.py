"""Statistics as documents: JSON for programs and people, and the text form that Prometheus reads."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Iterable, Iterator
from typing import Any

from hulian.network.identifiers.statistics.collect import Statistics
from hulian.network.identifiers.statistics.counts import Counts, Kind, Latency
from hulian.network.identifiers.statistics.faults import Fault
from hulian.network.identifiers.statistics.kept import DAY, MINUTE, begin_of

__all__ = ["PROMETHEUS", "address_of", "counts_document", "document", "fault_document", "prometheus", "rfc3339"]

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


def document(statistics: Statistics, *, days: int, minutes: int, sources: int, faults: int) -> dict[str, Any]:
    """What the node has counted: now, since it began, and, from its registry, so many days and minutes back; so many sources
    of today and fault events. Reads the registry: not for the thread of the event loop. Raises `RegistryError`."""
    now = time.time()
    today = begin_of(DAY, now)
    found: dict[str, Any] = {
        "at": rfc3339(now),
        "since": rfc3339(statistics.began),
        "total": counts_document(statistics.total),
    }
    kept = statistics.kept
    if kept is None:
        return found
    spans = (("days", DAY, days), ("minutes", MINUTE, minutes))
    for name, span, many in spans:
        rows = kept.counts(span, begin_of(span, now) - (many - 1) * span, int(now) + 1) if many else []
        found[name] = [{"begin": rfc3339(begin), **counts_document(counts)} for begin, counts in rows]
    most, distinct, others = kept.sources(today, sources)
    told = [{"source": address_of(network), "requests": count} for network, count in most]
    found["sources"] = {"day": rfc3339(today), "distinct": distinct, "others": others, "most": told}
    found["faults"] = [fault_document(one) for one in kept.faults(faults)] if faults else []
    return found


def counts_document(counts: Counts) -> dict[str, Any]:
    """One span of time; times in ms, and when, in RFC 3339."""
    found: dict[str, Any] = {
        "requests": counts.requests,
        "successes": counts.succeeded(),
        "dropped": counts.dropped,
        "over_budget": counts.over_budget,
        "answers": {kind.value: {str(code): n for code, n in sorted(codes.items())} for kind, codes in counts.answers.items()},
        "latency": {kind.value: _latency(latency) for kind, latency in counts.latency.items() if latency.count},
        "registrations": {"created": counts.created, "changed": counts.changed, "deleted": counts.deleted},
    }
    if counts.registered >= 0:
        found["registrations"]["total"] = counts.registered
    if counts.peak:
        found["peak"] = {"per_second": counts.peak, "at": rfc3339(counts.peak_at)}
    return found


def fault_document(one: Fault) -> dict[str, Any]:
    """One fault event; ``over`` is null while it lasts."""
    return {
        "id": one.number,
        "cause": one.cause.value,
        "code": one.code.value,
        "at": rfc3339(one.at / 1e9),
        "over": None if one.over is None else rfc3339(one.over / 1e9),
        "subject": one.subject,
        "message": one.message,
        "meaning": one.code.meaning,
    }


def address_of(network: bytes) -> str:
    """The text of a network in IPv6 form.

    >>> address_of(bytes(10) + b"\\xff\\xff" + bytes((192, 0, 2, 0)))
    '192.0.2.0'
    """
    found = ipaddress.IPv6Address(network)
    return str(found.ipv4_mapped or found)


def prometheus(statistics: Statistics) -> bytes:
    """What was counted since the process began, in the text form of Prometheus, version 0.0.4."""
    total = statistics.total
    lines: list[str] = []

    def family(name: str, kind: str, told: str, rows: Iterable[tuple[str, float]]) -> None:
        found = [f"hulian_identifiers_{name}{labels} {value:.15g}" for labels, value in rows]
        if found:
            lines.extend((f"# HELP hulian_identifiers_{name} {told}", f"# TYPE hulian_identifiers_{name} {kind}", *found))

    family("answers_total", "counter", "Questions that were answered, by kind and response code.", _answers(total))
    family("dropped_total", "counter", "Questions without an answer.", [("", total.dropped)])
    family("over_budget_total", "counter", "Of them those whose source had drawn its share.", [("", total.over_budget)])
    for name, told, part in (("sum", "Seconds that all answers took.", "total"), ("count", "Answers.", "count")):
        rows = [(f'{{kind="{kind}"}}', _scaled(latency, part)) for kind, latency in total.latency.items()]
        family(f"latency_seconds_{name}", "counter", told, rows)
    for name, told in (("least", "The quickest answer so far."), ("most", "The slowest answer so far.")):
        rows = [(f'{{kind="{kind}"}}', _scaled(latency, name)) for kind, latency in total.latency.items()]
        family(f"latency_seconds_{name}", "gauge", told, rows)
    changes = [(f'{{what="{what}"}}', getattr(total, what)) for what in ("created", "changed", "deleted")]
    family("registrations_total", "counter", "Records that were created, changed and deleted.", changes)
    if total.registered >= 0:
        family("records", "gauge", "Records that there are.", [("", total.registered)])
    family("peak_per_second", "gauge", "Most answers in one second so far.", [("", total.peak)])
    family("started_seconds", "gauge", "When the node began, Unix seconds.", [("", statistics.began)])
    return ("\n".join(lines) + "\n").encode()


def _answers(total: Counts) -> Iterator[tuple[str, float]]:
    for kind in Kind:
        for code, count in sorted(total.answers.get(kind, {}).items()):
            yield f'{{kind="{kind}",code="{code}"}}', count


def _scaled(latency: Latency, part: str) -> float:
    number: int = getattr(latency, part)
    return number if part == "count" else number / 1e9


def _latency(latency: Latency) -> dict[str, Any]:
    return {
        "count": latency.count,
        "mean_ms": round(latency.mean / 1e6, 4),
        "min_ms": round(latency.least / 1e6, 4),
        "min_at": rfc3339(latency.least_at / 1e3),
        "max_ms": round(latency.most / 1e6, 4),
        "max_at": rfc3339(latency.most_at / 1e3),
    }


def rfc3339(at: float) -> str:
    """Unix seconds as RFC 3339, to the millisecond.

    >>> rfc3339(0.5)
    '1970-01-01T00:00:00.500Z'
    """
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at))
    return f"{whole}.{int(at * 1000) % 1000:03d}Z" if at != int(at) else f"{whole}Z"
