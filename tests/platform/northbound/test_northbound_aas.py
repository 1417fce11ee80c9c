"""The AAS interface over a real platform: reading, changing, live values, two writers, other languages."""

from __future__ import annotations

import io
import json
import threading
import time
import zipfile
from pathlib import Path

import pytest
from aas_documents import SUBMODEL, everything, external, group, prop, to
from aas_stack import coded, said
from api_stack import SECOND, eventually

from hulian.kernel.storage import StorageClass
from hulian.network.exchange.semantics.model.notes import Note

SHELL = "https://example.org/aas/pump"
PUMP = f"/shells/{coded(SHELL)}"
AT = f"/submodels/{coded(SUBMODEL)}"
ELEMENTS = f"{AT}/submodel-elements"


def named(identity: str, *elements: dict, **fields) -> dict:
    return {"modelType": "Submodel", "id": identity, "idShort": "Made", "submodelElements": list(elements), **fields}


def ok(reply, status: int = 200):
    assert reply.status_code == status, reply.text
    return reply.json() if reply.content else None


# ------------------------------------------------ reading


@pytest.mark.parametrize("version", ["v3.0", "v3.1"])
def test_what_was_imported_is_what_is_served(plant, version):
    whole = everything()
    with plant.aas("read", version=version) as client:
        assert ok(client.get("/shells")) == {"paging_metadata": {}, "result": whole["assetAdministrationShells"]}
        assert ok(client.get("/submodels", params={"extent": "withBlobValue"}))["result"] == whole["submodels"]
        assert ok(client.get("/concept-descriptions"))["result"] == whole["conceptDescriptions"]
        one = client.get(PUMP)
        assert one.json() == whole["assetAdministrationShells"][0]
        assert one.headers["etag"]
        assert one.headers["cache-control"] == "no-store"
        assert ok(client.get(f"{PUMP}{AT}/$value")) == ok(client.get(f"{AT}/$value"))
        assert ok(client.get(f"{ELEMENTS}/Deep.Deeper.Text/$value")) == "a < b & c\r\n\u00e4"
        assert ok(client.get(f"{ELEMENTS}/Readings%5B1%5D/%24value")) == 2.5
        assert client.head(PUMP).content == b""
        assert said(client.get(f"{ELEMENTS}/Nothing")) == (404, "HL-NORTH-0004")
        assert said(client.get(f"{ELEMENTS}/Manual/attachment")) == (404, "HL-NORTH-0004")


def test_every_sample_package_is_served_as_it_was_read(empty, samples):
    from aas_core3_1 import jsonization, verification

    for path in sorted((samples / "aas").glob("*.aasx")):
        empty.clear()
        empty.take(path, "sample")
        with empty.aas("read") as client:
            shells = ok(client.get("/shells"))["result"]
            submodels = ok(client.get("/submodels", params={"extent": "withBlobValue"}))["result"]
            assert shells
            assert submodels, path
            for one in submodels:
                assert ok(client.get(f"/submodels/{coded(one['id'])}", params={"extent": "withBlobValue"})) == one
                list(verification.verify(jsonization.submodel_from_jsonable(one)))
                for element in ok(client.get(f"/submodels/{coded(one['id'])}/$path"))[:40]:
                    assert client.get(f"/submodels/{coded(one['id'])}/submodel-elements/{element}").status_code == 200, element


def test_files_of_a_package_are_served_and_never_as_a_page(plant):
    """What was put here, packed here and imported from that package."""
    with plant.aas("read", "configure") as client:
        page = b"<script>alert(1)</script>"
        assert client.put(f"{ELEMENTS}/Manual/attachment", files={"file": ("m.html", page, "text/html")}).status_code == 204
        wanted = {"aasIds": coded(SHELL), "submodelIds": coded(SUBMODEL)}
        package = client.get("/serialization", params=wanted, headers={"accept": "application/aasx+xml"})
        plant.clear()
        path = plant.directory / "packed.aasx"
        path.write_bytes(package.content)
        plant.take(path, "packed")
        file = client.get(f"{ELEMENTS}/Manual/attachment")
        assert (file.content, file.headers["content-type"]) == (page, "text/html")
        assert file.headers["content-disposition"] == "attachment"
        assert "sandbox" in file.headers["content-security-policy"]
        assert file.headers["x-content-type-options"] == "nosniff"


def test_things_of_other_languages_are_submodels_that_are_changed_elsewhere(empty, samples):
    empty.take(samples / "automationml" / "AMLSimpleExample.caex3.aml", "cell")
    empty.take(samples / "wot" / "UA.td.jsonld", "device")
    with empty.aas("read", "configure") as client:
        found = ok(client.get("/submodels"))["result"]
        assert {one["idShort"] for one in found} >= {"ua"}
        assert len(found) >= 2
        for one in found:
            at = f"/submodels/{coded(one['id'])}"
            assert ok(client.get(at))["id"] == one["id"]
            for path in ok(client.get(f"{at}/$path"))[:50]:
                assert client.get(f"{at}/submodel-elements/{path}").status_code == 200
            assert said(client.delete(at)) == (409, "HL-NORTH-0013")


def test_serialisation_as_json_xml_and_package(plant):
    with plant.aas("read", "configure") as client:
        assert (
            client.put(f"{ELEMENTS}/Manual/attachment", files={"file": ("m.pdf", b"%PDF-1", "application/pdf")}).status_code
            == 204
        )
        everything_ = ok(client.get("/serialization"))
        assert {one["id"] for one in everything_["submodels"]} == {SUBMODEL}
        assert [one["id"] for one in everything_["conceptDescriptions"]] == ["0173-1#02-AAY812#001"]
        ids = {"aasIds": coded(SHELL), "submodelIds": coded(SUBMODEL), "includeConceptDescriptions": "false"}
        assert "conceptDescriptions" not in ok(client.get("/serialization", params=ids))
        xml = client.get("/serialization", params=ids, headers={"accept": "application/xml"})
        assert xml.headers["content-type"] == "application/xml"
        assert b"https://admin-shell.io/aas/3/1" in xml.content
        package = client.get(
            "/serialization", params=ids, headers={"accept": "application/asset-administration-shell-package+xml"}
        )
        names = zipfile.ZipFile(io.BytesIO(package.content)).namelist()
        assert [name for name in names if name.endswith("Manual")]
        assert [name for name in names if name.endswith((".aas.json", ".aas.xml"))]
        assert said(client.get("/serialization", headers={"accept": "text/csv"})) == (406, "HL-NORTH-0006")


def test_registry_and_discovery_lead_to_what_is_served(plant):
    with plant.aas("read", "configure") as client:
        (shell,) = ok(client.get("/shell-descriptors"))["result"]
        assert shell["globalAssetId"] == "https://example.org/asset/pump"
        address = shell["endpoints"][0]["protocolInformation"]["href"]
        assert client.get(address).json()["id"] == SHELL
        (submodel,) = shell["submodelDescriptors"]
        assert submodel == ok(client.get(f"/submodel-descriptors/{coded(SUBMODEL)}"))
        assert client.get(submodel["endpoints"][0]["protocolInformation"]["href"]).json()["id"] == SUBMODEL
        serial = {"assetIds": coded({"name": "serial", "value": "17"})}
        assert ok(client.get("/lookup/shells", params=serial))["result"] == [SHELL]
        link = [{"name": "globalAssetId", "value": "https://example.org/asset/pump"}]
        assert ok(client.post("/lookup/shellsByAssetLink", json=link))["result"] == [SHELL]
        assert said(client.delete(f"/shell-descriptors/{coded(SHELL)}")) == (409, "HL-NORTH-0007")
        other = {**shell, "id": "urn:elsewhere", "idShort": "Elsewhere"}
        assert client.post("/shell-descriptors", json=other).status_code == 201
        assert said(client.post("/shell-descriptors", json=other)) == (409, "HL-NORTH-0007")
        assert [one["id"] for one in ok(client.get("/shell-descriptors"))["result"]] == [SHELL, "urn:elsewhere"]
        at = f"/shell-descriptors/{coded('urn:elsewhere')}"
        assert client.put(at, json={**other, "idShort": "There"}).status_code == 204
        assert ok(client.get(at))["idShort"] == "There"
        assert ok(client.get(f"{at}/submodel-descriptors"))["result"] == [submodel]
        assert client.delete(at).status_code == 204
        assert said(client.get(at)) == (404, "HL-NORTH-0004")


def test_the_description_names_the_profiles_that_hold(plant):
    with plant.aas("read") as client:
        profiles = ok(client.get("/description"))["profiles"]
    assert "https://admin-shell.io/aas/API/3/1/SubmodelRepositoryServiceSpecification/SSP-002" in profiles
    assert not [one for one in profiles if "SubmodelRepository" in one and one.endswith("SSP-001")]


# ------------------------------------------------ changing


def test_what_is_posted_is_a_document_of_its_own_with_a_history(plant):
    model = plant.open_semantics().model
    with plant.aas("read", "configure") as client:
        made = client.post("/submodels", json=named("urn:made", prop("First", "1", "xs:int")))
        assert made.status_code == 201
        assert client.get(made.headers["location"]).json()["id"] == "urn:made"
        at = f"/submodels/{coded('urn:made')}/submodel-elements"
        assert client.post(at, json=prop("Second", "2", "xs:int")).status_code == 201
        assert client.patch(f"{at}/First/$value", json=7).status_code == 204
        assert ok(client.get(f"/submodels/{coded('urn:made')}/$value")) == {"First": 7, "Second": 2}
        (document,) = [one for one in model.documents() if one.document.name.startswith("Made.")]
        history = model.history(document.document.name)
        assert [one.who for one in history] == ["admin"] * 3
        assert document.document.format == "aas"
        assert model.node("urn:made#Second")[0].value == "2"
        assert client.delete(f"/submodels/{coded('urn:made')}").status_code == 204
        assert said(client.get(f"/submodels/{coded('urn:made')}")) == (404, "HL-NORTH-0004")
        assert len(model.history(document.document.name)) == 3
    written = [one for one in plant.trust.audit.list(limit=100) if one.action.startswith("aas.")]
    assert written[1].resource == "aas:submodels/urn:made#First"
    assert [one.action for one in written[:4]][::-1] == [
        "aas.PostSubmodel",
        "aas.PostSubmodelElement",
        "aas.PatchSubmodelElementByPathValueOnly",
        "aas.DeleteSubmodelById",
    ]


def test_a_change_leaves_everything_else_of_its_document_as_it_was(plant):
    whole = everything()
    model = plant.open_semantics().model
    before = {node.id: node for node in model.content("pump").nodes()}
    with plant.aas("read", "configure") as client:
        changed = {**whole["submodels"][0], "idShort": "Renamed"}
        assert client.put(AT, json=changed).status_code == 204
        assert ok(client.get(AT, params={"extent": "withBlobValue"})) == changed
        assert ok(client.get(PUMP)) == whole["assetAdministrationShells"][0]
        after = {node.id: node for node in model.content("pump").nodes()}
        assert {key for key in before if before[key] != after[key]} == {SUBMODEL}
        assert after[SUBMODEL].parent == SHELL
        # A shell that no longer names the submodel no longer has it, in the tree of the model either.
        assert client.delete(f"{PUMP}/submodel-refs/{coded(SUBMODEL)}").status_code == 204
        assert "submodels" not in ok(client.get(PUMP))
        assert model.node(SUBMODEL)[0].parent == ""
        assert said(client.get(f"{PUMP}{AT}")) == (404, "HL-NORTH-0004")
        assert client.post(f"{PUMP}/submodel-refs", json=to(("Submodel", SUBMODEL))).status_code == 201
        assert model.node(SUBMODEL)[0].parent == SHELL
    references = [one for one in model.content("pump").references() if one.relation == "link"]
    assert len(references) == 2


def test_a_unit_that_the_concept_states_follows_it(plant):
    model = plant.open_semantics().model
    assert model.node(f"{SUBMODEL}#Pressure")[0].unit == "0173-1#05-AAA689#003"
    (concept,) = everything()["conceptDescriptions"]
    content = concept["embeddedDataSpecifications"][0]["dataSpecificationContent"]
    content["unit"] = "kPa"
    del content["unitId"]
    with plant.aas("read", "configure") as client:
        assert client.put(f"/concept-descriptions/{coded(concept['id'])}", json=concept).status_code == 204
        assert model.node(f"{SUBMODEL}#Pressure")[0].unit == "kPa"
        assert ok(client.get(f"/concept-descriptions/{coded(concept['id'])}")) == concept


def test_thumbnails_and_attachments_are_put_and_taken(plant):
    with plant.aas("read", "configure") as client:
        picture = f"{PUMP}/asset-information/thumbnail"
        assert client.put(picture, files={"file": ("p.png", b"\x89PNG\r\n--\r\n", "image/png")}).status_code == 204
        shown = client.get(picture)
        assert shown.content == b"\x89PNG\r\n--\r\n"
        assert shown.headers["content-type"] == "image/png"
        assert (
            client.put(f"{ELEMENTS}/Manual/attachment", content=b"raw", headers={"content-type": "text/plain"}).status_code
            == 204
        )
        file = client.get(f"{ELEMENTS}/Manual/attachment")
        assert (file.content, file.headers["content-type"]) == (b"raw", "text/plain")
        assert client.delete(f"{ELEMENTS}/Manual/attachment").status_code == 204
        assert said(client.get(f"{ELEMENTS}/Manual/attachment")) == (404, "HL-NORTH-0004")
        assert client.delete(picture).status_code == 204
        assert said(client.get(picture)) == (404, "HL-NORTH-0004")
        assert said(client.put(f"{ELEMENTS}/Pressure/attachment", content=b"x")) == (400, "HL-NORTH-0001")


def test_what_the_metamodel_forbids_changes_nothing(plant):
    model = plant.open_semantics().model
    before = [one.key for one in model.documents()]
    with plant.aas("read", "configure") as client:
        for body in (
            {"modelType": "Submodel"},
            named("urn:x", prop("A", "no number", "xs:int")),
            named("urn:x", {"modelType": "Strange"}),
            named("urn:x", prop("A"), prop("A")),
            [],
            7,
        ):
            assert said(client.post("/submodels", json=body))[0] == 400, body
        assert said(client.post("/submodels", json=everything()["submodels"][0])) == (409, "HL-NORTH-0007")
        assert said(client.put(AT, json=named("urn:other"))) == (400, "HL-NORTH-0001")
        assert said(client.patch(f"{ELEMENTS}/Temperature/$value", json={"min": "cold"})) == (400, "HL-NORTH-0001")
        assert said(client.delete(f"/shells/{coded('urn:none')}")) == (404, "HL-NORTH-0004")
    assert [one.key for one in model.documents()] == before


def test_operations_are_not_invoked_and_it_says_so(plant):
    with plant.aas("read", "configure") as client:
        for way in ("invoke", "invoke-async", "invoke/$value", "invoke-async/$value"):
            assert said(client.post(f"{ELEMENTS}/Start/{way}", json={})) == (501, "HL-NORTH-0011")
        assert said(client.post(f"{ELEMENTS}/Pressure/invoke", json={})) == (405, "HL-NORTH-0005")
        assert said(client.get(f"{ELEMENTS}/Start/operation-status/{coded('1')}")) == (404, "HL-NORTH-0004")


# ------------------------------------------------ live values


def test_a_property_that_is_a_live_point_has_its_newest_value(plant):
    (point,) = plant.connector("pump-aas", {"pressure": StorageClass.DOUBLE})
    plant.open_semantics().model.note([Note(f"{SUBMODEL}#Pressure", "point", point.name)])
    end = time.time_ns() // SECOND * SECOND
    plant.ramp(point, 5, end=end)
    with plant.aas("read", "configure") as client:
        eventually(lambda: client.get(f"{ELEMENTS}/Pressure/$value").json() == 4.0, what="the live value")
        one = client.get(f"{ELEMENTS}/Pressure/$value")
        stamp = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(end // SECOND))
        assert one.headers["last-modified"] == stamp
        whole = ok(client.get(f"{ELEMENTS}/Pressure"))
        assert (whole["value"], whole["valueType"]) == ("4", "xs:double")
        told = {one["name"]: one["value"] for one in whole["extensions"]}
        assert told["hulian.sampled"] == time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(end // SECOND))
        assert ok(client.get(f"{AT}/$value"))["Pressure"] == 4.0
        assert "last-modified" not in client.get(f"{ELEMENTS}/Temperature/$value").headers
        # What a client sends back is kept without what was told of the moment.
        assert client.put(f"{ELEMENTS}/Pressure", json=whole).status_code == 204
        kept = plant.open_semantics().model.node(f"{SUBMODEL}#Pressure")[0]
        assert "hulian.sampled" not in json.dumps(kept.extra)
        assert kept.value == "4"
        # A change of something else keeps the document's own value, not the one of the moment.
        plant.ramp(point, 1, end=end + SECOND)
        eventually(lambda: client.get(f"{ELEMENTS}/Pressure/$value").json() == 0.0, what="the next value")
        assert client.patch(f"{ELEMENTS}/Temperature/$value", json={"min": -30}).status_code == 204
        assert plant.open_semantics().model.node(f"{SUBMODEL}#Pressure")[0].value == "4"


def test_a_live_value_is_in_the_unit_of_the_property_and_a_dimension_is_not_bent(plant):
    (point,) = plant.connector("unit-aas", {"pressure": StorageClass.DOUBLE})  # in bar
    model = plant.open_semantics().model
    specified = {
        "dataSpecification": external("https://admin-shell.io/DataSpecificationTemplates/DataSpecificationIec61360/3"),
        "dataSpecificationContent": {
            "modelType": "DataSpecificationIec61360",
            "preferredName": [{"language": "en", "text": "p"}],
            "unit": "kPa",
        },
    }
    with plant.aas("read", "configure") as client:
        body = named("urn:units", prop("Kilo", "1", "xs:double", embeddedDataSpecifications=[specified]), prop("Text", "x"))
        assert client.post("/submodels", json=body).status_code == 201
        model.note([Note("urn:units#Kilo", "point", point.name), Note("urn:units#Text", "point", "99.118.8/none#at-all")])
        plant.ramp(point, 3)
        at = f"/submodels/{coded('urn:units')}"
        eventually(lambda: client.get(f"{at}/$value").json().get("Kilo") == 200.0, what="the converted value")
        text = ok(client.get(f"{at}/submodel-elements/Text"))
        assert "value" not in text
        assert {one["name"] for one in text["extensions"]} == {"hulian.quality"}
        specified["dataSpecificationContent"]["unit"] = "m"
        assert client.put(at, json=body).status_code == 204
        metre = ok(client.get(f"{at}/submodel-elements/Kilo"))
        assert "value" not in metre
        assert "bar" in next(one["value"] for one in metre["extensions"] if one["name"] == "hulian.quality")


# ------------------------------------------------ writers at once


def test_two_writers_lose_nothing(plant):
    count, failures = 6, []
    with plant.aas("read", "configure") as client:
        assert client.post("/submodels", json=named("urn:counted", prop("Start", "0", "xs:int"))).status_code == 201
    at = f"/submodels/{coded('urn:counted')}/submodel-elements"

    def write(who: str) -> None:
        with plant.aas("read", "configure") as client:
            for number in range(count):
                reply = client.post(at, json=prop(f"{who}{number}", str(number), "xs:int"))
                if reply.status_code != 201:
                    failures.append(reply.text)

    threads = [threading.Thread(target=write, args=(who,)) for who in ("a", "b", "c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with plant.aas("read") as client:
        found = {one["idShort"] for one in ok(client.get(at))["result"]}
    assert found == {"Start", *(f"{who}{number}" for who in "abc" for number in range(count))}


def test_a_writer_of_another_process_is_seen_before_anything_is_lost(plant):
    """Between reading and writing, somebody else imports the document anew: the change is made on what is there then."""
    model = plant.open_semantics().model
    whole = everything()
    whole["submodels"][0]["submodelElements"].append(prop("Theirs", "1"))
    real, once = model.read, []

    def read(form, source, name, who):
        if not once and who == "admin":
            once.append(name)
            plant.take(whole, "pump")
        return real(form, source, name, who)

    model.read = read
    try:
        with plant.aas("read", "configure") as client:
            assert client.post(ELEMENTS, json=prop("Ours", "2")).status_code == 201
            names = {one["idShort"] for one in ok(client.get(ELEMENTS))["result"]}
    finally:
        model.read = real
    assert once == ["pump"]
    assert {"Ours", "Theirs"} <= names


def test_if_match_refuses_what_was_changed_since(plant):
    with plant.aas("read", "configure") as client:
        seen = client.get(AT).headers["etag"]
        assert client.patch(f"{ELEMENTS}/Temperature/$value", json={"min": 1}, headers={"if-match": seen}).status_code == 204
        again = client.patch(f"{ELEMENTS}/Temperature/$value", json={"min": 2}, headers={"if-match": seen})
        assert said(again) == (412, "HL-NORTH-0008")
        assert ok(client.get(f"{ELEMENTS}/Temperature/$value"))["min"] == 1
        assert said(client.put(AT, json=everything()["submodels"][0], headers={"if-none-match": "*"})) == (412, "HL-NORTH-0008")


def test_a_document_of_many_submodels_keeps_its_pages(empty):
    """10,000 submodels: pages hold what was asked for, follow each other without gap, and need no more than their own."""
    many = [named(f"urn:many:{number:05d}", group("Gauge", prop("Count", str(number), "xs:int"))) for number in range(10_000)]
    empty.take({"submodels": many}, "many")
    with empty.aas("read") as client:
        seen, cursor = [], {}
        while cursor is not None:
            page = ok(client.get("/submodels", params={"limit": 1000, **cursor}))
            assert len(page["result"]) <= 1000
            seen += [one["id"] for one in page["result"]]
            after = page["paging_metadata"].get("cursor")
            cursor = {"cursor": after} if after else None
        assert seen == [one["id"] for one in many]
        one = ok(client.get("/submodels", params={"idShort": "Nobody"}))
        assert one == {"paging_metadata": {}, "result": []}
        assert ok(client.get(f"/submodels/{coded('urn:many:07777')}/$value")) == {"Gauge": {"Count": 7777}}
    with empty.aas("read", "configure") as client:
        assert client.delete(f"/submodels/{coded('urn:many:07777')}").status_code == 204
        page = ok(client.get("/submodels", params={"limit": 2, "cursor": coded("urn:many:07776")}))
        assert [one["id"] for one in page["result"]] == ["urn:many:07778", "urn:many:07779"]


@pytest.fixture
def samples():
    import os

    folder = os.environ.get("HULIAN_SAMPLES")
    if not folder or not (Path(folder) / "aas").is_dir():
        pytest.skip("HULIAN_SAMPLES names no folder with samples")
    return Path(folder)
