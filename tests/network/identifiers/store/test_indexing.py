"""Records are indexed part by part: who is killed over it goes on, and what stood there before is gone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import indexing_node
import pytest
import sqlalchemy as sa
import structlog.testing

from hulian.network.identifiers.store import RecordStore, derived, indexing
from hulian.network.identifiers.store.tables import attribute, relation, word
from hulian.network.identifiers.store.tables import derived as state
from hulian.network.identifiers.wire.values import Value
from hulian.registry import Registry

COUNT = 95


def values(number: int) -> list[Value]:
    named = [
        Value(index=1, type="HULIAN.RECORD", data=b"1:88.111.1/types/pump", timestamp=1),
        Value(index=2000, type="maker", data=b"ACME %d" % number, timestamp=1),
        Value(index=3, type="HULIAN.MADE_OF", data=b"88.111.3/Steel-%d" % number, timestamp=1),
    ]
    return named if number % 3 else [Value(index=1, type="URL", data=b"x", timestamp=1)]


def rows(registry: Registry) -> list[list[tuple]]:
    with registry.read() as connection:
        return [sorted(map(tuple, connection.execute(sa.select(table)))) for table in (attribute, word, relation)]


def reached(registry: Registry) -> tuple | None:
    with registry.read() as connection:
        row = connection.execute(sa.select(state.c.version, state.c.position)).first()
    return None if row is None else tuple(row)


def before_the_migration(registry: Registry) -> None:
    """Records are there, and nothing is taken out of them."""
    with registry.write() as connection:
        for table in (attribute, word, relation, state):
            connection.execute(sa.delete(table))


def filled(registry: Registry) -> list[list[tuple]]:
    store = RecordStore(registry)
    store.create_many((f"88.111.1/n{number:03}", values(number)) for number in range(COUNT))
    found = rows(registry)
    assert [len(table) for table in found] == [63, 126, 126]
    return found


def test_parts_are_what_one_piece_would_be_and_progress_is_told(registry, monkeypatch):
    wanted = filled(registry)
    before_the_migration(registry)
    monkeypatch.setattr(indexing, "PART", 10)
    monkeypatch.setattr(indexing, "TOLD", 30)
    with structlog.testing.capture_logs() as told:
        RecordStore(registry)
    assert rows(registry) == wanted
    assert reached(registry) == (derived.VERSION, None)
    assert [(one["event"], one["records"], one.get("of")) for one in told] == [
        ("records are being indexed", 30, COUNT),
        ("records are being indexed", 60, COUNT),
        ("records are being indexed", 90, COUNT),
        ("records are indexed", COUNT, None),
    ]
    assert indexing.bring_up_to_date(registry) == 0


def test_large_records_make_smaller_parts(registry, monkeypatch):
    wanted = filled(registry)
    before_the_migration(registry)
    monkeypatch.setattr(indexing, "PART_BYTES", 1)
    parts = []
    forget = indexing._forget
    monkeypatch.setattr(indexing, "_forget", lambda connection, *keys: (parts.append(keys), forget(connection, *keys)))
    RecordStore(registry)
    assert rows(registry) == wanted
    assert len(parts) == COUNT + 1


@pytest.mark.timeout(180)
def test_who_is_killed_over_it_goes_on(tmp_path, monkeypatch):
    path = tmp_path / "node.db"
    registry = Registry.open(path)
    wanted = filled(registry)
    before_the_migration(registry)
    registry.close()
    for stop_at, committed in ((3, 20), (2, 30), (2, 40)):
        command = [sys.executable, indexing_node.__file__, str(path), "10", str(stop_at)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout.readline() == "here\n"
            finally:
                process.kill()
        registry = Registry.open(path)
        assert reached(registry) == (derived.VERSION, f"88.111.1/N{committed - 1:03}".encode())
        assert len(rows(registry)[0]) == sum(1 for number in range(committed) if number % 3)
        registry.close()
    registry = Registry.open(path)
    monkeypatch.setattr(indexing, "PART", 10)
    assert indexing.bring_up_to_date(registry) == COUNT - 40
    assert rows(registry) == wanted
    registry.close()


def test_other_rules_begin_anew_and_leave_nothing_behind(registry, monkeypatch):
    wanted = filled(registry)
    stray = [b"", b"0.NA/X", b"88.111.1/N0040", b"\xff"]
    with registry.write() as connection:
        for key in stray[1:]:
            connection.execute(sa.insert(word).values(word=b"old", key=key, at=1, public=1))
            connection.execute(sa.insert(relation).values(key=key, at=1, kind=b"X", target=b"Y", public=1))
        connection.execute(sa.update(state).values(version=derived.VERSION - 1, position=b"88.111.1/N050"))
    monkeypatch.setattr(indexing, "PART", 7)
    RecordStore(registry)
    assert rows(registry) == wanted


def test_two_processes_share_the_work(tmp_path, monkeypatch):
    """Each takes the part behind the last that was committed, whoever did that."""
    first = Registry.open(Path(tmp_path / "node.db"))
    wanted = filled(first)
    before_the_migration(first)
    second = Registry.open(tmp_path / "node.db")
    monkeypatch.setattr(indexing, "PART", 10)
    done = [indexing._part(one) for _ in range(6) for one in (first, second)]
    assert done == [10] * 9 + [5, None, None]
    assert rows(second) == wanted
    first.close()
    second.close()
