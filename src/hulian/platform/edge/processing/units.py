"""Linear conversions between units that plants use, by their UCUM codes (The Unified Code for Units of Measure, table 3 ff.).

A unit is ``factor`` and ``offset`` to the coherent SI unit of its dimension: ``si = value * factor + offset``.
"""

from __future__ import annotations

import difflib
from typing import Final, NamedTuple

from hulian.platform.edge.errors import ProcessingError

__all__ = ["UNITS", "Linear", "conversion"]


class Linear(NamedTuple):
    """``y = x * factor + offset``."""

    factor: float
    offset: float


_FOOT: Final = 0.3048
_POUND: Final = 0.45359237
_GRAVITY: Final = 9.80665
_GALLON: Final = 231 * 0.0254**3
_INCH: Final = 0.0254
_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86_400.0

_DIMENSIONS: Final[dict[str, dict[str, float | tuple[float, float]]]] = {
    "temperature": {"K": 1.0, "Cel": (1.0, 273.15), "[degF]": (5 / 9, 459.67 * 5 / 9), "[degR]": 5 / 9, "mK": 1e-3},
    "pressure": {
        "Pa": 1.0,
        "hPa": 1e2,
        "kPa": 1e3,
        "MPa": 1e6,
        "mbar": 1e2,
        "bar": 1e5,
        "atm": 101_325.0,
        "att": _GRAVITY * 1e4,
        "[psi]": _POUND * _GRAVITY / _INCH**2,
        "mm[Hg]": 133.322,
        "m[H2O]": _GRAVITY * 1e3,
        "mm[H2O]": _GRAVITY,
        "[in_i'H2O]": _GRAVITY * 1e3 * _INCH,
        "[in_i'Hg]": 133_322.0 * _INCH,
    },
    "length": {
        "m": 1.0,
        "um": 1e-6,
        "mm": 1e-3,
        "cm": 1e-2,
        "dm": 1e-1,
        "km": 1e3,
        "[in_i]": _INCH,
        "[ft_i]": _FOOT,
        "[yd_i]": 3 * _FOOT,
        "[mi_i]": 5280 * _FOOT,
    },
    "area": {"m2": 1.0, "cm2": 1e-4, "mm2": 1e-6, "[sft_i]": _FOOT**2, "[sin_i]": _INCH**2, "har": 1e4},
    "volume": {
        "m3": 1.0,
        "dm3": 1e-3,
        "cm3": 1e-6,
        "L": 1e-3,
        "l": 1e-3,
        "mL": 1e-6,
        "hL": 0.1,
        "[gal_us]": _GALLON,
        "[bbl_us]": 42 * _GALLON,
        "[cft_i]": _FOOT**3,
    },
    "mass": {"kg": 1.0, "g": 1e-3, "mg": 1e-6, "t": 1e3, "[lb_av]": _POUND, "[oz_av]": _POUND / 16, "[ston_av]": 2000 * _POUND},
    "time": {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "min": _MINUTE, "h": _HOUR, "d": _DAY},
    "frequency": {"Hz": 1.0, "/s": 1.0, "kHz": 1e3, "MHz": 1e6, "/min": 1 / _MINUTE, "/h": 1 / _HOUR},
    "speed": {
        "m/s": 1.0,
        "m/min": 1 / _MINUTE,
        "m/h": 1 / _HOUR,
        "km/h": 1 / 3.6,
        "mm/s": 1e-3,
        "cm/s": 1e-2,
        "[ft_i]/s": _FOOT,
        "[ft_i]/min": _FOOT / _MINUTE,
        "[mi_i]/h": 5280 * _FOOT / _HOUR,
        "[kn_i]": 1852 / _HOUR,
    },
    "volume flow": {
        "m3/s": 1.0,
        "m3/min": 1 / _MINUTE,
        "m3/h": 1 / _HOUR,
        "m3/d": 1 / _DAY,
        "L/s": 1e-3,
        "L/min": 1e-3 / _MINUTE,
        "L/h": 1e-3 / _HOUR,
        "mL/min": 1e-6 / _MINUTE,
        "[gal_us]/min": _GALLON / _MINUTE,
        "[cft_i]/min": _FOOT**3 / _MINUTE,
        "[bbl_us]/d": 42 * _GALLON / _DAY,
    },
    "mass flow": {
        "kg/s": 1.0,
        "kg/min": 1 / _MINUTE,
        "kg/h": 1 / _HOUR,
        "t/h": 1e3 / _HOUR,
        "t/d": 1e3 / _DAY,
        "g/s": 1e-3,
        "g/min": 1e-3 / _MINUTE,
        "[lb_av]/h": _POUND / _HOUR,
        "[lb_av]/min": _POUND / _MINUTE,
    },
    "density": {"kg/m3": 1.0, "g/cm3": 1e3, "g/mL": 1e3, "kg/L": 1e3, "g/L": 1.0, "[lb_av]/[cft_i]": _POUND / _FOOT**3},
    "force": {"N": 1.0, "kN": 1e3, "MN": 1e6, "kgf": _GRAVITY, "[lbf_av]": _POUND * _GRAVITY},
    "energy": {
        "J": 1.0,
        "kJ": 1e3,
        "MJ": 1e6,
        "GJ": 1e9,
        "W.h": _HOUR,
        "kW.h": 1e3 * _HOUR,
        "MW.h": 1e6 * _HOUR,
        "cal": 4.184,
        "kcal": 4184.0,
        "[Btu_IT]": 1055.05585262,
    },
    "power": {
        "W": 1.0,
        "mW": 1e-3,
        "kW": 1e3,
        "MW": 1e6,
        "GW": 1e9,
        "kJ/h": 1e3 / _HOUR,
        "MJ/h": 1e6 / _HOUR,
        "[HP]": 550 * _FOOT * _POUND * _GRAVITY,
        "[Btu_IT]/h": 1055.05585262 / _HOUR,
    },
    "torque": {"N.m": 1.0, "kN.m": 1e3, "mN.m": 1e-3, "[lbf_av].[ft_i]": _POUND * _GRAVITY * _FOOT},
    "electric current": {"A": 1.0, "mA": 1e-3, "uA": 1e-6, "kA": 1e3},
    "voltage": {"V": 1.0, "mV": 1e-3, "uV": 1e-6, "kV": 1e3},
    "resistance": {"Ohm": 1.0, "mOhm": 1e-3, "kOhm": 1e3, "MOhm": 1e6},
    "angle": {"rad": 1.0, "mrad": 1e-3, "deg": 0.017453292519943295, "circ": 6.283185307179586},
    "ratio": {"1": 1.0, "%": 1e-2, "[ppth]": 1e-3, "[ppm]": 1e-6, "[ppb]": 1e-9},
    "viscosity": {"Pa.s": 1.0, "mPa.s": 1e-3, "P": 0.1, "cP": 1e-3},
    "amount": {"mol": 1.0, "mmol": 1e-3, "kmol": 1e3},
    "amount flow": {"mol/s": 1.0, "mol/h": 1 / _HOUR, "kmol/h": 1e3 / _HOUR, "mmol/s": 1e-3},
}

UNITS: Final[dict[str, tuple[str, Linear]]] = {
    code: (dimension, Linear(*given) if isinstance(given, tuple) else Linear(given, 0.0))
    for dimension, codes in _DIMENSIONS.items()
    for code, given in codes.items()
}
"""Each known code with its dimension and the way to the SI unit."""


def conversion(source: str, target: str, *, place: str = "") -> Linear:
    """From a value in ``source`` to one in ``target``.

    Raises `ProcessingError` for a code that is not known (with the nearest one that is) and for units of two dimensions.

    >>> conversion("[degF]", "Cel").factor * 212 + round(conversion("[degF]", "Cel").offset, 9)
    100.0
    """
    (one, begin), (other, end) = _known(source, place), _known(target, place)
    if one != other:
        raise ProcessingError(
            f"'{source}' is a {one}, '{target}' a {other}", place=place, hint="name two units of one quantity"
        )
    if source == target:
        return Linear(1.0, 0.0)
    return Linear(begin.factor / end.factor, (begin.offset - end.offset) / end.factor)


def _known(code: str, place: str) -> tuple[str, Linear]:
    if (found := UNITS.get(code)) is not None:
        return found
    near = difflib.get_close_matches(code, UNITS, n=1, cutoff=0.5)
    hint = f"did you mean '{near[0]}'?" if near else "units are UCUM codes, e.g. bar, kPa, Cel, m3/h; else give scale"
    raise ProcessingError(f"the unit '{code[:40]}' is not known here", place=place, hint=hint)
