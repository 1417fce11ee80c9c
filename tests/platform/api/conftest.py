"""One real platform for all tests of this room; a test adds its own connector."""

from api_stack import fresh_stack, stack

__all__ = ["fresh_stack", "stack"]
