"""Tables of SQLite and of a real PostgreSQL: growing keys, late rows, restarts, kill -9, what is refused."""

from __future__ import annotations

import datetime
import decimal
import random
import sqlite3
import time
from contextlib import asynccontextmanager, closing

import anyio
import intake_edge
import postgresql
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from mqtt_support import RecordingSink

from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Binding, ConnectorState, Credentials, Environment
from hulian.network.exchange.protocols.sql import protocol
from hulian.network.exchange.protocols.sql.config import SqlConfiguration, TableSource, parse_url
from hulian.network.exchange.protocols.sql.errors import AddressError, DirectoryError, DriverError, OptionError, ReachError
from hulian.network.exchange.protocols.sql.place import Progress, back, pack, unpack

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]

START = 1_700_000_000
QUICK = {"poll": 0.03, "reconnect_first": 0.05, "reconnect_most": 0.2}
needs_postgresql = pytest.mark.skipif(postgresql.programs() is None, reason="PostgreSQL is not installed")


class Bench:
    """One database and what its connectors remember."""

    def __init__(self, url, tmp_path):
        self.url, self.tmp_path = url, tmp_path
        self.engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))

    def do(self, *statements):
        with self.engine.begin() as connection:
            for statement, *values in statements:
                connection.execute(sa.text(statement), *values)

    def environment(self, **more):
        return Environment(
            **{
                "organisation": "test", "connector": "db", "credentials": Credentials(), "trust": None,
                "extras": {"files.directories": (self.tmp_path,)}, "directory": self.tmp_path / "memory", **more,
            }
        )  # fmt: skip

    @asynccontextmanager
    async def running(self, sink, bindings, *tables, **settings):
        connector = protocol.connector(
            self.url, SqlConfiguration(tables=tables, **{**QUICK, **settings}), bindings, self.environment()
        )
        async with anyio.create_task_group() as group:
            group.start_soon(connector.run, sink)
            try:
                yield connector
            finally:
                group.cancel_scope.cancel()


@pytest.fixture(scope="module")
def server():
    with postgresql.running() as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=needs_postgresql)])
def bench(request, tmp_path):
    if request.param == "sqlite":
        found = Bench(f"sqlite:///{tmp_path}/plant.db", tmp_path)
    else:
        url = request.getfixturevalue("server")
        name = f"d{time.time_ns()}"
        engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(sa.text(f"CREATE DATABASE {name}"))
        engine.dispose()
        found = Bench(url.replace("/postgres?", f"/{name}?"), tmp_path)
    yield found
    found.engine.dispose()


@pytest.fixture
def sink():
    return RecordingSink()


def column(series, name, storage=StorageClass.DOUBLE, table="readings"):
    return Binding(series=series, address=f"table={table};column={name}", storage=storage)


def values(sink, series=1):
    return [value for _, value, status in sink.of(series) if status == 0]


MADE = ("CREATE TABLE readings (id INTEGER PRIMARY KEY, ts BIGINT, a DOUBLE PRECISION, b TEXT)",)
BY_KEY = TableSource(table="readings", by="id")


def insert(bench, *numbers):
    bench.do(
        *(
            ("INSERT INTO readings VALUES (:n, :t, :a, :b)", {"n": n, "t": START + n, "a": n + 0.5, "b": str(n)})
            for n in numbers
        )
    )


async def test_a_growing_key_is_followed_and_a_restart_reads_nothing_twice(bench, sink):
    bench.do(MADE)
    insert(bench, 1, 2, 3)
    bindings = [column(1, "a"), column(2, "b", StorageClass.TEXT)]
    async with bench.running(sink, bindings, BY_KEY):
        await sink.until(lambda: len(values(sink)) == 3)
        insert(bench, 4)
        await sink.until(lambda: values(sink) == [1.5, 2.5, 3.5, 4.5])
    before = sink.position
    insert(bench, 5)
    async with bench.running(sink, bindings, BY_KEY):
        await sink.until(lambda: len(values(sink)) == 5)
        await anyio.sleep(0.2)
    assert values(sink, 2) == ["1", "2", "3", "4", "5"]
    assert [moment for moment, _, _ in sink.of(1)] == [(START + n) * 10**9 for n in range(1, 6)]
    # A crash between the bookmark and the journal: the last row comes again, and no other.
    sink.position = before
    async with bench.running(sink, bindings, BY_KEY):
        await sink.until(lambda: len(values(sink)) == 6)
    assert values(sink)[-1] == 5.5


async def test_late_rows_within_the_overlap_come_once_and_alike_rows_each(bench, sink):
    bench.do(("CREATE TABLE readings (ts BIGINT, a DOUBLE PRECISION)",))
    source = TableSource(table="readings", overlap=10)

    def put(*rows):
        bench.do(*(("INSERT INTO readings VALUES (:t, :a)", {"t": START + t, "a": a}) for t, a in rows))

    put((0, 0.0), (5, 5.0), (20, 20.0), (20, 20.0))
    async with bench.running(sink, [column(1, "a")], source):
        await sink.until(lambda: len(values(sink)) == 4)
        put((20, 21.0), (15, 15.0), (12, 12.0), (20, 20.0))
        await sink.until(lambda: len(values(sink)) == 8)
        put((3, 3.0), (21, 21.5))  # the first is too late
        await sink.until(lambda: len(values(sink)) == 9)
        await anyio.sleep(0.2)
    put((14, 14.0))
    async with bench.running(sink, [column(1, "a")], source):
        await sink.until(lambda: len(values(sink)) == 10)
        await anyio.sleep(0.2)
    assert sorted(values(sink)) == [0.0, 5.0, 12.0, 14.0, 15.0, 20.0, 20.0, 20.0, 21.0, 21.5]


async def test_pages_that_end_within_equal_keys_lose_no_row(bench, sink):
    bench.do(("CREATE TABLE readings (ts BIGINT, a DOUBLE PRECISION)",))
    bench.do(*(("INSERT INTO readings VALUES (:t, :a)", {"t": START + n // 25, "a": float(n)}) for n in range(200)))
    async with bench.running(sink, [column(1, "a")], TableSource(table="readings"), rows=10):
        await sink.until(lambda: len(values(sink)) == 200)
        await anyio.sleep(0.2)
    assert sorted(values(sink)) == [float(n) for n in range(200)]
    assert len(sink.columns) >= 20


async def test_the_long_layout_with_qualities_and_names_that_need_quotes(bench, sink):
    bench.do(('CREATE TABLE "my table; x" ("the time" TEXT, "tag name" TEXT, "select" TEXT, q INTEGER)',))
    bench.do(
        *(
            ('INSERT INTO "my table; x" VALUES (:t, :n, :v, :q)', {"t": t, "n": n, "v": v, "q": q})
            for t, n, v, q in [
                ("2023-11-14T22:13:20Z", "PT'1\"", "1.5", 192),
                ("2023-11-14T22:13:21Z", "PT'1\"", "x", 192),
                ("2023-11-14T22:13:22Z", "MODE", "auto", 0),
                ("whenever", "MODE", "auto", 0),
            ]
        )
    )
    source = TableSource(
        table="my table; x", layout="long", time="the time", tag="tag name", value="select", quality="q", overlap=60
    )
    bindings = [
        Binding(series=1, address="table=my table%3B x;tag=PT'1\"", storage=StorageClass.DOUBLE),
        Binding(series=2, address="table=my table%3B x;tag=MODE", storage=StorageClass.TEXT),
    ]
    async with bench.running(sink, bindings, source):
        await sink.until(lambda: len(sink.of(1)) == 2 and sink.of(2))
        await sink.until(lambda: {event.code for event in sink.events} == {"HL-SQL-0016", "HL-SQL-0017"})
    assert [(value, status) for _, value, status in sink.of(1)] == [(1.5, 0), (None, 0x8074_0000)]
    assert [(moment, value, status) for moment, value, status in sink.of(2)] == [((START + 2) * 10**9, "auto", 0x8000_0000)]
    found = [
        node.address
        async for node in protocol.browse(
            bench.url, SqlConfiguration(tables=(source,)), bench.environment(), under="table=my table%3B x"
        )
    ]
    assert sorted(found) == ["table=my table%3B x;tag=MODE", "table=my table%3B x;tag=PT'1\""]


async def test_a_name_is_never_taken_for_sql(bench, sink):
    bench.do(MADE)
    insert(bench, 1)
    evil = "readings; DROP TABLE readings; --"
    tables = (TableSource(table=evil), TableSource(table="readings", by='id" FROM readings; DROP TABLE readings; --'))
    bindings = [
        column(1, "a", table="readings; DROP TABLE readings; --".replace(";", "%3B")),
        column(2, 'a"; DROP TABLE readings; --'),
    ]
    async with bench.running(sink, bindings, *tables):
        await sink.until(lambda: len([event for event in sink.events if event.code == "HL-SQL-0014"]) == 2)
    with bench.engine.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM readings")).scalar() == 1


async def test_one_bad_table_harms_no_other_and_comes_back(bench, sink):
    bench.do(MADE)
    insert(bench, 1)
    tables = (TableSource(table="missing"), BY_KEY)
    async with bench.running(sink, [column(1, "a"), column(2, "a", table="missing")], *tables):
        await sink.until(lambda: values(sink) == [1.5])
        await sink.until(lambda: sink.statuses[-1].bad_points == 1)
        bench.do(("CREATE TABLE missing (ts BIGINT, a DOUBLE PRECISION)",), (f"INSERT INTO missing VALUES ({START}, 7.0)",))
        await sink.until(lambda: values(sink, 2) == [7.0])
        await sink.until(lambda: sink.statuses[-1].state is ConnectorState.CONNECTED)


async def test_beginning_at_the_end(bench, sink):
    bench.do(MADE)
    insert(bench, 1, 2)
    async with bench.running(sink, [column(1, "a")], TableSource(table="readings", by="id", begin="end")):
        await sink.until(lambda: sink.statuses and sink.statuses[-1].state is ConnectorState.CONNECTED)
        await anyio.sleep(0.3)
        insert(bench, 3)
        await sink.until(lambda: values(sink) == [3.5])


async def test_browsing_shows_tables_views_and_types(bench):
    bench.do(MADE, ("CREATE VIEW newest AS SELECT id, ts, a FROM readings",))
    found = [node async for node in protocol.browse(bench.url, None, bench.environment(), depth=0)]
    assert {node.name for node in found if not node.leaf} == {"readings", "newest"}
    leaves = {node.address: node.storage for node in found if node.leaf and node.path[0] == "readings"}
    assert leaves == {
        "table=readings;column=id": StorageClass.INTEGER,
        "table=readings;column=a": StorageClass.DOUBLE,
        "table=readings;column=b": StorageClass.TEXT,
    }


@needs_postgresql
async def test_the_types_of_postgresql(server, tmp_path, sink):
    bench = Bench(server, tmp_path)
    bench.do(
        ("CREATE SCHEMA mes",),
        ("CREATE TABLE mes.types (ts TIMESTAMPTZ, local TIMESTAMP, n NUMERIC(12,3), f REAL, big BIGINT, ok BOOLEAN, j JSONB,"
         " raw BYTEA, u UUID, list INTEGER[])",),
        ("INSERT INTO mes.types VALUES ('2023-11-14 23:13:20+01', '2023-11-14 22:13:20', 1.125, 2.5, 9007199254740993, true,"
         " '{\"a\": [1]}', '\\x0102', '00000000-0000-0000-0000-000000000001', '{1,2}')",),
    )  # fmt: skip
    kinds = {
        "n": StorageClass.DOUBLE, "f": StorageClass.DOUBLE, "big": StorageClass.INTEGER, "ok": StorageClass.BOOLEAN,
        "j": StorageClass.STRUCTURE, "raw": StorageClass.BYTES, "u": StorageClass.TEXT, "list": StorageClass.STRUCTURE,
    }  # fmt: skip
    bindings = [column(number, name, kind, table="mes.types") for number, (name, kind) in enumerate(kinds.items(), 1)]
    source = TableSource(table="mes.types", time="ts", overlap=5)
    async with bench.running(sink, bindings, source):
        await sink.until(lambda: len(sink.of(8)) == 1)
    assert [values(sink, number)[0] for number in range(1, 9)] == [
        1.125, 2.5, 9007199254740993, True, '{"a":[1]}', b"\x01\x02", "00000000-0000-0000-0000-000000000001", "[1,2]",
    ]  # fmt: skip
    assert sink.of(1)[0][0] == START * 10**9
    found = [node async for node in protocol.browse(server, None, bench.environment(), under="table=mes.types")]
    assert {node.name: node.storage for node in found} == kinds | {"local": StorageClass.TEXT}
    bench.engine.dispose()


@needs_postgresql
async def test_postgresql_is_only_read_and_not_for_ever(server, tmp_path):
    from hulian.network.exchange.protocols.confinement import Confinement
    from hulian.network.exchange.protocols.sql.database import Database
    from hulian.network.exchange.protocols.sql.errors import SlowError

    confinement = Confinement((), absent=ReachError, outside=DirectoryError, unusable=ReachError)
    database = Database(parse_url(server), SqlConfiguration(statement_seconds=0.3), Credentials(), confinement)
    with pytest.raises(ReachError, match="read-only"), database._asked() as connection:
        connection.execute(sa.text("CREATE TABLE forbidden (a INTEGER)"))
    with pytest.raises(SlowError), database._asked() as connection:
        connection.execute(sa.text("SELECT pg_sleep(30)"))
    database.close()


@needs_postgresql
async def test_a_wrong_password_is_refused(tmp_path, sink):
    """The server of the tests trusts everyone; a role without the right to log in is refused all the same."""
    with postgresql.running() as url:
        bench = Bench(url, tmp_path)
        bench.do(("CREATE ROLE nobody NOLOGIN",))
        connector = protocol.connector(
            url.replace("hulian@", ""), SqlConfiguration(tables=(BY_KEY,), **QUICK), [column(1, "a")],
            bench.environment(credentials=Credentials(user="nobody", password="t0psecret")),
        )  # fmt: skip
        async with anyio.create_task_group() as group:
            group.start_soon(connector.run, sink)
            await sink.until(lambda: sink.statuses and sink.statuses[-1].state is ConnectorState.REFUSED)
            group.cancel_scope.cancel()
        assert sink.statuses[-2].error_code == "HL-SQL-0011"
        assert "t0psecret" not in str(sink.statuses) + str(sink.events)
        bench.engine.dispose()


async def test_sqlite_is_confined_read_only_and_bounded_in_time(tmp_path, sink):
    (tmp_path / "in").mkdir()
    outside = tmp_path / "outside.db"
    with closing(sqlite3.connect(outside)) as connection:
        connection.execute("CREATE TABLE readings (ts INTEGER, a REAL)")
    inside = Bench(f"sqlite:///{tmp_path}/in/plant.db", tmp_path / "in")
    with pytest.raises(DirectoryError):
        protocol.connector(f"sqlite:///{outside}", SqlConfiguration(), [], inside.environment())
    with pytest.raises(AddressError):
        protocol.connector(f"sqlite:///{tmp_path}/in/../outside.db", SqlConfiguration(), [], inside.environment())
    (tmp_path / "in" / "plant.db").symlink_to(outside)
    async with inside.running(sink, [column(1, "a")], TableSource(table="readings")):
        await sink.until(lambda: any(event.code == "HL-SQL-0004" for event in sink.events))
    (tmp_path / "in" / "plant.db").unlink()
    inside.do(("CREATE TABLE t (ts INTEGER)",))
    connector = protocol.connector(inside.url, SqlConfiguration(statement_seconds=0.2), [], inside.environment())
    with pytest.raises(ReachError, match=r"readonly|read-only"), connector.database._asked() as connection:
        connection.execute(sa.text("INSERT INTO t VALUES (1)"))
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    from hulian.network.exchange.protocols.sql.errors import SlowError

    with pytest.raises(SlowError), connector.database._asked() as connection:
        connection.execute(sa.text(endless))
    connector.database.close()


def test_reading_a_table_again_and_again_compiles_its_statements_once(tmp_path):
    bench = Bench(f"sqlite:///{tmp_path}/plant.db", tmp_path)
    bench.do(("CREATE TABLE t (ts INTEGER, a REAL)",), ("INSERT INTO t VALUES (1, 1.5)",))
    database = protocol.connector(bench.url, SqlConfiguration(), [], bench.environment()).database
    for _ in range(50):
        assert list(database.page("t", ["ts", "a"], "ts", 1, 10)) == [(1, 1.5)]
    assert len(database.engine._compiled_cache) == 1
    database.close()
    bench.engine.dispose()


def test_what_can_never_work_is_refused(tmp_path):
    bench = Bench(f"sqlite:///{tmp_path}/x.db", tmp_path)
    for url in (
        "postgresql://u:secret@h/d", "postgresql://h", "nonsense://", "ftp://h/d", "postgresql://h/d?service=x", "sqlite:///relative.db",
    ):  # fmt: skip
        with pytest.raises(AddressError) as caught:
            protocol.connector(url, SqlConfiguration(), [], bench.environment())
        assert "secret" not in str(caught.value)
    with pytest.raises(OptionError):
        protocol.connector(bench.url, SqlConfiguration(tables=(BY_KEY, BY_KEY)), [], bench.environment())


async def test_a_driver_that_is_not_installed_is_an_error_with_a_hint(tmp_path, sink):
    pytest.importorskip("sqlalchemy")
    bench = Bench(f"sqlite:///{tmp_path}/x.db", tmp_path)
    connector = protocol.connector("oracle://reader@h/d", SqlConfiguration(), [], bench.environment())
    with pytest.raises(DriverError) as caught:
        await connector.run(sink)
    assert "pip install oracledb" in caught.value.hint


def test_killing_the_edge_neither_loses_nor_doubles_rows(tmp_path):
    path, choose, written = tmp_path / "plant.db", random.Random(3), 0
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE readings (id INTEGER PRIMARY KEY, ts INTEGER, a REAL)")

    def write(count):
        nonlocal written
        with closing(sqlite3.connect(path, timeout=30)) as connection, connection:
            connection.executemany(
                "INSERT INTO readings VALUES (?, ?, ?)", [(n, START + n, n + 0.5) for n in range(written, written + count)]
            )
        written += count

    settings = {"tables": [{"table": "readings", "by": "id", "overlap": 50}], "poll": 0.01, "rows": 500}
    plan = ("sql", f"sqlite:///{path}", settings, [(1, "table=readings;column=a", "double")])
    for _ in range(4):
        process = intake_edge.start(tmp_path / "journal", *plan, directories=[str(tmp_path)])
        write(3000)
        process.stdout.readline()
        until = time.monotonic() + choose.uniform(0.1, 0.8)
        while time.monotonic() < until:
            write(choose.randrange(1, 300))
            time.sleep(0.01)
        process.kill()
        process.wait()
        process.stdout.close()
    process = intake_edge.start(tmp_path / "journal", *plan, directories=[str(tmp_path)])
    write(5)
    deadline = time.monotonic() + 60
    while len(intake_edge.rows_of(tmp_path / "journal")) < written and time.monotonic() < deadline:
        process.stdout.readline()
    process.kill()
    process.wait()
    process.stdout.close()
    assert dict(intake_edge.rows_of(tmp_path / "journal")) == {(1, (START + n) * 10**9, n + 0.5): 1 for n in range(written)}


keys = st.lists(st.integers(0, 40), max_size=40)


@given(keys, st.integers(0, 8), st.integers(1, 6), st.integers(0, 40))
def test_progress_gives_each_row_once_whatever_the_pages_and_restarts(numbers, overlap, limit, restart):
    """Rows arrive in order; pages of any size, and a restart between two of them."""
    table = sorted(numbers)
    progress = Progress("t", overlap=overlap, time_format=None, most=1000)
    stored: dict[str, bytes] = {}
    got: list[int] = []
    for turn in range(200):
        low = progress.low
        page_limit = limit + progress.known
        page = [(number,) for number in table if low is None or number >= low][:page_limit]
        step = progress.step(page, 0)
        got += [row[0] for row in step.rows]
        for name, value in step.changes.items():
            stored.pop(name, None) if value is None else stored.update({name: value})
        if turn == restart:
            progress = Progress("t", overlap=overlap, time_format=None, most=1000)
            progress.load(stored)
        if len(page) < page_limit and not step.rows:
            break
    assert sorted(got) == table


@given(
    st.one_of(
        st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.text(max_size=5), st.binary(max_size=5), st.dates(),
        st.datetimes(), st.datetimes(timezones=st.just(datetime.UTC)), st.decimals(allow_nan=False, allow_infinity=False),
    )
)  # fmt: skip
def test_any_value_of_a_growing_column_is_kept(value):
    assert unpack(pack(value)) == value


@pytest.mark.parametrize(
    ("value", "overlap", "form", "wanted"),
    [
        (datetime.datetime(2024, 1, 1, 0, 1), 60, "auto", datetime.datetime(2024, 1, 1)),
        (datetime.date(2024, 1, 3), 60, "auto", datetime.date(2024, 1, 2)),
        ("2024-01-01 00:00:10", 5, "auto", "2024-01-01 00:00:05"),
        ("2024-01-01T00:00:10.125+02:00", 5, "auto", "2024-01-01T00:00:05.125+02:00"),
        ("K-17", 5, "auto", "K-17"),
        (decimal.Decimal("10.5"), 2, None, decimal.Decimal("8.5")),
        (1_700_000_000, 5, "auto", 1_699_999_995),
        (17, 0, None, 17),
    ],
)
def test_how_far_back_an_overlap_reaches(value, overlap, form, wanted):
    assert back(value, overlap, time_format=form) == wanted
