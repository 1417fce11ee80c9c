"""Documents that bend their standard are read, and each bend is told; broken and hostile ones are refused with their place."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest
from aas_documents import everything, external, group, prop
from semantic_content import Collected

from hulian.network.exchange.semantics.aas import FORMAT
from hulian.network.exchange.semantics.aas.bends import BENDS
from hulian.network.exchange.semantics.aas.format import written
from hulian.network.exchange.semantics.aas.verification import findings
from hulian.network.exchange.semantics.contract import Loss
from hulian.network.exchange.semantics.documents import memory_source
from hulian.network.exchange.semantics.errors import DocumentError, HostileDocumentError

ROOT = '<environment xmlns="https://admin-shell.io/aas/3/0">'


def read(name: str, content: bytes | str) -> tuple[Collected, list[Loss]]:
    losses: list[Loss] = []
    document, batches = FORMAT.read(
        memory_source(name, content if isinstance(content, bytes) else content.encode()), "doc", losses
    )
    return Collected(document, batches), losses


def xml(elements: str, *, head: str = "<id>urn:s</id>", root: str = ROOT) -> str:
    return (
        f"{root}<submodels><submodel>{head}<submodelElements>{elements}</submodelElements></submodel></submodels></environment>"
    )


def js(*elements: Any, **fields: Any) -> str:
    return json.dumps({"submodels": [{"modelType": "Submodel", "id": "urn:s", "submodelElements": elements, **fields}]})


P = "<property><idShort>P</idShort><valueType>xs:int</valueType><value>1</value></property>"


@pytest.mark.parametrize(
    ("bend", "name", "document"),
    [
        ("empty-list", "a.xml", xml(P.replace("<valueType>", "<qualifiers/><valueType>"))),
        ("empty-text", "a.xml", xml(P.replace("<idShort>", "<category></category><idShort>"))),
        ("number-for-text", "a.json", js(prop("P", 1, "xs:int"))),  # type: ignore[arg-type]
        ("text-for-flag", "a.xml", xml("<submodelElementList><idShort>P</idShort><orderRelevant>1</orderRelevant>"
         "<typeValueListElement>Capability</typeValueListElement></submodelElementList>")),
        ("no-model-type", "a.json", js({"idShort": "P", "valueType": "xs:int", "value": "1"})),
        ("model-type-object", "a.json", js({**prop("P", "1", "xs:int"), "modelType": {"name": "Property"}})),
        ("no-value-type", "a.xml", xml(P.replace("<valueType>xs:int</valueType>", ""))),
        ("value-type-prefix", "a.json", js(prop("P", "1", "int"))),
        ("language-map", "a.json", js(prop("P", "1", "xs:int", description={"en": "text"}))),
        ("reference-type", "a.json", js(prop("P", "1", "xs:int", semanticId={"keys": external("urn:x")["keys"]}))),
        ("key-type", "a.json", js(prop("P", "1", "xs:int", semanticId={"type": "ExternalReference", "keys": [
            {"type": "Global", "value": "urn:x"}]}))),
        ("namespace", "a.xml", xml(P, root=ROOT.replace("https", "http").replace("/0", "/0/"))),
        ("same-id", "a.xml", xml(P + P)),
        ("same-language", "a.json", js(prop("P", "1", "xs:int", description=[{"language": "en", "text": t} for t in "ab"]))),
        ("no-environment", "a.json", json.dumps(json.loads(js(prop("P", "1", "xs:int")))["submodels"][0])),
        ("unknown", "a.json", js(prop("P", "1", "xs:int", colour="red"))),
        ("unknown", "a.xml", xml(P.replace("<value>", "<colour>red</colour><value>"))),
    ],
)  # fmt: skip
def test_a_bend_is_accepted_and_told(bend: str, name: str, document: str) -> None:
    content, losses = read(name, document)
    assert BENDS[bend] in {loss.why for loss in losses}
    assert content.node("urn:s#P") is not None
    again = memory_source("b.json", written(content, "json"))
    if bend not in ("same-language",):
        assert list(findings(again)) == []
    assert list(Collected(*FORMAT.read(again, "doc", [])).nodes())[:2] == list(content.nodes())[:2]


def test_the_place_of_a_bend_is_line_and_path() -> None:
    _, losses = read("a.xml", xml("\n\n" + P.replace("<value>", "<colour/><value>")))
    (loss,) = losses
    assert loss.place == "a.xml, line 3, /environment/submodels/submodel/submodelElements/property/colour"
    _, losses = read("a.json", js(group("G", prop("P", "1", "xs:int", colour="red"))))
    assert losses[0].place == "a.json, $.submodels[0].submodelElements[0].value[0].colour"


def test_many_bends_are_counted_and_not_listed() -> None:
    _, losses = read("a.json", js(*(prop(f"P{index}", index, "xs:int") for index in range(500))))  # type: ignore[arg-type]
    assert len(losses) < 100
    assert losses[-1].what == "number-for-text: 450 more places"


def test_fields_behind_the_elements_find_their_element() -> None:
    content, losses = read("a.xml", xml(
        f"<submodelElementCollection><value>{P}</value><idShort>G</idShort></submodelElementCollection>"
        f"<submodelElementCollection><idShort>H</idShort><value>{P}</value>"
        "<description><langStringTextType><language>en</language><text>late</text></langStringTextType></description>"
        "</submodelElementCollection>"
    ))  # fmt: skip
    late = content.node("urn:s#H")
    assert late is not None
    assert late.descriptions == {"en": "late"}
    assert [node.extra.get("aas", {}).get("idShort") for node in content.nodes() if node.id == "urn:s#[0]"] == ["G"]
    del losses


@pytest.mark.parametrize(
    ("name", "document", "words"),
    [
        ("a.xml", '<aasenv xmlns="http://www.admin-shell.io/aas/2/0"/>', "older version"),
        ("a.xml", '<aas:aasenv xmlns:aas="http://www.admin-shell.io/aas/1/0"></aas:aasenv>', "older version"),
        ("a.json", '{"assets": [], "submodels": []}', "older version"),
        ("a.json", '{"submodels": [{"identification": {"id": "x", "idType": "IRI"}, "idShort": "s"}]}', "older version"),
        ("a.xml", '<environment xmlns="https://admin-shell.io/aas/3/0/RC02"/>', "version that is not known"),
        ("a.xml", "<html/>", "environment"),
        ("a.xml", "just text", "no root"),
        ("a.json", "[]", "no JSON that fits"),
        ("a.json", '{"name": "package"}', "none of the lists"),
        ("a.json", '{"submodels": 7}', "no JSON that fits"),
        ("a.json", '{"submodels": [{"id":', "no JSON"),
        ("a.xml", ROOT + "<submodels><submodel>", "no XML"),
    ],
)
def test_what_is_no_environment_is_refused_with_a_hint(name: str, document: str, words: str) -> None:
    with pytest.raises(DocumentError, match=words) as caught:
        read(name, document)
    assert name in str(caught.value.place)
    if "older" in words:
        assert "version 3" in (caught.value.hint or "")


def deep(levels: int) -> str:
    return xml(
        "<submodelElementCollection><idShort>C</idShort><value>" * levels + "</value></submodelElementCollection>" * levels
    )


def deep_json(levels: int) -> str:
    start = '{"modelType":"SubmodelElementCollection","idShort":"C","value":['
    return f'{{"submodels":[{{"modelType":"Submodel","id":"urn:s","submodelElements":[{start * levels}{"]}" * levels}]}}]}}'


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("a.xml", f'<!DOCTYPE x [<!ENTITY a "{"x" * 99}">]>{ROOT}</environment>'),
        ("a.xml", deep(2000)),
        ("a.json", deep_json(600)),
        ("a.json", deep_json(100_000)),
    ],
)
def test_hostile_documents_are_refused(name: str, document: str) -> None:
    with pytest.raises(HostileDocumentError):
        read(name, document)


def package(
    target: str = "/aasx/data.aas.xml", kind: str = "http://admin-shell.io/aasx/relationships", **members: bytes
) -> bytes:
    out = io.BytesIO()
    space = "http://schemas.openxmlformats.org/package/2006/relationships"
    rels = f'<Relationships xmlns="{space}"><Relationship Id="R1" Type="{{}}" Target="{{}}"/></Relationships>'
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("_rels/.rels", rels.format(f"{kind}/aasx-origin", "/aasx/aasx-origin"))
        archive.writestr("aasx/aasx-origin", "")
        archive.writestr("aasx/_rels/aasx-origin.rels", rels.format(f"{kind}/aas-spec", target))
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def test_packages_of_older_tools() -> None:
    spec = xml(P).encode()
    content, losses = read(
        "a.aasx", package("data.aas.xml", "http://www.admin-shell.io/aasx/relationships", **{"aasx/data.aas.xml": spec})
    )
    assert content.node("urn:s#P") is not None
    assert {loss.why for loss in losses} == {BENDS["relationship"]}
    content, losses = read("a.aasx", package("/gone.xml", **{"aasx/data.aas.xml": spec}))
    assert content.node("urn:s#P") is not None
    assert BENDS["no-relationship"] in {loss.why for loss in losses}
    old = b'<aasenv xmlns="http://www.admin-shell.io/aas/2/0"/>'
    with pytest.raises(DocumentError, match="older version"):
        read("a.aasx", package(**{"aasx/data.aas.xml": old}))
    with pytest.raises(DocumentError, match="no environment"):
        read("a.aasx", package())


@pytest.mark.parametrize("target", ["../../../etc/passwd", "..\\..\\..\\x"])
def test_a_relationship_out_of_the_package_is_refused(target: str) -> None:
    with pytest.raises(HostileDocumentError):
        read("a.aasx", package(target, **{"aasx/data.aas.xml": xml(P).encode()}))


def test_a_packed_bomb_is_refused() -> None:
    with pytest.raises(HostileDocumentError):
        read("a.aasx", package(**{"aasx/data.aas.xml": b" " * (64 << 20)}))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_other_encodings(encoding: str) -> None:
    document = f'<?xml version="1.0" encoding="{encoding.removesuffix("-sig")}"?>' + xml(P)
    assert FORMAT.recognises("a.xml", document.encode(encoding)[:4096])
    content, losses = read("a.xml", document.encode(encoding))
    assert content.node("urn:s#P") is not None
    assert losses == []


def test_a_prefix_is_as_good_as_a_default_namespace() -> None:
    plain = written(read("a.json", json.dumps(everything()))[0], "xml").decode()
    prefixed = plain.replace("</", "\0").replace("<", "<aas:").replace("\0", "</aas:").replace("<aas:?xml", "<?xml")
    prefixed = prefixed.replace("xmlns=", "xmlns:aas=")
    assert list(read("a.xml", prefixed)[0].nodes()) == list(read("a.xml", plain)[0].nodes())


def test_ids_of_any_length_lead_to_their_elements() -> None:
    long = "https://example.org/" + "x" * 1900
    content, _ = read("a.json", js(prop("P", "1", "xs:int"), id=long))
    submodel, element = content.nodes()
    assert len(submodel.id) <= 1024
    assert element.parent == submodel.id
    assert json.loads(written(content, "json"))["submodels"][0]["id"] == long


def test_what_the_standard_asks_for_is_put_in_and_told() -> None:
    environment = everything()
    del environment["assetAdministrationShells"][0]["assetInformation"]
    environment["submodels"][0]["submodelElements"] = [
        {"modelType": "File", "idShort": "F"},
        {"modelType": "Entity", "idShort": "E"},
    ]
    content, _ = read("a.json", json.dumps(environment))
    out = io.BytesIO()
    losses = FORMAT.write(content, out)
    assert {loss.what for loss in losses} == {"assetKind", "contentType", "entityType"}
    written_ = json.loads(out.getvalue())["submodels"][0]["submodelElements"]
    assert [one.get("contentType", one.get("entityType")) for one in written_] == [
        "application/octet-stream",
        "CoManagedEntity",
    ]
    assert [
        finding.cause for finding in findings(memory_source("b.json", out.getvalue())) if "AASd-131" not in finding.cause
    ] == []


@pytest.mark.parametrize(
    "stray", [P, "<submodelElementCollection><idShort>C</idShort><value>" + P + "</value></submodelElementCollection>"]
)
def test_an_element_in_no_submodel_is_told_and_left_out(stray: str) -> None:
    content, losses = read("a.xml", xml(P).replace("<submodels>", f"<submodels>{stray}"))
    assert [node.name for node in content.nodes()] == ["urn:s", "P"]
    (loss,) = losses
    assert loss.what == f"no field {stray[1:].partition(chr(62))[0]}"
