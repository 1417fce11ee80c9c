"""The repository, registry and discovery API over a store in memory."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from aas_documents import SUBMODEL, everything, external, prop, to

from hulian.network.exchange.semantics.aas.api.contract import Answer, ApiError, Collection, Page, Request, Right
from hulian.network.exchange.semantics.aas.api.paths import decoded_id, encoded_id, steps_of
from hulian.network.exchange.semantics.aas.api.service import OPERATIONS, answer
from hulian.network.exchange.semantics.aas.verification import findings
from hulian.network.exchange.semantics.documents import memory_source

SHELL = "https://example.org/aas/pump"
AT = f"/submodels/{encoded_id(SUBMODEL)}"


class Memory:
    """A store in memory."""

    def __init__(self) -> None:
        self.all: dict[str, dict[str, dict[str, Any]]] = {}
        self.files: dict[tuple[str, str], tuple[bytes, str]] = {}
        environment = everything()
        for name, key in (
            ("shells", "assetAdministrationShells"),
            ("submodels", "submodels"),
            ("concept-descriptions", "conceptDescriptions"),
        ):
            self.all[name] = {one["id"]: one for one in environment[key]}

    def get(self, collection: Collection, identity: str) -> dict[str, Any] | None:
        return copy.deepcopy(self.all.get(collection, {}).get(identity))

    def page(
        self,
        collection: Collection,
        after: str,
        limit: int,
        wanted: Callable[[dict[str, Any]], bool] | None,
        *,
        whole: bool = True,
    ) -> Page:
        every = sorted(self.all.get(collection, {}).items())
        found = [one for identity, one in every if identity > after and (wanted is None or wanted(one))]
        if not whole:
            found = [{name: value for name, value in one.items() if name != "submodelElements"} for one in found]
        return Page(copy.deepcopy(found[:limit]), found[limit - 1]["id"] if len(found) > limit else "")

    def put(self, collection: Collection, identity: str, value: dict[str, Any], *, new: bool) -> bool:
        of = self.all.setdefault(collection, {})
        if (identity in of) is new:
            return False
        of[identity] = copy.deepcopy(value)
        return True

    def delete(self, collection: Collection, identity: str) -> bool:
        return self.all.get(collection, {}).pop(identity, None) is not None

    def file(self, submodel: str, path: str) -> tuple[bytes, str] | None:
        return self.files.get((submodel, path))

    def put_file(self, submodel: str, path: str, content: bytes, media_type: str) -> str:
        named = f"/files/{path or 'thumbnail'}"
        self.files[submodel, named] = (content, media_type)
        return named


class Client:
    """Asks, and keeps what leave was asked for."""

    def __init__(self) -> None:
        self.store = Memory()
        self.asked: list[tuple[str, Right, Collection, str, str]] = []
        self.refused: set[str] = set()

    def authorise(self, operation: str, right: Right, collection: Collection, identity: str, path: str) -> None:
        self.asked.append((operation, right, collection, identity, path))
        if right in self.refused or (identity and identity in self.refused):
            raise ApiError(403, "you may not")

    def ask(self, method: str, path: str, body: Any = None, accept: str = "", **query: str) -> Answer:
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        request = Request(
            method=method,
            path=path,
            query={name: [text] for name, text in query.items()},
            body=content,
            media_type="image/png" if isinstance(body, bytes) else "application/json",
            accept=accept,
            root="https://host/api/v3",
        )
        return answer(request, self.store, self.authorise, lambda: "2026-01-02T03:04:05.000Z")

    def get(self, path: str, **query: str) -> Any:
        found = self.ask("GET", path, **query)
        assert found.status == 200, found.body
        return json.loads(found.body)


@pytest.fixture
def client() -> Client:
    return Client()


def coded(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def test_ids_and_paths() -> None:
    assert encoded_id("https://example.com/aas") == "aHR0cHM6Ly9leGFtcGxlLmNvbS9hYXM"
    assert decoded_id("aHR0cHM6Ly9leGFtcGxlLmNvbS9hYXM=") == "https://example.com/aas"
    assert steps_of("A.B[2][0].C") == ["A", "B", 2, 0, "C"]
    for wrong in ("", "[0]", "A..B", ".A", "A[x]", "A[0]B", "A b", "A."):
        with pytest.raises(ApiError):
            steps_of(wrong)


def test_shells_submodels_and_concepts_are_listed_and_shown(client: Client) -> None:
    whole = everything()
    assert client.get("/shells")["result"] == whole["assetAdministrationShells"]
    assert client.get(f"/shells/{encoded_id(SHELL)}") == whole["assetAdministrationShells"][0]
    assert client.get("/shells/$reference")["result"] == [to(("AssetAdministrationShell", SHELL))]
    assert client.get(f"/shells/{encoded_id(SHELL)}/asset-information")["globalAssetId"] == "https://example.org/asset/pump"
    assert client.get(f"/shells/{encoded_id(SHELL)}/submodel-refs")["result"] == [to(("Submodel", SUBMODEL))]
    assert client.get("/shells", assetIds=coded({"name": "serial", "value": "17"}))["result"]
    assert not client.get("/shells", assetIds=coded({"name": "serial", "value": "18"}))["result"]
    assert not client.get("/shells", idShort="Other")["result"]
    assert client.get("/submodels", semanticId=coded(whole["submodels"][0]["semanticId"]))["result"]
    assert not client.get("/submodels", semanticId=coded(external("urn:other")))["result"]
    concept = whole["conceptDescriptions"][0]
    assert client.get("/concept-descriptions", isCaseOf=coded(concept["isCaseOf"][0]))["result"] == [concept]
    assert client.get(f"/concept-descriptions/{encoded_id(concept['id'])}") == concept


def test_pages_follow_their_cursor(client: Client) -> None:
    for number in range(7):
        assert client.ask("POST", "/submodels", {"modelType": "Submodel", "id": f"urn:s:{number}"}).status == 201
    seen, cursor = [], ""
    while True:
        page = client.get("/submodels", limit="3", **({"cursor": cursor} if cursor else {}))
        assert len(page["result"]) <= 3
        seen += [one["id"] for one in page["result"]]
        cursor = page["paging_metadata"].get("cursor", "")
        if not cursor:
            break
    assert seen == sorted([SUBMODEL, *(f"urn:s:{number}" for number in range(7))])
    elements = client.get(f"{AT}/submodel-elements", limit="10", extent="withBlobValue")
    cursor = elements["paging_metadata"]["cursor"]
    more = client.get(f"{AT}/submodel-elements", limit="10", cursor=cursor, extent="withBlobValue")
    assert elements["result"] + more["result"] == everything()["submodels"][0]["submodelElements"]
    assert more["paging_metadata"] == {}
    for wrong in ("0", "-1", "x", "²"):
        assert client.ask("GET", "/submodels", limit=wrong).status == 400


def test_value_only(client: Client) -> None:
    value = client.get(f"{AT}/$value", extent="withBlobValue")
    assert value["Pressure"] == 4.25
    assert value["Maker"] == [{"en": "pressure"}, {"zh": "压力"}]
    assert value["Temperature"] == {"min": -20, "max": 90}
    assert value["Manual"] == {"contentType": "application/pdf", "value": "/aasx/files/manual.pdf"}
    assert value["Icon"] == {"contentType": "image/png", "value": "iVBORw0="}
    assert value["Seen"] == to(("Submodel", SUBMODEL), ("Property", "Pressure"))
    assert value["Noted"]["annotations"] == [{"Why": "they move together"}]
    assert value["Impeller"]["statements"] == {"Blades": 6, "Nut": {"entityType": "CoManagedEntity"}}
    assert value["Readings"] == [1.5, 2.5]
    assert value["Deep"]["Deeper"]["Text"].startswith("a < b")
    assert not {"Start", "Pumping"} & value.keys()
    assert client.get(f"{AT}/$value")["Icon"] == {"contentType": "image/png"}
    assert client.get(f"{AT}/submodel-elements/Readings[1]/$value") == 2.5
    assert client.ask("GET", f"{AT}/submodel-elements/Start/$value").status == 400


def test_level_metadata_reference_and_path(client: Client) -> None:
    core = {one["idShort"]: one for one in client.get(AT, level="core")["submodelElements"]}
    assert "value" not in core["Deep"]
    assert core["Pressure"]["value"] == "4.25"
    deeper = client.get(f"{AT}/submodel-elements/Deep", level="core")["value"][0]
    assert deeper["idShort"] == "Deeper"
    assert "value" not in deeper
    metadata = client.get(f"{AT}/submodel-elements/Pressure/$metadata")
    assert "value" not in metadata
    assert metadata["valueType"] == "xs:double"
    assert "submodelElements" not in client.get(f"{AT}/$metadata")
    assert client.get(f"{AT}/submodel-elements/Readings%5B1%5D/$reference") == to(
        ("Submodel", SUBMODEL), ("SubmodelElementList", "Readings"), ("Property", "1")
    )
    paths = client.get(f"{AT}/$path")
    assert {"Pressure", "Deep.Deeper.Text", "Readings[0]", "Impeller.Blades"} <= set(paths)
    assert "Deep.Deeper.Text" not in client.get(f"{AT}/$path", level="core")
    assert client.get(f"{AT}/submodel-elements/Deep/$path") == ["Deep", "Deep.Deeper", "Deep.Deeper.Text"]
    assert client.ask("GET", AT, level="half").status == 400
    assert "value" not in client.get(f"{AT}/submodel-elements/Icon")
    assert client.get(f"{AT}/submodel-elements/Icon", extent="withBlobValue")["value"] == "iVBORw0="


def test_elements_are_made_changed_and_removed(client: Client) -> None:
    there = f"{AT}/submodel-elements"
    made = client.ask("POST", f"{there}/Deep.Deeper", prop("New", "1", "xs:int"))
    assert (made.status, made.headers["Location"]) == (201, f"https://host/api/v3{there}/Deep.Deeper.New")
    assert client.get(f"{there}/Deep.Deeper.New")["value"] == "1"
    assert client.ask("POST", f"{there}/Deep.Deeper", prop("New", "1", "xs:int")).status == 409
    appended = client.ask("POST", f"{there}/Readings", {"modelType": "Property", "valueType": "xs:double", "value": "3.5"})
    assert appended.headers["Location"].endswith("/Readings[2]")
    assert client.ask("PUT", f"{there}/Deep.Deeper.New", prop("New", "2", "xs:int")).status == 204
    assert client.ask("PUT", f"{there}/Deep.Deeper.Newer", prop("Newer", "2", "xs:int")).status == 201
    assert client.ask("PUT", f"{there}/Deep.Deeper.New", prop("Other", "2", "xs:int")).status == 400
    assert client.ask("PATCH", f"{there}/Deep.Deeper.New/$value", 7).status == 204
    assert client.get(f"{there}/Deep.Deeper.New")["value"] == "7"
    assert client.ask("PATCH", f"{there}/Deep.Deeper.New/$value", "x").status == 400
    assert (
        client.ask("PATCH", f"{AT}/$value", {"Pressure": 9.5, "Temperature": {"max": 95}, "Readings": [1, 2, 3]}).status == 204
    )
    value = client.get(f"{AT}/$value")
    assert (value["Pressure"], value["Temperature"], value["Readings"]) == (9.5, {"min": -20, "max": 95}, [1, 2, 3])
    assert client.ask("PATCH", f"{there}/Pressure", {"category": "PARAMETER"}).status == 204
    assert client.ask("PATCH", f"{there}/Pressure/$metadata", {"category": None}).status == 204
    assert "category" not in client.get(f"{there}/Pressure")
    assert client.ask("PATCH", f"{there}/Pressure/$metadata", {"value": "1"}).status == 400
    assert client.ask("DELETE", f"{there}/Readings[0]").status == 204
    assert client.get(f"{there}/Readings/$value") == [2, 3]
    assert client.ask("DELETE", f"{there}/Nothing").status == 404
    assert client.ask("POST", f"{there}/Pressure", prop("P")).status == 400
    document = client.ask("GET", "/serialization", submodelIds=encoded_id(SUBMODEL)).body
    assert list(findings(memory_source("a.json", document))) == []


def test_what_the_metamodel_refuses_changes_nothing(client: Client) -> None:
    before = copy.deepcopy(client.store.all)
    for method, path, body in (
        ("POST", "/submodels", {"modelType": "Submodel"}),
        ("POST", "/submodels", {"modelType": "Submodel", "id": "urn:x", "idShort": "1 x"}),
        ("POST", "/submodels", b"{"),
        ("POST", "/submodels", [1]),
        ("PUT", AT, {"modelType": "Submodel", "id": "urn:other"}),
        ("POST", f"{AT}/submodel-elements", prop("P", "x", "xs:int")),
        ("POST", f"{AT}/submodel-elements", {"modelType": "Nothing", "idShort": "P"}),
        ("PATCH", f"{AT}/$value", {"Pressure": 1, "Temperature": {"max": "hot"}}),
        ("PATCH", AT, {"id": "urn:other"}),
    ):
        refused = client.ask(method, path, body)
        assert refused.status == 400, (method, path, refused)
        (message,) = json.loads(refused.body)["messages"]
        assert (message["code"], message["messageType"], message["timestamp"]) == ("400", "Error", "2026-01-02T03:04:05.000Z")
    assert client.ask("POST", "/submodels", everything()["submodels"][0]).status == 409
    assert client.ask("POST", "/nothing").status == 404
    assert client.ask("DELETE", "/shells").status == 405
    assert client.ask("GET", "/submodels/***").status == 400
    assert client.ask("POST", f"{AT}/submodel-elements/Start/invoke", {}).status == 501
    assert client.store.all == before


def test_identifiables_are_made_replaced_and_removed(client: Client) -> None:
    submodel = {"modelType": "Submodel", "id": "urn:new", "idShort": "New"}
    made = client.ask("POST", "/submodels", submodel)
    assert made.headers["Location"] == f"https://host/api/v3/submodels/{encoded_id('urn:new')}"
    assert client.ask("PUT", f"/submodels/{encoded_id('urn:new')}", {**submodel, "idShort": "Newer"}).status == 204
    assert client.get(f"/submodels/{encoded_id('urn:new')}")["idShort"] == "Newer"
    reference = to(("Submodel", "urn:new"))
    shell = f"/shells/{encoded_id(SHELL)}"
    assert client.ask("POST", f"{shell}/submodel-refs", reference).status == 201
    assert client.ask("POST", f"{shell}/submodel-refs", reference).status == 409
    assert client.get(f"{shell}/submodels/{encoded_id('urn:new')}")["id"] == "urn:new"
    assert client.ask("DELETE", f"{shell}/submodel-refs/{encoded_id('urn:new')}").status == 204
    assert client.ask("GET", f"{shell}/submodels/{encoded_id('urn:new')}").status == 404
    through = f"{shell}/submodels/{encoded_id(SUBMODEL)}/submodel-elements/Pressure"
    assert client.get(f"{through}/$value") == 4.25
    assert client.ask("PATCH", f"{through}/$value", 5.5).status == 204
    assert client.get(f"{AT}/submodel-elements/Pressure/$value") == 5.5
    assert client.ask("PUT", f"{shell}/asset-information", {"assetKind": "Instance", "globalAssetId": "urn:a"}).status == 204
    assert client.ask("DELETE", f"/submodels/{encoded_id('urn:new')}").status == 204
    assert client.ask("DELETE", f"/submodels/{encoded_id('urn:new')}").status == 404


def test_files_and_thumbnails(client: Client) -> None:
    there = f"{AT}/submodel-elements/Manual/attachment"
    assert client.ask("GET", there).status == 404
    assert client.ask("PUT", there, b"\x89PNG").status == 204
    found = client.ask("GET", there)
    assert (found.body, found.media_type) == (b"\x89PNG", "image/png")
    assert client.ask("DELETE", there).status == 204
    assert client.ask("GET", there).status == 404
    assert client.ask("GET", f"{AT}/submodel-elements/Pressure/attachment").status == 400
    thumbnail = f"/shells/{encoded_id(SHELL)}/asset-information/thumbnail"
    assert client.ask("PUT", thumbnail, b"\x89PNG").status == 204
    assert client.ask("GET", thumbnail).body == b"\x89PNG"
    assert client.ask("DELETE", thumbnail).status == 204
    assert client.ask("GET", thumbnail).status == 404


def test_registry_and_discovery(client: Client) -> None:
    endpoint = [{"interface": "SUBMODEL-3.0", "protocolInformation": {"href": "https://host/s"}}]
    shell = {"id": "urn:shell", "assetKind": "Instance", "endpoints": []}
    assert client.ask("POST", "/shell-descriptors", shell).status == 201
    assert client.ask("POST", "/shell-descriptors", shell).status == 409
    assert client.get("/shell-descriptors", assetKind="Instance")["result"] == [shell]
    assert client.get("/shell-descriptors", assetKind="Type")["result"] == []
    there = f"/shell-descriptors/{encoded_id('urn:shell')}"
    assert client.ask("PUT", there, {**shell, "idShort": "S"}).status == 204
    nested = f"{there}/submodel-descriptors"
    assert client.ask("POST", nested, {"id": "urn:s", "endpoints": endpoint}).status == 201
    assert client.ask("POST", nested, {"id": "urn:t"}).status == 400
    assert [one["id"] for one in client.get(nested)["result"]] == ["urn:s"]
    assert client.get(f"{nested}/{encoded_id('urn:s')}")["endpoints"] == endpoint
    assert (
        client.ask("PUT", f"{nested}/{encoded_id('urn:s')}", {"id": "urn:s", "endpoints": endpoint, "idShort": "X"}).status
        == 204
    )
    assert client.ask("DELETE", f"{nested}/{encoded_id('urn:s')}").status == 204
    assert client.get(nested)["result"] == []
    assert client.ask("POST", "/submodel-descriptors", {"id": "urn:s", "endpoints": endpoint}).status == 201
    assert client.ask("DELETE", f"/submodel-descriptors/{encoded_id('urn:s')}").status == 204

    asset = coded([{"name": "globalAssetId", "value": "https://example.org/asset/pump"}])
    assert client.get("/lookup/shells", assetIds=asset)["result"] == [SHELL]
    links = f"/lookup/shells/{encoded_id(SHELL)}"
    assert {one["name"] for one in client.get(links)} == {"globalAssetId", "serial"}
    assert client.ask("POST", links, [{"name": "batch", "value": "B1"}]).status == 201
    assert client.get("/lookup/shells", assetIds=coded({"name": "batch", "value": "B1"}))["result"] == [SHELL]
    assert client.ask("DELETE", links).status == 204
    assert client.get("/lookup/shells", assetIds=coded({"name": "batch", "value": "B1"}))["result"] == []
    assert any("SubmodelRepository" in one for one in client.get("/description")["profiles"])


@pytest.mark.parametrize("accept", ["application/json", "application/xml"])
def test_serialisation(client: Client, accept: str) -> None:
    found = client.ask("GET", "/serialization", accept=accept, aasIds=encoded_id(SHELL), submodelIds=encoded_id(SUBMODEL))
    assert (found.status, found.media_type) == (200, accept)
    assert list(findings(memory_source("a." + accept[-4:].strip("/"), found.body))) == []
    assert b"0173-1#02-AAY812#001" in found.body
    assert client.ask("GET", "/serialization", accept="text/html").status == 406


def test_leave_is_asked_before_anything_is_done(client: Client) -> None:
    client.get(f"{AT}/submodel-elements/Deep.Deeper/$value")
    assert client.asked == [("GetSubmodelElementByPathValueOnly", "read", "submodels", SUBMODEL, "Deep.Deeper")]
    assert {operation for operation, *_ in client.asked} <= set(OPERATIONS)
    before = copy.deepcopy(client.store.all)
    client.refused = {"write", "delete", "invoke"}
    endpoint = {"id": "urn:s", "endpoints": [{"interface": "SUBMODEL-3.0", "protocolInformation": {"href": "x"}}]}
    shell = f"/shells/{encoded_id(SHELL)}"
    for method, path, body in (
        ("POST", "/submodels", {"modelType": "Submodel", "id": "urn:n"}),
        ("PUT", AT, {"modelType": "Submodel", "id": SUBMODEL}),
        ("DELETE", AT, None),
        ("PATCH", f"{AT}/$value", {}),
        ("POST", f"{AT}/submodel-elements", prop("P")),
        ("PUT", f"{AT}/submodel-elements/Pressure", prop("Pressure")),
        ("DELETE", f"{AT}/submodel-elements/Pressure", None),
        ("POST", f"{AT}/submodel-elements/Start/invoke", {}),
        ("PUT", f"{AT}/submodel-elements/Manual/attachment", b"x"),
        ("PUT", f"{shell}/asset-information", {"assetKind": "Type"}),
        ("POST", f"{shell}/submodel-refs", to(("Submodel", "urn:x"))),
        ("DELETE", f"/lookup/shells/{encoded_id(SHELL)}", None),
        ("POST", "/submodel-descriptors", endpoint),
    ):
        assert client.ask(method, path, body).status == 403, (method, path)
    assert client.store.all == before
    assert client.store.files == {}
    # What may not be read is not in lists either.
    client.refused = {SUBMODEL}
    assert client.get("/submodels")["result"] == []
    assert client.ask("GET", AT).status == 403
