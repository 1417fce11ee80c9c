"""What can go wrong with units, beside `UnitError` (no such unit) and `DimensionError` (nothing to convert).

UnitError                      HL-SEM-0020
├── AmbiguousUnitError         HL-SEM-0022   a spelling of more than one unit
├── NoFactorError              HL-SEM-0023   a unit that no factor leads from: logarithms, scales, packages
└── ReferencePointError        HL-SEM-0024   gauge and absolute, normal and actual: more than a factor is between them
"""

from __future__ import annotations

from hulian.network.exchange.semantics.errors import UnitError

__all__ = ["AmbiguousUnitError", "NoFactorError", "ReferencePointError"]


class AmbiguousUnitError(UnitError):
    """A spelling that means more than one unit; ``candidates`` are their ids."""

    code = "HL-SEM-0022"

    def __init__(self, message: str, *, candidates: tuple[str, ...] = (), place: str = "", hint: str = "") -> None:
        super().__init__(message, place=place, hint=hint)
        self.candidates = candidates


class NoFactorError(UnitError):
    """A unit that no factor leads from: a logarithm, a scale by agreement, a package."""

    code = "HL-SEM-0023"
    default_hint = "keep its values as they are; they are compared with values of the same unit only"


class ReferencePointError(UnitError):
    """Units of one dimension that count from different points: gauge and absolute, normal and actual."""

    code = "HL-SEM-0024"
