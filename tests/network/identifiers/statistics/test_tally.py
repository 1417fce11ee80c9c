"""Counters in C and in Python say the same of the same questions, and lose none while they are emptied."""

from __future__ import annotations

import socket
import threading

import anyio
import anyio.to_thread
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from identifier_nodes import question, text

from hulian.network.identifiers import compiled
from hulian.network.identifiers.nodes.tiers import enterprise
from hulian.network.identifiers.statistics import tally as tally_module
from hulian.network.identifiers.statistics.counts import Counts, Kind, Latency, Taken
from hulian.network.identifiers.statistics.tally import SOURCES, CompiledTally, Meter, Networks, Tally
from hulian.network.identifiers.store import RecordStore
from hulian.network.identifiers.transport.budget import Budget
from hulian.network.identifiers.transport.server import Listener
from hulian.network.identifiers.wire.frame import encode
from hulian.registry import Registry

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]
needs_c = pytest.mark.skipif(compiled.library is None, reason=f"no compiled loops: {compiled.reason}")
MAPPED = bytes(10) + b"\xff\xff"


def packed(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6, address) if ":" in address else MAPPED + socket.inet_aton(address)


def both(networks: Networks, added) -> tuple[Taken, Taken]:
    """What either tally holds after the same batches: address, code, count, Unix ms, ns."""
    ours, theirs = Tally(networks), CompiledTally(compiled.library, networks)
    for address, code, count, at, took in added:
        ours.batch([address] * count, [code] * count, took / 1e9, at / 1000)
        compiled.library.hulian_tally_add(theirs.handle, packed(address), code, count, at, took)
    return ours.take(), theirs.take()


addresses = st.one_of(
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
    st.sampled_from(["10.0.0.1", "10.0.0.2", "10.0.1.1", "2001:db8::1", "2001:db8:0:1::1", "::ffff:10.0.0.1"]),
)
batches = st.lists(
    st.tuples(
        addresses,
        st.sampled_from([1, 100, 200]),
        st.integers(1, 9),
        st.integers(1_700_000_000_000, 1_700_000_200_000),
        st.integers(0, 10**9),
    ),
    max_size=20,
)


@needs_c
@settings(max_examples=25, deadline=None)
@given(batches, st.sampled_from([(32, 128), (24, 48), (0, 0), (-1, -1), (31, 127), (9, 65)]))
def test_both_tallies_say_the_same(added, bits):
    ours, theirs = both(Networks(*bits), added)
    assert ours == theirs
    assert sum(sum(codes.values()) for codes in ours.answers.values()) == sum(count for _, _, count, _, _ in added)


@needs_c
def test_sources_beyond_the_bound_are_counted_together():
    added = [(f"10.{n >> 8}.{n & 255}.1", 1, 2, 1_700_000_000_000, 5) for n in range(SOURCES + 300)]
    ours, theirs = both(Networks(), added + added)
    assert ours == theirs
    assert (len(theirs.sources), theirs.others) == (SOURCES, 4 * 300)
    assert set(theirs.sources.values()) == {4}


def test_networks_are_cut_before_they_are_counted():
    assert Networks(24, 48).of("192.0.2.77") == packed("192.0.2.0")
    assert Networks(24, 48).of("2001:db8:1:2:3:4:5:6") == packed("2001:db8:1::")
    assert Networks(24, 48).of("fe80::1%eth0") == packed("fe80::")
    assert Networks().of("::ffff:192.0.2.77") == packed("192.0.2.77")
    assert Networks(-1, -1).of("192.0.2.77") is None
    assert Networks().of("nowhere") is None


@needs_c
def test_nothing_is_lost_or_counted_twice_while_it_is_taken():
    tally, stop, whole = CompiledTally(compiled.library, Networks()), threading.Event(), Taken.nothing()
    added = 0

    def add() -> None:
        nonlocal added
        while not stop.is_set():
            for n in range(64):
                compiled.library.hulian_tally_add(tally.handle, packed(f"10.0.0.{n}"), 1, 1, 1_700_000_000_000, 7)
            added += 64

    writer = threading.Thread(target=add)
    writer.start()
    takes = 0
    while takes < 400 or not whole.answers:
        whole.add(tally.take())
        takes += 1
    stop.set()
    writer.join()
    whole.add(tally.take())
    assert whole.answers == {Kind.RESOLVE: {1: added}}
    assert sum(whole.sources.values()) == sum(whole.seconds.values()) == whole.latency[Kind.RESOLVE].count == added
    assert tally.take() == Taken.nothing()


def test_spans_add_up_to_the_span_that_they_make():
    first, second = Counts(), Counts()
    for counts, turn in ((first, 1), (second, 2)):
        latency = {Kind.RESOLVE: Latency(turn + 1, 9 * turn, turn, 8, turn, turn)}
        counts.take(Taken({Kind.RESOLVE: {1: turn, 100: 1}}, latency, {}, {}))
        counts.peaked(100 + turn, 10 * turn)
        counts.dropped = turn
    first.add(second)
    assert first.answers == {Kind.RESOLVE: {1: 3, 100: 2}}
    assert first.latency[Kind.RESOLVE] == Latency(5, 27, 1, 8, 1, 1)
    assert (first.peak, first.peak_at, first.requests, first.succeeded()) == (20, 102, 8, 3)


@pytest.mark.parametrize("path", ["compiled", "python", "off"])
async def test_whichever_way_questions_are_answered_they_are_counted(path, tmp_path):
    if path == "compiled" and compiled.library is None:
        pytest.skip(f"no compiled loops: {compiled.reason}")
    store = RecordStore(Registry.open(tmp_path / "records.db"))
    store.home("88.111.1")
    store.create_many([("88.111.1/item", [text("URL", "x")]), ("88.111.1/secret", [text("URL", "x", permissions=12)])])
    meter = Meter()
    listener = Listener(enterprise(store), "127.0.0.1", 0, fast=path, meter=meter, budget=Budget(exempt=["127.0.0.0/8"]))
    asks = [encode(question(f"88.111.1/{name}")) for name in ("item", "ITEM", "none", "secret", "item")]

    def ask() -> None:
        for source in ("127.0.0.1", "127.0.0.7"):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
                udp.bind((source, 0))
                udp.settimeout(30)
                for one in asks:
                    udp.sendto(one, ("127.0.0.1", listener.port))
                    udp.recv(4096)
        with socket.create_connection(("127.0.0.1", listener.port), timeout=30, source_address=("127.0.0.9", 0)) as tcp:
            # The one in the middle takes the connection to the chain; what follows is answered there.
            for one in [*asks, encode(question("88.111.1/item", flags=0)), *asks]:
                tcp.send(one)
                tcp.recv(4096)

    async with anyio.create_task_group() as group:
        await group.start(listener.run)
        assert listener.path == path
        await anyio.to_thread.run_sync(ask)
        taken = meter.take()
        group.cancel_scope.cancel()
    assert taken.answers == {Kind.RESOLVE: {1: 13, 100: 4, 200: 4}}
    assert taken.sources == {packed("127.0.0.1"): 5, packed("127.0.0.7"): 5, packed("127.0.0.9"): 11}
    assert sum(taken.seconds.values()) == taken.latency[Kind.RESOLVE].count == 21
    latency = taken.latency[Kind.RESOLVE]
    assert 0 < latency.least <= latency.mean <= latency.most < 5e9
    assert tally_module.SECONDS == 64
