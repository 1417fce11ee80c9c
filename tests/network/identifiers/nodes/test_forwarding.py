"""A user's own proof is carried through the recursive node; what he may read is his alone."""

from __future__ import annotations

import anyio
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from identifier_nodes import QUICK, Hierarchy, admin, asked, identity, public_key, question, site, text

from hulian.network.identifiers.chain.contract import Asker, reply
from hulian.network.identifiers.chain.forward import MOST_OF_ONE
from hulian.network.identifiers.chain.sites import Target
from hulian.network.identifiers.nodes.configuration import IdentifiersConfiguration, Role
from hulian.network.identifiers.nodes.service import NodeService
from hulian.network.identifiers.nodes.tiers import recursive
from hulian.network.identifiers.transport.client import Client
from hulian.network.identifiers.transport.connection import Connection, connection
from hulian.network.identifiers.wire.authentication.respond import respond
from hulian.network.identifiers.wire.bodies import Failure, Values, read_answer, read_body, request
from hulian.network.identifiers.wire.codes import OpCode, OpFlag, ResponseCode, Transport
from hulian.network.identifiers.wire.frame import Message
from hulian.network.identifiers.wire.values import Reference

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]

LI, WANG = Reference("88.111.1/users/li", 300), Reference("88.111.1/users/wang", 300)
RECIPE = "88.111.1/recipe"
FORWARD = (OpFlag.FORWARD_AUTHENTICATION | OpFlag.RETURN_DIGEST).value


@pytest.fixture(scope="module")
def keys() -> dict[Reference, object]:
    return {LI: rsa.generate_private_key(65537, 2048), WANG: ec.generate_private_key(ec.SECP256R1())}


@pytest.fixture
async def people(plant: Hierarchy, keys):
    """Li may read the recipe; Wang has a key too, but no right. Both know the recursive node alone."""
    plant.stores["enterprise"].create_many(
        [
            (LI.handle, [public_key(keys[LI])]),
            (WANG.handle, [public_key(keys[WANG])]),
            (
                RECIPE,
                [text("URL", "https://example.com/r", 1), text("RECIPE", "two eggs", 2, permissions=12), admin(LI, 0xFFF)],
            ),
        ]
    )
    async with anyio.create_task_group() as group:
        link = recursive(plant.root, Client(tries=QUICK, tcp_seconds=5), connection)
        await plant.serve(group, "forwarding", link)
        yield plant
        group.cancel_scope.cancel()


def node(plant: Hierarchy) -> Target:
    return Target("127.0.0.1", plant.ports["forwarding"], Transport.TCP)


def private(handle: str = RECIPE, **more) -> Message:
    return question(handle, flags=FORWARD, **more)


async def challenged(by: Connection, asked_for: Message) -> Message:
    (challenge,) = await by(asked_for)
    assert challenge.response_code == ResponseCode.AUTHENTICATION_NEEDED
    return challenge


def proof(asked_for: Message, challenge: Message, who: Reference, key) -> Message:
    return request(
        OpCode.CHALLENGE_RESPONSE,
        respond(identity(who, key), asked_for, challenge),
        request_id=0,
        expiration=2_000_000_000,
        session_id=challenge.session_id,
    )


async def read(by: Connection, who: Reference, key, handle: str = RECIPE) -> Message:
    asked_for = private(handle)
    (answer,) = await by(proof(asked_for, await challenged(by, asked_for), who, key))
    return answer


def shown(answer: Message) -> list[str]:
    body, _ = read_answer(answer)
    assert isinstance(body, Values), body
    return [value.type for value in body.values]


async def test_who_may_read_proves_it_through_the_recursive_node_and_nobody_else_gains_by_it(people, keys):
    async with connection(node(people)) as li, connection(node(people)) as wang:
        answer = await read(li, LI, keys[LI])
        assert (answer.response_code, shown(answer)) == (1, ["URL", "RECIPE", "HS_ADMIN"])
        for _ in range(2):
            refused = await read(wang, WANG, keys[WANG])
            assert refused.response_code in (ResponseCode.INVALID_ADMIN, ResponseCode.NOT_PERMITTED)
            assert b"two eggs" not in refused.body
        wrong = await read(wang, LI, keys[WANG])
        assert wrong.response_code in (ResponseCode.AUTHENTICATION_FAILED, ResponseCode.INVALID_CREDENTIAL)
        for flags in (OpFlag.PUBLIC_ONLY.value, 0):
            (anonymous,) = await wang(question(RECIPE, flags=flags))
            assert b"two eggs" not in anonymous.body, "what Li has read is kept nowhere"
        assert shown((await wang(question(RECIPE)))[0]) == ["URL", "HS_ADMIN"]
        assert (await read(li, LI, keys[LI])).response_code == 1
    kept = people.links["forwarding"]._next._next
    assert not [key for key in kept._kept if b"two eggs" in (kept._index.get(key) or b"")]


async def test_many_users_at_once_are_never_mixed_up(people, keys):
    outcomes: list[tuple[Reference, int, bool]] = []

    async def one(who: Reference) -> None:
        async with connection(node(people)) as by:
            answer = await read(by, who, keys[who])
            outcomes.append((who, answer.response_code == 1, b"two eggs" in answer.body))

    async with anyio.create_task_group() as group:
        for number in range(16):
            group.start_soon(one, (LI, WANG)[number % 2])
    assert sorted(outcomes, key=str) == sorted([(LI, True, True)] * 8 + [(WANG, False, False)] * 8, key=str)


async def test_a_challenge_is_answered_once_by_whom_it_was_handed_to(people, keys):
    async with connection(node(people)) as li, connection(node(people)) as thief:
        asked_for = private()
        challenge = await challenged(li, asked_for)
        answer = proof(asked_for, challenge, LI, keys[LI])
        (stolen,) = await thief(answer)
        assert stolen.response_code == ResponseCode.AUTHENTICATION_TIMEOUT
        assert (await li(answer))[0].response_code == 1
        assert (await li(answer))[0].response_code == ResponseCode.AUTHENTICATION_TIMEOUT
        own = people.links["forwarding"]._next
        first = await challenged(li, asked_for)
        for _ in range(MOST_OF_ONE):
            last = await challenged(li, asked_for)
        assert own.waiting == MOST_OF_ONE
        assert (await li(proof(asked_for, first, LI, keys[LI])))[0].response_code == ResponseCode.AUTHENTICATION_TIMEOUT
        assert (await li(proof(asked_for, last, LI, keys[LI])))[0].response_code == 1
        own._clock = lambda: float("inf")
        late = await challenged(li, asked_for)
        own._clock = lambda: float("inf")
        assert (await li(proof(asked_for, late, LI, keys[LI])))[0].response_code == ResponseCode.AUTHENTICATION_TIMEOUT
        assert own.waiting == 0


async def test_public_answers_absent_records_and_absent_nodes_are_told(people, keys):
    async with connection(node(people)) as li:
        (public,) = await li(private("88.111.1/large"))
        assert len(shown(public)) == 29
        (missing,) = await li(private("88.111.1/nothing"))
        assert missing.response_code == ResponseCode.HANDLE_NOT_FOUND
        await people.stop("enterprise")
        (gone,) = await li(private())
        assert gone.response_code == ResponseCode.ERROR
        body, _ = read_answer(gone)
        assert isinstance(body, Failure)
        assert "HL-ID-0401" in body.message
    over_udp = await asked(people, "forwarding", private("88.222.1/x"))
    assert over_udp.response_code == ResponseCode.ERROR


class Liar:
    """A node that answers for another handle, or with the digest of another question."""

    async def answer(self, request: Message, asker: Asker) -> Message:
        handle = read_body(request).handle
        if handle.endswith("other"):
            return reply(request, ResponseCode.SUCCESS, Values("88.111.1/else", (text("URL", "https://forged"),)))
        forged = msgspec.structs.replace(request, expiration=request.expiration + 1)
        return reply(forged, ResponseCode.SUCCESS, Values(handle, (text("URL", "https://forged"),)))


async def test_a_node_that_lies_is_named_and_what_it_says_is_not_handed_on(people):
    async with anyio.create_task_group() as group:
        port = await people.serve(group, "liar", Liar())
        people.stores["second"].create("0.NA/88.111.3", [site(port)])
        async with connection(node(people)) as by:
            for handle in ("88.111.3/other", "88.111.3/digest"):
                (answer,) = await by(private(handle))
                body, _ = read_answer(answer)
                assert (answer.response_code, "HL-ID-0403" in body.message) == (ResponseCode.ERROR, True)
                assert b"forged" not in answer.body
        group.cancel_scope.cancel()


def test_the_node_of_an_installation_forwards_and_keeps_its_cache_fresh():
    service = NodeService(IdentifiersConfiguration(role=Role.RECURSIVE, port=0, rest_port=0), None, (site(1),))
    assert "Cache.upkeep" in [task.__qualname__ for task in service._beside]
    assert type(service._link._next).__name__ == "Forward"
