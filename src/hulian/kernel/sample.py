"""What flows: a batch of samples, as Arrow columns of one value type.

Values never travel one by one inside the house: a decoder goes from bytes to these columns in one step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hulian.kernel.errors import BatchError
from hulian.kernel.storage import StorageClass

__all__ = ["SCHEMAS", "SCHEMA_VERSION", "BatchHeader", "Columns", "SampleBatch", "value_type"]

SCHEMA_VERSION: Final = 1

_VALUE_TYPES: Final[dict[StorageClass, pa.DataType]] = {
    StorageClass.DOUBLE: pa.float64(),
    StorageClass.INTEGER: pa.int64(),
    StorageClass.BOOLEAN: pa.bool_(),
    StorageClass.TEXT: pa.string(),
    StorageClass.BYTES: pa.binary(),
    StorageClass.STRUCTURE: pa.string(),
}


def value_type(storage: StorageClass) -> pa.DataType:
    """The Arrow type of the value column of ``storage``."""
    return _VALUE_TYPES[storage]


SCHEMAS: Final[dict[StorageClass, pa.Schema]] = {
    storage: pa.schema(
        [
            pa.field("series", pa.uint64(), nullable=False),
            pa.field("time", pa.timestamp("ns", "UTC"), nullable=False),
            pa.field("value", kind, nullable=True),
            pa.field("status", pa.uint32(), nullable=False),
        ]
    )
    for storage, kind in _VALUE_TYPES.items()
}
"""The Arrow schema of each storage class."""


class Columns:
    """Samples of one storage class, not yet numbered: what a connector hands to the edge.

    ``series`` uint64[n], ``time`` int64[n] (UTC, ns since 1970), ``value`` an Arrow array of n with nulls where there is no
    value, ``status`` uint32[n]. Immutable by agreement: who hands it over no longer writes to its buffers.
    """

    __slots__ = ("series", "status", "storage", "time", "value")

    def __init__(
        self,
        storage: StorageClass,
        series: npt.NDArray[np.uint64],
        time: npt.NDArray[np.int64],
        value: pa.Array,
        status: npt.NDArray[np.uint32],
    ) -> None:
        count = len(series)
        if not (len(time) == len(value) == len(status) == count):
            raise BatchError(
                f"columns differ in length: {count} series, {len(time)} times, {len(value)} values, {len(status)} statuses"
            )
        if value.type != _VALUE_TYPES[storage]:
            raise BatchError(f"a {storage} batch holds {_VALUE_TYPES[storage]}, not {value.type}")
        if series.dtype != np.uint64 or time.dtype != np.int64 or status.dtype != np.uint32:
            raise BatchError(f"columns have types {series.dtype}, {time.dtype}, {status.dtype}; uint64, int64, uint32 wanted")
        self.storage = storage
        self.series = series
        self.time = time
        self.value = value
        self.status = status

    @classmethod
    def doubles(
        cls,
        series: npt.ArrayLike,
        time: npt.ArrayLike,
        value: npt.ArrayLike,
        status: npt.ArrayLike | None = None,
        *,
        missing: npt.NDArray[np.bool_] | None = None,
    ) -> Columns:
        """The fast path: numpy columns of doubles; ``missing`` marks the samples that have no value."""
        ids = np.ascontiguousarray(series, dtype=np.uint64)
        numbers = np.ascontiguousarray(value, dtype=np.float64)
        # Without a mask the buffer is taken as it is: pyarrow's own way asks a dozen questions first.
        kind, count = _VALUE_TYPES[StorageClass.DOUBLE], len(numbers)
        whole = pa.Array.from_buffers(kind, count, [None, pa.py_buffer(numbers)]) if missing is None else None
        return cls(
            StorageClass.DOUBLE,
            ids,
            np.ascontiguousarray(time, dtype=np.int64),
            pa.array(numbers, mask=missing) if whole is None else whole,
            np.zeros(len(ids), np.uint32) if status is None else np.ascontiguousarray(status, dtype=np.uint32),
        )

    @classmethod
    def of(
        cls,
        storage: StorageClass,
        series: npt.ArrayLike,
        time: npt.ArrayLike,
        value: Any,
        status: npt.ArrayLike | None = None,
    ) -> Columns:
        """Columns of any storage class from Python lists or arrays; ``None`` is a sample without a value."""
        try:
            ids = np.ascontiguousarray(series, dtype=np.uint64)
            return cls(
                storage,
                ids,
                np.ascontiguousarray(time, dtype=np.int64),
                value if isinstance(value, pa.Array) else pa.array(value, type=_VALUE_TYPES[storage]),
                np.zeros(len(ids), np.uint32) if status is None else np.ascontiguousarray(status, dtype=np.uint32),
            )
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            raise BatchError(f"these are no columns of {storage}: {error}") from error

    @classmethod
    def concatenate(cls, parts: Sequence[Columns]) -> Columns:
        """One or more columns of one storage class, one behind the other; a single one is not copied."""
        if len(parts) == 1:
            return parts[0]
        return cls(
            parts[0].storage,
            np.concatenate([part.series for part in parts]),
            np.concatenate([part.time for part in parts]),
            pa.concat_arrays([part.value for part in parts]),
            np.concatenate([part.status for part in parts]),
        )

    def take(self, rows: npt.NDArray[Any]) -> Columns:
        """The samples at ``rows``, positions or a mask, in that order."""
        value = self.value
        if rows.dtype == np.bool_:
            value = value.filter(pa.array(rows))
        elif self.storage is StorageClass.DOUBLE and not value.null_count:
            value = pa.array(value.to_numpy()[rows])  # four times quicker than Arrow's take
        else:
            value = value.take(pa.array(rows))
        return Columns(self.storage, self.series[rows], self.time[rows], value, self.status[rows])

    def __len__(self) -> int:
        return len(self.series)

    def record_batch(self) -> pa.RecordBatch:
        """The same columns as an Arrow record batch of `SCHEMAS`; nothing is copied."""
        return pa.RecordBatch.from_arrays(
            [
                pa.array(self.series),
                pa.array(self.time).view(pa.timestamp("ns", "UTC")),
                self.value,
                pa.array(self.status),
            ],
            schema=SCHEMAS[self.storage],
        )

    @classmethod
    def from_record_batch(cls, storage: StorageClass, batch: pa.RecordBatch) -> Columns:
        """The inverse of `record_batch`; raises `BatchError` where the schema is another."""
        if not batch.schema.equals(SCHEMAS[storage]):
            raise BatchError(f"the record batch is not of the {storage} schema: {batch.schema}")
        return cls(
            storage,
            batch.column(0).to_numpy(zero_copy_only=False),
            batch.column(1).view(pa.int64()).to_numpy(zero_copy_only=False),
            batch.column(2),
            batch.column(3).to_numpy(zero_copy_only=False),
        )


class BatchHeader(msgspec.Struct, frozen=True, array_like=True):
    """What stands beside the columns of a batch on the spine.

    ``source`` is the connector's permanent name; ``epoch`` numbers the lives of its journal (it grows only when the journal
    was lost); ``sequence`` counts batches within the epoch from 1 without a hole; ``offset`` is how many samples the source
    had sent in the epoch before this batch, so that a hole can be counted in samples; ``received`` is when the edge took
    the samples (UTC, ns).
    """

    organisation: str
    source: str
    epoch: int
    sequence: int
    offset: int
    received: int
    version: int = SCHEMA_VERSION


class SampleBatch(msgspec.Struct, frozen=True):
    """Numbered columns of one value type from one source: what the spine carries and the ledger counts."""

    header: BatchHeader
    columns: Columns

    def __len__(self) -> int:
        return len(self.columns)
