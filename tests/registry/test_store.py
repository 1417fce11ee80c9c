"""Transactions, locks, crashes, copies, rights of files."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from hulian.data.catalogue.tables import state
from hulian.registry import Registry, RegistryBackupError, RegistryBusyError, RegistryError, bulk, store
from hulian.registry.tables import Unsigned64
from hulian.trust.tables import session, user


def a_user(name):
    return {
        "name": name, "display": "", "role": "viewer", "password_hash": "", "must_change_password": False, "disabled": False,
        "created": 0, "last_login": 0,
    }  # fmt: skip


def names(registry):
    with registry.read() as connection:
        return list(connection.execute(sa.select(user.c.name).order_by(user.c.name)).scalars())


def test_a_block_that_raises_leaves_nothing(registry):
    def half():
        with registry.write() as connection:
            connection.execute(user.insert().values(**a_user("a")))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half()
    assert names(registry) == []


def test_what_was_written_is_there_for_the_next(registry):
    with registry.write() as connection:
        connection.execute(user.insert().values(**a_user("a")))
    assert names(registry) == ["a"]


def test_a_reader_sees_one_moment(registry):
    with registry.read() as connection:
        before = connection.execute(sa.select(user.c.name)).all()
        with registry.write() as writer:
            writer.execute(user.insert().values(**a_user("a")))
        assert connection.execute(sa.select(user.c.name)).all() == before == []
    assert names(registry) == ["a"]


def test_foreign_keys_are_kept(registry):
    with registry.write() as connection, pytest.raises(IntegrityError):
        connection.execute(session.insert().values(digest=b"x", user="nobody", source="", created=0, seen=0, expires=0))


def test_writers_wait_for_each_other_and_lose_no_update(registry):
    def add():
        for _ in range(10):
            with registry.write() as connection:
                found = connection.execute(sa.select(state.c.revision)).scalar_one()
                connection.execute(state.update().values(revision=found + 1))

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with registry.read() as connection:
        assert connection.execute(sa.select(state.c.revision)).scalar_one() == 40


def test_a_lock_that_never_ends_is_an_error_with_a_hint(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "_BUSY_SECONDS", 0.1)
    registry = Registry.open(tmp_path / "registry.db")
    other = sqlite3.connect(tmp_path / "registry.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(RegistryBusyError) as refused, registry.write():
        pytest.fail("two writers at once")
    assert "second" in refused.value.hint
    other.close()
    with registry.write() as connection:
        connection.execute(user.insert().values(**a_user("later")))
    registry.close()


HOLD = """
import sys, time
from pathlib import Path
from hulian.registry import Registry
from hulian.trust.tables import user
def a_user(name):
    return dict(
        name=name, display="", role="viewer", password_hash="", must_change_password=False, disabled=False,
        created=0, last_login=0,
    )
registry = Registry.open(Path(sys.argv[1]))
with registry.write() as connection:
    connection.execute(user.insert().values(**a_user("committed")))
with registry.write() as connection:
    connection.execute(user.insert(), [a_user(f"half-{number}") for number in range(5000)])
    print("inside", flush=True)
    time.sleep(60)
"""


def test_kill_in_a_transaction_keeps_all_before_and_nothing_of_it(tmp_path):
    path = tmp_path / "registry.db"
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "inside\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    registry = Registry.open(path)
    assert names(registry) == ["committed"]
    with registry.write() as connection:
        connection.execute(user.insert().values(**a_user("after")))
    assert names(registry) == ["after", "committed"]
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    registry.close()


def test_only_the_owner_reads_any_of_its_files(tmp_path):
    old = os.umask(0)
    try:
        registry = Registry.open(tmp_path / "registry.db")
        with registry.write() as connection:
            connection.execute(user.insert().values(**a_user("a")))
        registry.backup(tmp_path / "copy.db")
    finally:
        os.umask(old)
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["copy.db", "registry.db", "registry.db-shm", "registry.db-wal"]
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    registry.close()


@pytest.mark.parametrize(("durability", "synchronous"), [("process", 1), ("power", 2)])
def test_durability(tmp_path, durability, synchronous):
    registry = Registry.open(tmp_path / "registry.db", durability=durability)
    with registry.read() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == synchronous
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    registry.close()


def test_a_copy_taken_under_writes_is_whole_and_restores(tmp_path):
    registry = Registry.open(tmp_path / "registry.db")
    stop = threading.Event()

    def write():
        number = 0
        while not stop.is_set():
            with registry.write() as connection:
                connection.execute(user.insert(), [a_user(f"{number}-a"), a_user(f"{number}-b")])
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while len(names(registry)) < 20:
            pass
        registry.backup(tmp_path / "copy.db")
    finally:
        stop.set()
        writer.join()
    registry.close()

    Registry.restore(tmp_path / "copy.db", tmp_path / "registry.db")
    registry = Registry.open(tmp_path / "registry.db")
    found = names(registry)
    assert len(found) >= 20
    assert len(found) % 2 == 0, "half of a transaction was copied"
    registry.close()
    assert not (tmp_path / "registry.db.restoring").exists()


def test_a_registry_in_use_is_not_replaced(tmp_path):
    registry = Registry.open(tmp_path / "registry.db")
    registry.backup(tmp_path / "copy.db")
    with registry.write() as connection:
        connection.execute(user.insert().values(**a_user("later")))
    with pytest.raises(RegistryBusyError, match="in use"):
        Registry.restore(tmp_path / "copy.db", tmp_path / "registry.db")
    assert names(registry) == ["later"]
    registry.close()
    Registry.restore(tmp_path / "copy.db", tmp_path / "registry.db")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.db", "registry.db"]
    registry = Registry.open(tmp_path / "registry.db")
    assert names(registry) == []
    registry.close()


def test_a_damaged_registry_is_replaced(tmp_path):
    registry = Registry.open(tmp_path / "good.db")
    registry.backup(tmp_path / "copy.db")
    registry.close()
    (tmp_path / "registry.db").write_bytes(b"damaged beyond repair" * 1000)
    Registry.restore(tmp_path / "copy.db", tmp_path / "registry.db")
    Registry.open(tmp_path / "registry.db").close()


def test_a_damaged_copy_is_refused_and_the_registry_stays(tmp_path):
    registry = Registry.open(tmp_path / "registry.db")
    with registry.write() as connection:
        connection.execute(user.insert(), [a_user(f"user-{number:05}") for number in range(2000)])
    registry.backup(tmp_path / "copy.db")
    registry.close()
    damaged = bytearray((tmp_path / "copy.db").read_bytes())
    for place in range(8192, len(damaged), 997):
        damaged[place] ^= 0xFF
    (tmp_path / "copy.db").write_bytes(damaged)
    with pytest.raises(RegistryBackupError):
        Registry.restore(tmp_path / "copy.db", tmp_path / "registry.db")
    registry = Registry.open(tmp_path / "registry.db")
    assert len(names(registry)) == 2000
    registry.close()


@pytest.mark.parametrize("content", [None, b"", b"no database" * 1000])
def test_what_is_no_copy_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "copy.db").write_bytes(content)
    with pytest.raises(RegistryBackupError):
        Registry.restore(tmp_path / "copy.db", tmp_path / "registry.db")
    assert not (tmp_path / "registry.db").exists()


def test_a_copy_never_overwrites(tmp_path):
    registry = Registry.open(tmp_path / "registry.db")
    (tmp_path / "copy.db").write_text("mine")
    with pytest.raises(RegistryBackupError):
        registry.backup(tmp_path / "copy.db")
    assert (tmp_path / "copy.db").read_text() == "mine"
    registry.close()


def test_postgresql_is_copied_by_its_own_tools(postgresql_url, tmp_path):
    registry = Registry.open(postgresql_url)
    with pytest.raises(RegistryBackupError) as refused:
        registry.backup(tmp_path / "copy")
    assert "pg_dump" in refused.value.hint
    registry.close()


def test_a_server_that_is_away_is_one_error_without_the_password(tmp_path):
    with pytest.raises(RegistryError) as refused:
        Registry.open(f"postgresql://hulian:tiger-secret@/registry?host={tmp_path}")
    assert "tiger-secret" not in f"{refused.value} {refused.value.place} {refused.value.hint}"


def test_unsigned_numbers_keep_every_bit(registry):
    table = sa.Table("numbers", sa.MetaData(), sa.Column("n", Unsigned64, primary_key=True, autoincrement=False))
    values = [0, 1, 2**63 - 1, 2**63, 2**64 - 1]
    with registry.write() as connection:
        table.create(connection)
        bulk.insert(connection, table, [{"n": value} for value in values])
        assert sorted(connection.execute(sa.select(table.c.n)).scalars()) == values
        assert connection.execute(sa.select(table.c.n).where(table.c.n == 2**63)).scalar() == 2**63
