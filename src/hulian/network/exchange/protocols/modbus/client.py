"""One TCP connection to a device: requests out, answers matched by transaction id, as many in flight as allowed."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import struct
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from hulian.network.exchange.protocols.modbus.channel import Channel, Pace, Request, RoundTrip
from hulian.network.exchange.protocols.modbus.errors import GarbageError, LostError, ReachError
from hulian.network.exchange.protocols.modbus.wire import MAXIMUM_LENGTH

__all__ = ["Client", "Resolve", "dial"]

_REMEMBERED: Final = 256
_HEADER = struct.Struct(">HHHBB")
_FRAME: Final = 260

Resolve = Callable[[str, int], Awaitable[Sequence[tuple[Any, ...]]]]
"""What turns a name into addresses, in the form of `socket.getaddrinfo`; it raises `OSError` where it cannot."""


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


async def dial(
    make: Callable[[], asyncio.BaseProtocol], host: str, port: int, *, timeout: float, resolve: Resolve | None = None
) -> Any:
    """A protocol of ``make`` that is connected. Raises `ReachError` where nobody answers in ``timeout`` seconds."""
    loop = asyncio.get_running_loop()
    peer = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    stage = "no connection"
    try:
        async with asyncio.timeout(timeout):
            stage = f"the name '{host}' cannot be resolved"
            if _is_address(host):
                found: Sequence[tuple[Any, ...]] = [((host, port),)]
            elif resolve is None:
                found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            else:
                found = await resolve(host, port)
            stage = "no connection"
            problem: OSError | None = None
            for *_, address in found:
                try:
                    _, protocol = await loop.create_connection(make, address[0], address[1])
                    return protocol
                except OSError as error:
                    problem = error
            raise problem or OSError(f"'{host}' has no address")
    except TimeoutError as error:
        raise ReachError(f"{stage} within {timeout:g} s", place=peer) from error
    except (OSError, UnicodeError, OverflowError) as error:
        what = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ReachError(f"{stage}: {what}", place=peer) from error


class Client(Channel, asyncio.BufferedProtocol):
    """A connection that lives until it is closed, lost, or sends garbage; then every request fails with the reason.

    Answers may come in any order. An answer that comes after its request has expired is dropped and counted in ``late``;
    one that answers nothing we asked ends the connection, because then nothing on it can be trusted. What a peer sends is
    held in one buffer of fixed size, whatever it sends.
    """

    def __init__(self, peer: str, depth: int = 1, pace: Pace | None = None) -> None:
        super().__init__(peer, depth=depth, pace=pace)
        # Room for the answers of one window, within reason: what does not fit waits in the kernel.
        self._buffer = bytearray(_FRAME * max(4, min(64, 2 * depth)))
        self._view = memoryview(self._buffer)
        self._filled = 0
        self._transport: asyncio.Transport | None = None
        self._pending: dict[int, Request] = {}
        self._expired: dict[int, tuple[float, RoundTrip]] = {}
        self._transaction = 0

    @classmethod
    async def connect(
        cls,
        host: str,
        port: int,
        *,
        timeout: float,
        depth: int = 1,
        pace: Pace | None = None,
        resolve: Resolve | None = None,
    ) -> Client:
        """Raises `ReachError` where nobody answers in ``timeout`` seconds."""
        peer = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        client: Client = await dial(lambda: cls(peer, depth, pace), host, port, timeout=timeout, resolve=resolve)
        return client

    # -- out ------------------------------------------------------------------------------------------------------------

    def _send(self, requests: list[Request], now: float) -> None:
        transport, pending = self._transport, self._pending
        if transport is None:
            self.abandon(LostError("the connection is closed", place=self.peer))
            return
        frames: list[bytes] = []
        earliest = self._timer_at if self._timer is not None else float("inf")
        for request in requests:
            transaction = self._next_transaction()
            pending[transaction] = request
            request.sent = now
            request.deadline = now + request.trip.timeout
            earliest = min(earliest, request.deadline)
            frames += (transaction.to_bytes(2, "big"), request.tail)
        self._watch(earliest)
        transport.write(b"".join(frames))

    def _next_transaction(self) -> int:
        """The next number that is neither awaited nor recently given up."""
        while True:
            self._transaction = (self._transaction + 1) & 0xFFFF
            if self._transaction not in self._pending and self._transaction not in self._expired:
                return self._transaction

    def _awaited(self) -> list[Request]:
        return list(self._pending.values())

    def _on_the_way(self) -> int:
        return len(self._pending)

    def _forget(self, request: Request) -> None:
        transaction = next(number for number, one in self._pending.items() if one is request)
        del self._pending[transaction]
        if len(self._expired) >= _REMEMBERED:
            del self._expired[next(iter(self._expired))]
        self._expired[transaction] = (request.sent, request.trip)

    def _hang_up(self) -> None:
        self._pending = {}
        if self._transport is not None:
            self._transport.abort()

    # -- in -------------------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        self._transport = transport  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop."""
        what = f"the connection broke: {exc}" if exc else "the device closed the connection"
        self.abandon(LostError(what, place=self.peer))

    def get_buffer(self, sizehint: int) -> memoryview:
        """Called by the event loop."""
        return self._view[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        """Called by the event loop."""
        if self.error is not None:
            return
        self._corked = True
        try:
            self._take(self._filled + nbytes)
        except GarbageError as error:
            self.abandon(GarbageError(error.message, place=self.peer, hint=error.hint))
        except Exception as error:  # noqa: BLE001 - a defect in a callback must reach the connector, not only the loop's log
            self.broken(error)
        finally:
            self._corked = False
        self._pump()

    def _take(self, end: int) -> None:
        """All frames that are whole; the rest moves to the front of the buffer."""
        buffer, view, pending, pace = self._buffer, self._view, self._pending, self._pace
        now, received, start = self._loop.time(), time.time_ns(), 0
        while end - start >= 8:
            transaction, protocol, length, unit, function = _HEADER.unpack_from(buffer, start)
            if protocol:
                raise GarbageError(f"the protocol identifier is {protocol}, not 0")
            if not 2 <= length <= MAXIMUM_LENGTH:
                raise GarbageError(f"a frame claims {length} bytes; 2 to {MAXIMUM_LENGTH} are possible")
            stop = start + 6 + length
            if stop > end:
                break
            request = pending.get(transaction)
            if request is None:
                self._stale(transaction, now)
            else:
                if unit != request.unit:
                    raise GarbageError(f"unit {request.unit} was asked and unit {unit} answered")
                if function & 0x7F != request.pdu[0]:
                    raise GarbageError(f"function {request.pdu[0]} was asked and {function & 0x7F} answered")
                del pending[transaction]
                request.trip.observe(now - request.sent)
                self._was_heard(unit)
                if pace is not None:
                    pace.ended(now)
                request.answered(view[start + 7 : stop], received)
                if self.error is not None:
                    return
            start = stop
        # A header that can be judged is judged at once, so that no impossible length is waited for.
        if end - start >= 6:
            self._check_header(start)
        if start:
            buffer[: end - start] = buffer[start:end]
        self._filled = end - start

    def _check_header(self, start: int) -> None:
        _, protocol, length = struct.unpack_from(">HHH", self._buffer, start)
        if protocol:
            raise GarbageError(f"the protocol identifier is {protocol}, not 0")
        if not 2 <= length <= MAXIMUM_LENGTH:
            raise GarbageError(f"a frame claims {length} bytes; 2 to {MAXIMUM_LENGTH} are possible")

    def _stale(self, transaction: int, now: float) -> None:
        found = self._expired.pop(transaction, None)
        if found is None:
            raise GarbageError(f"an answer to transaction {transaction}, which nobody asked")
        sent, trip = found
        trip.observe(now - sent)
        self.late += 1
