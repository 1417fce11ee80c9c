"""Arrow columns of any type to the value column of a storage class. Values that do not fit are told, not guessed."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from hulian.kernel.sample import value_type
from hulian.kernel.storage import StorageClass
from hulian.kernel.unreadable import UNREADABLE

__all__ = ["guess_storage", "one_value", "to_storage"]

Mask = npt.NDArray[np.bool_]

_LEAST: Final = -(2**63)
_MOST: Final = 2**63 - 1
_TRUE: Final = ("true", "t", "on", "yes", "y", "1")
_FALSE: Final = ("false", "f", "off", "no", "n", "0")


def to_storage(column: pa.Array, storage: StorageClass) -> tuple[pa.Array, Mask | None]:
    """The values as `value_type` of ``storage``, and which of them had one that does not fit (None: all did).

    A value that is missing stays missing and fits.

    >>> values, wrong = to_storage(pa.array(["1.5", "x", None]), StorageClass.DOUBLE)
    >>> values.to_pylist(), wrong.tolist()
    ([1.5, None, None], [False, True, False])
    """
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    wanted = value_type(storage)
    if column.type == wanted and storage is not StorageClass.STRUCTURE:
        return column, None
    if pa.types.is_null(column.type):
        return pa.nulls(len(column), wanted), None
    if pa.types.is_large_string(column.type) or pa.types.is_string_view(column.type):
        column = column.cast(pa.string())
    try:
        found = _QUICK[storage](column)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        found = None
    if found is not None:
        return found, None
    return _slowly(column, storage, wanted)


def _slowly(column: pa.Array, storage: StorageClass, wanted: pa.DataType) -> tuple[pa.Array, Mask | None]:
    """Each value by itself: at least one does not fit, or Arrow has no way of its own."""
    take = _ONE[storage]
    values = column.to_pylist()
    wrong = np.zeros(len(values), np.bool_)
    for row, value in enumerate(values):
        if value is not None:
            try:
                values[row] = take(value)
            except (ValueError, TypeError, OverflowError, ArithmeticError, RecursionError):
                values[row], wrong[row] = None, True
    return pa.array(values, wanted), wrong if wrong.any() else None


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _double(column: pa.Array) -> pa.Array | None:
    kind = column.type
    if _is_number(kind) or pa.types.is_string(kind) or pa.types.is_decimal(kind):
        return column.cast(pa.float64(), safe=False)
    if pa.types.is_boolean(kind):
        return column.cast(pa.int8()).cast(pa.float64())
    return None


def _integer(column: pa.Array) -> pa.Array | None:
    kind = column.type
    if _is_number(kind) or pa.types.is_string(kind) or pa.types.is_boolean(kind) or pa.types.is_decimal(kind):
        return column.cast(pa.int64())
    return None


def _boolean(column: pa.Array) -> pa.Array | None:
    if pa.types.is_string(column.type):
        words = pc.utf8_lower(pc.utf8_trim_whitespace(column))
        true, false = pc.is_in(words, pa.array(_TRUE)), pc.is_in(words, pa.array(_FALSE))
        if pc.all(pc.or_(pc.or_(true, false), pc.is_null(column)), min_count=0).as_py():
            return pc.if_else(pc.is_null(column), pa.scalar(None, pa.bool_()), true)
    elif (
        _is_number(column.type)
        and pc.all(pc.or_(pc.equal(column, 0), pc.equal(column, 1)).fill_null(True), min_count=0).as_py()
    ):
        return pc.equal(column, 1)
    return None


def _text(column: pa.Array) -> pa.Array | None:
    kind = column.type
    if _is_number(kind) or pa.types.is_boolean(kind) or pa.types.is_decimal(kind) or pa.types.is_temporal(kind):
        return column.cast(pa.string())
    return None


def _bytes(column: pa.Array) -> pa.Array | None:
    if pa.types.is_large_binary(column.type) or pa.types.is_fixed_size_binary(column.type):
        return column.cast(pa.binary())
    return None


def _structure(column: pa.Array) -> pa.Array | None:
    return column.cast(pa.string()) if pa.types.is_integer(column.type) else None


_QUICK: Final[dict[StorageClass, Callable[[pa.Array], pa.Array | None]]] = {
    StorageClass.DOUBLE: _double,
    StorageClass.INTEGER: _integer,
    StorageClass.BOOLEAN: _boolean,
    StorageClass.TEXT: _text,
    StorageClass.BYTES: _bytes,
    StorageClass.STRUCTURE: _structure,
}


def _one_double(value: Any) -> float:
    if isinstance(value, bytes):
        raise TypeError(value)
    return float(value)


def _one_integer(value: Any) -> int:
    try:
        found = int(value)
    except ValueError:
        number = float(value)  # 3.674e+03 is an integer too
        found = int(number)
        if found != number or abs(found) > 2**53:
            raise
    if not isinstance(value, str) and found != value:
        raise ValueError(value)
    if not _LEAST <= found <= _MOST:
        raise OverflowError(value)
    return found


def _one_boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word in _TRUE or value == 1:
        return True
    if word in _FALSE or value == 0:
        return False
    raise ValueError(value)


def _one_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return value.decode() if isinstance(value, bytes) else msgspec.json.encode(value).decode()


def _one_bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True)
        except binascii.Error as error:
            raise ValueError(value) from error
    raise TypeError(value)


def _one_structure(value: Any) -> str:
    """A text has to be JSON already."""
    if isinstance(value, str):
        msgspec.json.decode(value)
        return value
    return msgspec.json.encode(value).decode()


_ONE: Final[dict[StorageClass, Callable[[Any], Any]]] = {
    StorageClass.DOUBLE: _one_double,
    StorageClass.INTEGER: _one_integer,
    StorageClass.BOOLEAN: _one_boolean,
    StorageClass.TEXT: _one_text,
    StorageClass.BYTES: _one_bytes,
    StorageClass.STRUCTURE: _one_structure,
}


def one_value(value: Any, storage: StorageClass) -> Any:
    """One value as ``storage`` keeps it; raises `ValueError`, `TypeError` or `OverflowError` where it does not fit.

    >>> one_value("7", StorageClass.INTEGER), one_value([1, 2], StorageClass.STRUCTURE)
    (7, '[1,2]')
    """
    return _ONE[storage](value)


def guess_storage(kind: pa.DataType, sample: pa.Array | None = None) -> StorageClass | None:
    """The storage class that loses nothing of a column; None for a type that is no value. Texts are looked at.

    >>> guess_storage(pa.float32()), guess_storage(pa.string(), pa.array(["[1, 2]"]))
    (<StorageClass.DOUBLE: 'double'>, <StorageClass.STRUCTURE: 'structure'>)
    """
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if kind == pa.uint64() or pa.types.is_nested(kind):
        return StorageClass.STRUCTURE
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return StorageClass.DOUBLE
    if pa.types.is_integer(kind):
        return StorageClass.INTEGER
    if pa.types.is_boolean(kind):
        return StorageClass.BOOLEAN
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return StorageClass.BYTES
    if pa.types.is_null(kind):
        return None
    return StorageClass.STRUCTURE if sample is not None and _all_json(sample) else StorageClass.TEXT


def _all_json(sample: pa.Array) -> bool:
    texts = [text for text in sample.to_pylist() if text is not None]
    if not texts or not all(isinstance(text, str) and text[:1] in ("[", "{") for text in texts):
        return False
    try:
        for text in texts:
            msgspec.json.decode(text)
    except UNREADABLE:
        return False
    return True
