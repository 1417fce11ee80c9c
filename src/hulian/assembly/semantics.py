"""The information model of this node: its formats, and what the model needs of units and concepts."""

from __future__ import annotations

import functools
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hulian.network.exchange.semantics.contract import Format, Source
from hulian.network.exchange.semantics.errors import UnitError, UnknownFormatError
from hulian.network.exchange.semantics.model import Meanings, Model
from hulian.registry import Registry

if TYPE_CHECKING:
    from hulian.network.exchange.semantics.dictionary import Dictionaries

__all__ = ["FORMATS", "dictionaries_of", "document_name", "format_named", "format_of", "model_of"]

FORMATS: Final = {
    "aml": "automationml",
    "nodeset": "nodeset",
    "aas": "aas",
    "aasx": "aas",
    "aas-xml": "aas",
    "aas-json": "aas",
    "td": "wot",
    "iml": "instrumentml",
    "hulian": "plain",
}
"""Formats by the name that commands take, and the room of each. A room is loaded when a document of it is."""
_HEAD: Final = 4096


def format_named(name: str) -> Format:
    """The format that a person names. Raises `UnknownFormatError`."""
    room = FORMATS.get(name.casefold())
    if room is None:
        raise UnknownFormatError(f"there is no format '{name}'", hint=f"one of: {', '.join(FORMATS)}")
    module = import_module(f"hulian.network.exchange.semantics.{room}")
    every = {one.name: one for one in getattr(module, "FORMATS", ())}  # of a room whose documents have several forms
    found: Format = every.get(name.casefold(), module.FORMAT)
    return found


def format_of(source: Source) -> Format:
    """The format that a document has, by its name and its first bytes. Raises `UnknownFormatError`."""
    with source.open() as opened:
        head = opened.read(_HEAD)
    named = [name for name in FORMATS if source.name.casefold().endswith(tuple(format_named(name).suffixes))]
    for name in [*named, *(name for name in FORMATS if name not in named)]:
        if format_named(name).recognises(source.name, head):
            return format_named(name)
    raise UnknownFormatError(
        "it is of no format that is known", place=source.name, hint=f"name one with --format: {', '.join(FORMATS)}"
    )


def document_name(path: Path, form: Format) -> str:
    """A name for the document in a file: the file's own, without what says its format."""
    name = path.name
    for suffix in sorted((*form.suffixes, path.suffix), key=len, reverse=True):
        if suffix and name.casefold().endswith(suffix.casefold()) and len(name) > len(suffix):
            name = name[: -len(suffix)]
            break
    return "".join(character if character.isalnum() or character in "-_. " else "-" for character in name)[:100]


def model_of(registry: Registry) -> Model:
    """The model that the registry keeps."""
    from hulian.network.exchange.semantics.concepts import recognise

    @functools.lru_cache(maxsize=100_000)
    def normal(text: str) -> str | None:
        found = recognise(text)
        return found.key if found is not None else None

    dictionaries = dictionaries_of(registry)

    def concepts(words: str) -> list[str]:
        return [found.entry.concept.key for found in dictionaries.find(words, limit=20)]

    return Model(registry, Meanings(normal=normal, concepts=concepts, convert=_convert, known=_standard))


def dictionaries_of(registry: Registry) -> Dictionaries:
    """The dictionaries that the registry keeps, and the general one, which comes with every installation."""
    from hulian.network.exchange.semantics.dictionary import Dictionaries
    from hulian.network.exchange.semantics.dictionary.general import general

    dictionaries = Dictionaries(registry)
    header, entries = general()
    if not any((one.name, one.label) == (header.name, header.label) for one in dictionaries.shelf()):
        dictionaries.take(header, entries, by="hulian")
    return dictionaries


def _standard(identity: str) -> bool:
    """Nodes of OPC UA's own namespace, which no document brings."""
    if not identity.startswith("i="):
        return False
    from hulian.network.exchange.semantics.nodeset.standard import standard_table

    return identity in standard_table()


@functools.lru_cache(maxsize=10_000)
def _convert(unit: str, wanted: str) -> tuple[float, float] | None:
    from hulian.network.exchange.semantics.errors import QueryError
    from hulian.network.exchange.semantics.units import conversion, find

    try:
        target = find(wanted)
    except UnitError as error:
        raise QueryError(error.message, place="unit", hint=error.hint) from error
    try:
        found = conversion(find(unit), target)
    except UnitError:
        return None
    return float(found.factor), float(found.offset)
