"""One form for whatever names a thing: a `Code` of some `Scheme`.

Each scheme has a class of its own below `Code`, an immutable value with three promises: two codes that mean the same are
equal and have the same text; the scheme's own parse reads `Code.text` back to an equal code; a form that a scheme does not
have is a `ConversionError`, never a guess.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar

from hulian.network.identifiers.schemes.errors import ConversionError

__all__ = ["Code", "Scheme"]


class Scheme(StrEnum):
    """The families of codes. The values are what interfaces and stores show."""

    HANDLE = "handle"
    VAA = "vaa"
    OID = "oid"
    ECODE = "ecode"
    GS1 = "gs1"
    EPC = "epc"
    DID = "did"


class Code(ABC):
    """A name of some scheme, parsed and checked. Immutable, hashable, equal to every other way to write it."""

    __slots__ = ()
    scheme: ClassVar[Scheme]

    @property
    @abstractmethod
    def text(self) -> str:
        """The canonical text: what is stored, compared and shown."""

    @property
    @abstractmethod
    def parts(self) -> Mapping[str, str]:
        """The parts by name, in the order in which they stand in the code; read-only."""

    def to_text(self) -> str:
        """The canonical text."""
        return self.text

    def to_binary(self) -> bytes:
        """The scheme's own octets; where it has none, the UTF-8 octets of the canonical text."""
        return self.text.encode()

    def to_url(self) -> str:
        """An address for people and programs. Raises `ConversionError` where the scheme has no published one."""
        raise ConversionError(
            f"{self.text!r} has no URL of its own", rule=f"{self.scheme}.url", hint="resolve it, and take the URL of its record"
        )

    def __str__(self) -> str:
        return self.text
