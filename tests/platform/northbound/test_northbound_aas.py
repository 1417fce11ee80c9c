"""The AAS interface over a real platform: reading and changing, rights, live values."""

from __future__ import annotations

from aas_documents import SUBMODEL, everything
from aas_stack import coded

SHELL = "https://example.org/aas/pump"
AT = f"/submodels/{coded(SUBMODEL)}"


def test_what_was_imported_is_what_is_served(plant):
    whole = everything()
    with plant.aas("read") as client:
        assert client.get("/shells").json() == {"paging_metadata": {}, "result": whole["assetAdministrationShells"]}
        assert client.get("/submodels", params={"extent": "withBlobValue"}).json()["result"] == whole["submodels"]
        assert client.get("/concept-descriptions").json()["result"] == whole["conceptDescriptions"]
        one = client.get(f"/shells/{coded(SHELL)}")
        assert one.json() == whole["assetAdministrationShells"][0]
        assert one.headers["etag"]
