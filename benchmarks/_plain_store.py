"""What a ClickHouse user would write in place of the historian: the reference of its benchmarks.

One table, and materialized views for the newest samples and two roll-ups, under the same tokens and with the same
durability, in the same engine.
"""

from __future__ import annotations

from typing import Any

from chdb.session import Session

from hulian.data.historian.engine import clause, insert_settings
from hulian.data.historian.native import NativeBlock, fixed, nullable
from hulian.data.historian.schema import durability_settings

REFERENCE = (
    "CREATE DATABASE plain",
    """CREATE TABLE plain.raw (series UInt64 CODEC(Delta, ZSTD(1)), time DateTime64(9, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    value Nullable(Float64) CODEC(Gorilla, ZSTD(1)), status UInt32 CODEC(T64, ZSTD(1))) ENGINE = MergeTree
    PARTITION BY toMonday(time) ORDER BY (series, time) SETTINGS non_replicated_deduplication_window = 1000""",
    """CREATE TABLE plain.last (series UInt64, time SimpleAggregateFunction(max, DateTime64(9, 'UTC')),
    sample AggregateFunction(argMax, Tuple(Nullable(Float64), UInt32), DateTime64(9, 'UTC'))) ENGINE = AggregatingMergeTree
    ORDER BY series SETTINGS non_replicated_deduplication_window = 1000""",
    """CREATE MATERIALIZED VIEW plain.last_view TO plain.last AS SELECT p.series AS series, max(p.time) AS time,
    argMaxState((p.value, p.status), p.time) AS sample FROM plain.raw AS p GROUP BY p.series""",
    *(
        statement
        for name, step in (("minute", 60), ("hour", 3600))
        for statement in (
            f"""CREATE TABLE plain.{name} (series UInt64, time DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
            samples SimpleAggregateFunction(sum, UInt64), good SimpleAggregateFunction(sum, UInt64),
            usable SimpleAggregateFunction(sum, UInt64), total SimpleAggregateFunction(sum, Float64),
            low SimpleAggregateFunction(min, Float64), high SimpleAggregateFunction(max, Float64),
            lead AggregateFunction(argMin, Float64, DateTime64(9, 'UTC')),
            tail AggregateFunction(argMax, Float64, DateTime64(9, 'UTC')),
            lowest AggregateFunction(argMin, DateTime64(9, 'UTC'), Float64),
            highest AggregateFunction(argMax, DateTime64(9, 'UTC'), Float64))
            ENGINE = AggregatingMergeTree ORDER BY (series, time) SETTINGS non_replicated_deduplication_window = 1000""",
            f"""CREATE MATERIALIZED VIEW plain.{name}_view TO plain.{name} AS SELECT p.series AS series,
            toStartOfInterval(toDateTime(p.time, 'UTC'), INTERVAL {step} SECOND) AS time, count() AS samples,
            countIf(p.status < 1073741824) AS good, countIf(p.status < 2147483648) AS usable,
            sumIf(assumeNotNull(p.value), p.status < 2147483648) AS total,
            minIf(assumeNotNull(p.value), p.status < 2147483648) AS low,
            maxIf(assumeNotNull(p.value), p.status < 2147483648) AS high, argMinState(assumeNotNull(p.value), p.time) AS lead,
            argMaxState(assumeNotNull(p.value), p.time) AS tail, argMinState(p.time, assumeNotNull(p.value)) AS lowest,
            argMaxState(p.time, assumeNotNull(p.value)) AS highest FROM plain.raw AS p GROUP BY series, time""",
        )
    ),
)


class PlainStore:
    """chdb in ``directory``, with views; one a process."""

    def __init__(self, directory: str, durability: str = "process") -> None:
        self._session = Session(
            f"{directory}?max_server_memory_usage=1024000000&mark_cache_size=67108864&background_pool_size=2"
        )
        for statement in REFERENCE:
            self._session.query(statement)
        for table in ("raw", "last", "minute", "hour"):
            self._session.query(f"ALTER TABLE plain.{table} MODIFY SETTING {durability_settings(durability)}")

    def insert(self, number: int, series: Any, times: Any, value: Any, status: Any) -> None:
        """One block, as it comes."""
        block = NativeBlock(
            [
                fixed("series", "UInt64", series),
                fixed("time", "DateTime64(9, 'UTC')", times),
                nullable("value", "Float64", value, None),
                fixed("status", "UInt32", status),
            ],
            len(series),
        )
        settings = insert_settings(f"block-{number}") | {"deduplicate_blocks_in_dependent_materialized_views": "1"}
        with self._session.send_insert("INSERT INTO plain.raw" + clause(settings), "Native") as stream:
            stream.append(b"".join(block.parts()))
            stream.finish()

    def close(self) -> None:
        """Ends the engine."""
        self._session.close()
