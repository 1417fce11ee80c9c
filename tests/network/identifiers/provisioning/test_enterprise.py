"""The interface of enterprise nodes: challenge, token, and the operations on digital objects."""

from __future__ import annotations

import base64
from functools import cache

import msgspec
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from identifier_nodes import private_key, public_key, text
from interface_node import served
from rest_nodes import STRANGER, USER

from hulian.network.identifiers.nodes.configuration import Interface
from hulian.network.identifiers.store import key_of
from hulian.network.identifiers.transport.rest.contract import Signing
from hulian.network.identifiers.transport.rest.provisioning.tokens import JsonWebTokens, Nonces
from hulian.network.identifiers.wire.authentication import signer_for
from hulian.network.identifiers.wire.trust import jws
from hulian.network.identifiers.wire.typed.keys import PublicKey
from hulian.network.identifiers.wire.values import Reference, unpack_values

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]
META = "88.111.1/META_pump"


@cache
def other_key() -> rsa.RSAPrivateKey:
    """One that is not the administrator's."""
    return rsa.generate_private_key(65537, 2048)


def signature(nonce: str, key=None) -> str:
    return base64.b64encode((key or private_key()).sign(nonce.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()


def document(**content) -> dict:
    return {"type": META, "attributes": {"content": content}}


class Client:
    """A client as the guide describes it."""

    def __init__(self, http, handle: str = USER.handle, key=None) -> None:
        self._http = http
        self.handle, self.key = handle, key
        self.token = ""

    async def ask(self, method: str, path: str, document=None) -> tuple[int, object]:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        answer = await self._http.request(method, f"/api/v1/doip{path}", json=document, headers=headers)
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert set(found) == {"code", "message", "data"}
        return found["code"], found["data"]

    async def challenge(self) -> str:
        code, nonce = await self.ask("GET", f"/public/challenge?handle={self.handle}")
        assert code == 1
        return nonce

    async def respond(self, signed: str) -> int:
        code, data = await self.ask("POST", "/public/verify-response", {"handle": self.handle, "signature": signed})
        if code == 1:
            self.token = data["token"]
        return code

    async def login(self) -> int:
        return await self.respond(signature(await self.challenge(), self.key))

    async def operate(self, operation: str, target: str, sent=None, method: str = "POST") -> tuple[int, object]:
        return await self.ask(method, f"?targetId={target}&operationId={operation}", sent)

    async def content(self, target: str) -> object:
        code, data = await self.operate("0.DOIP/Op.Retrieve", target, method="GET")
        return data["attributes"]["content"] if code == 1 else code


async def test_an_object_lives_its_life(own):
    pump = "88.111.1/pump-1"
    async with served(own, Interface.ENTERPRISE) as http:
        client = Client(http)
        assert (await client.operate("0.DOIP/Op.Create", pump, document(name="P1")))[0] == 401
        assert await client.login() == 1
        sent = document(name="泵", mass=12.5, tested=True, parts=3)
        assert await client.operate("0.DOIP/Op.Create", pump, sent) == (1, sent)
        assert (await client.operate("0.DOIP/Op.Create", pump, sent))[0] == 105
        stranger = Client(http)
        code, data = await stranger.operate("0.DOIP/Op.Retrieve", pump, method="GET")
        assert (code, data["id"], data["type"]) == (1, pump, META)
        assert data["attributes"]["content"] == {"name": "泵", "mass": "12.5", "tested": "true", "parts": "3"}
        assert [one["index"] for one in data["attributes"]["elements"]] == [2000, 2001, 2002, 2003]
        extend = "0.DOIP.EXTEND/Op.Update.Non.Overlay"
        assert (await client.operate(extend, pump, document(mass=13, colour="red")))[0] == 1
        assert await stranger.content(pump) == {"name": "泵", "mass": "13", "tested": "true", "parts": "3", "colour": "red"}
        assert (await client.operate("0.DOIP/Op.Update", pump, document(name="P2", colour="blue")))[0] == 1
        assert await stranger.content(pump) == {"name": "P2", "colour": "blue"}
        assert {value.index: value.type for value in unpack_values(own.packed(key_of(pump)))} == {
            1001: "TEMPLATE",
            2000: "name",
            2004: "colour",
        }
        assert await client.operate("0.DOIP/Op.Delete", pump) == (1, None)
        assert (await client.operate("0.DOIP/Op.Delete", pump))[0] == 104
        assert await stranger.content(pump) == 104
    log = [one for one in own.log.read() if one.handle == pump]
    assert {one.by for one in log} == {f"300:{USER.handle}"}


async def test_who_may_do_what(own):
    other = other_key()
    async with served(own, Interface.ENTERPRISE) as http:
        known = unpack_values(own.packed(key_of(STRANGER.handle)))
        own.replace(STRANGER.handle, [*known, public_key(other)])
        own.create("88.111.1/half", [text("name", "for all", 2000), text("note", "secret", 2001, permissions=12)])
        own.create("88.111.1/none", [text("note", "secret", 2001, permissions=12)])
        owner, stranger, nobody = Client(http), Client(http, STRANGER.handle, other), Client(http)
        assert (await owner.login(), await stranger.login()) == (1, 1)
        operations = {
            ("0.DOIP/Op.Create", "88.111.1/new"): (1, 406, 401),
            ("0.DOIP/Op.Update", "88.111.1/ITEM7"): (1, 406, 401),
            ("0.DOIP.EXTEND/Op.Update.Non.Overlay", "88.111.1/ITEM7"): (1, 406, 401),
            ("0.DOIP/Op.Delete", "88.111.1/alias"): (1, 700, 401),
            ("0.DOIP/Op.Create", "88.222.1/new"): (701, 701, 401),
            ("0.DOIP/Op.Search", "88.111.1/ITEM7"): (404, 404, 404),
            ("0.DOIP/Op.Create", "0.NA/88.111.1"): (106, 106, 106),
        }
        for (operation, target), expected in operations.items():
            for client, code in reversed(list(zip((owner, stranger, nobody), expected, strict=True))):
                assert (await client.operate(operation, target, document(name="x")))[0] == code, (operation, target, code)
        assert [await client.content("88.111.1/half") for client in (owner, stranger, nobody)] == [
            {"name": "for all", "note": "secret"},
            {"name": "for all"},
            {"name": "for all"},
        ]
        assert [await client.content("88.111.1/none") for client in (owner, stranger, nobody)] == [{"note": "secret"}, 403, 403]
        assert (await owner.operate("0.DOIP/Op.Delete", "88.111.1/half", method="GET"))[0] == 405
        for broken in ({}, {"type": META}, document(), document(a=[1]), document(HS_ADMIN="x"), document(**{"a" * 200: "x"})):
            assert (await owner.operate("0.DOIP/Op.Create", "88.111.1/broken", broken))[0] == 106
        assert own.packed(b"88.111.1/BROKEN") is None


async def test_a_challenge_is_answered_once_by_the_key_of_the_handle(own):
    async with served(own, Interface.ENTERPRISE) as http:
        client = Client(http)
        first = await client.challenge()
        assert len(first) >= 32
        assert await client.respond(signature(first)) == 1
        assert await client.respond(signature(first)) == 102, "a nonce is used up"
        nonce = await client.challenge()
        assert await client.respond(signature(nonce, other_key())) == 102
        assert await client.respond(signature(nonce)) == 102, "a wrong answer uses it up as well"
        one, two = await client.challenge(), await client.challenge()
        assert one != two
        assert await client.respond(signature(one)) == 1, "two of one handle wait at a time"
        nonce = await client.challenge()
        elsewhere = Client(http, "88.111.1/ITEM7")
        assert await elsewhere.respond(signature(nonce)) == 102
        assert await client.respond("!") == 102
        for query in ("", "?handle=x", "?handle=0.NA/88.111.1", "?handle=" + "88.1/" + "x" * 300):
            assert (await client.ask("GET", f"/public/challenge{query}"))[0] == 106
        assert (await client.content("88.111.1/ITEM7")) == {}
        token, client.token = client.token, client.token[:-4] + "AAAA"
        assert await client.content("88.111.1/ITEM7") == 401
        client.token = token
        rest = [value for value in unpack_values(own.packed(key_of(USER.handle))) if value.type != "HS_PUBKEY"]
        own.replace(USER.handle, [*rest, public_key(other_key())])
        assert await client.content("88.111.1/ITEM7") == 401, "another key stands there now: the token is over"


def signing(key) -> Signing:
    return Signing(signer=signer_for(key), public=key.public_key(), packed=PublicKey.of(key.public_key()).pack())


def test_a_token_is_for_this_node_and_this_purpose_while_it_lives():
    now = [1_000_000.0]
    key, who = private_key(), Reference("88.111.1/ADMIN", 300)
    tokens = JsonWebTokens(signing(key), lambda: now[0])
    token = tokens.give(who, "fp")
    found = tokens.find(token)
    assert (found.sub, found.key, found.exp - found.iat) == (str(who), "fp", 1_800)
    header = jws.decode64(token.partition(".")[0].encode(), "")
    assert header == b'{"alg":"RS256","typ":"JWT"}'
    claims = msgspec.to_builtins(found)

    def signed(**changed) -> str:
        return jws.sign(msgspec.json.encode(claims | changed), key).decode()

    assert tokens.find(signed()) == found
    for changed in (
        {"iss": "sha256:0"},
        {"aud": "other"},
        {"nbf": 1_000_100},
        {"exp": 999_999},
        {"exp": 2_000_000},
        {"sub": 1},
    ):
        assert tokens.find(signed(**changed)) is None, changed
    none = jws.encode64(b'{"alg":"none"}') + b"." + token.split(".")[1].encode() + b"."
    for other in (none.decode(), "", "a.b", "a.b.c", token + "x", token.replace(".", "..", 1)):
        assert tokens.find(other) is None
    stranger = other_key()
    assert tokens.find(jws.sign(msgspec.json.encode(claims), stranger).decode()) is None
    assert JsonWebTokens(signing(stranger), lambda: now[0]).find(token) is None
    now[0] += 1_799
    assert tokens.find(token) == found
    now[0] += 1
    assert tokens.find(token) is None


def test_nonces_are_bounded_and_nobody_pushes_out_anothers():
    now = [0.0]
    nonces = Nonces(lambda: now[0])
    mine = nonces.give(b"H", "192.0.2.1")
    flood = [nonces.give(b"H", "192.0.2.2") for _ in range(100)]
    assert all(flood), "of one handle the oldest is forgotten"
    assert len(nonces.take(b"H", "192.0.2.2")) == 8
    others = [nonces.give(b"%d" % number, "192.0.2.2") for number in range(100)]
    assert [bool(one) for one in others] == [True] * 64 + [False] * 36
    assert nonces.take(b"H", "192.0.2.1") == [mine]
    assert nonces.take(b"H", "192.0.2.1") == []
    now[0] = 61
    assert nonces.take(b"1", "192.0.2.2") == []
    assert nonces.give(b"9", "192.0.2.2")
    assert (nonces._count, nonces._of, len(nonces._waiting)) == (1, {"192.0.2.2": 1}, 1)
    for number in range(20_000):
        nonces.give(b"%d" % number, f"10.0.{number // 256}.{number % 256}")
    assert nonces._count == len(nonces._waiting) == 10_000
