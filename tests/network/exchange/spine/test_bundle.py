"""Several batches in one message: what goes in comes out, each is acknowledged, and a damaged bundle harms nothing else."""

from __future__ import annotations

import asyncio
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hulian.kernel.sample import BatchHeader, Columns, SampleBatch
from hulian.network.exchange.spine.bundle import Bundler, columns_of, pack, unpack
from hulian.network.exchange.spine.codec import encode
from hulian.network.exchange.spine.errors import CodecError, StreamFullError
from hulian.network.exchange.spine.publisher import Published, Publisher
from hulian.network.exchange.spine.streams import SAMPLES, Subjects, state

ORGANISATION = "Werk 1"


def batch(sequence: int, count: int = 1) -> bytes:
    header = BatchHeader(ORGANISATION, "line", 1, sequence, (sequence - 1) * count, 1)
    return encode(
        SampleBatch(header, Columns.doubles([7] * count, np.arange(count) + sequence * 1000, [float(sequence)] * count))
    )


@given(st.lists(st.binary(max_size=40).map(lambda body: b"HL" + body), min_size=1, max_size=20))
def test_what_is_packed_comes_out(payloads):
    assert unpack(pack(payloads)) == payloads


@pytest.mark.fuzz
@given(st.binary(max_size=80))
def test_damaged_bundles_are_refused_or_read_within_their_bytes(body):
    try:
        found = unpack(b"HM" + body)
    except CodecError:
        return
    assert sum(map(len, found)) <= len(body)


def test_a_bundle_that_promises_more_than_it_holds_allocates_nothing():
    with pytest.raises(CodecError, match="do not hold"):
        unpack(struct.pack("<2sBBI", b"HM", 1, 0, 2**32 - 1))


def test_columns_of_a_bundle_are_those_of_its_batches():
    (columns,) = columns_of(pack([batch(1, 3), batch(2, 3)]))
    assert columns.time.tolist() == [1000, 1001, 1002, 2000, 2001, 2002]
    assert columns.value.to_pylist() == [1.0] * 3 + [2.0] * 3
    with pytest.raises(CodecError):
        columns_of(pack([batch(1), b"HL?"]))


@pytest.mark.anyio
async def test_batches_of_one_turn_share_a_message_and_each_is_acknowledged(node):
    subjects = Subjects(ORGANISATION)
    async with await node.connect("edge") as edge, Publisher(edge) as publisher:
        bundler, results = Bundler(publisher), []
        for number in range(1, 101):
            bundler.post(subjects.samples("line"), batch(number, 200), f"line-1-{number}", results.append)
        bundler.post(subjects.samples("other"), batch(1), "other-1-1", results.append)
        assert not results
        async with asyncio.timeout(10):
            while len(results) < 101:
                await asyncio.sleep(0.01)
        assert all(isinstance(result, Published) for result in results)
        messages = (await state(edge, SAMPLES)).messages
        assert 3 <= messages <= 6, "a bundle ends at 256 kB, another subject has one of its own"


@pytest.mark.anyio
async def test_a_refused_bundle_refuses_each_of_its_batches(make_node):
    node = make_node(samples_bytes=1 << 20)
    await node.open()
    async with await node.connect("edge") as edge, Publisher(edge) as publisher:
        bundler, results = Bundler(publisher), []
        for number in range(1, 400):
            bundler.post(Subjects(ORGANISATION).samples("line"), batch(number, 200), f"line-1-{number}", results.append)
        async with asyncio.timeout(20):
            while len(results) < 399:
                await asyncio.sleep(0.01)
        assert any(isinstance(result, Published) for result in results)
        assert any(isinstance(result, StreamFullError) for result in results)
