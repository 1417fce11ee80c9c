"""The two enumerations that everything else here is built on."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["PacketType", "Version"]


class Version(IntEnum):
    """The protocol level that CONNECT carries."""

    V311 = 4
    V5 = 5

    @property
    def label(self) -> str:
        """As a person writes it."""
        return "3.1.1" if self is Version.V311 else "5.0"


class PacketType(IntEnum):
    """MQTT 5.0, table 2-1."""

    CONNECT = 1
    CONNACK = 2
    PUBLISH = 3
    PUBACK = 4
    PUBREC = 5
    PUBREL = 6
    PUBCOMP = 7
    SUBSCRIBE = 8
    SUBACK = 9
    UNSUBSCRIBE = 10
    UNSUBACK = 11
    PINGREQ = 12
    PINGRESP = 13
    DISCONNECT = 14
    AUTH = 15
