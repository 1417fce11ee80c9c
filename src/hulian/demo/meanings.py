"""What the quantities of the plant mean: concepts of the general dictionary and of QUDT, and what the values of states are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from hulian.demo.signals import Signal

__all__ = ["QUANTITY_KINDS", "States", "meanings_of", "states_of"]

States = Mapping[str, Mapping[str, str]]
"""What each value means, by language."""

QUANTITY_KINDS: Final = {
    "pressure": "Pressure",
    "temperature": "Temperature",
    "volume-flow": "VolumeFlowRate",
    "mass-flow": "MassFlowRate",
    "level": "Length",
    "active-power": "Power",
    "composition": "MoleFraction",
    "position": "DimensionlessRatio",
    "speed": "RotationalVelocity",
    "duration": "Time",
    "count": "Count",
}
"""Concepts of the general dictionary that the plant measures, and the quantity kind of QUDT that each stands for."""

_BY_UNIT: Final = {"m3/h": "volume-flow", "kg/h": "mass-flow", "kPa": "pressure", "Cel": "temperature", "kW": "active-power"}
_BY_LETTER: Final = {"L": "level", "X": "position", "A": "composition"}
_ROLES: Final = {"X": "output"}
_OTHERS: Final = {
    "state": ("state",),
    "plant.state": ("state",),
    "trip.reason": ("status",),
    "tripped": ("alarm",),
    "trips": ("count",),
    "process.time": ("duration",),
    "running.time": ("duration",),
    "speed": ("parameter",),
    "restart": ("command",),
    "level.high": ("level", "alarm"),
    "level.low": ("level", "alarm"),
    "level.manual": ("mode",),
}
_BOTH_TRIPPED: Final[States] = {"0": {"en": "running", "zh": "运行"}, "1": {"en": "tripped", "zh": "停车"}}
_SWITCH: Final[States] = {"0": {"en": "off", "zh": "关闭"}, "1": {"en": "on", "zh": "投入"}}
_STATES: Final[Mapping[str, States]] = {
    "state": {"running": {"en": "running", "zh": "运行"}, "tripped": {"en": "tripped", "zh": "停车"}},
    "plant.state": _BOTH_TRIPPED,
    "tripped": _BOTH_TRIPPED,
    "level.high": {"0": {"en": "normal", "zh": "正常"}, "1": {"en": "high", "zh": "高"}},
    "level.low": {"0": {"en": "normal", "zh": "正常"}, "1": {"en": "low", "zh": "低"}},
    "level.manual": {"0": {"en": "automatic", "zh": "自动"}, "1": {"en": "manual", "zh": "手动"}},
}


def meanings_of(quantity: str, signal: Signal | None = None) -> tuple[str, ...]:
    """Identifiers of concepts, the quantity first: what it is, which part it plays, and the same in QUDT.

    ``quantity`` names it within its thing; a disturbance means a command, as everything does that is only written.
    """
    if signal is None or (quantity in _OTHERS and signal.name != quantity):
        names = list(_OTHERS.get(quantity, ("command",)))
    else:
        letter = signal.tag[0]
        name = "speed" if signal.name == "agitator.speed" else _BY_UNIT.get(signal.unit.ucum) or _BY_LETTER[letter]
        set_point = bool(signal.where.target) or quantity != signal.name
        names = [name, "set-point" if set_point else _ROLES.get(letter, "measured-value")]
    kinds = [QUANTITY_KINDS[name] for name in names if name in QUANTITY_KINDS]
    return (*(f"hulian:{name}" for name in names), *(f"http://qudt.org/vocab/quantitykind/{kind}" for kind in kinds))


def states_of(thing: str, quantity: str) -> States:
    """The values of a state, and what each means; nothing for what is measured."""
    return _SWITCH if thing.endswith("/disturbances") else _STATES.get(quantity, {})
