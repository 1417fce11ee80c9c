"""Records of identifiers: durable in the registry, read from memory."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from hulian.network.identifiers.store import derived
from hulian.network.identifiers.store.changes import Change, ChangeLog, What, digest_of_values
from hulian.network.identifiers.store.errors import (
    BrokenLogError,
    RecordChangedError,
    RecordExistsError,
    RecordMissingError,
)
from hulian.network.identifiers.store.index import PackedIndex, open_index
from hulian.network.identifiers.store.indexing import bring_up_to_date
from hulian.network.identifiers.store.inserting import insert_records
from hulian.network.identifiers.store.jobs import Jobs
from hulian.network.identifiers.store.tables import homed, record
from hulian.network.identifiers.wire.names import ZERO_NA, key_of, zero_na
from hulian.network.identifiers.wire.values import Value, pack_values
from hulian.registry import Registry

__all__ = ["NODE", "RecordStore", "key_of", "responsible", "zero_na"]

_PART: Final = 10_000

NODE: Final = "node"
"""Who changes a record where it is the node itself: its configuration, or a program on its machine."""


def responsible(store: RecordStore, key: bytes) -> bool:
    """Whether a record of ``key`` would be in ``store``: its prefix is homed, or it stands for a prefix below one that is."""
    if store.homes(zero_na(key)):
        return True
    above = key.removeprefix(ZERO_NA) if key.startswith(ZERO_NA) else b""
    while above:
        above = above.rpartition(b".")[0]
        if above and store.homes(ZERO_NA + above):
            return True
    return False


class RecordStore:
    """The records of one node, and the prefixes that it answers for.

    Thread-safe. What a method has changed is durable when it returns, and found by the next reading. All packed records are
    held in memory; one process writes a registry's records.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._writing = threading.Lock()
        self.index: PackedIndex = open_index()
        """Keys to packed values, for who answers from them; changed here alone."""
        self.homed: PackedIndex = open_index()
        """Prefix handles that this node answers for, to nothing."""
        with registry.read() as connection:
            rows = connection.execute(sa.select(record.c.key, record.c.packed), execution_options={"yield_per": _PART})
            for part in rows.partitions(_PART):
                self.index.put_many([bytes(key) for key, _ in part], [bytes(packed) for _, packed in part])
            for (key,) in connection.execute(sa.select(homed.c.key)):
                self.homed.put(bytes(key), b"")
        bring_up_to_date(registry)
        self.log = ChangeLog(registry)
        self.jobs = Jobs(registry)

    @property
    def registry(self) -> Registry:
        """Where they are kept, for what stands beside records and is written with them."""
        return self._registry

    # -- reading -----------------------------------------------------------------------------------------------------

    def packed(self, key: bytes) -> bytes | None:
        """The counted values of the record, as they stand in an answer; None where there is no record."""
        return self.index.get(key)

    def homes(self, prefix: bytes) -> bool:
        """Whether this node answers for the prefix handle ``prefix`` (a key such as ``0.NA/88.111``)."""
        return prefix in self.homed

    def prefixes(self) -> list[bytes]:
        """The prefix handles that this node answers for, in order."""
        with self._writing:
            return sorted(key for key, _ in self.homed.items())

    def below(self, above: bytes, after: bytes = b"", most: int = 1_000) -> list[str]:
        """Up to ``most`` handles whose key begins with ``above`` and comes behind ``after``, in the order of their keys."""
        begin = max(above, after + b"\0" if after else b"")
        query = sa.select(record.c.key, record.c.handle).where(record.c.key >= begin).order_by(record.c.key).limit(most)
        with self._registry.read() as connection:
            return [row.handle for row in connection.execute(query) if bytes(row.key).startswith(above)]

    def __len__(self) -> int:
        return len(self.index)

    # -- changing ----------------------------------------------------------------------------------------------------

    def swap(
        self,
        handle: str,
        before: bytes | None,
        after: Iterable[Value] | None,
        *,
        by: str = NODE,
        beside: Callable[[Connection], None] | None = None,
    ) -> int:
        """Puts the values ``after`` in the place of the packed values ``before``; None stands for no record.

        The number of the change. Raises `RecordChangedError` where the record is no longer what ``before`` says: whoever
        decided by it must decide anew. ``beside`` writes into the same transaction; where it raises, nothing is changed.
        """
        packed = None if after is None else pack_values(after)
        with self._writing:
            return self._swap(handle, before, packed, by, beside)

    def create(self, handle: str, values: Iterable[Value], *, overwrite: bool = False, by: str = NODE) -> None:
        """A new record. Raises `RecordExistsError` unless ``overwrite``."""
        self.create_many([(handle, values)], overwrite=overwrite, by=by)

    def create_many(self, records: Iterable[tuple[str, Iterable[Value]]], *, overwrite: bool = False, by: str = NODE) -> int:
        """New records in one transaction: all of them, or with `RecordExistsError` none. How many there were."""
        now = time.time_ns()
        packed: dict[bytes, bytes] = {}
        handles: list[str] = []
        for handle, values in records:
            key = key_of(handle)
            if key in packed:
                raise RecordExistsError(f"{handle} comes twice")
            packed[key] = pack_values(values)
            handles.append(handle)
        keys = list(packed)
        with self._writing:
            places = self.index.known(keys)
            if places and not overwrite:
                raise RecordExistsError(f"{handles[places[0]]} exists already")
            there = [keys[place] for place in places]
            with self._transaction() as connection:
                for begin in range(0, len(there), 500):
                    connection.execute(sa.delete(record).where(record.c.key.in_(there[begin : begin + 500])))
                insert_records(connection, keys, handles, list(packed.values()), now)
                derived.change(connection, keys, [self.index.get(key) for key in keys], list(packed.values()))
                if there:
                    updated = set(there)
                    appended = self.log.append(
                        connection,
                        now,
                        by,
                        [
                            (What.UPDATE if key in updated else What.CREATE, handle, digest_of_values(packed[key]))
                            for key, handle in zip(keys, handles, strict=True)
                        ],
                    )
                else:
                    appended = self.log.append_created(connection, now, by, handles, list(packed.values()))
            self.log.keep(appended)
            self.index.put_many(keys, list(packed.values()))
        return len(handles)

    def create_packed(
        self,
        handles: Sequence[str],
        keys: Sequence[bytes],
        packed: Sequence[bytes],
        *,
        by: str = NODE,
        beside: Callable[[Connection, int], None] | None = None,
    ) -> list[int]:
        """New records in one transaction, by columns: ``keys`` are `key_of` the ``handles``, no two alike, ``packed`` their
        counted values. The positions of those that are not made because there is such a record already.

        ``beside`` writes into the same transaction; it is given how many records are made, and is called for none as well.
        """
        now = time.time_ns()
        with self._writing:
            if there := self.index.known(keys):
                taken = set(there)
                left = [place for place in range(len(keys)) if place not in taken]
                handles = [handles[place] for place in left]
                keys, packed = [keys[place] for place in left], [packed[place] for place in left]
            with self._transaction() as connection:
                insert_records(connection, keys, handles, packed, now)
                derived.change(connection, keys, None, packed)
                appended = self.log.append_created(connection, now, by, handles, packed)
                if beside is not None:
                    beside(connection, len(keys))
            self.log.keep(appended)
            self.index.put_many(keys, packed)
        return there

    def replace(self, handle: str, values: Iterable[Value], *, by: str = NODE) -> None:
        """All values of a record anew. Raises `RecordMissingError`."""
        packed = pack_values(values)
        with self._writing:
            self._swap(handle, self._known(handle), packed, by)

    def delete(self, handle: str, *, by: str = NODE) -> None:
        """Raises `RecordMissingError`."""
        with self._writing:
            self._swap(handle, self._known(handle), None, by)

    def copy(self, changes: Sequence[tuple[Change, bytes]]) -> int:
        """Changes of another node's log with the packed values after them, the next ones of this one, in one transaction.

        Empty values of a record that is not deleted are those of a later change, which has still to come. The number of the
        last change. Raises `BrokenLogError` where they do not follow on each other, or the values are not those of the log.
        """
        for one, values in changes:
            if values and digest_of_values(values) != one.content:
                raise BrokenLogError(f"the values of {one.handle} are not those of change {one.number}")
        with self._writing:
            with self._transaction() as connection:
                appended = self.log.copy(connection, [one for one, _ in changes])
                for one, values in changes:
                    self._copied(connection, one, values)
                self._derived(connection, changes)
            for one, values in changes:
                key = key_of(one.handle)
                if one.what is What.HOME:
                    self.homed.put(key, b"")
                elif one.what is What.UNHOME:
                    self.homed.delete(key)
                elif one.what is What.DELETE:
                    self.index.delete(key)
                elif values:
                    self.index.put(key, values)
            return self.log.keep(appended)

    def _derived(self, connection: Connection, changes: Sequence[tuple[Change, bytes]]) -> None:
        """What follows from the records after all of ``changes``; of several changes of one record, the last counts."""
        after: dict[bytes, bytes | None] = {}
        for one, values in changes:
            if one.what is What.DELETE:
                after[key_of(one.handle)] = None
            elif values and one.what not in (What.HOME, What.UNHOME):
                after[key_of(one.handle)] = values
        derived.change(connection, list(after), [self.index.get(key) for key in after], list(after.values()))

    @staticmethod
    def _copied(connection: Connection, one: Change, values: bytes) -> None:
        key = key_of(one.handle)
        if one.what in (What.HOME, What.UNHOME):
            connection.execute(sa.delete(homed).where(homed.c.key == key))
            if one.what is What.HOME:
                connection.execute(sa.insert(homed).values(key=key, prefix=key.decode().removeprefix("0.NA/"), since=one.at))
        elif one.what is What.DELETE or values:
            connection.execute(sa.delete(record).where(record.c.key == key))
            if values:
                connection.execute(sa.insert(record).values(key=key, handle=one.handle, packed=values, changed=one.at))

    def settle(
        self, records: Sequence[tuple[str, bytes | None]], *, by: str, beside: Callable[[Connection], None] | None = None
    ) -> int:
        """Brings records to these counted values (None: no record), in one transaction; the last of several for one handle
        counts. How many were changed: what is there already is left alone, and not logged. ``beside`` as in `create_packed`."""
        now = time.time_ns()
        wanted = {key_of(handle): (handle, packed) for handle, packed in records}
        with self._writing:
            changed = [
                (key, handle, self.index.get(key), packed)
                for key, (handle, packed) in wanted.items()
                if self.index.get(key) != packed
            ]
            gone = [key for key, _, before, _ in changed if before is not None]
            put = [(key, handle, packed) for key, handle, _, packed in changed if packed is not None]
            keys, handles, values = [one[0] for one in put], [one[1] for one in put], [one[2] for one in put]
            with self._transaction() as connection:
                for begin in range(0, len(gone), 500):
                    connection.execute(sa.delete(record).where(record.c.key.in_(gone[begin : begin + 500])))
                insert_records(connection, keys, handles, values, now)
                derived.change(
                    connection, [one[0] for one in changed], [one[2] for one in changed], [one[3] for one in changed]
                )
                if len(put) == len(changed) and not gone:
                    appended = self.log.append_created(connection, now, by, handles, values)
                else:
                    done = [
                        (
                            What.DELETE if packed is None else What.CREATE if before is None else What.UPDATE,
                            handle,
                            b"" if packed is None else digest_of_values(packed),
                        )
                        for _, handle, before, packed in changed
                    ]
                    appended = self.log.append(connection, now, by, done)
                if beside is not None:
                    beside(connection)
            self.log.keep(appended)
            for key in gone:
                self.index.delete(key)
            self.index.put_many(keys, values)
        return len(changed)

    def home(self, prefix: str, *, by: str = NODE) -> None:
        """From now on this node answers for ``prefix``, such as ``88.111`` or ``0.NA``. Homing twice changes nothing."""
        key = zero_na(prefix)
        now = time.time_ns()
        with self._writing:
            if key in self.homed:
                return
            with self._transaction() as connection:
                connection.execute(sa.insert(homed).values(key=key, prefix=prefix, since=now))
                appended = self.log.append(connection, now, by, [(What.HOME, key.decode(), b"")])
            self.log.keep(appended)
            self.homed.put(key, b"")

    def unhome(self, prefix: str, *, by: str = NODE) -> None:
        """From now on it does not. The records stay. What was not homed changes nothing."""
        key = zero_na(prefix)
        with self._writing:
            if key not in self.homed:
                return
            with self._transaction() as connection:
                connection.execute(sa.delete(homed).where(homed.c.key == key))
                appended = self.log.append(connection, time.time_ns(), by, [(What.UNHOME, key.decode(), b"")])
            self.log.keep(appended)
            self.homed.delete(key)

    def _swap(
        self,
        handle: str,
        before: bytes | None,
        after: bytes | None,
        by: str,
        beside: Callable[[Connection], None] | None = None,
    ) -> int:
        key, now = key_of(handle), time.time_ns()
        if self.index.get(key) != before:
            raise RecordChangedError(f"{handle} was changed meanwhile")
        if before is None and after is None:
            raise RecordMissingError(f"there is no record of {handle}")
        what = What.CREATE if before is None else What.DELETE if after is None else What.UPDATE
        with self._transaction() as connection:
            if before is None:
                connection.execute(sa.insert(record).values(key=key, handle=handle, packed=after, changed=now))
            elif after is None:
                connection.execute(sa.delete(record).where(record.c.key == key))
            else:
                connection.execute(sa.update(record).where(record.c.key == key).values(packed=after, changed=now))
            derived.change(connection, [key], [before], [after])
            content = b"" if after is None else digest_of_values(after)
            appended = self.log.append(connection, now, by, [(what, handle, content)])
            if beside is not None:
                beside(connection)
        number = self.log.keep(appended)
        if after is None:
            self.index.delete(key)
        else:
            self.index.put(key, after)
        return number

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Connection]:
        try:
            with self._registry.write() as connection:
                yield connection
        except IntegrityError as error:
            raise RecordExistsError("another process writes to this node's records") from error

    def _known(self, handle: str) -> bytes:
        packed = self.index.get(key_of(handle))
        if packed is None:
            raise RecordMissingError(f"there is no record of {handle}")
        return packed
