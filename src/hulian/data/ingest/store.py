"""What ingest keeps on disk: where each stream stands, the intent of the block under way, the ledger, dead letters, and
events not yet published. One SQLite file, one writer.

A block is two transactions around one insert: `intend` before it, `commit` after it. Whatever happens between, the next
start finds the intent, takes exactly the same messages and inserts them under the same token.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple

import msgspec

from hulian.data.ingest.errors import LedgerError, LedgerVersionError
from hulian.data.ingest.ledger import Hole, Life
from hulian.kernel.event import Event

__all__ = ["DeadLetter", "IngestStore", "Intent", "Position"]

_VERSION: Final = 2
_HEAD: Final = 4096

_SCHEMA = """
CREATE TABLE position (stream TEXT PRIMARY KEY, generation INTEGER NOT NULL, created TEXT NOT NULL, position INTEGER NOT NULL,
  intent_first INTEGER, intent_last INTEGER, intent_token TEXT) STRICT;
CREATE TABLE life (source TEXT NOT NULL, epoch INTEGER NOT NULL, next_sequence INTEGER NOT NULL, next_offset INTEGER NOT NULL,
  stored INTEGER NOT NULL, duplicated INTEGER NOT NULL, since INTEGER NOT NULL, last_time INTEGER NOT NULL,
  miscounts INTEGER NOT NULL, forgotten INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (source, epoch)) STRICT, WITHOUT ROWID;
CREATE TABLE hole (source TEXT NOT NULL, epoch INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
  "offset" INTEGER NOT NULL, "end" INTEGER NOT NULL, opened INTEGER NOT NULL, announced INTEGER NOT NULL,
  dropped INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (source, epoch, first)) STRICT, WITHOUT ROWID;
CREATE TABLE dead (id INTEGER PRIMARY KEY AUTOINCREMENT, stream TEXT NOT NULL, sequence INTEGER NOT NULL, subject TEXT NOT NULL,
  reason TEXT NOT NULL, size INTEGER NOT NULL, head BLOB NOT NULL, time INTEGER NOT NULL) STRICT;
CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE outbox (id INTEGER PRIMARY KEY AUTOINCREMENT, event BLOB NOT NULL) STRICT;
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
"""
_STEPS: Final = {
    1: """
ALTER TABLE life ADD COLUMN forgotten INTEGER NOT NULL DEFAULT 0;
ALTER TABLE hole ADD COLUMN dropped INTEGER NOT NULL DEFAULT 0;
""",
}
"""What makes a file of each older version one of the next."""

_HoleRow = tuple[int, int, int, int, int, bool, bool]
_Kept = dict[tuple[str, int], dict[int, _HoleRow]]
"""The holes on disk, by source and epoch and by their first batch."""


class Intent(NamedTuple):
    """The block that was being inserted: its first and last stream sequence and the historian's token."""

    first: int
    last: int
    token: str


class Position(NamedTuple):
    """Where a stream stands: everything up to ``position`` of the life ``generation`` is stored."""

    generation: int
    created: str
    position: int
    intent: Intent | None


class DeadLetter(msgspec.Struct, frozen=True):
    """A message that could not be read: where it stood, why, how long it was, and its beginning."""

    stream: str
    sequence: int
    subject: str
    reason: str
    size: int
    head: bytes
    time: int


class IngestStore:
    """``ingest.db``. Calls block and may come from any thread; one at a time is in the database.

    With ``durability`` ``process`` a returned call survives ``kill -9``, with ``power`` also a power cut.
    """

    def __init__(self, path: Path, durability: Literal["process", "power"] = "process", *, dead_letters: int = 1000) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._dead_letters = dead_letters
        self._kept: _Kept = {}
        self.told_of = 0
        """Events that were put into the outbox since the start: whoever publishes them need not ask the disk for news."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
            path.chmod(0o600)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute(f"PRAGMA synchronous={'FULL' if durability == 'power' else 'NORMAL'}")
            (version,) = self._connection.execute("PRAGMA user_version").fetchone()
            if version > _VERSION:
                raise LedgerVersionError(f"the ledger has version {version}, this program knows {_VERSION}", place=str(path))
            steps = [_SCHEMA] if version == 0 else [_STEPS[number] for number in range(version, _VERSION)]
            if steps:
                self._connection.executescript(f"BEGIN;{''.join(steps)}PRAGMA user_version={_VERSION};COMMIT;")
        except (sqlite3.Error, OSError) as error:
            raise LedgerError(f"the ledger cannot be opened: {error}", place=str(path)) from error

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self._connection
                    self._connection.execute("COMMIT")
                except BaseException:
                    with contextlib.suppress(sqlite3.Error):
                        self._connection.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                raise LedgerError(f"the ledger cannot be used: {error}", place=str(self._path)) from error

    def position(self, stream: str) -> Position | None:
        """Where ``stream`` stands, None where it was never read."""
        with self._transaction() as connection:
            row = connection.execute(
                "SELECT generation, created, position, intent_first, intent_last, intent_token FROM position WHERE stream=?",
                (stream,),
            ).fetchone()
        if row is None:
            return None
        return Position(row[0], row[1], row[2], Intent(*row[3:]) if row[5] is not None else None)

    def begin(self, stream: str, generation: int, created: str, position: int) -> None:
        """The stream is read from behind ``position`` in a new life; an intent of the old one is void."""
        with self._transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO position VALUES (?,?,?,?,NULL,NULL,NULL)", (stream, generation, created, position)
            )

    def intend(self, stream: str, intent: Intent) -> None:
        """The block is about to be inserted."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE position SET intent_first=?, intent_last=?, intent_token=? WHERE stream=?", (*intent, stream)
            )

    def commit(
        self,
        stream: str,
        position: int,
        lives: Iterable[Life] = (),
        dead: Sequence[DeadLetter] = (),
        events: Sequence[Event] = (),
        counters: Sequence[tuple[str, int]] = (),
    ) -> None:
        """The block is stored: position, accounts and what is worth telling, in one step."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE position SET position=?, intent_first=NULL, intent_last=NULL, intent_token=NULL WHERE stream=?",
                (position, stream),
            )
            kept = self._keep(connection, lives)
            if dead:
                connection.executemany(
                    "INSERT INTO dead (stream, sequence, subject, reason, size, head, time) VALUES (?,?,?,?,?,?,?)",
                    [(*msgspec.structs.astuple(letter)[:5], letter.head[:_HEAD], letter.time) for letter in dead],
                )
                connection.execute("DELETE FROM dead WHERE id <= (SELECT max(id) FROM dead) - ?", (self._dead_letters,))
            for name, value in counters:
                connection.execute(
                    "INSERT INTO counter VALUES (?,?) ON CONFLICT (name) DO UPDATE SET value=value+excluded.value",
                    (name, value),
                )
            self._tell(connection, events)
        self._kept |= kept
        self.told_of += len(events)

    def _keep(self, connection: sqlite3.Connection, lives: Iterable[Life]) -> _Kept:
        """Writes the accounts, of their holes what differs from the disk; gives the holes, to be taken over once it is safe."""
        kept: _Kept = {}
        for life in lives:
            connection.execute(
                "INSERT OR REPLACE INTO life VALUES (?,?,?,?,?,?,?,?,?,?)",
                (
                    life.source,
                    life.epoch,
                    life.next_sequence,
                    life.next_offset,
                    life.stored,
                    life.duplicated,
                    life.since,
                    life.last_time,
                    life.miscounts,
                    life.forgotten,
                ),
            )
            key = life.source, life.epoch
            before = self._kept.get(key)
            if before is None:
                connection.execute("DELETE FROM hole WHERE source=? AND epoch=?", key)
                before = {}
            now: dict[int, _HoleRow] = {hole.first: msgspec.structs.astuple(hole) for hole in life.holes}
            gone = [(*key, first) for first in before.keys() - now.keys()]
            changed = [(*key, *row) for first, row in now.items() if before.get(first) != row]
            connection.executemany("DELETE FROM hole WHERE source=? AND epoch=? AND first=?", gone)
            connection.executemany("INSERT OR REPLACE INTO hole VALUES (?,?,?,?,?,?,?,?,?)", changed)
            kept[key] = now
        return kept

    @staticmethod
    def _tell(connection: sqlite3.Connection, events: Sequence[Event]) -> None:
        connection.executemany("INSERT INTO outbox (event) VALUES (?)", [(msgspec.json.encode(event),) for event in events])

    def keep(self, lives: Iterable[Life], events: Sequence[Event]) -> None:
        """Accounts and events outside a block, e.g. a hole that was announced."""
        with self._transaction() as connection:
            kept = self._keep(connection, lives)
            self._tell(connection, events)
        self._kept |= kept
        self.told_of += len(events)

    def lives(self) -> list[Life]:
        """Every account."""
        with self._transaction() as connection:
            found = {
                (row[0], row[1]): _life(row)
                for row in connection.execute("SELECT * FROM life ORDER BY source, epoch").fetchall()
            }
            for source, epoch, first, last, offset, end, opened, announced, dropped in connection.execute(
                "SELECT * FROM hole ORDER BY source, epoch, first"
            ).fetchall():
                found[source, epoch].holes.append(Hole(first, last, offset, end, opened, bool(announced), bool(dropped)))
        return list(found.values())

    def counters(self) -> dict[str, int]:
        """Counts that outlive the process, by name."""
        with self._transaction() as connection:
            return dict(connection.execute("SELECT name, value FROM counter").fetchall())

    def dead_letters(self, limit: int = 100) -> list[DeadLetter]:
        """The newest messages that could not be read."""
        with self._transaction() as connection:
            rows = connection.execute(
                "SELECT stream, sequence, subject, reason, size, head, time FROM dead ORDER BY id DESC LIMIT ?", (limit,)
            ).fetchall()
        return [DeadLetter(*row) for row in rows]

    def outbox(self, limit: int = 100) -> list[tuple[int, bytes]]:
        """Events that are not published yet, oldest first."""
        with self._transaction() as connection:
            return connection.execute("SELECT id, event FROM outbox ORDER BY id LIMIT ?", (limit,)).fetchall()

    def told(self, number: int) -> None:
        """Events up to ``number`` are on the spine."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM outbox WHERE id <= ?", (number,))

    def identity(self) -> str:
        """A name of this file's life, for message ids; made once."""
        with self._transaction() as connection:
            connection.execute("INSERT OR IGNORE INTO meta VALUES ('identity', ?)", (f"{time.time_ns():x}",))
            value: str = connection.execute("SELECT value FROM meta WHERE name='identity'").fetchone()[0]
            return value

    def backup(self, path: Path) -> None:
        """A consistent copy at ``path``."""
        with self._lock:
            try:
                with contextlib.closing(sqlite3.connect(path)) as target:
                    self._connection.backup(target)
                path.chmod(0o600)
            except (sqlite3.Error, OSError) as error:
                raise LedgerError(f"the ledger cannot be copied: {error}", place=str(path)) from error

    def close(self) -> None:
        """Ends the use of the file."""
        with self._lock:
            self._connection.close()


def _life(row: tuple[str, int, int, int, int, int, int, int, int, int]) -> Life:
    source, epoch, next_sequence, next_offset, stored, duplicated, since, last_time, miscounts, forgotten = row
    return Life(source, epoch, next_sequence, next_offset, stored, duplicated, since, last_time, miscounts, [], forgotten)
