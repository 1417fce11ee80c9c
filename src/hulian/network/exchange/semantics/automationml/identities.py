"""What a document has named, and what names it: enough to resolve references, and to tell those that lead nowhere."""

from __future__ import annotations

from typing import Final, NamedTuple

from hulian.network.exchange.semantics.automationml.names import escaped, normalised, shortened
from hulian.network.exchange.semantics.contract import Loss, Reference, Relation

__all__ = ["Identities", "PendingLink"]

_TOLD: Final = 1000
"""Findings of one kind that are told one by one; the rest are counted."""


class PendingLink(NamedTuple):
    """A link or mirror, until all that it may lead to has been read."""

    relation: str
    owner: str
    prefix: str
    first: str
    second: str
    extra: dict[str, object]
    place: str


class Identities:
    """IDs, interfaces and classes of all files of one document. A string or a number is held of each, no node."""

    def __init__(self, losses: list[Loss]) -> None:
        self.losses = losses
        self._told: dict[tuple[str, bool], int] = {}
        self._objects: dict[str, str | None] = {}
        self._interfaces: dict[str, str] = {}
        self._classes: set[int] = set()
        self._wanted: dict[str, tuple[str, str]] = {}
        self._pending: list[PendingLink] = []

    def find(self, what: str, place: str, why: str, *, lost: bool = False) -> None:
        """Tells a finding; of the same ``what`` a thousand at most."""
        count = self._told[what, lost] = self._told.get((what, lost), 0) + 1
        if count <= _TOLD:
            self.losses.append(Loss(place, what, why, lost))

    def named(self, prefix: str, text: str) -> tuple[str, bool]:
        """The id of an object with this ID, and whether the ID was there before."""
        key = prefix + normalised(text)
        identity = shortened(prefix + escaped(text.strip()))
        if key in self._objects:
            return identity, True
        self._objects[key] = None if identity == key else identity
        return identity, False

    def interface(self, prefix: str, owner: str, name: str, identity: str) -> None:
        """Remembers an interface by the ID of what has it and its name, as CAEX 2.15 links it; the first of a name counts."""
        self._interfaces.setdefault(f"{prefix}{normalised(owner)}:{name}", identity)

    def defined(self, identity: str) -> None:
        """Remembers a class."""
        self._classes.add(hash(identity))

    def wanted(self, identity: str, text: str, place: str) -> None:
        """Remembers that a class is referred to, and where first."""
        if identity not in self._wanted:
            self._wanted[identity] = (text, place)

    def later(self, link: PendingLink) -> None:
        """Keeps a link until everything has been read."""
        self._pending.append(link)

    def object_id(self, prefix: str, text: str) -> str | None:
        """The id of the object with this ID, however it is spelled."""
        key = prefix + normalised(text)
        if key not in self._objects:
            return None
        return self._objects[key] or key

    def _side(self, prefix: str, text: str) -> tuple[str, bool]:
        """The id of one side of a link, and whether it is there: an interface's ID (3.0), or ID:Name (2.15)."""
        owner, colon, name = text.partition(":")
        if colon and (found := self._interfaces.get(f"{prefix}{normalised(owner)}:{name}")):
            return found, True
        if found := self.object_id(prefix, text):
            return found, True
        return shortened(prefix + escaped(text)), False

    def resolved(self) -> list[Reference]:
        """References of all links and mirrors, in their order; findings for those that lead nowhere."""
        references = []
        for link in self._pending:
            if link.relation == Relation.SAME:
                target = self.object_id(link.prefix, link.second)
                attribute = str(link.extra.get("path", ""))
                if target is None:
                    self.find("a mirror of nothing", link.place, f"no object has the ID {link.second!r}")
                    target = shortened(link.prefix + escaped(link.second.strip()))
                references.append(Reference(link.owner, Relation.SAME, target + attribute, {"aml": link.extra}))
                continue
            ends = []
            for text in (link.first, link.second):
                end, found = self._side(link.prefix, text)
                ends.append(end)
                if not found:
                    self.find("a link to no interface", link.place, f"{text!r} is no interface of this document")
            references.append(Reference(ends[0], Relation.LINK, ends[1], {"aml": {"at": link.owner, **link.extra}}))
        self._pending.clear()
        return references

    def conclude(self, loaded: set[str], missing: dict[str, str]) -> None:
        """Tells the paths that lead nowhere. ``loaded`` are the prefixes of files that were read, ``missing`` the others."""
        for identity, (text, place) in self._wanted.items():
            if hash(identity) in self._classes:
                continue
            prefix = identity[: identity.find("!") + 1] or next(iter(loaded))
            if prefix in missing:
                self.find("a class in a file that is not here", place, f"{text!r} is in {missing[prefix]}")
            else:
                self.find("a path that leads nowhere", place, f"no class is at {text!r}")
        for (what, lost), count in self._told.items():
            if count > _TOLD:
                self.losses.append(Loss("the document", what, f"{count - _TOLD} more of them", lost))
