"""SPARQL over the model stays on this machine, and ends when it takes too long."""

import contextlib
import http.server
import threading

import pytest
from plain_models import a_model, source

from hulian.network.exchange.semantics.contract import Kind, Node, Reference, Relation
from hulian.network.exchange.semantics.errors import QueryError
from hulian.network.exchange.semantics.model import Question, sparql
from hulian.network.exchange.semantics.plain import FORMAT

NODES = [
    Node(id="t", kind=Kind.OBJECT_TYPE, name="Pump"),
    Node(id="p{1}", kind=Kind.OBJECT, name='P "1"\n\\', type="t", labels={"en": "Pump", "zh": "泵", "": "x", "b@d": "y"}),
    Node(
        id="http://plant/out",
        kind=Kind.PROPERTY,
        name="out",
        parent="p{1}",
        value="1.5",
        datatype="xs:double",
        unit="bar",
        meanings=("0112/2///1#AAA001#002",),
        point="99.118.8/p#out",
    ),
    Node(id="p2", kind=Kind.OBJECT, name="P2", parent="p{1}"),
]


@pytest.fixture
def model(sqlite_registry):
    made = a_model(sqlite_registry)
    given = source(NODES, [Reference("p2", Relation.LINK, "p{1}"), Reference("p2", "nsu=http://x;i=1", "t")])
    made.apply(made.read(FORMAT, given, "plant", "ann").version.key)
    yield made
    made.close()


def test_nodes_values_meanings_and_references_are_there(model):
    found = model.sparql(
        "SELECT ?v ?point WHERE { ?n hul:meaning <urn:irdi:0112/2///1%23AAA001> ; hul:value ?v ; hul:point ?point }"
    )
    assert (found.names, found.rows) == (["v", "point"], [["1.5", "99.118.8/p#out"]])
    assert model.sparql("ASK { ?n hul:value ?v FILTER(?v > 1.2 && ?v < 2) }").rows == [["true"]]
    assert model.sparql("SELECT ?name WHERE { ?n rdf:type hul:Object ; hul:type/hul:name 'Pump' ; hul:name ?name }").rows == [
        ['P "1"\n\\']
    ]
    labels = model.sparql("SELECT ?l WHERE { ?n rdfs:label ?l } ORDER BY ?l").rows
    assert sorted(row[0] for row in labels) == ["Pump", "x", "y", "泵"]
    assert model.sparql("SELECT ?n WHERE { ?n hul:link ?m ; <urn:hulian:node:nsu=http://x;i=1> ?t }").rows == [
        ["urn:hulian:node:p2"]
    ]
    assert len(model.sparql("CONSTRUCT { ?n hul:parent ?p } WHERE { ?n hul:parent ?p }").rows) == 2


def test_an_answer_is_bounded_and_follows_the_model(model):
    found = model.sparql("SELECT ?n WHERE { ?n hul:name ?x }", rows=2)
    assert (len(found.rows), found.more) == (2, True)
    model.apply(model.read(FORMAT, source(NODES[:1]), "plant", "ann").version.key)
    assert len(model.sparql("SELECT ?n WHERE { ?n hul:name ?x }").rows) == 1
    with pytest.raises(QueryError, match="no document"):
        model.sparql("ASK { ?s ?p ?o }", documents=["other"])


def test_what_cannot_be_read_is_told(model):
    with pytest.raises(QueryError, match="cannot be read"):
        model.sparql("SELECT WHERE {")
    assert model.sparql("ASK { ?s ?p ?o }").rows == [["true"]], "the next question is answered"


def test_a_question_that_does_not_end_is_ended(model):
    endless = "SELECT (COUNT(*) AS ?c) WHERE { " + " ".join(f"?a{n} ?b{n} ?c{n} ." for n in range(12)) + " }"
    with pytest.raises(QueryError, match="took more than"):
        model.sparql(endless, seconds=1.0)
    assert model.sparql("ASK { ?s ?p ?o }").rows == [["true"]], "another process answers the next one"


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * WHERE {{ SERVICE <{url}> {{ ?s ?p ?o }} }}",
        "SELECT * WHERE {{ service silent <{url}> {{ ?s ?p ?o }} }}",
        "SELECT * WHERE {{ \\u0053ERVICE <{url}> {{ ?s ?p ?o }} }}",
        "SELECT * WHERE {{ VALUES ?u {{ <{url}> }} SERVICE ?u {{ ?s ?p ?o }} }}",
        "SELECT * FROM <{url}> WHERE {{ ?s ?p ?o }}",
        "SELECT * FROM NAMED <{url}> WHERE {{ GRAPH <{url}> {{ ?s ?p ?o }} }}",
        "LOAD <{url}>",
    ],
)
def test_no_question_leaves_this_machine(model, text):
    asked = []

    class Asked(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

        do_POST = do_GET

        def log_message(self, *arguments):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Asked)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    try:
        with contextlib.suppress(QueryError):
            assert model.sparql(text.format(url=f"http://127.0.0.1:{server.server_port}/sparql")).rows == []
        assert asked == []
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


def test_more_nodes_than_memory_is_there_for_are_refused(model, monkeypatch):
    monkeypatch.setattr("hulian.network.exchange.semantics.model.service.MOST_NODES", 3)
    with pytest.raises(QueryError, match="more than the 3"):
        model.sparql("ASK { ?s ?p ?o }")
    assert len(model.find(Question(kind="object")).nodes) == 2
    monkeypatch.undo()
    monkeypatch.setattr(sparql, "_MEMORY", 300 << 20)
    model.close()
    with pytest.raises(QueryError):
        model.sparql(
            "SELECT (GROUP_CONCAT(STR(?a)) AS ?c) WHERE { " + " ".join(f"?a{n} ?b{n} ?a." for n in range(9)) + " }", seconds=60
        )
