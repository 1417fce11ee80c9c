"""The plant and its controllers together, advanced by seconds of the process."""

from __future__ import annotations

from typing import Final

from hulian.demo.control import Control
from hulian.demo.process import Process

__all__ = ["Simulation"]

_STEP: Final = 1.0 / 3600.0
_SCAN: Final = 3


class Simulation:
    """A closed loop that is stable for as long as nobody disturbs it; the same ``seed`` gives the same run.

    `measured` holds XMEAS(1…41), `valves` XMV(1…12) as the controllers ask for them, `seconds` the time of the process since
    the last `reset`; `trip` names the violated limit of a plant that has shut itself down.
    """

    def __init__(self, seed: int = 1) -> None:
        self.process = Process(seed)
        self.control = Control()
        self.seconds = 0
        self.measured = self.process.measure()

    @property
    def trip(self) -> str:
        return self.process.trip

    @property
    def valves(self) -> list[float]:
        return self.control.valves

    @property
    def disturbances(self) -> list[bool]:
        """``[n]`` is IDV(n); set it to switch a disturbance."""
        return self.process.disturbances

    def reset(self) -> None:
        """The base case again, every disturbance off, every loop automatic; the noise goes on, not over."""
        self.process.reset()
        self.control = Control()
        self.seconds = 0
        self.measured = self.process.measure()

    def advance(self, seconds: int) -> None:
        """Advance by whole ``seconds`` of the process; a tripped plant stands still."""
        for _ in range(seconds):
            if self.process.trip:
                return
            self.seconds += 1
            if self.seconds % _SCAN == 0:
                self.measured = self.process.measure()
                self.control.act(self.seconds, self.measured)
                self.process.valves = self.control.valves
            self.process.step(_STEP)
