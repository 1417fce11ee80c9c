"""The process gas chromatograph behind the three analyses: what it can be asked on its service port, and what it answers.

One table, which the service port, the description in InstrumentML and the plan read. The commands are lines of text in the
manner of SCPI; each answer begins with a word that tells it from the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from hulian.demo.live import LivePlant
from hulian.demo.signals import ANALYSERS, Signal
from hulian.kernel.storage import StorageClass

__all__ = ["COMMANDS", "DEVICE", "FIELDS", "IDENTITY", "Command", "Field", "answer"]

DEVICE: Final = "gas-chromatograph"
"""Its name, in its description and as a thing."""
IDENTITY: Final = ("HULIAN", "TE-GC", "1993-41", "1.0")
"""Maker, model, serial number and firmware."""
_LONGEST: Final = 64
_NAMES: Final = ("maker", "model", "serial", "firmware")


@dataclass(frozen=True, slots=True)
class Field:
    """One value of an answer."""

    message: str
    name: str
    text: str
    storage: StorageClass = StorageClass.DOUBLE
    unit: str = ""
    low: float | None = None
    high: float | None = None
    signal: Signal | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """What can be asked: the line, the word that its answer begins with, and the values of that."""

    name: str
    line: str
    head: str
    text: str
    fields: tuple[Field, ...]


def _stream(name: str, device: str, line: str, text: str) -> Command:
    fields = tuple(
        Field(
            name, signal.metric.lower(), signal.english, unit=signal.unit.ucum, low=signal.low, high=signal.high, signal=signal
        )
        for signal in ANALYSERS[device]
    )
    return Command(name, f"MEAS:{line}?", line, text, fields)


COMMANDS: Final = (
    Command(
        "identity", "*IDN?", "", "Maker, model, serial number and firmware",
        tuple(Field("identity", name, f"{name.capitalize()} of the chromatograph", StorageClass.TEXT) for name in _NAMES),
    ),
    _stream("feed", "Feed", "FEED", "Reactor feed (stream 6), mole percent of A to F"),
    _stream("purge", "Purge", "PURG", "Purge gas (stream 9), mole percent of A to H"),
    _stream("product", "Product", "PROD", "Product (stream 11), mole percent of D to H"),
    Command(
        "samples", "SYST:SAMP?", "SAMP", "Analyses finished since the plant's last start",
        (
            Field("samples", "gas", "Analyses of feed and purge gas", StorageClass.INTEGER),
            Field("samples", "liquid", "Analyses of the product", StorageClass.INTEGER),
        ),
    ),
    Command(
        "state", "STAT?", "STAT", "Whether the plant that it samples runs",
        (Field("state", "running", "The sampled plant runs", StorageClass.BOOLEAN),),
    ),
)  # fmt: skip
"""Everything that the service port understands, in the order of the description."""

FIELDS: Final = tuple(field for command in COMMANDS for field in command.fields)
_BY_LINE: Final[Mapping[str, Command]] = {command.line: command for command in COMMANDS}


def answer(line: bytes, plant: LivePlant) -> bytes:
    """The line that answers ``line``; what is not understood is told as SCPI does."""
    command = _BY_LINE.get(line[:_LONGEST].decode("ascii", "replace").strip().upper())
    if command is None:
        return b'ERR -113,"Undefined header"\n'
    values = ",".join(_values(command, plant))
    return f"{command.head} {values}\n".lstrip().encode("ascii")


def _values(command: Command, plant: LivePlant) -> list[str]:
    match command.name:
        case "identity":
            return list(IDENTITY)
        case "samples":
            return [str(count) for count in plant.simulation.process.samples]
        case "state":
            return ["OFF" if plant.simulation.trip else "ON"]
    return [f"{field.signal.value(plant.simulation):.6f}" for field in command.fields if field.signal is not None]
