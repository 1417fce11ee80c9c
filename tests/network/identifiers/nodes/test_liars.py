"""Authorities that lie: what they say is refused with a name, and nothing of it is kept."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple

import msgspec
import pytest
from identifier_nodes import QUICK, URL, Hierarchy, question, site, text

from hulian.network.identifiers.chain.contract import Asker
from hulian.network.identifiers.chain.errors import DeceivedError, FollowError, LoopError, UnreachableError
from hulian.network.identifiers.chain.follow import Follow
from hulian.network.identifiers.nodes.tiers import recursive
from hulian.network.identifiers.transport.client import Client
from hulian.network.identifiers.wire.bodies import Body, Referral, ResolveRequest, Values, answer, digest_of, read_body
from hulian.network.identifiers.wire.codes import ResponseCode
from hulian.network.identifiers.wire.frame import Message, decode, encode

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]

EVIL = text("URL", "https://evil.example")
ITEM = "88.111.1/item7"
LIFE = 2_000_000_000


class Liar(asyncio.DatagramProtocol):
    """Answers whatever ``lie`` makes of a question."""

    def __init__(self, lie: Callable[[Message], bytes]) -> None:
        self._lie = lie

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._transport.sendto(self._lie(decode(data)), addr)


@contextlib.asynccontextmanager
async def lying(plant: Hierarchy, lie: Callable[[Message], bytes]) -> AsyncIterator[int]:
    """The enterprise's site is the liar's; gives his port."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: Liar(lie), local_addr=("127.0.0.1", 0))
    try:
        port = transport.get_extra_info("sockname")[1]
        plant.stores["second"].replace("0.NA/88.111.1", [site(port)])
        yield port
    finally:
        transport.close()


def honest(to: Message, code: ResponseCode, body: Body) -> Message:
    return answer(to, code, body, expiration=LIFE, digest=digest_of(to))


def found(to: Message) -> Message:
    """What an honest server would say, but for the value."""
    return honest(to, ResponseCode.SUCCESS, Values(read_body(to).handle, (EVIL,)))


def another_handle(to: Message) -> bytes:
    return encode(honest(to, ResponseCode.SUCCESS, Values("99.1/other", (EVIL,))))


def another_digest(to: Message) -> bytes:
    body = Values(read_body(to).handle, (EVIL,))
    return encode(answer(to, ResponseCode.SUCCESS, body, expiration=LIFE, digest=digest_of(question("1.2/3"))))


def no_digest(to: Message) -> bytes:
    return encode(msgspec.structs.replace(found(to), flags=0, body=Values(read_body(to).handle, (EVIL,)).pack()))


def another_opcode(to: Message) -> bytes:
    return encode(msgspec.structs.replace(found(to), op_code=100))


def another_request(to: Message) -> bytes:
    return encode(msgspec.structs.replace(found(to), request_id=to.request_id ^ 1))


def too_many_values(to: Message) -> bytes:
    good = found(to)
    at = len(good.body) - len(EVIL.data) - 40
    return encode(msgspec.structs.replace(good, body=good.body[:at] + b"\x7f\xff\xff\xff" * 10))


def nobody(to: Message) -> bytes:
    return encode(honest(to, ResponseCode.SERVICE_REFERRAL, Referral("", ())))


class Lie(NamedTuple):
    make: Callable[[Message], bytes]
    error: type[FollowError]


LIES = [
    Lie(another_handle, DeceivedError),
    Lie(another_digest, DeceivedError),
    Lie(no_digest, DeceivedError),
    Lie(another_opcode, DeceivedError),
    Lie(another_request, UnreachableError),
    Lie(too_many_values, DeceivedError),
    Lie(nobody, DeceivedError),
]


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.make.__name__)
async def test_a_lying_authority_is_named_and_never_believed(plant, lie):
    # Only what looks like silence is waited for; everybody else answers, on however busy a machine.
    silent = lie.error is UnreachableError
    client = Client(tries=(0.5,), tcp_seconds=2) if silent else Client(tries=QUICK, tcp_seconds=10)
    link = recursive(plant.root, client)
    async with lying(plant, lie.make):
        with pytest.raises(lie.error):
            await Follow(plant.root, client).resolve(ResolveRequest(ITEM))
        told = await link.answer(question(ITEM), Asker(address="192.0.2.1"))
        assert told.response_code == ResponseCode.ERROR
    plant.stores["second"].replace("0.NA/88.111.1", [site(plant.ports["enterprise"])])
    link._next._next._services.clear()  # the site itself was told by an honest node, and is believed for its TTL
    good = await link.answer(question(ITEM), Asker(address="192.0.2.1"))
    assert read_body(good).values[0].data == URL.encode(), "nothing of the lie was kept"


async def test_referrals_in_a_circle_end(plant):
    ports: list[int] = []

    def around(to: Message) -> bytes:
        return encode(honest(to, ResponseCode.PREFIX_REFERRAL, Referral("", (site(ports[0], kind="HS_SITE.PREFIX"),))))

    async with lying(plant, around) as port:
        ports.append(port)
        with pytest.raises(LoopError):
            await plant.client().resolve(ResolveRequest(ITEM))
