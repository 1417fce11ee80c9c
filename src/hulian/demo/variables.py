"""What a person may see and do beside the instruments: the disturbances and the plant's own state, as OPC UA shows them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from hulian.demo.disturbances import DISTURBANCES
from hulian.demo.live import FASTEST, SLOWEST, LivePlant
from hulian.kernel.storage import StorageClass

__all__ = ["NAMESPACE", "VARIABLES", "Variable", "node_name"]

NAMESPACE: Final = "urn:hulian:demo:tennessee-eastman"
"""The namespace of every node of the plant on its OPC UA server."""


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable; ``apply`` is there where a client may write it, then a number lies between ``low`` and ``high``."""

    group: str
    name: str
    storage: StorageClass
    english: str
    chinese: str
    read: Callable[[LivePlant], Any]
    apply: Callable[[LivePlant, Any], None] | None = None
    low: float | None = None
    high: float | None = None
    unit: str = ""


def node_name(group: str, name: str) -> str:
    """The string that identifies a node within `NAMESPACE`."""
    return f"{group}.{name}"


def _is_disturbed(number: int, plant: LivePlant) -> bool:
    return plant.simulation.disturbances[number]


def _disturb(number: int, plant: LivePlant, on: bool) -> None:
    plant.disturb(number, on)


def _set_speed(plant: LivePlant, speed: float) -> None:
    plant.speed = speed


def _restart(plant: LivePlant, wanted: bool) -> None:
    if wanted:
        plant.restart()


_S = StorageClass

VARIABLES: Final = (
    *(
        Variable(
            "Disturbances",
            one.browse_name,
            _S.BOOLEAN,
            f"IDV({one.number}) {one.name} ({one.kind})",
            one.chinese,
            partial(_is_disturbed, one.number),
            partial(_disturb, one.number),
        )
        for one in DISTURBANCES
    ),
    Variable("Plant", "State", _S.TEXT, "running or tripped", "运行(running)或停车(tripped)", lambda plant: plant.state),
    Variable(
        "Plant", "TripReason", _S.TEXT, "Violated limit of a tripped plant", "停车原因", lambda plant: plant.simulation.trip
    ),
    Variable(
        "Plant", "Tripped", _S.BOOLEAN, "The plant has shut itself down", "联锁停车", lambda plant: bool(plant.simulation.trip)
    ),
    Variable("Plant", "Trips", _S.INTEGER, "Trips since the server started", "停车次数", lambda plant: plant.trips),
    Variable(
        "Plant",
        "ProcessTime",
        _S.DOUBLE,
        "Hours of the process since its last start",
        "过程时间（小时）",
        lambda plant: plant.simulation.seconds / 3600.0,
        unit="h",
    ),
    Variable(
        "Plant",
        "Speed",
        _S.DOUBLE,
        "Seconds of the process per second of the clock",
        "仿真倍速",
        lambda plant: plant.speed,
        _set_speed,
        SLOWEST,
        FASTEST,
    ),
    Variable(
        "Plant",
        "Restart",
        _S.BOOLEAN,
        "Write true: restart at the base case",
        "写入true重新启动",
        lambda plant: False,
        _restart,
    ),
)
"""In the order in which a browser shows them."""
