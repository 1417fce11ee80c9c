"""What a person configures of the MQTT input and of each of its points."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from hulian.network.exchange.protocols.moments import QualityFormat, TimeFormat
from hulian.network.exchange.protocols.mqtt.address import check_filter
from hulian.network.exchange.protocols.mqtt.errors import AddressError, OptionError

__all__ = ["BindingOptions", "Mapping", "MqttConfiguration", "SparkplugSettings", "check_url", "parse_options"]


class Mapping(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the JSON payloads on some topics are read. Paths are dotted; those of points are relative to one sample."""

    topics: Annotated[str, Meta(min_length=1, description="topic filter")]
    samples: Annotated[str, Meta(description="path of a list of samples; empty: the payload is one sample")] = ""
    time: Annotated[
        str, Meta(description="path of the time; 'auto' looks for timestamp, ts, time, datetime; empty: received")
    ] = "auto"
    time_format: Annotated[TimeFormat, Meta(description="form of the time; 'auto' tells by its size")] = "auto"
    quality: Annotated[str, Meta(description="path of the quality; empty: every value is good")] = ""
    quality_format: Annotated[QualityFormat, Meta(description="form of the quality")] = "auto"
    name: Annotated[str, Meta(description="path of the name, where a sample is a name and a value")] = ""
    value: Annotated[str, Meta(description="path of the value beside that name")] = "value"


class SparkplugSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How Sparkplug B edge nodes are treated."""

    rebirth_on_start: Annotated[bool, Meta(description="ask every bound edge node for a birth when the connector starts")] = (
        True
    )
    rebirth_every: Annotated[float, Meta(gt=0, description="least seconds between two requests to one edge node")] = 5.0
    hold: Annotated[float, Meta(ge=0, description="seconds to keep data whose birth was requested")] = 15.0
    host: Annotated[str, Meta(description="our name as a Sparkplug host application; empty: we publish no STATE")] = ""
    state_every: Annotated[float, Meta(gt=0, description="seconds between our STATE messages")] = 15.0


class MqttConfiguration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of the MQTT input."""

    topics: Annotated[tuple[str, ...], Meta(min_length=1, description="topic filters that this connector reads")] = ("#",)
    qos_0: Annotated[
        bool, Meta(description="read QoS 0 as well; without it the listener does a fifth less for each QoS 1 message")
    ] = True
    mappings: Annotated[tuple[Mapping, ...], Meta(description="how JSON payloads are read; the first that fits counts")] = ()
    sparkplug: SparkplugSettings = SparkplugSettings()
    stale_after: Annotated[float, Meta(ge=0, description="seconds of silence after which a value is uncertain; 0: never")] = 0.0
    bad_after: Annotated[float, Meta(ge=0, description="seconds without the listener until uncertain values become bad")] = 10.0
    browse_seconds: Annotated[float, Meta(ge=0, le=25, description="seconds to listen when browsing")] = 3.0
    write_timeout: Annotated[float, Meta(gt=0, description="seconds to wait for a device to confirm a value")] = 5.0
    reconnect_first: Annotated[float, Meta(gt=0, description="seconds before the first new attempt to read")] = 0.5
    reconnect_most: Annotated[float, Meta(gt=0, description="longest wait between two attempts, in seconds")] = 30.0
    writable: Annotated[tuple[str, ...], Meta(description="addresses that may be written")] = ()

    def check(self) -> None:
        """Raises `AddressError` for a filter that is none."""
        for text in (*self.topics, *(mapping.topics for mapping in self.mappings)):
            check_filter(text)


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


def check_url(url: str) -> None:
    """``mqtt://`` or ``mqtt://local``: the platform's own listener; raises `AddressError` for anything else."""
    parts = urlsplit(url)
    if parts.scheme != "mqtt":
        raise AddressError("not the address of an MQTT input", place=url, hint="write mqtt:// for the platform's own listener")
    if parts.netloc not in ("", "local") or parts.path.strip("/"):
        raise AddressError(
            "Hulian reads MQTT from its own listener, not from a foreign broker",
            place=url,
            hint="write mqtt://, and let devices (or a bridge of the foreign broker) publish to Hulian's listener",
        )
