"""Records of identifiers: durable in the registry, read from memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from hulian.network.identifiers.store.errors import RecordExistsError, RecordMissingError
from hulian.network.identifiers.store.tables import homed, record
from hulian.network.identifiers.wire.values import Value, pack_values
from hulian.registry import Registry

__all__ = ["RecordStore", "key_of", "zero_na"]

_ZERO_NA: Final = b"0.NA/"
_PART: Final = 10_000


def key_of(handle: str | bytes) -> bytes:
    """A handle as it is compared: ASCII letters in upper case, every other byte as it is (DO-IRP 3.0, section 4).

    >>> key_of("88.111.1/Item7")
    b'88.111.1/ITEM7'
    """
    return (handle.encode() if isinstance(handle, str) else handle).upper()


def zero_na(handle: str | bytes) -> bytes:
    """The key of the handle that stands for the prefix of ``handle``; a prefix alone stands for itself.

    >>> zero_na("88.111.1/item7"), zero_na("88.111.1"), zero_na("0.NA/88")
    (b'0.NA/88.111.1', b'0.NA/88.111.1', b'0.NA/0.NA')
    """
    return _ZERO_NA + key_of(handle).partition(b"/")[0]


class RecordStore:
    """The records of one node, and the prefixes that it answers for.

    Thread-safe. What a method has changed is durable when it returns, and found by the next reading. All packed records are
    held in memory; one process writes a registry's records.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._writing = threading.Lock()
        with registry.read() as connection:
            rows = connection.execute(sa.select(record.c.key, record.c.packed))
            self._packed: dict[bytes, bytes] = {bytes(key): bytes(packed) for key, packed in rows}
            self._homed = {bytes(key) for (key,) in connection.execute(sa.select(homed.c.key))}

    # -- reading -----------------------------------------------------------------------------------------------------

    def packed(self, key: bytes) -> bytes | None:
        """The counted values of the record, as they stand in an answer; None where there is no record."""
        return self._packed.get(key)

    def homes(self, prefix: bytes) -> bool:
        """Whether this node answers for the prefix handle ``prefix`` (a key such as ``0.NA/88.111``)."""
        return prefix in self._homed

    def __len__(self) -> int:
        return len(self._packed)

    # -- changing ----------------------------------------------------------------------------------------------------

    def create(self, handle: str, values: Iterable[Value], *, overwrite: bool = False) -> None:
        """A new record. Raises `RecordExistsError` unless ``overwrite``."""
        self.create_many([(handle, values)], overwrite=overwrite)

    def create_many(self, records: Iterable[tuple[str, Iterable[Value]]], *, overwrite: bool = False) -> int:
        """New records in one transaction: all of them, or with `RecordExistsError` none. How many there were."""
        now = time.time_ns()
        packed: dict[bytes, bytes] = {}
        listed: list[dict[str, Any]] = []
        for handle, values in records:
            key = key_of(handle)
            if key in packed:
                raise RecordExistsError(f"{handle} comes twice")
            packed[key] = pack_values(values)
            listed.append({"key": key, "handle": handle, "packed": packed[key], "changed": now})
        with self._writing:
            if not overwrite and (taken := next((row for row in listed if row["key"] in self._packed), None)):
                raise RecordExistsError(f"{taken['handle']} exists already")
            try:
                with self._registry.write() as connection:
                    for at in range(0, len(listed), _PART):
                        part = listed[at : at + _PART]
                        if overwrite:
                            keys = [row["key"] for row in part if row["key"] in self._packed]
                            for begin in range(0, len(keys), 500):
                                connection.execute(sa.delete(record).where(record.c.key.in_(keys[begin : begin + 500])))
                        connection.execute(sa.insert(record), part)
            except IntegrityError as error:
                raise RecordExistsError("another process writes to this node's records") from error
            self._packed.update(packed)
        return len(listed)

    def replace(self, handle: str, values: Iterable[Value]) -> None:
        """All values of a record anew. Raises `RecordMissingError`."""
        key, packed = key_of(handle), pack_values(values)
        with self._writing:
            self._known(key, handle)
            with self._registry.write() as connection:
                change = sa.update(record).where(record.c.key == key)
                connection.execute(change.values(packed=packed, changed=time.time_ns()))
            self._packed[key] = packed

    def delete(self, handle: str) -> None:
        """Raises `RecordMissingError`."""
        key = key_of(handle)
        with self._writing:
            self._known(key, handle)
            with self._registry.write() as connection:
                connection.execute(sa.delete(record).where(record.c.key == key))
            del self._packed[key]

    def home(self, prefix: str) -> None:
        """From now on this node answers for ``prefix``, such as ``88.111`` or ``0.NA``. Homing twice changes nothing."""
        key = zero_na(prefix)
        with self._writing:
            if key in self._homed:
                return
            with self._registry.write() as connection:
                connection.execute(sa.insert(homed).values(key=key, prefix=prefix, since=time.time_ns()))
            self._homed.add(key)

    def unhome(self, prefix: str) -> None:
        """From now on it does not. The records stay."""
        key = zero_na(prefix)
        with self._writing:
            with self._registry.write() as connection:
                connection.execute(sa.delete(homed).where(homed.c.key == key))
            self._homed.discard(key)

    def _known(self, key: bytes, handle: str) -> None:
        if key not in self._packed:
            raise RecordMissingError(f"there is no record of {handle}")
