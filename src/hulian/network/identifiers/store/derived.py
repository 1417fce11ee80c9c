"""What is taken out of records to be searched: attributes, words, references. It is written in the transaction of the record.

Only records that name a template, or refer to other things, have any; of all others not a byte is unpacked, and nothing is
written. What is taken out follows from the record alone, so that it can be made anew at any time (`indexing`).
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hulian.network.identifiers.store.kinds import RECORD, RELATIONS
from hulian.network.identifiers.store.moments import moment
from hulian.network.identifiers.store.tables import attribute, relation, word
from hulian.network.identifiers.wire.values import Value, unpack_values
from hulian.registry import bulk

__all__ = [
    "LONGEST_TEXT",
    "MOST_WORDS",
    "change",
    "folded",
    "number_of",
    "take_out",
    "wanted",
    "words",
]

VERSION: Final = 1
"""Of the rules of this module: another one makes everything anew at the next start."""

LONGEST_TEXT: Final = 512
"""Bytes of a folded text that is compared as a whole; longer ones are found by their words."""

MOST_WORDS: Final = 2_000
"""Different words of one record."""

_OURS: Final = b"HULIAN."
_LONGEST_WORD: Final = 64
_LONGEST_SEARCHED: Final = 65_536
_LONGEST_NAME: Final = 256
_PART: Final = 5_000
_RECORD, _CONTAINS, _MADE_OF, _BATCH, _PRODUCED = [
    len(kind).to_bytes(4, "big") + kind.encode() for kind in (RECORD, *RELATIONS)
]
"""A packed value has the length of its type before it: text that only mentions a type is hardly ever taken for it."""

_WORD: Final = re.compile(r"[^\W_]+")
_CHINESE: Final = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+")
_NUMBER: Final = re.compile(r"-?\d{1,40}(\.\d{1,40})?([eE][+-]?\d{1,3})?")
_RELATIONS: Final = frozenset(RELATIONS)


def folded(text: str) -> str:
    """How texts are compared: without regard to case, width and composition.

    >>> folded("Ｐump Ｂ")
    'pump b'
    """
    return unicodedata.normalize("NFKC", text).casefold()


def words(text: str) -> list[str]:
    """The words of ``text``, each once, in order; of Chinese and Japanese every two characters beside each other, and the last
    one, so that each character begins a word.

    >>> words("Feed pump, feed-water"), words("离心泵X200")
    (['feed', 'pump', 'water'], ['离心', '心泵', '泵', 'x200'])
    """
    found: dict[str, None] = {}
    for run, chinese in _runs(text):
        if chinese:
            found.update(dict.fromkeys(run[place : place + 2] for place in range(len(run))))
        else:
            found[run[:_LONGEST_WORD]] = None
        if len(found) > MOST_WORDS:
            break
    return list(found)[:MOST_WORDS]


def wanted(text: str) -> list[tuple[str, bool]]:
    """The words to look for, and whether each is only the beginning of one: what ends with ``*``, and a single Chinese one.

    >>> wanted("feed pum*"), wanted("离心泵"), wanted("泵")
    ([('feed', False), ('pum', True)], [('离心', False), ('心泵', False)], [('泵', True)])
    """
    found: dict[tuple[str, bool], None] = {}
    for piece in text.split():
        open_ = piece.endswith("*")
        runs = list(_runs(piece))
        for number, (run, chinese) in enumerate(runs, 1):
            last = open_ and number == len(runs)
            if chinese and len(run) > 1:
                found.update(dict.fromkeys((run[place : place + 2], False) for place in range(len(run) - 1)))
            else:
                found[run[:_LONGEST_WORD], last or chinese] = None
    return list(found)


def _runs(text: str) -> Iterator[tuple[str, bool]]:
    """Runs of letters and digits, and whether they are Chinese or Japanese."""
    for piece in _WORD.findall(folded(text[:_LONGEST_SEARCHED])):
        at = 0
        for run in _CHINESE.finditer(piece):
            if run.start() > at:
                yield piece[at : run.start()], False
            yield run[0], True
            at = run.end()
        if at < len(piece):
            yield piece[at:], False


def number_of(text: str) -> float | None:
    """The finite number that ``text`` writes; None where it writes none."""
    if not _NUMBER.fullmatch(text):
        return None
    found = float(text)
    return found if math.isfinite(found) else None


def holds(packed: bytes | None) -> bool:
    """Whether anything may be taken out of the counted values."""
    if packed is None or _OURS not in packed:
        return False
    # Written out: bulk jobs come here for every record.
    return _RECORD in packed or _CONTAINS in packed or _MADE_OF in packed or _BATCH in packed or _PRODUCED in packed


def change(
    connection: Connection, keys: Sequence[bytes], before: Sequence[bytes | None] | None, after: Sequence[bytes | None]
) -> None:
    """In the transaction that makes the packed values ``after`` of those ``before``; None where there were none at all."""
    if before is not None:
        gone = [key for key, packed in zip(keys, before, strict=True) if holds(packed)]
        for table in (attribute, word, relation) if gone else ():
            for begin in range(0, len(gone), 500):
                connection.execute(sa.delete(table).where(table.c.key.in_(gone[begin : begin + 500])))
    new = zip(keys, after, strict=True)
    take_out(connection, ((key, packed) for key, packed in new if packed is not None))


def take_out(connection: Connection, records: Iterable[tuple[bytes, bytes]]) -> None:
    """Puts into the tables what is taken out of the keys and packed values, of which they hold nothing yet."""
    _insert(connection, ((key, packed) for key, packed in records if _OURS in packed and holds(packed)))


def _insert(connection: Connection, records: Iterator[tuple[bytes, bytes]]) -> None:
    rows: dict[sa.Table, list[dict[str, Any]]] = {attribute: [], word: [], relation: []}
    for key, packed in records:
        _taken(key, unpack_values(packed), rows)
        for table, found in rows.items():
            if len(found) >= _PART:
                bulk.insert(connection, table, found)
                rows[table] = []
    for table, found in rows.items():
        bulk.insert(connection, table, found)


def _taken(key: bytes, values: Sequence[Value], rows: dict[sa.Table, list[dict[str, Any]]]) -> None:
    described = any(value.type == RECORD for value in values)
    known: dict[str, None] = {}
    for value in values:
        public = int(value.public_read)
        name = value.type.upper().encode()
        if value.index <= 0 or not 0 < len(name) <= _LONGEST_NAME:
            continue
        if value.type == RECORD and (target := value.data.partition(b":")[2]):
            rows[relation].append({"key": key, "at": value.index, "kind": name, "target": target.upper(), "public": public})
        elif value.type in _RELATIONS and len(value.data) <= 2_048:
            # Keys are compared without case, as `key_of` has them.
            rows[relation].append({"key": key, "at": value.index, "kind": name, "target": value.data.upper(), "public": public})
        elif described and not name.startswith((b"HS_", b"HULIAN.")) and value.admin_read | value.public_read:
            _described(key, value, name, public, known, rows)


def _described(
    key: bytes, value: Value, name: bytes, public: int, known: dict[str, None], rows: dict[sa.Table, list[dict[str, Any]]]
) -> None:
    if len(value.data) > _LONGEST_SEARCHED:
        return
    try:
        text = value.data.decode()
    except UnicodeDecodeError:
        return
    whole = folded(text).encode()
    short = len(whole) <= LONGEST_TEXT
    rows[attribute].append(
        {
            "key": key,
            "at": value.index,
            "name": name,
            "text": whole if short else None,
            "number": number_of(text) if short else None,
            "moment": moment(text) if short else None,
            "public": public,
        }
    )
    for one in words(text):
        if len(known) >= MOST_WORDS:
            break
        known[one] = None
        rows[word].append({"word": one.encode(), "key": key, "at": value.index, "public": public})
