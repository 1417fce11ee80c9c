"""What a host knows of edge nodes, their devices and metrics, as births described them."""

from __future__ import annotations

from collections import deque
from typing import Any

from hulian.network.exchange.protocols.mqtt.rows import Target
from hulian.network.exchange.protocols.mqtt.sparkplug.definitions import Definition
from hulian.network.exchange.protocols.mqtt.sparkplug.messages import Topic
from hulian.network.exchange.protocols.mqtt.sparkplug.order import Window

__all__ = ["Born", "Device", "Node"]


class Born:
    """A metric as its birth described it. ``template`` names the definition that a template instance follows."""

    __slots__ = ("alias", "datatype", "device", "name", "properties", "target", "template", "value")

    def __init__(self, name: str, alias: int | None, datatype: int, device: str, target: Target | None) -> None:
        self.name = name
        self.alias = alias
        self.datatype = datatype
        self.device = device
        self.target = target
        self.template = ""
        self.properties: dict[str, Any] = {}
        self.value: Any = None


class Device:
    """A device behind an edge node, or (with an empty name) the node itself. ``missed_at``: when it counts as dead where its
    node was born anew without it. ``base``, ``first`` and ``room``: its aliases' place in the `slots.Slots`, no room for none.
    """

    __slots__ = ("alive", "base", "first", "metrics", "missed_at", "room", "span")

    def __init__(self) -> None:
        self.alive = False
        self.metrics: dict[str, Born] = {}
        self.missed_at = 0
        self.base = self.first = self.room = self.span = 0


class Node:
    """One edge node. ``sequence`` is the last one seen, None where none is known; ``fresh``: born since we listen.

    ``early`` holds what overtook another message, ``held`` what came before its birth. ``wants_rebirth``: a request is not
    answered yet; the next goes out at ``rebirth_at``. ``doubted_until``: somebody with another bdSeq said that it is dead;
    where it says nothing until then, it is.
    """

    __slots__ = (
        "aliases", "alive", "birth_death", "definitions", "devices", "doubted_until", "early", "fresh", "held", "held_since",
        "rebirth_at", "rebirth_wait", "sequence", "wants_rebirth",
    )  # fmt: skip

    def __init__(self) -> None:
        self.alive = False
        self.fresh = False
        self.birth_death: int | None = None
        self.sequence: int | None = None
        self.devices: dict[str, Device] = {"": Device()}
        self.aliases: dict[int, Born] = {}
        self.definitions: dict[str, Definition] = {}
        self.early = Window()
        self.held: deque[tuple[Topic, Any, int]] = deque()
        self.held_since = 0
        self.rebirth_at = 0
        self.rebirth_wait = 0.0
        self.wants_rebirth = False
        self.doubted_until = 0
