"""Foreign bytes: whatever comes, it is read or refused with a code and a place."""

from __future__ import annotations

import contextlib
import json

import pytest
from aas_documents import everything
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from semantic_content import Collected

from hulian.network.exchange.semantics.aas import FORMAT
from hulian.network.exchange.semantics.aas.api.contract import ApiError
from hulian.network.exchange.semantics.aas.api.paths import decoded_id, find
from hulian.network.exchange.semantics.aas.api.values import set_value, value_of
from hulian.network.exchange.semantics.aas.format import Form, written
from hulian.network.exchange.semantics.documents import memory_source
from hulian.network.exchange.semantics.errors import DocumentError

GOOD = Collected(*FORMAT.read(memory_source("a.json", json.dumps(everything()).encode()), "doc", []))
SEEDS: dict[Form, bytes] = {form: written(GOOD, form) for form in ("aasx", "xml", "json")}  # type: ignore[misc]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda below: (
        st.lists(below, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "modelType",
                    "id",
                    "idShort",
                    "value",
                    "keys",
                    "type",
                    "semanticId",
                    "submodelElements",
                    "language",
                    "min",
                    "first",
                ]
            )
            | st.text(max_size=5),
            below,
            max_size=5,
        )
    ),
    max_leaves=30,
)


def tried(name: str, content: bytes) -> None:
    with contextlib.suppress(DocumentError):
        read = Collected(*FORMAT.read(memory_source(name, content), "doc", []))
        again = written(read, "json")
        Collected(*FORMAT.read(memory_source("b.json", again), "doc", []))


@pytest.mark.fuzz
@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(sorted(SEEDS)), st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=12))
def test_changed_bytes(form: Form, changes: list[tuple[int, int]]) -> None:
    content = bytearray(SEEDS[form])
    for at, byte in changes:
        content[at % len(content)] = byte
    tried(f"a.{form}", bytes(content))


@pytest.mark.fuzz
@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(sorted(SEEDS)), st.integers(0, 10**6), st.integers(1, 300))
def test_missing_and_doubled_bytes(form: Form, at: int, length: int) -> None:
    content = SEEDS[form]
    at %= len(content)
    tried(f"a.{form}", content[:at] + content[at + length :])
    tried(f"a.{form}", content[: at + length] + content[at:])


@pytest.mark.fuzz
@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(JSON)
def test_any_json(value: object) -> None:
    tried("a.json", json.dumps(value).encode())
    tried(
        "a.json",
        json.dumps({"submodels": [value], "assetAdministrationShells": [value], "conceptDescriptions": [value]}).encode(),
    )
    tried("a.json", json.dumps({"submodels": [{"id": "urn:s", "submodelElements": [value]}]}).encode())


@pytest.mark.fuzz
@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(JSON, st.text(max_size=30))
def test_any_value_and_path(value: object, path: str) -> None:
    submodel = everything()["submodels"][0]
    with contextlib.suppress(ApiError):
        set_value(submodel, value)
    with contextlib.suppress(ApiError):
        find(submodel, path)
    with contextlib.suppress(ApiError):
        decoded_id(path)
    for element in everything()["submodels"][0]["submodelElements"]:
        with contextlib.suppress(ApiError):
            set_value(element, value)
            value_of(element)
