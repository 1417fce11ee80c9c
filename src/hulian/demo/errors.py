"""What can be wrong with the demo plant.

HulianError
└── DemoError                   HL-DEMO-0001   the plant cannot serve
    └── PortInUseError          HL-DEMO-0002   another program listens where a server of the plant should
ConfigurationError
└── DemoConfigurationError      HL-DEMO-0003   settings that can never work

HL-DEMO-0004 is no class but a warning in the log: the MQTT server refuses the analysers' credential.
"""

from __future__ import annotations

from hulian.kernel.errors import ConfigurationError, HulianError

__all__ = ["DemoConfigurationError", "DemoError", "PortInUseError"]


class DemoError(HulianError):
    """The plant cannot serve."""

    code = "HL-DEMO-0001"


class PortInUseError(DemoError):
    """Another program listens where a server of the plant should."""

    code = "HL-DEMO-0002"
    default_hint = "stop the other program, or give the demo plant another port in the file that --plant names"


class DemoConfigurationError(ConfigurationError):
    """Settings that can never work."""

    code = "HL-DEMO-0003"
