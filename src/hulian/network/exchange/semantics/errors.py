"""Errors of the information model and its languages.

SemanticsError                     HL-SEM-0000
├── DocumentError                  HL-SEM-0001   a document that breaks the rules of its format
│   ├── HostileDocumentError       HL-SEM-0002   beyond a bound: entities, depth, sizes, paths that leave a container
│   │   ├── ReaderMemoryError      HL-SEM-0042   reading it takes more memory than any document needs
│   │   └── ReaderTimeError        HL-SEM-0043   reading it takes more time than any document needs
│   ├── UnknownFormatError         HL-SEM-0003   none of the formats that are known
│   └── ReaderEndedError           HL-SEM-0041   the process that reads it ended without a word
├── ModelError                     HL-SEM-0010   a change that would leave the model wrong
│   ├── ConflictError              HL-SEM-0011   an id that another document has
│   ├── NoSuchNodeError            HL-SEM-0012
│   └── ChangedError               HL-SEM-0013   somebody else changed it meanwhile
├── UnitError                      HL-SEM-0020   no unit that is known
│   └── DimensionError             HL-SEM-0021   units of different dimensions
├── ConceptError                   HL-SEM-0030   no identifier of a concept
├── QueryError                     HL-SEM-0040   a question that cannot be read or takes too long
└── TranslationError               HL-SEM-0049   a document of which a language can say nothing
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
    "ReaderEndedError",
    "ReaderMemoryError",
    "ReaderTimeError",
    "SemanticsError",
    "TranslationError",
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


class ReaderEndedError(DocumentError):
    """The process that read a document ended without a word: killed, or by a mistake of ours."""

    code = "HL-SEM-0041"
    default_hint = "nothing of it was taken; try again, and if it happens again report it: the reader's log says more"


class ReaderMemoryError(HostileDocumentError):
    """A document whose reader took more memory than any honest one's."""

    code = "HL-SEM-0042"
    default_hint = "nothing of it was taken; divide it if it is in earnest as large as that"


class ReaderTimeError(HostileDocumentError):
    """A document whose reader took more time than any honest one's."""

    code = "HL-SEM-0043"
    default_hint = "nothing of it was taken; divide it if it is in earnest as large as that"


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


class TranslationError(SemanticsError):
    """A document of which another language can say nothing at all: what would be written is no document of it."""

    code = "HL-SEM-0049"
    default_hint = "export it as another format: aml, nodeset and aasx take documents of every language"
