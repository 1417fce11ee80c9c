"""Where a connection of a port leads, as a URL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

__all__ = ["endpoint_of", "endpoint_url"]

_HOSTS: Final = ("hostname", "host", "address", "ipaddress", "server")
_PORTS: Final = ("port", "portnumber", "tcpport")
_DEVICES: Final = ("device", "devicename", "portname", "serialport", "comport")
_SERIAL: Final = {
    "baud": ("baud", "baudrate"),
    "parity": ("parity",),
    "stop": ("stop", "stopbits"),
    "bits": ("bits", "databits"),
}
_PARITIES: Final = {"none": "N", "even": "E", "odd": "O", "n": "N", "e": "E", "o": "O"}


def endpoint_of(attributes: Mapping[str, str], content: Iterable[Any]) -> str:
    """The URL of a connection with these attributes and ``Parameter`` or ``Property`` elements; empty where none is said.

    >>> endpoint_of({"type": "TCPClient"}, [["Parameter", {"name": "hostname", "value": "10.0.0.7"}, "", []],
    ...                                     ["Parameter", {"name": "port", "value": "5025"}, "", []]])
    'tcp://10.0.0.7:5025'
    """
    given = {
        one.get("name", "").lower(): one.get("value", "") for name, one, _, _ in content if name in ("Parameter", "Property")
    }
    return endpoint_url(attributes.get("type", ""), given)


def endpoint_url(kind: str, given: Mapping[str, str]) -> str:
    """The same of parameters whose names are small letters."""
    kind = kind.lower().replace(" ", "")
    device = next((given[name] for name in _DEVICES if given.get(name)), "")
    if "serial" in kind or "rs232" in kind or "rs485" in kind or (device and not kind.startswith(("tcp", "socket"))):
        if not device:
            return ""
        keys = {}
        for key, names in _SERIAL.items():
            value = next((given[name] for name in names if given.get(name)), "")
            if value:
                keys[key] = _PARITIES.get(value.lower(), value) if key == "parity" else value
        path = device if device.startswith("/") else f"/{device}"
        return f"serial://{quote(path)}" + (f"?{urlencode(keys)}" if keys else "")
    host = next((given[name] for name in _HOSTS if given.get(name)), "")
    port = next((given[name] for name in _PORTS if given.get(name)), "")
    if not host or not kind.startswith(("tcp", "socket", "telnet", "scpi", "ethernet", "http")):
        return ""
    scheme = "http" if kind.startswith("http") else "tcp"
    shown = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"{scheme}://{shown}:{port}" if port else f"{scheme}://{shown}"
