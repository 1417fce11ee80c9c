"""The model looked at node by node: pages of children, both ends of references, the way down, what is around, points."""

import time

import pytest
import sqlalchemy as sa
from plain_models import a_model, source

from hulian.network.exchange.semantics.contract import Kind, Node, Reference, Relation
from hulian.network.exchange.semantics.errors import NoSuchNodeError, QueryError
from hulian.network.exchange.semantics.model import Note
from hulian.network.exchange.semantics.plain import FORMAT


def imported(model, nodes, references=(), name="plant"):
    model.apply(model.read(FORMAT, source(nodes, references), name, "ann").version.key)


def plant(things=5):
    nodes = [
        Node(id="t/pump", kind=Kind.OBJECT_TYPE, name="Pump", labels={"en": "Pump", "zh": "泵"}),
        Node(id="t/big", kind=Kind.OBJECT_TYPE, name="BigPump", type="t/pump"),
        Node(id="line", kind=Kind.OBJECT, name="Line 2"),
    ]
    for number in range(things):
        nodes.append(Node(id=f"p{number}", kind=Kind.OBJECT, name=f"P-{number}", parent="line", type="t/big"))
        nodes.append(Node(id=f"p{number}/out", kind=Kind.PROPERTY, name="p_out", parent=f"p{number}", unit="bar"))
    references = [Reference(f"p{number}", Relation.LINK, f"p{number + 1}") for number in range(things - 1)]
    return nodes, [*references, Reference("p0", Relation.ROLE, "elsewhere")]


def ids(found):
    return [one.node.id for one in found]


def test_children_come_in_pages_in_the_order_of_the_document(registry):
    model = a_model(registry)
    imported(model, *plant())
    imported(model, [Node(id="other", kind=Kind.OBJECT, name="Other")], name="second")
    imported(model, *plant())  # the version before stays, and shows nowhere
    assert ids(model.children("")) == ["other", "t/pump", "t/big", "line"]
    assert ids(model.children("", document="second")) == ["other"]
    first = model.children("line", limit=2)
    assert ids(first) == ["p0", "p1"]
    assert [one.children for one in first] == [True, True]
    rest = model.children("line", after=first[-1].place)
    assert ids(rest) == ["p2", "p3", "p4"]
    assert not model.children("p0")[0].children
    assert {one.document for one in rest} == {"plant"}
    top = model.children("", limit=2)
    assert ids(model.children("", after=top[-1].place)) == ["t/big", "line"]
    with pytest.raises(NoSuchNodeError):
        model.children("nobody")
    with pytest.raises(QueryError, match="limit"):
        model.children("line", limit=10_000)
    with pytest.raises(QueryError, match="no document"):
        model.children("", document="third")


def test_where_a_node_stands_and_what_it_is(registry):
    model = a_model(registry)
    imported(model, *plant())
    one = model.seen("p1/out")
    assert ids(model.way_down(one)) == ["line", "p1"]
    assert [link.identity for link in model.type_chain(model.seen("p1").node)] == ["t/big", "t/pump"]
    assert model.way_down(model.seen("line")) == []
    with pytest.raises(NoSuchNodeError):
        model.seen("nobody")


def test_a_circle_of_types_ends(registry):
    model = a_model(registry)
    types = [Node(id=f"t{number}", kind=Kind.OBJECT_TYPE, name="T", type=f"t{1 - number}") for number in (0, 1)]
    imported(model, [*types, Node(id="x", kind=Kind.OBJECT, name="X", type="t0")])
    assert [link.identity for link in model.type_chain(model.seen("x").node)] == ["t0", "t1"]


def test_references_are_seen_from_both_ends_even_where_one_is_missing(registry):
    model = a_model(registry)
    imported(model, *plant())
    imported(model, *plant())
    out = model.references("p0", out=True)
    assert [(one.relation, one.identity, one.other and one.other.node.name) for one in out] == [
        ("link", "p1", "P-1"),
        ("role", "elsewhere", None),
    ]
    assert [one.identity for one in model.references("p1", out=False)] == ["p0"]
    assert [one.identity for one in model.references("elsewhere", out=False)] == ["p0"]
    assert [one.identity for one in model.references("p0", out=True, after=out[0].place)] == ["elsewhere"]
    assert [one.identity for one in model.references("p0", out=True, limit=1)] == ["p1"]


def test_what_is_around_a_node_is_bounded_and_says_so(registry):
    model = a_model(registry)
    imported(model, *plant(60))
    graph = model.around("p1")
    assert ids(graph.nodes) == ["p1", "line", "t/big", "p1/out", "p2", "p0"]
    assert {(edge.source, edge.relation, edge.target) for edge in graph.edges} == {
        ("line", "component", "p1"),
        ("p1", "type", "t/big"),
        ("p1", "component", "p1/out"),
        ("p1", "link", "p2"),
        ("p0", "link", "p1"),
    }
    assert graph.more == graph.absent == []
    wide = model.around("line", limit=10)
    assert len(wide.nodes) == 10
    assert wide.more == ["line"]
    assert model.around("p0").absent == ["elsewhere"]
    deep = model.around("p5", depth=2, limit=200)
    assert {"p3", "p4", "p6", "p7", "t/pump", "line"} <= set(ids(deep.nodes))
    assert len({(edge.source, edge.relation, edge.target) for edge in deep.edges}) == len(deep.edges)
    for wrong in ({"depth": 0}, {"depth": 4}, {"limit": 1}, {"limit": 201}):
        with pytest.raises(QueryError):
            model.around("p1", **wrong)


def test_nodes_are_found_by_a_part_of_their_name(registry):
    model = a_model(registry)
    assert model.search("p") == (0, [])
    nodes, _ = plant()
    imported(model, [*nodes, Node(id="x", kind=Kind.OBJECT, name="pump house"), Node(id="y", kind=Kind.OBJECT, name="100%_")])
    total, found = model.search("PUMP")
    assert (total, ids(found)) == (3, ["t/pump", "x", "t/big"])
    assert ids(model.search("p_o")[1]) == [f"p{number}/out" for number in range(5)]
    assert model.search("p_o", limit=2)[0] == 5
    assert ids(model.search("%_")[1]) == ["y"]
    assert ids(model.search("p3")[1]) == ["p3"]
    model.note([Note("p4", "label", "Condensate pump"), Note("p2/out", "identifier", "99.118.8/p2")])
    assert ids(model.search("condensate")[1]) == ["p4"]
    assert ids(model.search("99.118.8/P2")[1]) == ["p2/out"]
    for wrong in ("", " ", "x" * 201, "a\nb"):
        with pytest.raises(QueryError):
            model.search(wrong)


def test_nodes_are_found_by_what_they_are_called_in_every_language(registry):
    model = a_model(registry)
    labels = [{"zh": "出口压力", "en": "Outlet pressure"}, {"zh": "进口压力"}, {"en": "P"}, {}]
    nodes = [
        Node(id=f"n{number}", kind=Kind.PROPERTY, name="P" if number == 2 else f"p{number}", labels=said)
        for number, said in enumerate(labels)
    ]
    imported(model, nodes)
    assert ids(model.search("压力")[1]) == ["n0", "n1"]
    assert ids(model.search("出口")[1]) == ["n0"]
    assert ids(model.search("OUTLET")[1]) == ["n0"]
    assert model.search("p")[0] == 4, "each once, by its name or its label"
    assert ids(model.search("p")[1])[0] == "n2", "what is called just so comes first"
    # Another version: what the first said is forgotten.
    imported(model, [Node(id="n0", kind=Kind.PROPERTY, name="p0", labels={"zh": "入口\n温度"})])
    assert model.search("压力") == (0, [])
    assert ids(model.search("入口 温度")[1]) == ["n0"]


def test_a_point_leads_to_its_nodes_by_notes_and_by_documents(registry):
    model = a_model(registry)
    point = "99.118.8/pump-1#out"
    nodes, references = plant()
    nodes[4] = Node(id="p0/out", kind=Kind.PROPERTY, name="point", parent="p0", point=point)
    imported(model, nodes, references)
    assert ids(model.at_point(point)) == ["p0/out"]
    model.note([Note("p1/out", "point", point, "ann")])
    assert ids(model.at_point(point)) == ["p1/out", "p0/out"]
    model.note([Note("p0/out", "point", "99.118.8/pump-2#out", "ann")])
    assert ids(model.at_point(point)) == ["p1/out"]
    imported(model, [nodes[2], nodes[3]])  # both are gone with the next version
    assert model.at_point(point) == []


def test_each_look_is_a_step_along_an_index(registry):
    """Whatever the size: no plan of the database reads a table of the model from its begin."""
    if registry._engine.dialect.name != "sqlite":
        pytest.skip("plans of PostgreSQL hang on its statistics")
    model = a_model(registry)
    imported(model, *plant(50))
    said = []
    sa.event.listen(registry._engine, "before_cursor_execute", lambda *about: said.append((about[2], about[3])))
    model.children("line", limit=5)
    model.children("")
    model.references("p1", out=True)
    model.references("p1", out=False)
    model.way_down(model.seen("p1/out"))
    model.around("p1", depth=2)
    asked = {text: values for text, values in said if "semantics_node" in text or "semantics_reference" in text}
    assert len(asked) > 4
    with registry.read() as connection:
        for text, values in asked.items():
            plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values)]
            assert not [step for step in plan if step.startswith("SCAN semantics")], (text, plan)


def test_a_name_among_very_many_is_found(registry):
    """Searching is over the names in one text; the time is told, and bounded only against a mistake of kind."""
    model = a_model(registry)
    imported(model, [Node(id=f"n{number}", kind=Kind.OBJECT, name=f"device {number:05}") for number in range(20_000)])
    assert model.search("device", limit=3)[0] == 20_000
    begin = time.perf_counter()
    assert ids(model.search("19999")[1]) == ["n19999"]
    print(f"one name of 20,000: {(time.perf_counter() - begin) * 1000:.1f} ms")
