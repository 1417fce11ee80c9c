"""Who may write what, with which value, confirmed or not: what happens, what reaches the edge, and what the trail says of it.

The table is the contract; each row is one request over HTTP against a real platform. That the edge carries a command out once,
in time, and only to an address that its own plan marks writable is shown in ``tests/platform/edge/test_service``; that
devices' own limits hold, in the tests of each protocol.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from hulian.data.catalogue import ConnectorRecord
from hulian.kernel.point import Point
from hulian.kernel.storage import StorageClass as S

PASSWORD = "four unusual words here"
POINTS: dict[str, tuple[S, dict[str, Any]]] = {
    "free": (S.DOUBLE, {"writable": True}),
    "ranged": (S.DOUBLE, {"writable": True, "low": 0.0, "high": 100.0}),
    "floor": (S.DOUBLE, {"writable": True, "low": 0.0}),
    "count": (S.INTEGER, {"writable": True, "low": 1.0, "high": 10.0}),
    "switch": (S.BOOLEAN, {"writable": True}),
    "mode": (S.TEXT, {"writable": True}),
    "profile": (S.STRUCTURE, {"writable": True}),
    "fixed": (S.DOUBLE, {}),
    "fixed-ranged": (S.DOUBLE, {"low": 0.0, "high": 100.0}),
}


class Row(NamedTuple):
    """``who``: a role at a browser, scopes of a token (joined by +), or what is said of them below. ``trail``: the outcome
    that is recorded, None where nothing is."""

    who: str
    point: str
    value: Any
    confirm: Any
    status: int
    code: str
    trail: str | None


DONE = (200, "", "done")
DENIED = (403, "HL-TRUST-0002", "denied")
FIXED = (403, "HL-API-0016", "denied")
BEYOND = (422, "HL-API-0017", "denied")
UNREAD = (400, "HL-API-0001", None)
STRANGER = (401, "HL-API-0003", None)

TABLE = [
    # Who may.
    Row("viewer", "free", 1.0, True, *DENIED),
    Row("operator", "free", 1.0, True, *DONE),
    Row("engineer", "free", 1.0, True, *DONE),
    Row("administrator", "free", 1.0, True, *DONE),
    Row("token command", "free", 1.0, True, *DONE),
    Row("token read+command", "free", 1.0, True, *DONE),
    Row("token read", "free", 1.0, True, *DENIED),
    Row("token read+annotate+configure+administer", "free", 1.0, True, *DENIED),
    Row("nobody", "free", 1.0, True, *STRANGER),
    Row("a revoked token", "free", 1.0, True, *STRANGER),
    Row("a disabled user", "free", 1.0, True, *STRANGER),
    Row("a browser on another site", "free", 1.0, True, 403, "HL-API-0004", None),
    Row("a new password", "free", 1.0, True, 403, "HL-TRUST-0006", None),
    # What may be written.
    Row("administrator", "fixed", 1.0, True, *FIXED),
    Row("operator", "fixed-ranged", 50, True, *FIXED),
    Row("operator", "fixed-ranged", 500, True, *FIXED),
    Row("viewer", "fixed", 1.0, True, *DENIED),
    Row("operator", "nowhere", 1.0, True, 404, "HL-API-0006", None),
    # Limits: the ends belong to the range, and nothing slips past them in another form.
    Row("operator", "ranged", 0, True, *DONE),
    Row("operator", "ranged", 100.0, True, *DONE),
    Row("operator", "ranged", -0.0001, True, *BEYOND),
    Row("operator", "ranged", 100.0001, True, *BEYOND),
    Row("administrator", "ranged", 1e308, True, *BEYOND),
    Row("operator", "ranged", 10**400, True, *BEYOND),
    Row("operator", "ranged", "50", True, *BEYOND),
    Row("operator", "ranged", "500", True, *BEYOND),
    Row("operator", "ranged", True, True, *BEYOND),
    Row("operator", "ranged", None, True, *BEYOND),
    Row("operator", "ranged", [50], True, *BEYOND),
    Row("operator", "ranged", {"value": 50}, True, *BEYOND),
    Row("operator", "floor", 1e300, True, *DONE),
    Row("operator", "floor", -1e-300, True, *BEYOND),
    Row("operator", "free", "1", True, *BEYOND),
    Row("operator", "count", 10, True, *DONE),
    Row("operator", "count", 11, True, *BEYOND),
    Row("operator", "count", 0, True, *BEYOND),
    Row("operator", "count", False, True, *BEYOND),
    Row("operator", "switch", True, True, *DONE),
    Row("operator", "mode", "cleaning", True, *DONE),
    Row("operator", "profile", [1.0, 2.0], True, *DONE),
    # Confirmation: a person means it, in so many words. Who may not at all is told that first.
    Row("operator", "free", 1.0, False, *UNREAD),
    Row("operator", "free", 1.0, "true", *UNREAD),
    Row("operator", "free", 1.0, 1, *UNREAD),
    Row("operator", "free", 1.0, None, *UNREAD),
    Row("operator", "free", 1.0, ..., *UNREAD),
    Row("administrator", "ranged", 1.0, False, *UNREAD),
    Row("viewer", "free", 1.0, False, *DENIED),
]  # fmt: skip


@pytest.fixture(scope="module")
def points(stack) -> dict[str, str]:
    made = {key: stack.connector(f"table-{key}", {"value": storage}, **more)[0].name for key, (storage, more) in POINTS.items()}
    return {**made, "nowhere": "99.118.8/table-nowhere#value"}


@pytest.fixture(scope="module")
def callers(stack):
    """Each name of the table once: who is recorded, and a client."""
    made: dict[str, tuple[str, Any]] = {}

    def user(name: str, role: str, **more: Any) -> str:
        stack.trust.users.add(name, PASSWORD, role, by="test", **more)
        return name

    def caller(who: str) -> tuple[str, Any]:
        plain = who.replace(" ", "-")
        if who == "administrator":
            return "admin", stack.browser()
        if who in ("viewer", "operator", "engineer"):
            return f"t-{who}", stack.browser(user(f"t-{who}", who), PASSWORD)
        if who.startswith("token "):
            return "admin", stack.program(*who.removeprefix("token ").split("+"))
        if who == "nobody":
            return "", stack.anonymous()
        if who == "a browser on another site":
            client = stack.browser()
            client.headers["origin"] = "https://elsewhere.example"
            return "admin", client
        if who == "a new password":
            return plain, stack.browser(user(plain, "operator", must_change_password=True), PASSWORD)
        if who == "a revoked token":
            issued = stack.trust.tokens.issue("admin", "test", ("command",), by="test")
            stack.trust.tokens.revoke(issued.token.identity, by="test")
        else:
            issued = stack.trust.tokens.issue(user(plain, "operator"), "test", ("command",), by="test")
            stack.trust.users.change(plain, disabled=True, by="test")
        return plain, stack.anonymous(Authorization=f"Bearer {issued.secret}")

    def known(who: str) -> tuple[str, Any]:
        if who not in made:
            made[who] = caller(who)
        return made[who]

    yield known
    for _, client in made.values():
        client.close()


def trail(stack) -> list[Any]:
    return stack.trust.audit.list(limit=50, action="commands.send")


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.who}: {row.point} = {row.value!r:.20} ({row.confirm})")
def test_who_may_write_what(row: Row, stack, points, callers) -> None:
    name, client = callers(row.who)
    before, asked = len(trail(stack)) and trail(stack)[0].sequence, len(stack.edge.asked)
    body = {"point": points[row.point], "value": row.value, "confirm": row.confirm}
    if row.confirm is ...:
        del body["confirm"]
    reply = client.post("/commands", json=body)
    assert reply.status_code == row.status, reply.text
    if row.code:
        assert reply.json()["code"] == row.code
        assert reply.json()["hint"]
    reached = [request for request in stack.edge.asked[asked:] if request["do"] == "write"]
    records = [record for record in trail(stack) if record.sequence > before]
    if row.trail is None:
        assert (reached, records) == ([], [])
        return
    (record,) = records
    assert (record.principal, record.outcome) == (name, row.trail)
    assert record.source
    if row.trail == "done":
        (request,) = reached
        assert (request["connector"], request["value"]) == (f"table-{row.point}", row.value)
        assert request["principal"] == name
        assert request["expires"]
        assert request["identity"] == reply.json()["identity"] == record.details["identity"]
    else:
        assert not reached
    if row.code != "HL-TRUST-0002":  # who may not is stopped before the body is read
        assert record.resource == f"point:{points[row.point]}"
        assert record.details["value"] == row.value


def test_what_the_edge_refuses_or_does_not_answer_is_in_the_trail_too(stack, points, callers) -> None:
    _, client = callers("operator")
    body = {"point": points["free"], "value": 2.5, "confirm": True, "identity": "once"}
    refusal = {"code": "HL-EDGE-0007", "message": "table-free is not running", "hint": "start it", "place": ""}
    stack.edge.refusal = refusal
    try:
        reply = client.post("/commands", json=body)
    finally:
        stack.edge.refusal = None
    assert (reply.status_code, reply.json()["code"]) == (409, "HL-EDGE-0007")
    record = trail(stack)[0]
    assert (record.outcome, record.details) == ("failed", {"identity": "once", "value": 2.5, "error": "HL-EDGE-0007"})
    # An edge node that is away: whether a command of this kind was carried out must not be a matter of memory.
    far = Point(name="99.118.8/table-away#value", series=0, connector="table-away", address="holding@0", writable=True)
    stack.catalogue.add_connector(
        ConnectorRecord(name="table-away", protocol="modbus", url="modbus://127.0.0.1:1", edge="far"), [far]
    )
    before = trail(stack)[0].sequence
    reply = client.post("/commands", json={"point": far.name, "value": 1.0, "confirm": True})
    assert reply.status_code in (502, 503, 504), reply.text
    record = trail(stack)[0]
    assert record.sequence > before
    assert (record.outcome, record.details["error"]) == ("failed", reply.json()["code"])
