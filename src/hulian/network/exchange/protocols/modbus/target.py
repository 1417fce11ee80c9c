"""The URLs of devices: what stands at the other end, how to reach it, and which unit is meant.

    modbus://host[:502][/unit]                              Modbus TCP
    modbus+rtu://host[:502][/unit][?echo=1&turnaround=0.1]  RTU frames through a TCP connection (serial device servers)
    modbus+ascii://host[:502][/unit][?…]                    ASCII frames likewise
    modbus-rtu:///dev/ttyUSB0[?baud=19200&parity=E&…]       RTU on a serial line of this machine
    modbus-ascii:///dev/ttyUSB0[?baud=9600&bits=7&…]        ASCII on a serial line

Keys of a serial line: ``baud`` (19200), ``parity`` (E, O, N; E), ``stop`` (1, with parity N: 2), ``bits`` (8, ASCII: 7),
``rs485`` (0; 1 lets the driver switch the direction); keys of both: ``unit``, ``echo`` (0; 1 where we hear what we say),
``turnaround`` (0.1 s after a broadcast).
"""

from __future__ import annotations

from typing import Final, Literal
from urllib.parse import parse_qsl, urlsplit

import msgspec

from hulian.network.exchange.protocols.modbus.errors import AddressError

__all__ = ["SCHEMES", "Line", "Target", "parse_url"]

Framing = Literal["tcp", "rtu", "ascii"]

SCHEMES: Final[dict[str, Framing]] = {
    "modbus": "tcp",
    "modbus+tcp": "tcp",
    "modbus+rtu": "rtu",
    "modbus+ascii": "ascii",
    "modbus-rtu": "rtu",
    "modbus-ascii": "ascii",
}


class Line(msgspec.Struct, frozen=True):
    """How a serial line is set, or (``baud`` 0) that none of ours is: a TCP connection leads to it."""

    baud: int = 19200
    parity: str = "E"
    stop: float = 1
    bits: int = 8
    rs485: bool = False
    echo: bool = False
    turnaround: float = 0.1

    @property
    def character(self) -> float:
        """Seconds that one character takes."""
        if not self.baud:
            return 0.0
        return (1 + self.bits + (self.parity != "N") + self.stop) / self.baud

    @property
    def silence(self) -> float:
        """Seconds between two frames, t3.5: 3.5 characters, above 19200 baud 1.75 ms (serial line 1.02, 2.5.1.1)."""
        if not self.baud:
            return 0.0
        return 0.00175 if self.baud > 19200 else 3.5 * self.character


class Target(msgspec.Struct, frozen=True):
    """Where the device is, and the unit id that the URL names. ``device`` is the path of a serial line, else empty."""

    host: str
    port: int
    unit: int | None = None
    framing: Framing = "tcp"
    device: str = ""
    line: Line = Line(baud=0)

    def __str__(self) -> str:
        if self.device:
            return self.device
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_url(url: str) -> Target:
    """Raises `AddressError`.

    >>> parse_url("modbus://plc/7").unit
    7
    >>> parse_url("modbus-rtu:///dev/ttyUSB0?baud=9600&parity=N").line
    Line(baud=9600, parity='N', stop=2, bits=8, rs485=False, echo=False, turnaround=0.1)
    """
    hint = "write modbus://host:502, modbus://host:502/7 for unit 7, or modbus-rtu:///dev/ttyUSB0?baud=19200&parity=E"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise AddressError(f"not the address of a Modbus device: {error}", place=url, hint=hint) from error
    framing = SCHEMES.get(parts.scheme)
    if framing is None or parts.fragment or parts.username or (framing == "tcp" and parts.query):
        raise AddressError("not the address of a Modbus device", place=url, hint=hint)
    serial = "-" in parts.scheme
    keys = _keys(parts.query, url, serial=serial, framing=framing)
    unit = keys.pop("unit", None)
    if serial:
        if parts.netloc or len(parts.path) < 2:
            raise AddressError("a serial line needs the path of its device", place=url, hint=hint)
        return Target("", 0, _unit(unit, url), framing, parts.path, _line(keys, framing, url, serial=True))
    if not host:
        raise AddressError("not the address of a Modbus device", place=url, hint=hint)
    path = parts.path.strip("/")
    if path and unit:
        raise AddressError("the unit id is named twice", place=url, hint=hint)
    line = Line(baud=0) if framing == "tcp" else _line({"baud": "0", **keys}, framing, url, serial=False)
    return Target(host, port or 502, _unit(path or unit, url), framing, line=line)


def _unit(text: str | None, url: str) -> int | None:
    if text is None or text == "":
        return None
    if not (text.isascii() and text.isdigit() and int(text) <= 255):
        raise AddressError(f"'{text}' is not a unit id between 0 and 255", place=url)
    return int(text)


def _keys(query: str, url: str, *, serial: bool, framing: Framing) -> dict[str, str]:
    known = ("unit", "echo", "turnaround") + (("baud", "parity", "stop", "bits", "rs485") if serial else ())
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError as error:
        raise AddressError(f"what stands behind '?' cannot be read: {error}", place=url) from error
    for name, _ in pairs:
        if name not in known:
            raise AddressError(f"there is no key '{name}' here", place=url, hint=f"keys: {', '.join(known)}")
    return dict(pairs)


def _line(keys: dict[str, str], framing: Framing, url: str, *, serial: bool) -> Line:
    fields: dict[str, object] = dict(keys)
    parity = keys.get("parity", "E").upper()
    fields["parity"] = parity
    fields.setdefault("stop", "1" if parity != "N" else "2")
    fields.setdefault("bits", "7" if framing == "ascii" else "8")
    try:
        line = msgspec.convert(fields, Line, strict=False)
    except msgspec.ValidationError as error:
        raise AddressError(f"the serial line cannot be set so: {error}", place=url) from error
    wrong = (
        f"{line.baud} baud" if serial and not 50 <= line.baud <= 4_000_000
        else f"parity '{line.parity}'" if line.parity not in ("E", "O", "N", "M", "S")
        else f"{line.stop:g} stop bits" if line.stop not in (1, 1.5, 2)
        else f"{line.bits} bits" if line.bits not in (7, 8) or (framing == "rtu" and line.bits != 8)
        else f"a turnaround of {line.turnaround:g} s" if not 0 <= line.turnaround <= 10
        else ""
    )  # fmt: skip
    if wrong:
        hint = "baud 50 to 4000000, parity E, O or N, stop 1 or 2, bits 8 (ASCII also 7), turnaround 0 to 10"
        raise AddressError(f"there is no serial line with {wrong}", place=url, hint=hint)
    return msgspec.structs.replace(line, stop=int(line.stop)) if line.stop in (1, 2) else line
