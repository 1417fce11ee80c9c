"""Quality of a sample, as an OPC UA StatusCode (OPC 10000-4, section 7.39): 32 bits, the top two are the severity."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

__all__ = ["SEVERITY_MASK", "Quality", "is_bad", "is_good", "is_uncertain", "name_of"]

SEVERITY_MASK: Final = 0xC000_0000


class Quality(IntEnum):
    """The status codes that Hulian itself assigns; any other code of a device is kept as it came."""

    GOOD = 0x0000_0000
    GOOD_CLAMPED = 0x0030_0000
    UNCERTAIN = 0x4000_0000
    UNCERTAIN_NO_COMMUNICATION_LAST_USABLE = 0x408F_0000
    UNCERTAIN_LAST_USABLE_VALUE = 0x4090_0000
    UNCERTAIN_SENSOR_NOT_ACCURATE = 0x4093_0000
    UNCERTAIN_ENGINEERING_UNITS_EXCEEDED = 0x4094_0000
    BAD = 0x8000_0000
    BAD_DECODING_ERROR = 0x8007_0000
    BAD_TIMEOUT = 0x800A_0000
    BAD_USER_ACCESS_DENIED = 0x801F_0000
    BAD_WAITING_FOR_INITIAL_DATA = 0x8032_0000
    BAD_NODE_ID_INVALID = 0x8033_0000
    BAD_NODE_ID_UNKNOWN = 0x8034_0000
    BAD_OUT_OF_RANGE = 0x803C_0000
    BAD_NOT_CONNECTED = 0x808A_0000
    BAD_DEVICE_FAILURE = 0x808B_0000
    BAD_SENSOR_FAILURE = 0x808C_0000
    BAD_OUT_OF_SERVICE = 0x808D_0000
    BAD_TYPE_MISMATCH = 0x8074_0000
    BAD_CONFIGURATION_ERROR = 0x8089_0000
    BAD_NO_COMMUNICATION = 0x8031_0000
    BAD_NO_DATA = 0x809B_0000


def is_good(status: int) -> bool:
    """Whether the value may be used as it is."""
    return (status & SEVERITY_MASK) == 0


def is_uncertain(status: int) -> bool:
    """Whether the value is there but may be stale or inexact."""
    return (status & SEVERITY_MASK) == 0x4000_0000


def is_bad(status: int) -> bool:
    """Whether the value must not be used; severity 11 is reserved and counts as bad."""
    return bool(status & 0x8000_0000)


def name_of(status: int) -> str:
    """``GOOD``, ``BAD_TIMEOUT`` …, or the severity and the code where the code has no name here.

    >>> name_of(0x800A0000), name_of(0x80FF0000)
    ('BAD_TIMEOUT', 'BAD 0x80FF0000')
    """
    try:
        return Quality(status & 0xFFFF_0000).name
    except ValueError:
        severity = "BAD" if is_bad(status) else "UNCERTAIN" if is_uncertain(status) else "GOOD"
        return f"{severity} 0x{status:08X}"
