"""From columns of text, or of a Parquet file, to columns of samples: whole columns at a time, every bad row found."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from hulian.data.historian.transfer.tables import Problems, Resolve, Target
from hulian.kernel.sample import Columns, value_type
from hulian.kernel.storage import StorageClass

__all__ = ["to_samples"]

_INSTANT: Final = r"^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?([Zz]|[+-]\d\d:?\d\d)$"
_DIGITS: Final = r"^-?\d{1,19}$"
_HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2})*\Z")

Mask = npt.NDArray[np.bool_]


def to_samples(
    table: pa.Table, first_line: int, resolve: Resolve, known: dict[str, Target | None], problems: Problems
) -> list[Columns]:
    """The samples of ``table`` by storage class, its rows counted from ``first_line``; bad rows go to ``problems``.

    ``known`` remembers what `resolve` said.
    """
    count = table.num_rows
    bad = np.zeros(count, np.bool_)

    def refuse(rows: npt.NDArray[np.int64], column: str, say: Callable[[int], str]) -> None:
        for row in rows.tolist():
            if not bad[row]:
                bad[row] = True
                problems.add(first_line + row, column, say(row))

    points = _column(table, "point").cast(pa.string()).dictionary_encode()
    names: list[Any] = points.dictionary.to_pylist()
    for name in names:
        if name not in known:
            known[name] = resolve(name)
    codes = points.indices.fill_null(len(names)).to_numpy(zero_copy_only=False).astype(np.int64)
    targets = [*(known[name] for name in names), None]
    unknown = np.array([target is None for target in targets])[codes]
    refuse(np.flatnonzero(unknown), "point", lambda row: _unknown(points[row].as_py()))
    time = _times(_column(table, "time"), refuse)
    status = _statuses(table, count, refuse)
    value = _column(table, "value")
    series = np.array([0 if target is None else target.series for target in targets], np.uint64)[codes]
    classes = np.array(["" if target is None else target.storage.value for target in targets])[codes]
    answer = []
    for storage in StorageClass:
        rows = np.flatnonzero((classes == storage.value) & ~bad)
        if not len(rows):
            continue
        values = _values(value.take(pa.array(rows)), storage, rows, refuse)
        kept = ~bad[rows]
        rows, values = rows[kept], values.filter(pa.array(kept))
        if len(rows):
            answer.append(Columns(storage, series[rows], time[rows], values, status[rows]))
    return answer


def _column(table: pa.Table, name: str) -> pa.Array:
    column = table.column(name).combine_chunks()
    return column.chunk(0) if isinstance(column, pa.ChunkedArray) else column


def _unknown(name: Any) -> str:
    return f"there is no point '{str(name)[:100]}'" if name else "there is no point named"


def _times(column: pa.Array, refuse: Callable[..., None]) -> npt.NDArray[np.int64]:
    wanted = pa.timestamp("ns", "UTC")
    if pa.types.is_integer(column.type):
        refuse(np.flatnonzero(_nulls(column)), "time", lambda _: "there is no time")
        whole: npt.NDArray[np.int64] = column.cast(pa.int64()).fill_null(0).to_numpy()
        return whole
    if pa.types.is_timestamp(column.type):
        refuse(np.flatnonzero(_nulls(column)), "time", lambda _: "there is no time")
        times: npt.NDArray[np.int64] = _cast(column, wanted)[0].view(pa.int64()).fill_null(0).to_numpy()
        return times
    text = column.cast(pa.string())
    said = text.to_pylist
    digits = pc.match_substring_regex(text, _DIGITS).fill_null(False)
    instants = pc.match_substring_regex(text, _INSTANT).fill_null(False)
    nothing = pa.scalar(None, pa.string())
    numbers, wrong = _cast(pc.if_else(digits, text, nothing), pa.int64())
    parsed, late = _cast(pc.if_else(instants, text, nothing), wanted)
    neither = ~(digits.to_numpy(zero_copy_only=False) | instants.to_numpy(zero_copy_only=False))
    found = np.flatnonzero(neither | wrong | late)
    texts = said() if len(found) else []
    refuse(
        found,
        "time",
        lambda row: f"'{str(texts[row] or '')[:60]}' is no time: write RFC 3339 with a zone, or nanoseconds since 1970",
    )
    merged = pc.coalesce(numbers, parsed.view(pa.int64())).fill_null(0)
    answer: npt.NDArray[np.int64] = merged.to_numpy(zero_copy_only=False)
    return answer


def _statuses(table: pa.Table, count: int, refuse: Callable[..., None]) -> npt.NDArray[np.uint32]:
    if "status" not in table.column_names:
        return np.zeros(count, np.uint32)
    column = _column(table, "status")
    if pa.types.is_string(column.type):
        column = pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)
    numbers, wrong = _cast(column, pa.uint32())
    refuse(np.flatnonzero(wrong), "status", lambda row: f"'{column[row].as_py()}' is no status: a number of 32 bits")
    answer: npt.NDArray[np.uint32] = numbers.fill_null(0).to_numpy(zero_copy_only=False)
    return answer


def _values(column: pa.Array, storage: StorageClass, rows: npt.NDArray[np.int64], refuse: Callable[..., None]) -> pa.Array:
    wanted, said = value_type(storage), column
    text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    if text and storage not in (StorageClass.TEXT, StorageClass.STRUCTURE):
        column = pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column.cast(pa.string()))
    if text and storage is StorageClass.BYTES:
        column, wrong = _from_hex(column)
    else:
        column, wrong = _cast(column, wanted)
    if bool(wrong.any()):
        place = {int(row): position for position, row in enumerate(rows.tolist())}
        shown = {"double": "number", "integer": "whole number of 64 bits"}.get(storage.value, f"{storage.value} value")
        refuse(rows[wrong], "value", lambda row: f"'{str(said[place[row]].as_py())[:60]}' is no {shown}")
    return column


def _from_hex(column: pa.Array) -> tuple[pa.Array, Mask]:
    texts = column.to_pylist()
    wrong = np.array([one is not None and not _HEX.match(one) for one in texts], np.bool_)
    values = [None if one is None or bad else bytes.fromhex(one) for one, bad in zip(texts, wrong.tolist(), strict=True)]
    return pa.array(values, pa.binary()), wrong


def _cast(column: pa.Array, wanted: pa.DataType) -> tuple[pa.Array, Mask]:
    """``column`` as ``wanted`` and which of its rows cannot be; those are null."""
    try:
        return column.cast(wanted), np.zeros(len(column), np.bool_)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        pass
    if len(column) == 1:
        return pa.nulls(1, wanted), np.ones(1, np.bool_)
    half = len(column) // 2  # few rows are bad: halving finds them in few casts
    (left, left_wrong), (right, right_wrong) = _cast(column.slice(0, half), wanted), _cast(column.slice(half), wanted)
    return pa.concat_arrays([left, right]), np.concatenate((left_wrong, right_wrong))


def _nulls(column: pa.Array) -> Mask:
    found: Mask = column.is_null().to_numpy(zero_copy_only=False)
    return found
