"""Whether a server of the plant can have its port, told before it tries."""

from __future__ import annotations

import errno
import socket

from hulian.demo.errors import DemoConfigurationError, DemoError, PortInUseError

__all__ = ["check_port"]


def check_port(host: str, port: int, what: str) -> None:
    """Raises `PortInUseError` or `DemoConfigurationError` where ``what`` cannot listen on ``host:port``."""
    place = f"{host}:{port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except OSError as error:
        raise DemoConfigurationError(f"no such address: {error.strerror or error}", place=f"host = {host!r}") from error
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
            probe.listen(1)
        except OSError as error:
            match error.errno:
                case errno.EADDRINUSE:
                    raise PortInUseError(f"{what} cannot listen: another program uses the port", place=place) from error
                case errno.EADDRNOTAVAIL:
                    raise DemoConfigurationError("not an address of this machine", place=f"host = {host!r}") from error
                case errno.EACCES:
                    raise DemoError(
                        f"{what} may not listen on this port", place=place, hint="ports below 1024 need special rights"
                    ) from error
                case _:
                    raise DemoError(f"{what} cannot listen: {error.strerror}", place=place) from error
