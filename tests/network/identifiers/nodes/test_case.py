"""Names that differ in case: a node compares its own without regard to the case of ASCII letters, and no other letter's; who
remembers names of other nodes tells their suffixes apart."""

from __future__ import annotations

import anyio
import pytest
from identifier_nodes import ADMINISTRATOR, asked, identity, question, text

from hulian.network.identifiers.chain.cache import Cache
from hulian.network.identifiers.chain.contract import Asker, reply
from hulian.network.identifiers.chain.errors import RefusedError
from hulian.network.identifiers.statistics.votes import Poll
from hulian.network.identifiers.store import RecordStore, key_of
from hulian.network.identifiers.wire.bodies import ResolveRequest, Values, read_body
from hulian.network.identifiers.wire.codes import OpFlag, ResponseCode, Transport
from hulian.network.identifiers.wire.names import prefix_folded
from hulian.network.identifiers.wire.values import Reference

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]
PUBLIC = OpFlag.PUBLIC_ONLY.value
APART = ["88.111.1/ä", "88.111.1/Ä", "88.111.1/ß", "88.111.1/ss", "88.111.1/ﬁ", "88.111.1/fi", "88.111.1/ı", "88.111.1/i"]
"""Upper case as Unicode has it would make one of every two."""


async def test_ascii_letters_are_one_and_no_others_are(plant):
    async with plant.administer(identity()) as by:
        for number, handle in enumerate(APART):
            await by.create(handle, [text("URL", str(number))])
        await by.create("88.111.1/Pump-ä", [text("URL", "pump")])
        for spelt in ("88.111.1/pump-ä", "88.111.1/PUMP-ä"):
            with pytest.raises(RefusedError) as refused:
                await by.create(spelt, [text("URL", "other")])
            assert refused.value.response_code == ResponseCode.HANDLE_EXISTS
        await by.modify("88.111.1/PUMP-ä", [text("URL", "changed")])
        listed = await by.handles("88.111.1")
    assert "88.111.1/Pump-ä" in listed, "as it was registered"
    assert "88.111.1/PUMP-ä" not in listed
    for transport in (Transport.UDP, Transport.TCP):
        for node in ("enterprise", "recursive"):
            for number, handle in enumerate(APART):
                answer = await asked(plant, node, question(handle, PUBLIC), transport)
                assert read_body(answer).values[0].data == str(number).encode(), (node, handle)
            for spelt in ("88.111.1/Pump-ä", "88.111.1/pUMP-ä"):
                body = read_body(await asked(plant, node, question(spelt, PUBLIC), transport))
                assert (body.handle, body.values[0].data) == (spelt, b"changed"), "spelt as it was asked for"
            missing = await asked(plant, node, question("88.111.1/PUMP-Ä", PUBLIC), transport)
            assert missing.response_code == ResponseCode.HANDLE_NOT_FOUND
    store = plant.stores["enterprise"]
    assert store.index.get("88.111.1/PUMP-ä".encode()) is not None
    again = RecordStore(store.registry)
    assert sorted(key for key, _ in again.index.items()) == sorted(key for key, _ in store.index.items())


async def test_prefixes_and_administrators_are_compared_alike(plant):
    plant.stores["enterprise"].home("88.111.1.Ab")
    async with plant.administer(identity(Reference(ADMINISTRATOR.handle.lower(), 300))) as by:
        target = (await by._targets("88.111.1/x"))[0]
        answer = await asked(plant, "enterprise", question("88.111.1.aB/x", PUBLIC))
        assert answer.response_code == ResponseCode.HANDLE_NOT_FOUND, "it answers for that prefix"
        assert target.port == plant.ports["enterprise"]
        await by.create("88.111.1/by-lower-case", [text("URL", "x")])
    poll = Poll([Reference("88.111/Probe-ß", 300)], ["88.111.Ab"])
    assert poll.knows(Reference("88.111/PROBE-ß", 300))
    assert not poll.knows(Reference("88.111/PROBE-SS", 300))
    assert poll.prefixes == ["88.111.AB"]


class TellsApart:
    """A node of another make, whose suffixes differ by case."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def answer(self, message, asker):
        handle = read_body(message).handle
        self.asked.append(handle)
        prefix, _, suffix = handle.partition("/")
        values = (text("URL", f"suffix {suffix}", ttl=60),) if suffix.upper() != "NONE" else ()
        if prefix.upper() == "0.NA" or values:
            return reply(message, ResponseCode.SUCCESS, Values(handle, values))
        return reply(message, ResponseCode.HANDLE_NOT_FOUND)


async def test_what_is_remembered_of_other_nodes_is_told_apart_by_its_suffix():
    source = TellsApart()
    cache = Cache(source)
    asker = Asker(address="192.0.2.1")

    async def said(handle: str) -> bytes:
        answer = await cache.answer(question(handle), asker)
        body = read_body(answer)
        assert body.handle == handle
        return body.values[0].data

    assert [await said(one) for one in ("cafe.1/a", "cafe.1/A", "CAFE.1/a", "Cafe.1/A")] == [
        b"suffix a",
        b"suffix A",
        b"suffix a",
        b"suffix A",
    ]
    assert source.asked == ["cafe.1/a", "cafe.1/A"]
    source.asked.clear()
    for spelt in ("0.NA/cafe.1", "0.na/CAFE.1", "0.NA/Cafe.1"):
        assert (await said(spelt)).lower() == b"suffix cafe.1"
    assert source.asked == ["0.NA/cafe.1"]
    source.asked.clear()
    # What is about to end is asked for anew as it was written.
    clock = cache._clock
    cache._clock = lambda: clock() + 50
    for key in [one for one in cache._kept if one.endswith(b"a\0\0\0\0\0\0\0\0")]:
        cache._index.exchange(key, 10, 1)
    async with anyio.create_task_group() as group:
        group.start_soon(cache.upkeep)
        with anyio.fail_after(60):
            while not source.asked:
                await anyio.sleep(0.01)
        group.cancel_scope.cancel()
    assert source.asked == ["CAFE.1/a"]


@pytest.mark.parametrize(
    "handle", ["abc.1/Item7", "0.na/aBc.1", "aBc.1", "/x", "", "ä/Ä", "0.nA", "0.NA/", "10.NA/x", "0.N/Ab"]
)
def test_both_rules_agree_about_prefixes(handle):
    packed = handle.encode()
    assert prefix_folded(packed).partition(b"/")[0] == key_of(packed).partition(b"/")[0]
    assert key_of(prefix_folded(packed)) == key_of(packed)
    assert ResolveRequest(handle).handle == handle
