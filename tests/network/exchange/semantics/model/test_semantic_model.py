"""The model keeps documents in versions, tells what a new one changes before it does, and answers by meaning."""

import time

import pytest
import sqlalchemy as sa
from plain_models import a_model, source, written

from hulian.network.exchange.semantics.contract import Attachment, Constraints, Kind, Node, Reference, Relation
from hulian.network.exchange.semantics.documents import memory_source
from hulian.network.exchange.semantics.errors import (
    ChangedError,
    ConflictError,
    DocumentError,
    ModelError,
    NoSuchNodeError,
    QueryError,
)
from hulian.network.exchange.semantics.model import Note, Question, tables, versions
from hulian.network.exchange.semantics.model.excerpts import Excerpts
from hulian.network.exchange.semantics.plain import FORMAT

PRESSURE, PUMP = "0112/2///1#AAA001", "0112/2///1#PPP001"


def plant(pumps=3, unit="bar"):
    """Two lines with pumps; what one calls p_out the other calls PT_101, and both mean the same."""
    nodes = [
        Node(id="t/pump", kind=Kind.OBJECT_TYPE, name="Pump", meanings=(PUMP + "#002",)),
        Node(id="t/big", kind=Kind.OBJECT_TYPE, name="BigPump", type="t/pump"),
        Node(id="plant", kind=Kind.FOLDER, name="Plant"),
    ]
    for line in (1, 2):
        nodes.append(Node(id=f"l{line}", kind=Kind.OBJECT, name=f"Line {line}", parent="plant"))
        for number in range(pumps):
            pump = f"l{line}/p{number}"
            nodes += [
                Node(id=pump, kind=Kind.OBJECT, name=f"P-{number}", parent=f"l{line}", type="t/big" if number else "t/pump"),
                Node(
                    id=f"{pump}/out",
                    kind=Kind.PROPERTY,
                    name="p_out" if line == 1 else "PT_101",
                    parent=pump,
                    unit=unit if line == 1 else "kPa",
                    datatype="xs:double",
                    value="1.5",
                    meanings=(PRESSURE + ("#001" if line == 1 else "#003"),),
                ),
            ]
        nodes.append(Node(id=f"l{line}/p", kind=Kind.PROPERTY, name="p", parent=f"l{line}", unit="bar", meanings=(PRESSURE,)))
    return nodes


def imported(model, nodes, references=(), name="plant", **more):
    found = model.read(FORMAT, source(nodes, references, **more), name, "ann")
    model.apply(found.version.key)
    return found


def ids(answer):
    return [node.id for node in answer.nodes]


def test_what_was_read_is_written_again_and_nothing_shows_before_it_is_applied(registry):
    model = a_model(registry)
    nodes = plant()
    nodes[0] = Node(
        id="t/pump",
        kind=Kind.OBJECT_TYPE,
        name="Pump",
        labels={"en": "Pump", "zh": "泵"},
        constraints=Constraints(low="0", choices=(("1", "on"),)),
        extra={"aml": {"header": ["a", 1, None, 2.5]}},
    )
    references = [
        Reference("l1/p0", Relation.LINK, "l1/p1", {"aml": {"name": "pipe"}}),
        Reference("l1/p0", "role", "elsewhere"),
    ]
    files = [Attachment("a/manual.pdf", "application/pdf", bytes(range(256)) * 10), Attachment("b", "text/plain", b"")]
    given = source(nodes, references, files, title="A plant", namespaces=("http://plant",))
    found = model.read(FORMAT, given, "plant", "ann")
    assert model.documents() == []
    assert found.differences.added == len(nodes)
    assert [finding.rule for finding in found.findings] == ["reference"]
    assert "elsewhere" in found.findings[0].message
    model.apply(found.version.key)
    assert [version.document.name for version in model.documents()] == ["plant"]
    again = written(FORMAT, model.content("plant")).replace(b'"name":"plant","format"', b'"name":"x","format"')
    assert again.strip() == given.open().read()
    version = model.documents()[0]
    assert (version.who, version.nodes, version.references, version.size) == ("ann", len(nodes), 2, given.size)
    assert model.content("plant").node("l1/p0") == nodes[4]


def test_a_new_version_tells_what_it_changes_field_by_field(registry):
    model = a_model(registry)
    imported(model, plant(), [Reference("l1", "link", "l2")])
    changed = [node for node in plant(unit="mbar") if node.id != "l2/p"] + [
        Node(id="new", kind=Kind.OBJECT, name="New", parent="plant")
    ]
    found = model.read(FORMAT, source(changed, [Reference("l2", "link", "l1")]), "plant", "ben")
    assert (found.differences.added, found.differences.removed, found.differences.changed) == (1, 1, 3)
    assert (found.differences.references_added, found.differences.references_removed) == (1, 1)
    by_node = {change.node: change for change in found.differences.first}
    assert by_node["l1/p0/out"].fields == {"unit": ("bar", "mbar")}
    assert (by_node["new"].what, by_node["l2/p"].what) == ("added", "removed")
    assert ids(model.find(Question(name="New"))) == [], "nothing is changed yet"
    model.apply(found.version.key)
    assert ids(model.find(Question(name="New"))) == ["new"]
    assert [version.who for version in model.history("plant")] == ["ben", "ann"]
    back = model.history("plant")[1].key
    model.apply(back)
    assert ids(model.find(Question(name="New"))) == []
    assert model.differences(back, back).none


def test_old_versions_beyond_those_kept_go_with_all_their_rows(registry):
    model = a_model(registry)
    for number in range(8):
        imported(
            model, [Node(id="a", kind=Kind.OBJECT, name=f"A{number}", meanings=(PRESSURE,))], [Reference("a", "link", "a")]
        )
    assert len(model.history("plant")) == 5
    with registry.read() as connection:
        for table in (tables.node, tables.meaning, tables.reference):
            assert connection.execute(sa.select(sa.func.count()).select_from(table)).scalar() == 5


def test_a_change_made_on_what_is_no_longer_current_changes_nothing(registry):
    model = a_model(registry)
    first = imported(model, [Node(id="a", kind=Kind.OBJECT, name="A")]).version.key
    mine = model.read(FORMAT, source([Node(id="a", kind=Kind.OBJECT, name="mine")]), "plant", "ann").version.key
    theirs = imported(model, [Node(id="a", kind=Kind.OBJECT, name="theirs")]).version.key
    for changes in (
        lambda: model.apply(mine, instead_of=first),
        lambda: model.apply(mine, instead_of=None),
        lambda: model.remove("plant", instead_of=first),
    ):
        with pytest.raises(ChangedError):
            changes()
        assert model.node("a")[0].name == "theirs"
    model.apply(mine, instead_of=theirs)
    assert model.node("a")[0].name == "mine"
    model.remove("plant", instead_of=mine)
    new = model.read(FORMAT, source([Node(id="a", kind=Kind.OBJECT, name="new")]), "plant", "ann").version.key
    model.apply(new, instead_of=None)
    assert model.node("a")[0].name == "new"


def test_parts_of_a_version_are_read_without_the_rest(registry):
    model = a_model(registry)
    references = [Reference("l1/p0", "link", "l2/p0"), Reference("l2/p0", "link", "l1/p0"), Reference("l1/p0", "same", "l1/p1")]
    nodes = plant(pumps=400)
    key = imported(model, nodes, references, attachments=[Attachment("a/b.png", "image/png", b"png")]).version.key
    excerpts = Excerpts(registry)
    assert excerpts.heads() == [("plant", key)]
    assert excerpts.current("plant") == key
    assert excerpts.documents([key, key + 1])[key][1] == len(nodes)
    assert [node.id for node in excerpts.nodes(key, 3, 1003)] == [node.id for node in nodes[3:1003]]
    assert list(excerpts.nodes(key)) == nodes
    assert {place: node.id for place, node in excerpts.nodes_at(key, [1, 5, 10**6]).items()} == {1: nodes[1].id, 5: nodes[5].id}
    assert excerpts.references(key, ["l1/p0"]) == [references[0], references[2]]
    assert [(place, parent) for place, parent, _ in excerpts.outline(key, (Kind.OBJECT,)) if parent >= 0] == [
        (place, 2) for place, node in enumerate(nodes) if node.parent == "plant"
    ]
    assert excerpts.attachment(key, "a/b.png").content == b"png"
    assert excerpts.attachment(key, "b.png") is None
    before = excerpts.revision()
    model.note([Note("l1/p0/out", "point", "99.1/p#out")])
    assert excerpts.points() == {"l1/p0/out": "99.1/p#out"}
    assert excerpts.revision() != before


def test_every_outlet_pressure_in_bar_of_pumps_in_line_2_whatever_a_device_called_it(registry):
    model = a_model(registry)
    imported(model, plant())
    question = Question(meaning="outlet pressure", of="pump", inside="plant/line 2", unit="bar")
    answer = model.find(question)
    assert [node.path for node in answer.nodes] == [f"Plant/Line 2/P-{number}/PT_101" for number in range(3)]
    assert {(node.unit, node.factor, node.offset) for node in answer.nodes} == {("kPa", 0.01, 0.0)}
    assert ids(model.find(Question(meaning=PRESSURE + "#777", of="t/big", inside="Line 1"))) == ["l1/p1/out", "l1/p2/out"]
    assert ids(model.find(Question(type="Pump", inside="Line 2"))) == ["l2/p0", "l2/p1", "l2/p2"]
    assert len(model.find(Question(meaning=PRESSURE)).nodes) == 8
    limited = model.find(Question(meaning=PRESSURE, limit=2))
    assert (limited.total, len(limited.nodes)) == (8, 2)
    assert len(model.find(Question(kind="object type", document="plant")).nodes) == 2


@pytest.mark.parametrize(
    ("question", "place"),
    [
        (Question(meaning="no such word"), "meaning"),
        (Question(kind="thing"), "kind"),
        (Question(document="other"), "document"),
        (Question(inside=" / "), "inside"),
        (Question(limit=0), "limit"),
    ],
)
def test_a_question_that_cannot_be_asked_is_told_where(sqlite_registry, question, place):
    model = a_model(sqlite_registry)
    imported(model, plant())
    with pytest.raises(QueryError) as told:
        model.find(question)
    assert told.value.place == place


def test_what_people_note_outlives_versions_and_has_a_history(registry):
    model = a_model(registry)
    imported(model, plant())
    model.note(
        [Note("l1/p0/out", "point", "99.118.8/pump-0#outlet.pressure", "ann"), Note("l1/p", "meaning", PUMP + "#1", "ann")]
    )
    with pytest.raises(NoSuchNodeError):
        model.note([Note("l1/p0/out", "point", "99.118.8/other#x", "ann"), Note("nowhere", "point", "x", "ann")])
    with pytest.raises(ModelError, match="cannot be set"):
        model.note([Note("l1", "colour", "red", "ann")])
    found = imported(model, [node for node in plant() if node.id != "l1/p"])
    assert found.orphans == 1
    assert model.find(Question(meaning=PRESSURE, inside="Line 1/P-0")).nodes[0].point == "99.118.8/pump-0#outlet.pressure"
    imported(model, plant())
    assert "l1/p" in ids(model.find(Question(meaning=PUMP, kind="property")))
    model.note([Note("l1/p0/out", "point", "", "ben")])
    assert [note.node for note in model.notes()] == ["l1/p"]
    with registry.read() as connection:
        log = connection.execute(sa.select(tables.note_log).where(tables.note_log.c.node == "l1/p0/out")).all()
    assert [(row.before, row.after, row.who) for row in log] == [
        (None, "99.118.8/pump-0#outlet.pressure", "ann"),
        ("99.118.8/pump-0#outlet.pressure", None, "ben"),
    ]


def test_many_notes_are_kept_together_and_of_two_on_one_place_the_later_counts(registry):
    model = a_model(registry)
    imported(model, plant())
    every = [node.id for node in plant()]
    model.note([Note(node, "label", f"{number}.{node}", "ann") for number in range(3) for node in every * 60])
    assert {(note.node, note.value) for note in model.notes("label")} == {(node, f"2.{node}") for node in every}
    with registry.read() as connection:
        row = tables.note_log.c
        log = connection.execute(sa.select(row.before, row.after).where(row.node == "l1/p0").order_by(row.sequence)).all()
    assert [tuple(one) for one in log] == [(None, "0.l1/p0"), ("0.l1/p0", "1.l1/p0"), ("1.l1/p0", "2.l1/p0")]
    model.note([Note("l1/p0", "label", "", "ann"), Note("l1/p0", "label", "kept", "ann")])
    assert [note.value for note in model.notes("label") if note.node == "l1/p0"] == ["kept"]


def test_a_note_counts_at_once_and_the_shape_of_the_model_is_not_read_again(registry):
    model = a_model(registry)
    imported(model, plant())
    shape = model.columns()
    model.note([Note("l1/p0", "meaning", PUMP, "ann")])
    assert ids(model.find(Question(meaning=PUMP, kind="object"))) == ["l1/p0"]
    model.note([Note("l1/p0", "meaning", "", "ann")])
    assert not ids(model.find(Question(meaning=PUMP, kind="object")))
    assert model.columns() is shape
    imported(model, [node for node in plant() if node.id != "l1/p"])
    assert model.columns() is not shape


def test_two_documents_cannot_have_one_node(registry):
    model = a_model(registry)
    imported(model, plant())
    found = model.read(FORMAT, source(plant()[:3]), "other", "ben")
    assert {(finding.severity, finding.rule) for finding in found.errors} == {("error", "conflict")}
    with pytest.raises(ConflictError, match="plant"):
        model.apply(found.version.key)
    model.remove("plant")
    model.apply(found.version.key)
    assert [version.document.name for version in model.documents()] == ["other"]
    with pytest.raises(ModelError, match="current one"):
        model.discard(found.version.key)


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ([Node(id="a", kind=Kind.OBJECT, name="A"), Node(id="a", kind=Kind.OBJECT, name="B")], "twice"),
        ([Node(id="", kind=Kind.OBJECT, name="A")], "characters"),
        ([Node(id="a" * 1025, kind=Kind.OBJECT, name="A")], "characters"),
    ],
)
def test_a_document_that_no_model_can_hold_leaves_nothing(registry, nodes, words):
    model = a_model(registry)
    imported(model, plant())
    with pytest.raises(DocumentError, match=words):
        model.read(FORMAT, source([*nodes, Node(id="z", kind=Kind.OBJECT, name="Z", meanings=(PRESSURE,))]), "other", "ben")
    with pytest.raises(DocumentError, match="line 2"):
        model.read(FORMAT, memory_source("x", source([]).open().read() + b"\n{]"), "other", "ben")
    with registry.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(tables.version)).scalar() == 1
        assert connection.execute(sa.select(sa.func.count()).select_from(tables.node)).scalar() == len(plant())


def test_parents_may_come_later_but_not_in_circles(registry):
    model = a_model(registry)
    child, parent = (
        Node(id="child", kind=Kind.OBJECT, name="Child", parent="parent"),
        Node(id="parent", kind=Kind.OBJECT, name="Parent"),
    )
    imported(model, [child, parent], name="late")
    assert model.find(Question(name="Child")).nodes[0].path == "Parent/Child"
    parent.parent = "child"
    found = model.read(FORMAT, source([child, parent]), "late", "ann")
    assert [finding.rule for finding in found.errors] == ["circle"]
    with pytest.raises(ConflictError, match="under itself"):
        model.apply(found.version.key)


def test_what_an_import_that_was_killed_left_is_cleared(registry):
    model = a_model(registry)

    class Killed:
        name = "hulian"

        def read(self, given, name, losses):
            document, batches = FORMAT.read(given, name, losses)
            return document, (batch for batch in [*batches, None])

    # kill -9 between two parts: nothing of the clean-up runs.
    original, versions.drop = versions.drop, lambda registry, key: None
    try:
        with pytest.raises(AttributeError):
            model.read(Killed(), source(plant()), "plant", "ann")
    finally:
        versions.drop = original
    with registry.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(tables.version)).scalar() == 1
    model.clear(older_than=time.time_ns())
    with registry.read() as connection:
        for table in (tables.version, tables.node, tables.meaning):
            assert connection.execute(sa.select(sa.func.count()).select_from(table)).scalar() == 0
