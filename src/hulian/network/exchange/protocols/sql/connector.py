"""A connection to a database: what is new in its tables, each row once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import anyio
import sqlalchemy as sa
from anyio import to_thread

from hulian.kernel.errors import HulianError
from hulian.network.exchange.protocols.bookmarks import Bookmarks
from hulian.network.exchange.protocols.confinement import DIRECTORIES, Confinement
from hulian.network.exchange.protocols.contract import Binding, ConnectorState, Environment, Sink
from hulian.network.exchange.protocols.sql.config import SqlConfiguration, TableSource, targets_of
from hulian.network.exchange.protocols.sql.database import Database, table_of
from hulian.network.exchange.protocols.sql.errors import (
    AccessError,
    BookmarkError,
    ColumnError,
    DirectoryError,
    OptionError,
    ReachError,
    RowError,
    SlowError,
    TableError,
    TypeFitError,
)
from hulian.network.exchange.protocols.sql.place import Progress, Step
from hulian.network.exchange.protocols.standing import Backoff, Standing
from hulian.network.exchange.protocols.tabular import Mapped, Rows, TableMapping, Target, time_column

__all__ = ["SqlConnector"]

_SERIOUS: Final = (AccessError, BookmarkError, DirectoryError, ReachError, SlowError, TableError)
_COUNTED: Final[dict[type[HulianError], str]] = {RowError: "bad_rows", TypeFitError: "bad_values"}
_MOST_TOLD: Final = 100


class _Table:
    """One table and how far it is read."""

    def __init__(self, source: TableSource, targets: list[Target], most: int) -> None:
        self.source = source
        self.rows = Rows(source, targets)
        self.names: list[str] = []
        self.by = ""
        self.most = most
        self.progress: Progress | None = None

    def shape(self, names: Sequence[str]) -> list[str]:
        """Chooses the columns to read; the names of points that there are none for. Raises `TableError`."""
        source = self.source
        time = time_column(names, source.time)
        by = source.by or time or ""
        for wanted, what in ((time, "time"), (by, "by")):
            if wanted not in names:
                raise TableError(f"{source.table!r} has no column for {what!r}", place=source.table, hint=f"set {what!r}")
        if source.layout == "long" and not {source.tag, source.value} <= set(names):
            raise TableError(f"{source.table!r} has no columns {source.tag!r} and {source.value!r}", place=source.table)
        self.by = by
        self.names = list(dict.fromkeys([by, *self.rows.wanted(names)]))
        return self.rows.missing(names)

    def begin(self, stored: dict[str, bytes]) -> Progress:
        """Goes on where an earlier life stood."""
        is_time = self.by == time_column(self.names, self.source.time)
        form = self.source.time_format if is_time else None
        key = f"{self.source.table}:{self.by}"
        self.progress = progress = Progress(key, overlap=self.source.overlap, time_format=form, most=self.most)
        progress.load({name: value for name, value in stored.items() if name.rpartition(":")[0] == key})
        return progress


class SqlConnector:
    """Reads tables for as long as `run` is not cancelled. A page of rows is committed together with a number under which
    `Bookmarks` knows how far its table is read. One bad table, column or row harms no other."""

    def __init__(
        self, url: sa.URL, configuration: SqlConfiguration, bindings: Sequence[Binding], environment: Environment
    ) -> None:
        configuration.check()
        self.configuration = configuration
        confinement = Confinement(
            environment.extras.get(DIRECTORIES, ()), absent=ReachError, outside=DirectoryError, unusable=ReachError
        )
        self.database = Database(url, configuration, environment.credentials, confinement)
        targets, wrong = targets_of(bindings, configuration)
        self._addresses = {binding.series: binding.address for binding in bindings}
        self._tables = [_Table(source, targets[source.table], configuration.overlap_rows) for source in configuration.tables]
        rows = Rows(TableMapping(), [target for table in self._tables for target in table.rows.targets])
        for table in self._tables:
            table.rows.last = rows.last
        self.standing = Standing(
            "sql", environment, rows, wrong, bad_after=configuration.bad_after, serious=_SERIOUS, counted=_COUNTED
        )
        self._bookmarks = Bookmarks(environment.directory)

    # -- the life of the connection ------------------------------------------------------------------------------------

    async def run(self, sink: Sink) -> None:
        """Lives until it is cancelled. Raises `DriverError` where the driver is not installed."""
        await to_thread.run_sync(lambda: self.database.engine)
        self.standing.attach(sink)
        try:
            async with anyio.create_task_group() as scope:
                scope.start_soon(self.standing.watch)
                await self._look_for_ever(sink)
        finally:
            self._bookmarks.close()
            self.database.close()
            self.standing.set(ConnectorState.STOPPED, None)

    async def _look_for_ever(self, sink: Sink) -> None:
        backoff = Backoff(self.configuration.reconnect_first, self.configuration.reconnect_most)
        remembered = False
        while True:
            try:
                if not remembered:
                    await self._remember(sink)
                    remembered = True
                await self._ask(self.database.tables)
                self.standing.came_back()
                for table in self._tables:
                    await self._take(table, sink)
            except (ReachError, AccessError, DirectoryError, BookmarkError) as error:
                delay = backoff.next()
                state = ConnectorState.REFUSED if isinstance(error, AccessError) else ConnectorState.WAITING
                self.standing.lost(error, delay, state=state)
                await anyio.sleep(delay)
            else:
                backoff.reset()
                await anyio.sleep(self.configuration.poll)

    async def _remember(self, sink: Sink) -> None:
        try:
            known = await to_thread.run_sync(self._bookmarks.open, sink.position)
        except OSError as error:
            raise BookmarkError(str(error), place=str(self.database)) from error
        if not known:
            text = "how far the tables were read is not known any more: they are read anew"
            self.standing.reports.moment(BookmarkError, str(self.database), text)

    async def _ask(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """A call of the database in a thread; where we are cancelled meanwhile, nobody waits for a line that may be dead."""
        try:
            return await to_thread.run_sync(call, *arguments, abandon_on_cancel=True)
        except anyio.get_cancelled_exc_class():
            self.database.hang_up()
            raise

    # -- one table -----------------------------------------------------------------------------------------------------

    async def _take(self, table: _Table, sink: Sink) -> None:
        reports, name = self.standing.reports, table.source.table
        try:
            await self._look(table, sink)
        except (TableError, SlowError) as error:
            table.progress = None
            reports.begin(type(error), name, str(error), error.hint)
            if isinstance(error, TableError):
                for target in table.rows.targets:
                    self.standing.unknown(ColumnError, target, self._addresses[target.series], str(error))
        else:
            reports.end(TableError, name)
            reports.end(SlowError, name)
            self.standing.confirm(table.rows)

    async def _look(self, table: _Table, sink: Sink) -> None:
        """Everything that is new in a table, page by page; the overlap is looked at once."""
        progress = table.progress or await self._begin(table)
        low = progress.low
        while True:
            await self.standing.room()
            limit = self.configuration.rows + progress.known
            page = await self._ask(self.database.page, table.source.table, table.names, table.by, low, limit)
            await self._store(table, progress, page, sink)
            if len(page) < limit:
                return
            low = progress.high

    async def _begin(self, table: _Table) -> Progress:
        name = table.source.table
        columns = await self._ask(lambda: self.database.columns(name, fresh=True))
        missing = set(table.shape([column["name"] for column in columns]))
        for target in table.rows.targets:
            address = self._addresses[target.series]
            if table.source.layout == "wide" and target.name in missing:
                self.standing.unknown(ColumnError, target, address, f"{address}: {name!r} has no column {target.name!r}")
            else:
                self.standing.known(ColumnError, target, address)
        stored = await to_thread.run_sync(self._bookmarks.items, f"{name}:")
        progress = table.begin(stored)
        if progress.high is None and table.source.begin == "end":
            newest = await self._ask(self.database.newest, name, table.by)
            if newest is not None:
                # Those that are as new as the newest count as read too.
                limit = self.configuration.overlap_rows + 1
                page = await self._ask(self.database.page, name, table.names, table.by, newest, limit)
                step = await self._step(table, progress, page)
                await self._keep(step.changes, samples=False)
        return progress

    async def _step(self, table: _Table, progress: Progress, page: list[Any]) -> Step:
        try:
            return await to_thread.run_sync(progress.step, page, 0)
        except OverflowError as error:
            hint = "shorten 'overlap', or raise 'overlap_rows'"
            raise TableError(str(error), place=table.source.table, hint=hint) from error
        except TypeError as error:
            hint = "choose another column in 'by'"
            raise TableError(
                f"values of {table.by!r} cannot be compared: {error}", place=table.source.table, hint=hint
            ) from error

    async def _store(self, table: _Table, progress: Progress, page: list[Any], sink: Sink) -> None:
        step = await self._step(table, progress, page)
        if not step.rows:
            return
        try:
            mapped = await to_thread.run_sync(lambda: table.rows.map(table_of(table.names, step.rows)))
            number = await self._keep(step.changes, samples=bool(mapped.columns))
        except BaseException:
            table.progress = None  # it says more than was stored
            raise
        self._tell_wrong(table, mapped)
        self.standing.reports.count("rows", len(step.rows))
        if mapped.columns:
            # Nothing is awaited in between: samples and number belong into one group of the journal.
            self.standing.hand_over(mapped.columns)
            await sink.commit(number)

    async def _keep(self, changes: dict[str, bytes | None], *, samples: bool) -> int:
        try:
            return await to_thread.run_sync(lambda: self._bookmarks.write(changes, samples=samples))
        except OSError as error:
            raise BookmarkError(str(error), place=str(self.database)) from error

    def _tell_wrong(self, table: _Table, mapped: Mapped) -> None:
        name, reports = table.source.table, self.standing.reports
        if mapped.bad_rows:
            text = f"{len(mapped.bad_rows)} rows of {name!r} have no time" + (
                " or no name" if table.source.layout == "long" else ""
            )
            reports.moment(RowError, name, text)
            reports.count("bad_rows", len(mapped.bad_rows) - 1)
        for column, _ in mapped.misfits[:_MOST_TOLD]:
            reports.moment(TypeFitError, f"{name}.{column}", f"{name}: a value of {column!r} does not fit its point")
        reports.count("bad_values", max(0, len(mapped.misfits) - _MOST_TOLD))

    async def write(self, binding: Binding, value: Any) -> None:
        """Databases are only read."""
        raise OptionError("a database is read, not written", place=binding.address, hint="give the point to another connector")
