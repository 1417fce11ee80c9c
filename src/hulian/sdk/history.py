"""History as an Arrow table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped, unused-ignore]
    import polars as pl
    import pyarrow as pa

__all__ = ["History"]


class History:
    """An Arrow table of samples, ready for pandas, polars, DuckDB and whatever else reads Arrow.

    Columns: ``point`` (its name, as a dictionary), ``series``, ``time`` (UTC, to the nanosecond), then ``value`` and
    ``status`` of raw samples, or one column a function of aggregates. Every method of `pyarrow.Table` works on it, and so
    does everything that takes an Arrow stream: ``polars.DataFrame(history)``, ``duckdb.sql("… from history")``.

    >>> import pyarrow as pa
    >>> history = History(pa.table({"point": ["99.1/a#x"] * 2, "value": [1.0, 2.0]}))
    >>> len(history), history.column("value").to_pylist()
    (2, [1.0, 2.0])
    """

    __slots__ = ("_table",)

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def to_arrow(self) -> pa.Table:
        """The Arrow table itself; nothing is copied."""
        return self._table

    def to_pandas(self) -> pd.DataFrame:
        """A pandas frame; needs ``pip install hulian[pandas]``."""
        frame: pd.DataFrame = self._table.to_pandas()
        return frame

    def to_polars(self) -> pl.DataFrame:
        """A polars frame; needs ``pip install hulian[polars]``."""
        import polars

        frame = polars.from_arrow(self._table)
        assert isinstance(frame, polars.DataFrame)  # noqa: S101 - a table never becomes a series
        return frame

    @property
    def resolution(self) -> str:
        """``raw``, ``minute`` or ``hour``: what the answer was made from."""
        return str((self._table.schema.metadata or {}).get(b"resolution", b"raw").decode())

    @property
    def truncated(self) -> bool:
        """Whether a limit cut the answer."""
        return (self._table.schema.metadata or {}).get(b"truncated", b"") in (b"true", b"True", b"1")

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def __getitem__(self, column: str) -> pa.ChunkedArray:
        return self._table.column(column)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._table, name)

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self._table.__arrow_c_stream__(requested_schema)

    def __repr__(self) -> str:
        points = len(self._table.column("point").unique()) if "point" in self._table.column_names else 0
        return f"<History of {points} points, {self._table.num_rows} rows: {', '.join(self._table.column_names)}>"
