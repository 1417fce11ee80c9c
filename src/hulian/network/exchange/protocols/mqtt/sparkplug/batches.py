"""Data messages gathered and read together: by columns where they are plain and it is their turn, else one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from hulian.network.exchange.protocols.mqtt.rows import Rows
from hulian.network.exchange.protocols.mqtt.sparkplug.bulk import read_plain
from hulian.network.exchange.protocols.mqtt.sparkplug.messages import Topic
from hulian.network.exchange.protocols.mqtt.sparkplug.nodes import Node
from hulian.network.exchange.protocols.mqtt.sparkplug.slots import Slots

__all__ = ["Batches"]

_WORTH: Final = 2048
"""Bytes of messages from which on columns are quicker than metrics one by one."""
_MOST: Final = 2**18
"""Bytes at once: beyond it the columns no longer fit the processor's cache."""

Take = Callable[[Topic, bytes, int, Rows], None]
Message = tuple[Topic, bytes]


class Batches:
    """``take`` reads one message; it is called for whatever is not plain, in the order of arrival."""

    def __init__(self, nodes: Mapping[str, Node], slots: Slots, take: Take) -> None:
        self._nodes = nodes
        self._slots = slots
        self._take = take
        self._waiting: list[Message] = []
        self._size = 0
        self._received = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, where: Topic, raw: bytes, received: int) -> bool:
        """One more data message; True where it is time to `flush`."""
        self._waiting.append((where, raw))
        self._size += len(raw)
        self._received = received
        return self._size > _MOST

    def flush(self, rows: Rows, *, singly: bool = False) -> None:
        """Everything since the last time into ``rows``."""
        waiting, size, received = self._waiting, self._size, self._received
        self._waiting, self._size = [], 0
        if size < _WORTH or singly:
            for where, raw in waiting:
                self._take(where, raw, received, rows)
            return
        while waiting:
            waiting = self._read(waiting, received, rows)

    def _read(self, waiting: list[Message], received: int, rows: Rows) -> list[Message]:
        """Returns what is left where a birth among them changed what aliases mean."""
        plain = read_plain([raw for _, raw in waiting])
        nodes = [self._nodes.get(where.node) for where, _ in waiting]
        devices = [
            None if node is None else node.devices.get(where.device) for node, (where, _) in zip(nodes, waiting, strict=True)
        ]
        slot, single = self._slots.find(plain, devices)
        fast = (plain.plain & ~single).tolist()
        sequences = plain.sequence.tolist()
        version = self._slots.version
        begun = 0

        def put(end: int) -> None:
            if begun < end:
                chosen = None
                if begun or end < len(waiting):
                    chosen = np.zeros(len(waiting), np.bool_)
                    chosen[begun:end] = True
                self._slots.put(plain, slot, chosen, received, rows)

        for place, (node, device, sequence) in enumerate(zip(nodes, devices, sequences, strict=True)):
            if fast[place] and node is not None and device is not None and device.alive and node.alive:
                last = node.sequence
                if last is not None and sequence == (last + 1) & 255 and not node.early.until:
                    node.sequence = sequence
                    node.doubted_until = 0
                    continue
            where, raw = waiting[place]
            put(place)
            begun = place + 1
            self._take(where, raw, received, rows)
            if self._slots.version != version:
                return waiting[begun:]
        put(len(waiting))
        return []
