"""Patterns in their closed grammar, bulk edits, and templates instantiated a hundred times."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hulian.data.catalogue import (
    Catalogue,
    ConnectorRecord,
    ListFormatError,
    ListLimitError,
    PatternError,
    TemplateError,
    UnknownTemplateError,
    VersionError,
    taglist,
)
from hulian.data.catalogue.taglist import Edit, Parameter, Replacement, Template, Templates
from hulian.data.catalogue.taglist.patterns import Pattern
from hulian.kernel.point import Point

PLC = ConnectorRecord(name="plc", protocol="modbus", url="modbus://192.0.2.4")
PUMP = Template(
    name="pump",
    text="a pump with its drive",
    parameters=[Parameter(name="base", text="first register"), Parameter(name="line", default="1")],
    columns=["identifier", "tag", "path", "connector", "address", "unit", "text.en"],
    rows=[
        [
            "99.1/pump-{number:03}#pressure",
            "PT-{line}{number:02}",
            "works/line {line}",
            "plc",
            "holding@{base}:float32",
            "bar",
            "",
        ],
        [
            "99.1/pump-{number:03}#speed",
            "ST-{line}{number:02}",
            "works/line {line}",
            "plc",
            "holding@{base+2}:float32",
            "/min",
            "speed of {name}",
        ],
    ],
)


@pytest.fixture
def catalogue(registry):
    made = Catalogue(registry, "acme")
    made.add_connector(PLC)
    return made


@pytest.mark.parametrize(
    ("pattern", "filled"),
    [
        ("plain", "plain"),
        ("", ""),
        ("{name}", "Pump"),
        ("{{{name}}}", "{Pump}"),
        ("{base+2}", "102"),
        ("{ base - 2 * number + 1 }", "95"),
        ("{number:04}", "0003"),
        ("{2-number:03}", "-001"),
        ("{text.en}", "a text"),
        ("{压力}", "x"),
    ],
)
def test_patterns_are_filled(pattern, filled):
    values = {"name": "Pump", "base": "100", "number": "3", "text.en": "a text", "压力": "x"}
    assert Pattern(pattern).fill(values) == filled


@pytest.mark.parametrize(
    "pattern",
    [
        "{",
        "}",
        "{}",
        "{a",
        "{a+}",
        "{+a}",
        "{a b}",
        "{a/2}",
        "{a**2}",
        "{(a)}",
        "{a:3}",
        "{a:x}",
        "{a.__class__!r}",
        "{1+" + "a+" * 40 + "1}",
        "{a[0]}",
        "{'a'}",
    ],
)
def test_what_is_outside_the_grammar_is_refused(pattern):
    with pytest.raises(PatternError):
        Pattern(pattern)


def test_filling_says_what_is_missing_and_never_grows_without_bound():
    with pytest.raises(PatternError, match="nothing is called 'b'"):
        Pattern("{b}").fill({"a": "1"})
    with pytest.raises(PatternError, match="no whole number"):
        Pattern("{a+1}").fill({"a": "1.5"})
    with pytest.raises(PatternError, match="too large"):
        Pattern("{" + "*".join(["a"] * 20) + "}").fill({"a": "999999999"})
    with pytest.raises(PatternError, match="longer"):
        Pattern("{a}" * 600).fill({"a": "x" * 1000})


@given(st.text(max_size=60))
def test_any_text_is_a_pattern_or_one_clear_error(text):
    try:
        pattern = Pattern(text)
        pattern.fill(dict.fromkeys(pattern.names, "7"))
    except PatternError:
        pass


@given(st.text(max_size=60))
def test_a_text_with_doubled_braces_is_itself(text):
    assert Pattern(text.replace("{", "{{").replace("}", "}}")).fill({}) == text


def preview(catalogue, template, instances):
    rows, columns, faults = taglist.instantiated(template, instances)
    return taglist.preview(catalogue, rows, columns, faults)


def test_a_hundred_machines_of_one_template(catalogue):
    templates = Templates(catalogue)
    kept = templates.put(PUMP)
    assert [parameter.name for parameter in kept.parameters] == ["base", "line", "name"]
    table = "base,name\n" + "".join(f"{100 + 10 * at},Pump {at}\n" for at in range(100))
    instances = taglist.instances_of(taglist.read_list(table.encode()), kept)
    found = preview(catalogue, kept, instances)
    assert (found.added, found.faulty) == (200, 0)
    rows, _, faults = taglist.instantiated(kept, instances)
    assert taglist.apply(catalogue, rows, faults, found.digest).points.added == 200
    point = catalogue.point("99.1/pump-100#speed").point
    assert (point.tag, point.address, point.texts) == ("ST-1100", "holding@1092:float32", {"en": "speed of Pump 99"})
    assert preview(catalogue, kept, instances).unchanged == 200


def test_mistakes_name_the_instance(catalogue):
    template = PUMP.checked()
    found = preview(
        catalogue, template, [{"base": "0", "name": "a"}, {"base": "x", "name": "b"}, {"name": "c"}, {"base": "0", "name": "d"}]
    )
    places = {(fault.row, fault.column, fault.code) for fault in found.faults}
    assert places == {
        (2, "address", "HL-CATALOGUE-0015"),
        (3, "base", "HL-CATALOGUE-0017"),
        (4, "address", "HL-CATALOGUE-0005"),
    }
    with pytest.raises(TemplateError, match="no parameter"):
        taglist.instantiated(template, [{"colour": "red"}])
    with pytest.raises(TemplateError, match="no parameter"):
        taglist.instances_of(taglist.read_list(b"colour\nred\n"), template)
    with pytest.raises(ListLimitError):
        taglist.instantiated(template, [{"base": "1", "name": "x"}] * 100_001)


def test_patterns_cannot_make_much_of_little(monkeypatch):
    monkeypatch.setattr("hulian.data.catalogue.taglist.grid.MOST_CHARACTERS", 10_000)
    with pytest.raises(ListLimitError, match="characters"):
        taglist.instantiated(PUMP.checked(), [{"base": "1", "name": "x" * 900}] * 20)


def test_templates_are_kept_changed_at_their_version_and_forgotten(catalogue):
    templates = Templates(catalogue)
    first = templates.put(PUMP)
    assert templates.all() == [first] == [templates.get("pump")]
    with pytest.raises(VersionError):
        templates.put(PUMP)
    second = templates.put(msgspec.structs.replace(first, text="changed"))
    assert (second.version, templates.get("pump").text) == (2, "changed")
    templates.remove("pump")
    with pytest.raises(UnknownTemplateError):
        templates.get("pump")
    for wrong in ({"columns": ["tag"]}, {"rows": [["{"]]}, {"name": " x"}, {"parameters": [Parameter(name="number")]}):
        with pytest.raises((TemplateError, PatternError, ListFormatError)):
            templates.put(msgspec.structs.replace(PUMP, **wrong))


def test_a_template_after_a_machine_makes_that_machine(catalogue):
    points = [
        Point(
            name="99.1/p{1}#a",
            series=0,
            connector="plc",
            address="x{y}",
            tag="T",
            texts={"de": "Druck"},
            enumeration={"0": {"en": "off"}},
        ),
        Point(name="99.1/p{1}#b", series=0, connector="plc", address="z", unit="bar"),
    ]
    catalogue.upsert_points(points)
    template = taglist.template_of("p", points, taglist.columns_for(points))
    assert [parameter.name for parameter in template.parameters] == ["machine", "connector"]
    same = preview(catalogue, template, [{"machine": "p{1}"}])
    assert (same.unchanged, same.added, same.faulty) == (2, 0, 0)
    with pytest.raises(TemplateError):
        taglist.template_of("p", [*points, Point(name="99.1/q#b", series=0)], taglist.columns_for(points))


def test_an_edit_sets_replaces_and_names_by_pattern(catalogue):
    catalogue.upsert_points(
        Point(name=f"99.1/pump-{at}#pressure", series=0, connector="plc", address=f"a{at}", path="works/hall 1", tag=f"P-{at}")
        for at in (1, 2, 3)
    )
    points = [record.point for record in catalogue.search("").items]
    edit = Edit(
        set={"tag": "{thing}.{property}", "path": "{path.1}/line {number}", "unit": "bar", "high": "{number*10}"},
        replace=[Replacement(column="tag", find="pump-", put="P"), Replacement(column="path", find="works", put="plant")],
    )
    rows, columns, faults = taglist.edited(points, edit)
    found = taglist.preview(catalogue, rows, columns, faults, only_known=True)
    assert [(cell.column, cell.old, cell.new) for cell in found.rows[1].cells] == [
        ("tag", "P-2", "P2.pressure"),
        ("path", "works/hall 1", "plant/line 2"),
        ("unit", "", "bar"),
        ("high", "", "20"),
    ]
    assert taglist.apply(catalogue, rows, faults, found.digest, only_known=True).points.changed == 3
    rows, columns, faults = taglist.edited(points, Edit(set={"unit": "", "kind": "", "low": "x{tag}"}))
    told = taglist.preview(catalogue, rows, columns, faults, only_known=True)
    assert {(fault.row, fault.column) for fault in told.faults} == {
        (at, column) for at in (1, 2, 3) for column in ("kind", "low")
    }
    for wrong in ({"identifier": "x"}, {"colour": "x"}):
        with pytest.raises(ListFormatError):
            taglist.edited(points, Edit(set=wrong))
