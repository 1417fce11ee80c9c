"""The URLs of instruments.

    instrument://host:5025                                   TCP (5025 is the port of SCPI instruments, where none is named)
    instrument-serial:///dev/ttyUSB0[?baud=9600&parity=N&…]  a serial line of this machine

Keys of a serial line: ``baud`` (9600), ``parity`` (N, E, O; N), ``stop`` (1), ``bits`` (8). ``tcp://`` and ``serial://``, as a
description's connections are shown, mean the same with ``instrument`` before.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from hulian.network.exchange.protocols.instrument.errors import AddressError

__all__ = ["SCHEMES", "Target", "parse_url"]

SCHEMES: Final = ("instrument", "instrument-serial")
_HINT: Final = "write instrument://host:5025 or instrument-serial:///dev/ttyUSB0?baud=9600&parity=N"


class Target(msgspec.Struct, frozen=True):
    """Where the instrument is. ``device`` is the path of a serial line, else empty."""

    host: str = ""
    port: int = 0
    device: str = ""
    baud: int = 9600
    parity: str = "N"
    stop: float = 1
    bits: int = 8

    def __str__(self) -> str:
        if self.device:
            return self.device
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def character(self) -> float:
        """Seconds that one byte takes on the line; 0 on TCP."""
        return (2 + self.bits + (self.parity != "N") + self.stop) / self.baud if self.device else 0.0


def parse_url(url: str) -> Target:
    """Raises `AddressError`.

    >>> parse_url("instrument://analyser").port
    5025
    >>> parse_url("instrument-serial:///dev/ttyS0?baud=19200&parity=E").baud
    19200
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        keys = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError as error:
        raise AddressError(f"not the address of an instrument: {error}", place=url, hint=_HINT) from error
    if parts.scheme not in SCHEMES or parts.fragment or parts.username:
        raise AddressError("not the address of an instrument", place=url, hint=_HINT)
    if parts.scheme == "instrument":
        if not host or parts.path.strip("/") or keys:
            raise AddressError("not the address of an instrument", place=url, hint=_HINT)
        return Target(host=host, port=port or 5025)
    if parts.netloc or len(parts.path) < 2:
        raise AddressError("a serial line needs the path of its device", place=url, hint=_HINT)
    if strange := set(keys) - {"baud", "parity", "stop", "bits"}:
        raise AddressError(f"there is no key '{sorted(strange)[0]}' here", place=url, hint=_HINT)
    try:
        found = msgspec.convert({"device": unquote(parts.path), **keys}, Target, strict=False)
    except msgspec.ValidationError as error:
        raise AddressError(f"the serial line cannot be set so: {error}", place=url, hint=_HINT) from error
    fits = 50 <= found.baud <= 4_000_000 and found.parity in "NEOMS" and found.stop in (1, 1.5, 2) and found.bits in (7, 8)
    if not fits or len(found.parity) != 1:
        hint = "baud 50 to 4000000, parity N, E or O, stop 1 or 2, bits 7 or 8"
        raise AddressError("there is no such serial line", place=url, hint=hint)
    return found
