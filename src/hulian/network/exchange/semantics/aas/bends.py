"""What published files do against their standard, and how it is read all the same.

Nothing is bent in silence: each place is in the loss list, as far as the list goes (`_TOLD` of one kind, then their number).
"""

from __future__ import annotations

from typing import Any, Final

from hulian.network.exchange.semantics.contract import Loss

__all__ = ["BENDS", "Bends"]

_TOLD: Final = 50

BENDS: Final = {
    "empty-list": "a list without members is read as no list: tools write one for each field that has none",
    "empty-text": "an empty text in a field that must hold something is read as no field: forms save what was not filled in",
    "number-for-text": "JSON numbers and booleans where the standard has texts: values are written so by hand and by scripts",
    "text-for-flag": "a flag as text in JSON, or as '1' in XML: both are lexical forms of xs:boolean",
    "no-model-type": "JSON elements without modelType are told by their fields: early tools wrote it only where it was needed",
    "model-type-object": "modelType as {'name': …}, as version 2 had it",
    "no-value-type": "a Property or Range without valueType is one of xs:string: templates leave it open",
    "value-type-prefix": "'string' or 'xsd:string' for 'xs:string': written so in version 2, and by hand",
    "language-map": "texts by language as one object {'en': …} instead of a list: value-only form saved as a document",
    "reference-type": "a reference without type is external where its first key is global, else into a model",
    "key-type": "keys 'GlobalReference' in old spellings (ConceptDictionary, Asset, Global): names of version 2",
    "namespace": "http for https, or '/' at the end of the namespace: seen in files made by hand",
    "no-environment": "one submodel, shell or concept description as a JSON document: so answers of the HTTP API are saved",
    "relationship": "relationship types of older packages (www.admin-shell.io, aas-spec-split): meant the same",
    "no-relationship": "a package whose relationships lead nowhere: its *.aas.xml and *.aas.json are taken",
    "order": "XML elements out of their order: libraries that write from a hash table",
    "missing-member": "a relationship to a file that is not in the package",
    "same-id": "two things with one id, or two elements with one idShort: the second gets a number in the model",
    "same-language": "two texts in one language: people see the first, both are kept",
    "unknown": "a field that the metamodel does not have: it is not kept",
}
"""Name and reason of each bend that is accepted."""


class Bends:
    """Counts the bends of one document and tells them as losses."""

    def __init__(self, losses: list[Loss]) -> None:
        self._losses = losses
        self._counts: dict[str, int] = {}
        self.total = 0
        """How many were taken so far."""

    def took(self, bend: str, place: str, what: str = "") -> None:
        """A bend of this name was accepted at this place."""
        self.total += 1
        count = self._counts[bend] = self._counts.get(bend, 0) + 1
        if count <= _TOLD:
            self._losses.append(Loss(place=place, what=what or bend, why=BENDS[bend]))

    def none(self, bend: str, place: str) -> Any:
        """`took`, where nothing is left of it: always None."""
        self.took(bend, place)
        return None

    def finish(self) -> None:
        """Tells how many more there were than the list names."""
        for bend, count in self._counts.items():
            if count > _TOLD:
                self._losses.append(Loss(place="", what=f"{bend}: {count - _TOLD} more places", why=BENDS[bend]))
        self._counts.clear()

    @property
    def counts(self) -> dict[str, int]:
        """How often each was met."""
        return dict(self._counts)
