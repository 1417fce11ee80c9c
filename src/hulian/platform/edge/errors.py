"""Errors of the edge.

EdgeError                    HL-EDGE-0000
├── JournalError             HL-EDGE-0001   the journal on disk cannot be used
├── UnknownProtocolError     HL-EDGE-0002
├── UnknownConnectorError    HL-EDGE-0003
├── UnknownPointError        HL-EDGE-0004
├── NotWritableError         HL-EDGE-0005
├── RequestError             HL-EDGE-0006   a control request that cannot be understood
├── ConnectorDownError       HL-EDGE-0007   a write to a connector that is not running
├── SlowDeviceError          HL-EDGE-0008   a browse or write that took too long
├── ExpiredCommandError      HL-EDGE-0009   a command that came too late
├── PlanError                HL-EDGE-0010   an order of the centre that cannot be understood or kept
├── ProcessingError          HL-EDGE-0011   a filter, computed point, window or rule that cannot work
│   └── ExpressionError      HL-EDGE-0012   a text that is no expression of the grammar
└── DefectError              HL-EDGE-0013   a request that hit a defect; the log holds the rest
"""

from __future__ import annotations

from hulian.kernel.errors import HulianError

__all__ = [
    "ConnectorDownError",
    "DefectError",
    "EdgeError",
    "ExpiredCommandError",
    "ExpressionError",
    "JournalError",
    "NotWritableError",
    "PlanError",
    "ProcessingError",
    "RequestError",
    "SlowDeviceError",
    "UnknownConnectorError",
    "UnknownPointError",
    "UnknownProtocolError",
]


class EdgeError(HulianError):
    """Anything that goes wrong between a connector and the spine."""

    code = "HL-EDGE-0000"


class JournalError(EdgeError):
    """The journal on disk cannot be opened or read."""

    code = "HL-EDGE-0001"
    default_hint = "check that the disk is there, writable and not full, then restart the edge"


class UnknownProtocolError(EdgeError):
    """No installed protocol has this name or URL scheme."""

    code = "HL-EDGE-0002"


class UnknownConnectorError(EdgeError):
    """No connector has this name."""

    code = "HL-EDGE-0003"
    default_hint = "list the connectors with 'hulian connectors'"


class UnknownPointError(EdgeError):
    """The connector feeds no such point."""

    code = "HL-EDGE-0004"
    default_hint = "list the points of a connector with 'hulian points --connector NAME'"


class NotWritableError(EdgeError):
    """The configuration does not allow to write this point."""

    code = "HL-EDGE-0005"
    default_hint = "mark the point as writable in the connector's settings, if the plant allows it"


class RequestError(EdgeError):
    """A control request that cannot be understood."""

    code = "HL-EDGE-0006"


class ConnectorDownError(EdgeError):
    """The connector is disabled or not running."""

    code = "HL-EDGE-0007"
    default_hint = "look at the connector's status and its last error"


class SlowDeviceError(EdgeError):
    """A browse or a write that took too long."""

    code = "HL-EDGE-0008"
    default_hint = "check that the device can be reached from this node, then try again or browse a smaller branch"


class ExpiredCommandError(EdgeError):
    """A command that came after its expiry; nothing was written."""

    code = "HL-EDGE-0009"
    default_hint = "look at the plant, then send the command again"


class PlanError(EdgeError):
    """An order of the centre that cannot be understood or kept."""

    code = "HL-EDGE-0010"


class ProcessingError(EdgeError):
    """A filter, computed point, window or rule that contradicts itself or its point."""

    code = "HL-EDGE-0011"
    default_hint = "try it on recorded samples with 'hulian edge dry-run'"


class ExpressionError(ProcessingError):
    """A text that is no expression; the message says at which character."""

    code = "HL-EDGE-0012"
    default_hint = (
        "an expression holds numbers, {points}, + - * / % **, comparisons, and, or, not, and functions such as if, min, sqrt"
    )


class DefectError(EdgeError):
    """A request that hit a defect of Hulian, or of what it stands on; connectors go on. The log holds the rest."""

    code = "HL-EDGE-0013"
    default_hint = "try again; if it stays, report the log of the edge"
