"""One real platform for the commands that talk to one."""

from api_stack import stack

__all__ = ["stack"]
