"""The twenty published disturbances IDV(1) to IDV(20), and the random walks that drive twelve of them.

A walk is a cubic spline through random targets at random times (Downs and Vogel, 1993); while its disturbance is off, the
next target is the nominal value, so that switching off lets the plant return smoothly.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Final

__all__ = ["DISTURBANCES", "Disturbance", "DisturbanceKind", "Walks"]


class DisturbanceKind(StrEnum):
    """How a disturbance acts while it is on."""

    STEP = "step"
    RANDOM = "random variation"
    DRIFT = "slow drift"
    STICKING = "sticking"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Disturbance:
    """One IDV: what it is, in two languages, and what a person sees after switching it on."""

    number: int
    name: str
    chinese: str
    kind: DisturbanceKind
    seen: str

    @property
    def browse_name(self) -> str:
        """``IDV01`` … ``IDV20``."""
        return f"IDV{self.number:02d}"


_K = DisturbanceKind

DISTURBANCES: Final = (
    Disturbance(
        1,
        "A/C feed ratio, B composition constant (stream 4)",
        "A/C进料比变化，B组成不变（流4）",
        _K.STEP,
        "the A feed valve opens from 25 % to about 70 %, the A feed triples; pressures swing by 100 kPa for some hours",
    ),
    Disturbance(
        2,
        "B composition, A/C ratio constant (stream 4)",
        "B组成变化，A/C比不变（流4）",
        _K.STEP,
        "inert B builds up; the purge flow doubles to 750 Sm³/h to carry it out, and the stripper needs half the steam",
    ),
    Disturbance(3, "D feed temperature (stream 2)", "D进料温度阶跃（流2）", _K.STEP, "almost nothing: control absorbs it"),
    Disturbance(
        4,
        "Reactor cooling water inlet temperature",
        "反应器冷却水入口温度阶跃",
        _K.STEP,
        "reactor temperature jumps by 0.2 °C and is brought back; the cooling water valve stays at 45 % instead of 41 %",
    ),
    Disturbance(
        5,
        "Condenser cooling water inlet temperature",
        "冷凝器冷却水入口温度阶跃",
        _K.STEP,
        "pressures, compressor power and steam flow swing for hours, then all is as before",
    ),
    Disturbance(
        6,
        "A feed loss (stream 1)",
        "A进料中断（流1）",
        _K.STEP,
        "the A feed is zero; the pressure climbs to 3000 kPa and the plant trips after about six hours",
    ),
    Disturbance(
        7,
        "C header pressure loss, reduced availability (stream 4)",
        "C总管压力下降，供应能力降低（流4）",
        _K.STEP,
        "the A and C feed falls by a fifth until its valve has opened from 61 % to about 76 %; pressures swing by 100 kPa",
    ),
    Disturbance(
        8,
        "A, B, C feed composition (stream 4)",
        "A、B、C进料组成随机变化（流4）",
        _K.RANDOM,
        "feed and purge analyses wander; pressures, A feed and steam flow follow",
    ),
    Disturbance(
        9, "D feed temperature (stream 2)", "D进料温度随机变化（流2）", _K.RANDOM, "almost nothing: control absorbs it"
    ),
    Disturbance(
        10,
        "C feed temperature (stream 4)",
        "C进料温度随机变化（流4）",
        _K.RANDOM,
        "stripper temperature wanders by 2 °C, the steam flow with it",
    ),
    Disturbance(
        11,
        "Reactor cooling water inlet temperature",
        "反应器冷却水入口温度随机变化",
        _K.RANDOM,
        "reactor temperature swings by 0.3 °C; the cooling water valve works between 35 and 50 %",
    ),
    Disturbance(
        12,
        "Condenser cooling water inlet temperature",
        "冷凝器冷却水入口温度随机变化",
        _K.RANDOM,
        "separator temperature swings by 5 °C, pressures by 100 kPa, the compressor's power with them",
    ),
    Disturbance(
        13,
        "Reaction kinetics",
        "反应动力学缓慢漂移",
        _K.DRIFT,
        "pressures drift by more than 100 kPa over hours; the steam flow almost stops, then comes back",
    ),
    Disturbance(
        14,
        "Reactor cooling water valve",
        "反应器冷却水阀粘滞",
        _K.STICKING,
        "reactor temperature (0.4 °C) and cooling water outlet (2 °C) oscillate within minutes; the valve hunts",
    ),
    Disturbance(15, "Condenser cooling water valve", "冷凝器冷却水阀粘滞", _K.STICKING, "almost nothing under this control"),
    Disturbance(
        16,
        "Unknown (heat transfer of the stripper)",
        "未知（汽提塔传热）",
        _K.UNKNOWN,
        "steam flow wanders by 30 kg/h, stripper temperature by 1 °C",
    ),
    Disturbance(
        17,
        "Unknown (heat transfer of the reactor)",
        "未知（反应器传热）",
        _K.UNKNOWN,
        "in pulses the cooling water leaves 14 °C colder, the reactor warms by 0.5 °C, the valve opens to 56 %",
    ),
    Disturbance(
        18,
        "Unknown (heat transfer of the condenser)",
        "未知（冷凝器传热）",
        _K.UNKNOWN,
        "in pulses the condenser's water leaves 13 °C colder; pressures and compressor power swing for hours",
    ),
    Disturbance(
        19,
        "Unknown (four valves stick)",
        "未知（四个阀门粘滞）",
        _K.UNKNOWN,
        "recycle flow and its valve move in steps instead of smoothly",
    ),
    Disturbance(
        20,
        "Unknown (flow from reactor to separator)",
        "未知（反应器至分离器流量）",
        _K.UNKNOWN,
        "in pulses the separator's pressure falls by 60 kPa and the compressor's power by 20 kW",
    ),
)
"""Numbered as published; ``DISTURBANCES[n - 1]`` is IDV(n)."""


@dataclass(frozen=True, slots=True)
class _WalkKind:
    disturbance: int
    nominal: float
    spread: float
    shortest: float
    span: float


_SPLINES: Final = (
    _WalkKind(8, 0.485, 0.03, 0.5, 0.2),
    _WalkKind(8, 0.005, 0.003, 1.0, 0.7),
    _WalkKind(9, 45.0, 10.0, 0.5, 0.25),
    _WalkKind(10, 45.0, 10.0, 1.0, 0.7),
    _WalkKind(11, 35.0, 10.0, 0.25, 0.15),
    _WalkKind(12, 40.0, 10.0, 0.25, 0.15),
    _WalkKind(13, 1.0, 0.25, 2.0, 1.0),
    _WalkKind(13, 1.0, 0.25, 2.0, 1.0),
    _WalkKind(16, 0.0, 0.25, 0.5, 0.4),
)
_PULSES: Final = (
    _WalkKind(17, 0.0, 0.0, 2.0, 1.5),
    _WalkKind(18, 0.0, 0.0, 3.0, 2.0),
    _WalkKind(20, 0.0, 0.0, 2.0, 1.5),
)


class _Walk:
    """One cubic in hours since ``since``, replaced at ``until``."""

    __slots__ = ("a", "b", "c", "d", "kind", "pulse", "since", "until")

    def __init__(self, kind: _WalkKind, pulse: bool) -> None:
        self.kind = kind
        self.pulse = pulse
        self.a, self.b, self.c, self.d = kind.nominal, 0.0, 0.0, 0.0
        self.since, self.until = 0.0, 0.1

    @property
    def rests(self) -> bool:
        """Whether it stays at its nominal value until `until`."""
        return self.a == self.kind.nominal and self.b == self.c == self.d == 0.0

    def value(self, time: float) -> float:
        h = time - self.since
        return self.a + h * (self.b + h * (self.c + h * self.d))

    def renew(self, on: bool, random: Random) -> None:
        h = self.until - self.since
        value, slope = self.value(self.until), self.b + h * (2.0 * self.c + 3.0 * h * self.d)
        self.since = self.until
        if self.pulse:
            self._renew_pulse(value, slope, on, random)
            return
        kind = self.kind
        h = kind.span * random.uniform(-1.0, 1.0) + kind.shortest
        target = kind.spread * random.uniform(-1.0, 1.0) * on + kind.nominal
        self.a, self.b = value, slope
        self.c = (3.0 * (target - value) - 2.0 * h * slope) / h**2
        self.d = (2.0 * (value - target) + h * slope) / h**3
        self.until = self.since + h

    def _renew_pulse(self, value: float, slope: float, on: bool, random: Random) -> None:
        """A pulse rises from zero to one as a parabola, then falls back within six minutes."""
        if value > 0.1:
            self.a, self.b = value, slope
            self.c = -(3.0 * value + 0.2 * slope) / 0.01
            self.d = (2.0 * value + 0.1 * slope) / 0.001
            self.until = self.since + 0.1
            return
        h = self.kind.span * random.uniform(-1.0, 1.0) + self.kind.shortest
        self.a, self.b, self.c, self.d = 0.0, 0.0, on / h**2, 0.0
        self.until = self.since + h


class Walks:
    """The twelve random walks: composition of A and B in stream 4, four temperatures, two kinetics, four factors."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._walks = [_Walk(kind, False) for kind in _SPLINES] + [_Walk(kind, True) for kind in _PULSES]

        self._due = 0.0
        self._resting = [walk.value(0.0) for walk in self._walks]
        self._rest = False

    def values(self, time: float, active: list[bool]) -> list[float]:
        """The walks at ``time`` (hours, never decreasing); ``active[n]`` says whether IDV(n) is on."""
        if time >= self._due:
            for walk in self._walks:
                if time >= walk.until:
                    walk.renew(active[walk.kind.disturbance], self._random)
            self._due = min(walk.until for walk in self._walks)
            self._rest = all(walk.rests for walk in self._walks)
        return self._resting if self._rest else [walk.value(time) for walk in self._walks]
