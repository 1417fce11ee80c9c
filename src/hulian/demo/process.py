"""The Tennessee Eastman process as Downs and Vogel published it: fifty states, twelve valves, forty-one measurements.

J. J. Downs and E. F. Vogel, "A plant-wide industrial process control problem", Computers and Chemical Engineering 17
(1993) 245-255. Gaseous A, C, D and E react to the liquids G and H and the by-product F, with the inert B, in a cooled
reactor; a condenser and a separator return the gas to the reactor and pass the liquid to a stripper, whose bottom is the
product. The model's own units stay inside; `Process.measurements` are in the published ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, sqrt
from random import Random
from typing import Final

from hulian.demo.components import (
    gas_temperature,
    heat_of_gas,
    heat_of_liquid,
    liquid_density,
    liquid_temperature,
    mean_weight,
    vapour_pressures,
)
from hulian.demo.disturbances import Walks

__all__ = ["BASE_CASE", "VALVES", "Process"]

VALVES: Final = 12

BASE_CASE: Final = (
    10.40491389, 4.363996017, 7.570059737, 0.4230042431, 24.15513437, 2.942597645, 154.3770655, 159.1865960, 2.808522723,
    63.75581199, 26.74026066, 46.38532432, 0.2464521543, 15.20484404, 1.852266172, 52.44639459, 41.20394008, 0.5699317760,
    0.4306056376, 7.9906200783e-03, 0.9056036089, 1.6054258216e-02, 0.7509759687, 8.8582855955e-02, 48.27726193, 39.38459028,
    0.3755297257,
    107.7562698, 29.77250546, 88.32481135, 23.03929507, 62.85848794, 5.546318688, 11.92244772, 5.555448243, 0.9218489762,
    94.59927549, 77.29698353,
    63.05263039, 53.97970677, 24.64355755, 61.30192144, 22.21, 40.06374673, 38.10034370, 46.53415582, 47.44573456, 41.10581288,
    18.11349055, 50.0,
)  # fmt: skip
"""The states of the published base case: reactor, separator, stripper and mixing zone (eight lb-mol and a heat each), two
cooling water temperatures, twelve valve positions."""

_GAS_CONSTANT: Final = 998.9
_KELVIN: Final = 273.15
_REACTOR, _SEPARATOR, _STRIPPER, _MIXER = 1300.0, 3500.0, 156.5, 5000.0
_FULL_FLOW: Final = (400.0, 400.0, 100.0, 1500.0, 0.0, 0.0, 1500.0, 1000.0, 0.03, 1000.0, 1200.0, 0.0)
_VALVE_LAG: Final = tuple(seconds / 3600.0 for seconds in (8, 8, 6, 9, 7, 5, 5, 5, 120, 5, 5, 5))
_STICKING_BAND: Final = 2.0
_STREAM_1: Final = (0.0, 0.0001, 0.0, 0.9999, 0.0, 0.0, 0.0, 0.0)
_STREAM_2: Final = (0.0, 0.0, 0.0, 0.0, 0.9999, 0.0001, 0.0, 0.0)
_STREAM_3: Final = (0.9999, 0.0001, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
_WEIGHT_1, _WEIGHT_2 = mean_weight(_STREAM_1), mean_weight(_STREAM_2)
_HEAT_2, _HEAT_3 = heat_of_gas(_STREAM_2, 45.0), heat_of_gas(_STREAM_3, 45.0)
_STRIPPED: Final = (0.995, 0.991, 0.99)
_STRIPPABILITY: Final = (8.5010, 11.402, 11.795, 0.0480, 0.0242)
_COMPRESSOR_FLOW: Final = 280275.0
_COMPRESSOR_RATIO: Final = 1.3
_WATER_HELD_REACTOR, _WATER_HELD_CONDENSER = 7060.0, 11138.0
_KSCMH: Final = 0.359 / 35.3145
_KILOGRAM: Final = 0.454
_CUBIC_FEET: Final = 35.3145
_NOISE: Final = (
    0.0012, 18.0, 22.0, 0.05, 0.2, 0.21, 0.3, 0.5, 0.01, 0.0017, 0.01, 1.0, 0.3, 0.125, 1.0, 0.3, 0.115, 0.01, 1.15, 0.2, 0.01,
    0.01, 0.25, 0.1, 0.25, 0.1, 0.25, 0.025, 0.25, 0.1, 0.25, 0.1, 0.25, 0.025, 0.05, 0.05, 0.01, 0.01, 0.01, 0.5, 0.5,
)  # fmt: skip
"""Standard deviations of the 41 measurements."""


@dataclass(frozen=True, slots=True)
class _Flash:
    """A vessel of liquid in equilibrium with its vapour."""

    liquid: list[float]
    vapour: list[float]
    temperature: float
    partial: list[float]
    pressure: float
    density: float
    liquid_volume: float
    vapour_volume: float


def _kilopascal(mmhg: float) -> float:
    return (mmhg - 760.0) / 760.0 * 101.325


def _flash(held: list[float], heat: float, volume: float, guess: float) -> _Flash:
    total = held[3] + held[4] + held[5] + held[6] + held[7]
    liquid = [0.0, 0.0, 0.0, *(amount / total for amount in held[3:])]
    temperature = liquid_temperature(liquid, heat / total, guess)
    density = liquid_density(liquid, temperature)
    liquid_volume = total / density
    vapour_volume = volume - liquid_volume
    per_mole = _GAS_CONSTANT * (temperature + _KELVIN) / vapour_volume
    partial = [amount * per_mole for amount in held[:3]]
    partial += [pressure * x for pressure, x in zip(vapour_pressures(temperature), liquid[3:], strict=True)]
    pressure = sum(partial)
    vapour = [part / pressure for part in partial]
    return _Flash(liquid, vapour, temperature, partial, pressure, density, liquid_volume, vapour_volume)


class Process:
    """The plant without its controllers.

    Set `valves` (what each of the twelve is told, in percent) and `disturbances` (``[n]`` is IDV(n)); `step` advances the
    model by an Euler step and leaves `exact`, the 22 continuous measurements without noise. `measure` adds the noise of the
    instruments; the analysers' 19 values change only when their sample and its dead time are over. `trip` names the limit
    that was violated; a tripped plant stands still until `reset`. `samples` counts what the gas analysers and the product
    analyser have shown.
    """

    def __init__(self, seed: int = 1) -> None:
        self._random = Random(seed)  # noqa: S311 - a simulated instrument's noise
        self.reset()

    def reset(self) -> None:
        """The base case at time zero, every disturbance off."""
        self.time = 0.0
        self.state = list(BASE_CASE)
        self.valves = list(BASE_CASE[38:])
        self.disturbances = [False] * 21
        self.trip = ""
        self._told = list(self.valves)
        self._walks = Walks(self._random)
        self._guesses = [120.4, 80.1, 65.7, 86.1]
        self._due = [0.1, 0.25]
        self.samples = [0, 0]
        self.derivatives()
        self._waiting = list(self.composition)
        self._analyses = list(self.composition)

    def step(self, hours: float) -> None:
        """Advance by ``hours`` (one second of the process is the published step)."""
        slopes = self.derivatives()
        if self.trip:
            return
        self.state = [value + slope * hours for value, slope in zip(self.state, slopes, strict=True)]
        self.time += hours
        self._sample()

    def measure(self) -> list[float]:
        """The 41 measurements as the instruments show them."""
        gauss = self._random.gauss
        if self.trip:
            return [*self.exact, *self._analyses]
        return [value + gauss(0.0, noise) for value, noise in zip(self.exact, _NOISE[:22], strict=True)] + self._analyses

    def _sample(self) -> None:
        """Analysers show the sample before the last: one period of dead time."""
        for which, (first, last, period) in enumerate(((0, 14, 0.1), (14, 19, 0.25))):
            if self.time < self._due[which]:
                continue
            for i in range(first, last):
                self._analyses[i] = self._waiting[i] + self._random.gauss(0.0, _NOISE[22 + i])
            self._waiting[first:last] = self.composition[first:last]
            self._due[which] += period
            self.samples[which] += 1

    def derivatives(self) -> list[float]:
        """The slopes of the fifty states now, per hour; renews `exact`, `composition` and `trip` on the way."""
        y, on, opened = self.state, self.disturbances, self.state[38:]
        walk = self._walks.values(self.time, on)
        feed_a = walk[0] - on[1] * 0.03 - on[2] * 2.43719e-3
        feed_b = walk[1] + on[2] * 0.005
        stream_4 = (feed_a, feed_b, 1.0 - feed_a - feed_b, 0.0, 0.0, 0.0, 0.0, 0.0)

        reactor = _flash(y[0:8], y[8], _REACTOR, self._guesses[0])
        separator = _flash(y[9:17], y[17], _SEPARATOR, self._guesses[1])
        bottom_total = sum(y[18:26])
        bottom = [amount / bottom_total for amount in y[18:26]]
        bottom_temperature = liquid_temperature(bottom, y[26] / bottom_total, self._guesses[2])
        bottom_density = liquid_density(bottom, bottom_temperature)
        bottom_volume = bottom_total / bottom_density
        mixed_total = sum(y[27:35])
        mixed = [amount / mixed_total for amount in y[27:35]]
        mixed_temperature = gas_temperature(mixed, y[35] / mixed_total, self._guesses[3])
        mixed_pressure = mixed_total * _GAS_CONSTANT * (mixed_temperature + _KELVIN) / _MIXER
        self._guesses = [reactor.temperature, separator.temperature, bottom_temperature, mixed_temperature]

        made, reaction_heat = _react(reactor, walk[6], walk[7])

        # Flows, lb-mol per hour, numbered as the streams of the paper's flowsheet: 1 D, 2 E, 3 A, 4 A and C, 5 stripper
        # overhead, 6 reactor feed, 8 reactor effluent, 9 recycle, 10 purge, 11 separator liquid, 13 product.
        flow = [percent * full / 100.0 for percent, full in zip(opened, _FULL_FLOW, strict=True)]
        f1, f2 = flow[0], flow[1]
        f3 = flow[2] * (not on[6])
        f4 = flow[3] * (1.0 - on[7] * 0.2) + 1e-10
        f11, f13 = flow[6], flow[7]
        steam_transfer = flow[8] * (1.0 + walk[8])
        water_reactor, water_condenser = flow[9], flow[10]
        speed = (opened[11] + 150.0) / 100.0

        f6 = 1937.6 * sqrt(max(mixed_pressure - reactor.pressure, 0.0)) / mean_weight(mixed)
        f8 = (
            4574.21
            * sqrt(max(reactor.pressure - separator.pressure, 0.0))
            * (1.0 - 0.25 * walk[11])
            / mean_weight(reactor.vapour)
        )
        gas_weight = mean_weight(separator.vapour)
        f10 = opened[5] * 0.151169 * sqrt(max(separator.pressure - 760.0, 0.0)) / gas_weight
        f9, compressor = _compress(mixed_pressure, separator, gas_weight, opened[4])

        stripped = _strip(bottom_temperature, f4, f11)
        entering = [f4 * x + f11 * z for x, z in zip(stream_4, separator.liquid, strict=True)]
        overhead = [share * amount for share, amount in zip(stripped, entering, strict=True)]
        falling = [amount - gone for amount, gone in zip(entering, overhead, strict=True)]
        f5 = sum(overhead)

        level = reactor.liquid_volume / 7.8
        wetted = 1.0 if level > 50.0 else 0.0 if level < 10.0 else 0.025 * level - 0.25
        reactor_transfer = wetted * (-0.5 * speed**2 + 2.75 * speed - 2.5) * 855490e-6
        reactor_cooling = reactor_transfer * (y[36] - reactor.temperature) * (1.0 - 0.35 * walk[9])
        condenser_transfer = 0.404655 * (1.0 - 1.0 / (1.0 + (f8 / 3528.73) ** 4))
        condenser_cooling = condenser_transfer * (y[37] - reactor.temperature) * (1.0 - 0.25 * walk[10])
        steam = steam_transfer * (100.0 - bottom_temperature) if bottom_temperature < 100.0 else 0.0

        self.exact = [
            f3 * _KSCMH,
            f1 * _WEIGHT_1 * _KILOGRAM,
            f2 * _WEIGHT_2 * _KILOGRAM,
            f4 * _KSCMH,
            f9 * _KSCMH,
            f6 * _KSCMH,
            _kilopascal(reactor.pressure),
            (reactor.liquid_volume - 84.6) / 666.7 * 100.0,
            reactor.temperature,
            f10 * _KSCMH,
            separator.temperature,
            (separator.liquid_volume - 27.5) / 290.0 * 100.0,
            _kilopascal(separator.pressure),
            f11 / separator.density / _CUBIC_FEET,
            (bottom_volume - 78.25) / _STRIPPER * 100.0,
            _kilopascal(mixed_pressure),
            f13 / bottom_density / _CUBIC_FEET,
            bottom_temperature,
            steam * 1.04e3 * _KILOGRAM,
            compressor * 0.29307e3,
            y[36],
            y[37],
        ]
        self.composition = [100.0 * x for x in (*mixed[:6], *separator.vapour, *bottom[3:])]
        self.trip = self.trip or _violated(self.exact, reactor, separator, bottom_volume)
        if self.trip:
            return [0.0] * 50

        heat_6 = f6 * heat_of_gas(mixed, mixed_temperature)
        heat_8 = f8 * heat_of_gas(reactor.vapour, reactor.temperature)
        gas_heat = heat_of_gas(separator.vapour, separator.temperature)
        heat_9 = f9 * gas_heat + compressor
        heat_11 = f11 * heat_of_liquid(separator.liquid, separator.temperature)
        heat_5 = f5 * heat_of_gas([amount / f5 for amount in overhead], bottom_temperature)
        feeds = f1 * heat_of_gas(_STREAM_1, walk[2] + on[3] * 5.0) + f2 * _HEAT_2 + f3 * _HEAT_3
        into_reactor = [f6 * x for x in mixed]
        out_of_reactor = [f8 * x for x in reactor.vapour]
        recycled = [f9 * x for x in separator.vapour]
        gas_leaving = f9 + f10

        return [
            *(a - b + c for a, b, c in zip(into_reactor, out_of_reactor, made, strict=True)),
            heat_6 - heat_8 + reaction_heat + reactor_cooling,
            *(
                a - gas_leaving * x - f11 * z
                for a, x, z in zip(out_of_reactor, separator.vapour, separator.liquid, strict=True)
            ),
            heat_8 - heat_9 - f10 * gas_heat - heat_11 + condenser_cooling,
            *(a - f13 * x for a, x in zip(falling, bottom, strict=True)),
            f4 * heat_of_gas(stream_4, walk[3]) + heat_11 - heat_5 - f13 * heat_of_liquid(bottom, bottom_temperature) + steam,
            *(
                f1 * x1 + f2 * x2 + f3 * x3 + up + back - into
                for x1, x2, x3, up, back, into in zip(
                    _STREAM_1, _STREAM_2, _STREAM_3, overhead, recycled, into_reactor, strict=True
                )
            ),
            feeds + heat_5 + heat_9 - heat_6,
            (water_reactor * 500.53 * (walk[4] + on[4] * 5.0 - y[36]) - reactor_cooling * 1e6 / 1.8) / _WATER_HELD_REACTOR,
            (water_condenser * 500.53 * (walk[5] + on[5] * 5.0 - y[37]) - condenser_cooling * 1e6 / 1.8)
            / _WATER_HELD_CONDENSER,
            *self._move_valves(opened),
        ]

    def _move_valves(self, opened: list[float]) -> list[float]:
        """Each valve follows what it is told with a lag; a sticking one ignores small changes."""
        on, told = self.disturbances, self._told
        sticking = {9: on[14], 10: on[15], 4: on[19], 6: on[19], 7: on[19], 8: on[19]}
        for i, wanted in enumerate(self.valves):
            if abs(told[i] - wanted) > (_STICKING_BAND if sticking.get(i) else 0.0):
                told[i] = min(max(wanted, 0.0), 100.0)
        return [(t - position) / lag for t, position, lag in zip(told, opened, _VALVE_LAG, strict=True)]


def _react(reactor: _Flash, kinetics_g: float, kinetics_h: float) -> tuple[list[float], float]:
    """What the four reactions make of each component (lb-mol per hour) and the heat they give.

    A + C + D → G, A + C + E → H, A + E → F, 3 D → 2 F.
    """
    p, kelvin = reactor.partial, reactor.temperature + _KELVIN
    to_g = to_h = 0.0
    if p[0] > 0.0 and p[2] > 0.0:
        common = p[0] ** 1.1544 * p[2] ** 0.3735 * reactor.vapour_volume
        to_g = exp(31.5859536 - 40000.0 / 1.987 / kelvin) * kinetics_g * common * p[3]
        to_h = exp(3.00094014 - 20000.0 / 1.987 / kelvin) * kinetics_h * common * p[4]
    by_product = exp(53.4060443 - 60000.0 / 1.987 / kelvin) * p[0] * reactor.vapour_volume
    e_to_f = by_product * p[4]
    d_to_f = by_product * 0.767488334 * p[3]
    made = [
        -to_g - to_h - e_to_f,
        0.0,
        -to_g - to_h,
        -to_g - 1.5 * d_to_f,
        -to_h - e_to_f,
        e_to_f + d_to_f,
        to_g,
        to_h,
    ]
    return made, to_g * 0.06899381054 + to_h * 0.05


def _compress(mixed_pressure: float, separator: _Flash, gas_weight: float, bypass: float) -> tuple[float, float]:
    """The recycled flow (lb-mol per hour) and the heat that the compressor puts into it."""
    ratio = min(max(mixed_pressure / separator.pressure, 1.0), _COMPRESSOR_RATIO)
    mass = _COMPRESSOR_FLOW + _COMPRESSOR_FLOW / 1.197 * (1.0 - ratio**3)
    rise = mixed_pressure - separator.pressure
    work = mass * (separator.temperature + _KELVIN) * 1.8e-6 * 1.9872 * rise / (gas_weight * separator.pressure)
    mass = max(mass - bypass * 53.349 * sqrt(max(rise, 0.0)), 1e-3)
    return mass / gas_weight, work


def _strip(temperature: float, gas: float, liquid: float) -> tuple[float, ...]:
    """The share of each component that leaves the stripper at its top."""
    if liquid <= 0.1:
        return (*_STRIPPED, 0.9999, 0.999, 0.999, 0.99, 0.98)
    if temperature > 170.0:
        factor = temperature - 120.262
    elif temperature < 5.292:
        factor = 0.1
    else:
        factor = 363.744 / (177.0 - temperature) - 2.22579488
    ratio = gas / liquid * factor
    return (*_STRIPPED, *(k * ratio / (1.0 + k * ratio) for k in _STRIPPABILITY))


def _violated(exact: list[float], reactor: _Flash, separator: _Flash, bottom_volume: float) -> str:
    """The shutdown limit of the paper (table 5) that is violated, or nothing."""
    cubic_metres = (reactor.liquid_volume / _CUBIC_FEET, separator.liquid_volume / _CUBIC_FEET, bottom_volume / _CUBIC_FEET)
    for reason, violated in (
        ("reactor pressure above 3000 kPa", exact[6] > 3000.0),
        ("reactor temperature above 175 Cel", exact[8] > 175.0),
        ("reactor level above 24 m3", cubic_metres[0] > 24.0),
        ("reactor level below 2 m3", cubic_metres[0] < 2.0),
        ("separator level above 12 m3", cubic_metres[1] > 12.0),
        ("separator level below 1 m3", cubic_metres[1] < 1.0),
        ("stripper level above 8 m3", cubic_metres[2] > 8.0),
        ("stripper level below 1 m3", cubic_metres[2] < 1.0),
    ):
        if violated:
            return reason
    return ""
