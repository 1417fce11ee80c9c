"""One real platform for all tests of a module; a test fills the model."""

from aas_stack import aas_stack, plant

__all__ = ["aas_stack", "plant"]
