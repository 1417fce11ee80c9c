"""Nobody gets in where nobody may."""

from __future__ import annotations

import re

import pytest

from hulian.trust import ACTION_SCOPES, ROLE_SCOPES, Role

PUBLIC = {
    ("GET", "/api/v1/health"),
    ("POST", "/api/v1/session"),
    ("GET", "/api/v1/ca.pem"),
    ("POST", "/api/v1/enrolments"),
    ("POST", "/api/v1/enrolments/claim"),
    ("GET", "/"),
    ("GET", "/{path:path}"),
}


def routes(stack):
    for route in stack.application().routes:
        for method, (handler, _) in route.route_handler_map.items():
            if method != "OPTIONS":
                yield method, route.path, handler.opt.get("admission")


def filled(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "x", path)


def test_every_route_says_what_it_needs(stack):
    found = list(routes(stack))
    assert len(found) > 45
    for method, path, admission in found:
        assert admission is not None, (method, path)
        if (method, path) in PUBLIC:
            assert admission.action is None, (method, path)
        else:
            assert admission.action in ACTION_SCOPES, (method, path)


def test_without_a_login_every_other_route_is_closed(stack):
    with stack.anonymous() as client:
        client.base_url = stack.url
        for method, path, _ in routes(stack):
            if (method, path) not in PUBLIC:
                reply = client.request(method, filled(path), json={} if method in ("POST", "PATCH") else None)
                assert reply.status_code == 401, (method, path, reply.text)
                assert reply.json()["code"] == "HL-API-0003"
                assert "www-authenticate" in reply.headers


@pytest.mark.parametrize("role", list(Role))
def test_each_role_is_refused_what_it_may_not_and_the_trail_knows(stack, role):
    """The routes and the table of trust agree, for every role; a refusal is audited."""
    name = f"role-{role}"
    stack.trust.users.add(name, "four unusual words here", role, by="test")
    token = stack.trust.tokens.issue(name, "test", ROLE_SCOPES[role], by="admin").secret
    refused = 0
    with stack.anonymous(Authorization=f"Bearer {token}") as client:
        client.base_url = stack.url
        for method, path, admission in routes(stack):
            if (method, path) in PUBLIC or ACTION_SCOPES[admission.action] in ROLE_SCOPES[role]:
                continue
            if method in ("POST", "PATCH", "DELETE") or "{" not in path:
                reply = client.request(method, filled(path), json={} if method in ("POST", "PATCH") else None)
                assert reply.status_code == 403, (role, method, path, reply.status_code, reply.text)
                refused += 1
    stack.trust.users.remove(name, by="test")
    trail = [record for record in stack.trust.audit.list(limit=1000, principal=name) if record.outcome == "denied"]
    assert len(trail) == refused


def test_a_name_that_is_not_ours_is_refused(stack):
    with stack.anonymous() as client:
        for host in ("evil.example", "evil.example:8080", "127.0.0.1.evil.example", "", "[::1", "localhost@evil.example"):
            reply = client.get("/health", headers={"host": host})
            assert reply.status_code in (400, 421), host
        for host in ("localhost", "127.0.0.1:1", "[::1]:8080", "192.168.1.20"):
            assert client.get("/health", headers={"host": host}).status_code == 200, host


def test_another_site_cannot_act_with_our_cookie(stack):
    with stack.browser() as client:
        csrf = client.headers.pop("x-hulian-csrf")
        body = {"text": "by another site"}
        for headers in (
            {},
            {"x-hulian-csrf": "guessed"},
            {"x-hulian-csrf": csrf, "origin": "http://evil.example"},
            {"x-hulian-csrf": csrf, "origin": "null"},
            {"x-hulian-csrf": csrf, "sec-fetch-site": "cross-site"},
            {"x-hulian-csrf": csrf, "sec-fetch-site": "same-site"},
        ):
            reply = client.post("/annotations", json=body, headers=headers)
            assert reply.status_code == 403, headers
            assert reply.json()["code"] in ("HL-API-0004", "HL-TRUST-0005")
        fine = {"x-hulian-csrf": csrf, "origin": stack.url, "sec-fetch-site": "same-origin"}
        assert client.post("/annotations", json=body, headers=fine).status_code == 201


def test_login_from_another_site_is_refused(stack):
    with stack.anonymous() as client:
        body = {"user": "admin", "password": stack.password}
        assert client.post("/session", json=body, headers={"origin": "http://evil.example"}).status_code == 403


def test_a_token_cannot_make_tokens_or_change_a_password(stack):
    with stack.program("read") as client:
        assert client.post("/tokens", json={"label": "wider", "scopes": ["administer"]}).status_code == 403
        assert client.post("/session/password", json={"old": "a", "new": "b"}).status_code == 403


def test_a_revoked_token_is_worth_nothing(stack):
    issued = stack.trust.tokens.issue("admin", "short", ("read",), by="admin")
    with stack.anonymous(Authorization=f"Bearer {issued.secret}") as client:
        assert client.get("/points").status_code == 200
        stack.trust.tokens.revoke(issued.token.identity, by="admin")
        assert client.get("/points").status_code == 401


def test_every_answer_carries_the_security_headers(stack):
    with stack.anonymous() as client:
        client.base_url = stack.url
        for path in ("/", "/assets/app-1.js", "/api/v1/health", "/api/v1/points", "/api/v1/none", "/assets/none.js"):
            headers = client.get(path).headers
            policy = headers["content-security-policy"]
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
            assert "server" not in headers
        assert client.get("/api/v1/health").headers["cache-control"] == "no-store"


def test_the_console_is_cached_by_its_hash_and_packed(stack):
    with stack.anonymous() as client:
        client.base_url = stack.url
        asset = client.get("/assets/app-1.js", headers={"accept-encoding": "gzip"})
        assert asset.headers["content-encoding"] == "gzip"
        assert "immutable" in asset.headers["cache-control"]
        with client.stream("GET", "/assets/app-1.js", headers={"accept-encoding": "br, gzip"}) as packed:
            assert packed.headers["content-encoding"] == "br"
            assert b"".join(packed.iter_raw()) == b"brotli bytes"
        page = client.get("/trends/anything", headers={"accept-encoding": "identity"})
        assert page.status_code == 200
        assert "<title>Hulian" in page.text
        assert page.headers["cache-control"] == "no-cache"
        assert client.get("/", headers={"if-none-match": page.headers["etag"]}).status_code == 304
        assert client.get("/assets/none.js").status_code == 404
        assert client.get("/../../etc/passwd").status_code in (200, 404)
        assert client.get("/api/v2/points").status_code == 404


def test_who_enrols_without_an_invitation_learns_nothing(stack):
    """The two calls of a node that has no login yet: what opens them is the invitation, or the claim."""
    with stack.anonymous() as client:
        for path, body in (
            ("/enrolments", {"invitation": "0" * 40, "request": "none", "name": "press", "password_hash": "none"}),
            ("/enrolments/claim", {"claim": "0" * 40}),
        ):
            reply = client.post(path, json=body)
            assert reply.status_code in (400, 401, 403, 404), (path, reply.text)
            assert reply.json()["code"].startswith("HL-"), reply.text
