"""Many new records in few statements: whole columns go to the database, and it makes the rows of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, chain
from typing import Final

from sqlalchemy.engine import Connection

from hulian.network.identifiers.store.errors import StoreError

__all__ = ["insert_records"]

_MOST_BYTES: Final = 16 << 20
"""Of one statement: it stands in memory as a whole."""

_KEY, _PACKED = 12, 20
"""Bits of the sizes of a key (2,048 bytes at the most) and of packed values (262,144 at the most); the rest is the place."""

_SQLITE: Final = """
INSERT INTO identifier_record (key, handle, packed, changed)
SELECT substr(:bytes, place, size), CAST(substr(:bytes, place + size, size) AS TEXT),
       substr(:bytes, place + 2 * size, packed), :now
FROM (SELECT (value >> 32) AS place, (value >> 20) & 4095 AS size, value & 1048575 AS packed FROM json_each(:rows))
"""

_POSTGRESQL: Final = """
INSERT INTO identifier_record (key, handle, packed, changed)
SELECT key, handle, packed, %(now)s
FROM unnest(%(keys)b::bytea[], %(handles)b::text[], %(packed)b::bytea[]) AS row (key, handle, packed)
"""


def insert_records(
    connection: Connection, keys: Sequence[bytes], handles: Sequence[str], packed: Sequence[bytes], now: int
) -> None:
    """Records that are not there yet, ``changed`` now. A key is as long as its handle, in bytes. Raises `StoreError`.

    With SQLite this takes half the time of a statement a row, and of that most without the interpreter's lock.
    """
    names = [handle.encode() for handle in handles]
    for begin, end in _parts(names, packed):
        if connection.dialect.name == "sqlite":
            sizes = list(map(len, names[begin:end]))
            values = list(map(len, packed[begin:end]))
            if max(sizes, default=0) >= 1 << _KEY or max(values, default=0) >= 1 << _PACKED:
                raise StoreError("a record that is larger than a message")
            places = accumulate((2 * size + value for size, value in zip(sizes, values, strict=True)), initial=1)
            rows = [
                place << (_KEY + _PACKED) | size << _PACKED | value
                for place, size, value in zip(places, sizes, values, strict=False)
            ]
            whole = b"".join(chain.from_iterable(zip(keys[begin:end], names[begin:end], packed[begin:end], strict=True)))
            connection.exec_driver_sql(_SQLITE, {"bytes": whole, "rows": repr(rows), "now": now})
        else:
            columns = {"keys": list(keys[begin:end]), "handles": list(handles[begin:end]), "packed": list(packed[begin:end])}
            connection.exec_driver_sql(_POSTGRESQL, columns | {"now": now})


def _parts(names: Sequence[bytes], packed: Sequence[bytes]) -> Iterator[tuple[int, int]]:
    """Where statements begin and end."""
    if 2 * sum(map(len, names)) + sum(map(len, packed)) <= _MOST_BYTES:
        if names:
            yield 0, len(names)
        return
    begin, size = 0, 0
    for place, (name, values) in enumerate(zip(names, packed, strict=True)):
        size += 2 * len(name) + len(values)
        if size > _MOST_BYTES and place > begin:
            yield begin, place
            begin, size = place, 2 * len(name) + len(values)
    if begin < len(names):
        yield begin, len(names)
