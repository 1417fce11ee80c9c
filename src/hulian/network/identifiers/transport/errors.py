"""Errors of sockets. HL-ID-05xx."""

from __future__ import annotations

from hulian.kernel.errors import HulianError

__all__ = ["ListenError"]


class ListenError(HulianError):
    """The address and port cannot be listened on."""

    code = "HL-ID-0500"
    default_hint = "another program may listen there: choose another port"
