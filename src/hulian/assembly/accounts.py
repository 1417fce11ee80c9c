"""Trust's accounts in the spine's words."""

from __future__ import annotations

from hulian.network.exchange.spine.server import SpineUser
from hulian.trust import Trust
from hulian.trust import spine_accounts as trusted

__all__ = ["convert", "spine_users"]


def convert(user: trusted.SpineUser) -> SpineUser:
    """One account; the spine's type is its own because no room below may know it."""
    return SpineUser(
        name=user.name,
        password_hash=user.password_hash,
        publish=user.publish,
        subscribe=user.subscribe,
        deny_subscribe=user.deny_subscribe,
        device=user.device,
        responses=user.responses,
        system=user.system,
    )


def spine_users(trust: Trust) -> list[SpineUser]:
    """Every component and every MQTT device that may use the spine now."""
    return [convert(user) for user in trust.spine.users()]
