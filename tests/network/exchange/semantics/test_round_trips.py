"""Every document that is here goes through the registry and comes out as it was; what does not is in the list of losses."""

from __future__ import annotations

import re

import pytest
from round_trips import different, documents, trip, unexplained

from hulian.network.exchange.semantics.contract import Loss
from hulian.network.exchange.semantics.documents import memory_source
from hulian.network.exchange.semantics.together import Semantics
from hulian.registry import Registry

DOCUMENTS = dict(documents())
SAMPLES = [name for name in DOCUMENTS if name.startswith("samples/")]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    registry = Registry.open(tmp_path_factory.mktemp("round-trips") / "registry.db")
    semantics = Semantics(registry)
    yield semantics.model
    semantics.close()
    registry.close()


@pytest.mark.samples("automationml", "nodesets", "aas", "wot")
def test_the_samples_are_all_there():
    assert {name.split("/")[1] for name in SAMPLES} == {"automationml", "nodesets", "aas", "wot"}
    assert len(SAMPLES) >= 34


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_comes_back_as_it_was(model, name):
    done = trip(model, name, DOCUMENTS[name])
    assert done.errors == []
    assert done.nodes
    assert done.unexplained == []
    assert done.second == []


@pytest.mark.samples("automationml/Part2.aml", "nodesets/Opc.Ua.Di.NodeSet2.xml", "aas/IDTA-02006-3-0-1_DigitalNameplate.json")
@pytest.mark.parametrize(
    ("form", "name", "pattern", "changed"),
    [
        ("aml", "automationml/Part2.aml", "<Value>[^<]+</Value>", "<Value>other</Value>"),
        ("nodeset", "nodesets/Opc.Ua.Di.NodeSet2.xml", 'BrowseName="1:', 'BrowseName="1:x'),
        ("aas", "aas/IDTA-02006-3-0-1_DigitalNameplate.json", '"value": "[^"]+"', '"value": "other"'),
        ("td", "wot/pac4200.td.jsonld", '"title": "', '"title": "x'),
    ],
)
def test_a_value_that_is_lost_shows(samples, form, name, pattern, changed):
    whole = (samples / name).read_text(encoding="utf-8-sig")
    wrong, count = re.subn(pattern, changed, whole, count=1)
    assert count == 1
    pair = [memory_source(name, text.encode()) for text in (whole, wrong)]
    assert different(form, pair[0], pair[0]) == []
    lines = different(form, *pair)
    assert lines
    assert unexplained(lines, [Loss("elsewhere", "something", "no place for it")]) == lines
