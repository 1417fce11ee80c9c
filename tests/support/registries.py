"""Fixtures of a registry on either database; a conftest imports those it needs."""

from __future__ import annotations

import itertools
import shutil

import postgresql
import pytest
import sqlalchemy as sa

from hulian.registry import Registry

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgresql_server():
    """The URL of a PostgreSQL server; skips where it is not installed."""
    if postgresql.programs() is None:
        pytest.skip("PostgreSQL is not installed")
    with postgresql.running() as url:
        yield url


@pytest.fixture
def postgresql_url(postgresql_server):
    """The URL of an empty database."""
    return _database(postgresql_server, "template0")


@pytest.fixture(scope="session")
def postgresql_template(postgresql_server):
    """The name of a database that is migrated already."""
    url = _database(postgresql_server, "template0")
    Registry.open(url).close()
    return url.partition("@/")[2].partition("?")[0]


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory):
    """A registry file that is migrated already: a copy of it costs nothing."""
    path = tmp_path_factory.mktemp("template") / "registry.db"
    registry = Registry.open(path)
    registry.backup(path.with_name("copy.db"))
    registry.close()
    return path.with_name("copy.db")


@pytest.fixture
def sqlite_registry(sqlite_template, tmp_path):
    """An open, empty registry in the file ``registry.db`` of the test's folder."""
    shutil.copyfile(sqlite_template, tmp_path / "registry.db")
    opened = Registry.open(tmp_path / "registry.db")
    yield opened
    opened.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def registry(request):
    """An open, empty registry, once on each database."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite_registry")
        return
    template = request.getfixturevalue("postgresql_template")
    opened = Registry.open(_database(request.getfixturevalue("postgresql_server"), template))
    yield opened
    opened.close()


def _database(server, template):
    name = f"test_{next(_numbers)}"
    engine = sa.create_engine(sa.make_url(server).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template}")
    engine.dispose()
    return server.replace("/postgres?", f"/{name}?")
