"""The plant as its servers share it: one simulation, its speed, and what a person may do to it."""

from __future__ import annotations

from typing import Final

from hulian.demo.simulation import Simulation

__all__ = ["FASTEST", "SLOWEST", "LivePlant"]

SLOWEST: Final = 1.0
FASTEST: Final = 600.0
_MOST_BEHIND: Final = 2.0


class LivePlant:
    """A simulation that follows the clock, ``speed`` times as fast.

    `due` says how many seconds of the process the clock owes; whoever advances by them does so in small steps, so that
    servers answer meanwhile. A machine too slow for the speed falls behind at most two seconds of the clock and then
    loses time instead of catching up. A tripped plant restarts by itself after ``restart_after`` seconds.
    """

    def __init__(self, *, speed: float, seed: int, restart_after: float) -> None:
        self.simulation = Simulation(seed)
        self.speed = speed
        self.trips = 0
        self._restart_after = restart_after
        self._owed = 0.0
        self._clock: float | None = None
        self._tripped_at: float | None = None

    @property
    def state(self) -> str:
        """``running`` or ``tripped``."""
        return "tripped" if self.simulation.trip else "running"

    def due(self, clock: float) -> int:
        """Whole seconds of the process owed at ``clock`` (monotonic seconds)."""
        if self._clock is not None:
            self._owed += (clock - self._clock) * self.speed
        self._clock = clock
        self._owed = min(self._owed, max(_MOST_BEHIND * self.speed, 1.0))
        return int(self._owed)

    def advance(self, seconds: int) -> None:
        """Advance the simulation and pay ``seconds`` of what is owed."""
        self.simulation.advance(seconds)
        self._owed -= seconds

    def watch(self, clock: float) -> None:
        """Note a trip, and restart a plant that has stood still long enough."""
        if not self.simulation.trip:
            self._tripped_at = None
        elif self._tripped_at is None:
            self._tripped_at = clock
            self.trips += 1
        elif clock - self._tripped_at >= self._restart_after:
            self.restart()

    def restart(self) -> None:
        """The base case again, every disturbance off."""
        self.simulation.reset()
        self._tripped_at = None

    def disturb(self, number: int, on: bool) -> None:
        """Switch IDV(``number``)."""
        self.simulation.disturbances[number] = on
