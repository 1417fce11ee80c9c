"""Listeners over real sockets, whichever way plain questions are answered: changes seen at once, bounds kept, others served."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time

import anyio
import anyio.to_thread
import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from identifier_nodes import question, text

from hulian.network.identifiers import compiled
from hulian.network.identifiers.chain.contract import Asker
from hulian.network.identifiers.chain.plain import plain_of
from hulian.network.identifiers.nodes.tiers import delegating, enterprise
from hulian.network.identifiers.store import RecordStore
from hulian.network.identifiers.store.tables import homed, record
from hulian.network.identifiers.transport import budget as budget_module
from hulian.network.identifiers.transport import fast as fast_module
from hulian.network.identifiers.transport import server as server_module
from hulian.network.identifiers.transport.budget import Budget
from hulian.network.identifiers.transport.errors import ListenError
from hulian.network.identifiers.transport.fast import CompiledBudget
from hulian.network.identifiers.transport.server import Listener
from hulian.network.identifiers.wire.bodies import read_body
from hulian.network.identifiers.wire.codes import OpCode, OpFlag
from hulian.network.identifiers.wire.datagrams import Reassembler, split
from hulian.network.identifiers.wire.frame import Message, decode, encode
from hulian.network.identifiers.wire.stream import Splitter
from hulian.registry import Registry

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]
AUTHORITATIVE = OpFlag.AUTHORITATIVE.value


@pytest.fixture(params=["compiled", "python", "off"])
def path(request):
    if request.param == "compiled" and compiled.library is None:
        pytest.skip(f"no compiled loops: {compiled.reason}")
    return request.param


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    return Registry.open(tmp_path_factory.mktemp("fast") / "records.db")


@pytest.fixture
def store(registry):
    with registry.write() as connection:
        connection.execute(sa.delete(record))
        connection.execute(sa.delete(homed))
    made = RecordStore(registry)
    made.home("88.111.1")
    made.create_many(
        [
            ("88.111.1/item", [text("URL", "first")]),
            ("88.111.1/large", [text("URL", b"x" * 900, number) for number in range(1, 60)]),
        ]
    )
    return made


class Slow:
    """A chain that stands still when told to; `plain` is that of the chain behind it."""

    def __init__(self, link) -> None:
        self._link = link
        self.plain = plain_of(link)
        self.open = anyio.Event()
        self.asked = 0

    async def answer(self, request: Message, asker: Asker) -> Message:
        self.asked += 1
        await self.open.wait()
        return await self._link.answer(request, asker)


@contextlib.asynccontextmanager
async def serving(link, fast, **more):
    listener = Listener(link, "127.0.0.1", 0, fast=fast, **more)
    async with anyio.create_task_group() as group:
        await group.start(listener.run)
        assert listener.path == fast
        yield listener
        group.cancel_scope.cancel()


class Asking:
    """One UDP socket, used from a thread of its own so that the event loop goes on."""

    def __init__(self, port: int, address: str = "127.0.0.1") -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(5)
        self.socket.connect((address, port))

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self.socket.close()

    def now(self, message: Message) -> Message:
        """Asks again where nothing comes, as clients do: datagrams may be lost."""
        for _ in range(6):
            reassembler = Reassembler()
            for piece in split(encode(message)):
                self.socket.send(piece)
            with contextlib.suppress(TimeoutError):
                while True:
                    whole = reassembler.add(None, self.socket.recv(65_536), 0.0)
                    if whole is not None:
                        return decode(whole)
        raise TimeoutError("nothing came")

    async def __call__(self, message: Message) -> Message:
        return await anyio.to_thread.run_sync(self.now, message)


async def until(condition) -> None:
    with anyio.fail_after(60):
        while not condition():
            await anyio.sleep(0.005)


async def test_what_changes_is_seen_by_the_next_question(store, path):
    async with serving(delegating(store), path) as listener:
        with Asking(listener.port) as ask:
            item = question("88.111.1/item")
            assert read_body(await ask(item)).values[0].data == b"first"
            for turn in range(50):
                store.replace("88.111.1/item", [text("URL", f"turn {turn}")])
                assert read_body(await ask(item)).values[0].data == b"turn %d" % turn
            store.delete("88.111.1/item")
            assert (await ask(item)).response_code == 100
            store.unhome("88.111.1")
            assert (await ask(item)).response_code == 301
            store.home("88.111.1")
            assert (await ask(item)).response_code == 100
            store.create("88.111.1/item", [text("URL", "again")])
            assert read_body(await ask(question("88.111.1/ITEM"))).values[0].data == b"again"
        if path != "off":
            assert listener.answered >= 50


async def test_no_question_finds_half_a_record(store, path):
    """Answers while a record of changing length is written again and again: each is one of those that were written."""
    stop, wrong = threading.Event(), []

    def change() -> None:
        turn = 0
        while not stop.is_set():
            turn += 1
            store.index.put(b"88.111.1/ITEM", made[turn % len(made)])

    from hulian.network.identifiers.wire.values import pack_values

    made = [pack_values([text("URL", bytes([65 + number]) * (10 + 7 * number))]) for number in range(26)]
    async with serving(enterprise(store), path) as listener:
        writer = threading.Thread(target=change)
        writer.start()
        try:
            with Asking(listener.port) as ask:
                for _ in range(150):
                    data = read_body(await ask(question("88.111.1/item"))).values[0].data
                    if data != b"first" and len(data) != 10 + 7 * (data[0] - 65):
                        wrong.append(data)
        finally:
            stop.set()
            writer.join()
    assert not wrong


async def test_a_chain_that_stands_still_keeps_nobody_from_plain_answers(store, path, monkeypatch):
    if path == "off":
        pytest.skip("then every question waits for the chain")
    monkeypatch.setattr(server_module, "UNDER_WAY", 20)
    slow = Slow(enterprise(store))
    async with serving(slow, path) as listener:
        with Asking(listener.port) as ask, Asking(listener.port) as other:
            for _ in range(100):
                other.socket.send(encode(question("88.111.1/item", flags=0)))
            await until(lambda: slow.asked == 20 and listener.dropped == 80)
            for _ in range(20):
                assert (await ask(question("88.111.1/item"))).response_code == 1
            slow.open.set()
            codes = [decode(await anyio.to_thread.run_sync(other.socket.recv, 4096)).response_code for _ in range(20)]
            assert codes == [1] * 20
            assert (await other(question("88.111.1/item", flags=0))).response_code == 1


@pytest.mark.skipif(compiled.library is None, reason="no compiled loops")
async def test_the_queue_to_the_chain_is_bounded_and_counts_what_it_drops(store, monkeypatch):
    """The whole interpreter stands still, as in a long step of the chain: plain answers come, the others fill the queue."""
    monkeypatch.setattr(fast_module, "QUEUE", 4_096)
    async with serving(enterprise(store), "compiled", budget=Budget(exempt=["127.0.0.1"])) as listener:
        with Asking(listener.port) as ask:
            asks = encode(question("88.111.1/item", flags=0))
            await ask(question("88.111.1/item"))
            for _ in range(500):
                ask.socket.send(asks)
            answer = ask.now(question("88.111.1/item"))  # no event loop meanwhile
            assert (answer.response_code, answer.flags & 0x01000000) == (1, 0x01000000)
            counters = listener.counters
            assert counters.handed == 4_096 // (32 + len(asks))
            assert counters.queue_full == 500 - counters.handed
            await until(lambda: listener._under_way == 0 and listener.counters.handed == counters.handed)
            while (await ask(question("88.111.1/item", flags=0))).response_code != 1:
                pass


async def test_fragments_filters_and_what_is_not_plain_are_served_too(store, path):
    async with serving(enterprise(store), path, budget=Budget(rate=1 << 20)) as listener:
        with Asking(listener.port) as ask:
            assert len(read_body(await ask(question("88.111.1/large"))).values) == 59
            assert [v.index for v in read_body(await ask(question("88.111.1/large", indexes=(7, 9)))).values] == [7, 9]
            many = question("88.111.1/large", indexes=tuple(range(1, 600)))
            assert len(split(encode(many))) > 4
            assert len(read_body(await ask(many)).values) == 59
            digest = question("88.111.1/item", flags=(OpFlag.PUBLIC_ONLY | OpFlag.RETURN_DIGEST).value)
            assert (await ask(digest)).has(OpFlag.RETURN_DIGEST)
            other = Message(op_code=OpCode.DUMP_HANDLES.value, expiration=2_000_000_000)
            assert (await ask(other)).response_code == 5
            for garbage in (b"", b"\0" * 20, b"\xff" * 512, b"\7" * 60_000, encode(question("88.111.1/item"))[:-3]):
                ask.socket.send(garbage)
            assert (await ask(question("88.111.1/item"))).response_code == 1
            await until(lambda: listener.dropped == 5)


async def test_strangers_draw_no_more_than_their_budget_from_both_ways_together(store, path):
    async with serving(enterprise(store), path, budget=Budget(rate=3_000, exempt=["127.0.0.2/32"])) as listener:
        item, private = encode(question("88.111.1/item")), encode(question("88.111.1/item", flags=0))
        with Asking(listener.port) as ask:
            ask.socket.settimeout(0.3)
            began, drawn = time.monotonic(), 0
            for _ in range(100):
                ask.socket.send(item)
                ask.socket.send(private)
            with contextlib.suppress(TimeoutError):
                while True:
                    drawn += len(await anyio.to_thread.run_sync(ask.socket.recv, 4096))
            assert 1_000 < drawn <= 1_500 * (1 + time.monotonic() - began)
            await until(lambda: listener.dropped > 100)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as exempt:
            exempt.bind(("127.0.0.2", 0))
            exempt.connect(("127.0.0.1", listener.port))
            exempt.settimeout(30)
            for _ in range(100):
                exempt.send(item)
                assert await anyio.to_thread.run_sync(exempt.recv, 4096)


@pytest.mark.parametrize("kind", ["python", "compiled"])
def test_budgets_agree(kind, monkeypatch):
    sources = 65_536 if kind == "compiled" else 2_000
    monkeypatch.setattr(budget_module, "_SOURCES", sources)

    def make(rate: int, exempt=()):
        plain = Budget(rate=rate, exempt=exempt)
        if kind == "python":
            return plain
        if compiled.library is None:
            pytest.skip(f"no compiled budget: {compiled.reason}")
        return CompiledBudget(compiled.library, plain)

    budget = make(200, ["192.0.2.0/24", "2001:db8:5::/48", "10.0.0.0/31"])
    for exempt in ("192.0.2.9", "::ffff:192.0.2.9", "2001:db8:5:9::1", "10.0.0.1"):
        assert all(budget.allows(exempt, 1_000, 0.0) for _ in range(5)), exempt
    assert not budget.allows("10.0.0.2", 101, 0.0)
    assert budget.allows("198.51.100.1", 100, 0.0)
    assert not budget.allows("198.51.100.1", 1, 0.0)
    assert not budget.allows("::ffff:198.51.100.1", 1, 0.0), "the same host, as an IPv6 socket calls it"
    assert budget.allows("::ffff:198.51.100.2", 100, 0.0), "IPv4 hosts do not share one /64"
    assert budget.allows("198.51.100.1", 50, 0.5)
    assert not budget.allows("198.51.100.1", 50, 0.4), "a clock that goes back gives nothing"
    assert budget.allows("2001:db8::1", 100, 0.0)
    assert not budget.allows("2001:db8::ffff", 1, 0.0), "one host has a whole /64"
    assert budget.allows("2001:db8:0:1::1", 100, 0.0)
    for number in range(sources + 1_000):
        assert budget.allows(f"11.{number >> 16}.{number >> 8 & 255}.{number & 255}", 100, 1.0)
    assert not budget.allows(f"11.0.{sources - 100 >> 8 & 255}.200", 100, 1.0), "it was heard of just now"
    assert budget.allows("11.0.0.1", 100, 1.0), "it was forgotten, and begins anew"


@pytest.mark.parametrize("kind", ["python", "compiled"])
@given(asked=st.lists(st.tuples(st.floats(0, 0.4), st.integers(1, 70)), max_size=60))
@settings(max_examples=60)
def test_no_second_sees_more_than_the_bound(kind, asked):
    plain = Budget(rate=100)
    if kind == "compiled" and compiled.library is None:
        pytest.skip(f"no compiled budget: {compiled.reason}")
    budget = plain if kind == "python" else CompiledBudget(compiled.library, plain)
    now, drawn = 1.0, []
    for pause, size in asked:
        now += pause
        if budget.allows("198.51.100.1", size, now):
            drawn.append((now, size))
    for begin, _ in drawn:
        assert sum(size for at, size in drawn if begin <= at <= begin + 1) <= 100 + 1e-6


# -- connections ---------------------------------------------------------------------------------------------------------


async def test_a_connection_carries_plain_and_other_questions_in_any_order(store, path):
    async with serving(enterprise(store), path) as listener, await anyio.connect_tcp("127.0.0.1", listener.port) as stream:
        plain = [msgspec.structs.replace(question("88.111.1/item"), request_id=number) for number in range(200)]
        large = [msgspec.structs.replace(question("88.111.1/large"), request_id=300 + number) for number in range(20)]
        other = [msgspec.structs.replace(question("88.111.1/item", flags=0), request_id=400 + number) for number in range(50)]
        raw = b"".join(encode(one) for one in (*plain, *large, other[0], *plain, *other[1:], *large))
        splitter, came = Splitter(), []

        async def send() -> None:
            for at in range(0, len(raw), 1_001):  # wherever it falls
                await stream.send(raw[at : at + 1_001])

        async with anyio.create_task_group() as group:
            group.start_soon(send)
            with anyio.fail_after(60):
                while len(came) < 490:
                    came += [decode(message) for message in splitter.feed(await stream.receive())]
        wanted = [one.request_id for one in (*plain, *plain, *large, *large, *other)]
        assert sorted(one.request_id for one in came) == sorted(wanted)
        assert {one.response_code for one in came} == {1}
        if path != "off":
            assert [one.request_id for one in came[:220]] == list(range(200)) + list(range(300, 320))


async def test_who_does_not_read_is_not_read_from_and_harms_nobody(store, path):
    async with serving(enterprise(store), path) as listener:
        greedy = socket.create_connection(("127.0.0.1", listener.port))
        greedy.setblocking(False)
        asks, sent, full = encode(question("88.111.1/large")) * 500, 0, 0
        while full < 20 and sent < 60_000_000:
            try:
                sent += greedy.send(asks)
                full = 0
            except BlockingIOError:
                full += 1
                await anyio.sleep(0.02)
        assert sent < 60_000_000, "it would be terabytes of answers"
        async with await anyio.connect_tcp("127.0.0.1", listener.port) as stream:
            await stream.send(encode(question("88.111.1/item")))
            with anyio.fail_after(60):
                assert decode(await stream.receive()).response_code == 1
        splitter, count = Splitter(), 0
        greedy.setblocking(True)
        greedy.settimeout(30)
        while count < 200:
            count += len(splitter.feed(await anyio.to_thread.run_sync(greedy.recv, 1 << 20)))
        greedy.close()


async def test_connections_are_limited_and_idle_ones_end(store, path, monkeypatch):
    monkeypatch.setattr(server_module, "CONNECTIONS", 3)
    monkeypatch.setattr(server_module, "IDLE", 1.0)
    async with serving(enterprise(store), path) as listener:

        async def ends(stream) -> bool:
            with anyio.move_on_after(8):
                try:
                    return not await stream.receive()
                except (anyio.EndOfStream, anyio.BrokenResourceError):
                    return True
            return False

        streams = [await anyio.connect_tcp("127.0.0.1", listener.port) for _ in range(3)]
        for number, stream in enumerate(streams):
            await stream.send(encode(question("88.111.1/item", flags=0 if number else 0x01000000)))
            assert decode(await stream.receive()).response_code == 1
        late = await anyio.connect_tcp("127.0.0.1", listener.port)
        with contextlib.suppress(anyio.BrokenResourceError):
            await late.send(encode(question("88.111.1/item")))
        assert await ends(late), "there are three already"
        for stream in streams:
            assert await ends(stream), "it has said nothing for a second"
        with anyio.fail_after(60):
            while True:  # there is room again
                async with await anyio.connect_tcp("127.0.0.1", listener.port) as again:
                    await again.send(encode(question("88.111.1/item")))
                    try:
                        assert decode(await again.receive()).response_code == 1
                        break
                    except (anyio.EndOfStream, anyio.BrokenResourceError):
                        await anyio.sleep(0.05)


@pytest.mark.parametrize(
    "rude", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\2\x0b\2\x0b" + bytes(12) + b"\xff" * 4, encode(question("x"))[:30]]
)
async def test_a_connection_that_cannot_be_read_ends(store, path, rude):
    async with serving(enterprise(store), path) as listener, await anyio.connect_tcp("127.0.0.1", listener.port) as stream:
        await stream.send(encode(question("88.111.1/item")) + rude)
        assert decode(await stream.receive()).response_code == 1
        if len(rude) == 30:
            await stream.send_eof()
        with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)), anyio.fail_after(60):
            await stream.receive()


async def test_ipv6_is_served_as_well(store, path):
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6")
    listener = Listener(enterprise(store), "::1", 0, fast=path)
    async with anyio.create_task_group() as group:
        await group.start(listener.run)
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as asking:
            asking.settimeout(30)
            for flags in (OpFlag.PUBLIC_ONLY.value, 0):
                asking.sendto(encode(question("88.111.1/item", flags=flags)), ("::1", listener.port))
                assert decode(await anyio.to_thread.run_sync(asking.recv, 4096)).response_code == 1
        group.cancel_scope.cancel()


# -- which path --------------------------------------------------------------------------------------------------------


class Watching:
    """A link that must see every question offers nothing to pass it by."""

    def __init__(self, link) -> None:
        self._link = link
        self.seen = 0

    async def answer(self, request: Message, asker: Asker) -> Message:
        self.seen += 1
        return await self._link.answer(request, asker)


async def test_a_link_that_must_see_every_question_sees_it(store):
    link = Watching(enterprise(store))
    async with serving(link, "off") as listener:
        with Asking(listener.port) as ask:
            await ask(question("88.111.1/item"))
    assert link.seen == 1
    assert Listener(Watching(enterprise(store)), "127.0.0.1", 0).path == "off"


async def test_where_nothing_is_compiled_python_serves_and_the_log_says_so(tmp_path):
    program = (
        "import sys; from hulian.network.identifiers.store import RecordStore; from hulian.registry import Registry\n"
        "from hulian.network.identifiers.transport.server import Listener\n"
        "from hulian.network.identifiers.nodes.tiers import enterprise\n"
        "from pathlib import Path; import anyio\n"
        "async def main():\n"
        "    listener = Listener(enterprise(RecordStore(Registry.open(Path(sys.argv[1])))), '127.0.0.1', 0)\n"
        "    async with anyio.create_task_group() as group:\n"
        "        await group.start(listener.run); group.cancel_scope.cancel()\n"
        "anyio.run(main)\n"
    )
    given = os.environ | {"HULIAN_COMPILED": "off"}
    command = [sys.executable, "-c", program, str(tmp_path / "records.db")]
    done = subprocess.run(command, env=given, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "fast path: pure Python: HULIAN_COMPILED=off" in done.stdout + done.stderr


async def test_a_port_that_is_taken_is_named(store, path):
    async with serving(enterprise(store), path) as listener:
        with pytest.raises(ListenError, match="cannot listen"):
            await Listener(enterprise(store), "127.0.0.1", listener.port, fast=path).run()
