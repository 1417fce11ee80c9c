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
        "the A feed valve opens from 25 % to about 75 % and the A feed triples; pressure swings for hours, then returns",
    ),
    Disturbance(
        2,
        "B composition, A/C ratio constant (stream 4)",
        "B组成变化，A/C比不变（流4）",
        _K.STEP,
        "inert B builds up; the purge flow rises from 0.34 to about 0.6 kscmh to carry it out",
    ),
    Disturbance(3, "D feed temperature (stream 2)", "D进料温度阶跃（流2）", _K.STEP, "almost nothing: control absorbs it"),
    Disturbance(
        4,
        "Reactor cooling water inlet temperature",
        "反应器冷却水入口温度阶跃",
        _K.STEP,
        "reactor temperature jumps by some tenths of a degree and is brought back; the cooling water valve stays at about 45 %",
    ),
    Disturbance(
        5,
        "Condenser cooling water inlet temperature",
        "冷凝器冷却水入口温度阶跃",
        _K.STEP,
        "separator temperature and pressures rise; about eight hours of swings, then all is as before",
    ),
    Disturbance(
        6,
        "A feed loss (stream 1)",
        "A进料中断（流1）",
        _K.STEP,
        "the A feed is zero; pressure rises to 3000 kPa and the plant trips after about seven hours",
    ),
    Disturbance(
        7,
        "C header pressure loss, reduced availability (stream 4)",
        "C总管压力下降，供应能力降低（流4）",
        _K.STEP,
        "the A and C feed falls by a fifth; its valve opens from 61 % to about 75 % to make up for it",
    ),
    Disturbance(
        8,
        "A, B, C feed composition (stream 4)",
        "A、B、C进料组成随机变化（流4）",
        _K.RANDOM,
        "feed and purge analyses wander; pressures and the purge flow follow",
    ),
    Disturbance(
        9, "D feed temperature (stream 2)", "D进料温度随机变化（流2）", _K.RANDOM, "almost nothing: control absorbs it"
    ),
    Disturbance(
        10,
        "C feed temperature (stream 4)",
        "C进料温度随机变化（流4）",
        _K.RANDOM,
        "stripper temperature and steam flow wander",
    ),
    Disturbance(
        11,
        "Reactor cooling water inlet temperature",
        "反应器冷却水入口温度随机变化",
        _K.RANDOM,
        "reactor temperature swings by a degree; the cooling water valve works hard",
    ),
    Disturbance(
        12,
        "Condenser cooling water inlet temperature",
        "冷凝器冷却水入口温度随机变化",
        _K.RANDOM,
        "separator temperature, pressures and levels swing widely",
    ),
    Disturbance(
        13,
        "Reaction kinetics",
        "反应动力学缓慢漂移",
        _K.DRIFT,
        "over hours the product composition, pressures and feeds drift away",
    ),
    Disturbance(
        14,
        "Reactor cooling water valve",
        "反应器冷却水阀粘滞",
        _K.STICKING,
        "reactor temperature and cooling water outlet oscillate within minutes",
    ),
    Disturbance(15, "Condenser cooling water valve", "冷凝器冷却水阀粘滞", _K.STICKING, "almost nothing under this control"),
    Disturbance(
        16,
        "Unknown (heat transfer of the stripper)",
        "未知（汽提塔传热）",
        _K.UNKNOWN,
        "steam flow and stripper temperature wander",
    ),
    Disturbance(
        17,
        "Unknown (heat transfer of the reactor)",
        "未知（反应器传热）",
        _K.UNKNOWN,
        "reactor temperature and cooling water outlet deviate in pulses",
    ),
    Disturbance(
        18,
        "Unknown (heat transfer of the condenser)",
        "未知（冷凝器传热）",
        _K.UNKNOWN,
        "separator temperature rises in pulses; a long one can trip the plant",
    ),
    Disturbance(
        19,
        "Unknown (four valves stick)",
        "未知（四个阀门粘滞）",
        _K.UNKNOWN,
        "recycle flow, separator and stripper underflow and steam flow oscillate",
    ),
    Disturbance(
        20,
        "Unknown (flow from reactor to separator)",
        "未知（反应器至分离器流量）",
        _K.UNKNOWN,
        "the pressure difference between reactor and separator changes in pulses",
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

    def values(self, time: float, active: list[bool]) -> list[float]:
        """The walks at ``time`` (hours, never decreasing); ``active[n]`` says whether IDV(n) is on."""
        for walk in self._walks:
            if time >= walk.until:
                walk.renew(active[walk.kind.disturbance], self._random)
        return [walk.value(time) for walk in self._walks]
