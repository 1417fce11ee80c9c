"""The compiled loops of a listener: plain questions are answered in C, everything else comes here through a bounded queue."""

from __future__ import annotations

import asyncio
import ctypes
import ipaddress
import os
import socket
import weakref
from collections.abc import Callable
from struct import Struct
from typing import Final

import anyio
import anyio.to_thread
import msgspec
from anyio import CapacityLimiter

from hulian.network.identifiers.chain.plain import Plain
from hulian.network.identifiers.statistics.tally import Meter
from hulian.network.identifiers.store.index import CompiledIndex
from hulian.network.identifiers.transport.budget import Budget
from hulian.network.identifiers.transport.errors import ListenError

__all__ = ["CompiledAnswers", "CompiledBudget", "CompiledLoops", "Counters"]

QUEUE: Final = 4 << 20
"""Bytes of questions that wait for the chain. When they are there, further ones are dropped and counted: askers ask again. A
connection that would have to wait is closed."""

_HANDED: Final = Struct("=IBBHIi16s")
_DATAGRAM: Final = 1
_TAKEN: Final = 256 << 10
_MAPPED: Final = bytes(10) + b"\xff\xff"


class Counters(msgspec.Struct, frozen=True):
    """What the loops have done since they began; each number only grows.

    ``broken`` datagrams had no envelope that could be read. ``answered`` counts datagrams and messages on connections;
    ``handed`` datagrams and connections that went to the chain, and ``queue_full`` those that found no room on the way.
    ``over_budget`` were dropped because their source has drawn its share, ``unsent`` because the system did not take the
    answer. ``refused`` connections were beyond the limit, ``idle`` ones silent.
    """

    received: int
    broken: int
    answered: int
    handed: int
    queue_full: int
    over_budget: int
    unsent: int
    connections: int
    refused: int
    idle: int


def _packed_address(address: str) -> bytes:
    found = ipaddress.ip_address(address.partition("%")[0])
    return _MAPPED + found.packed if found.version == 4 else found.packed


def _packed_network(text: str) -> bytes:
    network = ipaddress.ip_network(text)
    mapped = network.version == 4
    return _packed_address(str(network.network_address)) + bytes((network.prefixlen + 96 * mapped,))


class CompiledBudget:
    """A `Budget` in C, which the loops and the chain draw from together."""

    def __init__(self, library: ctypes.CDLL, budget: Budget) -> None:
        self._library = library
        networks = [_packed_network(network) for network in budget.exempt]
        handle = library.hulian_budget_new(budget.rate / 2, b"".join(networks), len(networks))
        if not handle:
            raise MemoryError("no memory for the budgets of strangers")
        self.handle: int = handle
        weakref.finalize(self, library.hulian_budget_free, handle)

    def allows(self, address: str, size: int, now: float) -> bool:
        """See `Budget`."""
        return bool(self._library.hulian_budget_allows(self.handle, _packed_address(address), size, now))


class CompiledAnswers:
    """`Plain.answer` in C, one question at a time: for connections that the loops have handed over."""

    def __init__(self, library: ctypes.CDLL, plain: Plain) -> None:
        self._library = library
        self._plain = plain
        self._handles = handles(plain)
        self._room = ctypes.create_string_buffer(20 + 262_144)

    def answer(self, data: bytes, room: int) -> bytes | None:
        """See `Plain`."""
        room = min(room, len(self._room))
        size = self._library.hulian_plain_answer(*self._handles, data, len(data), self._room, room)
        return ctypes.string_at(self._room, size) if size else None


def handles(plain: Plain) -> tuple[int, int | None, int | None]:
    """Of a `Plain` whose indexes are compiled, as the C functions take it."""
    records, homes = plain.records, plain.homes
    return (
        int(plain.kind),
        records.handle if isinstance(records, CompiledIndex) else None,
        homes.handle if isinstance(homes, CompiledIndex) else None,
    )


class CompiledLoops:
    """Two threads without the interpreter's lock: one serves ``datagrams``, one accepts at ``listener``.

    What is not plain comes back in the event loop: a datagram to ``datagram`` (bytes and where they came from, as sockets have
    it), a connection for good to ``connection`` (the socket, the bytes that are not answered, the address of the asker).
    `closed` must be called when such a connection ends. The chain may stand still: the loops do not.
    """

    def __init__(
        self,
        library: ctypes.CDLL,
        plain: Plain,
        budget: CompiledBudget,
        datagrams: socket.socket,
        listener: socket.socket,
        *,
        connections: int,
        idle: float,
        datagram: Callable[[bytes, tuple[str, int] | tuple[str, int, int, int]], None],
        connection: Callable[[socket.socket, bytes, str], None],
        meter: Meter | None = None,
    ) -> None:
        self._library = library
        self._kept = (plain, budget, datagrams, listener)  # as long as the threads use them
        self._datagram, self._connection = datagram, connection
        self._taken = ctypes.create_string_buffer(_TAKEN)
        self._last = (ctypes.c_uint64 * len(Counters.__struct_fields__))()
        handle = library.hulian_server_new(
            *handles(plain), budget.handle, datagrams.fileno(), listener.fileno(), QUEUE, connections, int(idle)
        )
        if not handle:
            raise ListenError("no memory for the compiled loops")
        self._handle: int | None = handle
        if meter is not None:
            self._tallies = meter.compiled(library), meter.compiled(library)
            library.hulian_server_tally(handle, *(tally.handle for tally in self._tallies))

    async def run(self) -> None:
        """Serves until cancelled; both threads have ended when it returns. Raises `ListenError` where one ends by itself."""
        library = self._library
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._thread, library.hulian_serve_datagrams)
                group.start_soon(self._thread, library.hulian_serve_connections)
                group.start_soon(self._take)
        finally:
            self.counters  # noqa: B018 - the last ones are kept
            handle, self._handle = self._handle, None
            library.hulian_server_free(handle)

    async def _thread(self, function: Callable[[int | None], int]) -> None:
        ended = await anyio.to_thread.run_sync(function, self._handle, limiter=CapacityLimiter(1))
        if ended:
            raise ListenError(f"a compiled loop has ended: {os.strerror(ended)}")

    async def _take(self) -> None:
        """Whatever ends this task ends the threads too: they cannot be cancelled, but told."""
        loop, bell = asyncio.get_running_loop(), self._library.hulian_server_wake(self._handle)
        loop.add_reader(bell, self._take_some)
        try:
            await anyio.sleep_forever()
        finally:
            loop.remove_reader(bell)
            self._library.hulian_server_stop(self._handle)

    def _take_some(self) -> None:
        size = self._library.hulian_server_take(self._handle, self._taken, len(self._taken))
        data, at = ctypes.string_at(self._taken, size), 0
        while at < size:
            length, kind, family, port, scope, descriptor, address = _HANDED.unpack_from(data, at)
            text = socket.inet_ntop(socket.AF_INET6, address) if family == 6 else socket.inet_ntoa(address[12:])
            rest = data[at + _HANDED.size : at + length]
            at += length
            if kind == _DATAGRAM:
                self._datagram(rest, (text, port, 0, scope) if family == 6 else (text, port))
            else:
                self._connection(socket.socket(fileno=descriptor), rest, text)

    def closed(self) -> None:
        """A connection that was handed over has ended."""
        if self._handle is not None:
            self._library.hulian_server_closed(self._handle)

    @property
    def counters(self) -> Counters:
        """What the loops have done."""
        if self._handle is not None:
            self._library.hulian_server_counters(self._handle, self._last)
        return Counters(*self._last)
