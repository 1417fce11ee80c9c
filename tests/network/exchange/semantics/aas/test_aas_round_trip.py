"""What was read is written again as it was: samples and an element of every class, in every form and version."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from aas_documents import SUBMODEL, everything
from semantic_content import Collected

from hulian.network.exchange.semantics.aas import FORMAT, FORMATS
from hulian.network.exchange.semantics.aas.format import Form, written
from hulian.network.exchange.semantics.aas.verification import findings, jsonable
from hulian.network.exchange.semantics.contract import Attachment, Batch, Kind, Loss, Relation, Source
from hulian.network.exchange.semantics.documents import file_source, memory_source

SAMPLES = (
    "aas/IDTA-02004-2-0-1_sample_v3.1.aasx",
    "aas/IDTA-02006-3-0-1_DigitalNameplate.aasx",
    "aas/IDTA-02006-3-0-1_DigitalNameplate.json",
    "aas/IDTA-02011-1-1-1_HSEBoM.aasx",
    "aas/IDTA-02011-1-1-1_HSEBoM_v3.1.aasx",
    "aas/IDTA-02017-1-0_AID.aasx",
    "aas/IDTA-02023-1-0-1_CarbonFootprint.aasx",
)
sampled = pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.samples(name)) for name in SAMPLES])
forms = pytest.mark.parametrize("form", ["aasx", "xml", "json"])
versions = pytest.mark.parametrize("version", ["3.0", "3.1"])


def collected(source: Source, losses: list[Loss] | None = None) -> Collected:
    return Collected(*FORMAT.read(source, "doc", losses if losses is not None else []))


def of_json(environment: dict[str, Any]) -> Collected:
    return collected(memory_source("a.json", json.dumps(environment).encode()))


def causes(source: Source) -> list[str]:
    return sorted(finding.cause for finding in findings(source))


@sampled
@forms
def test_a_sample_comes_back_as_it_was(samples: Path, name: str, form: Form) -> None:
    source = file_source(samples / name)
    first = collected(source)
    again = memory_source(f"b.{form}", written(first, form))
    # aas-core, which knows nothing of our reading, finds the same in both.
    assert jsonable(again) == jsonable(source)
    assert causes(again) == causes(source)
    second = collected(again)
    assert list(second.nodes()) == list(first.nodes())
    assert list(second.references()) == list(first.references())


@sampled
def test_the_own_form_keeps_files_and_their_relationships(samples: Path, name: str) -> None:
    path = samples / name
    first = collected(file_source(path))
    out = io.BytesIO()
    assert FORMAT.write(first, out) == []
    second = collected(memory_source("b", out.getvalue()))
    assert list(second.attachments()) == list(first.attachments())
    assert second.document.extra.get("aas", {}).get("form") == first.document.extra["aas"]["form"]
    if path.suffix != ".aasx":
        return
    kept, was = (
        {(one["source"], one["type"], one["target"]) for one in document.extra["aas"]["package"]["relationships"]}
        for document in (second.document, first.document)
    )
    assert kept == was
    with zipfile.ZipFile(path) as before, zipfile.ZipFile(out) as after:
        for attachment in first.attachments():
            assert after.read(attachment.path) == before.read(attachment.path)


@forms
@versions
def test_every_class_of_element_comes_back_and_verifies(form: Form, version: str) -> None:
    first = of_json(everything())
    again = memory_source(f"b.{form}", written(first, form, version))
    assert list(findings(again)) == []
    (environment,) = jsonable(again)
    assert environment == everything()
    second = collected(again)
    assert list(second.nodes()) == list(first.nodes())
    assert list(second.references()) == list(first.references())
    if form != "json":
        assert second.document.version == f"AAS {version}"


def test_nodes_say_what_the_fields_said() -> None:
    content = of_json(everything())

    def at(path: str) -> Any:
        return content.node(f"{SUBMODEL}#{path}")

    pressure = at("Pressure")
    assert (pressure.kind, pressure.value, pressure.datatype) == (Kind.PROPERTY, "4.25", "xs:double")
    assert pressure.meanings == ("0173-1#02-AAY812#001", "https://example.org/pressure")
    assert pressure.labels == {"en": "pressure", "zh": "压力"}
    # The unit of the concept description, which stands behind it in the document.
    assert pressure.unit == "0173-1#05-AAA689#003"
    assert (at("Temperature").constraints.low, at("Temperature").constraints.high) == ("-20", "90")
    assert at("Readings[1]").value == "2.5"
    assert at("Start").kind is Kind.OPERATION
    assert [(at(f"Start.{name}").relation) for name in ("Speed", "Answer", "Ramp")] == [
        Relation.INPUT,
        Relation.OUTPUT,
        Relation.INPUT,
    ]
    assert at("Changed").kind is Kind.EVENT
    assert at("Impeller.Blades").parent == f"{SUBMODEL}#Impeller"
    submodel = content.node(SUBMODEL)
    assert submodel is not None
    assert submodel.parent == "https://example.org/aas/pump"
    assert submodel.type == "https://admin-shell.io/idta/SubmodelTemplate/DigitalNameplate/3/0"
    told = {(one.source.rpartition("#")[2], one.relation, one.target.rpartition("#")[2]) for one in content.references()}
    assert ("Pressure", Relation.LINK, "Readings[1]") in told
    assert ("https://example.org/aas/pump", Relation.SAME, "https://example.org/aas/pump-type") in told
    assert ("Pressure", Relation.DESCRIBED, "001") in told
    assert ("Start", Relation.OUTPUT, "Start.Ramp") in told


def test_a_changed_node_is_written_as_it_is_now() -> None:
    content = of_json(everything())
    node = content.node(f"{SUBMODEL}#Pressure")
    assert node is not None
    node.value, node.labels, node.meanings, node.unit = "5.5", {"de": "Druck"}, ("https://example.org/other",), "mbar"
    node.point, node.writable = "99.118.8/pump-17#pressure", True
    again = memory_source("b.xml", written(content, "xml"))
    assert list(findings(again)) == []
    second = collected(again).node(node.id)
    assert second is not None
    assert (second.value, second.labels, second.meanings, second.unit) == (node.value, node.labels, node.meanings, "mbar")
    assert (second.point, second.writable) == (node.point, True)


@pytest.mark.parametrize("seed", ["xml", "json"])
def test_a_package_may_hold_several_environments(seed: Form) -> None:
    other = everything()
    for kind in ("assetAdministrationShells", "submodels", "conceptDescriptions"):
        other[kind][0]["id"] += "/2"
    first = of_json(everything())
    second = of_json(other)
    packed = io.BytesIO()
    files = [
        Attachment("aasx/files/manual.pdf", "application/pdf", b"%PDF-\x00"),
        Attachment("extra", "application/x-own", b""),
    ]
    batches = [Batch(nodes=list(first.nodes())), Batch(attachments=files)]
    FORMATS[1].write(Collected(first.document, batches), packed)
    with zipfile.ZipFile(packed, "a") as archive:
        archive.writestr(f"aasx/other.aas.{seed}", written(second, seed))
        rels = archive.read("aasx/_rels/aasx-origin.rels").decode()
    kind = "http://www.admin-shell.io/aasx/relationships/aas-spec"
    more = f'<Relationship Type="{kind}" Target="other.aas.{seed}" Id="R9"/>'
    added = rels.replace("</Relationships>", f"{more}</Relationships>")
    changed = io.BytesIO()
    with zipfile.ZipFile(packed) as old, zipfile.ZipFile(changed, "w") as new:
        for name in old.namelist():
            new.writestr(name, added if name.endswith("aasx-origin.rels") else old.read(name))
    source = memory_source("two.aasx", changed.getvalue())
    losses: list[Loss] = []
    both = collected(source, losses)
    assert any("relationship types of older packages" in loss.why for loss in losses)
    again = memory_source("three.aasx", written(both))
    assert jsonable(again) == jsonable(source)
    assert len(jsonable(again)) == 2
    assert list(collected(again).nodes()) == list(both.nodes())
    assert sorted((one.path, one.media_type, one.content) for one in collected(again).attachments()) == sorted(
        (one.path, one.media_type, one.content) for one in files
    )


def test_large_elements_are_read_piece_by_piece_and_come_out_the_same() -> None:
    environment = everything()
    many = [
        {
            "modelType": "Entity",
            "idShort": f"E{index}",
            "entityType": "CoManagedEntity",
            "description": [{"language": "en", "text": "x" * 300}],
        }
        for index in range(12_000)
    ]
    environment["submodels"][0]["submodelElements"].append(
        {"modelType": "Entity", "idShort": "All", "entityType": "CoManagedEntity", "statements": many}
    )
    first = of_json(environment)
    assert sum(1 for _ in first.nodes()) > 12_000
    source = memory_source("b.xml", written(first, "xml"))
    document, batches = FORMAT.read(source, "doc", [])
    sizes = []
    second = Collected(document, (sizes.append(len(batch.nodes)) or batch for batch in batches))  # type: ignore[func-returns-value]
    assert max(sizes) <= 1024
    assert list(second.nodes()) == list(first.nodes())
    assert jsonable(source) == [environment]
