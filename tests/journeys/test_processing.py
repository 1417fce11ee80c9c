"""Computed points and rules under fire: a whole platform, kill -9 of its edge, and each value is computed once.

An MQTT device counts; the edge computes the double of every number, sums over windows, filters a Modbus register and writes to
that device when a rule says so.
"""

from __future__ import annotations

import collections

import pyarrow as pa
import pytest
from modbus_device import modbus_device
from plant import POINT, CountingDevice, check, connect_devices, good_values, until
from running import RunningPlatform

DOUBLED, SUMMED = "99.118.8/line-7#doubled", "99.118.8/line-7#per-second"
SECOND = 1_000_000_000
LEVEL = "99.118.8/tank#level"


def processing(platform):
    named = {"inputs": {"n": POINT}}
    # What waits while the edge is down comes with the times it had: the bound is longer than that.
    window = {"of": POINT, "function": "count", "length_s": 1, "lateness_s": 30}
    points = [
        {"name": DOUBLED, "address": "doubled", "options": {"expression": "n * 2", **named}},
        {"name": SUMMED, "address": "per-second", "options": {"window": window}},
    ]
    rule = {
        "name": "many",
        "when": "n > 50",
        **named,
        "event": {"message": "more than fifty", "severity": "error"},
        "command": {"point": LEVEL, "value": 7, "owner": "admin"},
    }
    with platform.sdk() as sdk:
        sdk.create_connector(
            "computed", "processing:", protocol="processing", settings={"rules": [rule], "commands": [LEVEL]}, points=points
        )


def rows_of(platform, point):
    with platform.sdk() as sdk:
        found = sdk.history(point, last="1d").to_arrow()
    times = found["time"].cast(pa.int64()).to_pylist()
    return list(zip(times, found["value"].to_pylist(), found["status"].to_pylist(), strict=True))


def usable(value, status):
    return value is not None and not status >> 31


def values_of(platform, point):
    return [value for _, value, status in rows_of(platform, point) if status == 0]


def told(platform, code):
    with platform.sdk() as sdk:
        return [event for event in sdk.events(limit=500) if event.code == code]


@pytest.mark.timeout(400)
def test_kill_9_of_the_edge_computes_nothing_twice_and_leaves_nothing_out(tmp_path, ports):
    with modbus_device(ports()) as modbus_url, RunningPlatform(tmp_path, ports) as platform:
        credential = connect_devices(platform, modbus_url)
        with platform.sdk() as sdk:
            (level,) = list(sdk.points(connector="tank"))
            change = {"name": level.name, "address": level.address, "storage": "integer", "writable": True}
            sdk.change_connector("tank", points=[{**change, "options": {"filters": {"report": {"heartbeat_s": 60}}}}])
        processing(platform)
        state = lambda: {item.name: item.status for item in connectors(platform)}.get("computed") or {}  # noqa: E731
        until(lambda: state().get("state") == "connected", 60, "the processing did not come up")
        device = CountingDevice(platform.mqtt_port, credential.name, credential.password)
        try:
            until(lambda: len(device.acknowledged) > 100, 60, "nothing was acknowledged")
            for _ in range(2):
                before = len(device.acknowledged)
                pid = platform.kill("edge")
                platform.wait_running("edge", pid)
                until(lambda before=before: len(device.acknowledged) > before + 100, 60, "stuck after the edge was killed")
        finally:
            device.stop()
        check(platform, device)
        numbers = good_values(platform)
        doubled = until(
            lambda: found if len(found := values_of(platform, DOUBLED)) >= len(numbers) else None, 60, "not all was computed"
        )
        assert sorted(doubled) == [2.0 * number for number in sorted(numbers)]
        # Every sample that is not bad counts in its second, also those with which the connector says that it was away.
        expected = collections.Counter(
            time // SECOND + 1 for time, value, status in rows_of(platform, POINT) if usable(value, status)
        )

        def counted():
            return {time // SECOND: value for time, value, _ in rows_of(platform, SUMMED) if value}

        until(lambda: max(counted(), default=0) >= max(expected), 120, "windows stay open")
        assert counted() == expected
        with platform.sdk() as sdk:
            row = next(row for row in sdk.ledger().rows if row.source == "computed")
        assert row.missing == 0
        begun = [event for event in told(platform, "HL-EDGE-0113") if event.active]
        assert [(event.subject, event.message) for event in begun] == [("computed/many", "more than fifty")]
        wrote = told(platform, "HL-EDGE-0114")
        assert [event.details["done"] for event in wrote] == [True], wrote


def connectors(platform):
    with platform.sdk() as sdk:
        return sdk.connectors()
