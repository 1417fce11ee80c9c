"""A plant to connect to: the Tennessee Eastman process, simulated live behind OPC UA, Modbus TCP and Sparkplug B.

Nothing in the platform knows this room: it is connected as any foreign plant is, and only the command line starts it.
The room in turn uses nothing of the platform but the kernel's nouns.
"""

from hulian.demo.configuration import DemoConfiguration
from hulian.demo.plan import PlannedConnection, PlannedPoint, plan
from hulian.demo.plant import DemoPlant

__all__ = ["DemoConfiguration", "DemoPlant", "PlannedConnection", "PlannedPoint", "plan"]
