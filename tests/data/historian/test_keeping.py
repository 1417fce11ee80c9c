"""What happens to the store itself: crashes, locks, versions, copies, and what leaves it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import textwrap
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from hulian.data.historian import migration, schema
from hulian.data.historian.backup import restore
from hulian.data.historian.configuration import HistorianConfiguration, Retention
from hulian.data.historian.contract import Aggregate, Annotate, Annotations, Correct, Events, LastValues, RawWindow, Request
from hulian.data.historian.embedded import EmbeddedHistorian
from hulian.data.historian.embedded_engine import EmbeddedEngine
from hulian.data.historian.errors import BackupError, ClosedError, StoreFullError, StoreLockedError, StoreVersionError
from hulian.data.historian.events import HistorianEvent
from hulian.data.historian.store import INTERNAL
from hulian.kernel.event import Event, Severity
from hulian.kernel.sample import Columns
from hulian.kernel.storage import StorageClass

SECOND = 10**9
HOUR = 3600 * SECOND
DAY = 24 * HOUR
START = 472_222 * HOUR


def ask(historian: EmbeddedHistorian, request: Request) -> pa.Table:
    batches = list(historian.query(request))
    return pa.Table.from_batches(batches) if batches else pa.table({})


def block(number: int, rows: int = 2000) -> Columns:
    """The same samples for the same number, in this process and in the one that is killed."""
    time_of = START + (number * rows + np.arange(rows)) * SECOND
    return Columns.doubles(np.arange(rows) % 7 + 1, time_of, np.arange(rows) % 100 + number)


WRITER = """
    import sys, numpy as np
    from hulian.data.historian.embedded import EmbeddedHistorian
    from hulian.kernel.sample import Columns
    rows, second, start = 2000, 10**9, 472_222 * 3600 * 10**9
    historian = EmbeddedHistorian(sys.argv[1])
    for number in range(int(sys.argv[2]), 100_000):
        time_of = start + (number * rows + np.arange(rows)) * second
        print("begin", number, flush=True)
        historian.insert([Columns.doubles(np.arange(rows) % 7 + 1, time_of, np.arange(rows) % 100 + number)], f"block-{number}")
        print("done", number, flush=True)
"""


@pytest.mark.parametrize("kills", [3, pytest.param(30, marks=pytest.mark.soak)])
def test_kill_9_loses_and_doubles_nothing(tmp_path: Path, kills: int) -> None:
    random = np.random.default_rng(kills)
    following = 0
    for _ in range(kills):
        command = [sys.executable, "-c", textwrap.dedent(WRITER), str(tmp_path), str(following)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            begun = done = -1
            deadline, wanted = float("inf"), following + 4
            for line in process.stdout:
                word, number = line.split()
                begun, done = (int(number), done) if word == "begin" else (begun, int(number))
                if deadline == float("inf") and done >= wanted:
                    deadline = time.monotonic() + random.uniform(0, 0.3)
                if time.monotonic() >= deadline and word == "begin":
                    time.sleep(random.uniform(0, 0.03))  # somewhere in the insert, not at its beginning
                    process.kill()
                    break
            for line in process.stdout:  # what it still said before it died
                word, number = line.split()
                begun, done = (int(number), done) if word == "begin" else (begun, int(number))
        assert done >= wanted
        following = done + 1  # the intent of ingest: what was not acknowledged is sent again under its token
    historian = EmbeddedHistorian(tmp_path)
    try:
        for number in range(max(following - 3, 0), following + 1):
            historian.insert([block(number)], f"block-{number}")
        check(historian, following + 1)
        historian.settle(quiet=-1e9)
        check(historian, following + 1)
    finally:
        historian.close()


def check(historian: EmbeddedHistorian, blocks: int) -> None:
    rows, end = blocks * 2000, START + blocks * 2000 * SECOND
    expected = sum(int(block(number).value.to_numpy().sum()) for number in range(blocks))
    names = list(range(1, 8))
    raw = ask(historian, RawWindow(series=names, start=START, end=end))
    assert (raw.num_rows, sum(raw.column("value").to_pylist())) == (rows, expected)
    for step in (HOUR, 60 * SECOND):
        table = ask(historian, Aggregate(series=names, start=START, end=end, step=step, functions=("count", "sum")))
        assert (sum(table.column("count").to_pylist()), sum(table.column("sum").to_pylist())) == (rows, expected)
    last = ask(historian, LastValues(series=names))
    assert last.num_rows == 7
    assert max(last.column("time").combine_chunks().view(pa.int64()).to_pylist()) == end - SECOND


def test_a_replay_that_a_new_process_gets_is_recognised(tmp_path: Path) -> None:
    for _ in range(3):
        historian = EmbeddedHistorian(tmp_path)
        historian.insert([block(0)], "block-0")
        check(historian, 1)
        historian.close()


def test_a_block_of_several_classes_counts_once_in_every_roll_up(tmp_path: Path) -> None:
    """Their roll-ups are inserted together; a replay in a new process finds them there, whatever of it had come."""
    times = START + np.arange(90) * 60 * SECOND
    classes = {StorageClass.DOUBLE: 11, StorageClass.INTEGER: 12, StorageClass.BOOLEAN: 13, StorageClass.TEXT: 14}
    kinds = {StorageClass.BOOLEAN: bool, StorageClass.TEXT: str}
    columns = [
        Columns.of(storage, np.full(90, series), times, [kinds.get(storage, int)(number % 2) for number in range(90)])
        if storage is not StorageClass.DOUBLE
        else Columns.doubles(np.full(90, series), times, np.arange(90) % 2)
        for storage, series in classes.items()
    ]
    for _ in range(3):
        historian = EmbeddedHistorian(tmp_path)
        historian.insert(columns, "mixed")
        for storage, series in classes.items():
            raw = ask(historian, RawWindow(series=[series], start=START, end=START + 2 * HOUR, storage=storage))
            assert raw.num_rows == 90
            if storage is StorageClass.TEXT:
                continue
            for step in (HOUR, 60 * SECOND):
                request = Aggregate(
                    series=[series], start=START, end=START + 2 * HOUR, step=step, functions=("count", "sum"), storage=storage
                )
                table = ask(historian, request)
                assert (sum(table.column("count").to_pylist()), sum(table.column("sum").to_pylist())) == (90, 45)
        historian.close()


def test_a_directory_has_one_owner(tmp_path: Path) -> None:
    historian = EmbeddedHistorian(tmp_path)
    with pytest.raises(StoreLockedError) as caught:
        EmbeddedHistorian(tmp_path)
    assert caught.value.code == "HL-HISTORIAN-0001"
    other = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from hulian.data.historian.embedded import *; EmbeddedHistorian(sys.argv[1])",
            str(tmp_path),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "HL-HISTORIAN-0001" in other.stderr
    historian.close()
    with pytest.raises(ClosedError):
        ask(historian, RawWindow(series=[1], start=0, end=1))
    EmbeddedHistorian(tmp_path).close()


def test_a_newer_store_is_refused_untouched(tmp_path: Path) -> None:
    EmbeddedHistorian(tmp_path).close()
    engine = EmbeddedEngine(tmp_path, HistorianConfiguration())
    engine.execute(f"INSERT INTO hulian.schema_versions VALUES ({schema.SCHEMA_VERSION + 1}, now64(3), 'hulian 99')")
    engine.close()
    with pytest.raises(StoreVersionError):
        EmbeddedHistorian(tmp_path)
    with pytest.raises(StoreVersionError):
        EmbeddedHistorian(tmp_path)


def test_steps_lead_from_version_to_version_and_survive_a_crash_between(tmp_path: Path) -> None:
    engine = EmbeddedEngine(tmp_path, HistorianConfiguration())
    try:
        migration.prepare(engine, "process")
        assert migration.stored_version(engine) == schema.SCHEMA_VERSION
        done: list[int] = []

        now = schema.SCHEMA_VERSION

        def first(asked: Any) -> None:
            done.append(now + 1)
            asked.execute("ALTER TABLE hulian.events ADD COLUMN IF NOT EXISTS node String DEFAULT 'here'")

        def second(asked: Any) -> None:
            done.append(now + 2)
            if done.count(now + 2) == 1:
                raise RuntimeError("power cut")
            asked.execute("ALTER TABLE hulian.events ADD COLUMN IF NOT EXISTS area String")

        steps = {now + 1: first, now + 2: second}
        with pytest.raises(RuntimeError):
            migration.prepare(engine, "process", steps=steps, target=now + 2)
        assert migration.stored_version(engine) == now + 1
        migration.prepare(engine, "process", steps=steps, target=now + 2)
        migration.prepare(engine, "process", steps=steps, target=now + 2)
        assert (done, migration.stored_version(engine)) == ([now + 1, now + 2, now + 2], now + 2)

    finally:
        engine.close()


def test_a_store_of_the_first_version_is_brought_to_the_present(tmp_path: Path) -> None:
    engine = EmbeddedEngine(tmp_path, HistorianConfiguration())
    try:
        for statement in schema.create("hulian", "process"):
            engine.execute(statement.replace(", merge_selector_base = 16", ""))
        engine.execute("INSERT INTO hulian.schema_versions VALUES (1, now64(3), 'hulian 0')")
        migration.prepare(engine, "process")
        found = engine.table(
            "SELECT countIf(create_table_query LIKE '%merge_selector_base = 16%') FROM system.tables WHERE name LIKE 'raw_%'",
            INTERNAL,
        )
        assert found.column(0)[0].as_py() == len(StorageClass)
        assert migration.stored_version(engine) == schema.SCHEMA_VERSION
    finally:
        engine.close()


def test_every_version_up_to_the_present_has_a_step() -> None:
    assert sorted(migration.STEPS) == list(range(2, schema.SCHEMA_VERSION + 1))


def test_durability_is_set_on_every_table_and_can_change(tmp_path: Path) -> None:
    for durability, on in (("power", 1), ("process", 0), ("power", 1)):
        historian = EmbeddedHistorian(tmp_path, HistorianConfiguration(durability=durability))  # type: ignore[arg-type]
        found = historian._engine.table(
            f"SELECT countIf(create_table_query LIKE '%fsync_after_insert = {on}%'), count() FROM system.tables"
            " WHERE database = 'hulian'",
            historian_limits(),
        )
        assert found.column(0).to_pylist() == found.column(1).to_pylist() == [len(schema.tables())]
        historian.insert([block(0)], durability)
        historian.close()


def historian_limits() -> Any:
    from hulian.data.historian.contract import Limits

    return Limits()


def test_a_backup_taken_while_inserts_run_is_a_moment_of_the_store(tmp_path: Path) -> None:
    historian = EmbeddedHistorian(tmp_path / "store")
    for number in range(5):
        historian.insert([block(number)], f"block-{number}")
    historian.insert([Columns.of(StorageClass.TEXT, [99], [START], ["ü"])], "text")
    historian.insert_events(
        [Event(time=START, code="HL-X-0001", severity=Severity.INFO, component="c", subject="s", message="m")], "events"
    )
    historian.annotate(Annotate(id="a", series=1, start=START, end=START, author="ada", text="note", created=START))
    historian.correct(Correct(columns=Columns.doubles([1], [START], [-5.0]), author="ada", reason="why"))
    told = historian.backup(str(tmp_path / "backup"))
    assert told["files"] > 10
    historian.insert([block(5)], "block-5")
    with pytest.raises(BackupError):
        historian.backup(str(tmp_path / "backup"))
    check_corrected(historian, 6)
    assert not list((tmp_path / "store" / "store" / "shadow").glob("backup_*"))
    historian.close()

    with pytest.raises(BackupError, match="already"):
        restore(tmp_path / "backup", tmp_path / "store")
    restore(tmp_path / "backup", tmp_path / "again")
    for _ in range(2):
        again = EmbeddedHistorian(tmp_path / "again")
        check_corrected(again, 5)
        assert ask(again, LastValues(series=[99])).column("value").to_pylist() == ["ü"]
        assert ask(again, Events()).num_rows == 1
        assert ask(again, Annotations()).num_rows == 1
        again.close()


def check_corrected(historian: EmbeddedHistorian, blocks: int) -> None:
    end = START + blocks * 2000 * SECOND
    expected = sum(int(block(number).value.to_numpy().sum()) for number in range(blocks)) - 5
    table = ask(historian, Aggregate(series=list(range(1, 8)), start=START, end=end, step=HOUR, functions=("count", "sum")))
    assert (sum(table.column("count").to_pylist()), sum(table.column("sum").to_pylist())) == (blocks * 2000, expected)


def test_a_damaged_backup_is_refused_and_nothing_is_made(tmp_path: Path) -> None:
    historian = EmbeddedHistorian(tmp_path / "store")
    historian.insert([block(0)], "block-0")
    historian.backup(str(tmp_path / "backup"))
    historian.close()
    file = next((tmp_path / "backup" / "raw_double").rglob("data.bin"), None) or next((tmp_path / "backup").rglob("value.bin"))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(BackupError, match="changed"):
        restore(tmp_path / "backup", tmp_path / "again")
    file.unlink()
    with pytest.raises(BackupError, match="missing"):
        restore(tmp_path / "backup", tmp_path / "again")
    shutil.rmtree(tmp_path / "backup")
    with pytest.raises(BackupError, match="no finished backup"):
        restore(tmp_path / "backup", tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_retention_by_age_drops_whole_parts_and_keeps_roll_ups(tmp_path: Path) -> None:
    historian = EmbeddedHistorian(tmp_path, HistorianConfiguration(retention=Retention(raw_days=30)))
    now = time.time_ns()
    for days in (100, 60, 1):
        at = now - days * DAY + np.arange(3) * SECOND
        historian.insert([Columns.doubles([1, 1, 1], at, [1.0, 2.0, 3.0])], f"days-{days}")
    events = list(historian.enforce_retention())
    assert [(event.code, event.subject, event.details["rows"]) for event in events] == [
        (HistorianEvent.EXPIRED, "raw_double", 6)
    ]
    assert list(historian.enforce_retention()) == []
    assert ask(historian, RawWindow(series=[1], start=0, end=now)).num_rows == 3
    start = (now - 101 * DAY) // DAY * DAY
    table = ask(historian, Aggregate(series=[1], start=start, end=start + 102 * DAY, step=DAY, functions=("count",)))
    assert sum(table.column("count").to_pylist()) == 9
    historian.close()


def test_retention_by_size_drops_the_oldest_first_and_never_the_newest(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    weeks = [START + week * 7 * DAY for week in range(4)]
    historian = EmbeddedHistorian(tmp_path, HistorianConfiguration(retention=Retention(maximum_bytes=1_000_000)))
    for number in (2, 0, 3, 1):
        columns = Columns.doubles(np.full(50_000, 1), weeks[number] + np.arange(50_000) * SECOND, random.random(50_000))
        historian.insert([columns], f"week-{number}")
    before = sum(size.bytes for size in historian.sizes().values())
    events = list(historian.enforce_retention())
    assert [event.code for event in events] == [HistorianEvent.OVERSIZE]
    sizes = historian.sizes()
    assert sum(size.bytes for size in sizes.values()) < before
    left = ask(historian, RawWindow(series=[1], start=0, end=2**62)).column("time").combine_chunks().view(pa.int64()).to_numpy()
    assert len(left) in (50_000, 100_000)
    assert left[-1] == weeks[3] + 49_999 * SECOND
    assert left[0] >= weeks[2]
    historian.close()
    historian = EmbeddedHistorian(tmp_path, HistorianConfiguration(retention=Retention(maximum_bytes=1)))
    list(historian.enforce_retention())
    assert ask(historian, RawWindow(series=[1], start=0, end=2**62)).num_rows == 50_000
    historian.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Any:
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(place)], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("a small disk cannot be mounted here")
    yield place
    # Lazily: a thread of the engine may still hold what it removed.
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_is_told_and_the_same_block_goes_in_once_there_is_room(small_disk: Path) -> None:
    (small_disk / "filler").write_bytes(bytes(38 << 20))
    random = np.random.default_rng(1)
    historian = EmbeddedHistorian(small_disk / "store")

    def columns(number: int) -> Columns:
        return Columns.doubles(
            np.full(100_000, 1), START + (number * 100_000 + np.arange(100_000)) * SECOND, random.random(100_000)
        )

    def insert_until_refused(first: int) -> int:
        with pytest.raises(StoreFullError) as caught:  # noqa: PT012 - which insert meets the end is not known
            for number in range(first, 100):
                historian.insert([columns(number)], f"block-{number}")
        assert caught.value.code == "HL-HISTORIAN-0007"
        return number

    # The engine's own merges give room back: what is refused once may go in a moment later, so the rest is filled first.
    stored = insert_until_refused(0)
    with (small_disk / "rest").open("wb", buffering=0) as rest, suppress(OSError):
        while True:
            rest.write(bytes(4096))
    stored = insert_until_refused(stored)
    refused = columns(stored)
    everything = RawWindow(series=[1], start=0, end=2**62, limit=10**8)
    assert ask(historian, everything).num_rows in (stored * 100_000, (stored + 1) * 100_000)
    (small_disk / "filler").unlink()
    (small_disk / "rest").unlink()
    historian.insert([refused], f"block-{stored}")
    assert ask(historian, everything).num_rows == (stored + 1) * 100_000
    hours = Aggregate(series=[1], start=START, end=START + 100 * 100_000 * SECOND, step=HOUR, functions=("count",))
    assert sum(ask(historian, hours).column("count").to_pylist()) == (stored + 1) * 100_000
    historian.close()
