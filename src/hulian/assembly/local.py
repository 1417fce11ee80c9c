"""How the command line of this machine reaches its own platform."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hulian.assembly.configuration import Configuration

__all__ = ["TOKEN_FILE", "api_url", "local_access"]

TOKEN_FILE = "command-line.token"  # noqa: S105 - a file name
"""Under ``secrets/`` of the data directory: only who owns the node can read it."""


def api_url(configuration: Configuration) -> str:
    """The address of the API as this machine reaches it."""
    host = configuration.api.host
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        host = "127.0.0.1"
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if configuration.api.secure else 'http'}://{shown}:{configuration.api.port}"


def local_access(configuration: Configuration) -> tuple[str, str | None, Path | None]:
    """Address, token and certificate authority of this machine's own platform."""
    data = Path(configuration.node.data)
    try:
        token = (data / "secrets" / TOKEN_FILE).read_text(encoding="ascii").strip()
    except OSError:
        token = None
    authority = data / "pki" / "authority" / "root.pem"
    return api_url(configuration), token, authority if configuration.api.tls and authority.exists() else None
