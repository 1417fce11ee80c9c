"""Sites of one service: by IPv4 and IPv6, quick and slow, alive and dead. Who answers is found, and remembered."""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import AsyncIterator, Iterator

import anyio
import pytest
from identifier_nodes import QUICK, URL, Hierarchy, asked, hierarchy, question, site

from hulian.network.identifiers.chain.contract import Asker, Link
from hulian.network.identifiers.chain.errors import UnreachableError
from hulian.network.identifiers.chain.follow import Follow
from hulian.network.identifiers.chain.latency import ASIDE, Latency
from hulian.network.identifiers.chain.questions import PATIENCE
from hulian.network.identifiers.chain.sites import Target
from hulian.network.identifiers.nodes.tiers import delegating, enterprise, recursive
from hulian.network.identifiers.transport.client import Client
from hulian.network.identifiers.wire.bodies import ResolveRequest, read_body
from hulian.network.identifiers.wire.codes import ResponseCode, Transport
from hulian.network.identifiers.wire.frame import Message

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]
ITEM = ResolveRequest("88.111.1/item7")


@contextlib.contextmanager
def silent(address: str = "127.0.0.1") -> Iterator[int]:
    """The port of a server that takes everything and says nothing."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as tcp, socket.socket(family, socket.SOCK_DGRAM) as udp:
        tcp.bind((address, 0))
        tcp.listen()
        udp.bind(tcp.getsockname())
        yield tcp.getsockname()[1]


async def test_a_full_walk_by_ipv6_alone(tmp_path):
    async with hierarchy(tmp_path, host="::1") as plant:
        found = await plant.client().resolve(ITEM)
        assert (found.code, found.values[0].data) == (1, URL.encode())
        names = ("root", "top", "second", "enterprise")
        assert [hop.target for hop in found.path] == [f"udp://[::1]:{plant.ports[name]}" for name in names]
        recursed = await Client(tries=QUICK)(Target("::1", plant.ports["recursive"], Transport.TCP), question("88.111.1/item7"))
        assert read_body(recursed).values[0].data == URL.encode()
        with pytest.raises(UnreachableError):
            await asked(plant, "root", question("88.111.1/item7"), Transport.TCP)


async def test_a_service_by_both_families_is_found_where_one_of_them_is_dead(plant):
    async with anyio.create_task_group() as group:
        plant.host = "::1"
        port = await plant.serve(group, "six", enterprise(plant.stores["enterprise"]))
        with silent() as dead:
            plant.stores["second"].replace("0.NA/88.111.1", [site(dead), site(port, index=2, address="::1")])
            for number in range(4):
                follow = plant.client()
                with anyio.fail_after(60):
                    found = await follow.resolve(ITEM)
                    again = await follow.resolve(ITEM)
                assert found.values[0].data == URL.encode(), number
                assert found.path[-1].target == f"udp://[::1]:{port}"
                if len(found.path) == 5:
                    assert [hop.target for hop in again.path] == [f"udp://[::1]:{port}"], "the dead one is left aside"
        group.cancel_scope.cancel()


async def test_who_hangs_is_not_waited_for_alone(plant):
    """The client would try UDP for three seconds and TCP for ten; the other site is asked after `PATIENCE`."""
    with silent() as dead:
        both = [site(dead), site(plant.ports["enterprise"], index=2)]
        plant.stores["second"].replace("0.NA/88.111.1", both)
        follow = Follow(plant.root, Client())
        latest = 0.0
        with anyio.fail_after(60):
            while True:
                found = await follow.resolve(ITEM)
                latest = max(latest, *(hop.seconds for hop in found.path))
                if any(hop.error for hop in found.path):
                    break
                follow = Follow(plant.root, Client())
        errors = [hop for hop in found.path if hop.error]
        assert [(hop.error, hop.target) for hop in errors] == [("another server was quicker", f"udp://127.0.0.1:{dead}")]
        assert found.path[-1].target == f"udp://127.0.0.1:{plant.ports['enterprise']}"
        assert latest >= PATIENCE


@pytest.fixture
async def country(tmp_path) -> AsyncIterator[Hierarchy]:
    """Five national nodes in the place of one."""
    async with hierarchy(tmp_path) as made, anyio.create_task_group() as group:
        for number in range(1, 5):
            await made.serve(group, f"top{number}", delegating(made.stores["top"]))
        ports = [made.ports[name] for name in ("top", "top1", "top2", "top3", "top4")]
        sites = [
            site(port, kind=kind, index=index * 2 + base)
            for index, port in enumerate(ports)
            for base, kind in ((1, "HS_SITE"), (2, "HS_SITE.PREFIX"))
        ]
        made.stores["root"].create("0.NA/88", sites, overwrite=True)
        yield made
        group.cancel_scope.cancel()


async def test_four_of_five_national_nodes_die_in_the_middle_of_walks_and_every_walk_ends(country):
    chance = random.Random(7)
    names = ["top", "top1", "top2", "top3", "top4"]
    chance.shuffle(names)
    survivor = names.pop()
    walks, over = 0, anyio.Event()
    shared = country.client()

    async def walking(own: Follow | None) -> None:
        nonlocal walks
        while not over.is_set():
            # A walk of its own, or one that shares what others have learned of the servers but not where the prefix is.
            follow = own or country.client()
            follow.forget("88.111.1/item7")
            found = await follow.resolve(ITEM)
            assert (found.code, found.values[0].data) == (1, URL.encode())
            walks += 1

    async with anyio.create_task_group() as group:
        for number in range(6):
            group.start_soon(walking, shared if number % 2 else None)
        for name in names:
            before = walks
            with anyio.fail_after(60):
                while walks < before + chance.randint(1, 30):
                    await anyio.sleep(0)
            country._scopes[name].cancel()
        before = walks
        with anyio.fail_after(60):
            while walks < before + 30:
                await anyio.sleep(0.005)
        over.set()
    shared.forget("88.111.1/item7")
    found = await shared.resolve(ITEM)
    at_top = [hop.target.rpartition(":")[2] for hop in found.path if hop.handle == "0.NA/88.111.1"][1:-1]
    assert at_top == [str(country.ports[survivor])], "those that are gone are not asked again and again"


async def test_a_user_of_the_recursive_node_notices_nothing_of_a_dying_mirror(country):
    link = recursive(country.root, Client(tries=QUICK, tcp_seconds=5))
    for name in ("top", "top2", "top3", "top4"):
        country._scopes[name].cancel()
        suffix = f"88.111.1/{name}"
        answer = await link.answer(question(suffix), Asker(address="192.0.2.1"))
        assert answer.response_code == ResponseCode.HANDLE_NOT_FOUND, "found that there is none, at the enterprise itself"
        link._next._next.forget(suffix)


class Slow:
    """A link that answers after a while: the distance to a site."""

    def __init__(self, link: Link, seconds: float) -> None:
        self._link, self.seconds, self.asked = link, seconds, 0

    async def answer(self, request: Message, asker: Asker) -> Message:
        self.asked += 1
        await anyio.sleep(self.seconds)
        return await self._link.answer(request, asker)


async def test_the_nearer_site_is_asked_and_another_one_when_that_changes(plant):
    near, far = (Slow(enterprise(plant.stores["enterprise"]), seconds) for seconds in (0.0, 0.04))
    async with anyio.create_task_group() as group:
        ports = [await plant.serve(group, name, link) for name, link in (("near", near), ("far", far))]
        plant.stores["second"].replace("0.NA/88.111.1", [site(ports[0]), site(ports[1], index=2)])
        follow = plant.client()
        for _ in range(20):
            await follow.resolve(ITEM)
        assert (near.asked, far.asked) == (19, 1), "each is asked once to become known"
        near.seconds = 0.2
        for _ in range(12):
            await follow.resolve(ITEM)
        assert far.asked >= 8, "the moving average follows within a few answers"
        group.cancel_scope.cancel()


def test_servers_are_ranked_by_what_was_measured():
    now = [0.0]
    latency = Latency(clock=lambda: now[0])
    a, b, c = (Target(f"192.0.2.{number}", 2641, Transport.UDP) for number in (1, 2, 3))
    latency.answered(a, 0.2)
    latency.answered(b, 0.1)
    assert latency.order([a, b, c]) == [c, b, a]
    latency.failed(c)
    assert latency.order([c, a, b]) == [b, a, c]
    latency.failed(b)
    now[0] = ASIDE - 1
    assert latency.order([b, a, c]) == [a, b, c]
    latency.answered(c, 0.01)
    assert latency.order([a, b, c]) == [c, a, b]
    now[0] = ASIDE
    assert latency.order([a, b, c])[0] == b, "tried again"
