"""Errors at the junction to other systems. HL-ID-12xx.

HulianError
└── JunctionError            HL-ID-1200   another system gives no answer that can be used
    ├── ClosedError          HL-ID-1201   the way there is not configured
    ├── SilentError          HL-ID-1202   nobody there answers in time
    ├── ForeignAnswerError   HL-ID-1203   what came is not what was asked for, or breaks its standard
    ├── GuardError           HL-ID-1204   an address that is not asked
    ├── ForeignSizeError     HL-ID-1205   more came than is taken
    └── NoSystemError        HL-ID-1206   a code of a scheme that no system resolves
"""

from __future__ import annotations

from hulian.kernel.errors import HulianError

__all__ = [
    "ClosedError",
    "ForeignAnswerError",
    "ForeignSizeError",
    "GuardError",
    "JunctionError",
    "NoSystemError",
    "SilentError",
]


class JunctionError(HulianError):
    """Another system gives no answer that can be used."""

    code = "HL-ID-1200"


class ClosedError(JunctionError):
    """The way to the system that knows this identifier is not configured."""

    code = "HL-ID-1201"
    default_hint = "the table [identifiers.junction] of hulian.toml opens the ways to other systems, one by one"


class SilentError(JunctionError):
    """Nobody answers in time, or nobody can be reached."""

    code = "HL-ID-1202"
    default_hint = "look at the network between, and at the addresses in the table [identifiers.junction]"


class ForeignAnswerError(JunctionError):
    """What came is not what was asked for, or breaks the standard that it claims; nothing of it is used."""

    code = "HL-ID-1203"
    default_hint = "the other system is broken, or somebody else answers in its place"


class GuardError(JunctionError):
    """An address that is not asked, so that no identifier can make this node ask inside its own network."""

    code = "HL-ID-1204"
    default_hint = "identifiers.junction.hosts names hosts that may be asked; identifiers.junction.public opens all public ones"


class ForeignSizeError(JunctionError):
    """More came than is taken: too many bytes, records or redirections."""

    code = "HL-ID-1205"


class NoSystemError(JunctionError):
    """A code of a scheme that no system resolves."""

    code = "HL-ID-1206"
    default_hint = "register it below a prefix of yours, and resolve that Handle"
