"""Trust's accounts in the spine's words."""

from __future__ import annotations

from hulian.network.exchange.spine.server import SpineUser
from hulian.trust import Trust

__all__ = ["spine_users"]


def spine_users(trust: Trust) -> list[SpineUser]:
    """Every component and every MQTT device that may use the spine now."""
    return [
        SpineUser(
            name=user.name,
            password_hash=user.password_hash,
            publish=user.publish,
            subscribe=user.subscribe,
            device="MQTT" in user.connection_types,
            responses="MQTT" not in user.connection_types,
        )
        for user in trust.spine.users()
    ]
