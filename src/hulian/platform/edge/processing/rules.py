"""Local rules: a condition that holds for a time begins something, another ends it; a rule that flaps is switched off.

    idle --when--> pending --held--> active --until--> idle

Conditions are formulas; a result that is not defined (a bad input, a division by zero) is neither true nor false: it ends what
was pending and leaves what is active.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Change", "Rule", "Rules"]

_NEVER: Final = np.iinfo(np.int64).max


class Rule(NamedTuple):
    """Times in ns. ``key`` tells a changed rule from the one it was."""

    name: str
    key: str
    hold: int
    flaps: int
    flap_window: int
    rest: int


class What(StrEnum):
    """What a rule did."""

    BEGUN = "begun"
    ENDED = "ended"
    SWITCHED_OFF = "switched off"
    SWITCHED_ON = "switched on"


class Change(NamedTuple):
    """A rule did something at ``time``, UTC ns."""

    rule: int
    time: int
    what: What


class _State:
    __slots__ = ("active", "begun", "off_until", "pending")

    def __init__(self) -> None:
        self.active = False
        self.pending = _NEVER
        self.off_until = 0
        self.begun: deque[int] = deque()


class Rules:
    """The states of all rules of one processing."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = tuple(rules)
        self._states = [_State() for _ in rules]

    def feed(self, rule: int, time: npt.NDArray[np.int64], on: npt.NDArray[Any], off: npt.NDArray[Any]) -> list[Change]:
        """The results of both conditions at the samples that asked for them, NaN where not defined, in their order."""
        # Only where a condition changes can a state change, but for the end of a hold, which `_held` sees at any sample.
        state = self._states[rule]
        if not state.active and state.pending == _NEVER and not state.off_until and not (on == 1).any():
            return []
        found: list[Change] = []
        for now, begins, ends in zip(time.tolist(), on.tolist(), off.tolist(), strict=True):
            found += self._held(rule, state, now)
            if state.off_until:
                continue
            if state.active:
                if ends == 1:
                    state.active = False
                    found.append(Change(rule, now, What.ENDED))
            elif begins != 1:
                state.pending = _NEVER
            elif state.pending == _NEVER:
                state.pending = now
                found += self._held(rule, state, now)
        return found

    def advance(self, now: int) -> list[Change]:
        """What time alone brings: holds and rests that are over."""
        return [change for rule, state in enumerate(self._states) for change in self._held(rule, state, now)]

    def _held(self, rule: int, state: _State, now: int) -> list[Change]:
        if state.off_until:
            if now < state.off_until:
                return []
            began, state.off_until = state.off_until, 0
            return [Change(rule, began, What.SWITCHED_ON)]
        asked = self._rules[rule]
        if state.pending == _NEVER or now - state.pending < asked.hold:
            return []
        began, state.pending, state.active = state.pending + asked.hold, _NEVER, True
        state.begun.append(began)
        while state.begun and began - state.begun[0] > asked.flap_window:
            state.begun.popleft()
        if len(state.begun) <= asked.flaps:
            return [Change(rule, began, What.BEGUN)]
        state.active, state.off_until = False, began + asked.rest
        state.begun.clear()
        return [Change(rule, began, What.SWITCHED_OFF)]

    def kept(self) -> dict[str, Any]:
        """The states by the keys of the rules, as plain values."""
        return {
            rule.key: [state.active, state.pending, state.off_until, list(state.begun)]
            for rule, state in zip(self._rules, self._states, strict=True)
        }

    def restore(self, kept: dict[str, Any]) -> None:
        """The inverse of `kept`; a rule that changed begins anew."""
        for rule, state in zip(self._rules, self._states, strict=True):
            if (known := kept.get(rule.key)) is not None:
                state.active, state.pending, state.off_until = known[0], known[1], known[2]
                state.begun = deque(known[3])
