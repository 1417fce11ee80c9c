"""What a person configures of a connection to a described instrument and of each of its points."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from hulian.network.exchange.protocols.instrument.errors import OptionError
from hulian.network.exchange.protocols.instrument.record import LARGEST

__all__ = ["BindingOptions", "InstrumentConfiguration", "parse_options"]

Seconds = Annotated[float, Meta(gt=0, le=86_400)]


class InstrumentConfiguration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of one instrument. What a serial line needs to be opened stands in its URL."""

    description: Annotated[str, Meta(max_length=1 << 20, description="the description, a document in InstrumentML")] = ""
    description_file: Annotated[str, Meta(description="the same as a file of the edge's machine")] = ""
    port: Annotated[str, Meta(description="the port of the description; empty: its only one with an OutputAdapter")] = ""
    interval: Annotated[Seconds, Meta(description="seconds between questions for points that name no interval")] = 1.0
    groups: Annotated[dict[str, Seconds], Meta(description="named poll groups and their intervals in seconds")] = {}
    changes_only: Annotated[bool, Meta(description="keep a value only where it differs from the one before")] = False
    repeat_after: Annotated[float, Meta(gt=0, description="seconds after which an unchanged value is kept again")] = 60.0
    timeout: Annotated[Seconds, Meta(description="seconds to wait for an answer where the message names no timeout")] = 2.0
    connect_timeout: Annotated[Seconds, Meta(description="seconds to wait for a connection")] = 5.0
    request_gap: Annotated[float, Meta(ge=0, le=60, description="seconds from an answer to the next message")] = 0.0
    largest_answer: Annotated[int, Meta(ge=64, le=LARGEST, description="bytes of one answer at most")] = 1 << 20
    reconnect_first: Annotated[Seconds, Meta(description="seconds before the first new attempt to connect")] = 0.5
    reconnect_most: Annotated[Seconds, Meta(description="longest wait between two attempts, in seconds")] = 30.0
    bad_after: Annotated[float, Meta(ge=0, description="seconds of silence until uncertain values become bad")] = 10.0
    recheck: Annotated[Seconds, Meta(description="seconds between attempts of a message that alone is never answered")] = 60.0


class BindingOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options of one point: value = number x ``scale`` + ``offset``; ``write`` names the message and field that set it."""

    interval: Seconds | None = None
    group: str | None = None
    scale: float = 1.0
    offset: float = 0.0
    write: str = ""
    verify: bool = True


def parse_options(options: Mapping[str, Any], place: str) -> BindingOptions:
    """Raises `OptionError` that names the option."""
    try:
        found = msgspec.convert(dict(options), BindingOptions)
    except msgspec.ValidationError as error:
        raise OptionError(f"the options do not fit: {error}", place=place) from error
    if found.scale == 0:
        raise OptionError("a scale of 0 leaves nothing of the value", place=place)
    return found
