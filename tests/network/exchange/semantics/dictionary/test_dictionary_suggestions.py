# ruff: noqa: E501 - a table of cases
"""What raw tags may mean: suggested with reasons, confirmed by people, learned by similar tags; on both databases."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hulian.network.exchange.semantics import units
from hulian.network.exchange.semantics.dictionary import Entry, Header, Kind
from hulian.network.exchange.semantics.dictionary.general import general
from hulian.network.exchange.semantics.dictionary.suggesting import Suggester
from hulian.network.exchange.semantics.dictionary.tags import RawTag, take_apart
from hulian.network.exchange.semantics.errors import ConceptError


@pytest.fixture
def suggester(registry, dictionaries):
    return Suggester(registry, dictionaries, clock=lambda: 7)


def best(suggester, tag, aspect="quantity", **more):
    return next((item for item in suggester.suggest(RawTag(tag=tag, **more)) if item.aspect == aspect), None)


CASES = [
    ("PT_101.PV", "", "pressure", "measured-value"), ("PT_101.PV", "bar", "pressure", "measured-value"), ("PDI-12", "", "pressure-difference", "measured-value"),
    ("PDIC-12.SP", "mbar", "pressure-difference", "set-point"), ("TIC101.OP", "%", "temperature", "output"), ("10TT200A", "°C", "temperature", "measured-value"),
    ("FT200", "m3/h", "volume-flow", "measured-value"), ("FT200", "kg/h", "mass-flow", "measured-value"), ("FQ_7.TOT", "m3", "totalised-volume", "total"),
    ("LIC3.HH", "%", "level", "high-high-alarm-limit"), ("LT-5", "%", "level", "measured-value"), ("Motor1.Drehzahl.Istwert", "1/min", "speed", "measured-value"),
    ("Kessel.Austrittsdruck.Soll", "", "pressure", "set-point"), ("1号锅炉.出口压力", "", "pressure", None), ("出水温度.设定值", "", "temperature", "set-point"),
    ("AT-301", "pH", "ph", "measured-value"), ("SI_44", "rpm", "speed", "measured-value"), ("Pump3_Current", "A", "electric-current", None),
    ("VT-9", "mm/s", "vibration", "measured-value"), ("JI3", "kW", "active-power", "measured-value"), ("FIC_101.MODE", "", "volume-flow", "mode"),
    ("Boiler/FlowRate", "l/min", "volume-flow", None), ("kettle_temp_sp", "", "temperature", "set-point"), ("EI7", "V", "voltage", "measured-value"),
]  # fmt: skip


def test_tags_of_many_hands(suggester):
    """In English, German and Chinese, by letters, words, ends and units."""
    wrong = []
    for tag, unit, quantity, role in CASES:
        found = best(suggester, tag, unit=unit), best(suggester, tag, "role", unit=unit)
        if found[0] is None or found[0].concept != f"hulian:{quantity}":
            wrong.append((tag, unit, quantity, found[0]))
        if role and (found[1] is None or found[1].concept != f"hulian:{role}"):
            wrong.append((tag, unit, role, found[1]))
    assert wrong == []


def test_a_suggestion_has_reasons_and_a_name(suggester):
    found = best(suggester, "PT_101.PV", unit="bar")
    assert any("ISA-5.1" in reason for reason in found.reasons)
    assert any("bar" in reason for reason in found.reasons)
    assert 0 < found.score < 1
    assert found.confirmed is False
    assert suggester.suggest(RawTag(tag="PT_101.PV"), language="zh")[0].name == "压力"


def test_the_unit_is_evidence_for_and_against(suggester):
    assert best(suggester, "PT_1", unit="bar").score > best(suggester, "PT_1").score
    contradicted = best(suggester, "PT_1", unit="°C")
    assert contradicted.concept == "hulian:temperature"
    path = best(suggester, "B_77", path="hall 3/Temperatur")
    assert path.concept == "hulian:temperature"
    assert best(suggester, "DW4711", texts=("Durchfluss Kühlwasser",)).concept == "hulian:volume-flow"


def test_what_says_nothing_is_suggested_nothing(suggester):
    assert suggester.suggest(RawTag(tag="xyzzy")) == []
    assert suggester.suggest(RawTag(tag="")) == []


def test_a_confirmation_is_kept_and_taken_back(suggester):
    raw = RawTag(tag="ZK_17")
    suggester.confirm(raw, "hulian:density", "quantity", by="ann")
    first = best(suggester, "ZK_17")
    assert (first.concept, first.confirmed, first.score) == ("hulian:density", True, 1.0)
    suggester.confirm(raw, "hulian:temperature", "quantity", by="bob")
    assert best(suggester, "ZK_17").concept == "hulian:temperature"
    (kept,) = suggester.confirmations()
    assert (kept.tag, kept.concept, kept.by, kept.moment) == ("ZK_17", "hulian:temperature", "bob", 7)
    assert suggester.retract("ZK_17", "quantity")
    assert not suggester.retract("ZK_17", "quantity")
    assert suggester.confirmations() == []
    assert not best(suggester, "ZK_17") or not best(suggester, "ZK_17").confirmed
    found = best(suggester, "ZK_18")
    assert found is None or not any("confirmed" in reason for reason in found.reasons)


def test_a_confirmation_improves_similar_tags(suggester):
    """This plant writes ZK for densities, which no standard knows: two confirmations teach it."""
    before = best(suggester, "ZK_19.PV")
    assert before is None or before.concept != "hulian:density"
    for number in (17, 18):
        suggester.confirm(RawTag(tag=f"ZK_{number}.PV"), "hulian:density", "quantity", by="ann")
    after = best(suggester, "ZK_19.PV")
    assert after.concept == "hulian:density"
    assert not after.confirmed
    assert any("2 of 2 tags with letters 'ZK'" in reason for reason in after.reasons)
    assert best(suggester, "TT_19.PV").concept == "hulian:temperature"
    suggester.confirm(RawTag(tag="ZK_20.PV"), "hulian:density", "quantity", by="ann")
    assert best(suggester, "ZK_19.PV").score > after.score


def test_a_role_is_learned_by_its_end(suggester):
    assert best(suggester, "TT1.QX", "role") is None or best(suggester, "TT1.QX", "role").concept != "hulian:quality"
    suggester.confirm(RawTag(tag="PT7.QX"), "hulian:quality", "role", by="ann")
    suggester.confirm(RawTag(tag="PT8.QX"), "hulian:quality", "role", by="ann")
    assert best(suggester, "TT1.QX", "role").concept == "hulian:quality"
    assert best(suggester, "TT1.QX").concept == "hulian:temperature"


def test_properties_of_dictionaries_are_suggested(suggester, dictionaries):
    dictionaries.take(
        Header(name="plant"),
        [
            Entry(identifier="0173-1#02-ZZZ001#001", kind=Kind.PROPERTY, unit="bar",
                  names={"en": "outlet pressure", "de": "Austrittsdruck", "zh": "出口压力"}),
            Entry(identifier="0173-1#02-ZZZ002#001", kind=Kind.PROPERTY, names={"en": "outlet temperature"}, unit="°C"),
            Entry(identifier="own:foam", kind=Kind.QUANTITY, names={"en": "foam height"}, unit="mm", extra={"tags": {"letters": ["ZX"]}}),
        ],
    )  # fmt: skip
    found = best(suggester, "P1.Austrittsdruck", "property", unit="bar")
    assert found.concept == "0173-1#02-ZZZ001#001"
    assert best(suggester, "X9", "property", texts=("outlet temperature",), unit="°C").concept == "0173-1#02-ZZZ002#001"
    assert best(suggester, "ZX_1", unit="mm").concept == "own:foam"
    suggester.confirm(RawTag(tag="KX_1"), "IRDI:0173-1#02-ZZZ002#001", "property", by="ann")
    assert best(suggester, "KX_2", "property").concept == "0173-1#02-ZZZ002#001"


def test_many_tags_at_once_are_as_one_by_one(suggester):
    suggester.confirm(RawTag(tag="ZK_1"), "hulian:density", "quantity", by="ann")
    raws = [RawTag(tag=tag, unit=unit) for tag, unit, _, _ in CASES] + [RawTag(tag="ZK_1")]
    assert suggester.suggest_all(raws) == [suggester.suggest(raw) for raw in raws]


@pytest.mark.parametrize(
    ("concept", "aspect", "by"), [("pump", "quantity", "ann"), ("hulian:ph", "colour", "ann"), ("hulian:ph", "quantity", " ")]
)
def test_a_confirmation_that_is_none(suggester, concept, aspect, by):
    with pytest.raises(ConceptError) as error:
        suggester.confirm(RawTag(tag="PT1"), concept, aspect, by=by)
    assert error.value.hint
    assert suggester.confirmations() == []


def test_the_general_dictionary(dictionaries):
    header, entries = general()
    assert header.name == "hulian"
    taken = dictionaries.take(header, entries)
    assert taken.added == len(entries) > 60
    assert taken.repeated == []
    for entry in entries:
        assert set(entry.names) == {"en", "de", "zh"}
        assert entry.definitions["en"]
        if entry.unit:
            assert units.find(entry.unit).id
        if entry.parent:
            assert dictionaries.get(entry.parent).entry.kind is entry.kind
    assert dictionaries.find("压力", kinds=[Kind.QUANTITY])[0].entry.identifier == "hulian:pressure"


def test_tags_are_taken_apart():
    parts = take_apart(RawTag(tag="U2.PIC_101A.PV", unit="bar(g)", path="Halle 3/Kessel"))
    assert (parts.letters, parts.sure, parts.end, parts.path) == ("PIC", True, "pv", ("halle", "kessel"))
    assert parts.unit.reference == "gauge"
    assert "letters:PIC" in parts.features
    assert "end:pv" in parts.features


@pytest.mark.fuzz
@given(st.text(max_size=200), st.text(max_size=30), st.text(max_size=100))
def test_any_tag_has_parts(tag, unit, path):
    parts = take_apart(RawTag(tag=tag, unit=unit, path=path, texts=(path,)))
    assert len(parts.features) <= 64
    assert all(len(feature) <= 80 for feature in parts.features)
