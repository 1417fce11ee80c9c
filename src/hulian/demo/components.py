"""What the eight substances of the Tennessee Eastman process are made of: the constants of Downs and Vogel (1993), table 1.

A, B and C are gases at every temperature of the plant; D and E are condensable reactants, F a by-product, G and H the
liquid products. The model counts in the units of its paper: lb-mol, cubic feet, degrees Celsius, mmHg, hours, and heat in
millions of British thermal units.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp
from typing import Final

__all__ = [
    "NAMES",
    "gas_temperature",
    "heat_of_gas",
    "heat_of_liquid",
    "liquid_density",
    "liquid_temperature",
    "mean_weight",
    "vapour_pressures",
]

Mixture = Sequence[float]
"""Eight mole fractions, A to H."""

NAMES: Final = "ABCDEFGH"

_WEIGHT: Final = (2.0, 25.4, 28.0, 32.0, 46.0, 48.0, 62.0, 76.0)
_ANTOINE: Final = (
    (15.92, -1444.0, 259.0),
    (16.35, -2114.0, 265.5),
    (16.35, -2114.0, 265.5),
    (16.43, -2748.0, 232.9),
    (17.21, -3318.0, 249.6),
)
"""D to H: ln of the vapour pressure in mmHg is a + b / (t + c)."""
_DENSITY: Final = (
    (1.0, 0.0, 0.0),
    (1.0, 0.0, 0.0),
    (1.0, 0.0, 0.0),
    (23.3, -0.0700, -0.0002),
    (33.9, -0.0957, -0.000152),
    (32.8, -0.0995, -0.000233),
    (49.9, -0.0191, -0.000425),
    (50.5, -0.0541, -0.000150),
)
"""Of the liquid, lb per cubic foot: a + b t + c t²."""
_LIQUID_HEAT: Final = (
    (1.0e-6, 0.0, 0.0),
    (1.0e-6, 0.0, 0.0),
    (1.0e-6, 0.0, 0.0),
    (0.960e-6, 8.70e-9, 4.81e-11),
    (0.573e-6, 2.41e-9, 1.82e-11),
    (0.652e-6, 2.18e-9, 1.94e-11),
    (0.515e-6, 5.65e-10, 3.82e-12),
    (0.471e-6, 8.70e-10, 2.62e-12),
)
_GAS_HEAT: Final = (
    (3.411e-6, 7.18e-10, 6.0e-13),
    (0.3799e-6, 1.08e-9, -3.98e-13),
    (0.2491e-6, 1.36e-11, -3.93e-14),
    (0.3567e-6, 8.51e-10, -3.12e-13),
    (0.3463e-6, 8.96e-10, -3.27e-13),
    (0.3930e-6, 1.02e-9, -3.12e-13),
    (0.170e-6, 0.0, 0.0),
    (0.150e-6, 0.0, 0.0),
)
_LATENT_HEAT: Final = (1.0e-6, 1.0e-6, 1.0e-6, 86.7e-6, 160.0e-6, 160.0e-6, 225.0e-6, 209.0e-6)
_GAS_CONSTANT: Final = 3.57696e-6
"""Of the internal energy of the gas phase, per lb-mol and kelvin."""


def _per_mole(table: Sequence[tuple[float, float, float]]) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
    """The integrated heat capacities per mole: coefficients of t, t² and t³, one row for each power."""
    rows = [
        (1.8 * weight * a, 1.8 * weight * b / 2.0, 1.8 * weight * c / 3.0)
        for weight, (a, b, c) in zip(_WEIGHT, table, strict=True)
    ]
    return tuple(r[0] for r in rows), tuple(r[1] for r in rows), tuple(r[2] for r in rows)


_LIQUID = _per_mole(_LIQUID_HEAT)
_GAS = _per_mole(_GAS_HEAT)
_LATENT: Final = tuple(weight * heat for weight, heat in zip(_WEIGHT, _LATENT_HEAT, strict=True))


def _dot(x: Sequence[float], y: Sequence[float]) -> float:
    """Eight products; written out because it is called forty times a step."""
    return x[0] * y[0] + x[1] * y[1] + x[2] * y[2] + x[3] * y[3] + x[4] * y[4] + x[5] * y[5] + x[6] * y[6] + x[7] * y[7]


def mean_weight(mixture: Mixture) -> float:
    """Pounds per lb-mol."""
    return _dot(mixture, _WEIGHT)


def vapour_pressures(temperature: float) -> list[float]:
    """Of D, E, F, G, H in mmHg."""
    return [exp(a + b / (temperature + c)) for a, b, c in _ANTOINE]


def liquid_density(mixture: Mixture, temperature: float) -> float:
    """Lb-mol per cubic foot."""
    t = temperature
    return 1.0 / sum(x * w / (a + (b + c * t) * t) for x, w, (a, b, c) in zip(mixture, _WEIGHT, _DENSITY, strict=True))


def heat_of_liquid(mixture: Mixture, temperature: float) -> float:
    """Enthalpy per lb-mol of a liquid mixture."""
    t = temperature
    a, b, c = _LIQUID
    return t * (_dot(mixture, a) + t * (_dot(mixture, b) + t * _dot(mixture, c)))


def heat_of_gas(mixture: Mixture, temperature: float) -> float:
    """Enthalpy per lb-mol of a gas mixture, heat of vaporisation included."""
    t = temperature
    a, b, c = _GAS
    return t * (_dot(mixture, a) + t * (_dot(mixture, b) + t * _dot(mixture, c))) + _dot(mixture, _LATENT)


def liquid_temperature(mixture: Mixture, heat: float, guess: float) -> float:
    """The temperature at which a liquid mixture holds ``heat`` per lb-mol, searched from ``guess``."""
    a, b, c = _LIQUID
    return _solve(_dot(mixture, a), _dot(mixture, b), _dot(mixture, c), -heat, guess)


def gas_temperature(mixture: Mixture, energy: float, guess: float) -> float:
    """The temperature at which a gas mixture holds the internal ``energy`` per lb-mol, searched from ``guess``."""
    a, b, c = _GAS
    constant = _dot(mixture, _LATENT) - _GAS_CONSTANT * 273.15 - energy
    return _solve(_dot(mixture, a) - _GAS_CONSTANT, _dot(mixture, b), _dot(mixture, c), constant, guess)


def _solve(a: float, b: float, c: float, constant: float, guess: float) -> float:
    """Newton's root of constant + a t + b t² + c t³ near ``guess``; ``guess`` itself where it does not converge."""
    t = guess
    for _ in range(100):
        change = (constant + t * (a + t * (b + t * c))) / (a + t * (2.0 * b + t * 3.0 * c))
        t -= change
        if abs(change) < 1e-12:
            return t
    return guess
