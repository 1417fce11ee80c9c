"""What can go wrong with dictionaries.

SemanticsError
└── ConceptError                   HL-SEM-0030
    ├── NoSuchConceptError         HL-SEM-0031   a concept that no dictionary here has
    ├── NoSuchDictionaryError      HL-SEM-0032
    └── DictionaryTakenError       HL-SEM-0033   somebody else began to take the same dictionary
"""

from __future__ import annotations

from hulian.network.exchange.semantics.errors import ConceptError

__all__ = ["DictionaryTakenError", "NoSuchConceptError", "NoSuchDictionaryError"]


class NoSuchConceptError(ConceptError):
    """A concept that no dictionary here has."""

    code = "HL-SEM-0031"
    default_hint = "look for it by its words, or import the dictionary that defines it"


class NoSuchDictionaryError(ConceptError):
    """No dictionary, or no release of it, has this name."""

    code = "HL-SEM-0032"


class DictionaryTakenError(ConceptError):
    """Somebody else began to take the same dictionary meanwhile: what this one wrote is not seen."""

    code = "HL-SEM-0033"
    default_hint = "wait until the other import has ended, then begin again"
