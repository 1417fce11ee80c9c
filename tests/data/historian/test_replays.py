"""A block that comes again after a crash: what the engine has of it stays, what it only believes to have is inserted."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from hulian.data.historian import store
from hulian.data.historian.configuration import HistorianConfiguration
from hulian.data.historian.contract import Aggregate, Correct, Events, LastValues, RawWindow, Versions
from hulian.data.historian.embedded import EmbeddedHistorian
from hulian.data.historian.embedded_engine import EmbeddedEngine
from hulian.data.historian.errors import StoreError
from hulian.kernel.event import Event, Severity
from hulian.kernel.sample import Columns
from hulian.kernel.storage import StorageClass

SECOND = 10**9
HOUR = 3600 * SECOND
START = 472_222 * HOUR
ROWS = 5000
TABLES = ("raw_double", "minute", "hour", "last_double")


def block(number: int) -> Columns:
    """An hour and a half of two series; some samples have no value, some are not a number."""
    time = START + (number * ROWS + np.arange(ROWS)) * SECOND
    value = np.arange(ROWS) % 100 + float(number)
    value[::50] = np.nan
    return Columns.doubles(np.arange(ROWS) % 2 + 1, time, value, missing=np.arange(ROWS) % 70 == 3)


def ask(historian: EmbeddedHistorian, request: Any) -> pa.Table:
    batches = list(historian.query(request))
    return pa.Table.from_batches(batches) if batches else pa.table({})


def totals(historian: EmbeddedHistorian, blocks: int) -> list[tuple[int, float]]:
    """Count and sum of all samples as the raw table, the minutes and the hours have them."""
    end = START + blocks * ROWS * SECOND
    raw = ask(historian, RawWindow(series=[1, 2], start=START, end=end))
    found = [(raw.num_rows, float(np.nansum(raw.column("value").to_numpy())))]
    for step in (60 * SECOND, HOUR):
        request = Aggregate(series=[1, 2], start=START, end=end, step=step, functions=("count", "sum"))
        table = ask(historian, request)
        found.append((sum(table.column("count").to_pylist()), sum(table.column("sum").to_pylist())))
    return found


def expected(blocks: int) -> list[tuple[int, float]]:
    values = [block(number).value.to_numpy(zero_copy_only=False) for number in range(blocks)]
    return [(blocks * ROWS, float(sum(np.nansum(value) for value in values)))] * 3


def only_noted(directory: Path, table: str) -> None:
    """What a kill leaves between the note of the token and the rows: the newest part of ``table`` is not there."""
    engine = EmbeddedEngine(directory, HistorianConfiguration())
    from hulian.data.historian.store import INTERNAL

    found = engine.table(
        f"SELECT path FROM system.parts WHERE table = '{table}' AND active ORDER BY max_block_number DESC LIMIT 1", INTERNAL
    )
    (path,) = found.column(0).to_pylist()
    engine.close()
    shutil.rmtree(path)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("young", [True, False])
def test_a_token_that_was_noted_without_its_rows_hides_nothing(tmp_path: Path, monkeypatch, table: str, young: bool) -> None:
    if not young:
        monkeypatch.setattr(store, "_DOUBTED", 0)  # as in a process that runs for long: the engine's note counts
    historian = EmbeddedHistorian(tmp_path)
    for number in range(3):
        historian.insert([block(number)], f"block-{number}")
    historian.close()
    only_noted(tmp_path, table)
    monkeypatch.undo()
    for _ in range(2):
        historian = EmbeddedHistorian(tmp_path)
        historian.insert([block(2)], "block-2")
        assert totals(historian, 3) == expected(3)
        last = ask(historian, LastValues(series=[1, 2]))
        assert max(last.column("time").combine_chunks().view(pa.int64()).to_pylist()) == START + (3 * ROWS - 1) * SECOND
        historian.settle(quiet=-1e9)
        assert totals(historian, 3) == expected(3)
        historian.close()


def test_the_engine_alone_loses_such_a_block(tmp_path: Path, monkeypatch) -> None:
    """Why all this is done. Where this fails, the engine has learned it, and `replays` can go."""
    historian = EmbeddedHistorian(tmp_path)
    for number in range(3):
        historian.insert([block(number)], f"block-{number}")
    historian.close()
    only_noted(tmp_path, "raw_double")
    monkeypatch.setattr(store, "_DOUBTED", 0)
    historian = EmbeddedHistorian(tmp_path)
    historian.insert([block(2)], "block-2")
    assert ask(historian, RawWindow(series=[1, 2], start=START, end=START + 3 * ROWS * SECOND)).num_rows == 2 * ROWS
    historian.close()


@pytest.mark.parametrize("forgotten", [True, False])
def test_a_block_is_not_doubled_where_the_engine_forgot_its_token(tmp_path: Path, forgotten: bool) -> None:
    """After a power cut the rows may be there and the note of their token not."""
    historian = EmbeddedHistorian(tmp_path)
    historian.insert([block(0)], "block-0")
    historian.insert([block(1)], "block-1")
    historian.close()
    if forgotten:
        for log in tmp_path.rglob("deduplication_log_*.txt"):
            log.unlink()
    for _ in range(2):
        historian = EmbeddedHistorian(tmp_path)
        historian.insert([block(1)], "block-1")
        assert totals(historian, 2) == expected(2)
        assert ask(historian, Versions(series=[1], start=START, end=START + HOUR)).num_rows == HOUR // SECOND // 2
        historian.close()


def test_a_correction_made_before_the_block_came_again_stays(tmp_path: Path) -> None:
    historian = EmbeddedHistorian(tmp_path)
    historian.insert([block(0)], "block-0")
    newest = START + (ROWS - 1) * SECOND
    historian.correct(Correct(columns=Columns.doubles([2], [newest], [-7.0]), author="ada", reason="why"))
    historian.close()
    historian = EmbeddedHistorian(tmp_path)
    historian.insert([block(0)], "block-0")
    raw = ask(historian, RawWindow(series=[2], start=newest, end=newest + 1))
    assert raw.column("value").to_pylist() == [-7.0]
    last = ask(historian, LastValues(series=[2]))
    assert last.column("number").to_pylist() == [-7.0]
    historian.close()


def test_a_version_is_not_used_again(tmp_path: Path) -> None:
    """The version of a block that a kill broke off belongs to nobody else: of two samples with one version, which is valid?"""
    historian = EmbeddedHistorian(tmp_path)
    historian.insert([block(0)], "block-0")
    monkey = historian._engine.insert

    def broken(table: str, *rest: Any) -> None:
        if table == "minute":
            raise StoreError("as if killed here")
        monkey(table, *rest)

    historian._engine.insert = broken  # type: ignore[method-assign]
    changed = Columns.doubles([1], [START], [1000.0])
    with pytest.raises(StoreError):
        historian.insert([changed], "half")
    historian.close()
    historian = EmbeddedHistorian(tmp_path)
    historian.correct(Correct(columns=Columns.doubles([1], [START], [2000.0]), author="ada", reason="why"))
    assert ask(historian, RawWindow(series=[1], start=START, end=START + 1)).column("value").to_pylist() == [2000.0]
    historian.close()


def test_a_try_that_failed_is_compared_too(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(store, "_DOUBTED", 0)
    historian = EmbeddedHistorian(tmp_path)
    historian.insert([block(0)], "block-0")
    whole, tried = historian._engine.insert, []

    def broken(table: str, rows: Any, token: str) -> None:
        whole(table, rows, token)
        tried.append(table)
        if len(tried) == 2:
            raise StoreError("the answer was lost")

    historian._engine.insert = broken  # type: ignore[method-assign]
    with pytest.raises(StoreError):
        historian.insert([block(1)], "block-1")
    historian._engine.insert = whole  # type: ignore[method-assign]
    historian.insert([block(1)], "block-1")
    historian.insert([block(1)], "block-1")
    assert totals(historian, 2) == expected(2)
    assert not historian._failed
    historian.close()


def test_every_class_is_compared(tmp_path: Path) -> None:
    times = START + np.arange(40) * 60 * SECOND
    values: dict[StorageClass, list[Any]] = {
        StorageClass.DOUBLE: [1.5, None, float("nan"), -0.0],
        StorageClass.INTEGER: [1, None, 0, -(2**63)],
        StorageClass.BOOLEAN: [True, None, False, False],
        StorageClass.TEXT: ["", None, "ü", "a\nb"],
        StorageClass.BYTES: [b"", None, b"\xff\x00", b"b"],
        StorageClass.STRUCTURE: ["{}", None, '{"a":1}', "[]"],
    }
    columns = [
        Columns.of(storage, np.full(40, series), times, some * 10) for series, (storage, some) in enumerate(values.items(), 1)
    ]
    for _ in range(2):
        historian = EmbeddedHistorian(tmp_path)
        historian.insert([*columns], "all")
        for series, storage in enumerate(values, 1):
            versions = Versions(series=[series], start=START, end=START + HOUR, storage=storage)
            assert ask(historian, versions).num_rows == 40, storage
        historian.close()


def test_events_come_once(tmp_path: Path) -> None:
    def event(number: int) -> Event:
        return Event(
            time=START + number // 2,
            code="HL-X-0001",
            severity=Severity.INFO,
            component="c",
            subject="s",
            message="ü",
            details={"n": 1},
        )

    events = [event(number) for number in range(6)]  # each twice
    for forgotten in (False, True):
        place = tmp_path / str(forgotten)
        historian = EmbeddedHistorian(place)
        historian.insert_events(events[:2], "first")
        historian.insert_events(events[2:], "second")
        historian.close()
        if forgotten:
            for log in place.rglob("deduplication_log_*.txt"):
                log.unlink()
        else:
            only_noted(place, "events")
        for _ in range(2):
            historian = EmbeddedHistorian(place)
            historian.insert_events(events[2:], "second")
            historian.insert_events(events[2:], "second")
            assert ask(historian, Events()).num_rows == 6
            historian.close()
