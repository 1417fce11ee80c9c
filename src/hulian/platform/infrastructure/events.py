"""What the supervisor tells."""

from __future__ import annotations

from hulian.kernel.event import EventCode

__all__ = ["InfrastructureEvent"]


class InfrastructureEvent(EventCode):
    """Codes and meanings; see `EventCode`."""

    COMPONENT_ENDED = "HL-INFRA-0101", "A component ended by itself and is started again; over when it runs."
    DISK_FULL = "HL-INFRA-0102", "The disk of the data directory is full: nothing is acknowledged until there is room again."
