"""The interface of second-level nodes: the forms of its published guide, and the rules of our own chain behind it."""

from __future__ import annotations

import datetime
import hashlib
from pathlib import Path

import pytest
from identifier_nodes import text
from interface_node import served
from rest_nodes import SECRET, STRANGER, USER

from hulian.network.identifiers.nodes.configuration import Interface
from hulian.network.identifiers.provisioning.errors import LoginNameError
from hulian.network.identifiers.provisioning.logins import Logins
from hulian.network.identifiers.store import key_of
from hulian.network.identifiers.transport.rest.provisioning.tokens import Held, Tokens
from hulian.network.identifiers.wire.values import Reference, unpack_values
from hulian.trust.errors import WeakPasswordError
from hulian.trust.passwords import Passwords, PasswordSettings

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]
PASSWORD = "three grey herons"
QUICK = Passwords(PasswordSettings(memory_kib=8192, passes=1))


def record(handle: str, *items: tuple[int, str, str], version: str = "1.0") -> dict:
    values = [{"index": i, "type": t, "data": {"format": "string", "value": v}, "auth": ""} for i, t, v in items]
    return {"handle": handle, "templateVersion": version, "value": values}


class Client:
    """A client as the guide describes it."""

    def __init__(self, http) -> None:
        self._http = http
        self._headers: dict[str, str] = {}

    async def login(self, name: str, password: str, path: str = "/identity/token") -> int:
        status, data = await self.ask("POST", path, {"username": name, "password": password})
        if status == 1:
            self._headers = {"Authorization": f"Bearer {data['token']}"}
        return status

    async def ask(self, method: str, path: str, document=None) -> tuple[int, object]:
        answer = await self._http.request(method, path, json=document, headers=self._headers)
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert set(found) == {"status", "message", "data"}
        self.message = found["message"]
        return found["status"], found["data"]


def digest(password: str, day: str) -> str:
    return hashlib.sha256((hashlib.sha256(password.encode()).hexdigest() + day).encode()).hexdigest()


async def test_records_live_their_life(own):
    name = f"{USER.index}:{USER.handle}"
    async with served(own, Interface.SECOND_LEVEL) as http:
        client = Client(http)
        assert await client.ask("GET", "/identityv2/data/detail?handle=88.111.1/ITEM7") == (-1, None)
        assert (await client.login(name, "wrong"), await client.login(name, SECRET)) == (-2, 1)
        made = record("88.111.1/p-1", (2000, "name", "小型机械01"), (2001, "mass", "12.5"))
        assert await client.ask("POST", "/identityv2/data", made) == (1, True)
        assert await client.ask("POST", "/identityv2/data", made) == (-2, None)
        status, data = await client.ask("GET", "/identityv2/data/detail?handle=88.111.1/P-1")
        assert (status, data["prefix"], data["templateVersion"]) == (1, "88.111.1", "1.0")
        assert [(one["index"], one["type"], one["data"]["value"]) for one in data["value"]] == [
            (1001, "TEMPLATE", "1.0"),
            (2000, "name", "小型机械01"),
            (2001, "mass", "12.5"),
        ]
        changed = record("88.111.1/p-1", (2001, "mass", "13"), version="1.1")
        assert await client.ask("PUT", "/identityv2/data", changed) == (1, True)
        _, data = await client.ask("GET", "/identityv2/data/detail?handle=88.111.1/p-1")
        assert [one["data"]["value"] for one in data["value"]] == ["1.1", "小型机械01", "13"]
        assert await client.ask("DELETE", "/identityv2/data", {"handle": "88.111.1/p-1"}) == (1, True)
        assert await client.ask("DELETE", "/identityv2/data", {"handle": "88.111.1/p-1"}) == (-2, None)
        assert await client.ask("PUT", "/identityv2/data", changed) == (-2, None)
        assert await client.ask("GET", "/identityv2/data/detail?handle=88.111.1/p-1") == (-2, None)
        assert await client.ask("GET", "/identityv2/data/detail") == (-2, None)
        assert await client.ask("GET", "/identityv2/nothing") == (-2, None)
    log = own.log.read()
    assert [one.what.name for one in log if one.handle == "88.111.1/p-1" and one.by == name] == ["CREATE", "UPDATE", "DELETE"]


BROKEN = [
    record("88.111.1/x", (1001, "name", "a")),
    record("88.111.1/x", (1999, "name", "a")),
    record("88.111.1/x", (2000, "HS_ADMIN", "a")),
    record("88.111.1/x", (2000, "name", "a"), (2000, "mass", "b")),
    record("88.111.1/x"),
    record("88.111.1/x", (2000, "name", "a"), version=""),
    record("0.NA/88.111.1", (2000, "name", "a")),
    record("88.111.1", (2000, "name", "a")),
    record("88.111.1/" + "x" * 255, (2000, "name", "a")),
    record("88.111.1/x", (2**40, "name", "a")),
    record("88.111.1/x", (2000, "name", "a")) | {"value": "none"},
    {"handle": "88.111.1/x"},
    "88.111.1/x",
]


async def test_what_breaks_a_rule_makes_nothing(own):
    async with served(own, Interface.SECOND_LEVEL) as http:
        client = Client(http)
        assert await client.login(USER.handle, SECRET) == 1
        before = own.log.last
        for broken in BROKEN:
            assert await client.ask("POST", "/identityv2/data", broken) == (-2, None), broken
            told = await client.ask("POST", "/identityv2/data/batchCreate", [broken])
            assert told[0] == -2 or told[1][0]["msg"] != "success", broken
        assert own.log.last == before


async def test_a_batch_makes_what_it_can(own):
    async with served(own, Interface.SECOND_LEVEL) as http:
        client = Client(http)
        await client.login(USER.handle, SECRET)
        good = [record(f"88.111.1/b-{number}", (2000, "name", str(number))) for number in range(1_995)]
        bad = [
            record("88.111.1/B-7", (2000, "name", "again")),
            record("88.111.1/item7", (2000, "name", "there")),
            record("88.111.9/b", (2000, "name", "not ours")),
            record("88.111.1/c", (1001, "name", "reserved")),
        ]
        status, told = await client.ask("POST", "/identityv2/data/batchCreate", [*good, *bad])
        assert (status, [one["handle"] for one in told[-4:]]) == (
            1,
            ["88.111.1/B-7", "88.111.1/item7", "88.111.9/b", "88.111.1/c"],
        )
        assert {one["msg"] for one in told[:-4]} == {"success"}
        assert all(one["msg"] != "success" for one in told[-4:])
        assert len([key for key, _ in own.index.items() if key.startswith(b"88.111.1/B-")]) == 1_995
        assert {value.index for value in unpack_values(own.packed(b"88.111.1/B-9"))} == {1001, 2000}
        assert [value.data for value in unpack_values(own.packed(b"88.111.1/B-7"))][1] == b"7"
        assert (await client.ask("POST", "/identityv2/data/batchCreate", [*good, *bad, *bad]))[0] == -2, "2,003 are too many"
        await client.login(STRANGER.handle, "known")
        status, told = await client.ask("POST", "/identityv2/data/batchCreate", [record("88.111.1/d", (2000, "name", "x"))])
        assert (status, "may not add" in told[0]["msg"]) == (1, True)
        assert own.packed(b"88.111.1/D") is None


async def test_who_may_not_is_told_so(own):
    async with served(own, Interface.SECOND_LEVEL) as http:
        client = Client(http)
        await client.login(STRANGER.handle, "known")
        assert (await client.ask("POST", "/identityv2/data", record("88.111.1/x", (2000, "name", "a"))))[0] == -3
        assert (await client.ask("DELETE", "/identityv2/data", {"handle": "88.111.1/ITEM7"}))[0] == -3
        private = text("note", "for administrators", 2001, permissions=12)
        own.create("88.111.1/half", [text("name", "for all", 2000), private])
        _, data = await client.ask("GET", "/identityv2/data/detail?handle=88.111.1/half")
        assert [one["type"] for one in data["value"]] == ["name"]
        await client.login(USER.handle, SECRET)
        _, data = await client.ask("GET", "/identityv2/data/detail?handle=88.111.1/half")
        assert [one["type"] for one in data["value"]] == ["name", "note"]
        assert "HS_SECKEY" not in str(await client.ask("GET", f"/identityv2/data/detail?handle={USER.handle}"))


async def test_a_login_has_a_password_that_is_kept_nowhere(own):
    logins = Logins(own.registry, QUICK)
    for name in ("", "a/b", "a" * 51, "a b"):
        with pytest.raises(LoginNameError):
            logins.set(name, USER, PASSWORD)
    with pytest.raises(LoginNameError):
        logins.set("li", Reference("88.111.1/ADMIN", 0), PASSWORD)
    with pytest.raises(WeakPasswordError):
        logins.set("li", USER, "li123456")
    logins.set("li", USER, PASSWORD)
    assert (logins.verify("li", PASSWORD).who, logins.verify("li", "wrong"), logins.verify("lo", PASSWORD)) == (
        USER,
        None,
        None,
    )
    plain, inner = PASSWORD.encode(), hashlib.sha256(PASSWORD.encode()).hexdigest().encode()
    for path in (own.registry.place, f"{own.registry.place}-wal"):
        content = Path(path).read_bytes()
        assert plain not in content
        assert inner not in content
    today = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d")
    async with served(own, Interface.SECOND_LEVEL) as http:
        client = Client(http)
        assert await client.login("li", digest(PASSWORD, today), "/identity/token/v1") == -1
        assert "POST /identity/token" in client.message
        assert await client.login("nobody", digest(PASSWORD, today), "/identity/token/v1") == -1
        assert await client.login("li", "wrong") == -2
        assert await client.login("li", PASSWORD) == 1
        assert (await client.ask("GET", "/identityv2/data/detail?handle=88.111.1/ITEM7"))[0] == 1
        logins.set("li", USER, PASSWORD + " again")
        assert (await client.ask("GET", "/identityv2/data/detail?handle=88.111.1/ITEM7"))[0] == -1, "its token ended"
        assert logins.remove("li")
        assert not logins.remove("li")


async def test_a_secret_key_of_the_node_is_proved_by_the_digest_of_the_day(own):
    today = datetime.datetime.now(datetime.UTC)
    async with served(own, Interface.SECOND_LEVEL) as http:
        client = Client(http)
        for days, status in ((0, 1), (-3, -2), (3, -2)):
            day = (today + datetime.timedelta(days=days)).strftime("%Y-%m-%d")
            assert await client.login(USER.handle, digest(SECRET, day), "/identity/token/v1") == status
        assert (await client.ask("GET", "/identityv2/data/detail?handle=88.111.1/ITEM7"))[0] == 1
        rest = [value for value in unpack_values(own.packed(key_of(USER.handle))) if value.type != "HS_SECKEY"]
        own.replace(USER.handle, rest)
        assert (await client.ask("GET", "/identityv2/data/detail?handle=88.111.1/ITEM7"))[0] == -1, "the key is gone"
        failed = [await client.login(STRANGER.handle, f"guess {number}") for number in range(8)]
        assert failed == [-2] * 8, "with the two before they are ten"
        assert await client.login(STRANGER.handle, "known") == -2
        assert "HL-ID-0517" in client.message


async def test_it_is_there_only_where_it_is_switched_on(own):
    async with served(own) as http:
        assert (await http.post("/identity/token", json={"username": "a", "password": "b"})).status_code == 405
        assert (await http.get("/api/v1/doip/public/challenge?handle=88.111.1/ADMIN")).status_code == 404


def test_tokens_are_bounded_and_end():
    now = [0.0]
    tokens = Tokens(lambda: now[0])
    held = [Held(USER, name, b"x") for name in ("a", "b")]
    first = tokens.give(held[0])
    other = tokens.give(held[1])
    more = [tokens.give(held[0]) for _ in range(100)]
    assert tokens.find(first) is None, "the 101st ends the first"
    assert (tokens.find(other), tokens.find(more[0]), tokens.find("x")) == (held[1], held[0], None)
    now[0] = 86_399
    assert tokens.find(other) == held[1]
    now[0] = 86_400
    assert tokens.find(other) is None
    tokens = Tokens(lambda: now[0])
    given = [tokens.give(Held(USER, str(number), b"x")) for number in range(10_001)]
    assert (tokens.find(given[0]), tokens.find(given[1]) is None) == (None, False)
