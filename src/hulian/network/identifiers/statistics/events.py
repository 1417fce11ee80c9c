"""What happens to a node, with the cause that the national node asks for."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from hulian.kernel.event import EventCode

__all__ = ["CAUSES", "Cause", "FaultEvent"]


class Cause(IntEnum):
    """The four causes of fault events, as they are reported to the top-level node."""

    NETWORK = 1
    SYSTEM = 2
    ATTACK = 3
    OTHER = 4


class FaultEvent(EventCode):
    """Codes and meanings; see `EventCode`."""

    STARTED = "HL-ID-0951", "The identifier node was started."
    STOPPED = "HL-ID-0952", "The identifier node was stopped."
    UNCLEAN_STOP = "HL-ID-0953", "The identifier node had ended without being stopped: killed, or its machine was."
    UPSTREAM_UNREACHABLE = "HL-ID-0954", "Another node that this one needs does not answer; over when it does."
    BUDGET_EXHAUSTED = "HL-ID-0955", "Sources ask for more over UDP than they are given; over after a minute without."
    STORE_FAILED = "HL-ID-0956", "The database of the identifier node refuses; over when it takes something again."
    TAKEN_OVER = "HL-ID-0957", "Most probes see a node down, and this one answers for its prefix; over when it is up again."


CAUSES: Final = {
    FaultEvent.STARTED: Cause.OTHER,
    FaultEvent.STOPPED: Cause.OTHER,
    FaultEvent.UNCLEAN_STOP: Cause.SYSTEM,
    FaultEvent.UPSTREAM_UNREACHABLE: Cause.NETWORK,
    FaultEvent.BUDGET_EXHAUSTED: Cause.ATTACK,
    FaultEvent.STORE_FAILED: Cause.SYSTEM,
    FaultEvent.TAKEN_OVER: Cause.OTHER,
}
