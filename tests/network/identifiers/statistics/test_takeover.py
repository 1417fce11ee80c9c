"""Three probes, a second-level node, an enterprise node that goes and comes back: who decides, who answers, what is marked."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import anyio
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from identifier_nodes import (
    ADMINISTRATOR,
    NODE_KEY,
    QUICK,
    URL,
    asked,
    hierarchy,
    identity,
    private_key,
    public_key,
    question,
    site,
    text,
)

from hulian.network.identifiers.chain import follow as follow_module
from hulian.network.identifiers.chain.errors import RefusedError
from hulian.network.identifiers.chain.sites import Target
from hulian.network.identifiers.chain.stand_in import StandIn
from hulian.network.identifiers.nodes.mirror import Mirror
from hulian.network.identifiers.nodes.probe import Probe
from hulian.network.identifiers.nodes.takeover import INDEX, TakeOver
from hulian.network.identifiers.nodes.tiers import delegating_inside, enterprise, outside
from hulian.network.identifiers.statistics.errors import AgeError, DeliveryError, SealError, SenderError
from hulian.network.identifiers.statistics.events import FaultEvent
from hulian.network.identifiers.statistics.faults import Faults
from hulian.network.identifiers.statistics.sealed import open_sealed, seal
from hulian.network.identifiers.statistics.votes import Poll, Verdict, Vote
from hulian.network.identifiers.store import key_of
from hulian.network.identifiers.transport.client import Client
from hulian.network.identifiers.transport.rest.application import Application
from hulian.network.identifiers.transport.rest.asker import RestAsker
from hulian.network.identifiers.transport.rest.contract import Node
from hulian.network.identifiers.transport.rest.server import RestListener
from hulian.network.identifiers.transport.server import Listener
from hulian.network.identifiers.wire import sm2
from hulian.network.identifiers.wire.authentication import signer_for
from hulian.network.identifiers.wire.bodies import HandleOnly, ResolveRequest, read_body
from hulian.network.identifiers.wire.codes import OpCode, OpFlag, ResponseCode, Transport
from hulian.network.identifiers.wire.typed.keys import PublicKey
from hulian.network.identifiers.wire.typed.site import Site
from hulian.network.identifiers.wire.values import Reference, unpack_values

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]
PREFIX = "88.111.1"
PROBES = [Reference(f"88.111/PROBE{number}", 300) for number in (1, 2, 3)]
KEYS = [private_key(), private_key(), sm2.PrivateKey.generate()]


async def until(condition) -> None:
    with anyio.fail_after(60):
        while not condition():
            await anyio.sleep(0.01)


class Stage:
    """The second level with its copy, its votes and its HTTP face; an enterprise node that can be stopped and started."""

    def __init__(self, plant, group) -> None:
        self.plant, self._group, self.faults = plant, group, Faults()
        self._port = 0
        self.store, self.copy = plant.stores["second"], plant.store("copy")

    async def begin(self) -> None:
        plant, primary = self.plant, self.plant.stores["enterprise"]
        self._link = enterprise(primary, [ADMINISTRATOR], plant.client(), signer_for(private_key()), [NODE_KEY])
        await plant.stop("enterprise")
        await self.start_enterprise()
        for who, key in zip(PROBES, KEYS, strict=True):
            self.store.create(who.handle, [public_key(key)])
        self.poll = Poll(PROBES, [PREFIX])
        inside = delegating_inside(self.store, [NODE_KEY], plant.follow())
        inside = msgspec.structs.replace(
            inside, answering=StandIn(lambda prefix: self.take_over.copy_of(prefix), inside.answering)
        )
        await plant.stop("second")
        port = await plant.serve(self._group, "second", outside(inside, signer_for(private_key())))
        self.take_over = TakeOver(
            self.store,
            {PREFIX: self.copy},
            lambda: Site.unpack(site(port).data),
            self.poll,
            plant.client(),
            hold=0.3,
            seconds=0.01,
        )
        moved = [site(port), site(port, kind="HS_SITE.PREFIX", index=2)]
        others = [value for value in unpack_values(plant.stores["top"].packed(b"0.NA/88.111")) if value.index > 2]
        plant.stores["top"].replace("0.NA/88.111", [*moved, *others])
        node = Node(answering=inside.answering, proofs=inside.proofs, authority=inside.authority, poll=self.poll)
        face = RestListener(Application(node), "127.0.0.1", 0)
        await self._group.start(face.run)
        self.asker = RestAsker(f"http://127.0.0.1:{face.port}")
        self._group.start_soon(Mirror(self.copy, plant.client(), PREFIX, NODE_KEY, private_key, seconds=0.05).run)
        await until(lambda: self.copy.log.last == primary.log.last)
        self._group.start_soon(self.take_over.run, self.faults)
        self.probes = [self.probe(who, key) for who, key in zip(PROBES, KEYS, strict=True)]

    async def start_enterprise(self) -> None:
        """Where it was before."""
        listener = Listener(self._link, "127.0.0.1", self._port)
        await self.plant.listen(self._group, "enterprise", listener)
        if not self._port:
            self._port = listener.port
            own = site(listener.port, key=PublicKey.of(private_key().public_key()).pack())
            others = [value for value in unpack_values(self.plant.stores["second"].packed(b"0.NA/88.111.1")) if value.index > 1]
            self.plant.stores["second"].replace("0.NA/88.111.1", [own, *others])

    def probe(self, who: Reference, key) -> Probe:
        quick = Client(tries=QUICK, tcp_seconds=5)
        return Probe(
            self.plant.client(),
            f"{PREFIX}/item7",
            identity(who, key),
            lambda body: self.asker.post("/api/votes", body),
            client=quick,
        )

    async def vote(self, *numbers: int) -> list[bool]:
        seen = []
        for number in numbers or range(3):
            vote = await self.probes[number].once()
            assert self.probes[number].trouble == ""
            seen.append(vote.up)
        return seen


@contextlib.asynccontextmanager
async def stage(directory: Path):
    async with hierarchy(directory) as plant, anyio.create_task_group() as group:
        made = Stage(plant, group)
        await made.begin()
        yield made
        group.cancel_scope.cancel()


async def test_most_probes_decide_who_answers_and_strangers_have_no_vote(tmp_path, monkeypatch):
    monkeypatch.setattr(follow_module, "AGAIN_SECONDS", 0.0)
    async with stage(tmp_path) as here:
        plant, old = here.plant, here.plant.client()
        assert (await old.resolve(ResolveRequest(f"{PREFIX}/item7"))).values[0].data == URL.encode()
        assert await here.vote() == [True, True, True]
        assert here.poll.verdict(PREFIX) is Verdict.UP
        assert here.poll.fresh(PREFIX)["300:88.111/PROBE3"].latency_ms > 0

        await plant.stop("enterprise")
        assert await here.vote(0) == [False]
        await here.take_over._look(PREFIX, here.faults)
        assert not here.take_over.taken(PREFIX)
        assert await here.vote(1) == [False]
        await until(lambda: here.take_over.taken(PREFIX))
        # Who has never asked, and who remembers the site that is dead, both get the answer of the copy.
        for client in (plant.client(), old):
            found = await client.resolve(ResolveRequest(f"{PREFIX}/item7"))
            assert (found.code, found.values[0].data) == (ResponseCode.SUCCESS, URL.encode())
        answer = await asked(plant, "second", question(f"{PREFIX}/ITEM7"))
        assert (answer.response_code, answer.has(OpFlag.AUTHORITATIVE)) == (ResponseCode.SUCCESS, False)
        assert answer.expiration <= time.time() + 60
        assert (await asked(plant, "second", question(f"{PREFIX}/none"))).response_code == ResponseCode.HANDLE_NOT_FOUND
        private = await asked(plant, "second", question(f"{PREFIX}/ITEM7", flags=0))
        assert private.response_code == ResponseCode.AUTHENTICATION_NEEDED
        async with plant.administer(identity()) as by:
            target = Target("127.0.0.1", plant.ports["second"], Transport.TCP)
            with pytest.raises(RefusedError) as refused:
                await by._at(target, OpCode.DELETE, HandleOnly(f"{PREFIX}/item7"))
            assert refused.value.response_code == ResponseCode.SERVER_READ_ONLY
        (fault,) = here.faults.waiting()
        assert (fault.code, fault.subject, fault.over) == (FaultEvent.TAKEN_OVER, PREFIX, None)
        assert fault.message.startswith("2 of 3 probes see it down: resolve: ")
        # The probes look past the one who stands in; one that says "up" is not most of them.
        assert await here.vote(2) == [False]
        again = TakeOver(here.store, {PREFIX: here.copy}, here.take_over._site, here.poll)
        assert again.taken(PREFIX), "a node that is restarted goes on"

        await here.start_enterprise()
        assert await here.vote(0) == [True]
        assert await here.vote(1) == [True]
        assert here.take_over.taken(PREFIX), "they must see it up for a while"
        await until(lambda: not here.take_over.taken(PREFIX))
        record = unpack_values(here.store.packed(key_of(f"0.NA/{PREFIX}")))
        assert INDEX not in {value.index for value in record}
        assert (await asked(plant, "second", question(f"{PREFIX}/ITEM7"))).response_code == ResponseCode.NOT_RESPONSIBLE
        assert here.faults.waiting()[0].over is not None
        assert [one.by for one in here.store.log.read(here.store.log.last - 2)] == ["takeover", "takeover"]
        assert (await old.resolve(ResolveRequest(f"{PREFIX}/item7"))).code == ResponseCode.SUCCESS
        await _strangers(here)


async def _strangers(here: Stage) -> None:
    vote = msgspec.json.encode(Vote(prefix=PREFIX, resolves=False, registers=False))
    before = here.poll.fresh(PREFIX)
    stranger = identity(Reference("88.111/PROBE4", 300))
    forged = identity(PROBES[0], rsa.generate_private_key(65537, 2048))
    mine = identity(PROBES[0])
    second = 1_000_000_000
    for body, said in (
        (seal("vote", vote, stranger), "HL-ID-0903"),
        (seal("vote", vote, forged), "signature does not hold"),
        (seal("report", vote, mine), "HL-ID-0901"),
        (seal("vote", vote, mine, at=time.time_ns() - 400 * second), "HL-ID-0902"),
        (seal("vote", vote, mine, at=time.time_ns() + 400 * second), "HL-ID-0902"),
        (seal("vote", vote, mine, at=time.time_ns() - 30 * second), "HL-ID-0902"),  # older than his last
        (b'{"kind":"vote"}', "HL-ID-0901"),
    ):
        with pytest.raises(DeliveryError) as refused:
            await here.asker.post("/api/votes", body)
        assert said in refused.value.message
    assert here.poll.fresh(PREFIX) == before


def poll_of(votes: list[bool | None], now: list[float]) -> Poll:
    """A poll of as many probes; None has not voted."""
    probes = [Reference(f"88.111/P{number}", 300) for number in range(len(votes))]
    poll = Poll(probes, [PREFIX], fresh=60, clock=lambda: now[0])
    for who, up in zip(probes, votes, strict=True):
        if up is not None:
            cast(poll, who, up, 1)
    return poll


def cast(poll: Poll, who: Reference, up: bool, at: int, prefix: str = PREFIX) -> None:
    document = msgspec.json.encode(Vote(prefix=prefix, resolves=up, registers=True))
    poll.cast(who, open_sealed(seal("vote", document, identity(who), at=at), "vote", now=at / 1e9))


@pytest.mark.parametrize(
    ("votes", "verdict"),
    [
        ([False, False], Verdict.UNKNOWN),
        ([False, False, None], Verdict.UNKNOWN),
        ([False, False, False], Verdict.DOWN),
        ([False, False, True], Verdict.DOWN),
        ([False, True, True], Verdict.UP),
        ([False, False, True, True], Verdict.UNKNOWN),
        ([False] * 51 + [True] * 49, Verdict.DOWN),
        ([False] * 50 + [True] * 49, Verdict.UNKNOWN),
    ],
)
def test_a_majority_is_51_percent_of_three_or_more(votes, verdict):
    assert poll_of(votes, [0.0]).verdict(PREFIX) is verdict


def test_old_votes_and_second_votes_do_not_count():
    now = [0.0]
    poll = poll_of([False, False, True], now)
    who = Reference("88.111/p0", 300)
    cast(poll, who, True, 5)
    assert poll.verdict(PREFIX) is Verdict.UP
    for late in (5, 4):
        with pytest.raises(AgeError):
            cast(poll, who, False, late)
    with pytest.raises(SenderError):
        cast(poll, who, False, 9, prefix="88.112")
    with pytest.raises(SenderError):
        cast(poll, Reference("88.111/P0", 301), False, 9)
    with pytest.raises(SealError):
        poll.cast(who, open_sealed(seal("vote", b"[]", identity(who), at=9), "vote", now=0))
    now[0] = 61.0
    assert poll.verdict(PREFIX) is Verdict.UNKNOWN
    assert poll.fresh(PREFIX) == {}


def test_a_prefix_that_is_not_delegated_from_here_cannot_be_taken(tmp_path):
    from hulian.network.identifiers.store import RecordChangedError, RecordStore
    from hulian.registry import Registry

    store = RecordStore(Registry.open(tmp_path / "node.db"))
    store.create("88.111/X", [text("URL", "x")])
    taking = TakeOver(store, {PREFIX: store}, lambda: Site.unpack(site(1).data), poll_of([], [0.0]))
    with pytest.raises(RecordChangedError):
        taking._change(PREFIX, True)
    assert read_body(question("88.111.1/x")).handle == "88.111.1/x"
