"""Filters, computed points and rules as the API takes them: tried on history, refused with a place, each with an owner."""

from __future__ import annotations

import time

import numpy as np
import pytest
from api_stack import SECOND, eventually

from hulian.kernel.identifier import escape
from hulian.kernel.sample import Columns
from hulian.kernel.storage import StorageClass
from hulian.trust.principals import Scope


@pytest.fixture(scope="module")
def recorded(stack):
    """A minute of a ramp with one bad sample, and of a switch."""
    ramp, switch = stack.connector("recorded", {"ramp": StorageClass.DOUBLE, "switch": StorageClass.BOOLEAN}, writable=True)
    end = time.time_ns() // SECOND * SECOND
    times = end - SECOND * np.arange(59, -1, -1, dtype=np.int64)
    values = np.arange(60, dtype=np.float64)
    status = np.where(values == 10, 0x800A0000, 0).astype(np.uint32)
    stack.publish("recorded", Columns.doubles(np.full(60, ramp.series, np.uint64), times, values, status, missing=values == 10))
    stack.publish("recorded", Columns.of(StorageClass.BOOLEAN, [switch.series] * 2, times[[0, 30]], [False, True]))
    with stack.program() as client:

        def stored() -> bool:
            found = client.get("/last", params={"points": [escape(ramp.name), escape(switch.name)]}).json()
            return all(item["time_ms"] for item in found.get("items", [{"time_ms": None}]))

        eventually(stored, what="the samples in the historian")
    return ramp, switch, {"start": int(times[0]), "end": int(times[-1]) + 1}


def tried(stack, window, **body):
    with stack.program() as client:
        reply = client.post("/processing/dry-run", json={**window, **body})
    assert reply.status_code == 200, reply.text
    return reply.json()


def test_filters_are_tried_on_history(stack, recorded):
    ramp, _, window = recorded
    filters = {"scale": {"factor": 2}, "clamp": {"high": 60}, "deadband": {"absolute": 9}}
    found = tried(stack, window, point=ramp.name, filters=filters)
    assert (found["taken"], found["passed"], found["bad"]) == (60, 8, 1)
    # Bad at 10, and good again behind it, pass whatever the band; 60 is where the clamp begins to say so.
    assert found["series"]["value"] == [0, 10, None, 22, 32, 42, 52, 60]
    assert found["truncated"] is False


def test_a_computed_point_is_tried_on_history(stack, recorded):
    ramp, switch, window = recorded
    computed = {"expression": "if(on, x, 0)", "inputs": {"x": ramp.name, "on": switch.name}, "triggers": ["x"]}
    found = tried(stack, window, computed=computed)
    assert (found["taken"], found["passed"], found["bad"]) == (62, 60, 2)  # the first came before the switch was known
    assert found["series"]["value"][29:33] == [0, *found["series"]["value"][30:31], 31, 32]


def test_a_window_and_a_rule_are_tried_on_history(stack, recorded):
    ramp, _, window = recorded
    found = tried(stack, window, computed={"window": {"of": ramp.name, "function": "count", "length_s": 10, "lateness_s": 0}})
    assert sum(found["series"]["value"]) in range(48, 60)
    rule = {"when": "x > 40", "until": "x < 5", "hold_s": 5, "inputs": {"x": ramp.name}}
    found = tried(stack, window, rule=rule)
    (event,) = found["events"]
    assert event["what"] == "begun"
    assert event["time_ms"] * 1e6 == pytest.approx(window["start"] + 46 * SECOND, abs=found["clock_ms"] * 1e6)


@pytest.mark.parametrize(
    ("body", "status", "place"),
    [
        ({}, 400, "$"),
        ({"computed": {"expression": "1 +"}}, 400, "$, dry-run, options.expression"),
        ({"computed": {"expression": "{99.9/no#point}"}}, 400, "expression"),
        ({"rule": {"when": "x >", "inputs": {}}}, 400, "when"),
        ({"point": "99.9/no#point", "filters": {}}, 404, "$.point"),
        ({"filters": {}, "rule": {}}, 400, "$"),
    ],
)
def test_what_cannot_be_tried_has_its_place(stack, recorded, body, status, place):
    with stack.program() as client:
        reply = client.post("/processing/dry-run", json={**recorded[2], **body})
    assert reply.status_code == status, reply.text
    assert place in reply.json()["place"]


def saved(client, name, **given):
    body = {"name": name, "url": "processing:", "protocol": "processing", **given}
    return client.post("/connectors", json=body)


def test_a_wrong_filter_or_expression_is_refused_before_anything_is_written(stack, recorded):
    ramp, _, _ = recorded
    with stack.program(Scope.READ, Scope.CONFIGURE) as client:
        point = {"name": "99.1/x#y", "address": "y", "options": {"expression": f"{{{ramp.name}}} +"}}
        reply = saved(client, "wrong", points=[point])
        assert (reply.status_code, reply.json()["code"]) == (400, "HL-EDGE-0012")
        filtered = {"name": "99.1/x#z", "address": "z", "options": {"filters": {"clmp": {}}}}
        reply = client.post("/connectors", json={"name": "wrong", "url": "modbus://127.0.0.1", "points": [filtered]})
        assert reply.status_code == 400
        assert reply.json()["place"] == "$.points[0].options.filters: clmp"
        assert reply.json()["hint"] == "did you mean 'clamp'?"
        assert client.get("/connectors/wrong").status_code == 404


def test_a_command_of_a_rule_belongs_to_who_wrote_it_and_may_command(stack, recorded):
    ramp, _, _ = recorded
    rule = {
        "name": "shut",
        "when": f"{{{ramp.name}}} > 5",
        "command": {"point": ramp.name, "value": 0, "owner": "admin"},
    }
    settings = {"rules": [rule], "commands": [ramp.name]}
    with stack.program(Scope.READ, Scope.CONFIGURE) as client:
        reply = saved(client, "guard", settings=settings)
        assert reply.status_code == 403, reply.text
    with stack.program(Scope.READ, Scope.CONFIGURE, Scope.COMMAND) as client:
        other = {**rule, "command": {**rule["command"], "owner": "somebody"}}
        assert saved(client, "guard", settings={**settings, "rules": [other]}).status_code == 400
        assert saved(client, "guard", settings={**settings, "commands": []}).status_code == 400
        assert saved(client, "guard", settings={**settings, "known": {}}).status_code == 400
        assert saved(client, "guard", settings=settings).status_code == 201
    with stack.program(Scope.READ, Scope.CONFIGURE) as client:
        # What stays as it was keeps its owner; a new value is a new command.
        calmer = {**settings, "rules": [{**rule, "hold_s": 3}]}
        assert client.patch("/connectors/guard", json={"settings": calmer}).status_code == 200
        stronger = {**settings, "rules": [{**rule, "command": {**rule["command"], "value": 1}}]}
        assert client.patch("/connectors/guard", json={"settings": stronger}).status_code == 403
