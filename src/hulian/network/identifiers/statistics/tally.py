"""Counters of the ways to an answer: one tally each thread, in C or in Python, which say the same of the same questions."""

from __future__ import annotations

import ctypes
import ipaddress
import time
import weakref
from collections import Counter
from collections.abc import Iterable, Sequence
from struct import Struct
from typing import Final

from hulian.network.identifiers.statistics.counts import Kind, Latency, Taken, kind_of

__all__ = ["SOURCES", "CompiledTally", "Meter", "Networks", "Tally"]

SOURCES: Final = 2_048
"""Networks that one tally tells apart between two collections; the questions of further ones are counted together."""

SECONDS: Final = 64
"""Seconds that one tally tells apart."""

_CODES: Final = (1, 100, 200, 0)
"""Of the compiled loops, which give no other answers; 0 stands for any."""

_NUMBERS: Final = Struct(f"={len(_CODES) + 5 + SECONDS + 2}Q")
_PLACE: Final = Struct("=16sQ")
_ROOM: Final = _NUMBERS.size + SOURCES * _PLACE.size
_MAPPED: Final = bytes(10) + b"\xff\xff"
_KNOWN: Final = 8_192
_NOTED: Final = 4_096


class Networks:
    """What is kept of an address: ``bits4`` and ``bits6`` of it; nothing of any where they are negative."""

    def __init__(self, bits4: int = 32, bits6: int = 128) -> None:
        self.bits4, self.bits6 = bits4, bits6
        self.kept = bits4 >= 0 and bits6 >= 0
        self._known: dict[str, bytes | None] = {}

    def of(self, address: str) -> bytes | None:
        """The network in IPv6 form; None where nothing is kept, or it is no address."""
        if not self.kept:
            return None
        try:
            return self._known[address]
        except KeyError:
            if len(self._known) >= _KNOWN:
                self._known.clear()
            found = self._known[address] = self._network(address)
            return found

    def _network(self, address: str) -> bytes | None:
        try:
            found = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return None
        packed = _MAPPED + found.packed if found.version == 4 else found.packed
        bits = 96 + self.bits4 if packed.startswith(_MAPPED) else self.bits6
        return (int.from_bytes(packed) >> (128 - bits) << (128 - bits)).to_bytes(16)


class Tally:
    """Counts in Python. Belongs to the thread that counts and takes, which is that of the event loop."""

    def __init__(self, networks: Networks) -> None:
        self._networks = networks
        self._now = Taken.nothing()
        self._addresses: list[str] = []
        self._answers: list[int] = []
        self._batches: list[tuple[int, float, float]] = []

    def batch(self, addresses: Sequence[str], codes: Sequence[int], took: float, at: float | None = None) -> None:
        """Plain answers, each to the address beside it: of a batch that took ``took`` seconds, at ``at`` (Unix seconds).

        They are noted, and counted many at once: this is run for every batch.
        """
        self._addresses += addresses
        self._answers += codes
        self._batches.append((len(codes), took, time.time() if at is None else at))
        if len(self._answers) >= _NOTED or len(self._batches) >= _NOTED:
            self._digest()

    def one(self, address: str, op_code: int, code: int, took: float, at: float | None = None) -> None:
        """One answer of the chain to a message of ``op_code``."""
        if self._batches:
            self._digest()
        kind = kind_of(op_code)
        self._codes(kind, ((code, 1),))
        self._source(address, 1)
        self._took(kind, 1, took, at)

    def take(self) -> Taken:
        """Everything since the last time, which is forgotten with it."""
        if self._batches:
            self._digest()
        taken, self._now = self._now, Taken.nothing()
        return taken

    def _digest(self) -> None:
        addresses, answers, batches = self._addresses, self._answers, self._batches
        self._addresses, self._answers, self._batches = [], [], []
        if answers:
            self._codes(Kind.RESOLVE, Counter(answers).items())
        for address, count in Counter(addresses).items():
            self._source(address, count)
        for count, took, at in batches:
            if count:
                self._took(Kind.RESOLVE, count, took, at)

    def _codes(self, kind: Kind, counts: Iterable[tuple[int, int]]) -> None:
        table = self._now.answers.setdefault(kind, {})
        for code, count in counts:
            table[code] = table.get(code, 0) + count

    def _source(self, address: str, count: int) -> None:
        network = self._networks.of(address)
        if network is None:
            return
        sources = self._now.sources
        if network in sources:
            sources[network] += count
        elif len(sources) < SOURCES:
            sources[network] = count
        else:
            self._now.others += count

    def _took(self, kind: Kind, count: int, took: float, at: float | None) -> None:
        now = time.time() if at is None else at
        seconds, second = self._now.seconds, int(now)
        if second not in seconds:
            # The compiled tally has one place for all seconds that are equal modulo 64: the latest has it.
            for old in [one for one in seconds if one % SECONDS == second % SECONDS]:
                del seconds[old]
        seconds[second] = seconds.get(second, 0) + count
        self._now.latency.setdefault(kind, Latency()).took(count, round(now * 1000), max(0, round(took * 1e9)))


class CompiledTally:
    """Counts in C: one thread adds to it, `take` is for any other."""

    def __init__(self, library: ctypes.CDLL, networks: Networks) -> None:
        self._library = library
        handle = library.hulian_tally_new(networks.bits4, networks.bits6)
        if not handle:
            raise MemoryError("no memory for the counters of the compiled loops")
        self.handle: int = handle
        self._room = ctypes.create_string_buffer(_ROOM)
        weakref.finalize(self, library.hulian_tally_free, handle)

    def take(self) -> Taken:
        """See `Tally`; waits until the batch that is being counted is over."""
        size = self._library.hulian_tally_take(self.handle, self._room, _ROOM)
        data = ctypes.string_at(self._room, size)
        numbers = _NUMBERS.unpack_from(data)
        codes = {code: count for code, count in zip(_CODES, numbers, strict=False) if count}
        if not codes:
            return Taken.nothing()
        total, least, most, least_at, most_at = numbers[len(_CODES) : len(_CODES) + 5]
        latency = Latency(sum(codes.values()), total, least, most, least_at, most_at)
        seconds = numbers[len(_CODES) + 5 : -2]
        return Taken(
            {Kind.RESOLVE: codes},
            {Kind.RESOLVE: latency},
            {packed >> 32: packed & 0xFFFFFFFF for packed in seconds if packed},
            dict(_PLACE.iter_unpack(data[_NUMBERS.size :])),
            numbers[-2],
        )


class Meter:
    """Everything that is counted in one process. What counts does so without waiting for anybody; `take` collects it."""

    def __init__(self, networks: Networks | None = None) -> None:
        self.networks = networks or Networks()
        self.tally = Tally(self.networks)
        """For the thread of the event loop."""
        self.failed = ""
        """What the store of records said when it failed last; for who collects to look at and to empty."""
        self._compiled: list[CompiledTally] = []

    def compiled(self, library: ctypes.CDLL) -> CompiledTally:
        """A tally for a loop of ``library``."""
        made = CompiledTally(library, self.networks)
        self._compiled.append(made)
        return made

    def take(self) -> Taken:
        """Everything since the last time. For the thread of the event loop."""
        taken = self.tally.take()
        for tally in self._compiled:
            taken.add(tally.take())
        return taken
