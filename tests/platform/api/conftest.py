"""One real platform for all tests of this room; a test adds its own connector."""

from api_stack import stack

__all__ = ["stack"]
