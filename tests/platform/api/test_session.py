"""Logging in, staying in, getting out."""

from __future__ import annotations

import httpx


def test_login_gives_a_session_that_a_script_cannot_read(stack):
    with stack.anonymous() as client:
        reply = client.post("/session", json={"user": "admin", "password": stack.password})
        assert reply.status_code == 200
        body = reply.json()
        assert body["user"] == "admin"
        assert body["role"] == "administrator"
        assert "administer" in body["scopes"]
        cookie = reply.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "samesite=strict" in cookie.lower()
        assert client.get("/session").json()["csrf"] == body["csrf"]


def test_wrong_password_and_unknown_user_are_told_alike(stack):
    with stack.anonymous() as client:
        wrong = client.post("/session", json={"user": "admin", "password": "not this one"})
        unknown = client.post("/session", json={"user": "nobody-here", "password": "not this one"})
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json() == unknown.json()
    assert wrong.json()["code"] == "HL-TRUST-0003"


def test_logout_ends_the_session_on_the_server(stack):
    stack.trust.users.add("leaves", "four unusual words here", "viewer", by="test")
    with stack.browser("leaves", "four unusual words here") as client:
        cookie = dict(client.cookies)
        assert client.delete("/session").status_code == 204
    with stack.anonymous() as thief:
        assert thief.get("/session", cookies=cookie).status_code == 401


def test_too_many_wrong_passwords_wait(stack):
    stack.trust.users.add("guessed", "four unusual words here", "viewer", by="test")
    with stack.anonymous() as client:
        for _ in range(30):
            reply = client.post("/session", json={"user": "guessed", "password": "wrong"})
            if reply.status_code == 429:
                break
    assert reply.status_code == 429
    assert int(reply.headers["retry-after"]) >= 1
    assert reply.json()["code"] == "HL-TRUST-0004"
    assert reply.json()["hint"]


def test_a_password_must_be_changed_before_anything_else(stack):
    stack.trust.users.add("fresh", "four unusual words here", "engineer", must_change_password=True, by="test")
    with stack.browser("fresh", "four unusual words here") as client:
        assert client.get("/session").json()["must_change_password"] is True
        refused = client.get("/points")
        assert refused.status_code == 403
        assert refused.json()["code"] == "HL-TRUST-0006"
        changed = client.post("/session/password", json={"old": "four unusual words here", "new": "quite other words now"})
        assert changed.status_code == 200, changed.text
        assert changed.json()["must_change_password"] is False
        assert client.get("/points").status_code == 200


def test_a_changed_password_ends_the_other_sessions(stack):
    stack.trust.users.add("twice", "four unusual words here", "viewer", by="test")
    with stack.browser("twice", "four unusual words here") as here, stack.browser("twice", "four unusual words here") as there:
        body = {"old": "four unusual words here", "new": "quite other words now"}
        assert here.post("/session/password", json=body).status_code == 200
        assert here.get("/session").status_code == 200
        assert there.get("/session").status_code == 401


def test_cookie_is_not_sent_in_the_open_under_tls(stack):
    """Behind HTTPS the cookie is marked Secure; here, on plain loopback, it cannot be."""
    with stack.anonymous() as client:
        reply = client.post("/session", json={"user": "admin", "password": stack.password})
    assert "Secure" not in reply.headers["set-cookie"]
    assert isinstance(reply, httpx.Response)
