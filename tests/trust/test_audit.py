"""The trail only grows, and whoever changes it behind our back is found out."""

from __future__ import annotations

import shutil
import threading

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from hulian.registry import Registry
from hulian.trust import Audit
from hulian.trust.tables import audit as table


@pytest.fixture
def trail(registry, tmp_path):
    return Audit(registry, b"k" * 32, tmp_path / "audit.head")


def write(trail, count=10):
    for number in range(count):
        trail.record("ada", "points.write", f"point:{number}", details={"number": number, "text": "压力"})


def allow_changes(registry):
    """What somebody with the database's own password would do first."""
    with registry.write() as connection:
        if registry.dialect == "sqlite":
            connection.exec_driver_sql("DROP TRIGGER trust_audit_no_update")
            connection.exec_driver_sql("DROP TRIGGER trust_audit_no_delete")
        else:
            connection.exec_driver_sql("DROP TRIGGER trust_audit_only_grows ON trust_audit")


def test_what_was_written_reads_back_newest_first(trail):
    write(trail, 25)
    first = trail.list(10)
    assert [record.sequence for record in first] == list(range(25, 15, -1))
    assert first[0].details == {"number": 24, "text": "压力"}
    assert [record.sequence for record in trail.list(10, before=16)] == list(range(15, 5, -1))
    assert trail.list(principal="nobody") == trail.list(action="x") == []
    found = trail.verify()
    assert (found.intact, found.checked) == (True, 25)


def test_an_empty_trail_is_intact(trail):
    assert trail.verify().intact


@pytest.mark.parametrize("change", [table.update().values(principal="eve"), table.delete()])
def test_the_database_refuses_to_change_it(registry, trail, change):
    write(trail, 3)
    with registry.write() as connection, pytest.raises(DBAPIError, match="only grows"), connection.begin_nested():
        connection.execute(change)
    assert trail.verify().checked == 3


@pytest.mark.parametrize("column", ["time", "principal", "action", "resource", "outcome", "source", "details"])
def test_a_changed_record_is_found(registry, trail, column):
    write(trail)
    allow_changes(registry)
    with registry.write() as connection:
        other = 5 if column == "time" else '{"number":99}' if column == "details" else "other"
        connection.execute(table.update().where(table.c.sequence == 4).values(**{column: other}))
    found = trail.verify()
    assert (found.intact, found.broken_at) == (False, 4)
    assert "changed" in found.reason


def test_a_missing_record_is_found(registry, trail):
    write(trail)
    allow_changes(registry)
    with registry.write() as connection:
        connection.execute(table.delete().where(table.c.sequence == 6))
    assert (trail.verify().intact, trail.verify().broken_at) == (False, 6)


def test_two_swapped_records_are_found(registry, trail):
    write(trail)
    allow_changes(registry)
    with registry.write() as connection:
        connection.execute(table.update().where(table.c.sequence == 3).values(sequence=1003))
        connection.execute(table.update().where(table.c.sequence == 4).values(sequence=3))
        connection.execute(table.update().where(table.c.sequence == 1003).values(sequence=4))
    assert trail.verify().broken_at == 3


def test_a_cut_end_is_found(registry, trail):
    write(trail)
    allow_changes(registry)
    with registry.write() as connection:
        connection.execute(table.delete().where(table.c.sequence > 7))
    found = trail.verify()
    assert (found.intact, found.broken_at) == (False, 8)
    assert "8 to 10" in found.reason


def test_a_trail_written_anew_with_another_key_is_found(registry, trail, tmp_path):
    write(trail)
    allow_changes(registry)
    with registry.write() as connection:
        connection.execute(table.delete())
    write(Audit(registry, b"x" * 32, tmp_path / "other.head"))
    assert trail.verify().broken_at == 1


def test_writers_at_once_make_one_chain(trail):
    threads = [threading.Thread(target=write, args=(trail, 15)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = trail.verify()
    assert (found.intact, found.checked) == (True, 60)


def test_a_record_stands_or_falls_with_the_change_it_tells_of(registry, trail):
    def half():
        with registry.write() as connection:
            trail.within(connection, "ada", "users.write")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half()
    assert trail.list() == []
    assert trail.verify().intact


def test_a_restored_copy_verifies_with_its_own_end(tmp_path):
    registry = Registry.open(tmp_path / "registry.db")
    trail = Audit(registry, b"k" * 32, tmp_path / "audit.head")
    write(trail)
    shutil.copy(tmp_path / "audit.head", tmp_path / "head.copy")
    registry.backup(tmp_path / "copy.db")
    write(trail)
    registry.close()
    Registry.restore(tmp_path / "copy.db", tmp_path / "registry.db")
    shutil.copy(tmp_path / "head.copy", tmp_path / "audit.head")
    registry = Registry.open(tmp_path / "registry.db")
    trail = Audit(registry, b"k" * 32, tmp_path / "audit.head")
    assert trail.verify().intact
    write(trail, 1)
    with registry.read() as connection:
        assert connection.execute(sa.select(sa.func.max(table.c.sequence))).scalar() == 11
    registry.close()


def test_long_input_is_cut_not_refused(trail):
    trail.record("x" * 5000, "a" * 5000, "r" * 50_000, source="s" * 5000)
    (record,) = trail.list()
    assert len(record.resource) == 1000
    assert trail.verify().intact
