"""What can be wrong with a code.

HulianError
└── SchemeError                 HL-ID-0100
    ├── LengthError             HL-ID-0101   too short or too long for its rule
    ├── CharacterError          HL-ID-0102   a character outside the rule's set
    ├── CheckError              HL-ID-0103   a check digit or check character that does not fit
    ├── StructureError          HL-ID-0104   parts that are missing, double or in the wrong order
    ├── ContentError            HL-ID-0105   a part of the right form whose value no rule allows
    ├── UnknownError            HL-ID-0106   an application identifier, header, method or scheme that nobody published
    ├── UnrecognisedError       HL-ID-0107   nothing reads this as a code
    ├── ConversionError         HL-ID-0108   a form that this code does not have, or cannot be held in
    └── AllocationError         HL-ID-0110
        ├── PolicyError         HL-ID-0111   a policy for suffixes that contradicts itself
        ├── CursorError         HL-ID-0112   a cursor that does not belong to its policy
        └── ExhaustedError      HL-ID-0113   more suffixes asked for than are left

Each names the rule that is broken (``rule``, a fixed word such as ``gs1.check-digit``) and where (``position``, counted from
0 in what was given; None where no single place is to blame).
"""

from __future__ import annotations

from typing import Any

from hulian.kernel.errors import HulianError

__all__ = [
    "AllocationError",
    "CharacterError",
    "CheckError",
    "ContentError",
    "ConversionError",
    "CursorError",
    "ExhaustedError",
    "LengthError",
    "PolicyError",
    "SchemeError",
    "StructureError",
    "UnknownError",
    "UnrecognisedError",
]


class SchemeError(HulianError):
    """A code that breaks a rule of its scheme; ``rule`` names it, ``position`` says where, counted from 0."""

    code = "HL-ID-0100"

    def __init__(self, message: str, *, rule: str, position: int | None = None, hint: str = "") -> None:
        place = rule if position is None else f"{rule}, position {position}"
        super().__init__(message, place=place, hint=hint)
        self.rule = rule
        self.position = position

    def as_dict(self) -> dict[str, Any]:
        """As in `HulianError`, with the rule and the position for programs."""
        return {**super().as_dict(), "rule": self.rule, "position": self.position}

    def moved(self, by: int) -> SchemeError:
        """The same error, told in the text around: ``by`` is where the part began that was read on its own."""
        where = by if self.position is None else by + self.position
        return type(self)(self.message, rule=self.rule, position=where, hint=self.hint)


class LengthError(SchemeError):
    """A code, or a part of one, that is shorter or longer than its rule allows."""

    code = "HL-ID-0101"
    default_hint = "compare it with what is printed; a scanner may have cut it short"


class CharacterError(SchemeError):
    """A character that the rule's character set does not hold."""

    code = "HL-ID-0102"
    default_hint = "look at the named position; letters and digits that look alike are the usual cause"


class CheckError(SchemeError):
    """A check digit or check character that does not fit the rest."""

    code = "HL-ID-0103"
    default_hint = "a digit was mistyped or misread: scan or type the code again"


class StructureError(SchemeError):
    """Parts of a code that are missing, given twice, or in the wrong order."""

    code = "HL-ID-0104"
    default_hint = "the message names the part; docs/topics/identifiers-codes.md shows each form"


class ContentError(SchemeError):
    """A part of the right length and characters whose value no rule allows, such as the 31st of April."""

    code = "HL-ID-0105"
    default_hint = "the code was made wrongly: ask whoever issued it"


class UnknownError(SchemeError):
    """An application identifier, tag header, DID method or kind of key that is not published."""

    code = "HL-ID-0106"
    default_hint = "check the first characters; a newer standard may define what this release does not know"


class UnrecognisedError(SchemeError):
    """Nothing that is known reads this as a code."""

    code = "HL-ID-0107"
    default_hint = "write a Handle as 88.111.1/ITEM7, GS1 data as (01)09506000134352, an OID as 2.999.1, or give the whole URL"


class ConversionError(SchemeError):
    """The code has no such form, or that form cannot hold this code."""

    code = "HL-ID-0108"
    default_hint = "docs/topics/identifiers-codes.md lists the forms of each scheme"


class AllocationError(SchemeError):
    """The root of what can go wrong while suffixes are given out."""

    code = "HL-ID-0110"


class PolicyError(AllocationError):
    """A policy for suffixes that contradicts itself or could never give one."""

    code = "HL-ID-0111"
    default_hint = "docs/topics/identifiers-codes.md shows policies that work"


class CursorError(AllocationError):
    """A cursor that was not made by this policy, or that was changed."""

    code = "HL-ID-0112"
    default_hint = "keep the cursor exactly as it was returned, beside the policy that it belongs to"


class ExhaustedError(AllocationError):
    """More suffixes were asked for than the policy has left; none was given. ``left`` is how many it could give."""

    code = "HL-ID-0113"
    default_hint = "ask for fewer, or begin a policy with a wider range or another class or batch"

    def __init__(self, message: str, *, left: int, rule: str = "allocation.exhausted") -> None:
        super().__init__(message, rule=rule)
        self.left = left

    def as_dict(self) -> dict[str, Any]:
        """As in `SchemeError`, with how many are left."""
        return {**super().as_dict(), "left": self.left}

    def moved(self, by: int) -> ExhaustedError:
        """An exhausted policy has no position; the error stays what it is."""
        return self
