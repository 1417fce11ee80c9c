"""Hulian (互联): an open Industrial Internet stack.

``hulian.connect(url)`` opens the Python client of a running platform; everything else is reached through the
``hulian`` command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hulian.kernel.version import VERSION

if TYPE_CHECKING:
    from hulian.sdk import Platform

__all__ = ["__version__", "connect"]

__version__ = VERSION


def connect(url: str = "http://127.0.0.1:8080", *, token: str | None = None) -> Platform:
    """Open a client of the platform at ``url``; the token is taken from ``$HULIAN_TOKEN`` where none is given.

    The import is late, so that ``import hulian`` stays as cheap as a name.
    """
    from hulian.sdk import Platform

    return Platform(url, token=token)
