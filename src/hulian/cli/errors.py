"""Errors of the command line.

CommandError               HL-CLI-0000
├── AbandonedError         HL-CLI-0001   the person said no, or nobody is there to say yes
└── NothingFoundError      HL-CLI-0002   what was asked for does not lead to anything
"""

from __future__ import annotations

from hulian.kernel.errors import HulianError

__all__ = ["AbandonedError", "CommandError", "NothingFoundError"]


class CommandError(HulianError):
    """A command that cannot be carried out."""

    code = "HL-CLI-0000"


class AbandonedError(CommandError):
    """The person said no, or nobody is there to say yes."""

    code = "HL-CLI-0001"


class NothingFoundError(CommandError):
    """What was asked for does not lead to anything."""

    code = "HL-CLI-0002"
