"""What somebody without a login can send: of every kind, and none opens or breaks anything."""

from __future__ import annotations

import json
import re
import socket

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hulian.platform.api.access import host_name
from hulian.trust import tables, throttle

pytestmark = pytest.mark.usefixtures("patient")

FUZZ = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
LINE = st.binary(max_size=200).map(lambda raw: raw.translate(None, b"\r\n\0"))
"""Any header value that a client can put on one line."""
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")


@pytest.fixture
def patient(monkeypatch, stack):
    """Without the wait after wrong passwords, which would answer all that comes after the first few, here and in the tests
    that share this platform."""
    for rule in ("_HERE", "_SOURCE", "_USER"):
        monkeypatch.setattr(throttle, rule, throttle._Rule(free=10**9, longest=1))
    yield
    with stack.registry.write() as connection:
        connection.execute(tables.attempt.delete())


def ask(stack, *headers: bytes, path=b"/api/v1/session", method=b"GET", body=b"") -> tuple[int, dict]:
    """One request of exactly these bytes; its status and what the body says."""
    lines = [method + b" " + path + b" HTTP/1.1", *headers, b"Connection: close"]
    if body:
        lines += [b"Content-Type: application/json", b"Content-Length: %d" % len(body)]
    answer = b""
    with socket.create_connection(("127.0.0.1", stack.service.port), 10) as link:
        try:
            link.sendall(b"\r\n".join(lines) + b"\r\n\r\n" + body)
            while chunk := link.recv(65536):
                answer += chunk
        except ConnectionError:
            pass
    assert b"Traceback" not in answer
    found = STATUS.match(answer)
    assert found, answer[:200]
    try:
        return int(found[1]), json.loads(answer.partition(b"\r\n\r\n")[2])
    except ValueError:
        return int(found[1]), {}


HOST = b"Host: localhost"


def refused(answer, *statuses) -> None:
    status, said = answer
    assert status in statuses, answer
    # 400 without a body is the HTTP parser's: what came is not HTTP.
    assert (status == 400 and not said) or said["code"].startswith("HL-"), answer


@FUZZ
@given(LINE)
@example(b"hulian_session=")
@example(b"hulian_session=%00%ff; hulian_session=x")
@example(b'hulian_session="\\377\\000"')
@example(b"hulian_session=" + b"a" * 4000)
def test_no_cookie_of_ones_own_is_a_login(stack, value):
    refused(ask(stack, HOST, b"Cookie: " + value), 400, 401)
    refused(ask(stack, HOST, b"Cookie: hulian_session=" + value), 400, 401)


@FUZZ
@given(LINE)
@example(b"Bearer hlt_")
@example(b"Bearer hlt_\xff\xfe")
@example(b"Bearer  hlt_' OR 1=1 --")
@example(b"Basic YWRtaW46YWRtaW4=")
@example(b"bearer\thlt_x")
def test_no_token_of_ones_own_is_a_login(stack, value):
    refused(ask(stack, HOST, b"Authorization: " + value), 400, 401)
    refused(ask(stack, HOST, b"Authorization: Bearer hlt_" + value), 400, 401)


@FUZZ
@given(LINE)
@example(b"localhost@evil.example")
@example(b"localhost/evil.example")
@example(b"evil.example#@localhost")
@example(b"evil.example?localhost")
@example(b"localhost\tx")
@example(b"local\thost")
@example(b"localhost:")
@example(b"localhost:x")
@example(b":\x80")
@example(b"localhost:99999")
@example(b"[::1")
@example(b"[localhost]")
@example(b"[::1]evil.example")
@example(b"127.0.0.1.evil.example")
@example(b"localhost, evil.example")
@example(b"\xff")
def test_a_host_is_ours_in_full_or_refused(stack, value):
    status, said = ask(stack, b"Host: " + value, path=b"/api/v1/health")
    if status == 200:
        name = host_name(value.decode("latin-1").strip())
        assert name is not None
        assert re.fullmatch(r"\[[0-9a-fA-F:.]+\](:\d{0,5})?|[0-9A-Za-z.-]+(:\d{0,5})?", value.decode("latin-1").strip()), value
    else:
        refused((status, said), 400, 403, 421)


def test_two_hosts_are_none(stack):
    """A proxy before us may believe the other one (RFC 9112, 3.2)."""
    for hosts in ((HOST, b"Host: evil.example"), (b"Host: evil.example", HOST), (HOST, HOST)):
        refused(ask(stack, *hosts, path=b"/api/v1/health"), 400, 403, 421)
    refused(ask(stack, path=b"/api/v1/health"), 400, 403, 421)


@FUZZ
@given(LINE)
@example(b"http://[")
@example(b"http://[::1")
@example(b"http://localhost")
@example(b"null")
@example(b"//localhost")
@example(b"http://evil.example@localhost")
@example(b"\xe2\x84\xaa")
def test_no_origin_breaks_the_login_or_opens_it(stack, value):
    body = json.dumps({"user": "admin", "password": "not the password"}).encode()
    refused(ask(stack, HOST, b"Origin: " + value, method=b"POST", body=body), 400, 401, 403)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)


@FUZZ
@given(
    st.fixed_dictionaries({"user": JSON, "password": JSON}, optional={"more": JSON}).map(json.dumps)
    | st.fixed_dictionaries({"user": TEXT, "password": TEXT}).map(json.dumps)
    | JSON.map(json.dumps)
    | st.text(max_size=100)
)
@example('{"user": "\\ud800", "password": "\\udfff"}')
@example('{"user": "\\u0000", "password": "\\u0000"}')
@example('{"user": "admin", "user": "admin", "password": ""}')
@example(json.dumps({"user": "admin", "password": "x" * 1000}))
@example(json.dumps({"user": "\u1e9e" * 200, "password": "\N{ARABIC LIGATURE SALLALLAHOU ALAYHE WASALLAM}" * 1000}))
def test_no_body_logs_in_or_breaks_the_login(stack, text):
    body = text.encode("utf-8", "surrogatepass") or b" "
    refused(ask(stack, HOST, method=b"POST", body=body), 400, 401)


@FUZZ
@given(st.binary(min_size=1, max_size=300))
def test_no_bytes_log_in_or_break_the_login(stack, body):
    refused(ask(stack, HOST, method=b"POST", body=body), 400, 401)


def test_after_all_that_the_right_password_opens(stack):
    body = json.dumps({"user": "admin", "password": stack.password}).encode()
    status, said = ask(stack, HOST, method=b"POST", body=body)
    assert (status, said["user"]) == (200, "admin")
