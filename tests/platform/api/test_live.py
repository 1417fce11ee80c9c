"""What is: the live stream over the real spine."""

from __future__ import annotations

import json
import threading
import time

import httpx
import numpy as np
import pytest
from api_stack import SECOND, eventually

from hulian.kernel.event import Event, Severity
from hulian.kernel.sample import Columns
from hulian.kernel.storage import StorageClass
from hulian.platform.api.live import Viewer, live_columns, samples_json
from hulian.sdk.stream import EventReader


class Watching:
    """An open live stream, read in a thread."""

    def __init__(self, client, **query: str) -> None:
        self.messages: list[tuple[str, dict]] = []
        self._client = client
        self._query = query
        self._open = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def _read(self) -> None:
        reader = EventReader()
        with self._client.stream("GET", "/live", params=self._query) as reply:
            self.status = reply.status_code
            self._open.set()
            self.reply = reply
            try:
                for chunk in reply.iter_raw():
                    for event, data in reader.feed(chunk):
                        self.messages.append((event, json.loads(data)))
            except httpx.HTTPError:
                pass  # the test closed the stream under the reader

    def __enter__(self) -> Watching:
        self._thread.start()
        assert self._open.wait(10)
        return self

    def __exit__(self, *error: object) -> None:
        self._client.close()
        self._thread.join(5)

    def of(self, event: str) -> list[dict]:
        return [data for name, data in self.messages if name == event]

    def values(self, series: int) -> list:
        found = [data["series"].get(str(series), {"value": []})["value"] for data in self.of("samples")]
        return [value for values in found for value in values]


def test_last_values_first_then_live_ones(stack):
    (point,) = stack.connector("live1", {"x": StorageClass.DOUBLE})
    stack.ramp(point, 5, end=time.time_ns() - 10 * SECOND)
    with stack.program() as client:
        eventually(lambda: client.get("/last", params={"series": str(point.series)}).json()["items"][0]["time_ms"])
    with Watching(stack.program(), points=point.name) as watching:
        first = eventually(lambda: watching.of("samples"))[0]
        assert first["last"] is True
        assert first["series"][str(point.series)]["value"] == [4.0]
        stack.ramp(point, 3)
        eventually(lambda: watching.values(point.series) == [4.0, 0.0, 1.0, 2.0])


def test_only_the_watched_points_of_the_watched_sources_come(stack):
    a, b = stack.connector("live2", {"a": StorageClass.DOUBLE, "b": StorageClass.DOUBLE})
    (other,) = stack.connector("live3", {"c": StorageClass.DOUBLE})
    hub = stack.service
    assert hub is not None
    with Watching(stack.program(), points=a.name) as watching:
        eventually(lambda: watching.of("samples"))
        both = np.array([a.series, b.series], np.uint64)
        stack.publish("live2", Columns.doubles(both, [1 * SECOND, 1 * SECOND], [1.5, 2.5]))
        stack.ramp(other, 2)
        stack.publish("live2", Columns.doubles(both, [2 * SECOND, 2 * SECOND], [np.nan, 2.5], missing=np.array([True, False])))
        eventually(lambda: len(watching.values(a.series)) == 2)
        assert watching.values(a.series) == [1.5, None]
        assert watching.values(b.series) == watching.values(other.series) == []


def test_every_class_of_value_is_shown(stack):
    points = stack.connector(
        "live4", {"t": StorageClass.TEXT, "i": StorageClass.INTEGER, "b": StorageClass.BOOLEAN, "s": StorageClass.STRUCTURE}
    )
    text, whole, flag, structure = points
    with Watching(stack.program(), points=",".join(str(point.series) for point in points)) as watching:
        eventually(lambda: watching.of("samples"))
        stack.publish("live4", Columns.of(StorageClass.TEXT, [text.series], [1], ["a\nb"]))
        stack.publish("live4", Columns.of(StorageClass.INTEGER, [whole.series] * 2, [1, 2], [7, None]))
        stack.publish("live4", Columns.of(StorageClass.BOOLEAN, [flag.series], [1], [True]))
        stack.publish("live4", Columns.of(StorageClass.STRUCTURE, [structure.series], [1], ['{"a":1}']))
        eventually(lambda: watching.values(structure.series))
        assert watching.values(text.series) == ["a\nb"]
        assert watching.values(whole.series) == [7, None]
        assert watching.values(flag.series) == [True]


def test_status_and_events_come_too(stack):
    stack.connector("live5", {"x": StorageClass.DOUBLE})
    stack.say("edge", "live5", {"state": "connected", "samples": 3})
    with Watching(stack.program(), topics="status,events") as watching:
        mine = lambda: [item["status"]["state"] for item in watching.of("status") if item["name"] == "live5"]  # noqa: E731
        assert eventually(mine, what="the known status") == ["connected"]
        stack.say("edge", "live5", {"state": "waiting", "samples": 3})
        eventually(lambda: mine()[-1] == "waiting")
        event = Event(
            time=time.time_ns(), code="HL-TEST-0001", severity=Severity.WARNING, component="edge", subject="live5", message="m"
        )
        import msgspec

        stack.call(stack.edge_spine.publish, "hl.plant.events.warning.edge", msgspec.json.encode(event))
        found = eventually(lambda: watching.of("event"))[0]
        assert found["code"] == "HL-TEST-0001"
        assert found["time"].endswith("Z")
        assert found["time_ms"] > 0


def test_live_goes_on_without_the_historian_and_a_lost_login_ends_it(stack):
    (point,) = stack.connector("live6", {"x": StorageClass.DOUBLE})
    stack.trust.users.add("leaving", "four unusual words here", "viewer", by="test")
    client = stack.browser("leaving", "four unusual words here")
    with Watching(client, points=point.name) as watching:
        eventually(lambda: watching.of("samples"))
        stack.trust.users.change("leaving", disabled=True, by="test")
        deadline = time.monotonic() + 40
        while not watching.of("ended") and time.monotonic() < deadline:
            stack.ramp(point, 1)
            time.sleep(0.5)
        assert watching.of("ended")


@pytest.mark.parametrize(("query", "status"), [({}, 400), ({"points": "99.1/none#x"}, 404), ({"topics": "gossip"}, 400)])
def test_a_stream_of_nothing_is_refused(stack, query, status):
    with stack.program() as client:
        assert client.get("/live", params=query).status_code == status


def test_a_slow_viewer_keeps_the_newest_and_is_told(anyio_backend):
    viewer = Viewer([1, 2], frozenset({"samples"}), buffer=100, rate=20)
    for start in range(0, 1000, 50):
        times = np.arange(start, start + 50, dtype=np.int64) * SECOND
        viewer.offer(live_columns(Columns.doubles(np.tile([1, 2], 25), times, np.arange(start, start + 50))))
    chunk = viewer._drain()
    events = {name: json.loads(data) for name, data in EventReader().feed(chunk)}
    assert events["lagged"]["dropped"] + sum(len(s["value"]) for s in events["samples"]["series"].values()) == 1000
    assert events["samples"]["series"]["1"]["value"][-1] == 998.0
    assert events["samples"]["series"]["2"]["value"][-1] == 999.0
    assert viewer._drain() == b""


def test_samples_of_a_series_stay_in_order_and_kinds_do_not_mix():
    parts = [
        live_columns(Columns.doubles([2, 1, 2], [1, 2, 3], [1.0, np.inf, 3.0])),
        live_columns(Columns.of(StorageClass.TEXT, [3], [4], ["x"])),
        live_columns(Columns.doubles([2], [5_000_000], [5.0])),
    ]
    series = json.loads(samples_json(parts))["series"]
    assert series["2"]["value"] == [1.0, 3.0, 5.0]
    assert series["2"]["time_ms"][-1] == 5.0
    assert series["1"]["value"] == [None]
    assert series["3"]["value"] == ["x"]
