"""How the demo plant is connected: four connections, what to select in each, what to call it, and what it means.

`hulian.demo.describing` writes the plan as AutomationML and InstrumentML. The command line imports these descriptions through
the public API, as it would those of any plant; what they cannot carry (how often, how securely, what may be written) it takes
from here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from hulian.demo.chromatograph import DEVICE, FIELDS, Field
from hulian.demo.configuration import DemoConfiguration
from hulian.demo.meanings import meanings_of, states_of
from hulian.demo.registers import REGISTERS, Area, Register, RegisterType
from hulian.demo.signals import ANALYSERS, REACTOR, SEPARATOR, Signal
from hulian.demo.variables import NAMESPACE, VARIABLES, Variable, node_name
from hulian.kernel.point import Kind
from hulian.kernel.storage import StorageClass

__all__ = ["AREA", "PREFIX", "PlannedConnection", "PlannedPoint", "plan"]

PREFIX: Final = "99.118.8"
"""The private prefix of the demo plant's things."""

AREA: Final = "Tennessee Eastman/Kingsport/Process"
"""Enterprise, site and area of the plant (ISA-95)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedPoint:
    """One node to select, in the words of its protocol, and what an engineer would write beside it."""

    address: str
    thing: str
    quantity: str
    path: str
    storage: StorageClass = StorageClass.DOUBLE
    kind: Kind = Kind.CONTINUOUS
    tag: str = ""
    unit: str = ""
    low: float | None = None
    high: float | None = None
    texts: Mapping[str, str] = field(default_factory=dict)
    enumeration: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    meanings: tuple[str, ...] = ()
    writable: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """``99.118.8/reactor#pressure``."""
        return f"{self.thing}#{self.quantity}"

    def node(self) -> dict[str, Any]:
        """The node as a browse of the device would show it, for a device that has nothing to browse yet."""
        return {
            "address": self.address,
            "name": self.quantity,
            "path": [self.thing.rpartition("/")[2], self.quantity],
            "leaf": True,
            "storage": str(self.storage),
            "kind": str(self.kind),
            "unit": self.unit,
            "low": self.low,
            "high": self.high,
            "writable": self.writable,
            "description": self.texts.get("en", ""),
            "options": dict(self.options),
        }

    def describe(self, proposed: Mapping[str, Any]) -> dict[str, Any]:
        """A proposed point of this address with the plan's name, tag, path, unit, range and texts."""
        return {
            **proposed,
            "name": self.name,
            "storage": str(self.storage),
            "kind": str(self.kind),
            "tag": self.tag,
            "path": self.path,
            "unit": self.unit,
            "low": self.low,
            "high": self.high,
            "texts": dict(self.texts),
            "enumeration": {value: dict(texts) for value, texts in self.enumeration.items()},
            "writable": self.writable,
            "options": {**proposed.get("options", {}), **self.options},
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedConnection:
    """One connector: its suggested name, protocol, address, settings and points.

    ``credentials`` names what a person would have to type, as references; the demo needs some only where its configuration
    sets a user. ``device`` is the MQTT credential's name that must exist before the analysers can publish.
    """

    name: str
    protocol: str
    url: str
    settings: Mapping[str, Any]
    points: tuple[PlannedPoint, ...]
    credentials: Mapping[str, str] = field(default_factory=dict)
    device: str = ""

    @property
    def things(self) -> tuple[str, ...]:
        """The identifiers of the things that the points belong to, in order."""
        return tuple(dict.fromkeys(point.thing for point in self.points))

    def nodes(self) -> list[dict[str, Any]]:
        """Every point as a browse would show it."""
        return [point.node() for point in self.points]

    def select(self, proposed: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Of ``proposed`` points those that the plan selects, described by the plan, in its order."""
        by_address = {point["address"]: point for point in proposed}
        return [point.describe(by_address[point.address]) for point in self.points if point.address in by_address]


def plan(configuration: DemoConfiguration, *, prefix: str = PREFIX) -> tuple[PlannedConnection, ...]:
    """The connections to the demo plant as ``configuration`` serves it; the analysers' only where they have a credential."""
    host = "127.0.0.1" if configuration.loopback else configuration.host
    host = f"[{host}]" if ":" in host else host
    connections = [_opcua(configuration, host, prefix), _modbus(configuration, host, prefix)]
    if configuration.mqtt.user:
        connections.append(_analysers(configuration, prefix))
    connections.append(_chromatograph(configuration, host, prefix))
    return tuple(connections)


def _signal(signal: Signal, address: str, thing: str, cell: str, **more: Any) -> PlannedPoint:
    settable = bool(signal.where.target) or signal.writable
    return PlannedPoint(
        address=address,
        thing=thing,
        quantity=signal.name,
        path=f"{AREA}/{cell}",
        kind=Kind.STEP if settable else Kind.CONTINUOUS,
        tag=signal.tag,
        unit=signal.unit.ucum,
        low=signal.low,
        high=signal.high,
        texts={"en": signal.english, "zh": signal.chinese},
        meanings=meanings_of(signal.name, signal),
        writable=signal.writable,
        **more,
    )


# -- reactor, separator, disturbances ------------------------------------------------------------------------------------


def _node_address(group: str, name: str) -> str:
    return f"nsu={NAMESPACE};s={node_name(group, name)}"


def _variable(variable: Variable, prefix: str) -> PlannedPoint:
    numeric = variable.storage is StorageClass.DOUBLE
    name = (variable.name if variable.group == "Disturbances" else _words(variable.name)).lower()
    thing = f"{prefix}/{variable.group.lower()}"
    return PlannedPoint(
        address=_node_address(variable.group, variable.name),
        thing=thing,
        quantity=name,
        path=AREA,
        storage=variable.storage,
        kind=Kind.CONTINUOUS if numeric and variable.apply is None else Kind.STEP,
        tag=variable.name if variable.group == "Disturbances" else "",
        unit=variable.unit,
        low=variable.low,
        high=variable.high,
        texts={"en": variable.english, "zh": variable.chinese},
        enumeration=states_of(thing, name),
        meanings=meanings_of(name),
        writable=variable.apply is not None,
    )


def _words(name: str) -> str:
    """``ProcessTime`` as ``process.time``."""
    return "".join(f".{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip(".")


def _opcua(configuration: DemoConfiguration, host: str, prefix: str) -> PlannedConnection:
    settings = configuration.opcua
    points = [
        _signal(signal, _node_address(group, signal.browse_name), f"{prefix}/{group.lower()}", cell)
        for group, cell, signals in (("Reactor", "Reaction", REACTOR), ("Separator", "Separation", SEPARATOR))
        for signal in signals
    ]
    points += [_variable(variable, prefix) for variable in VARIABLES]
    return PlannedConnection(
        name="reactor-separator",
        protocol="opcua",
        url=f"opc.tcp://{host}:{settings.port}/",
        settings={
            "security": "best" if settings.encryption else "none",
            "writable": [point.address for point in points if point.writable],
        },
        points=tuple(points),
        credentials={"user": settings.user, "password": settings.password} if settings.user else {},
    )


# -- stripper ------------------------------------------------------------------------------------------------------------


def _register_address(register: Register) -> str:
    bits = register.area in (Area.COIL, Area.DISCRETE)
    return f"{register.area}@{register.address}" + ("" if bits else f":{register.type}")


def _register_storage(register: Register) -> StorageClass:
    if register.type is RegisterType.BOOLEAN:
        return StorageClass.BOOLEAN
    whole = register.type in (RegisterType.UINT16, RegisterType.UINT32)
    return StorageClass.INTEGER if whole else StorageClass.DOUBLE


def _register(register: Register, prefix: str) -> PlannedPoint:
    signal = register.signal
    thing, address = f"{prefix}/stripper", _register_address(register)
    options = {"scale": register.scale} if register.scale != 1.0 else {}
    return PlannedPoint(
        address=address,
        thing=thing,
        quantity=register.key,
        path=f"{AREA}/Stripping",
        storage=_register_storage(register),
        kind=Kind.CONTINUOUS if signal is not None and not register.writable else Kind.STEP,
        tag=signal.tag if signal is not None and signal.name == register.key else "",
        unit=signal.unit.ucum if signal is not None else "s" if register.type is RegisterType.UINT32 else "",
        low=signal.low if signal is not None else None,
        high=signal.high if signal is not None else None,
        texts={"en": register.english, "zh": register.chinese},
        enumeration=states_of(thing, register.key),
        meanings=meanings_of(register.key, signal),
        writable=register.writable,
        options=options,
    )


def _modbus(configuration: DemoConfiguration, host: str, prefix: str) -> PlannedConnection:
    settings = configuration.modbus
    points = tuple(_register(register, prefix) for register in REGISTERS)
    return PlannedConnection(
        name="stripper",
        protocol="modbus",
        url=f"modbus://{host}:{settings.port}/{settings.device}",
        settings={
            "interval": configuration.period,
            "writable": [point.address for point in points if point.writable],
            "map": [
                {
                    "name": point.quantity,
                    "address": point.address,
                    "unit": point.unit,
                    "scale": point.options.get("scale", 1.0),
                    "low": point.low,
                    "high": point.high,
                    "writable": point.writable,
                    "description": point.texts["en"],
                }
                for point in points
            ],
        },
        points=points,
    )


# -- analysers -----------------------------------------------------------------------------------------------------------


def _analysers(configuration: DemoConfiguration, prefix: str) -> PlannedConnection:
    settings = configuration.mqtt
    points = tuple(
        _signal(
            signal,
            f"sparkplug:{settings.group}/{settings.node}/{device}:{signal.metric}",
            f"{prefix}/analysers",
            "Analysis",
        )
        for device, signals in ANALYSERS.items()
        for signal in signals
    )
    return PlannedConnection(
        name="analysers",
        protocol="mqtt",
        url="mqtt://",
        settings={"topics": [f"spBv1.0/{settings.group}/#"]},
        points=points,
        device=settings.user,
    )


# -- the chromatograph's service port ------------------------------------------------------------------------------------


def _asked(field: Field, prefix: str) -> PlannedPoint:
    return PlannedPoint(
        address=f"{field.message}/{field.name}",
        thing=f"{prefix}/{DEVICE}",
        quantity=f"{field.message}.{field.name}",
        path=f"{AREA}/Analysis",
        storage=field.storage,
        kind=Kind.CONTINUOUS if field.storage is StorageClass.DOUBLE else Kind.STEP,
        unit=field.unit,
        low=field.low,
        high=field.high,
        texts={"en": field.text},
    )


def _chromatograph(configuration: DemoConfiguration, host: str, prefix: str) -> PlannedConnection:
    """Its description is the setting that is missing here: `hulian.demo.describing` writes it."""
    return PlannedConnection(
        name=DEVICE,
        protocol="instrument",
        url=f"instrument://{host}:{configuration.service.port}",
        settings={"interval": configuration.period},
        points=tuple(_asked(field, prefix) for field in FIELDS),
    )
