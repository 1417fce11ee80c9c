"""Templates are types, and submodels are held against them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from semantic_content import Collected

from hulian.network.exchange.semantics.aas import FORMAT
from hulian.network.exchange.semantics.aas.conformity import Deviation, deviations
from hulian.network.exchange.semantics.aas.templates import template_of, type_of
from hulian.network.exchange.semantics.aas.verification import jsonable
from hulian.network.exchange.semantics.contract import Kind, Node
from hulian.network.exchange.semantics.documents import file_source, memory_source

NAMEPLATE = "aas/IDTA-02006-3-0-1_DigitalNameplate.json"
PUBLISHED = (
    ("IDTA 02004", "aas/IDTA-02004-2-0-1_sample_v3.1.aasx"),
    ("IDTA 02006", NAMEPLATE),
    ("IDTA 02011", "aas/IDTA-02011-1-1-1_HSEBoM.aasx"),
    ("IDTA 02017", "aas/IDTA-02017-1-0_AID.aasx"),
    ("IDTA 02023", "aas/IDTA-02023-1-0-1_CarbonFootprint.aasx"),
)


@pytest.mark.parametrize(
    ("number", "name"), [pytest.param(number, name, marks=pytest.mark.samples(name)) for number, name in PUBLISHED]
)
def test_a_published_template_is_the_type_of_its_meaning(samples: Path, number: str, name: str) -> None:
    content = Collected(*FORMAT.read(file_source(samples / name), "doc", []))
    (template,) = [node for node in content.nodes() if node.extra.get("aas", {}).get("modelType") == "Submodel"]
    assert template.kind is Kind.OBJECT_TYPE
    found = template_of(template.meanings[0])
    assert found is not None
    assert (found[0].number, found[1]) == (number, template.id)


def test_technical_data_is_known_by_its_id() -> None:
    assert type_of("https://admin-shell.io/ZVEI/TechnicalData/Submodel/1/2").endswith("TechnicalData/Submodel/1/2")
    assert type_of("https://example.org/own") == ""


def nameplate(samples: Path) -> dict[str, Any]:
    """An instance: the template itself under another id."""
    (environment,) = jsonable(file_source(samples / NAMEPLATE))
    (submodel,) = environment["submodels"]
    submodel["id"], submodel["kind"] = "urn:pump:nameplate", "Instance"
    return dict(submodel)


def of(submodel: dict[str, Any]) -> tuple[Node, list[Node]]:
    import msgspec

    source = memory_source("a.json", msgspec.json.encode({"submodels": [submodel]}))
    nodes = list(Collected(*FORMAT.read(source, "doc", [])).nodes())
    return nodes[0], nodes


@pytest.mark.samples(NAMEPLATE)
def test_an_instance_is_held_against_its_template(samples: Path) -> None:
    declared = list(Collected(*FORMAT.read(file_source(samples / NAMEPLATE), "doc", [])).nodes())
    (template,) = [
        node for node in declared if node.kind is Kind.OBJECT_TYPE and "assetInformation" not in node.id and node.meanings
    ]
    uri = next(node for node in declared if node.name == "URIOfTheProduct")
    assert uri.constraints is not None
    assert (uri.constraints.required, uri.constraints.many) == (True, False)

    whole = nameplate(samples)
    submodel, nodes = of(whole)
    assert submodel.type == template.id
    assert deviations(submodel, nodes, template, declared) == []

    elements = whole["submodelElements"]
    by_name = {one["idShort"]: one for one in elements}
    elements.remove(by_name["URIOfTheProduct"])
    by_name["SerialNumber"]["valueType"] = "xs:int"
    by_name["SerialNumber"]["value"] = "A17"
    elements.append({**by_name["YearOfConstruction"], "idShort": "YearOfConstruction2"})
    elements.append({"modelType": "Capability", "idShort": "Strange"})
    found = deviations(*of(whole), template, declared)
    assert {(one.path, one.rule) for one in found} == {
        ("URIOfTheProduct", "missing"),
        ("SerialNumber", "type"),
        ("SerialNumber", "value"),
        ("YearOfConstruction", "many"),
        ("Strange", "unknown"),
    }
    assert all(isinstance(one, Deviation) and one.what for one in found)


def test_a_template_of_the_same_document_comes_before_a_published_one() -> None:
    own = {"modelType": "Submodel", "idShort": "T", "kind": "Template", "semanticId": _meaning(), "id": "urn:template"}
    instance = {"modelType": "Submodel", "idShort": "I", "semanticId": _meaning(), "id": "urn:instance"}
    import msgspec

    content = Collected(*FORMAT.read(memory_source("a.json", msgspec.json.encode({"submodels": [own, instance]})), "d", []))
    node = content.node("urn:instance")
    assert node is not None
    assert node.type == "urn:template"
    out = io.BytesIO()
    assert FORMAT.write(content, out) == []
    assert b"hulian" not in out.getvalue()


def _meaning() -> dict[str, Any]:
    return {"type": "ExternalReference", "keys": [{"type": "GlobalReference", "value": "urn:meaning"}]}
