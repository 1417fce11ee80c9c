"""Resolution: plain questions a second over UDP and TCP, a cold walk through four tiers, and what strangers can draw.

The generator is C and stands beside the server, which is a process of its own. References are measured in turns with ours: an
echo in C that looks at nothing and answers as many bytes, and NSD with as many names.
"""

from __future__ import annotations

import logging
import random
import socket
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import structlog

from benchmarks import _resolution as tools
from benchmarks._identifier_node import Nearby, name, node, packed, question, root_data
from benchmarks.platform import row

NAMES = 100_000
RECORDS = 1_000_000
SECONDS = 3.0
TURNS = 5
WALKS = 300
OUTSTANDING = 64
STRANGER = 64 << 10


def zipf(names: int, count: int, seed: int = 1) -> list[int]:
    """``count`` of ``names`` numbers, the n-th as often as 1/n, in an order that tells nothing."""
    drawn = random.Random(seed)
    order = list(range(names))
    drawn.shuffle(order)
    weights = [1 / rank for rank in range(1, names + 1)]
    return drawn.choices(order, weights, k=count)


def _row(label: str, unit: str, ours: list[float], theirs: list[float], reference: str, conditions: str) -> dict:
    value, against = statistics.median(ours), statistics.median(theirs)
    return {
        "name": label,
        "value": value,
        "unit": unit,
        "reference": reference,
        "reference_value": against,
        "ratio": statistics.median(one / other for one, other in zip(ours, theirs, strict=True)),
        "conditions": f"{conditions}, median of {TURNS} turns of {SECONDS:g} s (best {max(ours):,.0f}), ratio of each turn",
    }


def _turns(mine: Callable[[], tools.Load], other: Callable[[], tools.Load]) -> tuple[list[float], list[float]]:
    ours, theirs = [], []
    for turn in range(TURNS):
        pair = [(mine, ours), (other, theirs)]
        for ask, into in pair if turn % 2 else reversed(pair):
            into.append(ask().answers)
    return ours, theirs


# -- many questions ------------------------------------------------------------------------------------------------------


def cached() -> list[dict]:
    rows = []
    with tools.asked(question(number) for number in zipf(NAMES, 4 * NAMES)) as questions:
        for label, path in (("", "compiled"), (".fallback", "python")):
            with node("recursive", NAMES, path) as (port, size), tools.echo("udp", size) as echo:
                tools.load_udp(port, questions, 1)
                ours, theirs = _turns(
                    lambda port=port: tools.load_udp(port, questions, SECONDS),
                    lambda echo=echo: tools.load_udp(echo, questions, SECONDS),
                )
            told = f"recursive node ({path}), {NAMES:,} names by Zipf, {OUTSTANDING} outstanding, answers of {size} bytes"
            rows.append(
                _row(
                    f"resolve.udp_cached_per_s{label}", "answers/s", ours, theirs, "C recvmmsg echo, same datagram sizes", told
                )
            )
    return rows


def authoritative() -> list[dict]:
    drawn = random.Random(2)
    numbers = [drawn.randrange(RECORDS) for _ in range(RECORDS // 4)]
    text = "x" * 110
    with (
        tools.asked(question(number) for number in numbers) as questions,
        tools.asked(tools.dns_question(f"item-{number:08d}.example") for number in numbers) as dns,
        node("authoritative", RECORDS, "compiled") as (port, size),
        tools.nsd(RECORDS, text) as nsd,
    ):
        tools.load_udp(port, questions, 1)
        tools.load_udp(nsd, dns, 1, dns=True)
        ours, theirs = _turns(
            lambda: tools.load_udp(port, questions, SECONDS), lambda: tools.load_udp(nsd, dns, SECONDS, dns=True)
        )
    told = f"{RECORDS:,} records asked evenly, {OUTSTANDING} outstanding, answers of {size} bytes, one thread"
    reference = f"NSD of Debian, {RECORDS:,} TXT records, one thread, same generator"
    return [_row("resolve.udp_authoritative_per_s", "answers/s", ours, theirs, reference, told)]


def persistent() -> list[dict]:
    rows = []
    with (
        tools.asked(question(number) for number in zipf(NAMES, 4 * NAMES)) as questions,
        node("authoritative", NAMES, "compiled") as (port, size),
        tools.echo("tcp", size) as echo,
    ):
        for label, depth in (("", 1), (".pipelined", 16)):
            ours, theirs = _turns(
                lambda depth=depth: tools.load_tcp(port, questions, SECONDS, depth=depth),
                lambda depth=depth: tools.load_tcp(echo, questions, SECONDS, depth=depth),
            )
            told = f"64 connections, {depth} outstanding on each, {NAMES:,} names by Zipf, answers of {size} bytes"
            rows.append(
                _row(
                    f"resolve.tcp_persistent_per_s{label}", "answers/s", ours, theirs, "C epoll echo, same message sizes", told
                )
            )
    return rows


def stranger() -> list[dict]:
    """What one source gets out of a node, however much it asks: half of the bound at once, and half of it each second."""
    with tools.asked(question(number) for number in range(1_000)) as questions, node("guarded", 1_000, "compiled") as (port, _):
        load = tools.load_udp(port, questions, 10, exact=False)
    return [
        {
            "name": "resolve.stranger_bytes_per_s",
            "value": load.bytes,
            "unit": "bytes/s",
            "reference": "64 KiB/s, the bound",
            "reference_value": float(STRANGER),
            "ratio": load.bytes / STRANGER,
            "conditions": (
                f"one unverified UDP source, {OUTSTANDING} questions outstanding without a pause for 10 s, from the first "
                f"on; {load.answers:.0f} answers/s came, all whole"
            ),
        }
    ]


# -- the way of one question ---------------------------------------------------------------------------------------------


async def _walks() -> list[float]:
    """Milliseconds of questions whose whole path is cold: each is below a prefix of its own."""
    from identifier_nodes import hierarchy, site, text

    from hulian.network.identifiers.wire.frame import encode

    with tempfile.TemporaryDirectory() as directory:
        async with hierarchy(Path(directory)) as plant:
            enterprise, second = plant.stores["enterprise"], plant.stores["second"]
            prefixes = [f"88.111.{number}" for number in range(100, 100 + WALKS)]
            second.create_many([(f"0.NA/{prefix}", [site(plant.ports["enterprise"])]) for prefix in prefixes])
            enterprise.create_many([(f"{prefix}/item", [text("URL", "https://example.com/")]) for prefix in prefixes])
            for prefix in prefixes:
                enterprise.home(prefix)
            asks = [encode(_plain(f"{prefix}/item")) for prefix in prefixes]
            return await anyio.to_thread.run_sync(_timed, plant.ports["recursive"], asks)


def _plain(handle: str) -> Any:
    from identifier_nodes import question as message

    return message(handle)


def _timed(port: int, asks: list[bytes]) -> list[float]:
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.connect(("127.0.0.1", port))
        asking.settimeout(10)
        for ask in asks:
            began = time.perf_counter()
            asking.send(ask)
            answer = asking.recv(2048)
            found.append((time.perf_counter() - began) * 1e3)
            if answer[27] != 1:
                raise RuntimeError(f"a walk ended with response code {int.from_bytes(answer[24:28])}")
    return found


def walk() -> list[dict]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    found = sorted(anyio.run(_walks, backend_options={"use_uvloop": True}))
    told = f"{WALKS} questions to a recursive node, each below a prefix of its own: root, top, second, enterprise; one process"
    return [
        row("resolve.full_walk_ms", statistics.median(found), "ms", f"{told}; p50"),
        row("resolve.full_walk_ms.p99", found[int(len(found) * 0.99)], "ms", f"{told}; p99 (worst {found[-1]:.1f})"),
    ]


async def _cache(directory: Path, entries: int) -> tuple[float, int]:
    """The share of questions that a cold cache answered, and upstream questions for a name that 1,000 askers want."""
    from hulian.network.identifiers.chain.cache import Cache
    from hulian.network.identifiers.chain.follow import Follow
    from hulian.network.identifiers.chain.guard import Guard
    from hulian.network.identifiers.nodes.tiers import enterprise
    from hulian.network.identifiers.store import RecordStore
    from hulian.network.identifiers.transport.budget import Budget
    from hulian.network.identifiers.transport.server import Listener
    from hulian.registry import Registry

    store = RecordStore(Registry.open(directory / "node.db"))
    store.home("88.111.1")
    store.index.put_many([name(one).upper().encode() for one in range(NAMES + 1)], [packed(one) for one in range(NAMES + 1)])
    nearby = Nearby(enterprise(store))
    cache = Cache(Follow(root_data(store), nearby), entries=entries)
    listener = Listener(Guard(cache), "127.0.0.1", 0, budget=Budget(exempt=["127.0.0.0/8"]))
    async with anyio.create_task_group() as group:
        await group.start(listener.run)
        with tools.asked(question(number) for number in zipf(NAMES, 20 * NAMES)) as questions:
            await anyio.to_thread.run_sync(lambda: tools.load_udp(listener.port, questions, 10, exact=False))
        with anyio.fail_after(10):
            while listener.under_way:  # the generator gave up what it had asked last
                await anyio.sleep(0.05)
        hits = listener.answered + cache.hits
        ratio = hits / (hits + cache.misses)
        before = nearby.asked
        answered = await anyio.to_thread.run_sync(_thousand, listener.port, question(NAMES))
        if answered != 1_000:
            raise RuntimeError(f"{answered} of 1,000 askers were answered")
        group.cancel_scope.cancel()
    return ratio, nearby.asked - before


def _thousand(port: int, ask: bytes) -> int:
    asking = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(1_000)]
    for one in asking:
        one.connect(("127.0.0.1", port))
        one.settimeout(10)
    for one in asking:
        one.send(ask)
    answered = sum(one.recv(2048)[27] == 1 for one in asking)
    for one in asking:
        one.close()
    return answered


def cache() -> list[dict]:
    entries = NAMES // 10
    with tempfile.TemporaryDirectory() as directory:
        ratio, upstream = anyio.run(_cache, Path(directory), entries)
    return [
        row("resolve.hit_ratio", ratio, "", f"{NAMES:,} names by Zipf, a cold cache of {entries:,} answers, 10 s"),
        row("resolve.upstream_per_1000_askers", upstream, "questions", "1,000 sockets ask for one cold name of a known prefix"),
    ]


def run() -> list[dict]:
    return [*cached(), *authoritative(), *persistent(), *walk(), *cache(), *stranger()]
