"""A broker's reason codes as our errors, each with what a person can do about it."""

from __future__ import annotations

from typing import Final

from hulian.network.exchange.protocols.mqtt.codec import Properties, Reason, reason_name
from hulian.network.exchange.protocols.mqtt.errors import BrokerError, EndedError, LoginError, MovedError, RefusedError

__all__ = ["ended", "refused", "said"]

_LOGIN: Final = frozenset((
    Reason.CLIENT_IDENTIFIER_NOT_VALID,
    Reason.BAD_USER_NAME_OR_PASSWORD,
    Reason.NOT_AUTHORIZED,
    Reason.BANNED,
    Reason.BAD_AUTHENTICATION_METHOD,
))  # fmt: skip
_MOVED: Final = frozenset((Reason.USE_ANOTHER_SERVER, Reason.SERVER_MOVED))
_HINTS: Final = {
    Reason.UNSUPPORTED_PROTOCOL_VERSION: "set 'broker.version' to the protocol that the broker speaks",
    Reason.CLIENT_IDENTIFIER_NOT_VALID: "set 'broker.client_id' to an identifier that the broker allows",
    Reason.BANNED: "the broker's administrator has to lift the ban",
    Reason.SERVER_UNAVAILABLE: "the broker is starting, stopping or overloaded; the connector tries again by itself",
    Reason.SERVER_BUSY: "the broker is overloaded; the connector tries again by itself, later each time",
    Reason.SERVER_SHUTTING_DOWN: "the broker is being stopped; the connector tries again by itself",
    Reason.KEEP_ALIVE_TIMEOUT: "our packets do not reach the broker in time: check the link, or lengthen 'broker.keep_alive'",
    Reason.SESSION_TAKEN_OVER: "another client uses the same identifier: give each its own 'broker.client_id'",
    Reason.QUOTA_EXCEEDED: "a limit of the broker for this client is reached: raise it there",
    Reason.CONNECTION_RATE_EXCEEDED: "too many connections in a short time; the connector tries again, later each time",
    Reason.PACKET_TOO_LARGE: "something of ours is larger than the broker accepts: shorten the will, or raise its limit",
    Reason.QOS_NOT_SUPPORTED: "the broker does not take this quality of service: lower the qos of 'broker.will'",
    Reason.RETAIN_NOT_SUPPORTED: "the broker retains nothing: set retain = false in 'broker.will'",
    Reason.ADMINISTRATIVE_ACTION: "an administrator of the broker ended the connection",
    Reason.MESSAGE_RATE_TOO_HIGH: "send less, or raise the broker's limit for this client",
    Reason.RECEIVE_MAXIMUM_EXCEEDED: "lower 'broker.in_flight'",
    Reason.USE_ANOTHER_SERVER: "the broker asks to use the other server for now",
}


def said(code: int, properties: Properties) -> str:
    """A reason with the words that the broker added, at most 200 of their characters."""
    words = (properties.reason_string or "")[:200]
    return f"{reason_name(code)}{f': {words!r}' if words else ''}"


def _hint(code: int) -> str:
    try:
        return _HINTS.get(Reason(code), "")
    except ValueError:
        return ""


def refused(code: int, properties: Properties, place: str) -> RefusedError:
    """What a CONNACK of ``code`` (as MQTT 5.0 counts) means."""
    message = f"the broker refuses us: {said(code, properties)}"
    if code in _MOVED:
        other = properties.server_reference
        return MovedError(f"{message}{f', it names {other[:200]!r}' if other else ''}", place=place)
    kind = LoginError if code in _LOGIN else RefusedError
    return kind(message, place=place, hint=_hint(code))


def ended(code: int, properties: Properties, place: str) -> BrokerError:
    """What a DISCONNECT of ``code`` means."""
    if code in _MOVED or code in _LOGIN:
        return refused(code, properties, place)
    return EndedError(f"the broker ended the connection: {said(code, properties)}", place=place, hint=_hint(code))
