"""Sessions: who speaks is known, what is said is hidden, nothing is believed twice; and answers that are signed."""

from __future__ import annotations

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from identifier_nodes import ADMINISTRATOR, asked, private_key, question, text

from hulian.network.identifiers.chain.errors import SecurityError, UnreachableError
from hulian.network.identifiers.chain.session_table import SessionTable
from hulian.network.identifiers.chain.sites import Target
from hulian.network.identifiers.transport.connection import connection
from hulian.network.identifiers.wire import sm2
from hulian.network.identifiers.wire.authentication import (
    DhExchange,
    SessionKey,
    mac_message,
    open_session_key,
    seal_session_key,
    verify_signed,
)
from hulian.network.identifiers.wire.bodies import ExchangeKey, HandleOnly, SessionSetup, Values, read_body, request
from hulian.network.identifiers.wire.codes import KeyExchange, OpCode, OpFlag, ResponseCode, Transport
from hulian.network.identifiers.wire.errors import SignatureError
from hulian.network.identifiers.wire.typed.keys import DhPublicKey, PublicKey
from hulian.network.identifiers.wire.values import Reference

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]
URL = text("URL", "https://example.com/pump")
LATER = {"request_id": 0, "expiration": 2_000_000_000}


def enterprise(plant) -> Target:
    return Target("127.0.0.1", plant.ports["enterprise"], Transport.TCP)


def create(handle: str, **more):
    return request(OpCode.CREATE, Values(handle, (URL,)), **LATER, **more)


def server_key():
    return private_key().public_key()


async def test_a_secured_connection_writes_and_reads_what_is_private(plant):
    async with connection(enterprise(plant)) as by:
        await by.secure(ADMINISTRATOR, private_key(), server_key())
        assert [answer.response_code for answer in await by(create("88.111.1/new"))] == [1]
        plant.stores["enterprise"].create("88.111.1/private", [text("NOTE", "a secret of the plant", 1, permissions=12)])
        (answer,) = await by(question("88.111.1/private", flags=0))
        assert read_body(answer).values[0].data == b"a secret of the plant"
        listed = await by(request(OpCode.LIST_HANDLES, HandleOnly("0.NA/88.111.1"), **LATER))
        assert "88.111.1/private" in read_body(listed[-1]).handles
        (ended,) = await by(request(OpCode.SESSION_TERMINATE, HandleOnly(None), **LATER))
        assert ended.response_code == 1
        with pytest.raises(UnreachableError):
            await by(create("88.111.1/after"))


async def test_nothing_readable_travels(plant, monkeypatch):
    sent: list[bytes] = []
    async with connection(enterprise(plant)) as by:
        await by.secure(ADMINISTRATOR, private_key(), server_key())
        write = by._writer.write
        monkeypatch.setattr(by._writer, "write", lambda data: (sent.append(bytes(data)), write(data)))
        await by(create("88.111.1/hidden"))
    assert len(sent) == 1
    assert b"hidden" not in sent[0]
    assert b"example.com" not in sent[0]


@pytest.mark.parametrize("wrong", ["server", "client", "nobody"])
async def test_who_does_not_prove_it_gets_no_session(plant, wrong):
    other = rsa.generate_private_key(65537, 2048)
    who = Reference("88.111.1/nobody", 300) if wrong == "nobody" else ADMINISTRATOR
    key = other if wrong == "client" else private_key()
    async with connection(enterprise(plant)) as by:
        with pytest.raises(SecurityError):
            await by.secure(who, key, other.public_key() if wrong == "server" else server_key())


async def test_messages_of_a_session_come_once_and_carry_its_code(plant):
    key = rsa.generate_private_key(65537, 2048)
    setup = SessionSetup(mode=KeyExchange.CLIENT_KEY, public_key=PublicKey.of(key.public_key()).pack())
    async with connection(enterprise(plant)) as by, connection(enterprise(plant)) as elsewhere:
        (answer,) = await by(request(OpCode.SESSION_SETUP, setup, **LATER))
        session_key, number = open_session_key(read_body(answer).data, key), answer.session_id
        asked_for = question("88.111.1/item7", flags=0, indexes=(1,))
        asked_for = msgspec.structs.replace(asked_for, session_id=number)

        def codes(answers):
            return [one.response_code for one in answers]

        # Connections give request ids, which the code covers: the messages are coded for the id that comes next.
        def coded(exchange, counter: int, with_key: SessionKey = session_key):
            following = next(exchange._ids) + 1
            return mac_message(msgspec.structs.replace(asked_for, request_id=following & 0xFFFFFFFF), with_key, counter)

        rejected = [ResponseCode.SESSION_MESSAGE_REJECTED]
        assert codes(await by(coded(by, 1))) == [1]
        assert codes(await by(coded(by, 1))) == rejected, "the counter was seen"
        assert codes(await by(asked_for)) == rejected, "no code"
        assert codes(await by(coded(by, 2, SessionKey.generate()))) == rejected, "another key"
        assert codes(await by(coded(by, 2))) == [1]
        over = request(OpCode.SESSION_TERMINATE, HandleOnly(None), session_id=number, **LATER)
        assert codes(await elsewhere(over)) == [ResponseCode.SESSION_TIMEOUT], "another connection"
        anonymous = create("88.111.1/anonymous", session_id=number)
        anonymous = msgspec.structs.replace(anonymous, request_id=(next(by._ids) + 1) & 0xFFFFFFFF)
        assert codes(await by(mac_message(anonymous, session_key, 3))) == [ResponseCode.AUTHENTICATION_NEEDED]


async def test_sessions_by_diffie_hellman_and_with_an_sm2_key(plant):
    exchange = DhExchange()
    setup = SessionSetup(mode=KeyExchange.DIFFIE_HELLMAN, public_key=PublicKey.of(exchange.public).pack())
    async with connection(enterprise(plant)) as by:
        (answer,) = await by(request(OpCode.SESSION_SETUP, setup, **LATER))
        other = PublicKey.unpack(read_body(answer).data).usable()
        assert isinstance(other, DhPublicKey)
        by._key, by._session = exchange.session_key(other), answer.session_id
        (found,) = await by(question("88.111.1/item7"))
        assert found.response_code == 1
    who, key = Reference("88.111.1/users/li", 300), sm2.PrivateKey.generate()
    value = text("HS_PUBKEY", PublicKey.of(key.public).pack(), 300)
    plant.stores["enterprise"].create(who.handle, [value])
    async with connection(enterprise(plant)) as by:
        await by.secure(who, key, server_key())
        assert (await by(question("88.111.1/item7")))[0].response_code == 1


async def test_a_client_without_a_key_seals_one_to_the_server_and_what_it_says_is_hidden(plant, monkeypatch):
    sent: list[bytes] = []
    async with connection(enterprise(plant)) as by:
        await by.hide(server_key())
        write = by._writer.write
        monkeypatch.setattr(by._writer, "write", lambda data: (sent.append(bytes(data)), write(data)))
        (found,) = await by(question("88.111.1/item7"))
        assert found.response_code == 1
        assert b"item7" not in sent[0]
        (unproved,) = await by(create("88.111.1/nobody"))
        assert unproved.response_code == ResponseCode.AUTHENTICATION_NEEDED, "it hides, and proves nobody"
    async with connection(enterprise(plant)) as by:
        with pytest.raises(SecurityError):
            await by.hide(rsa.generate_private_key(65537, 2048).public_key())


async def test_a_key_that_does_not_open_is_told_from_one_that_does_by_nothing(plant):
    async def set_up(by) -> tuple[int, bytes]:
        (answer,) = await by(request(OpCode.SESSION_SETUP, SessionSetup(mode=KeyExchange.SERVER_KEY), **LATER))
        return answer.session_id, read_body(answer).data

    async with connection(enterprise(plant)) as by, connection(enterprise(plant)) as elsewhere:
        number, packed = await set_up(by)
        key = SessionKey.generate()
        sealed = seal_session_key(key, PublicKey.unpack(packed).usable())

        def exchange(data: bytes, session: int):
            return request(OpCode.SESSION_EXCHANGE_KEY, ExchangeKey(data), session_id=session, **LATER)

        over = ResponseCode.SESSION_TIMEOUT
        assert (await elsewhere(exchange(sealed, number)))[0].response_code == over, "another connection"
        good = (await by(exchange(sealed, number)))[0]
        assert (await by(exchange(sealed, number)))[0].response_code in (over, ResponseCode.SESSION_MESSAGE_REJECTED), "once"
    for broken in (b"", b"x" * 256, sealed[:-1] + bytes((sealed[-1] ^ 1,))):
        async with connection(enterprise(plant)) as by:
            other, _ = await set_up(by)
            bad = (await by(exchange(broken, other)))[0]
            assert (bad.response_code, bad.body) == (good.response_code, good.body) == (1, b"")
            by._key, by._session = key, other
            with pytest.raises(UnreachableError):
                await by(question("88.111.1/item7"))


async def test_what_is_no_session_is_refused(plant):
    key = rsa.generate_private_key(65537, 2048)
    public = PublicKey.of(key.public_key()).pack()
    invalid = ResponseCode.INVALID_SESSION_SETUP
    async with connection(enterprise(plant)) as by:
        for body in (
            SessionSetup(mode=KeyExchange.CLIENT_KEY, public_key=b"\0\0\0\1x"),
            SessionSetup(mode=KeyExchange.DIFFIE_HELLMAN, public_key=public),
            SessionSetup(mode=KeyExchange.DIFFIE_HELLMAN, public_key=PublicKey.of(DhPublicKey(4, 23, 5)).pack()),
            SessionSetup(mode=KeyExchange.KEY_IN_HANDLE, key_handle="88.111.1/none", key_index=1),
        ):
            (answer,) = await by(request(OpCode.SESSION_SETUP, body, **LATER))
            assert answer.response_code == invalid, body
    setup = request(OpCode.SESSION_SETUP, SessionSetup(mode=KeyExchange.CLIENT_KEY, public_key=public), **LATER)
    assert (await asked(plant, "enterprise", setup)).response_code == ResponseCode.SESSION_FAILED, "over UDP"


async def test_answers_are_signed_for_who_asks_over_tcp(plant):
    wanted = question("88.111.1/item7", flags=(OpFlag.PUBLIC_ONLY | OpFlag.CERTIFIED).value)
    signed = await asked(plant, "enterprise", wanted, Transport.TCP)
    verify_signed(signed, server_key())
    with pytest.raises(SignatureError):
        verify_signed(msgspec.structs.replace(signed, body=signed.body[:-1] + b"x"), server_key())
    missing = await asked(plant, "enterprise", question("88.111.1/none", flags=wanted.flags), Transport.TCP)
    verify_signed(missing, server_key())
    over_udp = await asked(plant, "enterprise", wanted)
    assert (over_udp.response_code, over_udp.has(OpFlag.CERTIFIED), over_udp.credential) == (1, False, b"")


def test_the_table_is_bounded_and_forgets():
    now = 0.0
    table = SessionTable(clock=lambda: now)
    first = table.begin(7, key=None, who=ADMINISTRATOR, seconds=100)
    assert table.find(first, 7) is not None
    assert table.find(first, 8) is None
    assert table.find(first, 0) is None
    own = [table.begin(8, key=None, who=None) for _ in range(20)]
    assert [number for number in own if table.find(number, 8)] == own[4:]
    now = 101.0
    assert table.find(first, 7) is None
    for number in range(20_000):
        table.begin(100 + number, key=None, who=None)
    assert len(table) == 10_000
