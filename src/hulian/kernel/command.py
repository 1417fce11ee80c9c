"""Something is to be done: a set-point, a method call; authorised, limited, confirmed, audited."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["Command"]


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """A wish to act on a point. ``identity`` makes a repeat harmless; after ``expires`` (UTC ns) it is not carried out."""

    identity: str
    principal: str
    point: str
    value: Any
    issued: int
    expires: int
