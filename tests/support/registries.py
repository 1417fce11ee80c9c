"""Fixtures of a registry on either database; a conftest imports those it needs."""

from __future__ import annotations

import itertools

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
    name = f"test_{next(_numbers)}"
    engine = sa.create_engine(sa.make_url(postgresql_server).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return postgresql_server.replace("/postgres?", f"/{name}?")


@pytest.fixture(params=["sqlite", "postgresql"])
def registry(request, tmp_path):
    """An open registry, once on each database."""
    target = tmp_path / "registry.db" if request.param == "sqlite" else request.getfixturevalue("postgresql_url")
    opened = Registry.open(target)
    yield opened
    opened.close()
