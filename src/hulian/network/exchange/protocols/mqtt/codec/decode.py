"""Received bytes to events: every complete packet of a buffer in one call, runs of the common ones as columns.

The two packets that make up nearly all traffic never become objects of their own: PUBLISH is read in one loop with a memory
of the topics seen, acknowledgements without a reason are found by comparing a whole buffer at once.
"""

from __future__ import annotations

from typing import Final, NoReturn, TypeAlias

import msgspec
import numpy as np

from hulian.network.exchange.protocols.mqtt.codec.bodies import READ
from hulian.network.exchange.protocols.mqtt.codec.faults import Fault
from hulian.network.exchange.protocols.mqtt.codec.kinds import PacketType, Version
from hulian.network.exchange.protocols.mqtt.codec.packets import Acks, Connect, Packet, Publishes
from hulian.network.exchange.protocols.mqtt.codec.properties import NONE, Properties, read_properties
from hulian.network.exchange.protocols.mqtt.codec.reader import Reader, fault
from hulian.network.exchange.protocols.mqtt.codec.reasons import ALLOWED_5
from hulian.network.exchange.protocols.mqtt.errors import WireError

__all__ = ["Decoder", "Event", "Limits"]

Event: TypeAlias = Packet | Publishes | Acks | WireError
_MOST_TOPICS: Final = 65_536
_MANY: Final = 64
"""Bytes from which on it pays to look at acknowledgements as an array."""
_GOOD_REASONS: Final = {
    kind: np.isin(np.arange(256), list(ALLOWED_5[kind]))
    for kind in (PacketType.PUBACK, PacketType.PUBREC, PacketType.PUBREL, PacketType.PUBCOMP)
}
_WIDTHS: Final = (0, 0, 2, 2, 2, 2, -1, -1, -1, -1, 2, 2, 2, 2, -1, -1)
"""Bytes of the packet identifier by the flags of a PUBLISH; -1 where the flags are wrong."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What we accept of a peer, checked before anything is kept for it.

    ``packet`` is the largest packet in bytes, ``topic`` the longest topic in bytes, ``properties`` the most properties of one
    packet, ``filters`` the most topic filters of one SUBSCRIBE or codes of one SUBACK, ``aliases`` the topic alias maximum
    that we named (0: none).
    """

    packet: int = 1_048_576
    topic: int = 65_535
    properties: int = 64
    filters: int = 10_000
    aliases: int = 0


class Decoder:
    """One direction of one connection. ``version`` is None on a server's side: the first CONNECT tells it.

    Promises: any input leads to events; a `WireError` among them is the last one of this connection, and what came before it
    is complete. Kept between calls are at most one unfinished packet within the limits, the topics of the aliases, and the
    last 65,536 topics.

    >>> decoder = Decoder(Version.V311)
    >>> decoder.feed(bytes.fromhex("3006 0001 61 312e35 d000"))
    [Publishes(topics=['a'], payloads=[<memory at 0x...>], identifiers=[0], flags=[0], properties={}), Pingresp()]
    >>> str(decoder.feed(bytes.fromhex("3605 0001 61 0001"))[0])
    'HL-MQTT-0040: a PUBLISH of QoS 3, at byte 0 of a PUBLISH [MQTT-3.3.1-4]'
    """

    def __init__(self, version: Version | None, limits: Limits | None = None) -> None:
        self.version = version
        self.limits = limits or Limits()
        self.ended = False
        """Whether a `WireError` was given: nothing is read any more."""
        self._parts: list[bytes] = []
        self._have = 0
        self._need = 2
        self._topics: dict[bytes, str] = {}
        self._aliases: dict[int, str] = {}

    def feed(self, data: bytes) -> list[Event]:
        """The events of every packet that is complete with ``data``, in order."""
        if self.ended:
            return []
        if self._have:
            self._parts.append(data)
            self._have += len(data)
            if self._have < self._need:
                return []
            data = b"".join(self._parts)
            self._parts.clear()
            self._have = 0
        events: list[Event] = []
        try:
            at = self._scan(data, events)
        except WireError as error:
            self.ended = True
            events.append(error)
            return events
        if at < len(data):
            self._parts.append(data[at:])
            self._have = len(data) - at
        return events

    def _scan(self, data: bytes, events: list[Event]) -> int:
        """Appends the events of the complete packets, and returns where the first incomplete one begins."""
        at, end = 0, len(data)
        while at < end:
            kind = data[at] >> 4
            if kind == 3:
                at, more = self._publishes(data, at, events)
                if not more:
                    return at
                continue
            start, stop = self._extent(data, at, end)
            if stop > end:
                self._need = stop - at
                return at
            if 4 <= kind <= 7:
                at = self._acks(data, at, start, stop, events)
                continue
            reader = Reader(data, start, stop, origin=at, kind=kind, version=self.version or 4)
            packet = READ[kind](reader, data[at] & 15, self.version, self.limits)
            if isinstance(packet, Connect):
                self.version = packet.version
            events.append(packet)
            at = stop
        return at

    def _extent(self, data: bytes, at: int, end: int) -> tuple[int, int]:
        """(start, end) of the body of the packet at ``at``; an end behind ``end`` where it is not complete yet."""
        place, shift, length = at + 1, 0, 0
        while True:
            if place >= end:
                return place, place + 1
            byte = data[place]
            length |= (byte & 0x7F) << shift
            place += 1
            if not byte & 0x80:
                break
            shift += 7
            if shift > 21:
                raise fault(Fault.LENGTH, data[at] >> 4, 1, self.version or 4)
        if shift and not byte and self.version is Version.V5:
            raise fault(Fault.LENGTH_PADDED, data[at] >> 4, 1, 5)
        if place - at + length > self.limits.packet:
            detail = f"{place - at + length} bytes, where {self.limits.packet} are accepted"
            raise fault(Fault.TOO_LARGE, data[at] >> 4, 1, self.version or 4, detail)
        return place, place + length

    # -- PUBLISH -------------------------------------------------------------------------------------------------------

    def _publishes(self, data: bytes, at: int, events: list[Event]) -> tuple[int, bool]:  # noqa: C901 - a call a packet costs
        """A run of PUBLISH packets from ``at`` on; where it ends, and whether a complete packet may stand there."""
        run = Publishes(topics=[], payloads=[], identifiers=[], flags=[], properties={})
        topics, payloads, identifiers, flags = run.topics, run.payloads, run.identifiers, run.flags
        known, view, end = self._topics, memoryview(data), len(data)
        five, most = self.version is Version.V5, self.limits.packet
        complete = True
        try:
            while at < end:
                first = data[at]
                if first >> 4 != 3:
                    break
                # The length of nearly every packet has one byte or two.
                start = at + 2
                if start < end and data[at + 1] < 0x80:
                    stop = start + data[at + 1]
                elif start < end and 0 < data[start] < 0x80:
                    stop = start + 1 + (data[at + 1] & 0x7F | data[start] << 7)
                    start += 1
                else:
                    start, stop = self._extent(data, at, end)
                if stop > end or stop - at > most:
                    self._need, complete = self._extent(data, at, end)[1] - at, False
                    break
                width = _WIDTHS[first & 15]
                if width < 0 or stop - start < 2:
                    self._refuse(data, at, start, stop)
                ends = start + 2 + (data[start] << 8 | data[start + 1])
                body = ends + width
                if body > stop:
                    self._refuse(data, at, start, stop)
                raw = data[start + 2 : ends]
                topic = known.get(raw)
                if topic is None:
                    topic = self._topic(data, start, ends, at)
                identifier = 0
                if width:
                    identifier = data[ends] << 8 | data[ends + 1]
                    if not identifier:
                        self._refuse(data, at, start, stop)
                if five:
                    if body < stop and not data[body] and raw:
                        body += 1
                    else:
                        topic, body, given = self._with_properties(data, at, body, stop, topic)
                        if given is not NONE:
                            run.properties[len(topics)] = given
                topics.append(topic)
                payloads.append(view[body:stop])
                identifiers.append(identifier)
                flags.append(first & 15)
                at = stop
        finally:
            if topics:
                events.append(run)
        return at, complete

    def _refuse(self, data: bytes, at: int, start: int, stop: int) -> NoReturn:
        """What the loop stumbled over, found again field by field."""
        reader = Reader(data, start, stop, origin=at, kind=3, version=self.version or 4)
        if (data[at] & 6) == 6:
            reader.fail(Fault.QOS, at=at)
        if _WIDTHS[data[at] & 15] < 0:
            reader.fail(Fault.DUP, at=at)
        reader.binary()
        reader.identifier()
        raise AssertionError("a PUBLISH was refused for no reason")

    def _topic(self, data: bytes, start: int, stop: int, origin: int) -> str:
        """The topic at ``start``, looked at once and then known."""
        reader = Reader(data, start, stop, origin=origin, kind=3, version=self.version or 4)
        size = data[start] << 8 | data[start + 1]
        if size > self.limits.topic:
            reader.fail(Fault.TOPIC_LENGTH, f"{size} bytes, where {self.limits.topic} are accepted")
        topic = reader.text()
        if not topic:
            if self.version is Version.V5:
                return ""
            reader.fail(Fault.TOPIC_EMPTY, at=start)
        if "+" in topic or "#" in topic:
            reader.fail(Fault.TOPIC_WILDCARD, topic[:80], at=start)
        if len(self._topics) >= _MOST_TOPICS:
            self._topics.clear()
        self._topics[data[start + 2 : start + 2 + size]] = topic
        return topic

    def _with_properties(self, data: bytes, origin: int, at: int, stop: int, topic: str) -> tuple[str, int, Properties]:
        """Topic, start of the payload, and properties, with the alias resolved."""
        reader = Reader(data, at, stop, origin=origin, kind=3, version=5)
        given = read_properties(reader, PacketType.PUBLISH, self.limits.properties)
        alias = given.topic_alias
        if alias is not None:
            if alias > self.limits.aliases:
                reader.fail(Fault.ALIAS_RANGE, f"{alias} of {self.limits.aliases}", at=at)
            if topic:
                self._aliases[alias] = topic
            else:
                topic = self._aliases.get(alias, "")
                if not topic:
                    reader.fail(Fault.ALIAS_UNKNOWN, str(alias), at=at)
        elif not topic:
            reader.fail(Fault.TOPIC_EMPTY, at=at)
        return topic, reader.at, given

    # -- acknowledgements ----------------------------------------------------------------------------------------------

    def _acks(self, data: bytes, at: int, start: int, stop: int, events: list[Event]) -> int:
        first = data[at]
        kind = first >> 4
        version = self.version or 4
        if first & 15 != (2 if kind == 6 else 0):
            raise fault(Fault.FLAGS, kind, 0, version, f"0x{first & 15:X}")
        last = events[-1] if events else None
        acks = last if isinstance(last, Acks) and last.kind == kind else None
        if acks is None:
            acks = Acks(kind=PacketType(kind), identifiers=[], reasons={}, properties={})
        if len(data) - at >= _MANY and stop - start <= (4 if self.version is Version.V5 else 2):
            run = _equal_acks(data, at, stop - at, acks)
            if run:
                if acks is not last:
                    events.append(acks)
                return at + (stop - at) * run
        reader = Reader(data, start, stop, origin=at, kind=kind, version=version)
        identifier = reader.identifier()
        place = len(acks.identifiers)
        if self.version is Version.V5 and reader.at < stop:
            reason = reader.byte()
            if reason not in ALLOWED_5[acks.kind]:
                reader.fail(Fault.REASON, f"0x{reason:02X}", at=reader.at - 1)
            given = read_properties(reader, kind, self.limits.properties) if reader.at < stop else NONE
            reader.done()
            if reason:
                acks.reasons[place] = reason
            if given is not NONE:
                acks.properties[place] = given
        else:
            reader.done()
        acks.identifiers.append(identifier)
        if acks is not last:
            events.append(acks)
        return stop


def _equal_acks(data: bytes, at: int, size: int, acks: Acks) -> int:
    """Adds the acknowledgements of the same ``size`` (4 to 6 bytes: without reason, with one, with an empty property section)
    that stand at ``at`` one behind the other; returns how many, 0 where the first one is not right."""
    if size < 4:
        return 0
    rows = np.frombuffer(data, np.uint8, (len(data) - at) // size * size, at).reshape(-1, size)
    same = (rows[:, 0] == data[at]) & (rows[:, 1] == size - 2) & ((rows[:, 2] | rows[:, 3]) != 0)
    if size > 4:
        same &= _GOOD_REASONS[acks.kind][rows[:, 4]]
    if size > 5:
        same &= rows[:, 5] == 0
    run = len(rows) if same.all() else int(same.argmin())
    before = len(acks.identifiers)
    acks.identifiers.extend((rows[:run, 2].astype(np.uint16) << 8 | rows[:run, 3]).tolist())
    if size > 4 and rows[:run, 4].any():
        reasons = enumerate(rows[:run, 4].tolist(), before)
        acks.reasons.update((place, reason) for place, reason in reasons if reason)
    return run
