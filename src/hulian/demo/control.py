"""The plant-wide control of the recorded data sets: nineteen PI loops in velocity form, some setting another's target.

The structure is the second of P. R. Lyman and C. Georgakis, "Plant-wide control of the Tennessee Eastman problem",
Computers and Chemical Engineering 19 (1995) 321-331, with the tunings that E. L. Russell, L. H. Chiang and R. D. Braatz used
for their widely used fault data (2000), so that what this plant does can be laid over those recordings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hulian.demo.process import BASE_CASE

__all__ = ["LOOPS", "Control", "Loop"]


@dataclass(frozen=True, slots=True)
class Loop:
    """One controller: measurement → valve, or measurement → the target of the loop named by ``cascade``.

    ``measured`` is n of XMEAS(n), ``valve`` n of XMV(n); ``span`` and the cascaded loop's span turn units into percent;
    ``reset`` is the reset time in hours, none for a proportional loop; ``period`` in seconds of the process.
    """

    name: str
    measured: int
    target: float
    span: float
    gain: float
    valve: int = 0
    cascade: str = ""
    reset: float | None = None
    period: int = 3


LOOPS: Final = (
    Loop("d_feed", 2, 3664.0, 5811.0, 1.0, valve=1),
    Loop("e_feed", 3, 4509.3, 8354.0, 1.0, valve=2),
    Loop("a_feed", 1, 0.25052, 1.017, 1.0, valve=3),
    Loop("ac_feed", 4, 9.3477, 15.25, 1.0, valve=4),
    Loop("recycle", 5, 26.902, 53.0, -0.083, valve=5, reset=1 / 3600),
    Loop("purge", 10, 0.33712, 1.0, 1.22, valve=6),
    Loop("separator_level", 12, 50.0, 70.0, -2.06, valve=7),
    Loop("stripper_level", 15, 50.0, 70.0, -1.62, valve=8),
    Loop("steam", 19, 230.31, 460.0, 0.41, valve=9),
    Loop("reactor_water", 21, 94.599, 150.0, -1.56, valve=10, reset=1452 / 3600),
    Loop("product_flow", 17, 22.949, 46.0, 1.09, valve=11, reset=2600 / 3600),
    Loop("stripper_temperature", 18, 65.731, 130.0, 0.169, cascade="steam", reset=236 / 3600),
    Loop("reactor_level", 8, 75.0, 50.0, 1.11, cascade="ac_feed", reset=3168 / 3600),
    Loop("reactor_temperature", 9, 120.4, 150.0, 28.3, cascade="reactor_water", reset=982 / 3600),
    Loop("a_in_feed", 23, 32.188, 100.0, 18.0, cascade="a_feed", reset=3168 / 3600, period=360),
    Loop("d_in_feed", 26, 6.8820, 100.0, 8.3, cascade="d_feed", reset=3168 / 3600, period=360),
    Loop("e_in_feed", 27, 18.776, 100.0, 2.37, cascade="e_feed", reset=5069 / 3600, period=360),
    Loop("b_in_purge", 30, 13.823, 26.0, -83.2 / 15, cascade="purge", reset=6336 / 3600, period=360),
    Loop("e_in_product", 38, 0.83570, 1.6, -16.3 / 5, cascade="stripper_temperature", reset=12408 / 3600, period=900),
)
"""In the order of their evaluation: flows first, then what sets their targets, the slow analysers last."""

_SPAN_OF: Final = {loop.name: loop.span for loop in LOOPS}
_PURGE_OPENS, _PURGE_CLOSES, _PURGE_NORMAL = 2950.0, 2300.0, 2633.7
_PURGE_TARGET, _PURGE_VALVE = 0.33712, 40.060


class Control:
    """The controllers' memory: `targets` by loop name, `valves` in percent, `manual` the loops whose valve a person holds.

    A person may set any target and, for a loop in ``manual``, its valve; the agitator (XMV 12) has no loop.
    """

    def __init__(self) -> None:
        self.targets = {loop.name: loop.target for loop in LOOPS}
        self.valves = [*(round(position, 3) for position in BASE_CASE[38:49]), BASE_CASE[49]]
        self.manual: set[str] = set()
        self._errors = dict.fromkeys(self.targets, 0.0)
        self._wished: dict[str, float] = {}
        self._purge_override = 0.0

    def act(self, second: int, measured: Sequence[float]) -> None:
        """One scan at ``second`` of the process (a multiple of three) over the 41 measurements."""
        for loop in LOOPS:
            if second % loop.period:
                continue
            value = measured[loop.measured - 1]
            if loop.name == "purge" and self._override_purge(measured[12]):
                continue
            error = (self.targets[loop.name] - value) * 100.0 / loop.span
            change = error - self._errors[loop.name]
            if loop.reset is not None:
                change += error * loop.period / 3600.0 / loop.reset
            self._errors[loop.name] = error
            change *= loop.gain
            if loop.cascade:
                self.targets[loop.cascade] += change * _SPAN_OF[loop.cascade] / 100.0
            else:
                self._move(loop, change)

    def _move(self, loop: Loop, change: float) -> None:
        """Move the loop's valve; in manual, only what the loop would do, so that it takes over without an offset later."""
        if loop.name in self.manual:
            self._wished.setdefault(loop.name, self.valves[loop.valve - 1])
            self._wished[loop.name] += change
            return
        position = self._wished.pop(loop.name, self.valves[loop.valve - 1]) + change
        self.valves[loop.valve - 1] = min(max(position, 0.0), 100.0)

    def _override_purge(self, pressure: float) -> bool:
        """Whether the separator's pressure holds the purge fully open (too high) or shut (too low) until it is normal."""
        if pressure >= _PURGE_OPENS:
            self._purge_override = 100.0
        elif pressure <= _PURGE_CLOSES:
            self._purge_override = -1.0
        elif self._purge_override:
            high = self._purge_override > 0.0
            if (pressure > _PURGE_NORMAL) == high:
                return True
            self._purge_override = 0.0
            self.targets["purge"], self.valves[5], self._errors["purge"] = _PURGE_TARGET, _PURGE_VALVE, 0.0
            return True
        else:
            return False
        self.valves[5] = max(self._purge_override, 0.0)
        return True
