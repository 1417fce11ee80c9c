"""A client of one broker session: it outlives connections, what it sends and receives goes in batches."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from hulian.kernel.errors import HulianError
from hulian.network.exchange.protocols.contract import Credentials, PeerTrust
from hulian.network.exchange.protocols.mqtt.client.greeting import Server, greeting
from hulian.network.exchange.protocols.mqtt.client.inbox import Inbox
from hulian.network.exchange.protocols.mqtt.client.link import Link
from hulian.network.exchange.protocols.mqtt.client.outbox import Flight, Outbox
from hulian.network.exchange.protocols.mqtt.client.place import Place, tls_context
from hulian.network.exchange.protocols.mqtt.client.reasons import ended, refused, said
from hulian.network.exchange.protocols.mqtt.codec import (
    Ack,
    Acks,
    Connack,
    Decoder,
    Disconnect,
    Event,
    Fault,
    Limits,
    PacketType,
    Pingresp,
    Properties,
    Publishes,
    Reason,
    Suback,
    Subscribe,
    Subscription,
    Unsuback,
    Unsubscribe,
    Version,
    Will,
    encode,
    encode_acks,
    encode_publishes,
)
from hulian.network.exchange.protocols.mqtt.codec.encode import topic_bytes
from hulian.network.exchange.protocols.mqtt.codec.properties import encode_properties
from hulian.network.exchange.protocols.mqtt.codec.reader import fault
from hulian.network.exchange.protocols.mqtt.codec.reasons import CONNACK_311
from hulian.network.exchange.protocols.mqtt.config import BrokerSettings
from hulian.network.exchange.protocols.mqtt.errors import BrokerError, EncodeError, SilentError, SubscribeError, WireError

__all__ = ["Client"]

_MOST_HEADS: Final = 65_536
_FILTERS_AT_ONCE: Final = 256
_CHUNK: Final = 512
_Answer = TypeVar("_Answer")


class Client:
    """``connect``, then `publish` and `subscribe`; after a loss `connect` again: what was on the way goes on.

    ``deliver`` is called with every run of messages that came; it must not block. Nothing is acknowledged by itself: call
    `acknowledge` when a message is safe. At most `BrokerSettings.receive_maximum` may wait for that.
    """

    def __init__(
        self,
        place: Place,
        settings: BrokerSettings,
        credentials: Credentials,
        trust: PeerTrust | None,
        *,
        client_id: str,
        inbox: Inbox | None = None,
        deliver: Callable[[Publishes], None] | None = None,
        application: str = "urn:hulian:mqtt",
    ) -> None:
        self.place = place
        self.settings = settings
        self.client_id = settings.client_id or client_id
        self.inbox = inbox or Inbox(f"{place} {self.client_id}")
        self.outbox = Outbox()
        self.server: Server | None = None
        self.link: Link | None = None
        self.resumed = False
        """Whether the broker still had our session at the last connection."""
        self.crowds = 0
        """How often more messages came than our receive maximum allows."""
        self._credentials = credentials
        self._trust = trust
        self._application = application
        self._deliver = deliver or (lambda run: None)
        self._version: Version | None = {"5": Version.V5, "3.1.1": Version.V311}.get(settings.version)
        self._fixed = self._version is not None
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._greeted: asyncio.Future[Connack] | None = None
        self._open_now: list[Publishes | Acks] = []
        self._unacknowledged = 0
        self._heads: dict[str, bytes] = {}
        self._aliases: dict[str, bytes] = {}
        self._room = asyncio.Event()
        self.will: Callable[[], Will] | None = None
        """Makes the last will of each connection anew, instead of the one of the settings."""

    # -- connecting ----------------------------------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """Whether the broker has let us in and the connection stands."""
        return self.server is not None and self.link is not None and not self.link.lost.done()

    async def connect(self) -> Server:
        """Opens the connection, logs in, and sends again what was on the way.

        Raises `BrokerError` and its kin, `WireError`, or `OptionError` for certificates that cannot be read.
        """
        context = None
        if self.place.tls:
            context = await asyncio.to_thread(tls_context, self.settings.tls, self._trust, self._application)  # type: ignore[arg-type]
        versions = [self._version] if self._version else [Version.V5, Version.V311]
        for version in versions:
            last = version is versions[-1]
            try:
                server = await self._connect(version, context)
            except _WrongVersionError as wrong:
                if last:
                    self._version = None
                    raise wrong.error from None
                continue
            self._version = version
            return server
        raise BrokerError("no protocol version is left", place=str(self.place))

    async def _connect(self, version: Version, context: Any) -> Server:
        settings = self.settings
        limits = Limits(packet=settings.packet_maximum, aliases=settings.aliases if version is Version.V5 else 0)
        trust = self._trust if settings.tls.trust == "approved" else None
        self.server = None
        self._greeted = asyncio.get_running_loop().create_future()
        self._open_now.clear()
        self.link = link = Link(self.place, Decoder(version, limits), self._hear)
        await link.open(context=context, server_name=settings.tls.server_name, trust=trust, timeout=settings.timeout)
        try:
            will = self.will() if self.will is not None else None
            link.write(encode(greeting(settings, self._credentials, self.client_id, version, will), version))
            try:
                answer = await self._answer(link, self._greeted, "the CONNECT")
            except BrokerError as error:
                if type(error) is BrokerError and self._version is None and version is Version.V5:
                    raise _WrongVersionError(error) from error
                raise
            self._check(answer, version)
            return self._begin(link, answer, version)
        except BaseException:
            link.close()
            raise

    def _check(self, answer: Connack, version: Version) -> None:
        reason = answer.reason
        if version is Version.V311:
            reason = CONNACK_311[reason]
        if reason:
            error = refused(reason, answer.properties, str(self.place))
            if reason == Reason.UNSUPPORTED_PROTOCOL_VERSION and not self._fixed:
                raise _WrongVersionError(error)
            raise error

    def _begin(self, link: Link, answer: Connack, version: Version) -> Server:
        """The broker let us in: its limits count, and what is left of the session is taken up."""
        self.server = server = Server.of(answer, version, self.client_id)
        self.resumed = answer.session_present
        self._unacknowledged = 0
        self._aliases.clear()
        self.inbox.disconnected()
        if not answer.session_present:
            self.inbox.forget()
        link.pinged, link.ponged, link.hurry = self.inbox.asked, self.inbox.confirmed, lambda: self.inbox.unconfirmed
        self.outbox.connected(min(server.receive_maximum, self.settings.in_flight), version, resumed=answer.session_present)
        link.write(self.outbox.resend())
        link.keep_alive(answer.properties.server_keep_alive or self.settings.keep_alive)
        runs, self._open_now = self._open_now, []
        for run in runs:
            self._heard(link, run)
        self._wake()
        return server

    def _live(self) -> tuple[Link, Server]:
        """The connection and what the broker said of itself. Raises `BrokerError` where there is none."""
        if self.link is None or self.server is None:
            raise BrokerError("not connected to the broker", place=str(self.place))
        return self.link, self.server

    async def lost(self) -> HulianError:
        """Waits for the end of the connection, and says why it ended."""
        if self.link is None:
            return BrokerError("there is no connection", place=str(self.place))
        return await asyncio.shield(self.link.lost)

    def forget(self) -> None:
        """What was on its way is sent no more: of a session that the broker forgot, it would come in the wrong order."""
        self.outbox = Outbox()

    async def close(self) -> None:
        """Says goodbye (no will is published) and ends the connection; the session stays."""
        if self.link is not None:
            version = self.link.decoder.version or Version.V311
            self.link.close(encode(Disconnect(), version) if self.server is not None else b"")
        self._wake()

    async def _answer(self, link: Link, future: asyncio.Future[_Answer], what: str) -> _Answer:
        """What the broker answers, or the end of the link as an error."""
        try:
            async with asyncio.timeout(self.settings.timeout):
                await asyncio.wait((future, link.lost), return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError as error:
            silence = f"the broker has not answered {what} within {self.settings.timeout:g} s"
            raise SilentError(silence, place=str(self.place)) from error
        if future.done():
            return future.result()
        raise link.lost.result()

    # -- what comes ----------------------------------------------------------------------------------------------------

    def _hear(self, events: list[Event]) -> None:
        link = self.link
        for event in events:
            if link is None or link.lost.done():
                return
            if isinstance(event, Publishes | Acks):
                self._heard(link, event)
            elif isinstance(event, WireError):
                self._broken(link, event)
            elif not isinstance(event, Pingresp):
                self._seldom(link, event)

    def _heard(self, link: Link, run: Publishes | Acks) -> None:
        if self.server is None:
            if self._greeted is not None and self._greeted.done():
                # In one buffer with the CONNACK: `_begin` has not run yet.
                self._open_now.append(run)
            else:
                kind = run.kind if isinstance(run, Acks) else PacketType.PUBLISH
                self._unexpected(link, kind, "before CONNACK")
        elif isinstance(run, Acks):
            self._acks(link, run)
        else:
            self._publishes(link, run)

    def _seldom(self, link: Link, event: Event) -> None:
        if isinstance(event, Connack) and self._greeted is not None and not self._greeted.done():
            self._greeted.set_result(event)
        elif isinstance(event, Suback | Unsuback) and event.identifier in self._waiting:
            waiting = self._waiting.pop(event.identifier)
            if not waiting.done():
                waiting.set_result(event)
        elif isinstance(event, Disconnect) and link.decoder.version is Version.V5:
            link.fail(ended(event.reason, event.properties, str(self.place)))
            self._wake()
        else:
            self._unexpected(link, PacketType[type(event).__name__.upper()], "nobody asked for it")

    def _unexpected(self, link: Link, kind: PacketType, detail: str) -> None:
        self._broken(link, fault(Fault.UNEXPECTED, kind, 0, int(link.decoder.version or 4), detail))

    def _broken(self, link: Link, error: WireError) -> None:
        """The broker broke the standard: it hears the reason, and the connection ends (section 4.13)."""
        last = b""
        if link.decoder.version is Version.V5 and self.server is not None:
            last = encode(Disconnect(reason=error.fault.reason), Version.V5)
        error.place = str(self.place)
        link.fail(error, last)
        self._wake()

    def _publishes(self, link: Link, run: Publishes) -> None:
        self._unacknowledged += len(run) - run.identifiers.count(0)
        if self._unacknowledged > self.settings.receive_maximum:
            # 3.1.1 has no such limit, and brokers of 5.0 exceed it where they take up a session (mosquitto 2.0 does): ending
            # the connection for it would never end. Nothing more is read; the broker waits in TCP.
            self.crowds += 1
            link.pause("crowded")
        self._deliver(run)

    def _acks(self, link: Link, acks: Acks) -> None:
        version = link.decoder.version or Version.V311
        if acks.kind is PacketType.PUBREL:
            self._release(link, acks, version)
        else:
            answer, stranger = self.outbox.acknowledge(acks, version)
            if stranger:
                self._unexpected(link, acks.kind, f"packet identifier {stranger} is not on the way")
                return
            link.write(answer + self.outbox.resend())
            self._wake()

    def _release(self, link: Link, acks: Acks, version: Version) -> None:
        parts: list[bytes] = []
        known: list[int] = []
        for identifier in acks.identifiers:
            if self.inbox.release(identifier) or version is Version.V311:
                known.append(identifier)
            else:
                missing = Ack(kind=PacketType.PUBCOMP, identifier=identifier, reason=Reason.PACKET_IDENTIFIER_NOT_FOUND)
                parts.append(encode(missing, version))
        if known:
            parts.append(encode_acks(PacketType.PUBCOMP, known))
        link.write(b"".join(parts))

    def acknowledge(self, received: Sequence[int], position: int, exactly: Sequence[int] = ()) -> None:
        """PUBACK for ``received`` (QoS 1), whose positions end with ``position``, and PUBREC for ``exactly`` (QoS 2)."""
        link = self.link
        if link is None or not self.connected:
            return
        if received:
            link.write(encode_acks(PacketType.PUBACK, received))
            self.inbox.acknowledged(list(received), position)
            self._settled(len(received))
        if exactly:
            link.write(encode_acks(PacketType.PUBREC, exactly))
            self._settled(len(exactly))

    def _settled(self, count: int) -> None:
        self._unacknowledged = max(0, self._unacknowledged - count)
        if self.link is not None and not self.crowded:
            self.link.resume("crowded")

    @property
    def crowded(self) -> bool:
        """Whether as many messages wait for our acknowledgement as may."""
        return self._unacknowledged >= self.settings.receive_maximum

    # -- what goes -----------------------------------------------------------------------------------------------------

    async def publish(self, topics: Sequence[str], payloads: Sequence[bytes], *, qos: int = 0, retain: bool = False) -> None:
        """Publishes messages of equal QoS in their order; returns when the broker has acknowledged all (QoS 0: when all are
        written). While the broker or the window is full it waits. With QoS 1 and 2 it waits through a lost connection too,
        until `connect` has succeeded again. Raises `EncodeError`, `PublishError`; with QoS 0 `BrokerError` where there is no
        connection."""
        link, server = self._live()
        if not qos and link.lost.done():
            raise link.lost.result()
        if qos > server.maximum_qos or (retain and not server.retain_available):
            raise EncodeError("the broker does not take this QoS, or retains nothing")
        heads = [self._heads.get(topic) or self._head(topic) for topic in topics]
        largest = max(map(len, payloads), default=0) + max(map(len, heads), default=0) + 10
        if largest > server.maximum_packet_size:
            raise EncodeError(f"a message of up to {largest} bytes is larger than the broker accepts")
        first = 0x30 | qos << 1 | retain
        if not qos:
            await self._publish_unconfirmed(link, server, topics, heads, payloads, first)
            return
        if not heads:
            return
        flight = Flight(len(heads))
        at = 0
        while at < len(heads):
            room = min(self.outbox.room(qos), _CHUNK) if self.connected else 0
            if room <= 0:
                await self._until_room()
                continue
            link, _ = self._live()
            link.write(self.outbox.send(heads[at : at + room], payloads[at : at + room], first, flight))
            at += room
            await link.drained()
        await flight.done

    async def _until_room(self) -> None:
        self._room.clear()
        await self._room.wait()

    async def _publish_unconfirmed(
        self, link: Link, server: Server, topics: Sequence[str], heads: list[bytes], payloads: Sequence[bytes], first: int
    ) -> None:
        five = server.version is Version.V5
        for at in range(0, len(heads), _CHUNK):
            end = at + _CHUNK
            if five and server.topic_alias_maximum:
                columns = zip(topics[at:end], heads[at:end], payloads[at:end], strict=True)
                raw = b"".join(self._aliased(*row, first, server.topic_alias_maximum) for row in columns)
            else:
                raw = encode_publishes(heads[at:end], payloads[at:end], None, first, b"\0" if five else b"")
            link.write(raw)
            await link.drained()
        if link.lost.done():
            raise link.lost.result()

    def _aliased(self, topic: str, head: bytes, payload: bytes, first: int, most: int) -> bytes:
        """A topic alias instead of the topic, from its second message on (section 3.3.2.3.4). Only for QoS 0: what may have to
        be sent again on another connection carries its topic."""
        known = self._aliases.get(topic)
        if known is not None:
            return encode_publishes([b"\0\0"], [payload], None, first, known)
        properties = b"\0"
        if len(self._aliases) < most:
            properties = encode_properties(Properties(topic_alias=len(self._aliases) + 1), PacketType.PUBLISH)
            self._aliases[topic] = properties
        return encode_publishes([head], [payload], None, first, properties)

    def _head(self, topic: str) -> bytes:
        if not topic:
            raise EncodeError("an empty topic [MQTT-4.7.3-1]")
        if len(self._heads) >= _MOST_HEADS:
            self._heads.clear()
        head = self._heads[topic] = topic_bytes(topic)
        return head

    def _wake(self) -> None:
        self._room.set()

    # -- subscriptions -------------------------------------------------------------------------------------------------

    async def subscribe(self, filters: Sequence[str], *, retained: bool = True) -> dict[str, SubscribeError]:
        """Makes the session's subscriptions exactly ``filters``; returns those that the broker refused.

        A filter that the resumed session has already is not sent again in 3.1.1, because the broker would repeat every
        retained message; in 5.0 the broker is told not to. Raises `SubscribeError` where none is left, `BrokerError`.
        """
        link, server = self._live()
        known = set(self.inbox.filters) if self.resumed else set()
        await self._unsubscribe(sorted(known - set(filters)))
        five = server.version is Version.V5
        new = [one for one in dict.fromkeys(filters) if five or one not in known]
        refusals: dict[str, SubscribeError] = {}
        qos = min(self.settings.qos, server.maximum_qos)
        for at in range(0, len(new), _FILTERS_AT_ONCE):
            chunk = new[at : at + _FILTERS_AT_ONCE]
            identifier = self.outbox.identifier()
            handling = (1 if retained else 2) if five else 0
            subscriptions = tuple(Subscription(topic_filter=one, qos=qos, retain_handling=handling) for one in chunk)
            answer = await self._ask(Subscribe(identifier=identifier, subscriptions=subscriptions), "the SUBSCRIBE")
            if len(answer.reasons) != len(chunk):
                self._unexpected(link, PacketType.SUBACK, "another number of reasons")
                raise link.lost.result()
            for topic_filter, reason in zip(chunk, answer.reasons, strict=True):
                if reason >= 0x80:
                    words = said(reason, answer.properties)
                    refusals[topic_filter] = SubscribeError(f"the broker refuses the filter: {words}", place=topic_filter)
        held = [one for one in filters if one not in refusals]
        self.inbox.subscribed(sorted(set(held)))
        if refusals and not held:
            raise next(iter(refusals.values()))
        return refusals

    async def _unsubscribe(self, filters: list[str]) -> None:
        for at in range(0, len(filters), _FILTERS_AT_ONCE):
            chunk = tuple(filters[at : at + _FILTERS_AT_ONCE])
            await self._ask(Unsubscribe(identifier=self.outbox.identifier(), topic_filters=chunk), "the UNSUBSCRIBE")

    async def _ask(self, packet: Subscribe | Unsubscribe, what: str) -> Any:
        link, server = self._live()
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[packet.identifier] = future
        link.write(encode(packet, server.version))
        try:
            return await self._answer(link, future, what)
        finally:
            self._waiting.pop(packet.identifier, None)


class _WrongVersionError(Exception):
    """The broker may know only 3.1.1."""

    def __init__(self, error: HulianError) -> None:
        super().__init__(str(error))
        self.error = error
