"""What the store of dictionaries answers."""

from __future__ import annotations

from typing import Any

import msgspec

from hulian.network.exchange.semantics.dictionary.entry import Entry

__all__ = ["Change", "Difference", "Found", "Release", "Shelved", "Taken"]


class Taken(msgspec.Struct):
    """What taking a release did. ``release`` is the one that was there already where nothing differed."""

    release: int
    added: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0
    repeated: list[str] = []
    """Identifiers that the document has more than once: its first entry counted (the first 100 of them)."""


class Shelved(msgspec.Struct):
    """A dictionary that is here."""

    name: str
    title: str
    publisher: str
    licence: str
    format: str
    release: int
    label: str
    total: int


class Release(msgspec.Struct):
    """One release of a dictionary; ``taken`` in ns since 1970."""

    release: int
    label: str
    taken: int
    by: str
    added: int
    changed: int
    removed: int
    total: int


class Found(msgspec.Struct):
    """A concept, where it is from, and how well it fits what was asked."""

    entry: Entry
    dictionary: str
    release: int
    """The release since which it is as it is."""
    score: float = 0.0
    via: str = ""
    """Of inherited properties: the identifier of the class that has it."""


class Change(msgspec.Struct):
    """A concept that differs: ``fields`` by name, each with its older and its newer value."""

    key: str
    older: Entry
    newer: Entry
    fields: dict[str, tuple[Any, Any]]


class Difference(msgspec.Struct):
    """What differs between two releases of a dictionary."""

    added: list[Entry] = []
    removed: list[Entry] = []
    changed: list[Change] = []
