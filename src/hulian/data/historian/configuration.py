"""What an operator may set about the historian."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from hulian.kernel.configuration import GIVEN_BY

__all__ = ["HistorianConfiguration", "Retention", "ServerConfiguration"]

Days = Annotated[float, Meta(ge=0)]


class Retention(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long things stay. Whole parts go at a time, so that a little more than asked stays; 0 keeps for ever."""

    raw_days: Annotated[Days, Meta(description="Days that raw samples stay; 0: for ever.")] = 0
    minute_days: Annotated[Days, Meta(description="Days that 1-minute roll-ups stay; 0: for ever.")] = 0
    hour_days: Annotated[Days, Meta(description="Days that 1-hour roll-ups stay; 0: for ever.")] = 0
    event_days: Annotated[Days, Meta(description="Days that events stay; 0: for ever.")] = 0
    maximum_bytes: Annotated[
        int, Meta(ge=0, description="Bytes on disk that samples may take; the oldest raw samples go first; 0: unbounded.")
    ] = 0


class ServerConfiguration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A ClickHouse server in place of the embedded store."""

    url: Annotated[str, Meta(description="http(s)://host:port of a ClickHouse server; empty: the embedded store.")] = ""
    database: Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$", description="The database that Hulian owns.")] = (
        "hulian"
    )
    user: Annotated[str, Meta(description="The user's name.")] = "default"
    password: Annotated[str, Meta(description="A reference to the password: env:NAME, file:PATH or secret:NAME.")] = ""


class HistorianConfiguration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The historian of a node."""

    durability: Annotated[
        Literal["process", "power"],
        Meta(
            description="What an acknowledged sample survives: kill -9 ('process') or also a power cut ('power').",
            extra={GIVEN_BY: "node.durability"},
        ),
    ] = "process"
    memory_mb: Annotated[int, Meta(ge=256, description="Megabytes the engine may use beyond about 300 of its own.")] = 1024
    threads: Annotated[int, Meta(ge=1, le=256, description="Queries that run side by side; more wait their turn.")] = 4
    merge_threads: Annotated[int, Meta(ge=1, le=64, description="Threads that merge parts in the background.")] = 2
    retention: Annotated[Retention, Meta(description="How long things stay.")] = Retention()
    server: Annotated[ServerConfiguration, Meta(description="A ClickHouse server in place of the embedded store.")] = (
        ServerConfiguration()
    )
