"""Settings of the daily export."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

__all__ = ["EscrowConfiguration"]


class EscrowConfiguration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What leaves the node each day for others to keep, signed and encrypted."""

    directory: Annotated[str, Meta(description="folder that exports are written to; empty: none are made")] = ""
    recipients: Annotated[
        tuple[str, ...],
        Meta(description="PEM files with the public keys or certificates (RSA, SM2) that open the exports: at least one"),
    ] = ()
    at: Annotated[
        str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", description="time of day in UTC, HH:MM; 00:10 is 08:10 in Beijing")
    ] = "00:10"
    full_days: Annotated[
        int, Meta(ge=1, le=366, description="days from one full export to the next; differentials are made between")
    ] = 7
    keep: Annotated[int, Meta(ge=1, le=10_000, description="full exports that stay here, with their differentials")] = 4
    volume_bytes: Annotated[int, Meta(ge=1_024, le=1 << 40, description="size of a volume")] = 1 << 30
    upload: Annotated[
        tuple[str, ...],
        Meta(
            description="program and arguments that carry an export away, run without a shell; {directory} stands for its "
            "folder, {name} for the folder's name; empty: none"
        ),
    ] = ()
    upload_s: Annotated[float, Meta(ge=1, le=86_400, description="seconds that it may take before it is ended")] = 3_600.0
    upload_tries: Annotated[int, Meta(ge=1, le=100, description="how often it is tried, with longer pauses between")] = 5
