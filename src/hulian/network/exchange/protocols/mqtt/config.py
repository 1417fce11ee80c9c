"""What a person configures of the MQTT input and of each of its points."""

from __future__ import annotations

import re
from collections.abc import Mapping as AnyMapping
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta

from hulian.network.exchange.protocols.moments import QualityFormat, TimeFormat
from hulian.network.exchange.protocols.mqtt.address import check_filter
from hulian.network.exchange.protocols.mqtt.errors import OptionError

__all__ = [
    "BindingOptions",
    "BrokerSettings",
    "Mapping",
    "MqttConfiguration",
    "SparkplugSettings",
    "TlsSettings",
    "WillSettings",
    "parse_options",
]

Format = Literal["json", "cbor", "msgpack", "number", "text", "bytes"]

_PLACES: Final = re.compile(r"\{(\d{1,3}|field)\}")


class Mapping(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the payloads on some topics are read. Paths are dotted; those of points are relative to one sample."""

    topics: Annotated[str, Meta(min_length=1, description="topic filter")]
    format: Annotated[
        Format, Meta(description="form of the payload; number, text and bytes: the payload is the value, its path is '$'")
    ] = "json"
    samples: Annotated[str, Meta(description="path of a list of samples; empty: the payload is one sample")] = ""
    time: Annotated[
        str, Meta(description="path of the time; 'auto' looks for timestamp, ts, time, datetime; empty: received")
    ] = "auto"
    time_format: Annotated[TimeFormat, Meta(description="form of the time; 'auto' tells by its size")] = "auto"
    quality: Annotated[str, Meta(description="path of the quality; empty: every value is good")] = ""
    quality_format: Annotated[QualityFormat, Meta(description="form of the quality")] = "auto"
    name: Annotated[str, Meta(description="path of the name, where a sample is a name and a value")] = ""
    value: Annotated[str, Meta(description="path of the value beside that name")] = "value"
    arrays: Annotated[
        Literal["whole", "last", "columns", "steps"],
        Meta(
            description="a list where one value is expected: as it is, its last element, beside a list of times of equal "
            "length, or values 'step' apart that end at the time"
        ),
    ] = "whole"
    step: Annotated[float, Meta(ge=0, le=86_400, description="seconds between two values, for arrays = 'steps'")] = 0.0
    time_zone: Annotated[str, Meta(description="zone of times that name none, e.g. Asia/Shanghai; empty: UTC")] = ""
    point: Annotated[
        str,
        Meta(description="what a proposed point is called: {1}, {2} … are levels of the topic, {field} the path of the value"),
    ] = ""
    unit: Annotated[str, Meta(description="path of the unit in a sample, for proposed points")] = ""

    def check(self) -> None:
        """Raises `OptionError` for a time zone, a pattern or a step that cannot work."""
        place = f"mappings, {self.topics}"
        if self.time_zone:
            try:
                ZoneInfo(self.time_zone)
            except (ZoneInfoNotFoundError, ValueError, OSError) as error:
                raise OptionError(f"{self.time_zone!r} is no time zone", place=place) from error
        if self.arrays == "steps" and not self.step:
            raise OptionError("arrays = 'steps' needs a step", place=place, hint="set 'step' to the seconds between two values")
        if _PLACES.sub("", self.point).strip("{}") != _PLACES.sub("", self.point):
            raise OptionError(f"{self.point!r} names neither a level nor the field", place=place, hint="e.g. '{2}.{field}'")

    def named(self, levels: Sequence[str], path: Sequence[str]) -> str:
        """What a point at ``path`` of the topic of ``levels`` is called; empty where nothing is said.

        >>> Mapping(topics="a/+", point="oven {2}: {field}").named(("a", "7"), ("zone", "1"))
        'oven 7: zone.1'
        """

        def fill(found: re.Match[str]) -> str:
            if found[1] == "field":
                return ".".join(path)
            number = int(found[1])
            return levels[number - 1] if 1 <= number <= len(levels) else ""

        return _PLACES.sub(fill, self.point)


class SparkplugSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How Sparkplug B edge nodes are treated."""

    rebirth_on_start: Annotated[bool, Meta(description="ask every bound edge node for a birth when the connector starts")] = (
        True
    )
    rebirth_every: Annotated[float, Meta(gt=0, description="least seconds between two requests to one edge node")] = 5.0
    reorder: Annotated[
        float, Meta(ge=0, le=300, description="seconds to wait for a message that others overtook; then a rebirth is requested")
    ] = 2.0
    hold: Annotated[float, Meta(ge=0, description="seconds to keep data whose birth was requested")] = 15.0
    host: Annotated[
        str,
        Meta(
            max_length=256,
            description="our name as a Sparkplug host application, the edge nodes' primary host; empty: we publish no STATE",
        ),
    ] = ""
    state_every: Annotated[
        float, Meta(gt=0, description="seconds between our STATE messages on the platform's own listener, which retains none")
    ] = 15.0
    transient: Annotated[
        Literal["drop", "keep"],
        Meta(description="what becomes of values that the edge node calls transient: not to be stored"),
    ] = "drop"
    command_types: Annotated[
        bool,
        Meta(description="name the data type in commands too: the standard advises against it, older edge nodes need it"),
    ] = True


class TlsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the connection to a foreign broker is encrypted (``mqtts://``)."""

    trust: Annotated[
        Literal["approved", "system", "file"],
        Meta(
            description="whom we believe: a certificate that a person approved, one that an authority of the system signed "
            "for this host, or one that an authority in 'authority' signed for this host"
        ),
    ] = "approved"
    authority: Annotated[str, Meta(description="file with the authorities' certificates (PEM), for trust = 'file'")] = ""
    certificate: Annotated[
        str, Meta(description="our certificate: empty for none, 'own' for the platform's, or a file (PEM, with 'key')")
    ] = ""
    key: Annotated[str, Meta(description="file with the private key of 'certificate' (PEM, unencrypted)")] = ""
    server_name: Annotated[str, Meta(description="name to ask for and to check where it differs from the host")] = ""


class WillSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a foreign broker publishes for us when our connection breaks."""

    topic: Annotated[str, Meta(min_length=1, max_length=65535, description="topic")]
    payload: Annotated[str, Meta(max_length=65535, description="text")] = ""
    qos: Annotated[Literal[0, 1, 2], Meta(description="quality of service")] = 0
    retain: Annotated[bool, Meta(description="whether the broker keeps it for later subscribers")] = False
    delay: Annotated[int, Meta(ge=0, le=2**32 - 1, description="seconds after which it is published (5.0 only)")] = 0


class BrokerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The connection to a foreign broker; the platform's own listener has none of this."""

    version: Annotated[
        Literal["auto", "5", "3.1.1"], Meta(description="protocol; 'auto': 5.0, or 3.1.1 where the broker does not know it")
    ] = "auto"
    client_id: Annotated[
        str, Meta(max_length=128, description="client identifier; empty: one made of organisation and connector")
    ] = ""
    qos: Annotated[Literal[0, 1, 2], Meta(description="quality of service that we subscribe with")] = 1
    clean_start: Annotated[
        bool, Meta(description="forget at each connection what the broker kept for us; loses what was sent meanwhile")
    ] = False
    session: Annotated[
        int, Meta(ge=0, le=2**32 - 1, description="seconds for which the broker keeps messages for us (5.0 only)")
    ] = 86_400
    keep_alive: Annotated[int, Meta(ge=1, le=65_535, description="seconds after which a silent link counts as dead")] = 15
    timeout: Annotated[float, Meta(gt=0, le=300, description="seconds for the broker to answer")] = 10.0
    receive_maximum: Annotated[
        int, Meta(ge=1, le=65_535, description="most QoS 1 and 2 messages that may wait for our acknowledgement")
    ] = 4_096
    packet_maximum: Annotated[int, Meta(ge=128, le=268_435_455, description="largest packet that we accept, in bytes")] = (
        1_048_576
    )
    aliases: Annotated[int, Meta(ge=0, le=65_535, description="most topic aliases that the broker may use (5.0 only)")] = 1_024
    in_flight: Annotated[int, Meta(ge=1, le=65_535, description="most of our QoS 1 and 2 messages on the way")] = 1_024
    retained: Annotated[bool, Meta(description="read what the broker retained, as of the moment of receipt")] = True
    will: Annotated[WillSettings | None, Meta(description="last will")] = None
    tls: Annotated[TlsSettings, Meta(description="encryption, for mqtts://")] = TlsSettings()


class MqttConfiguration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of the MQTT input."""

    topics: Annotated[tuple[str, ...], Meta(min_length=1, description="topic filters that this connector reads")] = ("#",)
    qos_0: Annotated[
        bool, Meta(description="read QoS 0 as well; without it the listener does a fifth less for each QoS 1 message")
    ] = True
    mappings: Annotated[tuple[Mapping, ...], Meta(description="how JSON payloads are read; the first that fits counts")] = ()
    sparkplug: SparkplugSettings = SparkplugSettings()
    broker: Annotated[BrokerSettings, Meta(description="the connection to a foreign broker (mqtt://host)")] = BrokerSettings()
    stale_after: Annotated[float, Meta(ge=0, description="seconds of silence after which a value is uncertain; 0: never")] = 0.0
    bad_after: Annotated[float, Meta(ge=0, description="seconds without the listener until uncertain values become bad")] = 10.0
    browse_seconds: Annotated[float, Meta(ge=0, le=25, description="seconds to listen when browsing")] = 3.0
    browse_topics: Annotated[int, Meta(ge=1, le=50_000, description="most topics to remember for browsing")] = 5_000
    write_timeout: Annotated[float, Meta(gt=0, description="seconds to wait for a device to confirm a value")] = 5.0
    reconnect_first: Annotated[float, Meta(gt=0, description="seconds before the first new attempt to read")] = 0.5
    reconnect_most: Annotated[float, Meta(gt=0, description="longest wait between two attempts, in seconds")] = 30.0
    writable: Annotated[tuple[str, ...], Meta(description="addresses that may be written")] = ()

    def check(self) -> None:
        """Raises `AddressError` for a filter that is none, `OptionError` for a mapping that cannot work."""
        for text in (*self.topics, *(mapping.topics for mapping in self.mappings)):
            check_filter(text)
        for mapping in self.mappings:
            mapping.check()
        if self.sparkplug.host and self.broker.will is not None:
            raise OptionError(
                "a Sparkplug host's last will is its STATE",
                place="broker.will",
                hint="leave out 'broker.will' or 'sparkplug.host'",
            )


class BindingOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options of one point. ``write_topic`` and ``write_path`` say where a JSON point is written to, and in which form."""

    scale: float = 1.0
    offset: float = 0.0
    stale_after: float | None = None
    write_topic: str = ""
    write_path: str = ""
    confirm: bool = True

    @property
    def scaled(self) -> bool:
        """Whether the number in the payload is not the value."""
        return self.scale != 1.0 or self.offset != 0.0


def parse_options(options: AnyMapping[str, Any], place: str) -> BindingOptions:
    """Raises `OptionError` that names the option."""
    try:
        found = msgspec.convert(dict(options), BindingOptions)
    except msgspec.ValidationError as error:
        raise OptionError(f"the options do not fit: {error}", place=place) from error
    if found.scale == 0:
        raise OptionError("a scale of 0 leaves nothing of the value", place=place)
    return found
