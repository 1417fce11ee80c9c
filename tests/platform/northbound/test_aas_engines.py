"""aas-test-engines asks the interface, profile by profile, as it asks any server."""

from __future__ import annotations

import json

import pytest
import requests
from aas_documents import everything
from aas_test_engines import api
from aas_test_engines.config import CheckApiConfig
from aas_test_engines.http import HttpClient
from aas_test_engines.result import Level

PROFILES = (
    "AssetAdministrationShellRepositoryServiceSpecification/SSP-002",
    "SubmodelRepositoryServiceSpecification/SSP-002",
)


class Judge(HttpClient):
    """Its client, with a login: it has no place for one."""

    def __init__(self, host: str, token: str, prefixes: tuple[str, ...] = ()) -> None:
        super().__init__(host)
        self.token, self.prefixes = token, list(prefixes)

    def descend(self, prefix):
        return Judge(self.host, self.token, (*self.prefixes, prefix))

    def send(self, request):
        headers = {**request.headers, "Authorization": f"Bearer {self.token}"}
        url = self.host + "".join(self.prefixes) + request.make_url()
        body = None if request.body is None else json.dumps(request.body)
        return requests.request(request.method, url, data=body, headers=headers, timeout=30)


def findings(result, path=""):
    """Every finding worse than information, with where it was found."""
    below = [one for sub in result.sub_results for one in findings(sub, f"{path} / {result.message}")]
    mine = [] if result.sub_results or result.level is Level.INFO else [(result.level.name, path, result.message)]
    return [*mine, *below]


TOLD = (
    # IDTA 01002, metadata: it has no values, and these are values; the judge reads metadata as whole elements.
    ("GetAllSubmodelElements-Metadata", "Missing attribute"),
    # A property's value alone is one JSON value; the judge takes only objects and lists for JSON.
    ("GetSubmodelElementByPath-ValueOnly", "Expected JSON, got <class 'float'>"),
    # The judge takes no cursor for this operation, however many elements there are.
    ("GetAllSubmodelElements-Reference", "Cannot check pagination"),
    ("", "Skipped checking of constraints"),
)
"""What it finds, and why that stays."""


def explained(one):
    return any(where in one[1] and one[2].startswith(what) for where, what in TOLD)


@pytest.mark.parametrize("profile", PROFILES)
def test_it_finds_nothing_that_is_not_explained(plant, profile):
    plant.clear()
    plant.take(two_of_each(), "pump")
    judge = Judge(f"{plant.url}/aas/api/v3.0", plant.token("read"))
    result, matrix = api.execute_tests(judge, CheckApiConfig(suite=f"https://admin-shell.io/aas/API/3/0/{profile}"))
    found = findings(result)
    assert [one for one in found if not explained(one)] == []
    assert matrix.valid_accepted > 20
    assert not matrix.invalid_accepted


def two_of_each():
    """Another shell, submodel and reference beside every class of element, so that there are pages."""
    whole = everything()
    submodel = {"modelType": "Submodel", "id": "urn:second:submodel", "idShort": "Second"}
    reference = {"type": "ModelReference", "keys": [{"type": "Submodel", "value": "urn:second:submodel"}]}
    shell = {
        "modelType": "AssetAdministrationShell",
        "id": "urn:second:shell",
        "idShort": "SecondShell",
        "assetInformation": {"assetKind": "Instance", "globalAssetId": "urn:second:asset"},
        "submodels": [reference, {**reference, "keys": [{"type": "Submodel", "value": "urn:elsewhere"}]}],
    }
    whole["assetAdministrationShells"][0]["submodels"].append(reference)
    whole["assetAdministrationShells"].append(shell)
    whole["submodels"].append(submodel)
    return whole
