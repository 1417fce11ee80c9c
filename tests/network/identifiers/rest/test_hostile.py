"""Hostile requests: whatever path, query, headers and JSON hold, the answer is an answer, and never a defect of ours."""

from __future__ import annotations

import json

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hulian.network.identifiers.nodes.tiers import enterprise_inside
from hulian.network.identifiers.store import RecordStore
from hulian.network.identifiers.transport.rest.application import Application
from hulian.network.identifiers.transport.rest.contract import Node
from hulian.network.identifiers.wire.values import Reference, Value
from hulian.registry import Registry

USER = Reference("88.1/ADMIN", 300)
BASIC = b"Basic MzAwJTNBODguMS9BRE1JTjpzZWNyZXQ="


@pytest.fixture(scope="module")
def application(tmp_path_factory):
    store = RecordStore(Registry.open(tmp_path_factory.mktemp("hostile") / "node.db"))
    store.home("88.1")
    store.create(USER.handle, [Value(index=300, type="HS_SECKEY", data=b"secret", permissions=12)])
    inside = enterprise_inside(store, [USER])
    return Application(
        Node(answering=inside.answering, proofs=inside.proofs, authority=inside.authority, store=store, gs1_prefix="88.1")
    )


def answered(application, method: str, path: bytes, query: bytes, headers, body: bytes) -> tuple[int, bytes]:
    """What one request is answered, straight from the application."""
    scope = {
        "type": "http",
        "method": method,
        "path": path.decode("latin-1"),
        "raw_path": path,
        "query_string": query,
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
        "scheme": "http",
        "state": {},
    }
    sent: list[dict] = []

    async def receive() -> dict:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict) -> None:
        sent.append(message)

    async def asked() -> None:
        await application(scope, receive, send)

    anyio.run(asked)
    for name, value in sent[0]["headers"]:
        assert not {10, 13, 0} & set(name + value)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


NAMES = ("index", "type", "data", "format", "value", "ttl", "timestamp", "permissions", "references", "handle", "values")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), inner, max_size=6)
    ),
    max_leaves=20,
)


@pytest.mark.fuzz
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_hostile_requests_are_answered(application, data):
    path = data.draw(
        st.sampled_from([b"/api/handles/88.1/x", b"/api/handles", b"/api/sessions/this", b"/01/09506000134352", b"/88.1/ADMIN"])
    ) + data.draw(st.sampled_from([b"", b"/", b"%", b"%00", b"%ff", b"%2F"]) | st.binary(max_size=10))
    names = ["index", "type", "page", "pageSize", "prefix", "overwrite", "callback", "linkType", "pretty", "mintNewSuffix"]
    pair = st.tuples(st.sampled_from(names), st.text(max_size=6)).map(lambda one: "=".join(one).encode("utf-8", "ignore"))
    query = b"&".join(data.draw(st.lists(pair | st.binary(max_size=12), max_size=3)))
    proof = st.just(BASIC) | st.binary(max_size=30).map(lambda one: b"Handle " + one) | st.just(b"Basic " + b"A" * 9)
    headers = [(b"authorization", data.draw(proof)), (b"host", b"x"), (b"accept", data.draw(st.binary(max_size=12)))]
    method = data.draw(st.sampled_from(["GET", "PUT", "DELETE", "POST", "HEAD", "OPTIONS"]))
    body = data.draw(st.binary(max_size=40) | JSON.map(lambda one: json.dumps(one).encode()))
    application._prover._attempts._failed.clear()
    status, text = answered(application, method, path, query, headers, body)
    assert status < 500 or status == 503, text


@pytest.mark.fuzz
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(document=JSON)
def test_hostile_values_are_kept_or_refused(application, document):
    body = json.dumps([{"index": 1, "type": "URL", "data": document}, document]).encode()
    application._prover._attempts._failed.clear()
    for sent in (body, json.dumps(document).encode()):
        status, text = answered(application, "PUT", b"/api/handles/88.1/x", b"", [(b"authorization", BASIC)], sent)
        assert status in (200, 201, 400), text
