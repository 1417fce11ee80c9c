"""Where an input stands, beside the journal: what each position of `Sink.commit` meant.

The journal keeps one number with every group of samples, and that number survives exactly when the samples do. Where a
directory of files, a table or a window of requests stands is more than a number. So each change is written here *before* the
samples that it belongs to are handed over, under the number that `Sink.commit` then gets:

    number = bookmarks.write({"plant.csv": encoded})    # 1. on disk
    sink.samples(columns)                               # 2. nothing is awaited between 2 and 3
    await sink.commit(number)                           # 3. samples and number in one group of the journal

At the next start the journal names the number of its last group; what was written here under a later one is taken back, and
the input is read again from there. Killed between 1 and 3: the samples come again, once. Killed behind 3: they do not.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

__all__ = ["Bookmarks"]

_VERSION: Final = 1
_KEPT: Final = 1_000
"""How many numbers back a bookmark can be restored: more than a journal that loses its unsynced tail goes back."""
_PRUNE_EVERY: Final = 256


class Bookmarks:
    """Named places of one input, each with its history over the last numbers. Blocking and thread-safe: call it from a
    worker thread. Without a ``directory`` it lives in memory. Raises `OSError` where the directory cannot be used.

    >>> marks = Bookmarks(None); marks.open(None)
    True
    >>> marks.write({"a": b"10"}), marks.write({"a": b"20", "b": b"1"})
    (1, 2)
    >>> marks.close()
    """

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._store: sqlite3.Connection | None = None
        self.number = 0

    def open(self, position: int | None) -> bool:
        """Takes back what was written behind ``position``, the journal's; False where ``position`` is not known here any
        more, and reading has to begin anew."""
        self.close()
        try:
            if self._directory is not None:
                self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            store = self._connect()
            version = store.execute("PRAGMA user_version").fetchone()[0]
            if version > _VERSION:
                raise OSError(f"the bookmarks were written by a newer version ({version})")
            with store:
                store.execute("CREATE TABLE IF NOT EXISTS bookmark (name TEXT, number INTEGER, value BLOB,"
                              " PRIMARY KEY (name, number)) WITHOUT ROWID")  # fmt: skip
                store.execute("CREATE TABLE IF NOT EXISTS latest (number INTEGER NOT NULL)")
                store.execute(f"PRAGMA user_version={_VERSION}")
                highest = store.execute("SELECT max(number) FROM latest").fetchone()[0]
                known = position is None or (highest is not None and highest >= position)
                if known:
                    store.execute("DELETE FROM bookmark WHERE number > ?", (position or 0,))
                else:
                    store.execute("DELETE FROM bookmark")
                # The journal's numbers never go back, or a group from before would be taken for one from now.
                self.number = max(position or 0, 0)
                store.execute("DELETE FROM latest")
                store.execute("INSERT INTO latest VALUES (?)", (self.number,))
        except sqlite3.Error as error:
            raise OSError(f"the bookmarks cannot be used: {error}") from error
        self._store = store
        return known

    def _connect(self) -> sqlite3.Connection:
        place = ":memory:" if self._directory is None else str(self._directory / "bookmarks.sqlite")
        store = sqlite3.connect(place, check_same_thread=False, timeout=5.0)
        store.execute("PRAGMA journal_mode=WAL")
        store.execute("PRAGMA synchronous=FULL")
        return store

    def _opened(self) -> sqlite3.Connection:
        if self._store is None:
            raise OSError("the bookmarks are closed")
        return self._store

    def items(self, prefix: str = "") -> dict[str, bytes]:
        """Every place whose name begins with ``prefix``."""
        return dict(self._items(prefix))

    def _items(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        with self._lock:
            rows = self._opened().execute(
                "SELECT name, value, max(number) FROM bookmark WHERE substr(name, 1, ?) = ? GROUP BY name",
                (len(prefix), prefix),
            )
            found = rows.fetchall()
        for name, value, _ in found:
            if value is not None:
                yield name, value

    def write(self, changes: Mapping[str, bytes | None], *, samples: bool = True) -> int:
        """Keeps ``changes`` (None forgets a name) and returns the number to commit the samples with.

        Without ``samples`` there is nothing in the journal that a number could stand beside: the changes belong to the last
        number, and are not taken back.
        """
        with self._lock:
            store = self._opened()
            number = self.number + 1 if samples else self.number
            try:
                with store:
                    store.executemany(
                        "INSERT OR REPLACE INTO bookmark VALUES (?, ?, ?)",
                        [(name, number, value) for name, value in changes.items()],
                    )
                    store.execute("UPDATE latest SET number = ?", (number,))
                    if number % _PRUNE_EVERY == 0:
                        self._prune(store, number - _KEPT)
            except sqlite3.Error as error:
                raise OSError(f"the bookmarks cannot be written: {error}") from error
            self.number = number
            return number

    @staticmethod
    def _prune(store: sqlite3.Connection, before: int) -> None:
        store.execute(
            "DELETE FROM bookmark WHERE number < ? AND EXISTS (SELECT 1 FROM bookmark AS later"
            " WHERE later.name = bookmark.name AND later.number > bookmark.number AND later.number <= ?)",
            (before, before),
        )
        # Only now: a forgotten name must not come back because its end went before what it ended.
        store.execute("DELETE FROM bookmark WHERE number < ? AND value IS NULL", (before,))

    def close(self) -> None:
        """Nothing is lost by not calling it."""
        with self._lock:
            if self._store is not None:
                self._store.close()
                self._store = None
