"""What comes from a server, on its way to the edge: samples handed over, and what a person should know about them told."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from asyncua.ua.status_codes import get_name_and_doc

from hulian.kernel.configuration import convert
from hulian.kernel.errors import ConfigurationError, UnknownKeyError
from hulian.kernel.event import Severity
from hulian.kernel.quality import Quality
from hulian.network.exchange.protocols.contract import Binding, ConnectorStatus, Sink
from hulian.network.exchange.protocols.opcua import address
from hulian.network.exchange.protocols.opcua.conditions import Conditions
from hulian.network.exchange.protocols.opcua.config import BindingOptions, OpcuaConfiguration
from hulian.network.exchange.protocols.opcua.errors import AddressError
from hulian.network.exchange.protocols.opcua.events import OpcuaEvent
from hulian.network.exchange.protocols.opcua.table import Table, Taken
from hulian.network.exchange.protocols.opcua.values import BuiltIn

__all__ = ["Intake"]

_NAMED: Final = 20
"""How many bindings one event names; the rest it counts."""

_QUIET: Final = 60_000_000_000
"""How long (ns) nothing of its kind must come until a condition is over."""


class Intake:
    """The bindings of one connector: why some cannot be read, and what each message says of the others.

    ``gap`` is told which places miss samples since when (ns): a queue of the server overflowed.
    """

    def __init__(
        self,
        bindings: Sequence[Binding],
        configuration: OpcuaConfiguration,
        conditions: Conditions,
        status: ConnectorStatus,
        gap: Callable[[Iterable[tuple[int, int]]], None],
    ) -> None:
        self.table = Table(
            bindings, by_server=configuration.timestamp == "server", tolerance=int(configuration.clock_tolerance * 1e9)
        )
        self.options: dict[int, BindingOptions] = {}
        self.faults: dict[int, tuple[int, str]] = {}
        """Why a binding is bad: its status and, for a person, the reason."""
        self.counters = dict.fromkeys(_COUNTERS, 0)
        self._configuration = configuration
        self._conditions = conditions
        self._status = status
        self._gap = gap
        self._overflow_at = self._ahead_at = 0
        for place, binding in enumerate(bindings):
            self._prepare(place, binding)
        self.hopeless = frozenset(self.faults)
        """Bindings that no server can serve: their address or an option is wrong."""

    def _prepare(self, place: int, binding: Binding) -> None:
        try:
            address.check(binding.address)
            options = convert(dict(binding.options), BindingOptions, place=binding.address)
            groups = self._configuration.groups
            if options.group and options.group not in groups:
                known = ", ".join(sorted(groups)) or "none"
                raise UnknownKeyError(
                    f"there is no group {options.group!r}", place=binding.address, hint=f"the connector's groups are: {known}"
                )
            if options.object:
                address.check(options.object)
                self.table.status[place], self.table.refused[place] = Quality.GOOD, True  # a method is called, not read
            self.options[place] = options
        except AddressError as error:
            self.faults[place] = (Quality.BAD_NODE_ID_INVALID, error.message)
        except ConfigurationError as error:
            self.faults[place] = (Quality.BAD_CONFIGURATION_ERROR, f"{error}; {error.hint}")

    def hand_over(self, sink: Sink, taken: Taken, received: int) -> None:
        """Gives the samples of a message away, and tells what was wrong with them."""
        for columns in taken.columns:
            sink.samples(columns)
        self._status.samples += taken.samples
        if taken.samples:
            self._status.last_sample = received
        if taken.mismatched:
            self.counters["type_mismatches"] += len(taken.mismatched)
            named = {self.table.bindings[place].address: _kind_name(kind) for place, kind in taken.mismatched[:_NAMED]}
            self._conditions.tell(
                sink,
                OpcuaEvent.TYPE_MISMATCH,
                Severity.ERROR,
                f"{len(taken.mismatched)} points send another type than configured: "
                + ", ".join(f"{name} sends {kind}" for name, kind in named.items()),
                "browse the server again and propose the points anew; a changed type opens a new series",
                details={"points": named},
            )
        if taken.ahead:
            self.counters["source_ahead"] += taken.ahead
            self._ahead_at = received
            self._conditions.begin(
                sink,
                OpcuaEvent.SOURCE_AHEAD,
                Severity.WARNING,
                f"{taken.ahead} samples carry a time of their source that lies ahead of the server's",
                'synchronise the clocks of the devices behind the server; or take the server\'s time with timestamp = "server"',
            )
        if taken.overflowed:
            self.counters["overflows"] += len(taken.overflowed)
            self._overflow_at = received
            self._gap(zip(taken.overflowed, taken.since, strict=True))
            addresses = [self.table.bindings[place].address for place in taken.overflowed[:_NAMED]]
            self._conditions.begin(
                sink,
                OpcuaEvent.QUEUE_OVERFLOW,
                Severity.WARNING,
                f"the server's queue overflowed and lost samples of {len(taken.overflowed)} points: {', '.join(addresses)}",
                "raise queue_size or lower publishing_interval; a slow server may not bear this sampling_interval",
            )

    def missed(self, sink: Sink, number: int) -> None:
        """Tells that messages never came; what they held is missing in every point."""
        self._gap(enumerate(self.table.last_time.tolist()))
        self.counters["lost_messages"] += number
        self._conditions.tell(
            sink,
            OpcuaEvent.NOTIFICATIONS_LOST,
            Severity.ERROR,
            f"{number} messages of the server never came and it no longer has them",
            "look for an overloaded server or network; the samples in them are lost",
        )

    def calm(self, sink: Sink) -> None:
        """Ends the conditions that a message begins, once none has begun them for a while."""
        if self._overflow_at and time.time_ns() - self._overflow_at > _QUIET:
            self._overflow_at = 0
            self._conditions.end(sink, OpcuaEvent.QUEUE_OVERFLOW, "the server's queue no longer overflows")
        if self._ahead_at and time.time_ns() - self._ahead_at > _QUIET:
            self._ahead_at = 0
            self._conditions.end(sink, OpcuaEvent.SOURCE_AHEAD, "no source is ahead of the server any more")

    def check_clock(self, sink: Sink, offset: int) -> None:
        """``offset``: ns by which the server's clock is ahead of ours."""
        self.counters["clock_offset_ms"] = offset // 1_000_000
        if abs(offset) > self._configuration.clock_tolerance * 1e9:
            self._conditions.begin(
                sink,
                OpcuaEvent.CLOCK_APART,
                Severity.WARNING,
                f"the server's clock is {abs(offset) / 1e9:.0f} s {'ahead of' if offset > 0 else 'behind'} ours",
                "synchronise both clocks (NTP, PTP); samples keep the server's time",
            )
        else:
            self._conditions.end(sink, OpcuaEvent.CLOCK_APART, "the server's clock agrees with ours again")

    def refuse(self, sink: Sink, refused: dict[int, int]) -> None:
        """Marks bindings that cannot be served bad, and names them in one event."""
        if not refused:
            return
        now = time.time_ns()
        for place, code in refused.items():
            if place not in self.faults or self.faults[place][0] != code:
                self.faults[place] = (code, get_name_and_doc(code)[0])
            self.table.refused[place] = True
        for code in set(refused.values()):
            places = [place for place, status in refused.items() if status == code]
            for columns in self.table.mark(code, now, keep_value=False, places=places):
                sink.samples(columns)
        named = {self.table.bindings[place].address: self.faults[place][1] for place in list(refused)[:_NAMED]}
        self._conditions.begin(
            sink,
            OpcuaEvent.BAD_BINDINGS,
            Severity.ERROR,
            f"{len(refused)} of {len(self.table)} points cannot be read: "
            + "; ".join(f"{name}: {reason}" for name, reason in list(named.items())[:5]),
            "browse the server for the points' present addresses; the others go on",
            details={"points": named, "count": len(refused)},
            again=True,
        )

    def restored(self, sink: Sink, places: Sequence[int]) -> None:
        """Bindings that were refused can be read again."""
        for place in places:
            self.faults.pop(place, None)
            self.table.refused[place] = False
        if places and not self.faults:
            self._conditions.end(sink, OpcuaEvent.BAD_BINDINGS, "every point can be read again")

    def begin_anew(self) -> None:
        """A new session: what the last one refused may be there now."""
        for place in set(self.faults) - self.hopeless:
            del self.faults[place]
            self.table.refused[place] = False


_COUNTERS: Final = (
    "connections", "resumed", "transferred", "messages", "republished", "lost_messages", "overflows", "type_mismatches",
    "clock_offset_ms", "source_ahead", "history_samples", "history_pending", "events", "events_dropped",
)  # fmt: skip


def _kind_name(kind: int) -> str:
    return f"{BuiltIn(kind & 0x3F).name.title()}{'[]' if kind & 0x80 else ''}"
