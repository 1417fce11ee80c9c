"""The values of one storage class of a plan, kept between polls: what a lost device said last. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hulian.kernel.quality import Quality
from hulian.kernel.sample import Columns, value_type
from hulian.kernel.storage import StorageClass

__all__ = ["Output"]

_DTYPES: Final[dict[StorageClass, Any]] = {
    StorageClass.DOUBLE: np.float64,
    StorageClass.INTEGER: np.int64,
    StorageClass.BOOLEAN: np.bool_,
}
_BAD: Final = 0x8000_0000
_AS_THEY_ARE: Final = (StorageClass.DOUBLE, StorageClass.INTEGER)
"""Storage classes whose Arrow form is the buffer of the numpy array."""


class Output:
    """One row for each of ``members`` (positions in the plan's items), in their order."""

    def __init__(self, storage: StorageClass, members: list[int], series: Sequence[int]) -> None:
        self.storage = storage
        self.members = np.array(members, dtype=np.intp)
        self.series = np.array(series, dtype=np.uint64)
        self.row = {member: row for row, member in enumerate(members)}
        self.blocks = np.zeros(len(members), np.intp)
        """For each row the block that reads it; the plan sets it."""
        self.status = np.full(len(members), Quality.BAD_WAITING_FOR_INITIAL_DATA, np.uint32)
        self.known = np.zeros(len(members), np.bool_)
        self.values: Any = (
            np.zeros(len(members), _DTYPES[storage]) if storage in _DTYPES else np.full(len(members), None, dtype=object)
        )
        self._given_values: Any = self.values.copy()
        self._given_at = np.zeros(len(members), np.int64)
        self._good = np.zeros(len(members), np.uint32)
        self._good.flags.writeable = False
        self._all_good = False
        self._handed_over = False

    def own_values(self) -> Any:
        """`values`, to be written to: what was handed over shares nothing with them."""
        if self._handed_over:
            self.values, self._handed_over = self.values.copy(), False
        return self.values

    def replaced(
        self,
        groups: Sequence[tuple[slice, npt.NDArray[Any], npt.NDArray[np.uint32] | None]],
        times: npt.NDArray[np.int64],
    ) -> Columns:
        """All rows anew: each group is its rows, their values and their statuses (None: all good)."""
        if self.storage is StorageClass.STRUCTURE:
            groups = [(rows, np.array([str(int(value)) for value in found], object), status) for rows, found, status in groups]
        if len(groups) == 1:
            _, values, status = groups[0]
        else:
            values = np.empty(len(self.members), self.values.dtype)
            status = None
            for rows, found, _ in groups:
                values[rows] = found
            if any(one is not None for *_, one in groups):
                status = np.zeros(len(self.members), np.uint32)
                for rows, _, one in groups:
                    if one is not None:
                        status[rows] = one
        if status is not None and status.any():
            good = (status & _BAD) == 0
            self.known |= good
            self.values, self._handed_over = np.where(good, values, self.values), False
            self.status, self._all_good = status, False
            return self._columns(self.series, times, values, status, ~good)
        if not self._all_good:
            self.known[:] = True
            self.status, self._all_good = self._good, True
        self.values, self._handed_over = values, True
        return self._columns(self.series, times, values, self._good, None)

    def given(
        self, rows: npt.NDArray[np.intp], times: npt.NDArray[np.int64], status: npt.NDArray[np.uint32], repeat_after: int | None
    ) -> Columns | None:
        """``rows`` as they are in `values` now; with ``repeat_after`` only those that changed or were given that long ago."""
        if repeat_after is not None:
            keep = self._changed(rows, times, status, repeat_after)
            rows, times, status = rows[keep], times[keep], status[keep]
        self._own_status()[rows] = status
        if not len(rows):
            return None
        self._given_values[rows] = self.values[rows]
        self._given_at[rows] = times
        return self._of(rows, times, status)

    def _changed(
        self, rows: npt.NDArray[np.intp], times: npt.NDArray[np.int64], status: npt.NDArray[np.uint32], repeat_after: int
    ) -> npt.NDArray[np.bool_]:
        new, old = self.values[rows], self._given_values[rows]
        differs: npt.NDArray[np.bool_] = np.not_equal(new, old).astype(np.bool_)
        if self.storage is StorageClass.DOUBLE:
            differs &= ~(np.isnan(new) & np.isnan(old))
        differs |= (status != self.status[rows]) | (times - self._given_at[rows] >= repeat_after)
        return differs

    def marked(self, status: int, time: int) -> Columns | None:
        """See `Plan.marked`."""
        own = (self.status & _BAD) != 0
        own &= self.status != Quality.BAD_WAITING_FOR_INITIAL_DATA
        own &= self.status != Quality.BAD_NO_COMMUNICATION
        rows = np.flatnonzero(~own)
        if not len(rows):
            return None
        statuses = np.full(len(rows), status, np.uint32)
        if not status & _BAD:
            statuses[~self.known[rows]] = Quality.BAD_NO_COMMUNICATION
        self._own_status()[rows] = statuses
        return self._of(rows, np.full(len(rows), time, np.int64), statuses)

    @property
    def bad(self) -> int:
        """Rows whose last sample was bad."""
        return 0 if self._all_good else int(((self.status & _BAD) != 0).sum())

    def _own_status(self) -> npt.NDArray[np.uint32]:
        """`status`, to be written to: what was handed over shares nothing with it."""
        self.status, self._all_good = self.status.copy(), False
        return self.status

    def _of(self, rows: npt.NDArray[np.intp], times: npt.NDArray[np.int64], status: npt.NDArray[np.uint32]) -> Columns:
        missing = ~self.known[rows] | ((status & _BAD) != 0)
        return self._columns(self.series[rows], times, self.values[rows], status, missing if missing.any() else None)

    def _columns(
        self,
        series: npt.NDArray[np.uint64],
        times: npt.NDArray[np.int64],
        values: npt.NDArray[Any],
        status: npt.NDArray[np.uint32],
        missing: npt.NDArray[np.bool_] | None,
    ) -> Columns:
        kind = value_type(self.storage)
        if missing is None and self.storage in _AS_THEY_ARE:
            column = pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(values)])
        else:
            column = pa.array(values, type=kind, mask=missing)
        return Columns(self.storage, series, times, column, status)
