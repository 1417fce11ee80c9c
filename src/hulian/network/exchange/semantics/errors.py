"""Errors of the information model and its languages.

SemanticsError                     HL-SEM-0000
├── DocumentError                  HL-SEM-0001   a document that breaks the rules of its format
│   ├── HostileDocumentError       HL-SEM-0002   beyond a bound: entities, depth, sizes, paths that leave a container
│   └── UnknownFormatError         HL-SEM-0003   none of the formats that are known
├── ModelError                     HL-SEM-0010   a change that would leave the model wrong
│   ├── ConflictError              HL-SEM-0011   an id that another document has
│   ├── NoSuchNodeError            HL-SEM-0012
│   └── ChangedError               HL-SEM-0013   somebody else changed it meanwhile
├── UnitError                      HL-SEM-0020   no unit that is known
│   └── DimensionError             HL-SEM-0021   units of different dimensions
├── ConceptError                   HL-SEM-0030   no identifier of a concept
└── QueryError                     HL-SEM-0040   a question that cannot be read or takes too long
"""

from __future__ import annotations

from hulian.kernel.errors import HulianError

__all__ = [
    "ChangedError",
    "ConceptError",
    "ConflictError",
    "DimensionError",
    "DocumentError",
    "HostileDocumentError",
    "ModelError",
    "NoSuchNodeError",
    "QueryError",
    "SemanticsError",
    "UnitError",
    "UnknownFormatError",
]


class SemanticsError(HulianError):
    """Anything about meaning that cannot be done."""

    code = "HL-SEM-0000"


class DocumentError(SemanticsError):
    """A document that breaks the rules of its format; ``place`` is the line and the path."""

    code = "HL-SEM-0001"
    default_hint = "nothing of it was taken; mend it where it says, or ask who made it"


class HostileDocumentError(DocumentError):
    """A document beyond a bound that no honest one needs."""

    code = "HL-SEM-0002"
    default_hint = "nothing of it was taken: what it asks for is how documents attack their readers"


class UnknownFormatError(DocumentError):
    """A file of none of the formats that are known."""

    code = "HL-SEM-0003"
    default_hint = "name the format with --format"


class ModelError(SemanticsError):
    """A change that would leave the model wrong."""

    code = "HL-SEM-0010"


class ConflictError(ModelError):
    """An id that another document has."""

    code = "HL-SEM-0011"


class NoSuchNodeError(ModelError):
    """No node has this id."""

    code = "HL-SEM-0012"


class ChangedError(ModelError):
    """Somebody else changed the document meanwhile: nothing was changed."""

    code = "HL-SEM-0013"


class UnitError(SemanticsError):
    """No unit that is known."""

    code = "HL-SEM-0020"


class DimensionError(UnitError):
    """Units of different dimensions: no number can be converted."""

    code = "HL-SEM-0021"


class ConceptError(SemanticsError):
    """No identifier of a concept."""

    code = "HL-SEM-0030"


class QueryError(SemanticsError):
    """A question that cannot be read, or takes too long."""

    code = "HL-SEM-0040"
