"""The Python client against a real platform."""

from __future__ import annotations

import doctest
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from api_stack import SECOND, eventually

import hulian
from hulian.kernel.sample import Columns
from hulian.kernel.storage import StorageClass
from hulian.sdk import (
    AsyncPlatform,
    ConflictError,
    NotLoggedInError,
    NotReachableError,
    Platform,
    PlatformError,
    RefusedError,
    UnknownNameError,
)

NAME = "99.118.8/reactor#pressure"


@pytest.fixture(scope="module")
def plant(stack):
    pressure, state = stack.connector("reactor", {"pressure": StorageClass.DOUBLE, "state": StorageClass.INTEGER})
    times = time.time_ns() - SECOND * np.arange(60, 0, -1, dtype=np.int64)
    stack.publish("reactor", Columns.doubles(np.full(60, pressure.series, np.uint64), times, np.arange(60)))
    stack.publish("reactor", Columns.of(StorageClass.INTEGER, [state.series] * 60, times, [i // 30 for i in range(60)]))
    platform = hulian.connect(stack.url, token=stack.token("read", "annotate", "command", "configure", "administer", "metrics"))
    eventually(lambda: all(item.time_ms for item in platform.last([NAME, "99.118.8/reactor#state"])))
    yield platform
    platform.close()


def test_history_is_an_arrow_table(plant):
    history = plant.history(NAME, last="1h")
    assert isinstance(history.to_arrow(), pa.Table)
    assert len(history) == history.num_rows == 60
    frame = history.to_pandas()
    assert isinstance(frame, pd.DataFrame)
    assert frame["value"].tolist() == list(map(float, range(60)))
    assert isinstance(history.to_polars(), pl.DataFrame)
    assert pl.DataFrame(history).height == 60
    assert pa.table(history).num_rows == 60
    assert "1 points, 60 rows" in repr(history)


def test_windows_aggregates_and_axes(plant):
    now = datetime.now(UTC)
    assert len(plant.history(NAME, start=now - timedelta(hours=1), end=now)) == 60
    assert len(plant.history(NAME, last=timedelta(hours=1))) == 60
    mean = plant.history([NAME], last="1h", every="1h", agg=["mean", "max"])
    assert max(mean["max"].to_pylist()) == 59.0
    both = plant.aligned([NAME, "99.118.8/reactor#state"], "10s", last="1h", fill=True)
    assert both.column_names == ["time", NAME, "99.118.8/reactor#state"]
    assert 4 <= len(plant.downsampled(NAME, 20, last="1h")) <= 40
    assert len(plant.at(NAME, [now - timedelta(seconds=5)])) == 1
    assert plant.states("99.118.8/reactor#state", last="1h").num_rows == 2
    with pytest.raises(ValueError, match="time zone"):
        plant.history(NAME, start=datetime(2026, 1, 1))
    with pytest.raises(ValueError, match="step"):
        plant.history(NAME, last="1h", agg="mean")


def test_points_and_last(plant):
    found = plant.points("reactor pressure")
    assert [item.name for item in found] == [NAME]
    assert plant.points(limit=1)[0].name
    assert plant.point(NAME).last.number == 59.0
    assert plant.last(NAME)[0].time.tzinfo is UTC
    assert plant.tree().branches
    assert plant.change_point(NAME, tag="PT-1").tag == "PT-1"


def test_live_begins_with_the_last_value(plant, stack):
    samples = plant.live(NAME)
    first = next(samples)
    assert (first.point, first.value, first.status) == (NAME, 59.0, 0)
    stack.ramp(stack.catalogue.point(NAME).point, 2)
    assert [next(samples).value, next(samples).value] == [0.0, 1.0]
    samples.close()


def test_the_whole_plant_by_script(plant, stack):
    stack.edge.nodes = [{"address": "ns=2;s=T", "name": "T", "path": ["Tank", "T"], "leaf": True, "storage": "double"}]
    seen = plant.browse("opc.tcp://tank:4840", user="u", password="p", depth=0)
    assert seen.nodes[0].leaf
    proposed = plant.propose("tank", seen.nodes)
    made = plant.create_connector("tank", "opc.tcp://tank:4840", protocol=seen.protocol, points=proposed)
    assert made.points == 1
    with pytest.raises(ConflictError):
        plant.create_connector("tank", "opc.tcp://tank:4840")
    plant.change_connector("tank", enabled=False)
    assert plant.connector("tank").enabled is False
    plant.restart_connector("tank")
    assert "tank" in [item.name for item in plant.connectors()]
    plant.remove_connector("tank")
    with pytest.raises(UnknownNameError):
        plant.connector("tank")
    assert {item.name for item in plant.protocols()} >= {"opcua", "modbus", "mqtt"}


def test_records_and_accounts(plant):
    assert plant.ledger().totals["stored"] >= 0
    assert isinstance(plant.events(since="now-1d", severity=["error", "warning"]), list)
    note = plant.annotate("pump changed", point=NAME, start="now-1m")
    assert note.id in [item.id for item in plant.annotations(NAME)]
    plant.remove_annotation(note.id)
    assert plant.create_user("dora", "four unusual words here", "viewer").role == "viewer"
    assert plant.change_user("dora", disabled=True).disabled
    assert "dora" in [user.name for user in plant.users()]
    plant.remove_user("dora")
    device = plant.create_device("probe", ["plant/probe/#"])
    assert device.password
    assert "probe" in [item.name for item in plant.devices()]
    plant.remove_device("probe")
    assert plant.audit(limit=3)
    assert plant.certificates() == []
    assert plant.health().status in ("ok", "degraded", "starting")


def test_tokens_need_a_person(plant, stack):
    with hulian.connect(stack.url) as person:
        session = person.login("admin", stack.password)
        assert session.user == "admin"
        token = person.create_token("script", ["read"], expires=datetime.now(UTC) + timedelta(days=1))
        assert token.secret.startswith("hlt_")
        assert token.id in [item.id for item in person.tokens()]
        person.revoke_token(token.id)
        person.logout()
        with pytest.raises(NotLoggedInError):
            person.points()


def test_files_out_and_in(plant, tmp_path):
    seen: list[int] = []
    for form in ("csv", "parquet"):
        target = tmp_path / f"reactor.{form}"
        written = plant.export(target, NAME, last="1h", progress=seen.append)
        assert target.stat().st_size == written == seen[-1]
        job = plant.import_file(target, progress=lambda job: seen.append(job.done))
        assert (job.state, job.samples) == ("done", len(plant.history(NAME, last="1h")))
        assert list(tmp_path.glob("*.part")) == []
    bad = tmp_path / "bad.csv"
    bad.write_text("point,time,value\n99.118.8/nobody#x,2026-01-01T00:00:00Z,1\n")
    assert plant.import_file(bad, dry_run=True).refused == 1
    with pytest.raises(PlatformError) as refused:
        plant.import_file(bad)
    assert refused.value.code == "HL-HISTORIAN-0010"
    with pytest.raises(UnknownNameError):
        plant.export(tmp_path / "none.csv", "99.118.8/nobody#x", last="1h")
    assert not (tmp_path / "none.csv").exists()


def test_errors_carry_code_and_hint(plant, stack, ports):
    with pytest.raises(UnknownNameError) as missing:
        plant.history("99.118.8/nobody#x", last="1h")
    assert missing.value.code == "HL-API-0006"
    assert missing.value.hint
    assert missing.value.status == 404
    with pytest.raises(PlatformError) as wrong:
        plant.history(NAME, last="soon")
    assert wrong.value.code == "HL-API-0002"
    with hulian.connect(stack.url, token="hlt_wrong") as stranger, pytest.raises(NotLoggedInError):
        stranger.points()
    with hulian.connect(stack.url, token=stack.token("read")) as reader, pytest.raises(RefusedError):
        reader.users()
    with hulian.connect(f"http://127.0.0.1:{ports()}") as nowhere, pytest.raises(NotReachableError) as unreachable:
        nowhere.points()
    assert "hulian up" in unreachable.value.hint
    with pytest.raises(NotReachableError):
        hulian.connect("gopher://here")


def test_the_awaited_client_does_the_same(plant, stack):
    async def main() -> None:
        async with AsyncPlatform(stack.url, token=stack.token("read")) as platform:
            assert len(await platform.history(NAME, last="1h")) >= 60
            assert (await platform.last(NAME))[0].name == NAME
            async for sample in platform.live(NAME):
                assert sample.point == NAME
                break
            with pytest.raises(UnknownNameError):
                await platform.point("99.118.8/nobody#x")

    anyio.run(main)


def test_both_clients_have_the_same_calls():
    def calls(kind):
        return {name for name in vars(kind) if not name.startswith("_")}

    assert calls(Platform) - calls(AsyncPlatform) == {"import_file"}
    assert calls(AsyncPlatform) <= calls(Platform)
    for name in calls(AsyncPlatform):
        assert getattr(Platform, name).__doc__, name


def test_a_document_by_script(plant, tmp_path):
    lines = [
        b'{"hulian": 1, "document": {"name": "x", "format": "hulian"}}',
        b'{"node": {"id": "sdk/P1", "kind": 1, "name": "P1"}}',
    ]
    found = plant.model_import(b"\n".join(lines), "sdk", "hulian")
    assert (found.differences["added"], found.errors, found.missing, found.version.waiting) == (1, 0, [], True)
    assert plant.model_apply(found.version.key).current
    (tmp_path / "sdk.hulian.jsonl").write_bytes(b"\n".join([*lines, b'{"node": {"id": "sdk/P2", "kind": 1, "name": "P2"}}']))
    second = plant.model_import(tmp_path / "sdk.hulian.jsonl")
    assert (second.version.name, second.replaces, second.differences["added"]) == ("sdk", found.version.key, 1)
    assert [one.key for one in plant.model_versions("sdk")] == [second.version.key, found.version.key]
    plant.model_discard(second.version.key)
    with pytest.raises(UnknownNameError):
        plant.model_preview(second.version.key)
    with pytest.raises(PlatformError) as refused:
        plant.model_import(b"\n".join([*lines, b"{no json"]), "sdk", "hulian")
    assert (refused.value.code, refused.value.place) == ("HL-SEM-0001", "sdk, line 3")


def test_the_examples_of_the_page_on_imports(plant):
    page = Path(__file__).resolve().parents[2] / "docs" / "topics" / "model-import.md"
    flags = doctest.IGNORE_EXCEPTION_DETAIL
    text = page.read_text().replace("```", "")
    examples = doctest.DocTestParser().get_doctest(text, {"platform": plant}, page.name, str(page), 0)
    assert len(examples.examples) >= 8
    told: list[str] = []
    doctest.DocTestRunner(optionflags=flags).run(examples, out=told.append)
    assert told == []
