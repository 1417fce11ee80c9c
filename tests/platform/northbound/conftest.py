"""One real platform for all tests of a module; a test fills the model."""

from aas_stack import aas_stack, empty, plant

__all__ = ["aas_stack", "empty", "plant"]
