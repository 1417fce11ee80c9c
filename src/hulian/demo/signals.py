"""Every quantity of the plant that an instrument shows: what it is called, measures and means, and where it comes from.

Tags follow ISA-5.1 with the published number of the variable: ``PI-07`` shows XMEAS(7), ``XV-10`` is the valve of XMV(10).
Gas flows, published in thousands of standard cubic metres an hour, are served in standard cubic metres an hour, for which
the UNECE has a code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hulian.demo.simulation import Simulation

__all__ = ["ANALYSERS", "REACTOR", "SEPARATOR", "STRIPPER", "UNITS", "Signal", "Unit", "Where", "by_tag"]


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit as UCUM, as the UNECE recommendation 20 code that OPC UA uses, and as an engineer reads it."""

    ucum: str
    unece: str
    shown: str
    name: str

    @property
    def opcua(self) -> int:
        """`EUInformation.unitId` (OPC 10000-8, 5.6.3): the UNECE code's characters as one big-endian number."""
        return int.from_bytes(self.unece.encode("ascii"), "big")


_GAS = Unit("m3/h", "Q38", "Sm³/h", "standard cubic metre per hour")
_MASS = Unit("kg/h", "E93", "kg/h", "kilogram per hour")
_VOLUME = Unit("m3/h", "MQH", "m³/h", "cubic metre per hour")
_PRESSURE = Unit("kPa", "KPA", "kPa", "kilopascal")
_TEMPERATURE = Unit("Cel", "CEL", "°C", "degree Celsius")
_PERCENT = Unit("%", "P1", "%", "percent")
_POWER = Unit("kW", "KWT", "kW", "kilowatt")
UNITS: Final = (_GAS, _MASS, _VOLUME, _PRESSURE, _TEMPERATURE, _PERCENT, _POWER)


@dataclass(frozen=True, slots=True)
class Where:
    """The source of a value in the simulation: XMEAS(number), XMV(number) or the target of a control loop."""

    measured: int = 0
    valve: int = 0
    target: str = ""


@dataclass(frozen=True, slots=True)
class Signal:
    """One quantity. ``name`` names it within its thing; ``scale`` turns the published unit into ``unit``.

    ``writable`` is true where a person may set it; then ``low`` and ``high`` are also what is accepted.
    """

    tag: str
    name: str
    unit: Unit
    low: float
    high: float
    english: str
    chinese: str
    where: Where
    scale: float = 1.0
    writable: bool = False

    @property
    def browse_name(self) -> str:
        """``feed.a.valve`` as ``FeedAValve``."""
        return "".join(part[:1].upper() + part[1:] for part in self.name.replace("_", ".").split("."))

    @property
    def metric(self) -> str:
        """What an analyser calls the mole fraction that it shows: its component's letter."""
        return self.name.rpartition(".")[2].upper()

    def value(self, plant: Simulation) -> float:
        """What the instrument shows now, in ``unit``."""
        where = self.where
        if where.measured:
            return plant.measured[where.measured - 1] * self.scale
        if where.valve:
            return plant.valves[where.valve - 1]
        return plant.control.targets[where.target] * self.scale

    def set(self, plant: Simulation, value: float) -> None:
        """Give the controllers a new target, or the agitator a new speed; ``value`` is in ``unit`` and within range."""
        if self.where.target:
            plant.control.targets[self.where.target] = value / self.scale
        else:
            plant.control.valves[self.where.valve - 1] = value


def _m(
    tag: str, name: str, unit: Unit, high: float, english: str, chinese: str, *, low: float = 0.0, scale: float = 1.0
) -> Signal:
    """A measurement; its number is in its tag."""
    return Signal(tag, name, unit, low, high, english, chinese, Where(measured=int(tag[-2:])), scale)


def _v(number: int, name: str, english: str, chinese: str, *, writable: bool = False) -> Signal:
    return Signal(f"XV-{number:02d}", name, _PERCENT, 0.0, 100.0, english, chinese, Where(valve=number), writable=writable)


def _t(tag: str, name: str, unit: Unit, low: float, high: float, english: str, chinese: str, loop: str) -> Signal:
    return Signal(tag, name, unit, low, high, english, chinese, Where(target=loop), writable=True)


REACTOR: Final = (
    _m("FI-01", "feed.a.flow", _GAS, 1017.0, "A feed (stream 1)", "A进料流量（流1）", scale=1000.0),
    _m("FI-02", "feed.d.flow", _MASS, 5811.0, "D feed (stream 2)", "D进料流量（流2）"),
    _m("FI-03", "feed.e.flow", _MASS, 8354.0, "E feed (stream 3)", "E进料流量（流3）"),
    _m("FI-06", "feed.flow", _GAS, 70000.0, "Reactor feed (stream 6)", "反应器总进料流量（流6）", scale=1000.0),
    _m("PI-07", "pressure", _PRESSURE, 3200.0, "Reactor pressure (gauge), trips above 3000", "反应器压力（表压），超3000停车"),
    _m("LI-08", "level", _PERCENT, 120.0, "Reactor level", "反应器液位"),
    _m("TI-09", "temperature", _TEMPERATURE, 175.0, "Reactor temperature; trips above 175", "反应器温度，高于175停车"),
    _m("TI-21", "coolant.temperature", _TEMPERATURE, 150.0, "Reactor cooling water outlet temperature", "反应器冷却水出口温度"),
    _v(1, "feed.d.valve", "D feed valve (stream 2)", "D进料阀（流2）"),
    _v(2, "feed.e.valve", "E feed valve (stream 3)", "E进料阀（流3）"),
    _v(3, "feed.a.valve", "A feed valve (stream 1)", "A进料阀（流1）"),
    _v(10, "coolant.valve", "Reactor cooling water valve", "反应器冷却水阀"),
    _v(12, "agitator.speed", "Agitator speed", "搅拌器转速", writable=True),
    _t("LC-08.SP", "level.setpoint", _PERCENT, 50.0, 100.0, "Reactor level set-point", "反应器液位设定值", "reactor_level"),
    _t(
        "TC-09.SP", "temperature.setpoint", _TEMPERATURE, 118.0, 124.0,
        "Reactor temperature set-point", "反应器温度设定值", "reactor_temperature",
    ),
)  # fmt: skip

SEPARATOR: Final = (
    _m("FI-05", "recycle.flow", _GAS, 53000.0, "Recycle flow (stream 8)", "循环气流量（流8）", scale=1000.0),
    _m("FI-10", "purge.flow", _GAS, 1000.0, "Purge rate (stream 9)", "驰放气流量（流9）", scale=1000.0),
    _m("TI-11", "temperature", _TEMPERATURE, 150.0, "Product separator temperature", "产品分离器温度"),
    _m("LI-12", "level", _PERCENT, 120.0, "Product separator level", "产品分离器液位"),
    _m("PI-13", "pressure", _PRESSURE, 3200.0, "Product separator pressure (gauge)", "产品分离器压力（表压）"),
    _m("FI-14", "underflow.flow", _VOLUME, 60.0, "Product separator underflow (stream 10)", "产品分离器底流流量（流10）"),
    _m("JI-20", "compressor.power", _POWER, 500.0, "Compressor work", "循环压缩机功率"),
    _m(
        "TI-22",
        "coolant.temperature",
        _TEMPERATURE,
        150.0,
        "Condenser cooling water outlet temperature",
        "冷凝器冷却水出口温度",
    ),
    _v(5, "recycle.valve", "Compressor recycle valve", "压缩机循环阀"),
    _v(6, "purge.valve", "Purge valve (stream 9)", "驰放气阀（流9）"),
    _v(7, "underflow.valve", "Separator liquid valve (stream 10)", "分离器液相阀（流10）"),
    _v(11, "coolant.valve", "Condenser cooling water valve", "冷凝器冷却水阀"),
    _t("LC-12.SP", "level.setpoint", _PERCENT, 20.0, 80.0, "Separator level set-point", "分离器液位设定值", "separator_level"),
)

STRIPPER: Final = (
    _m("FI-04", "feed.ac.flow", _GAS, 15250.0, "A and C feed (stream 4)", "A/C混合进料流量（流4）", scale=1000.0),
    _m("LI-15", "level", _PERCENT, 120.0, "Stripper level", "汽提塔液位"),
    _m("PI-16", "pressure", _PRESSURE, 3400.0, "Stripper pressure (gauge)", "汽提塔压力（表压）"),
    _m("FI-17", "product.flow", _VOLUME, 46.0, "Product flow, stripper underflow (stream 11)", "产品流量，汽提塔底流（流11）"),
    _m("TI-18", "temperature", _TEMPERATURE, 130.0, "Stripper temperature", "汽提塔温度"),
    _m("FI-19", "steam.flow", _MASS, 460.0, "Stripper steam flow", "汽提塔蒸汽流量"),
    _v(4, "feed.ac.valve", "A and C feed valve (stream 4)", "A/C进料阀（流4）"),
    _v(8, "product.valve", "Product valve (stream 11)", "产品阀（流11）"),
    _v(9, "steam.valve", "Stripper steam valve", "汽提塔蒸汽阀"),
    _t("LC-15.SP", "level.setpoint", _PERCENT, 20.0, 80.0, "Stripper level set-point", "汽提塔液位设定值", "stripper_level"),
    _t(
        "FC-17.SP", "product.flow.setpoint", _VOLUME, 20.0, 25.0,
        "Product flow set-point (acts on condenser cooling)", "产品流量设定值（作用于冷凝器冷却水）", "product_flow",
    ),
)  # fmt: skip

_NAMES_ZH: Final = {"feed": "反应器进料（流6）", "purge": "驰放气（流9）", "product": "产品（流11）"}
_NAMES_EN: Final = {"feed": "Reactor feed (stream 6)", "purge": "Purge gas (stream 9)", "product": "Product (stream 11)"}


def _analyses(stream: str, components: str, first: int) -> tuple[Signal, ...]:
    return tuple(
        _m(
            f"AI-{number:02d}", f"{stream}.{component.lower()}", _PERCENT, 100.0,
            f"{_NAMES_EN[stream]}: mole percent of {component}", f"{_NAMES_ZH[stream]}：组分{component}摩尔百分数",
        )
        for number, component in enumerate(components, first)
    )  # fmt: skip


ANALYSERS: Final = {
    "Feed": _analyses("feed", "ABCDEF", 23),
    "Purge": _analyses("purge", "ABCDEFGH", 29),
    "Product": _analyses("product", "DEFGH", 37),
}
"""By analyser, which is a Sparkplug device. Those of the gases sample every 0.1 h, that of the product every 0.25 h, each with
as much dead time."""


def by_tag(tag: str) -> Signal:
    """The signal of this tag; raises `KeyError` where the plant has none."""
    return _BY_TAG[tag]


_BY_TAG: Final = {signal.tag: signal for group in (REACTOR, SEPARATOR, STRIPPER, *ANALYSERS.values()) for signal in group}
