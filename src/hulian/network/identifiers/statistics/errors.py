"""What cannot be counted, told or voted. HL-ID-09xx.

HulianError
└── StatisticsError          HL-ID-0900   something of the operation of nodes that is not done
    ├── SealError            HL-ID-0901   a signed message that cannot be read, or whose signature does not hold
    ├── AgeError             HL-ID-0902   a signed message that is too old, or of a clock that goes wrong
    ├── SenderError          HL-ID-0903   a message of somebody who may not send it
    ├── ReportError          HL-ID-0904   a report that contradicts one that is kept already
    └── DeliveryError        HL-ID-0905   the node above did not take a message
"""

from __future__ import annotations

from hulian.kernel.errors import HulianError

__all__ = ["AgeError", "DeliveryError", "ReportError", "SealError", "SenderError", "StatisticsError"]


class StatisticsError(HulianError):
    """Something of the operation of nodes that is not done."""

    code = "HL-ID-0900"


class SealError(StatisticsError):
    """A signed message that cannot be read, or whose signature does not hold."""

    code = "HL-ID-0901"
    default_hint = "it is a compact JWS (RS256) of the document that docs/topics/identifiers-operation.md describes"


class AgeError(StatisticsError):
    """A signed message that is too old, or of a clock that goes wrong."""

    code = "HL-ID-0902"
    default_hint = "compare the clocks of both machines"


class SenderError(StatisticsError):
    """A message of somebody who may not send it."""

    code = "HL-ID-0903"
    default_hint = "reports are signed by a key in the prefix's own record; votes by a key that identifiers.probes names"


class ReportError(StatisticsError):
    """A report that contradicts one that is kept already."""

    code = "HL-ID-0904"
    default_hint = "another report of this kind and period was received first, and stays"


class DeliveryError(StatisticsError):
    """The node above did not take a message; ``status`` is that of HTTP, 0 where there was none."""

    code = "HL-ID-0905"
    default_hint = "it is kept and sent again; see whether the address is right and its certificate is known"

    def __init__(self, message: str, *, place: str = "", hint: str = "", status: int = 0) -> None:
        super().__init__(message, place=place, hint=hint)
        self.status = status

    @property
    def for_ever(self) -> bool:
        """Whether the same message will be refused again, whenever it is sent."""
        return self.status in (400, 409, 413)
