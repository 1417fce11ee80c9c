"""What an operator may set about ingest and the serving of queries."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from hulian.kernel.configuration import GIVEN_BY

__all__ = ["IngestConfiguration"]


class IngestConfiguration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From the spine to the historian, and the historian's answers."""

    durability: Annotated[
        Literal["process", "power"],
        Meta(
            description="what the ledger survives: 'process' a kill -9, 'power' also a power cut",
            extra={GIVEN_BY: "node.durability"},
        ),
    ] = "process"
    block_ms: Annotated[
        int,
        Meta(
            ge=1,
            le=60_000,
            description="milliseconds between two blocks that are not full, up to three times as many where storing one takes "
            "long; after a pause the first goes at once",
        ),
    ] = 1000
    block_mb: Annotated[int, Meta(ge=1, le=256, description="megabytes of messages that make a full block")] = 14
    block_messages: Annotated[int, Meta(ge=1, le=1_000_000, description="messages that make a full block")] = 50_000
    gap_seconds: Annotated[
        float, Meta(ge=0, description="seconds that samples may be late before they are reported as missing")
    ] = 10.0
    retention_minutes: Annotated[
        float, Meta(gt=0, description="minutes between two enforcements of the historian's retention")
    ] = 10.0
    queries_at_once: Annotated[int, Meta(ge=1, le=64, description="queries that run at the same time")] = 3
    queries_waiting: Annotated[int, Meta(ge=0, description="queries that may wait for their turn; more are refused")] = 32
    query_memory_mb: Annotated[int, Meta(ge=16, description="most memory of one query, whatever it asks for")] = 512
    query_seconds: Annotated[float, Meta(gt=0, description="most time of one query, whatever it asks for")] = 120.0
    query_threads: Annotated[int, Meta(ge=1, description="most threads of one query, whatever it asks for")] = 2
    query_rows: Annotated[int, Meta(ge=1, description="most rows of one answer, whatever it asks for")] = 50_000_000
    dead_letters: Annotated[int, Meta(ge=0, description="undecodable messages that are kept for inspection; the oldest go")] = (
        1000
    )
