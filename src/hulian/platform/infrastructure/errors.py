"""Errors of the infrastructure.

InfrastructureError            HL-INFRA-0000
├── AlreadyRunningError        HL-INFRA-0001   another supervisor owns the data directory
├── PortInUseError             HL-INFRA-0002
├── ComponentFailedError       HL-INFRA-0003   a component cannot start, and trying again would not help
├── DataDirectoryError         HL-INFRA-0004
└── BackupError                HL-INFRA-0005   a backup that cannot be written or is not whole
"""

from __future__ import annotations

from hulian.kernel.errors import HulianError

__all__ = [
    "AlreadyRunningError",
    "BackupError",
    "ComponentFailedError",
    "DataDirectoryError",
    "InfrastructureError",
    "PortInUseError",
]


class InfrastructureError(HulianError):
    """Anything that keeps a node from running."""

    code = "HL-INFRA-0000"


class AlreadyRunningError(InfrastructureError):
    """Another supervisor owns the data directory."""

    code = "HL-INFRA-0001"
    default_hint = "stop the other one, or give this node a data directory of its own (node.data)"


class PortInUseError(InfrastructureError):
    """A port that a component needs is taken."""

    code = "HL-INFRA-0002"


class ComponentFailedError(InfrastructureError):
    """A component cannot start, and trying again would not help."""

    code = "HL-INFRA-0003"


class DataDirectoryError(InfrastructureError):
    """The data directory cannot be made or written."""

    code = "HL-INFRA-0004"


class BackupError(InfrastructureError):
    """A backup that cannot be written, or is not whole."""

    code = "HL-INFRA-0005"
