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


DAY = 86_400 * 10**9


@pytest.fixture
def aged(monkeypatch, trail):
    """A function that writes records as on that day."""

    def write_on(day, count=1):
        monkeypatch.setattr("hulian.trust.audit.time.time_ns", lambda: day * DAY)
        write(trail, count)

    return write_on


class TestRetention:
    def test_what_is_too_old_goes_and_the_rest_verifies(self, trail, aged):
        for day in range(1, 11):
            aged(day, 3)
        assert trail.prune(days=5, now=10 * DAY) == 12
        found = trail.verify()
        assert (found.intact, found.pruned, found.checked) == (True, 12, 19)
        newest, *rest = trail.list(100)
        assert [record.sequence for record in rest] == list(range(30, 12, -1))
        assert (newest.principal, newest.action, newest.details["through"]) == ("audit retention", "audit.prune", 12)
        assert newest.details["records"] == 12
        assert newest.details["until"] == 4 * DAY
        aged(10)
        assert trail.verify().intact

    def test_nothing_to_do_leaves_no_trace(self, trail, aged):
        aged(1, 5)
        assert trail.prune(days=5, now=2 * DAY) == trail.prune(records=5) == trail.prune() == 0
        assert len(trail.list()) == 5

    def test_more_than_may_be_go_oldest_first(self, trail, aged):
        aged(1, 50)
        assert trail.prune(records=20) == 31
        assert len(trail.list(100)) == 20
        assert trail.prune(records=20) == 0
        assert trail.verify().intact
        assert trail.prune(records=1) == 19, "the newest and the record of the pruning stay"
        assert trail.verify().intact

    def test_again_and_again(self, trail, aged):
        """Also past the records of earlier prunings; and prunings alone are nothing to prune."""
        for day in range(1, 40):
            aged(day, 2)
            trail.prune(days=5, now=day * DAY)
            assert trail.verify().intact
        assert len(trail.list(100)) < 20
        assert trail.prune(days=5, now=1000 * DAY) > 0
        assert trail.verify().intact
        for _ in range(3):
            trail.prune(days=5, now=2000 * DAY)
        assert len(trail.list(100)) <= 4

    def test_it_goes_in_steps_that_each_leave_a_trail_that_verifies(self, trail, aged, monkeypatch):
        monkeypatch.setattr("hulian.trust.audit._AT_ONCE", 10)
        aged(1, 35)
        assert trail.prune(days=5, now=100 * DAY) >= 34
        assert trail.verify().intact
        prunings = [record.details["records"] for record in trail.list() if record.action == "audit.prune"]
        assert max(prunings) <= 10

    def test_an_error_half_way_leaves_all_as_it_was(self, registry, trail, aged, monkeypatch):
        aged(1, 5)
        aged(9, 1)
        monkeypatch.setattr("hulian.trust.audit.tables.audit", _Undeletable(table))
        with pytest.raises(ZeroDivisionError):
            trail.prune(days=5, now=10 * DAY)
        monkeypatch.undo()
        assert len(trail.list()) == 6
        assert trail.verify().intact
        with registry.write() as connection, pytest.raises(DBAPIError, match="only grows"), connection.begin_nested():
            connection.execute(table.delete())

    def test_afterwards_the_database_refuses_as_before(self, registry, trail, aged):
        aged(1, 5)
        aged(9, 5)
        trail.prune(days=5, now=10 * DAY)
        for change in (table.delete(), table.update().values(principal="eve")):
            with registry.write() as connection, pytest.raises(DBAPIError, match="only grows"), connection.begin_nested():
                connection.execute(change)

    def test_who_cuts_off_the_beginning_is_found_out(self, registry, trail, aged, tmp_path):
        aged(1, 5)
        aged(9, 5)
        trail.prune(days=5, now=10 * DAY)
        allow_changes(registry)
        with registry.write() as connection:
            connection.execute(table.delete().where(table.c.sequence <= 7))
        found = trail.verify()
        assert (found.intact, found.reason) == (False, "record 1 is missing")

    def test_who_cuts_off_the_beginning_and_writes_a_pruning_is_found_out(self, registry, trail, aged, tmp_path):
        """Without the node's key: the record does not verify."""
        aged(1, 10)
        forger = Audit(registry, b"x" * 32, tmp_path / "forged.head")
        with registry.read() as connection:
            chain = connection.execute(sa.select(table.c.chain).where(table.c.sequence == 4)).scalar()
        forger.record("audit retention", "audit.prune", "audit", details={"through": 4, "chain": chain.hex()})
        allow_changes(registry)
        with registry.write() as connection:
            connection.execute(table.delete().where(table.c.sequence <= 4))
        found = trail.verify()
        assert (found.intact, found.broken_at) == (False, 11)

    @pytest.mark.parametrize(
        "details", ['{"through":4}', '{"through":4,"chain":"zz"}', "[]", "none", '{"through":4,"chain":5}']
    )
    def test_a_damaged_record_of_a_pruning_is_no_crash(self, registry, trail, aged, details):
        aged(1, 5)
        aged(9, 5)
        trail.prune(days=5, now=10 * DAY)
        allow_changes(registry)
        with registry.write() as connection:
            connection.execute(table.update().where(table.c.action == "audit.prune").values(details=details))
        assert not trail.verify().intact

    def test_writers_go_on_meanwhile(self, trail, aged, monkeypatch):
        monkeypatch.setattr("hulian.trust.audit._AT_ONCE", 5)
        aged(1, 60)
        threads = [threading.Thread(target=write, args=(trail, 15)) for _ in range(3)]
        for thread in threads:
            thread.start()
        trail.prune(records=30)
        for thread in threads:
            thread.join()
        trail.prune(records=30)
        assert trail.verify().intact
        assert len(trail.list(100)) == 30


class _Undeletable:
    """The table, where a delete fails after all else is done."""

    def __init__(self, real):
        self._real = real

    def __getattr__(self, name):
        return getattr(self._real, name)

    def delete(self):
        raise ZeroDivisionError
