"""The tables, as SQL that the embedded engine and a server both understand.

One table of samples a storage class, ordered by (series, time, version); ``version`` counts inserts, and of several samples
of one series at one instant the highest version is the valid one. Beside it the newest sample of each series, and for
numeric classes two roll-ups that merge in the background. Partitions hold one time range each, however late the samples
come, so that retention drops whole parts. ``overlaps`` names the hours of a series in which instants repeat: there, and
only there, queries look twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from hulian.kernel.storage import StorageClass

__all__ = [
    "DEDUPLICATION_WINDOW",
    "SCHEMA_VERSION",
    "SPREAD_KIND",
    "VALUE_KINDS",
    "create",
    "durability_settings",
    "last",
    "raw",
    "sample_tables",
    "set_durability",
    "set_merges",
    "tables",
]

SCHEMA_VERSION: Final = 2

DEDUPLICATION_WINDOW: Final = 1000
"""How many blocks of each table a token is remembered for. A replay concerns the last one only."""

_MERGES: Final = "max_bytes_to_merge_at_max_space_in_pool = 4294967296, merge_selector_base = 16"
"""Parts of samples are merged about sixteen at a time: merging costs more than inserting, and a query that meets a dozen parts
more is still quick. At full rate it saves a quarter of the historian's time."""

VALUE_KINDS: Final[dict[StorageClass, str]] = {
    StorageClass.DOUBLE: "Float64",
    StorageClass.INTEGER: "Int64",
    StorageClass.BOOLEAN: "Bool",
    StorageClass.TEXT: "String",
    StorageClass.BYTES: "String",
    StorageClass.STRUCTURE: "String",
}

_VALUE_CODECS: Final[dict[StorageClass, str]] = {
    StorageClass.DOUBLE: "Gorilla, ZSTD(1)",
    StorageClass.INTEGER: "T64, ZSTD(1)",
    StorageClass.BOOLEAN: "ZSTD(1)",
    StorageClass.TEXT: "ZSTD(3)",
    StorageClass.BYTES: "ZSTD(3)",
    StorageClass.STRUCTURE: "ZSTD(3)",
}

SPREAD_KIND: Final = "AggregateFunction(varPopStable, Float64)"


def raw(storage: StorageClass) -> str:
    """The table of the samples of ``storage``."""
    return f"raw_{storage.value}"


def last(storage: StorageClass) -> str:
    """The table of the newest samples of ``storage``."""
    return f"last_{storage.value}"


def sample_tables() -> Sequence[str]:
    """The tables that hold samples and what is derived from them."""
    return (*(raw(storage) for storage in StorageClass), *(last(storage) for storage in StorageClass), "minute", "hour")


def tables() -> Sequence[str]:
    """Every table."""
    return (*sample_tables(), "events", "annotations", "corrections", "overlaps", "schema_versions")


def durability_settings(durability: str) -> str:
    """The table settings that decide what an acknowledged insert survives."""
    on = int(durability == "power")
    return f"fsync_after_insert = {on}, fsync_part_directory = {on}, min_rows_to_fsync_after_merge = {on}"


def set_durability(database: str, durability: str) -> Iterator[str]:
    """The statements that give existing tables other such settings."""
    for table in tables():
        yield f"ALTER TABLE {database}.{table} MODIFY SETTING {durability_settings(durability)}"


def set_merges(database: str) -> Iterator[str]:
    """The statements that have existing tables of samples merge as new ones do."""
    for storage in StorageClass:
        yield f"ALTER TABLE {database}.{raw(storage)} MODIFY SETTING {_MERGES}"


def create(database: str, durability: str) -> Iterator[str]:
    """The statements that make the present version of every table in ``database``."""
    window = f"non_replicated_deduplication_window = {DEDUPLICATION_WINDOW}, {durability_settings(durability)}"
    yield f"CREATE DATABASE IF NOT EXISTS {database}"
    for storage in StorageClass:
        sample = f"""
            series UInt64 CODEC(Delta, ZSTD(1)),
            time DateTime64(9, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
            value Nullable({VALUE_KINDS[storage]}) CODEC({_VALUE_CODECS[storage]}),
            status UInt32 CODEC(T64, ZSTD(1)),
            version UInt64 CODEC(Delta, ZSTD(1))"""
        yield f"""CREATE TABLE IF NOT EXISTS {database}.{raw(storage)} ({sample})
            ENGINE = MergeTree PARTITION BY toMonday(time) ORDER BY (series, time, version)
            SETTINGS {window}, {_MERGES}"""
        yield f"""CREATE TABLE IF NOT EXISTS {database}.{last(storage)} ({sample})
            ENGINE = ReplacingMergeTree(time) ORDER BY series SETTINGS {window}"""
    for name, partition, extra in (
        ("minute", "toYYYYMM(time)", ""),
        ("hour", "toYear(time)", f", spread {SPREAD_KIND} CODEC(ZSTD(1))"),
    ):
        yield f"""CREATE TABLE IF NOT EXISTS {database}.{name} (
            series UInt64 CODEC(Delta, ZSTD(1)),
            time DateTime64(0, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
            revision UInt64 CODEC(ZSTD(1)),
            samples SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
            good SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
            usable SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
            total SimpleAggregateFunction(sum, Float64) CODEC(Gorilla, ZSTD(1)),
            lead SimpleAggregateFunction(min, UInt128) CODEC(ZSTD(1)),
            tail SimpleAggregateFunction(max, UInt128) CODEC(ZSTD(1)),
            lowest SimpleAggregateFunction(min, UInt128) CODEC(ZSTD(1)),
            highest SimpleAggregateFunction(max, UInt128) CODEC(ZSTD(1)){extra})
            ENGINE = AggregatingMergeTree PARTITION BY {partition} ORDER BY (series, time, revision) SETTINGS {window}"""
    yield f"""CREATE TABLE IF NOT EXISTS {database}.events (
            time DateTime64(9, 'UTC'), code String, severity LowCardinality(String), component LowCardinality(String),
            subject String, message String, hint String, active Nullable(Bool), details String)
            ENGINE = MergeTree PARTITION BY toYYYYMM(time) ORDER BY time SETTINGS {window}"""
    yield f"""CREATE TABLE IF NOT EXISTS {database}.annotations (
            id String, series UInt64, start DateTime64(9, 'UTC'), end DateTime64(9, 'UTC'), author String, text String,
            created DateTime64(9, 'UTC'), revision UInt64)
            ENGINE = ReplacingMergeTree(revision) ORDER BY id SETTINGS {durability_settings(durability)}"""
    yield f"""CREATE TABLE IF NOT EXISTS {database}.corrections (
            version UInt64, storage LowCardinality(String), series UInt64, start DateTime64(9, 'UTC'), end DateTime64(9, 'UTC'),
            samples UInt64, author String, reason String, created DateTime64(9, 'UTC'))
            ENGINE = MergeTree ORDER BY (series, version) SETTINGS {window}"""
    yield f"""CREATE TABLE IF NOT EXISTS {database}.overlaps (
            series UInt64, hour Int64, storage LowCardinality(String), settled Bool, revision UInt64)
            ENGINE = ReplacingMergeTree(revision) ORDER BY (series, hour) SETTINGS {durability_settings(durability)}"""
    yield f"""CREATE TABLE IF NOT EXISTS {database}.schema_versions (
            version UInt32, applied DateTime64(3, 'UTC'), by String)
            ENGINE = MergeTree ORDER BY version SETTINGS {durability_settings(durability)}"""
