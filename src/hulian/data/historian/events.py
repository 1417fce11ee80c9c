"""What the historian tells."""

from __future__ import annotations

from hulian.kernel.event import EventCode

__all__ = ["HistorianEvent"]


class HistorianEvent(EventCode):
    """Codes and meanings; see `EventCode`."""

    EXPIRED = "HL-HISTORIAN-0101", "Data left the historian because they were too old."
    OVERSIZE = "HL-HISTORIAN-0102", "Data left the historian because there was too much."
