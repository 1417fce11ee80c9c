"""Ledger, events, notes, audit, accounts, files, health and metrics."""

from __future__ import annotations

import io
import time

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from api_stack import SECOND, eventually

from hulian.kernel.event import Event, Severity
from hulian.kernel.sample import Columns
from hulian.kernel.storage import StorageClass


def test_the_ledger_counts_what_was_sent_and_stored(stack):
    (point,) = stack.connector("counted", {"x": StorageClass.DOUBLE})
    stack.ramp(point, 10)
    stack.ramp(point, 5)
    with stack.program() as client:

        def row():
            rows = {row["source"]: row for row in client.get("/ledger").json()["rows"]}
            return rows.get("counted") if rows.get("counted", {}).get("stored") == 15 else None

        found = eventually(row)
        assert found["sent"] == 15
        assert found["missing"] == found["duplicated"] == 0
        totals = client.get("/ledger").json()["totals"]
        assert totals["stored"] >= 15


def test_events_are_found_again(stack):
    event = Event(
        time=time.time_ns(),
        code="HL-TEST-0002",
        severity=Severity.ERROR,
        component="edge",
        subject="found-again",
        message="it broke",
        hint="mend it",
        details={"n": 1},
    )

    def send():
        return stack.edge_spine.request("hl.plant.events.error.edge", msgspec.json.encode(event))

    stack.call(send)
    with stack.program() as client:
        found = eventually(lambda: client.get("/events", params={"subject": "found-again"}).json()["items"])
        assert found[0]["message"] == "it broke"
        assert found[0]["details"] == {"n": 1}
        assert found[0]["time_ms"] == event.time // 1000 / 1000
        assert client.get("/events", params={"subject": "found-again", "severity": "info"}).json()["items"] == []
        assert client.get("/events", params={"severity": "loud"}).status_code == 400
        assert client.get("/events", params={"subject": "found-again", "since": "now+1h"}).json()["items"] == []


def test_notes_are_left_read_replaced_and_taken_away(stack):
    (point,) = stack.connector("noted", {"x": StorageClass.DOUBLE})
    with stack.browser() as client:
        made = client.post(
            "/annotations", json={"text": "valve replaced", "point": point.name, "start": "now-1h", "end": "now"}
        )
        assert made.status_code == 201, made.text
        note = made.json()
        assert note["author"] == "admin"
        found = client.get("/annotations", params={"points": point.name}).json()["items"]
        assert [item["text"] for item in found if item["id"] == note["id"]] == ["valve replaced"]
        assert next(item["point"] for item in found if item["id"] == note["id"]) == point.name
        client.post("/annotations", json={"text": "both valves", "id": note["id"], "point": point.name, "start": "now-1h"})
        found = client.get("/annotations", params={"points": point.name}).json()["items"]
        assert [item["text"] for item in found if item["id"] == note["id"]] == ["both valves"]
        assert client.delete(f"/annotations/{note['id']}").status_code == 204
        found = client.get("/annotations", params={"points": point.name}).json()["items"]
        assert note["id"] not in [item["id"] for item in found]
        assert client.delete(f"/annotations/{note['id']}").status_code == 404
        assert client.post("/annotations", json={"text": "", "point": point.name}).status_code == 400
        assert client.post("/annotations", json={"text": "x", "start": "now", "end": "now-1h"}).status_code == 400


def test_people_tokens_and_devices(stack):
    with stack.browser() as client:
        made = client.post("/users", json={"name": "Ada", "password": "four unusual words here", "role": "operator"})
        assert made.status_code == 201, made.text
        assert (
            client.post("/users", json={"name": "ada", "password": "four unusual words here", "role": "viewer"}).status_code
            == 409
        )
        assert client.post("/users", json={"name": "bob", "password": "1234", "role": "viewer"}).status_code == 400
        assert client.patch("/users/ada", json={"role": "engineer"}).json()["role"] == "engineer"
        assert client.patch("/users/admin", json={"disabled": True}).status_code == 409
        token = client.post("/tokens", json={"label": "grafana", "scopes": ["read"], "expires": "now+1d"}).json()
        assert token["secret"].startswith("hlt_")
        assert token["secret"] not in client.get("/tokens").text
        with stack.anonymous(Authorization=f"Bearer {token['secret']}") as program:
            assert program.get("/points").status_code == 200
            assert program.get("/users").status_code == 403
        assert client.post("/tokens", json={"label": "late", "scopes": ["read"], "expires": "now-1d"}).status_code == 400
        assert client.delete(f"/tokens/{token['id']}").status_code == 204
        assert client.delete(f"/tokens/{token['id']}").status_code == 404
        before = stack.accounts_told
        device = client.post("/devices", json={"name": "analyser-1", "publish": ["plant/line1/#"]}).json()
        assert device["password"]
        assert stack.accounts_told == before + 1
        assert device["password"] not in client.get("/devices").text
        assert client.post("/devices", json={"name": "wide", "publish": ["$SYS/#"]}).status_code == 400
        assert client.delete("/devices/analyser-1").status_code == 204
        assert client.delete("/users/ada").status_code == 204
        trail = client.get("/audit", params={"limit": 5, "verify": True}).json()
        assert trail["intact"] is True
        following = client.get("/audit", params={"limit": 5, "before": trail["next"]}).json()["items"]
        assert following[0]["sequence"] < trail["items"][-1]["sequence"]


def test_own_tokens_are_ones_own(stack):
    stack.trust.users.add("carl", "four unusual words here", "viewer", by="test")
    other = stack.trust.tokens.issue("admin", "not yours", ("read",), by="admin").token
    with stack.browser("carl", "four unusual words here") as client:
        mine = client.post("/tokens", json={"label": "mine", "scopes": ["read"]})
        assert mine.status_code == 201, mine.text
        assert [item["owner"] for item in client.get("/tokens").json()["items"]] == ["carl"]
        assert client.get("/tokens", params={"owner": "admin"}).status_code == 403
        assert client.delete(f"/tokens/{other.identity}").status_code == 403
        assert client.post("/tokens", json={"label": "wide", "scopes": ["administer"]}).status_code in (400, 403)
        assert client.post("/tokens", json={"label": "hers", "scopes": ["read"], "owner": "admin"}).status_code == 403
        assert client.delete(f"/tokens/{mine.json()['id']}").status_code == 204


@pytest.fixture(scope="module")
def filled(stack):
    real, text = stack.connector("files", {"x": StorageClass.DOUBLE, "t": StorageClass.TEXT})
    times = time.time_ns() - SECOND * np.arange(100, 0, -1, dtype=np.int64)
    stack.publish("files", Columns.doubles(np.full(100, real.series, np.uint64), times, np.arange(100) / 4))
    stack.publish("files", Columns.of(StorageClass.TEXT, [text.series] * 2, times[:2], ['say "hi", now', "线"]))
    with stack.program() as client:

        def both():
            items = client.get("/last", params={"points": f"{real.series},{text.series}"}).json()["items"]
            return all(item["time_ms"] for item in items)

        eventually(both)
    return real, text, times


def finished(client, job):
    def ended():
        found = client.get(f"/jobs/{job['id']}").json()
        return found if found["state"] != "running" else None

    return eventually(ended)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_what_is_exported_is_imported_elsewhere_unchanged(stack, filled, form):
    real, text, times = filled
    there = stack.connector(f"copy-{form}", {"x": StorageClass.DOUBLE, "t": StorageClass.TEXT})
    with stack.browser() as client:
        reply = client.post("/exports", json={"points": [real.name, text.name], "last": "1h", "format": form})
        assert reply.status_code == 200
        assert f".{form}" in reply.headers["content-disposition"]
        if form == "parquet":
            table = pq.read_table(io.BytesIO(reply.content))
            assert table.num_rows == 102
            point = table.column_names.index("point")
            names = pa.array([name.replace("/files#", f"/copy-{form}#") for name in table.column("point").to_pylist()])
            sink = io.BytesIO()
            pq.write_table(table.drop_columns(["series"]).set_column(point, "point", names), sink)
            body, kind = sink.getvalue(), "application/vnd.apache.parquet"
        else:
            body, kind = reply.content.replace(b"/files#", f"/copy-{form}#".encode()), "text/csv"
        dry = client.post("/imports", content=body, headers={"content-type": kind}, params={"dry_run": True})
        assert dry.status_code == 202, dry.text
        checked = finished(client, dry.json())
        assert (checked["state"], checked["samples"], checked["points"]) == ("done", 102, 2), checked
        for _ in range(2):
            job = finished(client, client.post("/imports", content=body, headers={"content-type": kind}).json())
            assert job["state"] == "done", job
            assert job["done"] == job["total"]
        query = {"points": [point.name for point in there], "kind": "raw", "start": int(times[0]), "end": int(times[-1]) + 1}
        found = client.post("/query", json=query).json()["series"]
        assert found[0]["value"] == (np.arange(100) / 4).tolist()
        assert found[1]["value"] == ['say "hi", now', "线"]


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b"a,b\r\n1,2\r\n", "line 1"),
        (b"point,time,value\r\n99.1/nobody#x,2026-01-01T00:00:00Z,1\r\n", "line 2, column point"),
        (b"point,time,value\r\n99.118.8/files#x,yesterday,1\r\n", "line 2, column time"),
        (b"point,time,value\r\n99.118.8/files#x,2026-01-01T00:00:00Z,warm\r\n", "line 2, column value"),
        (b"point,time,value\r\n99.118.8/files#x,,1\r\n", "line 2, column time"),
        (b"\xff\xfe\x00garbage", ""),
    ],
)
def test_a_wrong_file_is_refused_as_a_whole(stack, filled, body, place):
    good = b"99.118.8/files#x,2026-01-01T00:00:00Z,1\r\n" if b"point,time,value" in body else b""
    with stack.browser() as client:
        job = finished(client, client.post("/imports", content=body + good, headers={"content-type": "text/csv"}).json())
        assert job["state"] == "failed"
        assert job["error"]["code"] == "HL-HISTORIAN-0010", job
        assert place in job["error"]["place"]
        if good:
            kind = {"content-type": "text/csv"}
            looked = finished(
                client, client.post("/imports", content=body + good, headers=kind, params={"dry_run": True}).json()
            )
            assert (looked["state"], looked["refused"]) == ("done", 1)
            assert place in looked["problems"][0]
            query = {"points": ["99.118.8/files#x"], "start": "2026-01-01", "end": "2026-01-02"}
            assert client.post("/query", json=query).json()["series"][0]["value"] == [], "nothing was written"


def test_parquet_garbage_and_other_types_are_refused(stack, filled):
    with stack.browser() as client:
        kind = {"content-type": "application/vnd.apache.parquet"}
        job = finished(client, client.post("/imports", content=b"PAR1 no parquet PAR1", headers=kind).json())
        assert job["error"]["code"] == "HL-HISTORIAN-0010"
        assert client.post("/imports", content=b"x", headers={"content-type": "image/png"}).status_code == 400
        assert client.post("/imports", content=b"", headers={"content-type": "text/csv"}).status_code == 400


def test_health_tells_strangers_little_and_members_much(stack):
    with stack.anonymous() as client:
        assert set(client.get("/health").json()) == {"status"}
    with stack.program() as client:
        assert set(client.get("/health").json()) == {"status"}, "a token without the scope metrics sees no more"
    with stack.browser() as client:
        found = client.get("/health").json()
        assert found["spine"]["connected"] is True
        assert {stream["name"] for stream in found["spine"]["streams"]} >= {"HL_SAMPLES", "HL_EVENTS"}
        assert found["historian"]["answers"] is True
        assert found["flow"]["points"] > 0


def test_the_journal_of_a_connector_that_is_gone_is_counted_and_is_no_connector(stack):
    journal = {"epoch": 1, "sequence": 50, "offset": 900, "acknowledged": 8, "bytes": 4096, "dropped": 7}
    with stack.program("metrics") as client:
        deadline = time.monotonic() + 20
        while True:
            stack.say("edge", "gone-line", {"state": "stopped"}, orphan=True, journal=journal)
            found = client.get("/metrics").text
            if "hulian_journals_orphaned 1" in found or time.monotonic() > deadline:
                break
            time.sleep(0.1)
    assert "hulian_journals_orphaned 1" in found
    assert 'hulian_journal_pending{connector="gone-line"} 42' in found
    assert 'hulian_journal_bytes{connector="gone-line"} 4096' in found
    assert 'hulian_journal_dropped_total{connector="gone-line"} 7' in found
    assert 'hulian_connector_up{connector="gone-line"}' not in found


def test_metrics_are_what_prometheus_reads(stack):
    stack.say("edge", 'odd"name\n', {"state": "connected", "samples": 3, "counters": {"reconnects": 2}})
    with stack.program("metrics") as client:

        def text():
            found = client.get("/metrics").text
            return found if "odd" in found else None

        found = eventually(text)
        assert 'hulian_connector_up{connector="odd\\"name\\n"} 1' in found
        assert "hulian_spine_connected 1" in found
        for line in found.splitlines():
            assert line.startswith("#") or line.rpartition(" ")[2].replace(".", "").replace("e-", "").lstrip("-").isdigit(), (
                line
            )
        assert client.get("/points").status_code == 403


def test_the_description_is_complete(stack):
    with stack.browser() as client:
        document = client.get("/openapi.json").json()
        assert document["openapi"].startswith("3.1")
        described = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
        for route in stack.application().routes:
            for method, (handler, _) in route.route_handler_map.items():
                if method != "OPTIONS" and handler.resolve_include_in_schema():
                    assert (method, route.path_format) in described
        for path, item in document["paths"].items():
            for method, operation in item.items():
                assert operation["summary"], (method, path)
                assert operation["tags"], (method, path)
        page = client.get("/schema").text
        assert "/api/v1/query" in page
        assert "<script" not in page
