"""What can go wrong between us and a Modbus device.

HulianError
└── ModbusError             HL-MODBUS-0000
    ├── AddressError        HL-MODBUS-0001   an address that the syntax does not know (a `ConfigurationError` too)
    ├── OptionError         HL-MODBUS-0002   an option, type or storage class that does not fit (likewise)
    ├── MapError            HL-MODBUS-0003   a register map that cannot be read (likewise)
    ├── ReachError          HL-MODBUS-0010   no connection
    ├── SilenceError        HL-MODBUS-0011   no answer in time
    ├── LostError           HL-MODBUS-0012   the connection ended
    ├── GarbageError        HL-MODBUS-0013   bytes that are not an answer to what was asked
    ├── LineBusyError       HL-MODBUS-0014   the serial line is held by another process
    ├── LineSettingsError   HL-MODBUS-0015   two connections want one serial line with different settings
    ├── RefusedError        HL-MODBUS-0020   the device answered with an exception
    ├── OverloadError       HL-MODBUS-0021   polls that do not end before the next is due
    ├── ValueFitError       HL-MODBUS-0030   a value that the address cannot hold
    └── VerifyError         HL-MODBUS-0031   written, but it reads back otherwise
"""

from __future__ import annotations

from typing import Final

from hulian.kernel.errors import ConfigurationError, HulianError

__all__ = [
    "EXCEPTIONS",
    "AddressError",
    "GarbageError",
    "LineBusyError",
    "LineSettingsError",
    "LostError",
    "MapError",
    "ModbusError",
    "OptionError",
    "OverloadError",
    "ReachError",
    "RefusedError",
    "SilenceError",
    "ValueFitError",
    "VerifyError",
]


class ModbusError(HulianError):
    """The root of this protocol's errors."""

    code = "HL-MODBUS-0000"


class AddressError(ModbusError, ConfigurationError):
    """An address that the syntax does not know."""

    code = "HL-MODBUS-0001"
    default_hint = "write table, place and type, e.g. 'holding:40001:float32' or 'holding@0:float32'; see the README of modbus"


class OptionError(ModbusError, ConfigurationError):
    """An option, a type or a storage class that does not fit its address."""

    code = "HL-MODBUS-0002"
    default_hint = "the README of modbus lists the options of a point and the storage classes of each type"


class MapError(ModbusError, ConfigurationError):
    """A register map that cannot be read."""

    code = "HL-MODBUS-0003"
    default_hint = "a register map is a CSV file with a header line; 'name' and 'address' are the columns that it must have"


class ReachError(ModbusError):
    """The device could not be reached."""

    code = "HL-MODBUS-0010"
    default_hint = "check address and port (502 by default), the cable, and that no firewall stands between"


class SilenceError(ModbusError):
    """A request was not answered in time."""

    code = "HL-MODBUS-0011"
    default_hint = "check the unit id, and raise 'timeout' for a slow device or gateway"


class LostError(ModbusError):
    """The connection ended."""

    code = "HL-MODBUS-0012"
    default_hint = "many devices bear one or two connections only: end other Modbus masters, or use a gateway"


class GarbageError(ModbusError):
    """The device sent bytes that are not an answer to what was asked."""

    code = "HL-MODBUS-0013"
    default_hint = "check that the port speaks Modbus TCP (not RTU over TCP, not another protocol); set 'depth = 1'"


class LineBusyError(ModbusError):
    """The serial line is held by another process."""

    code = "HL-MODBUS-0014"
    default_hint = "end the other program (fuser names it); one node's connectors share a line by themselves"


class LineSettingsError(ModbusError):
    """Two connections want one serial line with different settings."""

    code = "HL-MODBUS-0015"
    default_hint = "write the same baud, parity, stop, bits, echo and turnaround in the URL of every connection to this line"


EXCEPTIONS: Final = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "device failure",
    5: "acknowledge, still working",
    6: "device busy",
    7: "negative acknowledge",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway target did not respond",
}
"""The exception codes of the Modbus Application Protocol 1.1b3, section 7."""


class RefusedError(ModbusError):
    """The device answered with ``exception``, one of `EXCEPTIONS`."""

    code = "HL-MODBUS-0020"

    def __init__(self, exception: int, *, place: str = "") -> None:
        name = EXCEPTIONS.get(exception, "unknown exception")
        hint = {
            1: "the device does not know this table or function: use another table",
            2: "the device has no such register: compare the address with its manual (zero-based or 40001?)",
            3: "the device refuses the value or the number of registers: lower 'max_registers' or change the value",
            10: "the gateway knows no way to this unit: check the unit id and its routing table",
            11: "the device behind the gateway is silent: check its power, its wiring and the unit id",
        }.get(exception, "see the manual of the device")
        super().__init__(f"the device answered with exception {exception}, {name}", place=place, hint=hint)
        self.exception = exception


class OverloadError(ModbusError):
    """Polls take longer than their interval."""

    code = "HL-MODBUS-0021"
    default_hint = "lengthen 'interval', raise 'gap' so that fewer requests are needed, or set 'depth = \"auto\"'"


class ValueFitError(ModbusError):
    """A value that the address cannot hold."""

    code = "HL-MODBUS-0030"
    default_hint = "write a value within the range of the register's type, after scale and offset"


class VerifyError(ModbusError):
    """What was written reads back otherwise."""

    code = "HL-MODBUS-0031"
    default_hint = "the device limits or resets this register; for one that resets itself set the option 'verify' to false"
