"""A part of a plant that was described in another language travels in a package and comes back as it was."""

from __future__ import annotations

import pytest
from semantic_content import Collected

from hulian.network.exchange.semantics.aas import FORMAT
from hulian.network.exchange.semantics.aas.format import Form, written
from hulian.network.exchange.semantics.aas.verification import findings
from hulian.network.exchange.semantics.contract import Batch, Constraints, Document, Kind, Node, Reference, Relation
from hulian.network.exchange.semantics.documents import memory_source

NODES = [
    Node(id="line2", kind=Kind.FOLDER, name="Line 2 / 二线", extra={"aml": {"hierarchy": True}}),
    Node(id="line2/{A}", kind=Kind.OBJECT, name="P-17", parent="line2", type="lib/Pump", labels={"": "the pump", "zh": "泵"}),
    Node(
        id="line2/{A}/p",
        kind=Kind.PROPERTY,
        name="p out",
        parent="line2/{A}",
        relation=Relation.PROPERTY,
        value="4.5",
        datatype="xs:double",
        unit="bar",
        meanings=("0173-1#02-AAY812#001",),
        constraints=Constraints(low="0", high="10", required=True),
        writable=False,
        point="99.118.8/pump-17#outlet",
    ),
    Node(id="line2/{A}/p/deep", kind=Kind.PROPERTY, name="p out", parent="line2/{A}/p", value="[1,2]", datatype="xs:int[]"),
    Node(id="line2/{A}/p2", kind=Kind.PROPERTY, name="p-out", parent="line2/{A}", value="not a number", datatype="xs:double"),
    Node(id="line2/{A}/p3", kind=Kind.PROPERTY, name="p:out", parent="line2/{A}"),
    Node(id="line2/{A}/start", kind=Kind.OPERATION, name="start", parent="line2/{A}"),
    Node(id="line2/{A}/s/1", kind=Kind.PROPERTY, name="speed", parent="line2/{A}/start", relation=Relation.INPUT),
    Node(id="line2/{A}/s/2", kind=Kind.OBJECT, name="status", parent="line2/{A}/start", relation=Relation.OUTPUT),
    Node(id="line2/{A}/s/3", kind=Kind.PROPERTY, name="code", parent="line2/{A}/s/2", datatype="xs:int", value="7"),
    Node(id="line2/{A}/tripped", kind=Kind.EVENT, name="tripped", parent="line2/{A}"),
    Node(id="lib", kind=Kind.FOLDER, name="lib"),
    Node(id="lib/Pump", kind=Kind.OBJECT_TYPE, name="Pump", parent="lib", relation=Relation.ORGANIZES),
    Node(id="lib/Kind", kind=Kind.DATA_TYPE, name="1st kind", parent="lib"),
]
REFERENCES = [
    Reference("line2/{A}", Relation.ROLE, "lib/Pump", {"aml": {"order": 1}}),
    Reference("line2", Relation.LINK, "elsewhere"),
]


@pytest.mark.parametrize("form", ["aasx", "xml", "json"])
@pytest.mark.parametrize("version", ["3.0", "3.1"])
def test_other_languages_come_back(form: Form, version: str) -> None:
    content = Collected(Document(name="plant", format="automationml"), [Batch(nodes=NODES, references=REFERENCES)])
    source = memory_source(f"a.{form}", written(content, form, version))
    assert list(findings(source)) == []
    again = Collected(*FORMAT.read(source, "plant", []))
    assert list(again.nodes()) == NODES
    assert sorted(again.references(), key=str) == sorted(REFERENCES, key=str)
