"""A connection to files: follow, collect or replay them, and remember exactly how far."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any, Final

import anyio
import msgspec
import numpy as np
import numpy.typing as npt
from anyio import to_thread

from hulian.kernel.errors import HulianError
from hulian.network.exchange.protocols.bookmarks import Bookmarks
from hulian.network.exchange.protocols.confinement import DIRECTORIES, Confinement
from hulian.network.exchange.protocols.contract import Binding, ConnectorState, Environment, Sink
from hulian.network.exchange.protocols.files.config import FilesConfiguration, Place, targets_of
from hulian.network.exchange.protocols.files.errors import (
    AbsentError,
    BookmarkError,
    ColumnError,
    DirectoryError,
    FileError,
    OptionError,
    RowError,
    TailError,
    TruncatedError,
    TypeFitError,
)
from hulian.network.exchange.protocols.files.reading import Block, Mark, Reader, continues, open_reader
from hulian.network.exchange.protocols.files.replay import Pace
from hulian.network.exchange.protocols.files.watching import Found, Watch
from hulian.network.exchange.protocols.standing import Backoff, Standing
from hulian.network.exchange.protocols.tabular import Mapped, Rows, time_column

__all__ = ["FilesConnector"]

_MOST_OPEN: Final = 128
_MOST_TOLD: Final = 100
_PLAYED_EVERY: Final = 0.05
_SERIOUS: Final = (AbsentError, BookmarkError, DirectoryError, FileError, TailError)
_COUNTED: Final[dict[type[HulianError], str]] = {
    RowError: "bad_rows",
    TypeFitError: "bad_values",
    TruncatedError: "truncations",
    TailError: "lost_tails",
}


class FilesConnector:
    """Reads files for as long as `run` is not cancelled, each row once.

    What a block of rows holds is committed together with a number under which `Bookmarks` knows how far every file is read;
    so a crash at any point neither loses nor doubles rows. One bad row, column or file harms no other.
    """

    def __init__(
        self, place: Place, configuration: FilesConfiguration, bindings: Sequence[Binding], environment: Environment
    ) -> None:
        configuration.check()
        self.place = place
        self.configuration = configuration
        self.confinement = Confinement(
            environment.extras.get(DIRECTORIES, ()), absent=AbsentError, outside=DirectoryError, unusable=FileError
        )
        self.confinement.check(place.directory)
        targets, wrong = targets_of(tuple(bindings), configuration)
        self._addresses = {binding.series: binding.address for binding in bindings}
        self.rows = Rows(configuration, targets)
        self.standing = Standing(
            "files",
            environment,
            self.rows,
            wrong,
            bad_after=configuration.bad_after,
            marked=configuration.mode != "replay",
            serious=_SERIOUS,
            counted=_COUNTED,
        )
        self._bookmarks = Bookmarks(environment.directory)
        self._watch = Watch(place, configuration, self.confinement)
        self._marks: dict[int, Mark] = {}
        self._open: dict[int, Reader] = {}
        self._gone: dict[int, float] = {}
        self._failed: dict[int, tuple[int, int]] = {}
        self._pace = Pace(configuration.pace, configuration.longest_gap, now=configuration.times == "now")
        self._first = False

    # -- the life of the connection ------------------------------------------------------------------------------------

    async def run(self, sink: Sink) -> None:
        """Lives until it is cancelled."""
        self.standing.attach(sink)
        try:
            async with anyio.create_task_group() as scope:
                scope.start_soon(self.standing.watch)
                await self._look_for_ever(sink)
        finally:
            for reader in self._open.values():
                reader.close()
            self._open.clear()
            self._bookmarks.close()
            self.standing.set(ConnectorState.STOPPED, None)

    async def _look_for_ever(self, sink: Sink) -> None:
        backoff = Backoff(self.configuration.reconnect_first, self.configuration.reconnect_most)
        remembered = False
        while True:
            try:
                if not remembered:
                    await self._remember(sink)
                    remembered = True
                await self._look(sink)
            except (AbsentError, BookmarkError, DirectoryError, FileError) as error:
                delay = backoff.next()
                self.standing.lost(error, delay)
                await anyio.sleep(delay)
            else:
                backoff.reset()
                await anyio.sleep(self.configuration.poll)

    async def _remember(self, sink: Sink) -> None:
        try:
            known = await to_thread.run_sync(self._bookmarks.open, sink.position)
            stored = await to_thread.run_sync(self._bookmarks.items, self._key(""))
        except OSError as error:
            raise BookmarkError(str(error), place=str(self.place)) from error
        if not known:
            self.standing.reports.moment(
                BookmarkError, str(self.place), "how far the files were read is not known any more: they are read anew"
            )
        self._marks = {}
        for value in stored.values():
            mark = msgspec.msgpack.decode(value, type=Mark)
            self._marks[mark.inode] = mark
        self._first = known and not stored and sink.position is None

    def _key(self, inode: int | str) -> str:
        return f"{self.place.directory}:{inode}"

    async def _look(self, sink: Sink) -> None:
        """One look at the directory, and everything that is new in it."""
        found = await to_thread.run_sync(self._watch.look)
        self.standing.came_back()
        if self._first:
            self._first = False
            if self.configuration.begin == "end" and self.configuration.mode == "follow":
                await self._begin_at_the_end(found)
        for one in found:
            if one.ready:
                await self._take(one, sink)
        await self._take_rotated(found, sink)
        self.standing.confirm(self.rows)

    async def _begin_at_the_end(self, found: list[Found]) -> None:
        for one in found:
            if one.matches and not self.configuration.is_parquet(one.path.name):
                mark = await to_thread.run_sync(self._end_of, one)
                if mark is not None:
                    await self._keep({mark.inode: mark}, samples=False)

    def _end_of(self, one: Found) -> Mark | None:
        reader = self._reader(one, None, last=False)
        if reader is None:
            return None
        try:
            while (block := reader.read(last=False)) is not None:
                del block
            return reader.mark
        finally:
            reader.close()

    # -- one file ------------------------------------------------------------------------------------------------------

    async def _take(self, one: Found, sink: Sink) -> None:
        """Reads what is new in a file. One that cannot be read is told, and tried again when it changes."""
        mark = self._marks.get(one.inode)
        state = (one.size, one.modified)
        if self._failed.get(one.inode) == state:
            return
        last = self.configuration.mode != "follow"
        if mark is not None and (mark.size, mark.modified) == state and (mark.finished or not last):
            if mark.path != str(one.path):
                self._marks[one.inode] = msgspec.structs.replace(mark, path=str(one.path))
            return
        try:
            reader = await to_thread.run_sync(lambda: self._current(one, last=last))
            if reader is not None:
                await self._read(reader, sink, last=last)
                if last:
                    await self._finish(one, reader)
        except AbsentError:
            return  # it went away between the look and now
        except (FileError, DirectoryError) as error:
            self._failed[one.inode] = state
            self._close(one.inode)
            self.standing.reports.begin(type(error), str(one.path), str(error), error.hint)
        else:
            if self._failed.pop(one.inode, None) is not None:
                self.standing.reports.end(FileError, str(one.path))

    async def _finish(self, one: Found, reader: Reader) -> None:
        self._close(one.inode)
        mark = msgspec.structs.replace(reader.mark, finished=True, size=one.size, modified=one.modified)
        await self._keep({one.inode: mark}, samples=False)
        self.standing.reports.count("files")

    def _current(self, one: Found, *, last: bool) -> Reader | None:
        """The reader of a file, open already or opened now, at the place where reading goes on."""
        reader, mark = self._open.get(one.inode), self._marks.get(one.inode)
        whole = self.configuration.is_parquet(one.path.name)
        if reader is not None:
            descriptor = self.confinement.open(one.path)
            same = continues(descriptor, reader.mark, whole=whole)
            if same:
                os.close(descriptor)
                self._gone.pop(one.inode, None)
                return reader
            self._close(one.inode)
            self._tell_truncated(one)
            reader = self._reader(one, None, last=last, descriptor=descriptor)
        else:
            descriptor = self.confinement.open(one.path)
            if mark is None:
                mark = self._written_anew(one, descriptor)
            elif not continues(descriptor, mark, whole=whole):
                self._tell_truncated(one)
                mark = None
            reader = self._reader(one, mark, last=last, descriptor=descriptor)
        if reader is not None:
            if len(self._open) >= _MOST_OPEN:
                self._close(next(iter(self._open)))
            self._open[one.inode] = reader
        return reader

    def _written_anew(self, one: Found, descriptor: int) -> Mark | None:
        """A writer may replace the whole file by a longer one: what begins as the old one did goes on where that stood."""
        if self.configuration.is_parquet(one.path.name):
            return None
        for mark in self._marks.values():
            if mark.path == str(one.path) and mark.offset and mark.head and continues(descriptor, mark, whole=False):
                return mark
        return None

    def _tell_truncated(self, one: Found) -> None:
        self.standing.reports.moment(
            TruncatedError, str(one.path), f"{one.path} was cut or written anew: it is read from its beginning"
        )

    def _reader(self, one: Found, mark: Mark | None, *, last: bool, descriptor: int | None = None) -> Reader | None:
        if descriptor is None:
            descriptor = self.confinement.open(one.path)
        reader = open_reader(descriptor, one.path, mark, self.configuration, self.rows, last=last)
        if reader is None:
            return None
        try:
            self._check_columns(reader)
        except BaseException:
            reader.close()
            raise
        return reader

    def _check_columns(self, reader: Reader) -> None:
        """Raises `FileError` where nothing of the file can be read."""
        configuration = self.configuration
        if not configuration.start and time_column(reader.names, configuration.time) is None:
            shown = ", ".join(reader.names[:20])
            raise FileError(
                f"no column holds the time; there are: {shown}",
                place=reader.mark.path,
                hint="set 'time', or 'start' and 'every'",
            )
        missing = set(self.rows.missing(reader.names))
        if configuration.layout == "long" and missing & {configuration.tag, configuration.value}:
            raise FileError(f"no column {sorted(missing)[0]!r}", place=reader.mark.path, hint="set 'tag' and 'value'")

    async def _read(self, reader: Reader, sink: Sink, *, last: bool) -> None:
        self._tell_columns(reader)
        paced = self.configuration.mode == "replay" and self.configuration.pace > 0
        while True:
            await self.standing.room()
            before = reader.mark
            block = await to_thread.run_sync(lambda: reader.read(last=last))
            if block is None:
                return
            if paced:
                await self._play(block, before, sink)
            else:
                mapped = await to_thread.run_sync(self.rows.map, block.table, block.times)
                self._tell_wrong(block, mapped, 0)
                await self._hand_over(mapped, block.mark, sink)

    async def _play(self, block: Block, before: Mark, sink: Sink) -> None:
        """The rows of a block, each when it is due."""
        table = block.table
        times, valid = self.rows.times(table) if block.times is None else (block.times, np.ones(table.num_rows, np.bool_))
        due = _filled(times, valid)
        done = 0
        while done < table.num_rows:
            count, wait = self._pace.due(due[done:], time.time_ns())
            if not count:
                await anyio.sleep(min(max(wait, _PLAYED_EVERY), 1.0))
                continue
            rows = slice(done, done + count)
            part, played, good = table.slice(done, count), self._pace.played(times[rows]), valid[rows]
            mapped = await to_thread.run_sync(self.rows.map, part, played, good)
            self._tell_wrong(block, mapped, done)
            block.bad = []
            done += count
            mark = msgspec.structs.replace(before, skip=before.skip + done) if done < table.num_rows else block.mark
            await self._hand_over(mapped, mark, sink)
            await anyio.sleep(_PLAYED_EVERY)
        if not table.num_rows:
            self._tell_wrong(block, Mapped(), 0)
            await self._hand_over(Mapped(), block.mark, sink)

    async def _hand_over(self, mapped: Mapped, mark: Mark, sink: Sink) -> None:
        number = await self._keep({mark.inode: mark}, samples=bool(mapped.columns))
        if mapped.columns:
            # Nothing is awaited in between: samples and number belong into one group of the journal.
            self.standing.hand_over(mapped.columns)
            await sink.commit(number)

    async def _keep(self, marks: dict[int, Mark | None], *, samples: bool) -> int:
        changes = {self._key(inode): None if mark is None else msgspec.msgpack.encode(mark) for inode, mark in marks.items()}
        try:
            number = await to_thread.run_sync(lambda: self._bookmarks.write(changes, samples=samples))
        except OSError as error:
            raise BookmarkError(str(error), place=str(self.place)) from error
        for inode, mark in marks.items():
            if mark is None:
                self._marks.pop(inode, None)
            else:
                self._marks[inode] = mark
        return number

    def _close(self, inode: int) -> None:
        reader = self._open.pop(inode, None)
        self._gone.pop(inode, None)
        if reader is not None:
            reader.close()

    # -- files that were renamed or removed ----------------------------------------------------------------------------

    async def _take_rotated(self, found: list[Found], sink: Sink) -> None:
        """A file that was renamed is read to its end, and then forgotten; so is one that was removed."""
        ours = {one.inode for one in found if one.matches}
        others = {one.inode: one for one in found if not one.matches}
        for inode in [inode for inode in self._marks | self._open if inode not in ours]:
            try:
                await self._drain(inode, others.get(inode), sink)
            except (FileError, DirectoryError, AbsentError) as error:
                self.standing.reports.moment(TailError, self._marks[inode].path if inode in self._marks else "", str(error))
                self._close(inode)
                await self._keep({inode: None}, samples=False)

    async def _drain(self, inode: int, now: Found | None, sink: Sink) -> None:
        follow = self.configuration.mode == "follow"
        mark, reader = self._marks.get(inode), self._open.get(inode)
        if follow and reader is None and mark is not None and not mark.finished:
            if now is not None:
                reader = await to_thread.run_sync(lambda: self._current(now, last=False))
            elif mark.size > mark.offset:
                text = f"{mark.path} went away with {mark.size - mark.offset} bytes unread"
                self.standing.reports.moment(TailError, mark.path, text)
        if reader is not None and follow:
            if inode not in self._gone:
                self._gone[inode] = time.monotonic()
                self.standing.reports.count("rotations")
            before = reader.mark.offset
            # Its writer may still hold it open for a while.
            final = time.monotonic() - self._gone[inode] >= self.configuration.settle
            await self._read(reader, sink, last=final)
            if reader.mark.offset != before and not final:
                self._gone[inode] = time.monotonic()
            if not final:
                return
        self._close(inode)
        self._failed.pop(inode, None)
        await self._keep({inode: None}, samples=False)

    # -- what a person should know -------------------------------------------------------------------------------------

    def _tell_columns(self, reader: Reader) -> None:
        if self.configuration.layout == "wide":
            names = set(reader.names)
            for target in self.rows.targets:
                address = self._addresses[target.series]
                if target.name in names:
                    self.standing.known(ColumnError, target, address)
                else:
                    text = f"{address}: {reader.mark.path} has no column {target.name!r}"
                    self.standing.unknown(ColumnError, target, address, text)

    def _tell_wrong(self, block: Block, mapped: Mapped, shift: int) -> None:
        path, reports = block.mark.path, self.standing.reports
        rows = [(block.place(shift + row), "no time") for row in mapped.bad_rows]
        bad = [*block.bad, *rows]
        for line, text in bad[:_MOST_TOLD]:
            reports.moment(RowError, path, f"{path}, line {line}: {text[:120]!r} is no row")
        values = mapped.misfits
        for name, row in values[:_MOST_TOLD]:
            text = f"{path}, line {block.place(shift + row)}: the value of {name!r} does not fit its point"
            reports.moment(TypeFitError, name, text)
        reports.count("bad_rows", max(0, len(bad) - _MOST_TOLD))
        reports.count("bad_values", max(0, len(values) - _MOST_TOLD))

    async def write(self, binding: Binding, value: Any) -> None:
        """Files are only read."""
        raise OptionError("files are read, not written", place=binding.address, hint="give the point to another connector")


def _filled(times: npt.NDArray[np.int64], valid: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Rows without a time are due with the one before them, the first ones with the first that has one."""
    if valid.all() or not valid.any():
        return times
    rows = np.where(valid, np.arange(len(times)), 0)
    rows[0] = int(np.argmax(valid))
    return times[np.maximum.accumulate(rows)]
