"""Finished files of a directory, replay, and the confinement to allowed directories."""

from __future__ import annotations

import os
import time
from pathlib import Path

import anyio
import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Binding, ConnectorState
from hulian.network.exchange.protocols.files import protocol
from hulian.network.exchange.protocols.files.config import FilesConfiguration, parse_url
from hulian.network.exchange.protocols.files.errors import AddressError, DirectoryError, OptionError

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(90)]

SECOND = 10**9
START = 1_700_000_000


def values(sink, series=1):
    return [value for _, value, status in sink.of(series) if status == 0]


def table(first: int, count: int) -> pa.Table:
    times = pa.array((np.arange(first, first + count) + START) * 10**6).view(pa.timestamp("us", "UTC"))
    return pa.table({"time": times, "a": np.arange(first, first + count) + 0.5, "n": pa.array([b"\x01"] * count)})


async def test_finished_files_come_in_their_order_and_a_growing_one_waits(bench, sink, column):
    drop = bench.directory
    parquet.write_table(table(0, 3), drop / "1.parquet", row_group_size=2)
    (drop / "2.csv").write_text(f"time,a\n{START + 10},10\n{START + 11},11")
    (drop / "other.txt").write_text("nothing of ours")
    async with bench.running(sink, "[0-9].*", [column(1, "a"), column(2, "n", StorageClass.BYTES)], mode="collect", settle=0.3):
        end = time.monotonic() + 0.6
        while time.monotonic() < end:  # written for longer than 'settle'
            with (drop / "3.csv").open("a") as file:
                file.write("time,a\n" if file.tell() == 0 else f"{START + 20},20\n")
            assert 20.0 not in values(sink)
            await anyio.sleep(0.02)
        await sink.until(lambda: 20.0 in values(sink))
    assert values(sink)[:5] == [0.5, 1.5, 2.5, 10.0, 11.0]
    assert values(sink, 2) == [b"\x01"] * 3
    count = len(values(sink))
    (drop / "1.parquet").touch()
    async with bench.running(sink, "[0-9].*", [column(1, "a")], mode="collect"):
        (drop / "4.csv").write_text(f"time,a\n{START + 30},30\n")
        await sink.until(lambda: 30.0 in values(sink))
    assert len(values(sink)) == count + 1


async def test_a_marker_says_that_a_file_is_finished(bench, sink, column):
    (bench.directory / "a.csv").write_text(f"time,a\n{START},1\n")
    async with bench.running(sink, "*", [column(1, "a")], mode="collect", settle=0.0, marker=".done"):
        await sink.until(lambda: sink.statuses and sink.statuses[-1].state is ConnectorState.CONNECTED)
        await anyio.sleep(0.3)
        assert not sink.columns
        (bench.directory / "a.csv.done").touch()
        await sink.until(lambda: values(sink) == [1.0])


async def test_a_damaged_file_is_told_and_its_neighbours_are_read(bench, sink, column):
    whole = bench.directory / "a.parquet"
    parquet.write_table(table(0, 100), whole)
    damaged = whole.read_bytes()
    (bench.directory / "a.parquet").write_bytes(damaged[:-20])
    (bench.directory / "b.parquet").write_bytes(b"no Parquet at all")
    parquet.write_table(table(0, 2), bench.directory / "c.parquet")
    async with bench.running(sink, "*", [column(1, "a")], mode="collect"):
        await sink.until(lambda: values(sink) == [0.5, 1.5])
        await sink.until(lambda: len(sink.events) == 2)
        assert {event.code for event in sink.events} == {"HL-FILES-0012"}
        whole.write_bytes(damaged)
        await sink.until(lambda: len(values(sink)) == 102)
        await sink.until(lambda: any(event.active is False for event in sink.events))


async def test_a_parquet_file_goes_on_within_a_row_group(bench, sink, column):
    parquet.write_table(table(0, 150_000), bench.directory / "a.parquet", row_group_size=100_000)
    async with bench.running(sink, "*", [column(1, "a")], mode="collect"):
        await sink.until(lambda: len(sink.columns) >= 1)
    position = sink.position
    async with bench.running(sink, "*", [column(1, "a")], mode="collect"):
        await sink.until(lambda: sum(map(len, sink.columns)) >= 150_000)
    assert sink.position > position
    found = np.concatenate([columns.value.to_numpy() for columns in sink.columns])
    assert len(found) == 150_000
    assert (found == np.arange(150_000) + 0.5).all()
    assert sink.events == []


async def test_a_replay_keeps_the_recorded_pace_times_a_factor(bench, sink, column):
    """Ten recorded seconds at fifty times the pace: the times of the samples are 20 ms apart, and now."""
    (bench.directory / "a.csv").write_text("time,a\n" + "".join(f"{START + n},{n}\n" for n in range(11)))
    began = time.time_ns()
    async with bench.running(sink, "a.csv", [column(1, "a")], mode="replay", pace=50.0):
        await sink.until(lambda: len(values(sink)) == 11)
    ended = time.time_ns()
    times = np.array([moment for moment, _, _ in sink.of(1)])
    assert (np.diff(times) == 20_000_000).all()
    assert began <= times[0]
    assert times[-1] <= ended, "a sample came before its time"
    assert len(sink.columns) > 1


async def test_a_replay_with_recorded_times_and_a_restart_in_the_middle(bench, sink, column):
    (bench.directory / "a.csv").write_text("time,a\n" + "".join(f"{START + n},{n}\n" for n in range(40)))
    settings = {"mode": "replay", "pace": 50.0, "times": "recorded"}
    async with bench.running(sink, "a.csv", [column(1, "a")], **settings):
        await sink.until(lambda: len(values(sink)) >= 5)
    assert len(values(sink)) < 40
    async with bench.running(sink, "a.csv", [column(1, "a")], **settings):
        await sink.until(lambda: len(values(sink)) == 40)
    assert [(moment, value) for moment, value, _ in sink.of(1)] == [((START + n) * SECOND, float(n)) for n in range(40)]


@pytest.mark.samples("tennessee-eastman")
async def test_the_tennessee_eastman_recordings_replay_as_fast_as_it_goes(bench, sink, samples):
    """960 rows of 52 values in blanks, without header or time: a row is three minutes (Downs and Vogel)."""
    for name in ("d00_te.dat", "d01_te.dat"):
        (bench.directory / name).write_bytes((samples / "tennessee-eastman" / name).read_bytes())
    names = [f"XMEAS({n})" for n in range(1, 42)] + [f"XMV({n})" for n in range(1, 12)]
    bindings = [
        Binding(series=place + 1, address=f"column={name}", storage=StorageClass.DOUBLE) for place, name in enumerate(names)
    ]
    settings = {
        "mode": "replay", "pace": 0.0, "header": False, "columns": tuple(names), "start": "2024-01-01T00:00:00Z", "every": 180.0
    }  # fmt: skip
    async with bench.running(sink, "*.dat", bindings, **settings):
        await sink.until(lambda: sum(map(len, sink.columns)) == 2 * 960 * 52)
        await sink.until(lambda: sink.statuses[-1].counters.get("files") == 2)
    wanted = np.loadtxt(samples / "tennessee-eastman" / "d00_te.dat")
    for series, place in ((1, 0), (52, 51)):
        rows = sink.of(series)
        assert [value for _, value, _ in rows[:960]] == wanted[:, place].tolist()
        assert rows[959][0] - rows[0][0] == 959 * 180 * SECOND
    assert sink.events == []


async def test_browsing_a_directory_shows_columns_types_and_units(bench):
    (bench.directory / "line.csv").write_text('time,pressure [kPa],n,mode,recipe\n2024-01-01,1.5,2,auto,"{""a"": 1}"\n')
    parquet.write_table(
        pa.table([pa.array([1]), pa.array([2.5], pa.float32())], schema=pa.schema([
            ("time", pa.int64()), pa.field("flow", pa.float32(), metadata={"unit": "m³/h"})])),
        bench.directory / "p.parquet",
    )  # fmt: skip
    (bench.directory / "broken.parquet").write_bytes(b"broken")
    url = f"file://{bench.directory}/"
    found = [node async for node in protocol.browse(url, None, bench.environment(), depth=0)]
    leaves = {node.name: (node.address, node.storage, node.unit, node.value) for node in found if node.leaf}
    assert leaves == {
        "pressure": ("column=pressure [kPa]", StorageClass.DOUBLE, "kPa", "1.5"),
        "n": ("column=n", StorageClass.INTEGER, "", "2"),
        "mode": ("column=mode", StorageClass.TEXT, "", "auto"),
        "recipe": ("column=recipe", StorageClass.STRUCTURE, "", '{"a": 1}'),
        "flow": ("column=flow", StorageClass.DOUBLE, "m³/h", "2.5"),
    }
    branches = {node.name: node.description for node in found if not node.leaf}
    assert branches["line.csv"] == ""
    assert "cannot be read" in branches["broken.parquet"]
    (bench.directory / "long.csv").write_text("time,tag,value\n1,PT-1 [bar],1.5\n1,MODE,auto\n1,N,3\n")
    long = FilesConfiguration(layout="long")
    found = [node async for node in protocol.browse(f"{url}long.csv", long, bench.environment(), under="file=long.csv")]
    assert [(node.address, node.storage, node.unit) for node in found] == [
        ("tag=PT-1 [bar]", StorageClass.DOUBLE, "bar"),
        ("tag=MODE", StorageClass.TEXT, ""),
        ("tag=N", StorageClass.INTEGER, ""),
    ]


async def test_no_way_leads_out_of_the_allowed_directories(bench, sink, column, tmp_path):
    secret = tmp_path / "secret.csv"
    secret.write_text(f"time,a\n{START},42\n")
    environment = bench.environment()
    for url in (f"file://{tmp_path}/*.csv", f"file://{bench.directory}-other/*", "file:///etc/passwd"):
        with pytest.raises(DirectoryError):
            protocol.connector(url, None, [column(1, "a")], environment)
    for url in (f"file://{bench.directory}/../secret.csv", f"file://{bench.directory}/%2e%2e/secret.csv", "file://host/a"):
        with pytest.raises(AddressError):
            protocol.connector(url, None, [column(1, "a")], environment)
    (bench.directory / "out.csv").symlink_to(secret)
    (bench.directory / "in.csv").write_text(f"time,a\n{START},1\n")
    (bench.directory / "also.csv").symlink_to(bench.directory / "in.csv")
    os.mkfifo(bench.directory / "pipe.csv")
    async with bench.running(sink, "*.csv", [column(1, "a")]):
        await sink.until(lambda: 1.0 in values(sink))
        await sink.until(lambda: any(event.code == "HL-FILES-0003" for event in sink.events))
        await anyio.sleep(0.2)
    assert 42.0 not in values(sink)
    (bench.directory / "sub").symlink_to(tmp_path)
    with pytest.raises(DirectoryError):
        async for _ in protocol.browse(f"file://{bench.directory}/sub/", None, environment):
            pass


def test_without_configuration_nothing_may_be_read(bench, column):
    import msgspec

    nothing = msgspec.structs.replace(bench.environment(), extras={})
    with pytest.raises(DirectoryError, match="allowed: none"):
        protocol.connector(f"file://{bench.directory}/a.csv", None, [column(1, "a")], nothing)


@pytest.mark.parametrize(
    "settings",
    [
        {"encoding": "utf-16"},
        {"encoding": "klingon"},
        {"zone": "Mars/Olympus"},
        {"time_format": "whenever"},
        {"delimiter": "ab"},
        {"start": "2024-01-01T00:00:00Z"},
        {"pattern": "../*"},
    ],
)
def test_settings_that_can_never_work_are_refused(bench, column, settings):
    with pytest.raises(OptionError):
        protocol.connector(f"file://{bench.directory}/a.csv", FilesConfiguration(**settings), [], bench.environment())


def test_a_url_is_a_directory_a_pattern_or_a_file():
    configuration = FilesConfiguration(pattern="*.pq")
    assert parse_url("file:///a/b/", configuration).pattern == "*.pq"
    assert parse_url("file:/a/b%20c.csv", configuration).directory == Path("/a")
    assert parse_url("file:/a/b%20c.csv", configuration).single
