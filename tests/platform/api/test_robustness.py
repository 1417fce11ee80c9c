"""Whatever comes in, the answer is an error of ours: a code, a message, never a traceback, and the next caller is served."""

from __future__ import annotations

import json
import socket

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)
POSTS = (
    "/query",
    "/exports",
    "/annotations",
    "/connectors",
    "/browse",
    "/propose",
    "/commands",
    "/users",
    "/tokens",
    "/devices",
)
FIELDS = st.sampled_from(
    [
        "points",
        "kind",
        "start",
        "end",
        "last",
        "step",
        "functions",
        "text",
        "name",
        "url",
        "nodes",
        "connector",
        "point",
        "value",
        "confirm",
        "label",
        "scopes",
        "publish",
        "settings",
        "credentials",
        "depth",
        "id",
        "password",
        "role",
    ]
)


def is_refusal(reply) -> bool:
    body = reply.json()
    return (
        set(body) == {"code", "message", "place", "hint"} and body["code"].startswith("HL-") and "Traceback" not in reply.text
    )


@pytest.fixture(scope="module")
def admin(stack):
    with stack.browser() as client:
        yield client


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff\xfe\x00", b"[]", b"null", b'"\xed\xa0\x80"', b"1e999", b"{" * 5000, b'{"a":' * 900 + b"1" + b"}" * 900],
)
def test_malformed_bodies(admin, path, body):
    reply = admin.post(path, content=body, headers={"content-type": "application/json"})
    assert 400 <= reply.status_code < 500, reply.text
    assert is_refusal(reply)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from(POSTS), body=st.dictionaries(FIELDS, JSON, max_size=5) | JSON)
def test_any_json(admin, path, body):
    # Written here, since Python's writer allows what JSON does not have (Infinity), and a caller in Python may send it.
    reply = admin.post(path, content=json.dumps(body), headers={"content-type": "application/json"})
    assert reply.status_code < 500 or reply.status_code in (502, 503, 504), (path, body, reply.text)
    assert reply.status_code < 300 or is_refusal(reply)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(("/points", "/last", "/live", "/events", "/tree", "/annotations", "/audit", "/tokens")),
    query=st.dictionaries(
        st.sampled_from(
            ["search", "limit", "cursor", "points", "series", "since", "severity", "under", "before", "start", "topics"]
        ),
        st.text(max_size=30),
        max_size=3,
    ),
)
def test_any_query_string(admin, path, query):
    with admin.stream("GET", path, params=query) as reply:
        assert reply.status_code < 500, (path, query)
        if reply.status_code >= 400:
            reply.read()
            assert is_refusal(reply)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(("points", "connectors", "jobs", "users", "certificates", "tokens", "annotations")),
    name=st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="/?#\\\r\n\t"), min_size=1, max_size=40),
)
def test_any_name_in_a_path(admin, path, name):
    from urllib.parse import quote

    for method in ("GET", "DELETE"):
        reply = admin.request(method, f"/{path}/{quote(name, safe='')}")
        assert reply.status_code < 500, (method, path, name, reply.text)


def test_large_bodies_are_refused_before_they_are_read(stack, admin):
    reply = admin.post("/query", content=b" " * (stack.settings.body_limit + 1), headers={"content-type": "application/json"})
    assert reply.status_code == 413
    assert reply.json()["code"] == "HL-API-0008"

    def endless():
        for _ in range(200):
            yield b" " * 100_000

    try:
        reply = admin.post("/query", content=endless(), headers={"content-type": "application/json"})
        assert reply.status_code == 413
    except OSError:
        pass


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /api/v1/points?a=%zz%00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /api/v1/query HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
        b"POST /api/v1/query HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\nCookie: hulian_session=\xff\xfe\r\n"
        b"Authorization: Bearer \x80\r\n\r\n",
        b"GET " + b"/x" * 100_000 + b" HTTP/1.1\r\n\r\n",
    ],
)
def test_bytes_that_are_hardly_http(stack, raw):
    with socket.create_connection(("127.0.0.1", stack.service.port), 5) as link:
        link.sendall(raw)
        link.shutdown(socket.SHUT_WR)
        link.settimeout(10)
        answer = b""
        try:
            while chunk := link.recv(65536):
                answer += chunk
        except OSError:
            pass
    assert b"Traceback" not in answer
    assert not answer.startswith(b"HTTP/1.1 5")
    with stack.anonymous() as client:
        assert client.get("/health").status_code == 200
