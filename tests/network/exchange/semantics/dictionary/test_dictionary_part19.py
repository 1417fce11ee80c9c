"""Entries of OPC UA's dictionaries, against the NodeSet that the OPC Foundation publishes."""

from __future__ import annotations

import pytest
from lxml import etree

from hulian.network.exchange.semantics import concepts
from hulian.network.exchange.semantics.contract import BATCH, Relation
from hulian.network.exchange.semantics.dictionary import Entry, Header, Kind
from hulian.network.exchange.semantics.dictionary.part19 import described_by, dictionary_document, dictionary_nodes
from hulian.network.exchange.semantics.errors import ConceptError

HEADER = Header(name="plant", title="Ours", label="2")


def test_entries_as_nodes():
    entries = [
        Entry(
            identifier="0112-2---61987%23ABA565%23007",
            kind=Kind.PROPERTY,
            names={"en": "x", "zh": "某"},
            definitions={"en": "y"},
        ),
        Entry(identifier="plant:pump", kind=Kind.CLASS),
        Entry(identifier="plant:pump", kind=Kind.CLASS),
    ]
    (batch,) = dictionary_nodes(entries)
    irdi, uri = batch.nodes
    assert irdi.id == "nsu=http://opcfoundation.org/UA/Dictionary/IRDI;s=0112/2///61987#ABA565#007"
    assert (irdi.name, irdi.parent, irdi.labels, irdi.descriptions) == (
        "0112/2///61987#ABA565#007", "nsu=http://opcfoundation.org/UA/;i=17594", {"en": "x", "zh": "某"}, {"en": "y"},
    )  # fmt: skip
    assert irdi.type.endswith(";i=17598")
    assert uri.type.endswith(";i=17600")
    assert uri.id == "nsu=http://opcfoundation.org/UA/Dictionary/URI;s=plant:pump"
    document = dictionary_document("entries", HEADER)
    assert document.namespaces == ("http://opcfoundation.org/UA/Dictionary/IRDI", "http://opcfoundation.org/UA/Dictionary/URI")


def test_batches_are_bounded():
    entries = [Entry(identifier=f"plant:{number}", kind=Kind.CLASS) for number in range(2 * BATCH)]
    batches = list(dictionary_nodes(entries))
    assert [len(batch.nodes) for batch in batches] == [BATCH, BATCH]


def test_a_node_means_a_concept():
    reference = described_by("line2/pump", "0173-1#02-AAO677#002")
    assert reference.relation == Relation.DESCRIBED
    assert concepts.concept_of_node(reference.target) == concepts.parse("0173-1#02-AAO677#002")
    with pytest.raises(ConceptError):
        described_by("line2/pump", "pump")


@pytest.mark.samples("nodesets")
def test_the_published_entries_have_the_ids_that_we_give(samples):
    """Each entry of the published NodeSets of dictionaries has the node id and the name that its concept has here."""
    seen = 0
    for path in sorted((samples / "nodesets").glob("*.xml")):
        root = etree.parse(str(path)).getroot()
        spaces = [""] + [uri.text for uri in root.iter("{*}NamespaceUris") for uri in uri]
        aliases = {alias.get("Alias"): alias.text for alias in root.iter("{*}Alias")}
        for node in root.iter("{*}UAObject"):
            types = [
                aliases.get(r.text, r.text)
                for r in node.iter("{*}Reference")
                if r.get("ReferenceType") in ("HasTypeDefinition", "i=40")
            ]
            identifier = node.get("NodeId")
            if not {"i=17598", "i=17600"} & set(types) or ";s=" not in identifier or "<" in identifier:
                continue
            number, text = identifier[3:].split(";s=", 1)
            concept = concepts.parse(text)
            assert concepts.node_of(concept) == f"nsu={spaces[int(number)]};s={text}", identifier
            assert node.get("BrowseName").partition(":")[2] == concept.text
            seen += 1
    assert seen > 5
