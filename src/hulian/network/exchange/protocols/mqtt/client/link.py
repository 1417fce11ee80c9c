"""One connection: bytes to events and back, flow control, and the proof that the other side is alive."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from typing import Final, cast

from hulian.kernel.errors import HulianError
from hulian.network.exchange.protocols.contract import PeerTrust
from hulian.network.exchange.protocols.mqtt.client.place import Place, check_certificate
from hulian.network.exchange.protocols.mqtt.codec import Decoder, Event, Pingresp
from hulian.network.exchange.protocols.mqtt.errors import BrokerError, SilentError, TlsError, WireError

__all__ = ["Link"]

_BEAT: Final = 1.0
_PING: Final = b"\xc0\0"


class Link(asyncio.Protocol):
    """``hear`` gets the events of each received buffer; ``lost`` ends as soon as the connection does, with the reason.

    A reader that is behind calls `pause`: then the broker's TCP fills up and it waits, and its silence proves nothing.
    """

    def __init__(self, place: Place, decoder: Decoder, hear: Callable[[list[Event]], None]) -> None:
        loop = asyncio.get_running_loop()
        self.place = place
        self.decoder = decoder
        self.lost: asyncio.Future[HulianError] = loop.create_future()
        self.pinged: Callable[[], None] = lambda: None
        self.ponged: Callable[[], None] = lambda: None
        self.hurry: Callable[[], bool] = lambda: False
        """Whether an answer is wanted soon."""
        self._hear = hear
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._loop = loop
        self._heard = self._wrote = loop.time()
        self._asked: float | None = None
        self._pings = self._pongs = self._awaited = 0
        self._keep_alive = 0.0
        self._waits: set[str] = set()
        self._drained = asyncio.Event()
        self._drained.set()

    async def open(self, *, context: ssl.SSLContext | None, server_name: str, trust: PeerTrust | None, timeout: float) -> None:
        """Connects; with TLS, ``trust`` (where given) looks at the certificate before a byte of ours is sent.

        Raises `BrokerError`, `SilentError`, `TlsError`, `UnapprovedError`.
        """
        place = self.place
        name = (server_name or place.host) if context is not None else None
        try:
            async with asyncio.timeout(timeout):
                await self._loop.create_connection(lambda: self, place.host, place.port, ssl=context, server_hostname=name)
        except TimeoutError as error:
            raise SilentError(f"no connection within {timeout:g} s", place=str(place)) from error
        except ssl.SSLError as error:
            reason = getattr(error, "verify_message", "") or error.reason or str(error)
            raise TlsError(f"no encrypted connection: {reason}", place=str(place)) from error
        except OSError as error:
            raise BrokerError(f"no connection: {error.strerror or error}", place=str(place)) from error
        if context is not None and trust is not None:
            secured = cast("asyncio.Transport", self._transport).get_extra_info("ssl_object")
            try:
                await asyncio.to_thread(check_certificate, secured.getpeercert(binary_form=True), trust, place)
            except BaseException:
                self.close()
                raise

    # -- what the transport calls --------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=1_048_576)

    def data_received(self, data: bytes) -> None:
        self._heard = self._loop.time()
        events = self.decoder.feed(data)
        self._pongs += events.count(Pingresp())
        if self._asked is not None and self._pongs >= self._awaited:
            self._asked = None
            self.ponged()
        self._hear(events)

    def connection_lost(self, exc: Exception | None) -> None:
        self.fail(BrokerError(f"the connection broke: {exc or 'the broker closed it'}", place=str(self.place)))

    def pause_writing(self) -> None:
        self._drained.clear()

    def resume_writing(self) -> None:
        self._drained.set()

    # -- what the client calls -----------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Hands bytes to the transport; after the end of the connection they are dropped."""
        if data and self._transport is not None and not self.lost.done() and not self._transport.is_closing():
            self._wrote = self._loop.time()
            self._transport.write(data)

    async def drained(self) -> None:
        """Waits while the broker takes nothing; returns at the end of the connection too."""
        await self._drained.wait()

    def pause(self, reason: str) -> None:
        """Reads nothing until every `reason` to wait is gone."""
        reading = not self._waits
        self._waits.add(reason)
        if reading and self._transport is not None and not self.lost.done():
            with contextlib.suppress(RuntimeError):
                self._transport.pause_reading()

    def resume(self, reason: str) -> None:
        """``reason`` is gone."""
        if reason not in self._waits:
            return
        self._waits.discard(reason)
        if not self._waits and self._transport is not None and not self.lost.done():
            self._heard = self._loop.time()
            with contextlib.suppress(RuntimeError):
                self._transport.resume_reading()

    @property
    def paused(self) -> bool:
        """Whether nothing is read now."""
        return bool(self._waits)

    def keep_alive(self, seconds: float) -> None:
        """From now on the link proves that it lives, or ends within about one and a half times ``seconds``."""
        self._keep_alive = seconds
        self._beat()

    def _beat(self) -> None:
        if self.lost.done():
            return
        now = self._loop.time()
        if self._asked is not None and not self._waits and now - max(self._asked, self._heard) > self._keep_alive / 2:
            silence = now - self._heard
            self.fail(SilentError(f"the broker has said nothing for {silence:.0f} s", place=str(self.place)))
            return
        idle = now - min(self._wrote, self._heard)
        if self._asked is None and (idle >= self._keep_alive / 2 or self.hurry()):
            self._asked = now
            self._awaited = self._pings + 1
            self.pinged()
            self._ping()
        elif now - self._wrote >= self._keep_alive / 2:
            # While we read nothing no answer can come; the broker must hear from us all the same.
            self._ping()
        self._timer = self._loop.call_later(min(_BEAT, self._keep_alive / 8), self._beat)

    def _ping(self) -> None:
        self._pings += 1
        self.write(_PING)

    def fail(self, error: HulianError, last: bytes = b"") -> None:
        """Ends the connection for the reason of ``error``, after ``last`` (a DISCONNECT)."""
        if self.lost.done():
            return
        if last and isinstance(error, WireError | SilentError) and self._transport is not None:
            self._transport.write(last)
        self.lost.set_result(error)
        self._end()

    def close(self, last: bytes = b"") -> None:
        """Ends the connection on our own account."""
        if not self.lost.done():
            if last and self._transport is not None:
                self._transport.write(last)
            self.lost.set_result(BrokerError("the connection was closed", place=str(self.place)))
        self._end()

    def _end(self) -> None:
        self._drained.set()
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            # What is written goes out where the broker takes it; where it takes nothing the socket is given up.
            self._transport.close()
            self._loop.call_later(_BEAT, self._transport.abort)
