"""What a person configures of a Modbus connection and of each of its points."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from hulian.network.exchange.protocols.modbus.errors import OptionError

__all__ = ["BindingOptions", "MapEntry", "ModbusConfiguration", "parse_options"]

Order = Annotated[str, Meta(pattern="^[a-h]{2,8}$")]
Seconds = Annotated[float, Meta(gt=0, le=86_400)]


class MapEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One line of a register map: what the manual of the device says of one value."""

    name: Annotated[str, Meta(min_length=1)]
    address: Annotated[str, Meta(min_length=1)]
    unit: str = ""
    scale: float = 1.0
    offset: float = 0.0
    order: str = ""
    low: float | None = None
    high: float | None = None
    interval: float | None = None
    writable: bool = False
    description: str = ""


class ModbusConfiguration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of one connection. What a serial line needs to be opened stands in its URL."""

    unit: Annotated[int, Meta(ge=0, le=255, description="unit id of addresses that name none")] = 1
    interval: Annotated[Seconds, Meta(description="seconds between polls of points that name no interval")] = 1.0
    groups: Annotated[dict[str, Seconds], Meta(description="named poll groups and their intervals in seconds")] = {}
    order: Annotated[Order, Meta(description="byte order of values longer than a register: abcd, badc, cdab or dcba")] = "abcd"
    changes_only: Annotated[bool, Meta(description="keep a value only where it differs from the one before")] = False
    repeat_after: Annotated[float, Meta(gt=0, description="seconds after which an unchanged value is kept again")] = 60.0
    depth: Annotated[
        Annotated[int, Meta(ge=1, le=32)] | Literal["auto"],
        Meta(description="requests in flight at once; 'auto' finds out what the device bears"),
    ] = 1
    gap: Annotated[int, Meta(ge=0, le=124, description="unused registers that may be read to join two requests")] = 8
    bit_gap: Annotated[int, Meta(ge=0, le=1999, description="unused bits that may be read to join two requests")] = 128
    max_registers: Annotated[int, Meta(ge=1, le=125, description="registers in one request")] = 125
    max_bits: Annotated[int, Meta(ge=1, le=2000, description="bits in one request")] = 2000
    timeout: Annotated[Seconds, Meta(description="seconds to wait for an answer at the most")] = 2.0
    timeout_least: Annotated[
        Seconds, Meta(description="seconds to wait at least; between the two the wait follows the measured round trip")
    ] = 0.3
    request_gap: Annotated[float, Meta(ge=0, le=60, description="seconds from an answer to the next request")] = 0.0
    rate: Annotated[float, Meta(ge=0, le=100_000, description="requests a second at the most; 0: as many as it bears")] = 0.0
    connect_timeout: Annotated[Seconds, Meta(description="seconds to wait for a connection")] = 5.0
    retries: Annotated[int, Meta(ge=0, le=10, description="repetitions of an unanswered request")] = 1
    reconnect_first: Annotated[Seconds, Meta(description="seconds before the first new attempt to connect")] = 0.5
    reconnect_most: Annotated[Seconds, Meta(description="longest wait between two attempts, in seconds")] = 30.0
    bad_after: Annotated[float, Meta(ge=0, description="seconds of silence until uncertain values become bad")] = 10.0
    recheck: Annotated[Seconds, Meta(description="seconds between attempts to read an address the device refused")] = 60.0
    write_function: Annotated[
        Literal["auto", "multiple", "read-write"],
        Meta(description="functions for writing: 5, 6, 15, 16, 22 as they fit; 15 and 16 only; 23, which reads back at once"),
    ] = "auto"
    max_write_registers: Annotated[int, Meta(ge=1, le=123, description="registers written by one request")] = 123
    writable: Annotated[tuple[str, ...], Meta(description="addresses that may be written")] = ()
    map: Annotated[tuple[MapEntry, ...], Meta(description="register map for browsing")] = ()
    map_file: Annotated[str, Meta(description="CSV file with the register map for browsing")] = ""
    probe_limit: Annotated[int, Meta(ge=0, le=65536, description="offsets of each table that browsing tries")] = 1000


class BindingOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options of one point: value = raw x ``scale`` + ``offset``; ``invalid`` raw numbers mean "no value"."""

    interval: Seconds | None = None
    group: str | None = None
    scale: float = 1.0
    offset: float = 0.0
    order: Order | None = None
    invalid: tuple[int, ...] = ()
    verify: bool = True
    encoding: str = "utf-8"

    @property
    def scaled(self) -> bool:
        """Whether the raw number is not the value."""
        return self.scale != 1.0 or self.offset != 0.0


_NO_OPTIONS: Final = BindingOptions()


def parse_options(options: Mapping[str, Any], place: str) -> BindingOptions:
    """Raises `OptionError` that names the option."""
    if not options:
        return _NO_OPTIONS
    try:
        found = msgspec.convert(dict(options), BindingOptions)
    except msgspec.ValidationError as error:
        raise OptionError(f"the options do not fit: {error}", place=place) from error
    if found.scale == 0:
        raise OptionError("a scale of 0 leaves nothing of the value", place=place)
    try:
        "".encode(found.encoding)
    except LookupError as error:
        raise OptionError(f"there is no text encoding '{found.encoding}'", place=place) from error
    return found
