"""Queries: by attribute, words and relations; only what the asker may read is searched and told; the index follows records."""

from __future__ import annotations

import contextlib

import anyio
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from identifier_nodes import asked, question, text
from metadata_nodes import PREFIXES, follows, grant, owner, secret, template

from hulian.network.identifiers.chain.search import Search
from hulian.network.identifiers.metadata.errors import GrantError, TemplateError
from hulian.network.identifiers.metadata.grants import read_grant
from hulian.network.identifiers.metadata.query import Question, conditions
from hulian.network.identifiers.metadata.template import read_template
from hulian.network.identifiers.store import RecordStore, derived, key_of
from hulian.network.identifiers.store.changes import digest_of_values
from hulian.network.identifiers.store.tables import attribute, relation, word
from hulian.network.identifiers.store.tables import derived as marker
from hulian.network.identifiers.wire.bodies import Values, read_answer
from hulian.network.identifiers.wire.values import Reference, pack_values
from hulian.registry import Registry

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]
PREFIX = PREFIXES[0]
READER = Reference("88.111.2/reader", 301)
PUMPS = template(
    {"name": "maker", "type": "text", "index": 1, "visibility": "public"},
    {"name": "power", "type": "number", "index": 2, "visibility": "public", "unit": "kW"},
    {"name": "made", "type": "time", "index": 3, "visibility": "public"},
    {"name": "price", "type": "number", "index": 4},
    {"name": "note", "type": "text", "index": 5, "most": 4, "visibility": "public"},
)


def pump(number: int, *more):
    return [
        follows("88.111.1/pumps"),
        text("maker", ("ACME", "Ämter & Söhne", "西安泵业")[number % 3], 1),
        text("power", str(number), 2),
        text("made", f"2026-01-{number + 1:02}T08:00:00+08:00", 3),
        text("price", str(1000 + number), 4),
        text("note", ("a feed pump for hot water", "离心泵，防爆", "spare")[number % 3], 5),
        *more,
    ]


@pytest.fixture(scope="module")
async def shop(country):
    country.people("88.111.2", "reader")
    async with country.administer(owner(PREFIX)) as by:
        await by.create("88.111.1/pumps", [PUMPS])
        for number in range(12):
            granted = [grant([Reference(READER.handle)], 60, read=["price"])] if number < 3 else []
            made = text("HULIAN.MADE_OF", "88.111.2/Steel", 70, **({"permissions": 12} if number == 5 else {}))
            await by.create(f"88.111.1/Pump-{number:02}", pump(number, *granted, *([made] if number > 3 else [])))
    return country


async def found(shop, who=None, **asked) -> list[int]:
    """The numbers of the pumps that a question finds, over HTTP, page by page."""
    numbers, cursor = [], None
    async with shop.http(PREFIX, auth=secret(who) if who else None) as client:
        while True:
            answer = await client.get("/api/query", params={**asked, **({"cursor": cursor} if cursor else {})})
            assert answer.status_code == 200, answer.text
            numbers += [int(one["handle"].rpartition("-")[2]) for one in answer.json()["records"]]
            cursor = answer.json().get("cursor")
            if cursor is None:
                return numbers


@pytest.mark.parametrize(
    ("asked", "numbers"),
    [
        ({"where": "power>=9"}, [9, 10, 11]),
        ({"where": "power>9.5"}, [10, 11]),
        ({"where": ["power<=4", "power>2"]}, [3, 4]),
        ({"where": "power=7.0"}, [7]),
        ({"where": "POWER = 7"}, [7]),
        ({"where": "maker=acme"}, [0, 3, 6, 9]),
        ({"where": "maker^=äM"}, [1, 4, 7, 10]),
        ({"where": "maker^=西安"}, [2, 5, 8, 11]),
        ({"where": "made<2026-01-03T00:00:00Z"}, [0, 1]),
        ({"where": "made=2026-01-05T00:00:00Z"}, [4]),
        ({"where": "nothing=1"}, []),
        ({"text": "FEED pump"}, [0, 3, 6, 9]),
        ({"text": "feed wat*", "where": "power>3"}, [6, 9]),
        ({"text": "离心泵"}, [1, 4, 7, 10]),
        ({"text": "爆"}, [1, 4, 7, 10]),
        ({"text": "泵"}, [1, 2, 4, 5, 7, 8, 10, 11]),
        ({"text": "feed spare"}, []),
        ({"relation": "made-of:88.111.2/STEEL"}, [4, 6, 7, 8, 9, 10, 11]),
        ({"relation": "88.111.2/steel", "where": "power<8"}, [4, 6, 7]),
        ({"relation": "contains:88.111.2/steel"}, []),
        ({"template": "88.111.1/PUMPS", "limit": "5"}, list(range(12))),
        ({"where": "power>=0", "limit": "1"}, list(range(12))),
    ],
)
async def test_what_a_question_finds(shop, asked, numbers):
    assert await found(shop, **asked) == numbers


async def test_only_what_one_may_read_is_searched_and_told(shop):
    everything = list(range(12))
    assert await found(shop, where="price>=0") == []
    assert await found(shop, READER, where="price>=0") == [0, 1, 2]
    assert await found(shop, READER, where=["price>=1001", "power<9"], limit="1") == [1, 2]
    assert await found(shop, owner(PREFIX), where="price>=0", limit="5") == everything
    assert await found(shop, text="1007") == []
    assert await found(shop, READER, text="1007") == []
    assert await found(shop, owner(PREFIX), text="1007") == [7]
    assert 5 in await found(shop, owner(PREFIX), relation="made-of:88.111.2/steel")
    for who, told in ((None, 0), (READER, 1), (owner(PREFIX), 1)):
        async with shop.http(PREFIX, auth=secret(who) if who else None) as client:
            answer = await client.get("/api/query", params={"where": "power=1"})
            types = [value["type"] for value in answer.json()["records"][0]["values"]]
            assert types.count("price") == told
            assert not {"HULIAN.GRANT", "HS_ADMIN"} & set(types)
            assert (answer.headers.get("cache-control") == "no-store") is (who is not None)


async def test_a_question_that_cannot_be_is_refused(shop):
    async with shop.http(PREFIX) as client:
        for params in (
            {}, {"where": "power"}, {"where": "=1"}, {"where": "x^=" + "a" * 600}, {"where": ["a=1"] * 20},
            {"text": "!?"}, {"text": " ".join(map(str, range(40)))}, {"text": "a" * 2_000},
            {"relation": "eats:88.1/x"}, {"relation": "contains:nobody"}, {"limit": "0", "text": "a"},
            {"limit": "1001", "text": "a"}, {"text": "a", "cursor": "zzzz"}, {"text": "a", "cursor": "泵"}, {"what": "1"},
        ):  # fmt: skip
            answer = await client.get("/api/query", params=params)
            assert answer.status_code == 400, params
            assert answer.json()["message"]
        assert (await client.post("/api/query")).status_code == 405
        first = (await client.get("/api/query", params={"where": "power>=0", "limit": 2})).json()["cursor"]
        other = await client.get("/api/query", params={"where": "power>=1", "limit": 2, "cursor": first})
        assert "HL-ID-0709" in other.json()["message"], "a cursor is for its question"
    async with shop.http(PREFIX, auth=secret(READER)) as client:
        other = await client.get("/api/query", params={"where": "power>=0", "limit": 2, "cursor": first})
        assert "HL-ID-0709" in other.json()["message"], "and for who asked it"


async def test_the_index_follows_every_change(shop):
    handle = "88.111.1/changing-99"
    async with shop.administer(owner(PREFIX)) as by:
        await by.create(handle, [*pump(0), text("HULIAN.CONTAINS", "88.111.3/rotor", 80)])

        async def known() -> list[bool]:
            asks = ({"where": "power=77"}, {"text": "rusty"}, {"relation": "88.111.3/rotor"})
            return [99 in await found(shop, **one) for one in asks]

        assert await known() == [False, False, True]
        await by.modify(handle, [text("power", "77", 2), text("note", "rusty", 5)])
        assert await known() == [True, True, True]
        await by.remove(handle, [2, 80])
        assert await known() == [False, True, False]
        await by.create(handle, [text("note", "rusty", 5)], overwrite=True)
        assert await known() == [False, False, False], "without a template nothing is taken out but relations"
        await by.create(handle, pump(77 % 12), overwrite=True)
        await by.delete(handle)
    with shop.stores[PREFIX].registry.read() as connection:
        for table in (attribute, word, relation):
            assert connection.execute(sa.select(table).where(table.c.key == key_of(handle))).all() == []


async def test_the_protocol_tells_who_refers_to_a_thing(shop):
    """At the node of the thing: its own records, and those that other nodes were let in to name."""
    async with shop.administer(owner("88.111.2")) as by:
        await by.create("88.111.2/steel", [text("URL", "x"), text("HULIAN.REFERRED_BY.MADE_OF", "88.111.1/Pump-04", 7)])
        await by.create("88.111.2/coil", [text("HULIAN.MADE_OF", "88.111.2/STEEL")])
        await by.create("88.111.2/hidden", [text("HULIAN.MADE_OF", "88.111.2/steel", permissions=12)])
        asked_for = ("HULIAN.REFERRED_BY.",)
        answer, _ = read_answer(await asked(shop.plant, "88.111.2", question("88.111.2/Steel", types=asked_for)))
        assert isinstance(answer, Values)
        told = [(value.type, value.data) for value in answer.values]
        kind = "HULIAN.REFERRED_BY.MADE_OF"
        assert told == [(kind, b"88.111.1/Pump-04"), (kind, b"88.111.2/coil")]
        assert [value.data for value in await by.read("88.111.2/steel", types=asked_for)][1:] == [
            b"88.111.2/coil",
            b"88.111.2/hidden",
        ]
        for types in (("URL",), ()):
            answer, _ = read_answer(await asked(shop.plant, "88.111.2", question("88.111.2/steel", types=types)))
            assert all(value.index < 100 for value in answer.values), "who does not ask for it is not told"


def test_plain_records_write_nothing(tmp_path):
    registry = Registry.open(tmp_path / "registry.db")
    store = RecordStore(registry)
    plain = pack_values([text("URL", "https://example.com/HULIAN.RECORD"), text("HULIAN.DATA", "HULIAN.CONTAINS", 2)])
    statements: list[str] = []
    sa.event.listen(registry._engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    store.create_packed(["88.1/a", "88.1/b"], [b"88.1/A", b"88.1/B"], [plain, plain])
    store.create("88.1/c", [text("URL", "x")])
    store.replace("88.1/c", [text("URL", "y")])
    store.delete("88.1/c")
    touched = ("identifier_attribute", "identifier_word", "identifier_relation", "identifier_derived")
    assert [one for one in statements if any(name in one for name in touched)] == []
    assert any("identifier_record" in one for one in statements)
    registry.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_on_each_database_and_made_anew_where_it_is_missing(tmp_path, request, kind):
    target = tmp_path / "registry.db" if kind == "sqlite" else request.getfixturevalue("postgresql_url")
    registry = Registry.open(target)
    store = RecordStore(registry)
    refers = text("HULIAN.PART_OF_BATCH", "88.111.1/batch", 80)
    store.create_many([(f"88.111.1/P-{number}", pump(number, refers)) for number in range(5)])
    packed = pack_values(pump(9))
    store.create_packed(["88.111.1/P-9"], [b"88.111.1/P-9"], [packed])

    def contents():
        with registry.read() as connection:
            return [sorted(map(tuple, connection.execute(sa.select(table))), key=repr) for table in (attribute, word, relation)]

    from hulian.network.identifiers.chain.authority import Authority
    from hulian.network.identifiers.chain.lookup import Lookup

    async def answers(store) -> list[list[str]]:
        search = Search(store, Authority(Lookup(store)))
        asks = (
            Question(where=("power>=3",)), Question(where=("maker^=ac", "made<2026-02-01T00:00:00Z")), Question(text="离心泵"),
            Question(text="feed wat*"), Question(relations=(("part_of_batch", "88.111.1/BATCH"),), where=("power<2",)),
        )  # fmt: skip
        return [[one.handle[-1] for one in (await search.page(ask, None)).records] for ask in asks]

    first, wanted = contents(), [["3", "4", "9"], ["0", "3", "9"], ["1", "4"], ["0", "3", "9"], ["0", "1"]]
    assert await answers(store) == wanted
    with registry.write() as connection:
        connection.execute(sa.delete(word))
        connection.execute(sa.update(marker).values(version=derived.VERSION + 1))
    assert await answers(RecordStore(registry)) == wanted
    assert contents() == first
    registry.close()


def test_a_mirror_has_the_same_index(tmp_path):
    registries = [Registry.open(tmp_path / f"{name}.db") for name in ("primary", "mirror")]
    primary, mirror = map(RecordStore, registries)
    primary.create_many([(f"88.111.1/P-{number}", pump(number)) for number in range(3)])
    primary.delete("88.111.1/P-0")
    primary.replace("88.111.1/P-1", [*pump(5), text("HULIAN.CONTAINS", "88.111.1/P-2", 80)])
    changes = primary.log.read()
    for part in (changes[:2], changes[2:]):
        # As `Replicate` tells them: the values of now, where they are those after the change.
        told = [(one, primary.packed(key_of(one.handle)) or b"") for one in part]
        mirror.copy([(one, packed if digest_of_values(packed) == one.content else b"") for one, packed in told])
    found = []
    for registry in registries:
        with registry.read() as connection:
            found.append(
                [sorted(map(tuple, connection.execute(sa.select(one))), key=repr) for one in (attribute, word, relation)]
            )
        registry.close()
    assert found[0] == found[1]
    assert all(found[0])


@given(st.text(alphabet="ab1 泵离心-Ａé", max_size=30))
@settings(max_examples=60)
def test_a_text_is_found_by_itself(content):
    known = derived.words(content)
    for term, begins in derived.wanted(content):
        assert any(one.startswith(term) for one in known) if begins else term in known


VALID = [PUMPS.data, grant([READER], read=["price", 3]).data]


@given(st.sampled_from(VALID), st.integers(0, 400), st.integers(0, 20), st.binary(max_size=8))
@settings(max_examples=80)
def test_whatever_is_written_is_a_template_or_a_grant_or_a_named_error(data, at, size, other):
    broken = data[:at] + other + data[at + size :]
    for read, error in ((read_template, TemplateError), (read_grant, GrantError)):
        with contextlib.suppress(error):
            read(broken)


async def test_a_question_that_takes_too_long_is_given_up(tmp_path, monkeypatch):
    registry = Registry.open(tmp_path / "registry.db")
    store = RecordStore(registry)
    store.create_many([(f"88.111.1/P-{number}", pump(number % 12)) for number in range(301)])
    from hulian.network.identifiers.chain import search as module
    from hulian.network.identifiers.chain.authority import Authority
    from hulian.network.identifiers.chain.lookup import Lookup
    from hulian.network.identifiers.metadata.errors import QueryError

    search = Search(store, Authority(Lookup(store)))
    assert len((await search.page(Question(where=("power>=0",)), None, most=300)).records) == 300
    monkeypatch.setattr(module, "SECONDS", 0.0)
    with pytest.raises(QueryError, match="too long"):
        await search.page(Question(where=("power>=0",)), None)
    monkeypatch.undo()
    assert (await search.page(Question(where=("power>=0",)), None, most=1)).records, "the connection serves the next one"
    async with anyio.create_task_group() as group:
        refused = []

        async def one() -> None:
            try:
                await search.page(Question(where=("power>=0",)), None)
            except QueryError as error:
                refused.append(error)

        for _ in range(6):
            group.start_soon(one)
    assert len(refused) == 2
    registry.close()


def test_conditions_are_counted_before_anything_is_asked():
    assert len(conditions(Question(text="a b c", where=("x=1",), relations=(("", "88.1/x"),), template="88.1/t"))) == 6
