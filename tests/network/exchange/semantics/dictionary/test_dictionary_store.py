"""Releases of dictionaries, their differences, words and relations, on both databases."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hulian.network.exchange.semantics.dictionary import Entry, Header, Kind, Link, words
from hulian.network.exchange.semantics.dictionary.errors import (
    DictionaryTakenError,
    NoSuchConceptError,
    NoSuchDictionaryError,
)
from hulian.network.exchange.semantics.errors import ConceptError, DocumentError

HEADER = Header(name="plant", title="The plant's own", label="1", publisher="us", licence="own")


def own():
    """Invented entries: a pump is a machine; both have properties."""
    return [
        Entry(identifier="own:machine", kind=Kind.CLASS, names={"en": "Machine", "de": "Maschine", "zh": "机器"},
              properties=("own:maker",)),
        Entry(identifier="own:pump", kind=Kind.CLASS, names={"en": "Pump", "de": "Pumpe", "zh": "泵"}, parent="own:machine",
              properties=("own:outlet-pressure", "own:material"), definitions={"en": "moves a liquid"}),
        Entry(identifier="own:dosing-pump", kind=Kind.CLASS, names={"en": "Dosing pump"}, parent="own:pump"),
        Entry(identifier="own:maker", kind=Kind.PROPERTY, names={"en": "Maker"}, datatype="STRING"),
        Entry(identifier="own:outlet-pressure", kind=Kind.PROPERTY, datatype="REAL_MEASURE", unit="bar",
              names={"en": "Outlet pressure", "de": "Austrittsdruck", "zh": "出口压力"},
              synonyms={"en": ("discharge pressure",)}),
        Entry(identifier="own:material", kind=Kind.PROPERTY, names={"en": "Material"}, value_list="own:materials"),
        Entry(identifier="own:materials", kind=Kind.VALUE_LIST, values=("own:steel", "own:bronze")),
        Entry(identifier="own:steel", kind=Kind.VALUE, value="ST", names={"en": "Steel", "zh": "钢"}),
        Entry(identifier="own:bronze", kind=Kind.VALUE, value="BZ", names={"en": "Bronze"}),
    ]  # fmt: skip


def ids(found):
    return [item.entry.identifier for item in found]


def test_what_was_taken_is_there(dictionaries):
    taken = dictionaries.take(HEADER, own(), by="ann")
    assert (taken.release, taken.added, taken.changed, taken.removed) == (1, 9, 0, 0)
    found = dictionaries.get("own:pump")
    assert found.entry == own()[1]
    assert (found.dictionary, found.release) == ("plant", 1)
    (shelved,) = dictionaries.shelf()
    assert (shelved.name, shelved.title, shelved.label, shelved.total, shelved.release) == ("plant", HEADER.title, "1", 9, 1)
    (release,) = dictionaries.releases("plant")
    assert (release.by, release.total) == ("ann", 9)


def test_the_same_again_is_no_new_release(dictionaries):
    dictionaries.take(HEADER, own())
    again = dictionaries.take(HEADER, own())
    assert (again.release, again.unchanged) == (1, 9)
    assert len(dictionaries.releases("plant")) == 1


def test_releases_and_what_differs_between_them(dictionaries):
    dictionaries.take(HEADER, own())
    second = own()
    second[1].definitions = {"en": "moves a liquid from low to high"}
    del second[8]
    second[6].values = ("own:steel",)
    second.append(Entry(identifier="own:valve", kind=Kind.CLASS, names={"en": "Valve"}))
    taken = dictionaries.take(Header(name="plant", label="2"), second)
    assert (taken.release, taken.added, taken.changed, taken.removed, taken.unchanged) == (2, 1, 2, 1, 6)
    difference = dictionaries.difference("plant", 1)
    assert [entry.identifier for entry in difference.added] == ["own:valve"]
    assert [entry.identifier for entry in difference.removed] == ["own:bronze"]
    changes = {change.key: change.fields for change in difference.changed}
    assert changes["own:pump"] == {"definitions": ({"en": "moves a liquid"}, {"en": "moves a liquid from low to high"})}
    assert changes["own:materials"]["values"] == (("own:steel", "own:bronze"), ("own:steel",))
    back = dictionaries.difference("plant", 2, 1)
    assert [entry.identifier for entry in back.added] == ["own:bronze"]
    assert len(dictionaries.difference("plant", 0, 1).added) == 9
    with pytest.raises(NoSuchConceptError):
        dictionaries.get("own:bronze")
    with pytest.raises(NoSuchDictionaryError):
        dictionaries.difference("plant", 1, 3)
    with pytest.raises(NoSuchDictionaryError) as error:
        dictionaries.difference("pants", 1)
    assert "plant" in error.value.hint


def test_an_import_that_fails_changes_nothing(dictionaries, monkeypatch):
    monkeypatch.setattr("hulian.network.exchange.semantics.dictionary.store._WRITTEN", 2)
    dictionaries.take(HEADER, own())

    def broken():
        yield from [Entry(identifier=f"own:new-{number}", kind=Kind.CLASS, names={"en": "newcomer"}) for number in range(7)]
        changed = own()[1]
        changed.names = {"en": "Changed"}
        yield changed
        yield own()[2]
        yield own()[3]
        raise DocumentError("line 7 is broken")

    with pytest.raises(DocumentError, match="line 7"):
        dictionaries.take(HEADER, broken())
    assert ids(dictionaries.find("newcomer")) == []
    assert dictionaries.get("own:pump").entry == own()[1]
    assert ids(dictionaries.find("pump", kinds=[Kind.CLASS])) == ["own:pump", "own:dosing-pump"]
    assert dictionaries.take(Header(name="plant", label="2"), own()).release == 2
    assert dictionaries.difference("plant", 1, 2).changed == []
    assert dictionaries.get("own:machine").entry == own()[0]


def test_two_at_once_do_not_mix(dictionaries, monkeypatch):
    monkeypatch.setattr("hulian.network.exchange.semantics.dictionary.store._WRITTEN", 2)

    def slow():
        yield from own()[:4]
        dictionaries.take(HEADER, own())
        yield from own()[4:]

    with pytest.raises(DictionaryTakenError):
        dictionaries.take(HEADER, slow())
    assert len(dictionaries.entries("plant")) == 9
    assert dictionaries.shelf()[0].release == 1


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("outlet pressure", "own:outlet-pressure"), ("PRESS", "own:outlet-pressure"), ("druck", "own:outlet-pressure"),
        ("Austrittsdruck", "own:outlet-pressure"), ("压力", "own:outlet-pressure"), ("出口", "own:outlet-pressure"),
        ("力", "own:outlet-pressure"),
        ("泵", "own:pump"), ("pump", "own:pump"), ("discharge", "own:outlet-pressure"), ("liquid", "own:pump"),
        ("钢", "own:steel"),
        ("own:steel", "own:steel"),
    ],
)  # fmt: skip
def test_words_of_all_languages(dictionaries, text, first):
    dictionaries.take(HEADER, own())
    assert ids(dictionaries.find(text))[0] == first


def test_words_that_are_nowhere(dictionaries):
    dictionaries.take(HEADER, own())
    assert dictionaries.find("pump valve") == []
    assert ids(dictionaries.find("valve pump", all_words=False))
    assert dictionaries.find("") == []
    assert dictionaries.find("'\";--*") == []
    assert dictionaries.find("机泵") == []
    assert ids(dictionaries.find("steel", kinds=[Kind.CLASS])) == []
    assert ids(dictionaries.find("steel", name="other")) == []


def test_relations(dictionaries):
    dictionaries.take(HEADER, own())
    assert ids(dictionaries.ancestors("own:dosing-pump")) == ["own:dosing-pump", "own:pump", "own:machine"]
    properties = dictionaries.properties_of("own:dosing-pump")
    assert [(item.entry.identifier, item.via) for item in properties] == [
        ("own:outlet-pressure", "own:pump"), ("own:material", "own:pump"), ("own:maker", "own:machine"),
    ]  # fmt: skip
    assert dictionaries.properties_of("own:dosing-pump", inherited=False) == []
    assert ids(dictionaries.classes_of("own:maker")) == ["own:machine"]
    assert ids(dictionaries.classes_of("own:maker", below=True)) == ["own:machine", "own:pump", "own:dosing-pump"]
    assert ids(dictionaries.values_of("own:material")) == ["own:steel", "own:bronze"]
    assert ids(dictionaries.referring("own:pump", Link.PARENT)) == ["own:dosing-pump"]
    with pytest.raises(NoSuchConceptError):
        dictionaries.properties_of("own:nothing")


def test_a_circle_of_classes_ends(dictionaries):
    dictionaries.take(
        HEADER,
        [
            Entry(identifier="own:a", kind=Kind.CLASS, parent="own:b", properties=("own:p",)),
            Entry(identifier="own:b", kind=Kind.CLASS, parent="own:a"),
            Entry(identifier="own:p", kind=Kind.PROPERTY),
        ],
    )
    assert ids(dictionaries.ancestors("own:a")) == ["own:a", "own:b"]
    assert ids(dictionaries.classes_of("own:p", below=True)) == ["own:a", "own:b"]


def test_editions_of_a_concept(dictionaries):
    """A concept is found by any spelling and any version; its own version is preferred between dictionaries."""
    dictionaries.take(HEADER, [Entry(identifier="0173-1#02-ZZZ001#001", kind=Kind.PROPERTY, names={"en": "one"})])
    other = Header(name="other")
    dictionaries.take(other, [Entry(identifier="0173-1#02-ZZZ001#002", kind=Kind.PROPERTY, names={"en": "two"})])
    assert dictionaries.get("0173/1///02#ZZZ001#002").dictionary == "other"
    assert dictionaries.get("IRDI:0173-1#02-ZZZ001#1").dictionary == "plant"
    assert dictionaries.get("0173-1#02-ZZZ001#002", "plant").dictionary == "plant"
    with pytest.raises(ConceptError):
        dictionaries.get("pump")


def test_what_is_there_twice_counts_once(dictionaries):
    taken = dictionaries.take(HEADER, [*own(), own()[0]])
    assert taken.repeated == ["own:machine"]
    assert taken.added == 9


def test_pages_and_removal(dictionaries):
    dictionaries.take(HEADER, own())
    first = dictionaries.entries("plant", limit=4)
    rest = dictionaries.entries("plant", after=first[-1].entry.concept.key)
    assert sorted(ids(first) + ids(rest)) == sorted(entry.identifier for entry in own())
    assert ids(dictionaries.entries("plant", kind=Kind.VALUE)) == ["own:bronze", "own:steel"]
    dictionaries.remove("plant")
    assert dictionaries.shelf() == []
    assert dictionaries.find("pump") == []
    with pytest.raises(NoSuchDictionaryError):
        dictionaries.remove("plant")


@pytest.mark.parametrize("name", ["", "a b", "../x", "x" * 200])
def test_names_that_are_none(dictionaries, name):
    with pytest.raises(DocumentError):
        dictionaries.take(Header(name=name), [])


def test_an_entry_without_identifier_is_refused(dictionaries):
    with pytest.raises(ConceptError):
        dictionaries.take(HEADER, [Entry(identifier="pump", kind=Kind.CLASS)])
    assert dictionaries.shelf() == []


@given(st.text(max_size=200))
def test_words_hold_nothing_that_a_database_would_read(text):
    for word in words.cut(text):
        assert word
        assert not set(word) & set("'\"\\*:&|!() \t\n")
