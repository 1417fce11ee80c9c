"""Trust's accounts in the spine's words."""

from __future__ import annotations

import msgspec

from hulian.network.exchange.spine.server import SpineUser
from hulian.trust import Trust
from hulian.trust import spine_accounts as trusted

__all__ = ["convert", "spine_users"]


def convert(user: trusted.SpineUser) -> SpineUser:
    """One account; the spine has a type of its own because it must not know trust's, and both have the same fields."""
    return SpineUser(**msgspec.structs.asdict(user))


def spine_users(trust: Trust) -> list[SpineUser]:
    """Every component and every MQTT device that may use the spine now."""
    return [convert(user) for user in trust.spine.users()]
