"""What a node knows of meaning: the model, and the dictionaries, units and concepts that it is read with."""

from __future__ import annotations

import functools

from hulian.network.exchange.semantics.concepts import recognise
from hulian.network.exchange.semantics.dictionary import Dictionaries
from hulian.network.exchange.semantics.dictionary.general import general
from hulian.network.exchange.semantics.dictionary.suggesting import Suggester
from hulian.network.exchange.semantics.errors import QueryError, UnitError
from hulian.network.exchange.semantics.model import Meanings, Model
from hulian.network.exchange.semantics.nodeset.standard import standard_table
from hulian.network.exchange.semantics.units import conversion, find
from hulian.registry import Registry

__all__ = ["Semantics"]


class Semantics:
    """The model and the dictionaries that ``registry`` keeps. All calls block; any thread may make them.

    The general dictionary comes with every installation and is put on the shelf where it is missing.
    """

    def __init__(self, registry: Registry) -> None:
        self.dictionaries = Dictionaries(registry)
        header, entries = general()
        if not any((one.name, one.label) == (header.name, header.label) for one in self.dictionaries.shelf()):
            self.dictionaries.take(header, entries, by="hulian")
        self.suggester = Suggester(registry, self.dictionaries)
        self.model = Model(registry, Meanings(normal=_normal, concepts=self._concepts, convert=_convert, known=_standard))

    def close(self) -> None:
        self.model.close()

    def _concepts(self, words: str) -> list[str]:
        return [found.entry.concept.key for found in self.dictionaries.find(words, limit=20)]


@functools.lru_cache(maxsize=100_000)
def _normal(text: str) -> str | None:
    found = recognise(text)
    return found.key if found is not None else None


def _standard(identity: str) -> bool:
    """Nodes of OPC UA's own namespace, which no document brings."""
    return identity.startswith("i=") and identity in standard_table()


@functools.lru_cache(maxsize=10_000)
def _convert(unit: str, wanted: str) -> tuple[float, float] | None:
    try:
        target = find(wanted)
    except UnitError as error:
        raise QueryError(error.message, place="unit", hint=error.hint) from error
    try:
        found = conversion(find(unit), target)
    except UnitError:
        return None
    return float(found.factor), float(found.offset)
