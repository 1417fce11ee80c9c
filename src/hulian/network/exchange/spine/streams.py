"""Subjects, and the streams that keep them: declared once at start, idempotent, every one bounded by size and age.

============  ==========================================  =========  ==================  ===========================
stream        subjects                                    kept       when it is full     read by
============  ==========================================  =========  ==================  ===========================
HL_SAMPLES    ``hl.<org>.samples.<source>``               until      refuses the new:    ``historian`` (ack all)
                                                          stored     senders keep it
HL_EVENTS     ``hl.<org>.events.<severity>.<component>``  by limits  drops the oldest    ``historian`` (ack all)
HL_COMMANDS   ``hl.<org>.commands.<connector>``           10 min     drops the oldest    edge
$MQTT_msgs    ``$MQTT.msgs.>`` (nats-server's own)        until      refuses the new:    ``hulian-<connector>``
                                                          taken      no PUBACK
============  ==========================================  =========  ==================  ===========================

A stream that keeps messages "until stored" drops what nobody is interested in. It is therefore created closed, on a
subject that nobody uses, and opened only when its consumer exists: no sender is ever acknowledged for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from hulian.kernel.identifier import escape
from hulian.network.exchange.spine.configuration import SpineConfiguration
from hulian.network.exchange.spine.connection import Spine
from hulian.network.exchange.spine.errors import StreamError

__all__ = [
    "COMMANDS",
    "EVENTS",
    "HISTORIAN",
    "MQTT",
    "SAMPLES",
    "StreamFigures",
    "StreamState",
    "Subjects",
    "behind",
    "declare",
    "declare_consumer",
    "drop_consumer",
    "figures",
    "mqtt_consumer",
    "state",
    "taken",
]

SAMPLES: Final = "HL_SAMPLES"
EVENTS: Final = "HL_EVENTS"
COMMANDS: Final = "HL_COMMANDS"
MQTT: Final = "$MQTT_msgs"
HISTORIAN: Final = "historian"
"""The durable consumer of ingest on `SAMPLES` and `EVENTS`."""

_SECOND: Final = 1_000_000_000
_DUPLICATES: Final = 30 * _SECOND
"""How long the server itself recognises a repeated message id; ingest's ledger recognises it for ever."""
_NO_STREAM: Final = 10059
_NO_CONSUMER: Final = 10014


class Subjects:
    """The subjects of one organisation. Every name is escaped; the result is one token."""

    __slots__ = ("root",)

    def __init__(self, organisation: str) -> None:
        self.root = f"hl.{escape(organisation)}"

    def samples(self, source: str) -> str:
        return f"{self.root}.samples.{escape(source)}"

    def events(self, severity: str, component: str) -> str:
        return f"{self.root}.events.{severity}.{escape(component)}"

    def commands(self, connector: str) -> str:
        return f"{self.root}.commands.{escape(connector)}"

    def status(self, component: str, name: str) -> str:
        return f"{self.root}.status.{escape(component)}.{escape(name)}"

    def control(self, component: str) -> str:
        return f"{self.root}.control.{escape(component)}"

    def edge_control(self, edge: str) -> str:
        """Where an edge node takes requests; that of the platform itself where ``edge`` is empty."""
        return f"{self.control('edge')}.{escape(edge)}" if edge else self.control("edge")

    def plans(self, edge: str) -> str:
        """Where an edge node asks for its orders."""
        return f"{self.root}.plans.{escape(edge)}"

    @property
    def query_historian(self) -> str:
        return f"{self.root}.query.historian"

    @property
    def query_ledger(self) -> str:
        return f"{self.root}.query.ledger"


def mqtt_consumer(connector: str) -> str:
    """The name of the durable consumer through which ``connector`` reads what devices publish."""
    return f"hulian-{escape(connector)}"


class StreamState(msgspec.Struct, frozen=True, kw_only=True):
    """Where a stream stands. ``created`` tells one life of the stream from the next of the same name."""

    created: str
    first: int
    last: int
    messages: int
    bytes: int
    max_bytes: int
    """What the stream may hold; below 1 where nothing bounds it."""


class StreamFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What health shows of a stream. ``waiting`` is what its consumers have not acknowledged; ``lost`` what age or size
    removed before the slowest consumer took it."""

    name: str
    messages: int
    bytes: int
    max_bytes: int
    max_age: float
    policy: str
    fill: float
    waiting: int
    redelivered: int
    lost: int


async def _api(spine: Spine, call: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    answer = await spine.request(f"$JS.API.{call}", msgspec.json.encode(body) if body else b"")
    document: dict[str, Any] = msgspec.json.decode(answer.payload)
    return document


def _check(document: Mapping[str, Any], what: str) -> Mapping[str, Any]:
    if error := document.get("error"):
        raise StreamError(
            f"{what}: {error.get('description', 'refused')}",
            place=f"JetStream error {error.get('err_code', error.get('code'))}",
            hint="streams of another kind under this name must be removed first" if error.get("code") == 400 else "",
        )
    return document


def _wanted(configuration: SpineConfiguration, subjects: Subjects) -> list[dict[str, Any]]:
    # Expected small writes per stream: the server's answer to a full or aged stream is part of each declaration.
    return [
        {
            "name": SAMPLES,
            "subjects": [f"{subjects.root}.samples.*"],
            "retention": "interest",
            "discard": "new",
            "max_bytes": configuration.samples_bytes,
            "max_age": int(configuration.samples_hours * 3600) * _SECOND,
        },
        {
            "name": EVENTS,
            "subjects": [f"{subjects.root}.events.*.*"],
            "retention": "limits",
            "discard": "old",
            "max_bytes": configuration.events_bytes,
            "max_age": int(configuration.events_hours * 3600) * _SECOND,
        },
        {
            "name": COMMANDS,
            "subjects": [f"{subjects.root}.commands.*"],
            "retention": "limits",
            "discard": "old",
            "max_bytes": 16 * 2**20,
            "max_age": 600 * _SECOND,
        },
        {
            "name": MQTT,
            "subjects": ["$MQTT.msgs.>"],
            "retention": "interest",
            "discard": "new",
            "max_bytes": configuration.mqtt_bytes,
            "max_age": int(configuration.mqtt_hours * 3600) * _SECOND,
        },
    ]


async def declare(
    spine: Spine,
    configuration: SpineConfiguration,
    organisation: str,
    *,
    mqtt: Mapping[str, Sequence[str]] | None = None,
    only: str = "",
) -> None:
    """Makes every stream (or ``only`` this one) and consumer as declared; an existing stream with other limits is updated.

    ``mqtt`` maps a connector's name to the subjects that it reads below ``$MQTT.msgs.`` (empty: all). Raises `StreamError`
    for what cannot be made or changed so.
    """
    subjects = Subjects(organisation)
    for wanted in _wanted(configuration, subjects):
        if only not in ("", wanted["name"]) or (wanted["name"] == MQTT and not configuration.mqtt_port):
            continue
        full = {"storage": "file", "num_replicas": 1, "duplicate_window": _DUPLICATES, "max_msg_size": -1} | wanted
        if wanted["name"] == SAMPLES:
            closed = [f"{subjects.root}.closed.samples"]
            if not await _exists(spine, SAMPLES):
                await _ensure_stream(spine, full | {"subjects": closed})
            await declare_consumer(spine, SAMPLES, HISTORIAN)
        await _ensure_stream(spine, full)
        if wanted["name"] == EVENTS:
            await declare_consumer(spine, EVENTS, HISTORIAN)
        if wanted["name"] == MQTT:
            for connector, filters in (mqtt or {}).items():
                await declare_consumer(spine, MQTT, mqtt_consumer(connector), filters)


async def _exists(spine: Spine, stream: str) -> bool:
    document = await _api(spine, f"STREAM.INFO.{stream}")
    if (document.get("error") or {}).get("err_code") == _NO_STREAM:
        return False
    _check(document, f"stream {stream}")
    return True


async def _ensure_stream(spine: Spine, wanted: Mapping[str, Any]) -> None:
    name = wanted["name"]
    document = await _api(spine, f"STREAM.INFO.{name}")
    if (document.get("error") or {}).get("err_code") == _NO_STREAM:
        _check(await _api(spine, f"STREAM.CREATE.{name}", wanted), f"cannot create the stream {name}")
        return
    present = _check(document, f"stream {name}")["config"]
    if any(present.get(key) != value for key, value in wanted.items()):
        _check(await _api(spine, f"STREAM.UPDATE.{name}", {**present, **wanted}), f"cannot change the stream {name}")


async def declare_consumer(spine: Spine, stream: str, name: str, filters: Sequence[str] = ()) -> None:
    """A durable pull consumer that acknowledges everything up to a message at once; an existing one is kept or updated."""
    config: dict[str, Any] = {
        "durable_name": name,
        "name": name,
        "ack_policy": "all",
        "deliver_policy": "all",
        "ack_wait": 120 * _SECOND,
        "max_deliver": -1,
        "max_ack_pending": 500_000,
        "max_waiting": 16,
        "replay_policy": "instant",
    }
    if len(filters) == 1:
        config["filter_subject"] = filters[0]
    elif filters:
        config["filter_subjects"] = list(filters)
    body = {"stream_name": stream, "config": config}
    _check(
        await _api(spine, f"CONSUMER.CREATE.{stream}.{name}", body),
        f"cannot declare the consumer {name} of {stream}",
    )


async def drop_consumer(spine: Spine, stream: str, name: str) -> None:
    """Removes a consumer; what only it waited for is dropped with it."""
    document = await _api(spine, f"CONSUMER.DELETE.{stream}.{name}")
    if (document.get("error") or {}).get("err_code") not in (None, _NO_CONSUMER, _NO_STREAM):
        _check(document, f"cannot remove the consumer {name} of {stream}")


async def state(spine: Spine, stream: str) -> StreamState:
    """Where ``stream`` stands; raises `StreamError` where there is none."""
    document = _check(await _api(spine, f"STREAM.INFO.{stream}"), f"stream {stream}")
    found = document["state"]
    return StreamState(
        created=document["created"],
        first=found["first_seq"],
        last=found["last_seq"],
        messages=found["messages"],
        bytes=found["bytes"],
        max_bytes=document["config"]["max_bytes"],
    )


async def behind(spine: Spine, stream: str, sequence: int) -> int:
    """How many messages up to ``sequence`` the slowest consumer of ``stream`` has not acknowledged."""
    consumers = _check(await _api(spine, f"CONSUMER.LIST.{stream}"), f"consumers of {stream}").get("consumers") or ()
    floors = [
        consumer["ack_floor"]["stream_seq"] for consumer in consumers if consumer["num_pending"] + consumer["num_ack_pending"]
    ]
    return max((sequence - floor for floor in floors if floor < sequence), default=0)


async def taken(spine: Spine, stream: str, name: str, sequence: int) -> bool:
    """Whether the consumer ``name`` has acknowledged everything of ``stream`` up to ``sequence``. Raises `StreamError`."""
    found = _check(await _api(spine, f"CONSUMER.INFO.{stream}.{name}"), f"the consumer {name} of {stream}")
    floor: int = found["ack_floor"]["stream_seq"]
    return floor >= sequence or not found["num_pending"] + found["num_ack_pending"]


async def figures(spine: Spine) -> list[StreamFigures]:
    """Every stream as health shows it."""
    rows: list[StreamFigures] = []
    for name in (SAMPLES, EVENTS, COMMANDS, MQTT):
        document = await _api(spine, f"STREAM.INFO.{name}")
        if "error" in document:
            continue
        config, found = document["config"], document["state"]
        waiting = redelivered = lost = 0
        consumers = await _api(spine, f"CONSUMER.LIST.{name}") if found.get("consumer_count") else {}
        for consumer in consumers.get("consumers") or ():
            waiting = max(waiting, consumer["num_pending"] + consumer["num_ack_pending"])
            redelivered = max(redelivered, consumer["num_redelivered"])
            if config["retention"] == "limits":
                lost = max(lost, found["first_seq"] - consumer["ack_floor"]["stream_seq"] - 1)
        limit = config["max_bytes"]
        rows.append(
            StreamFigures(
                name=name,
                messages=found["messages"],
                bytes=found["bytes"],
                max_bytes=limit,
                max_age=config["max_age"] / _SECOND,
                policy="refuse new" if config["discard"] == "new" else "drop oldest",
                fill=found["bytes"] / limit if limit > 0 else 0.0,
                waiting=waiting,
                redelivered=redelivered,
                lost=max(0, lost),
            )
        )
    return rows
