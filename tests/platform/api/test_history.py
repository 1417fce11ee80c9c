"""What was, through the real historian."""

from __future__ import annotations

import io
import json
import time

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest
from api_stack import SECOND, eventually

from hulian.kernel.identifier import escape
from hulian.kernel.sample import Columns
from hulian.kernel.storage import StorageClass


@pytest.fixture(scope="module")
def plant(stack):
    """A minute of four kinds of values, and the window around them."""
    real, whole, flag, text = stack.connector(
        "history",
        {
            "pressure": StorageClass.DOUBLE,
            "count": StorageClass.INTEGER,
            "running": StorageClass.BOOLEAN,
            "batch, of": StorageClass.TEXT,
        },
    )
    end = time.time_ns() // SECOND * SECOND
    times = end - SECOND * np.arange(59, -1, -1, dtype=np.int64)
    values = np.arange(60, dtype=np.float64)
    status = np.zeros(60, np.uint32)
    status[10] = 0x800A0000
    stack.publish("history", Columns.doubles(np.full(60, real.series, np.uint64), times, values, status, missing=values == 10))
    stack.publish("history", Columns.of(StorageClass.INTEGER, [whole.series] * 60, times, list(range(60))))
    stack.publish("history", Columns.of(StorageClass.BOOLEAN, [flag.series] * 60, times, [i >= 30 for i in range(60)]))
    stack.publish("history", Columns.of(StorageClass.TEXT, [text.series] * 2, times[:2], ["A-1", "B, 2"]))
    with stack.program() as client:
        names = [point.name for point in (real, whole, flag, text)]

        def stored() -> bool:
            found = client.get("/last", params={"points": [escape(name) for name in names]}).json()
            return all(item["time_ms"] for item in found.get("items", [{"time_ms": None}]))

        eventually(stored, what="the samples in the historian")
    return names, times, {"start": int(times[0]), "end": int(times[-1]) + 1}


def ask(client, **body):
    reply = client.post("/query", json=body)
    assert reply.status_code == 200, reply.text
    return reply


def test_raw_json_is_columns_with_status_and_nulls(stack, plant):
    names, times, window = plant
    with stack.program() as client:
        answer = ask(client, points=names[:1], kind="raw", **window).json()
    (series,) = answer["series"]
    assert series["name"] == names[0]
    assert series["unit"] == "bar"
    assert series["time_ms"] == [time // 1000 / 1000 for time in times.tolist()]
    assert series["value"][:11] == [*map(float, range(10)), None]
    assert series["status"][10] == 0x800A0000
    assert answer["truncated"] is False


def test_points_of_several_classes_come_in_one_answer(stack, plant):
    names, _, window = plant
    with stack.program() as client:
        answer = ask(client, points=names, kind="raw", **window).json()
    assert [series["name"] for series in answer["series"]] == names
    assert answer["series"][1]["value"] == list(range(60))
    assert answer["series"][2]["value"] == [i >= 30 for i in range(60)]
    assert answer["series"][3]["value"] == ["A-1", "B, 2"]


def test_aggregates_instants_states_alignment_and_drawing(stack, plant):
    names, times, window = plant
    with stack.program() as client:
        mean = ask(client, points=names[:1], kind="aggregate", step="1h", functions=["min", "max", "count"], **window).json()
        assert min(mean["series"][0]["min"]) == 0.0
        assert max(mean["series"][0]["max"]) == 59.0
        assert sum(mean["series"][0]["count"]) == 60
        instants = [int(times[5]), int(times[5]) + SECOND // 2]
        at = ask(client, points=names[:2], kind="instants", instants=instants).json()
        assert at["series"][0]["value"] == [5.0, 5.5]
        assert at["series"][1]["value"] == [5, 5]
        states = ask(client, points=names[2:3], kind="states", **window).json()
        assert len(states["series"][0]["states"]) == 2
        aligned = ask(client, points=names[:2], kind="aligned", step="10s", **window).json()
        assert len(aligned["time_ms"]) == len(aligned["series"][0]["value"]) == len(aligned["series"][1]["value"])
        drawn = ask(client, points=names[:1], kind="downsample", points_wanted=20, **window).json()
        assert 4 <= len(drawn["series"][0]["value"]) <= 40
        assert {0.0, 59.0} <= set(drawn["series"][0]["value"])


def test_arrow_stream_names_the_point_and_keeps_nanoseconds(stack, plant):
    names, times, window = plant
    with stack.program() as client:
        reply = client.post(
            "/query",
            json={"points": names[:1], "kind": "raw", **window},
            headers={"accept": "application/vnd.apache.arrow.stream"},
        )
    assert reply.headers["content-type"] == "application/vnd.apache.arrow.stream"
    table = pa.ipc.open_stream(reply.content).read_all()
    assert table.column_names[:3] == ["point", "series", "time"]
    assert table.column("time").cast(pa.int64()).to_pylist() == times.tolist()
    assert table.column("point").unique().to_pylist() == names[:1]
    assert table.column("value").null_count == 1


def test_csv_is_read_back_by_another_program(stack, plant):
    names, _times, window = plant
    with stack.program() as client:
        reply = ask(client, points=[names[0], names[3]], kind="raw", format="csv", **window)
    assert reply.headers["content-type"].startswith("text/csv")
    table = pa.csv.read_csv(io.BytesIO(reply.content))
    assert table.column_names == ["point", "time", "value", "status"]
    assert table.num_rows == 62
    assert "B, 2" in table.column("value").to_pylist()


def test_empty_windows_are_empty_answers(stack, plant):
    names, _, _ = plant
    window = {"start": "2001-01-01T00:00:00Z", "end": "2001-01-02T00:00:00Z"}
    with stack.program() as client:
        answer = ask(client, points=names[:1], kind="raw", **window).json()
        assert answer["series"][0]["value"] == []
        arrow = ask(client, points=names[:1], kind="raw", format="arrow", **window)
        assert pa.ipc.open_stream(arrow.content).read_all().num_rows == 0
        csv = ask(client, points=names[:1], kind="raw", format="csv", **window)
        assert csv.text == "point,time,value,status\r\n"


def test_series_ids_and_escaped_names_are_names_too(stack, plant):
    names, _, window = plant
    with stack.program() as client:
        series = client.get("/points", params={"search": "history pressure"}).json()["items"][0]["series"]
        for name in (series, escape(names[0])):
            assert len(ask(client, points=[name], kind="raw", **window).json()["series"][0]["value"]) == 60
        last = client.get("/last", params={"series": series}).json()["items"][0]
        assert last["number"] == 59.0
        assert last["quality"] == "good"


@pytest.mark.parametrize(
    ("change", "code", "place"),
    [
        ({"points": []}, "HL-API-0001", "$.points"),
        ({"points": ["99.1/none#x"]}, "HL-API-0006", "$.points"),
        ({"start": "yesterday"}, "HL-API-0002", "$.start"),
        ({"start": None}, "HL-API-0001", "$.start"),
        ({"end": 1}, "HL-API-0001", "$.start"),
        ({"last": "an hour", "start": None}, "HL-API-0002", "$.last"),
        ({"kind": "aggregate"}, "HL-API-0001", "$.step"),
        ({"kind": "aggregate", "step": "0s"}, "HL-API-0002", "$.step"),
        ({"kind": "guess"}, "HL-API-0001", "$.kind"),
        ({"kind": "states"}, "HL-API-0001", "$.points"),
        ({"pints": 1}, "HL-API-0001", "$"),
        ({"points_wanted": 1}, "HL-API-0001", "$.points_wanted"),
    ],
)
def test_a_wrong_question_says_where_it_is_wrong(stack, plant, change, code, place):
    names, _, window = plant
    body = {"points": names[:1], "kind": "raw", **window, **change}
    with stack.program() as client:
        reply = client.post("/query", json=body)
    assert reply.status_code in (400, 404)
    found = reply.json()
    assert found["code"] == code, found
    assert found["place"] == place, found


def test_a_point_keeps_its_history_when_its_value_type_changes(stack):
    (point,) = stack.connector("changing", {"level": StorageClass.INTEGER})
    past = time.time_ns() - 100 * SECOND
    stack.publish("changing", Columns.of(StorageClass.INTEGER, [point.series] * 2, [past, past + SECOND], [1, 2]))
    import msgspec

    stack.catalogue.upsert_points([msgspec.structs.replace(point, storage=StorageClass.DOUBLE, series=0)])
    now = stack.catalogue.point(point.name).point
    assert now.series != point.series
    stack.ramp(now, 2)
    with stack.program() as client:

        def both():
            answer = ask(client, points=[point.name], kind="raw", last="1h").json()["series"][0]["value"]
            return answer if len(answer) == 4 else None

        assert eventually(both) == [1, 2, 0.0, 1.0]
        table = pa.ipc.open_stream(ask(client, points=[point.name], last="1h", format="arrow").content).read_all()
        assert sorted(table.column("value").to_pylist()) == [0.0, 1.0, 1.0, 2.0]


def test_a_person_corrects_what_a_sensor_said(stack):
    (point,) = stack.connector("corrected", {"x": StorageClass.DOUBLE})
    end = time.time_ns() // SECOND * SECOND
    stack.ramp(point, 5, end=end)
    with stack.browser() as client:
        eventually(lambda: len(ask(client, points=[point.name], last="1h").json()["series"][0]["value"]) == 5)
        samples = [{"time": end, "value": 40}, {"time": end - SECOND, "value": None}]
        body = {"point": point.name, "reason": "calibration", "samples": samples}
        assert client.post("/corrections", json=body).status_code == 201
        assert ask(client, points=[point.name], last="1h").json()["series"][0]["value"] == [0.0, 1.0, 2.0, None, 40.0]
        for wrong in ({"reason": ""}, {"samples": []}, {"samples": [{"time": end, "value": "warm"}]}, {"point": "99.1/none#x"}):
            assert client.post("/corrections", json={**body, **wrong}).status_code in (400, 404), wrong
        (record,) = [item for item in client.get("/audit").json()["items"] if item["resource"] == f"point:{point.name}"]
        assert record["details"]["reason"] == "calibration"


def test_a_large_answer_streams_and_ends_when_the_reader_leaves(stack):
    (point,) = stack.connector("large", {"value": StorageClass.DOUBLE})
    for part in range(4):
        stack.ramp(point, 100_000, end=time.time_ns() - part * 100_000 * SECOND // 100, step=SECOND // 100)
    with stack.program() as client:

        def all_there():
            return ask(client, points=[point.name], kind="aggregate", functions=["count"], step="365d", last="7d").json()

        eventually(lambda: sum(all_there()["series"][0].get("count", [0])) == 400_000, what="400,000 samples")
        body = {"points": [point.name], "last": "7d", "format": "arrow", "limit": 10_000_000}
        with client.stream("POST", "/query", json=body) as reply:
            next(reply.iter_raw(1000))
        table = pa.ipc.open_stream(client.post("/query", json=body).content).read_all()
        assert table.num_rows == 400_000
        packed = client.post("/query", json={**body, "format": "json"}, headers={"accept-encoding": "gzip"})
        assert packed.headers["content-encoding"] == "gzip"
        assert len(json.loads(packed.content)["series"][0]["value"]) == 400_000
