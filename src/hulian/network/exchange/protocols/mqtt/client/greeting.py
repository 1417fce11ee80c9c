"""The first words of a connection: what we ask for in CONNECT, and what the broker says of itself in CONNACK. No I/O."""

from __future__ import annotations

from typing import Self

import msgspec

from hulian.network.exchange.protocols.contract import Credentials
from hulian.network.exchange.protocols.mqtt.codec import NONE, Connack, Connect, Properties, Version, Will
from hulian.network.exchange.protocols.mqtt.config import BrokerSettings

__all__ = ["Server", "greeting"]


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """What the broker said of itself in CONNACK, with the standard's defaults (MQTT 5.0, section 3.2.2.3)."""

    version: Version
    session_present: bool
    receive_maximum: int = 65_535
    maximum_qos: int = 2
    maximum_packet_size: int = 268_435_460
    topic_alias_maximum: int = 0
    retain_available: bool = True
    shared: bool = True
    client_id: str = ""

    @classmethod
    def of(cls, answer: Connack, version: Version, client_id: str) -> Self:
        """What ``answer`` says to the client that called itself ``client_id``."""
        given = answer.properties
        default = cls(version=version, session_present=answer.session_present)
        return msgspec.structs.replace(
            default,
            receive_maximum=given.receive_maximum or default.receive_maximum,
            maximum_qos=default.maximum_qos if given.maximum_qos is None else given.maximum_qos,
            maximum_packet_size=given.maximum_packet_size or default.maximum_packet_size,
            topic_alias_maximum=given.topic_alias_maximum or 0,
            retain_available=given.retain_available != 0,
            shared=given.shared_subscription_available != 0,
            client_id=given.assigned_client_identifier or client_id,
        )


def greeting(
    settings: BrokerSettings, credentials: Credentials, client_id: str, version: Version, will: Will | None = None
) -> Connect:
    """The CONNECT that the settings describe, as far as ``version`` can say it; ``will`` takes the place of theirs."""
    five = version is Version.V5
    properties = NONE
    if five:
        properties = Properties(
            session_expiry_interval=settings.session or None,
            receive_maximum=settings.receive_maximum if settings.receive_maximum < 65_535 else None,
            maximum_packet_size=settings.packet_maximum,
            topic_alias_maximum=settings.aliases or None,
        )
    if will is None and settings.will is not None:
        given = settings.will
        delay = Properties(will_delay_interval=given.delay) if five and given.delay else NONE
        will = Will(topic=given.topic, payload=given.payload.encode(), qos=given.qos, retain=given.retain, properties=delay)
    password = credentials.password.encode() if credentials.password else None
    return Connect(
        version=version,
        client_id=client_id,
        clean_start=settings.clean_start,
        keep_alive=settings.keep_alive,
        will=will,
        user=credentials.user or ("" if password and not five else None),
        password=password,
        properties=properties,
    )
