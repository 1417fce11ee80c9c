"""The register map of the stripper's Modbus server: one table that the server, the plan and the documentation read.

Numbers of more than 16 bits are big-endian, high word first. Addresses count from zero, as they are sent.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from hulian.demo.signals import Signal, by_tag

__all__ = ["REGISTERS", "Area", "Register", "RegisterType"]


class Area(StrEnum):
    """The four tables of Modbus (Application Protocol 1.1b3, section 4.3)."""

    COIL = "coil"
    DISCRETE = "discrete"
    INPUT = "input"
    HOLDING = "holding"


class RegisterType(StrEnum):
    """How a value fills its registers."""

    BOOLEAN = "bool"
    INT16 = "int16"
    UINT16 = "uint16"
    UINT32 = "uint32"
    FLOAT32 = "float32"


_FORMATS: Final = {RegisterType.INT16: ">h", RegisterType.UINT16: ">H", RegisterType.UINT32: ">I", RegisterType.FLOAT32: ">f"}


@dataclass(frozen=True, slots=True)
class Register:
    """One value. A raw integer times ``scale`` is the value in the signal's unit; ``key`` names a value without a signal."""

    area: Area
    address: int
    type: RegisterType
    key: str
    english: str
    chinese: str
    signal: Signal | None = None
    scale: float = 1.0
    writable: bool = False

    @property
    def width(self) -> int:
        """How many registers or bits it takes."""
        return 2 if self.type in (RegisterType.UINT32, RegisterType.FLOAT32) else 1

    def encode(self, value: float) -> list[int]:
        """The registers that hold ``value``; a value beyond an integer's range is held at its end."""
        if self.type is RegisterType.FLOAT32:
            raw = struct.pack(">f", value)
        else:
            low, high = {"int16": (-32768, 32767), "uint16": (0, 65535), "uint32": (0, 2**32 - 1)}[self.type]
            raw = struct.pack(_FORMATS[self.type], min(max(round(value / self.scale), low), high))
        return [int.from_bytes(raw[i : i + 2], "big") for i in range(0, len(raw), 2)]

    def decode(self, registers: Sequence[int]) -> float:
        """The inverse of `encode`."""
        raw = b"".join(word.to_bytes(2, "big") for word in registers)
        (number,) = struct.unpack(_FORMATS[self.type], raw)
        return float(number) * self.scale


def _of(area: Area, address: int, type_: RegisterType, tag: str, scale: float = 1.0) -> Register:
    signal = by_tag(tag)
    return Register(
        area, address, type_, signal.name, signal.english, signal.chinese, signal, scale, writable=area is Area.HOLDING
    )


_F, _I = RegisterType.FLOAT32, RegisterType.INT16

REGISTERS: Final = (
    _of(Area.INPUT, 0, _F, "FI-04"),
    _of(Area.INPUT, 2, _F, "PI-16"),
    _of(Area.INPUT, 4, _F, "FI-17"),
    _of(Area.INPUT, 6, _F, "TI-18"),
    _of(Area.INPUT, 8, _F, "FI-19"),
    _of(Area.INPUT, 10, _I, "LI-15", 0.01),
    _of(Area.INPUT, 11, _I, "XV-04", 0.01),
    _of(Area.INPUT, 12, _I, "XV-08", 0.01),
    _of(Area.INPUT, 13, _I, "XV-09", 0.01),
    Register(
        Area.INPUT, 14, RegisterType.UINT32, "running.time",
        "Seconds of the process since the plant's last start", "装置启动后的过程时间（秒）",
    ),
    Register(
        Area.INPUT, 16, RegisterType.UINT16, "plant.state", "State of the plant: 0 running, 1 tripped", "装置状态：0运行，1停车"
    ),
    _of(Area.HOLDING, 0, _I, "LC-15.SP", 0.01),
    _of(Area.HOLDING, 2, _F, "FC-17.SP"),
    Register(
        Area.HOLDING, 4, _I, "product.valve.manual",
        "Product valve while the level control is in manual, percent", "液位手动控制时的产品阀开度（%）",
        by_tag("XV-08"), 0.01, writable=True,
    ),
    Register(
        Area.DISCRETE, 0, RegisterType.BOOLEAN, "tripped", "The plant has shut itself down", "联锁停车"
    ),
    Register(Area.DISCRETE, 1, RegisterType.BOOLEAN, "level.high", "Stripper level above 80 %", "汽提塔液位高于80%"),
    Register(Area.DISCRETE, 2, RegisterType.BOOLEAN, "level.low", "Stripper level below 20 %", "汽提塔液位低于20%"),
    Register(
        Area.COIL, 0, RegisterType.BOOLEAN, "level.manual",
        "Level control in manual: the product valve follows holding register 4", "液位手动控制：产品阀跟随保持寄存器4",
        writable=True,
    ),
    Register(
        Area.COIL, 1, RegisterType.BOOLEAN, "restart", "Write on: restart at the base case", "写入1重新启动，读取为0",
        writable=True,
    ),
)  # fmt: skip
"""Every value of the stripper, in the order of the documentation."""
