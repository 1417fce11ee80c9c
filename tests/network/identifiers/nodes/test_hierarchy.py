"""Names are found through all tiers over real sockets, whatever is gone, slow, too long or too curious."""

from __future__ import annotations

import contextlib
import socket

import anyio
import anyio.to_thread
import msgspec
import pytest
from identifier_nodes import QUICK, asked, question, site

from hulian.network.identifiers.chain.contract import Asker
from hulian.network.identifiers.chain.errors import LoopError, UnreachableError
from hulian.network.identifiers.chain.sites import Target
from hulian.network.identifiers.nodes.tiers import enterprise, recursive
from hulian.network.identifiers.store import RecordStore
from hulian.network.identifiers.transport.budget import Budget
from hulian.network.identifiers.transport.client import Client
from hulian.network.identifiers.wire.bodies import ResolveRequest, Values, read_body
from hulian.network.identifiers.wire.codes import OpCode, OpFlag, ResponseCode, Transport
from hulian.network.identifiers.wire.frame import Message, decode, encode
from hulian.network.identifiers.wire.stream import Splitter
from hulian.registry import Registry

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]


async def test_a_client_that_knows_the_root_alone_finds_the_record(plant):
    follow = plant.client()
    found = await follow.resolve(ResolveRequest("88.111.1/item7"))
    assert (found.code, [value.data for value in found.values]) == (1, [b"https://example.com/item/7"])
    assert [(hop.handle, hop.code, hop.target.rpartition(":")[2]) for hop in found.path] == [
        ("0.NA/88.111.1", 303, str(plant.ports["root"])),
        ("0.NA/88.111.1", 303, str(plant.ports["top"])),
        ("0.NA/88.111.1", 1, str(plant.ports["second"])),
        ("88.111.1/item7", 1, str(plant.ports["enterprise"])),
    ]
    again = await follow.resolve(ResolveRequest("88.111.1/ITEM7"))
    assert len(again.path) == 1, "the service of a prefix is remembered"


async def test_what_is_not_registered_is_an_answer(plant):
    follow = plant.client()
    for handle in ("88.111.1/nothing", "88.111.2/x", "88.222.1/x", "99/x", "88.999"):
        found = await follow.resolve(ResolveRequest(handle))
        assert found.code == ResponseCode.HANDLE_NOT_FOUND, handle
    assert (await follow.resolve(ResolveRequest("88.111.1/item7", indexes=(5,)))).code == ResponseCode.VALUES_NOT_FOUND
    prefix = await follow.resolve(ResolveRequest("88.111.1"))
    assert [value.type for value in prefix.values] == ["HS_SITE", "HS_ADMIN", "HS_PUBKEY"]


async def test_aliases_are_followed_and_a_circle_of_them_is_named(plant):
    found = await plant.client().resolve(ResolveRequest("88.111.1/alias"))
    assert (found.handle, found.values[0].data) == ("88.111.1/item7", b"https://example.com/item/7")
    itself = await plant.client().resolve(ResolveRequest("88.111.1/alias", types=("HS_ALIAS",)))
    assert itself.values[0].data == b"88.111.1/item7"
    with pytest.raises(LoopError):
        await plant.client().resolve(ResolveRequest("88.111.1/round"))


async def test_answers_longer_than_a_datagram_come_in_parts_and_over_tcp(plant):
    for transport in (Transport.UDP, Transport.TCP):
        answer = await asked(plant, "enterprise", question("88.111.1/large"), transport)
        body = read_body(answer)
        assert isinstance(body, Values)
        assert [value.data[:1] for value in body.values] == [bytes([65 + number % 26]) for number in range(1, 30)]


async def test_private_values_are_kept_from_everybody(plant):
    item = "88.111.1/item7"
    answer = await asked(plant, "enterprise", question(item))
    assert [value.type for value in read_body(answer).values] == ["URL"]
    needed = ResponseCode.AUTHENTICATION_NEEDED
    assert (await asked(plant, "enterprise", question(item, flags=0))).response_code == needed
    assert (await asked(plant, "enterprise", question(item, flags=0, indexes=(100,)))).response_code == needed
    only = question(item, indexes=(100,))
    assert (await asked(plant, "enterprise", only)).response_code == ResponseCode.VALUES_NOT_FOUND


async def test_a_recursive_node_gives_all_or_says_who_must_be_asked(plant):
    """It never answers a question for everything with the public part of it, and has nothing private that it could keep."""
    everything = await asked(plant, "recursive", question("88.111.1/large", flags=0))
    assert len(read_body(everything).values) == 29
    for _ in range(2):
        refused = await asked(plant, "recursive", question("88.111.1/item7", flags=0))
        assert refused.response_code == ResponseCode.NOT_PERMITTED
        assert f"127.0.0.1:{plant.ports['enterprise']}" in read_body(refused).message
    public = await asked(plant, "recursive", question("88.111.1/item7"))
    assert [value.type for value in read_body(public).values] == ["URL"]


async def test_a_node_says_what_it_does_not_do(plant):
    foreign = await asked(plant, "enterprise", question("1.2/3"))
    assert foreign.response_code == ResponseCode.NOT_RESPONSIBLE
    here = question("0.NA/88.111.1", flags=(OpFlag.PUBLIC_ONLY | OpFlag.DO_NOT_REFER).value)
    assert (await asked(plant, "root", here)).response_code == ResponseCode.HANDLE_NOT_FOUND
    deep = msgspec.structs.replace(question("88.111.1/item7"), recursion=11)
    assert (await asked(plant, "recursive", deep)).response_code == ResponseCode.RECURSION_TOO_DEEP
    other = Message(op_code=OpCode.DUMP_HANDLES.value, body=b"", expiration=2_000_000_000)
    assert (await asked(plant, "root", other)).response_code == ResponseCode.NOT_SUPPORTED
    broken = Message(op_code=OpCode.RESOLVE.value, body=b"\xff" * 12, expiration=2_000_000_000)
    answer = await asked(plant, "root", broken)
    assert answer.response_code == ResponseCode.PROTOCOL_ERROR
    assert "HL-ID-02" in read_body(answer).message


async def test_a_thousand_askers_of_a_cold_name_are_one_question(plant):
    link = recursive(plant.root, CountingClient(tries=QUICK))
    counted = link._next._next._ask
    answers: list[int] = []

    async def ask() -> None:
        answers.append((await link.answer(question("88.111.1/item7"), Asker(address="192.0.2.1"))).response_code)

    async with anyio.create_task_group() as group:
        for _ in range(1000):
            group.start_soon(ask)
    assert answers == [1] * 1000
    assert counted.handles == ["0.NA/88.111.1"] * 3 + ["88.111.1/item7"]
    await link.answer(question("88.111.1/item7"), Asker(address="192.0.2.1"))
    assert len(counted.handles) == 4
    await link.answer(question("88.111.1/Item7"), Asker(address="192.0.2.1"))
    assert counted.handles[4:] == ["88.111.1/Item7"], "whether that is the same name is for its own node to say"


class CountingClient(Client):
    def __init__(self, **more) -> None:
        super().__init__(**more)
        self.handles: list[str] = []

    async def __call__(self, target: Target, message: Message) -> Message:
        self.handles.append(read_body(message).handle)
        return await super().__call__(target, message)


async def test_the_recursive_node_answers_from_memory_when_all_others_are_gone(plant):
    first = await asked(plant, "recursive", question("88.111.1/item7"))
    for name in ("root", "top", "second", "enterprise"):
        await plant.stop(name)
    again = await asked(plant, "recursive", question("88.111.1/item7"))
    assert (first.response_code, again.response_code) == (1, 1)
    assert read_body(again).values == read_body(first).values
    cold = await asked(plant, "recursive", question("88.111.1/alias"), Transport.TCP)
    assert cold.response_code == ResponseCode.ERROR
    assert "HL-ID-0401" in read_body(cold).message


@pytest.mark.parametrize("name", ["root", "top", "second", "enterprise"])
async def test_any_node_that_is_gone_is_named_and_found_again(plant, name):
    await plant.stop(name)
    with pytest.raises(UnreachableError) as caught:
        await plant.client().resolve(ResolveRequest("88.111.1/item7"))
    assert str(plant.ports[name]) in caught.value.place


async def test_a_mirror_answers_where_the_other_does_not(plant, tmp_path):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as dead:
        dead.bind(("127.0.0.1", 0))
        plant.stores["second"].replace("0.NA/88.111.1", [site(dead.getsockname()[1]), site(plant.ports["enterprise"], index=2)])
        follow = plant.client()
        for _ in range(4):
            found = await follow.resolve(ResolveRequest("88.111.1/item7"))
            assert found.code == 1
        assert len(found.path) == 1, "the one that answers is asked first from then on"


async def test_garbage_ends_no_listener(plant):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as rude:
        for data in (b"", b"\0" * 20, b"\xff" * 512, encode(question("88.111.1/item7"))[:-3]):
            rude.sendto(data, ("127.0.0.1", plant.ports["enterprise"]))
    stream = await anyio.connect_tcp("127.0.0.1", plant.ports["enterprise"])
    async with stream:
        await stream.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        with pytest.raises(anyio.EndOfStream), anyio.fail_after(60):
            await stream.receive()
    assert (await asked(plant, "enterprise", question("88.111.1/item7"))).response_code == 1


async def test_a_connection_carries_many_questions_and_every_answer_finds_its_own(plant):
    stream = await anyio.connect_tcp("127.0.0.1", plant.ports["enterprise"])
    async with stream:
        numbers = set(range(1, 301))
        asks = [encode(msgspec.structs.replace(question("88.111.1/item7"), request_id=number)) for number in numbers]
        splitter, came = Splitter(), set()
        async with anyio.create_task_group() as group:
            group.start_soon(stream.send, b"".join(asks))
            with anyio.fail_after(60):
                while came != numbers:
                    came |= {decode(message).request_id for message in splitter.feed(await stream.receive())}


async def test_a_stranger_draws_no_more_than_its_budget_and_turns_to_tcp(plant):
    async with anyio.create_task_group() as group:
        port = await plant.serve(group, "small", enterprise(plant.stores["enterprise"]), budget=Budget(rate=2_000))
        answered = 0
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for _ in range(50):
                stranger.sendto(encode(question("88.111.1/item7")), ("127.0.0.1", port))
            stranger.settimeout(30)
            answered += len(await anyio.to_thread.run_sync(stranger.recv, 4096))
            with anyio.fail_after(60):
                while plant.listeners["small"].dropped <= 10:
                    await anyio.sleep(0.01)
            stranger.settimeout(0.2)
            with contextlib.suppress(TimeoutError):
                while True:
                    answered += len(await anyio.to_thread.run_sync(stranger.recv, 4096))
        assert 0 < answered <= 2_000
        assert plant.listeners["small"].dropped > 10
        assert (await asked(plant, "small", question("88.111.1/large"))).response_code == 1, "over TCP"
        group.cancel_scope.cancel()


def test_budgets_know_networks_and_forget_no_exemption():
    budget = Budget(rate=200, exempt=["192.0.2.0/24"])
    assert all(budget.allows("192.0.2.9", 1_000, 0.0) for _ in range(5))
    assert budget.allows("198.51.100.1", 100, 0.0)
    assert not budget.allows("198.51.100.1", 1, 0.0)
    assert budget.allows("198.51.100.1", 50, 0.5)
    assert budget.allows("2001:db8::1", 100, 0.0)
    assert not budget.allows("2001:db8::ffff", 1, 0.0), "one host has a whole /64"
    assert budget.allows("2001:db8:0:1::1", 100, 0.0)


async def test_records_survive_the_process(plant, tmp_path):
    again = RecordStore(Registry.open(tmp_path / "enterprise.db"))
    assert len(again) == 5
    assert again.homes(b"0.NA/88.111.1")
