"""One request being answered: the engine, what it may still take, and what is known of the series."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hulian.data.historian.contract import Cancellation
from hulian.data.historian.engine import Deadline, Engine
from hulian.data.historian.errors import RequestError
from hulian.data.historian.newest import NEVER, Newest
from hulian.data.historian.overlaps import Overlaps
from hulian.kernel.storage import StorageClass

__all__ = ["Asking"]


class Asking(NamedTuple):
    """What a query needs beside its request."""

    engine: Engine
    newest: Mapping[StorageClass, Newest]
    overlaps: Overlaps
    deadline: Deadline
    cancellation: Cancellation | None

    @property
    def database(self) -> str:
        """The database of our tables."""
        return self.engine.database

    def table(self, statement: str, wanted: pa.Schema) -> pa.Table:
        """A small result at once, as ``wanted``."""
        found = self.engine.table(statement, self.deadline.limits, self.deadline, self.cancellation)
        return _as(found, wanted) if found.num_columns else wanted.empty_table()

    def stream(self, statement: str, wanted: pa.Schema) -> Generator[pa.RecordBatch, None, None]:
        """A result in chunks, each as ``wanted``."""
        for batch in self.engine.stream(statement, self.deadline.limits, self.deadline, self.cancellation):
            yield _as(batch, wanted)

    def by_class(self, series: Sequence[int]) -> Iterator[tuple[StorageClass, npt.NDArray[np.uint64]]]:
        """The known ones among ``series``, in order, by storage class."""
        try:
            asked = np.unique(np.array(series, np.uint64))
        except (OverflowError, ValueError, TypeError) as error:
            raise RequestError("a series id is a number of 64 bits without a sign", place="series") from error
        for storage, newest in self.newest.items():
            present = asked[newest.of(asked) != NEVER]
            if len(present):
                yield storage, present


def _as(found: Any, wanted: pa.Schema) -> Any:
    """``found`` with the names and types of ``wanted``; most columns are there already and not copied."""
    columns = [
        column if column.type == field.type else column.cast(field.type)
        for column, field in zip(found.columns, wanted, strict=True)
    ]
    return type(found).from_arrays(columns, schema=wanted)
