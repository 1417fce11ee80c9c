"""Grants, value by value: every operation against every grant; and nothing private on the fast path."""

from __future__ import annotations

import json

import pytest
from identifier_nodes import admin, asked, question, text
from metadata_nodes import follows, grant, owner, secret, template

from hulian.network.identifiers.chain.errors import RefusedError
from hulian.network.identifiers.chain.plain import FromRecords
from hulian.network.identifiers.store import key_of
from hulian.network.identifiers.wire.bodies import Values, read_answer
from hulian.network.identifiers.wire.codes import AdminPermission, ResponseCode, Transport
from hulian.network.identifiers.wire.frame import encode
from hulian.network.identifiers.wire.typed.references import ValueList
from hulian.network.identifiers.wire.values import Reference, unpack_values

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]
PREFIX = "88.111.1"
STRANGER, READER, EDITOR = (Reference(f"88.111.2/{name}", 300) for name in ("stranger", "reader", "editor"))
MEMBER, CLASS_READER, CLASS_EDITOR, CLERK = (
    Reference(f"88.111.3/{name}", 300) for name in ("member", "class-reader", "class-editor", "clerk")
)
GROUP, OUTER = Reference("88.111.3/buyers", 200), Reference("88.111.2/partners", 200)
OWNER = owner(PREFIX)
EVERYBODY = {
    "nobody": None, "stranger": STRANGER, "reader": READER, "editor": EDITOR, "group": MEMBER,
    "class reader": CLASS_READER, "class editor": CLASS_EDITOR, "clerk": CLERK, "owner": OWNER,
}  # fmt: skip
OK, AUTH, NO = ResponseCode.SUCCESS, ResponseCode.AUTHENTICATION_NEEDED, ResponseCode.NOT_PERMITTED
_A = AdminPermission

# A record with a public value (1), values granted one by one: price (2) to reader and, for editing, to editor; terms (3) to
# a group of a group on two other nodes; class (4), by its template; stock (5), which everyone may write; secret (6), which
# nobody was granted; hidden (7), which nobody at all reads.
EVERY = frozenset(EVERYBODY)
PROVED = EVERY - {"nobody"}
READ = {
    1: EVERY,
    2: {"reader", "owner"},
    3: {"group", "owner"},
    4: {"class reader", "owner"},
    5: EVERY,
    6: {"owner"},
    7: set(),
    60: {"owner"},
    100: {"owner"},
}
MODIFY = {
    1: {"owner"},
    2: {"editor", "owner"},
    3: {"group", "owner"},
    4: {"class editor", "owner"},
    5: PROVED,
    6: {"owner"},
    7: {"owner"},
    50: {"owner"},
    60: {"owner"},
    100: {"owner"},
}
REMOVE = MODIFY | {5: {"owner", "clerk"}, 1: {"owner", "clerk"}, 2: MODIFY[2] | {"clerk"}, 3: MODIFY[3] | {"clerk"},
                   4: MODIFY[4] | {"clerk"}, 6: {"owner", "clerk"}, 7: {"owner", "clerk"}}  # fmt: skip
OWNERS = {"owner"}

TEMPLATE = template(
    {"name": "name", "type": "text", "index": 1, "visibility": "public"},
    {"name": "price", "type": "text", "index": 2}, {"name": "terms", "type": "text", "index": 3},
    {"name": "secret", "type": "text", "index": 6}, {"name": "hidden", "type": "text", "index": 7},
    {
        "name": "class", "type": "text", "index": 4,
        "grants": [{"to": str(CLASS_READER), "may": "read"}, {"to": str(CLASS_EDITOR), "may": "edit"}],
    },
    {"name": "stock", "type": "integer", "index": 5, "visibility": "public", "writing": "everyone"},
)  # fmt: skip
NAMES = {1: "name", 2: "price", 3: "terms", 4: "class", 5: "stock", 6: "secret", 7: "hidden"}


def record():
    return [
        *(text(name, str(index), index, **({"permissions": 4} if index == 7 else {})) for index, name in NAMES.items()),
        follows("88.111.1/item"),
        grant([Reference(READER.handle)], 60, read=["price"]),
        grant([Reference(EDITOR.handle)], 61, edit=[2]),
        grant([OUTER], 62, read=["TERMS"], edit=[3]),
        text("HS_ADMIN", admin(OWNER, 0xFFF).data, 100, permissions=12),
        # A clerk may remove values, and nothing else: what a permission gives and what a grant gives add to each other.
        text("HS_ADMIN", admin(CLERK, _A.REMOVE_VALUE.value).data, 101, permissions=12),
    ]


@pytest.fixture(scope="module")
async def market(country):
    country.people("88.111.2", "stranger", "reader", "editor")
    country.people("88.111.3", "member", "class-reader", "class-editor", "clerk")
    country.stores["88.111.3"].create(GROUP.handle, [text("HS_VLIST", ValueList((MEMBER,)).pack(), 200)])
    country.stores["88.111.2"].create(OUTER.handle, [text("HS_VLIST", ValueList((GROUP,)).pack(), 200)])
    async with country.administer(OWNER) as by:
        await by.create("88.111.1/item", [TEMPLATE])
    return country


async def code_of(awaitable) -> ResponseCode:
    try:
        await awaitable
    except RefusedError as error:
        return ResponseCode(error.response_code)
    return OK


async def fresh(market, name: str) -> str:
    """The record as it was, in the store itself: what a test changed does not matter to the next one."""
    handle = f"88.111.1/goods-{name.replace(' ', '-')}"
    async with market.administer(OWNER) as by:
        await by.create(handle, record(), overwrite=True)
    return handle


def expected(name: str, allowed) -> ResponseCode:
    return OK if name in allowed else NO


@pytest.mark.parametrize("name", sorted(PROVED))
async def test_every_operation_of_who_has_proved_who_they_are(market, name):
    handle = await fresh(market, name)
    store = market.stores[PREFIX]
    packed = store.packed(key_of(handle))
    found: dict[object, ResponseCode] = {}
    wanted: dict[object, ResponseCode] = {}

    def restored() -> None:
        if (now := store.packed(key_of(handle))) != packed:
            store.swap(handle, now, unpack_values(packed))

    async with market.administer(EVERYBODY[name]) as by:
        for index, allowed in READ.items():
            found["read", index] = await code_of(by.read(handle, (index,)))
            wanted["read", index] = expected(name, allowed)
        for index, allowed in MODIFY.items():
            old = next(value for value in record() if value.index == index)
            data = {5: b"9", 50: old.data, 60: old.data, 100: old.data}.get(index, b"changed")
            new = text(old.type, data, index, permissions=old.permissions)
            found["modify", index] = await code_of(by.modify(handle, [new]))
            wanted["modify", index] = expected(name, allowed)
            restored()
        for index, allowed in REMOVE.items():
            found["remove", index] = await code_of(by.remove(handle, [index]))
            wanted["remove", index] = expected(name, allowed)
            if index in NAMES:
                store.swap(handle, store.packed(key_of(handle)), [v for v in unpack_values(packed) if v.index != index])
                found["add", index] = await code_of(by.add(handle, [text(NAMES[index], "7", index)]))
                wanted["add", index] = expected(name, {"owner"} if index == 5 else MODIFY[index])
            restored()
        for what, change in (
            ("two", by.modify(handle, [text("price", "1", 2), text("terms", "1", 3)])),
            ("admin", by.add(handle, [admin(EVERYBODY[name], 0xFFF, 102)])),
            ("key", by.add(handle, [text("HS_SECKEY", "mine", 301)])),
            ("grant", by.add(handle, [grant([EVERYBODY[name]], 63, read=["*"])])),
            ("show", by.modify(handle, [text("HULIAN.GRANT", grant([EVERYBODY[name]], read=["*"]).data, 60)])),
            ("overwrite", by.create(handle, record(), overwrite=True)),
            ("create", by.create(f"{handle}-new", record())),
            ("list", by.handles(PREFIX)),
            ("delete", by.delete(handle)),
        ):
            code = await code_of(change)
            found[what] = OK if code is OK else NO
            assert code in (OK, NO, ResponseCode.INVALID_ADMIN)
            wanted[what] = expected(name, OWNERS)
            restored()
    assert found == wanted


async def test_every_operation_of_who_has_not(market):
    """402 where a proof could help, 401 where it could not; a challenge is all that a change draws."""
    handle = await fresh(market, "nobody")
    for index, allowed in READ.items():
        answer = await asked(market.plant, "enterprise", question(handle, 0, indexes=(index,)))
        wanted = OK if "nobody" in allowed else AUTH if allowed else NO
        assert answer.response_code == wanted, index
    async with market.http(PREFIX) as client:
        for method, path in (("PUT", ""), ("PUT", "?index=2"), ("DELETE", ""), ("DELETE", "?index=2")):
            answer = await client.request(method, f"/api/handles/{handle}{path}", json=[])
            assert answer.status_code == 401


async def test_public_write_opens_nothing_where_nothing_is_said(market):
    """In a record that names no template and grants nothing it is kept, as any bit, and means nothing."""
    async with market.administer(OWNER) as by:
        await by.create("88.111.1/wide-open", [text("URL", "x", permissions=0x0F)])
    async with market.administer(STRANGER) as by:
        assert (
            await code_of(by.modify("88.111.1/wide-open", [text("URL", "y", permissions=0x0F)])) is ResponseCode.INVALID_ADMIN
        )


async def test_the_whole_record_is_what_one_may_read_of_it(market):
    handle = await fresh(market, "whole")
    shown = [value for value in record() if value.index != 7]
    market.stores[PREFIX].swap(handle, market.stores[PREFIX].packed(key_of(handle)), [
        value for value in unpack_values(market.stores[PREFIX].packed(key_of(handle))) if value.index != 7
    ])  # fmt: skip
    for who, indexes in ((READER, {1, 2, 5, 50}), (MEMBER, {1, 3, 5, 50}), (OWNER, {value.index for value in shown})):
        async with market.administer(who) as by:
            assert {value.index for value in await by.read(handle)} == indexes
    async with market.administer(STRANGER) as by:
        assert await code_of(by.read(handle)) is NO


async def test_over_http_it_is_the_same(market):
    handle = await fresh(market, "http")
    for who, status in ((STRANGER, 403), (READER, 200), (None, 200)):
        async with market.http(PREFIX, auth=secret(who) if who else None) as client:
            answer = await client.get(f"/api/handles/{handle}?index=2")
            assert answer.status_code == status
            assert [value["type"] for value in answer.json().get("values", [])] == (["price"] if who is READER else [])
            assert answer.headers.get("cache-control") == ("no-store" if who is READER else None) or who is STRANGER
    async with market.http(PREFIX, auth=secret(EDITOR)) as client:
        changed = {"index": 2, "type": "price", "data": "11", "permissions": "1100"}
        assert (await client.put(f"/api/handles/{handle}?index=2", json=changed)).status_code in (200, 201)
        other = {**changed, "index": 3, "type": "terms"}
        assert (await client.put(f"/api/handles/{handle}?index=3", json=other)).status_code == 403


async def test_a_grant_ends_with_its_group(market):
    handle = await fresh(market, "group-ends")
    async with market.administer(MEMBER) as by:
        assert await code_of(by.read(handle, (3,))) is OK
    market.stores["88.111.3"].replace(GROUP.handle, [text("HS_VLIST", ValueList(()).pack(), 200)])
    market.inside[PREFIX].lookup._kept.clear()  # as if the minute were over for which it is believed
    async with market.administer(MEMBER) as by:
        assert await code_of(by.read(handle, (3,))) is NO
    market.stores["88.111.3"].replace(GROUP.handle, [text("HS_VLIST", ValueList((MEMBER,)).pack(), 200)])
    market.inside[PREFIX].lookup._kept.clear()


async def test_a_grant_that_cannot_be_is_refused(market):
    async with market.administer(OWNER) as by:
        for data in ("{}", '{"to":[],"read":[1]}', '{"to":["everyone"],"read":[1]}', '{"to":["1:88.1/x"]}', "[" * 5000,
                     '{"to":["1:88.1/x"],"read":[0]}', '{"to":["1:88.1/x"],"read":[1],"write":[1]}'):  # fmt: skip
            assert await code_of(by.create("88.111.1/odd", [text("HULIAN.GRANT", data, 1)])) is ResponseCode.INVALID_VALUE
        await by.create("88.111.1/quiet", [grant([READER], 1, read=["*"]), text("URL", "x", 2, permissions=12)])
    held = unpack_values(market.stores[PREFIX].packed(b"88.111.1/QUIET"))
    assert [value.permissions for value in held] == [12, 12], "whom a record is shown to is nobody else's business"
    async with market.administer(READER) as by:
        assert [value.type for value in await by.read("88.111.1/quiet", types=("URL",))] == ["URL"]
        assert await code_of(by.read("88.111.1/quiet", (1,))) is NO


async def test_nothing_private_is_on_the_fast_path(market):
    """Both forms of it, asked for the whole record and for one value, with and without the wish for public values only."""
    handle = await fresh(market, "plain")
    store = market.stores[PREFIX]
    plain = FromRecords(store.index, store.homed)
    answer = plain.answer(encode(question(handle)), 65_536)
    assert answer is not None
    for one in (question(handle, 0), question(handle, indexes=(2,)), question(handle, 0, indexes=(2,))):
        assert plain.answer(encode(one), 65_536) is None
    for transport in Transport.UDP, Transport.TCP:
        found, _ = read_answer(await asked(market.plant, "enterprise", question(handle), transport))
        assert isinstance(found, Values)
        assert {value.index for value in found.values} == {1, 5, 50}
        refused = await asked(market.plant, "enterprise", question(handle, 0, indexes=(2,)), transport)
        assert refused.response_code == AUTH


def test_the_table_names_every_value():
    assert {value.index for value in record()} - {61, 62, 101} == MODIFY.keys()
    assert json.loads(record()[8].data)["to"] == [f"0:{READER.handle}"]
