"""A registry is brought up to date, wholly or not at all, and never from the future."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import hulian.data.catalogue.tables
import hulian.network.exchange.semantics.dictionary.tables
import hulian.network.exchange.semantics.model.tables
import hulian.network.identifiers.active.tables
import hulian.network.identifiers.provisioning.tables
import hulian.network.identifiers.statistics.tables
import hulian.network.identifiers.store.tables
import hulian.trust.tables
from hulian.registry import ForeignRegistryError, NewerRegistryError, Registry, RegistryError, metadata, migration

assert hulian.data.catalogue.tables.point.metadata is hulian.trust.tables.user.metadata is metadata
assert hulian.network.exchange.semantics.dictionary.tables.concept.metadata is metadata
assert hulian.network.identifiers.store.tables.record.metadata is metadata
assert hulian.network.identifiers.provisioning.tables.application.metadata is metadata
assert hulian.network.identifiers.statistics.tables.counted.metadata is metadata
assert hulian.network.identifiers.active.tables.carrier.metadata is metadata
assert hulian.network.exchange.semantics.model.tables.node.metadata is metadata


def first_version(path, monkeypatch):
    """A registry as the first version left it."""
    with monkeypatch.context() as patch:
        patch.setattr(migration.upgrade, "__defaults__", ("0001",))
        return Registry.open(path)


def test_the_constant_is_the_last_script():
    assert ScriptDirectory(str(migration.SCRIPTS)).get_heads() == [migration.HEAD]


def test_the_scripts_make_exactly_the_declared_tables(registry):
    def ours(_object, name, kind, _reflected, _compared):
        return not (kind == "table" and name.startswith(("catalogue_word", "semantic_concept_word")))

    with registry.read() as connection:
        context = MigrationContext.configure(
            connection, opts={"include_object": ours, "compare_type": registry.dialect == "sqlite"}
        )
        assert compare_metadata(context, metadata) == []
    assert registry.version() == migration.HEAD


def test_the_comparison_would_see_a_missing_column(registry):
    other = sa.MetaData()
    for table in metadata.tables.values():
        table.to_metadata(other)
    other.tables["trust_user"].append_column(sa.Column("shoe_size", sa.Integer))
    with registry.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), other)


def test_from_the_first_version_with_its_data(tmp_path, monkeypatch):
    registry = first_version(tmp_path / "registry.db", monkeypatch)
    assert registry.version() == "0001"
    point = hulian.data.catalogue.tables.point
    with registry.write() as connection:
        connection.execute(
            point.insert().values(
                identity=7, name="99.1/a#b", thing="99.1/a", series=2**64 - 1, storage="double", kind="step", tag="PT-1",
                path="", unit="", texts={}, connector="", address="x", writable=False, options={}, enabled=True,
                version=1, changed=0, search="99.1/a#b\npt-1",
            )
        )  # fmt: skip
    registry.close()

    registry = Registry.open(tmp_path / "registry.db")
    assert registry.version() == migration.HEAD
    with registry.read() as connection:
        assert connection.execute(sa.select(point.c.series)).scalar() == 2**64 - 1
        found = connection.exec_driver_sql(
            "SELECT rowid FROM catalogue_word WHERE catalogue_word MATCH 'pt-'".replace("pt-", '"t-1"')
        )
        assert found.scalar() == 7
    registry.close()


def test_opening_again_changes_nothing(tmp_path):
    Registry.open(tmp_path / "registry.db").close()
    before = (tmp_path / "registry.db").read_bytes()
    Registry.open(tmp_path / "registry.db").close()
    assert (tmp_path / "registry.db").read_bytes() == before


def test_a_newer_one_is_refused_and_untouched(tmp_path):
    path = tmp_path / "registry.db"
    Registry.open(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(NewerRegistryError, match="9999") as refused:
        Registry.open(path)
    assert refused.value.hint
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == ("9999",)


def test_another_programs_database_is_refused(tmp_path):
    path = tmp_path / "contacts.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE contacts (name TEXT)")
    with pytest.raises(ForeignRegistryError, match="contacts"):
        Registry.open(path)
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("contacts",)]


def test_a_file_that_is_no_database_is_refused_and_untouched(tmp_path):
    path = tmp_path / "registry.db"
    content = b"this is a letter, not a database\n" * 100
    path.write_bytes(content)
    with pytest.raises(ForeignRegistryError, match="not a database"):
        Registry.open(path)
    assert path.read_bytes() == content


def test_a_missing_directory_is_one_clear_error(tmp_path):
    with pytest.raises(RegistryError, match="No such file") as refused:
        Registry.open(tmp_path / "nowhere" / "registry.db")
    assert refused.value.place.endswith("registry.db")


@pytest.mark.parametrize(
    "target", ["mysql://root@localhost/x", "sqlite://", "sqlite:///:memory:", "postgresql://[/x", "http://x"]
)
def test_addresses_that_cannot_be_a_registry(target):
    with pytest.raises(RegistryError):
        Registry.open(target)


def test_a_failing_migration_leaves_the_old_version_whole(tmp_path, monkeypatch):
    scripts = tmp_path / "100% scripts"
    shutil.copytree(migration.SCRIPTS, scripts)
    (scripts / "versions" / "v9999_bad.py").write_text(
        f"from alembic import op\nrevision = '9999'\ndown_revision = '{migration.HEAD}'\n"
        "def upgrade():\n    op.execute('CREATE TABLE half (a INTEGER)')\n    op.execute('CREATE TABLE half (a INTEGER)')\n"
    )
    Registry.open(tmp_path / "registry.db").close()
    with monkeypatch.context() as patch:
        patch.setattr(migration, "SCRIPTS", scripts)
        patch.setattr(migration.upgrade, "__defaults__", ("9999",))
        with pytest.raises(RegistryError, match="half"):
            Registry.open(tmp_path / "registry.db")
    registry = Registry.open(tmp_path / "registry.db")
    assert registry.version() == migration.HEAD
    with registry.read() as connection:
        assert "half" not in sa.inspect(connection).get_table_names()
    registry.close()


OPEN = """
import sys, time
from hulian.registry import Registry
print("ready", flush=True)
sys.stdin.readline()
registry = Registry.open(sys.argv[1])
print(registry.version(), flush=True)
"""


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_several_processes_make_it_at_once(tmp_path, database, request):
    target = str(tmp_path / "registry.db") if database == "sqlite" else request.getfixturevalue("postgresql_url")
    opening = [
        subprocess.Popen([sys.executable, "-c", OPEN, target], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for process in opening:
        assert process.stdout.readline() == "ready\n"
    for process in opening:
        process.stdin.write("\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=60)[0].strip() for process in opening]
    assert answers == [migration.HEAD] * 3
    registry = Registry.open(target)
    with registry.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM alembic_version").scalar() == 1
    registry.close()
