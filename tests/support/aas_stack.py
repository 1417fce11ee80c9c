"""The platform of `api_stack` with the AAS interface on its server, over a model that a test fills."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from aas_documents import everything
from api_stack import Caller, Stack
from free_ports import free_port

from hulian.assembly.northbound import mounts
from hulian.network.exchange.semantics.documents import file_source, memory_source
from hulian.network.exchange.semantics.formats import format_named, format_of
from hulian.network.exchange.semantics.model.service import Import


def coded(value: Any) -> str:
    """An id or a JSON parameter in base64url."""
    text = value if isinstance(value, str) else json.dumps(value)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


class AasStack(Stack):
    """``semantics`` is opened when the interface is first asked, or a test asks."""

    def further(self) -> dict:
        return {"mounts": mounts(self.registry, self.trust, self.catalogue, self.queries, self.open_semantics)}

    # -- the model ---------------------------------------------------------------------------------------------------

    def take(self, document: dict[str, Any] | Path, name: str) -> Import:
        """Imports a document as ``name``."""
        model = self.open_semantics().model
        if isinstance(document, Path):
            source = file_source(document)
            form = format_of(source)
        else:
            source = memory_source(f"{name}.json", json.dumps(document).encode())
            form = format_named("aas")
        found = model.read(form, source, name, "test")
        assert not found.errors, found.errors
        model.apply(found.version.key)
        return found

    def clear(self) -> None:
        """Takes every document out of the model."""
        model = self.open_semantics().model
        for one in model.documents():
            model.remove(one.document.name)

    # -- callers -----------------------------------------------------------------------------------------------------

    def aas(self, *scopes: str, version: str = "v3.1", **headers: str) -> Caller:
        """A program with a token of these scopes; without one, nobody is logged in."""
        if scopes:
            headers["Authorization"] = f"Bearer {self.token(*scopes)}"
        return Caller(base_url=f"{self.url}/aas/api/{version}", headers=headers, timeout=60)


def said(reply: httpx.Response) -> tuple[int, str]:
    """Status and code of a refusal, which has the form of the standard."""
    (message,) = reply.json()["messages"]
    assert message["messageType"] == "Error"
    assert message["text"]
    assert message["timestamp"].endswith("Z")
    return reply.status_code, message["code"]


@pytest.fixture(scope="module")
def aas_stack(tmp_path_factory):
    with AasStack(tmp_path_factory.mktemp("aas"), free_port()) as running:
        yield running


@pytest.fixture
def empty(aas_stack):
    """The stack without a document."""
    aas_stack.clear()
    yield aas_stack
    aas_stack.clear()


@pytest.fixture
def plant(aas_stack):
    """The stack with one document: every class of element."""
    aas_stack.clear()
    aas_stack.take(everything(), "pump")
    yield aas_stack
    aas_stack.clear()
