"""Addresses: ``json:TOPIC:PATH`` and ``sparkplug:GROUP/NODE[/DEVICE]:METRIC``. Text in, parts out; no I/O."""

from __future__ import annotations

from urllib.parse import unquote

import msgspec

from hulian.network.exchange.protocols.mqtt.codec.bodies import broken_filter
from hulian.network.exchange.protocols.mqtt.errors import AddressError

__all__ = ["RAW", "JsonPlace", "MetricPlace", "check_filter", "json_address", "matches", "metric_address", "parse_address"]

RAW = "$"
"""The path of a payload that is the value itself."""


class JsonPlace(msgspec.Struct, frozen=True):
    """A value in the payloads of one topic: ``path`` holds the keys (and list indexes) down to it."""

    topic: str
    path: tuple[str, ...]


class MetricPlace(msgspec.Struct, frozen=True):
    """A Sparkplug metric of an edge node, or of a device behind it."""

    node: str
    device: str
    metric: str


def parse_address(text: str) -> JsonPlace | MetricPlace:
    """Raises `AddressError`. In a JSON path ``%2E``, ``%3A`` and ``%25`` stand for a dot, a colon and a percent sign in a key.

    >>> parse_address("json:plant/oven:zone.2.temp")
    JsonPlace(topic='plant/oven', path=('zone', '2', 'temp'))
    >>> parse_address("sparkplug:TE/Analysers/Feed:A/mole fraction")
    MetricPlace(node='TE/Analysers', device='Feed', metric='A/mole fraction')
    """
    kind, _, rest = text.partition(":")
    if kind == "json":
        topic, colon, path = rest.rpartition(":")
        if not colon or not topic or not path:
            raise AddressError("a JSON address is 'json:TOPIC:PATH'", place=text, hint=f"the path '{RAW}' is the whole payload")
        if "+" in topic or "#" in topic or "\0" in topic:
            raise AddressError("the topic of a point holds no wildcard", place=text)
        keys = () if path == RAW else tuple(unquote(key) for key in path.split("."))
        if any(not key for key in keys):
            raise AddressError("a path has no empty key", place=text)
        return JsonPlace(topic, keys)
    if kind == "sparkplug":
        where, colon, metric = rest.partition(":")
        parts = [unquote(part) for part in where.split("/")]
        if not colon or not metric or len(parts) not in (2, 3) or not all(parts):
            raise AddressError(
                "a Sparkplug address is 'sparkplug:GROUP/NODE:METRIC', or with '/DEVICE' behind the node", place=text
            )
        return MetricPlace(f"{parts[0]}/{parts[1]}", parts[2] if len(parts) == 3 else "", metric)
    raise AddressError(f"'{kind}:' is no kind of address", place=text)


def json_address(topic: str, path: tuple[str, ...]) -> str:
    """The address of a value in the payloads of ``topic``."""
    keys = [key.replace("%", "%25").replace(".", "%2E").replace(":", "%3A") for key in path]
    return f"json:{topic}:{'.'.join(keys) or RAW}"


def metric_address(node: str, device: str, metric: str) -> str:
    """The address of a metric; ``node`` is ``group/node``."""
    parts = [*node.split("/", 1), *([device] if device else [])]
    return f"sparkplug:{'/'.join(part.replace('%', '%25').replace(':', '%3A') for part in parts)}:{metric}"


def check_filter(text: str) -> None:
    """Raises `AddressError` unless ``text`` is an MQTT topic filter (MQTT 5.0, sections 4.7 and 4.8.2)."""
    if broken_filter(text) or "\0" in text or len(text.encode()) > 65535:
        raise AddressError(
            f"{text!r} is not a topic filter", place=text, hint="'+' stands for one level, '#' for all that follow"
        )


def matches(wanted: str, topic: str) -> bool:
    """Whether the filter ``wanted`` takes ``topic``; topics that begin with ``$`` are taken by no leading wildcard.

    >>> matches("a/+/c", "a/b/c"), matches("a/#", "a"), matches("#", "$SYS/x")
    (True, True, False)
    """
    if topic.startswith("$") and wanted[:1] in ("+", "#"):
        return False
    levels, parts = wanted.split("/"), topic.split("/")
    for position, level in enumerate(levels):
        if level == "#":
            return True
        if position >= len(parts) or level not in ("+", parts[position]):
            return False
    return len(levels) == len(parts)
