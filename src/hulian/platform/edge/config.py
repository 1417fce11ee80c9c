"""Settings of the edge."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

__all__ = ["BufferPolicy", "EdgeConfiguration"]


class BufferPolicy(StrEnum):
    """What goes when a connector's journal is full."""

    DROP_OLDEST = "drop-oldest"
    DROP_NEWEST = "drop-newest"


class EdgeConfiguration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How connectors are run and how much the edge keeps while the spine is away."""

    buffer_mb: Annotated[int, Meta(ge=4, le=1_000_000, description="journal on disk for each connector, in MiB")] = 1024
    buffer_policy: Annotated[BufferPolicy, Meta(description="what a full journal drops: drop-oldest or drop-newest")] = (
        BufferPolicy.DROP_OLDEST
    )
    flush_ms: Annotated[
        int, Meta(ge=1, le=10_000, description="longest wait of a sample before it is journalled and sent, in ms")
    ] = 20
    batch_rows: Annotated[int, Meta(ge=1, le=100_000, description="samples a message at the most")] = 4000
    window: Annotated[int, Meta(ge=1, le=10_000, description="messages under way to the spine for each connector")] = 256
    catch_up_rate: Annotated[
        int,
        Meta(
            ge=1000,
            description="samples a second that all connectors together send of what waited while the spine was away, beside "
            "what is new",
        ),
    ] = 300_000
    future_tolerance_s: Annotated[
        float, Meta(gt=0, description="a device's time further ahead than this is replaced by the time of receipt, in s")
    ] = 300.0
    status_ms: Annotated[int, Meta(ge=100, le=60_000, description="interval of the status messages, in ms")] = 1000
    trial_s: Annotated[
        float, Meta(gt=0, le=3600, description="an edge node takes an order back that did not come up within so long, in s")
    ] = 60.0
    directories: Annotated[
        tuple[str, ...], Meta(description="directories whose files connectors of this node may read; none: no file is read")
    ] = ()
    browse_limit: Annotated[int, Meta(ge=1, le=100_000, description="nodes in one answer of a browse")] = 5000
