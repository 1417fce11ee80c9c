"""Instances of a type on a live server: which there are, and which node of the server is which member, found by browse path.

The server's nodes are walked from the Objects folder along hierarchical references. A node is an instance where its type is the
wanted one or derives from it, in the model or on the server. Its members are found by browse name, level by level, each
declared by the type of the instance as far as the model knows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Protocol

import msgspec

from hulian.network.exchange.semantics.contract import Kind
from hulian.network.exchange.semantics.nodeset.declared import Declaration, Name, Types

__all__ = ["Browser", "Match", "Missing", "Report", "Seen", "find_instances", "path_text"]

_BATCH: Final = 100
_DEEPEST: Final = 32
_OBJECTS: Final = "i=85"
_SUBTYPE: Final = "i=45"


class Seen(msgspec.Struct, frozen=True):
    """What browsing says of a node that another refers to."""

    id: str
    """With the namespace's URI: ``nsu=http://…;i=5``, ``i=5``."""
    name: Name
    reference: str
    """Id of the reference type."""
    type: str = ""
    """Id of its type definition; empty for types and methods."""


class Browser(Protocol):
    """A live server, as whoever is connected to it shows it to `find_instances`."""

    async def browse(self, nodes: Sequence[str]) -> Sequence[Sequence[Seen]]:
        """What each of these nodes (100 at most) refers to forward, by HierarchicalReferences and its subtypes.

        Called again and again while the server is walked; nothing for a node that the server does not have. Whatever it
        raises ends the search.
        """
        ...


class Missing(msgspec.Struct, frozen=True):
    """A member that the type declares and the instance lacks."""

    path: tuple[Name, ...]
    required: bool


class Match(msgspec.Struct):
    """One instance."""

    id: str
    type: str
    """Its own type, which may be a special one."""
    path: tuple[Name, ...]
    """Browse path from where the search began."""
    nodes: dict[tuple[Name, ...], str] = {}
    """Each declared member that is there: browse path from the instance, and the node's id on the server."""
    kinds: dict[tuple[Name, ...], Kind] = {}
    known: str = ""
    """The nearest to its type that the model knows."""
    declared: dict[tuple[Name, ...], tuple[str, str]] = {}
    """Of each member: the node in the type that declares it, and the member's own type as far as the model knows it."""
    missing: list[Missing] = []
    extra: list[tuple[tuple[Name, ...], str]] = []
    """Path and id of what no type declares."""

    @property
    def complete(self) -> bool:
        """Whether it has all that its type requires."""
        return not any(each.required for each in self.missing)

    @property
    def properties(self) -> dict[str, str]:
        """Path and node id of the members with values: what points are bound to."""
        return {path_text(path): self.nodes[path] for path, kind in self.kinds.items() if kind is Kind.PROPERTY}


class Report(msgspec.Struct):
    """What a search found."""

    matches: list[Match]
    visited: int
    whole: bool
    """False where the server has more nodes than the search was allowed to visit."""


def path_text(path: Iterable[Name]) -> str:
    """A browse path for people, without namespaces.

    >>> path_text([("http://a", "Identification"), ("http://b", "Manufacturer")])
    'Identification/Manufacturer'
    """
    return "/".join(name.replace("/", "&/") for _, name in path)


async def find_instances(types: Types, wanted: str, browser: Browser, *, start: str = _OBJECTS, most: int = 100_000) -> Report:
    """Every instance of the type ``wanted`` at or below ``start``, each once, by the first path that leads to it.

    At most ``most`` nodes of the server are visited. Raises what the browser raises.
    """
    return await _Search(types, browser, most).find(wanted, start)


class _Search:
    def __init__(self, types: Types, browser: Browser, most: int) -> None:
        self._types, self._browser, self._most = types, browser, most
        self._matched: set[str] = set()
        self._remembered: dict[str, Sequence[Seen]] = {}

    async def find(self, wanted: str, start: str) -> Report:
        kinds = await self._specials(wanted)
        visited = {start}
        level: list[tuple[str, tuple[Name, ...]]] = [(start, ())]
        matches: list[Match] = []
        whole = True
        while level:
            below: list[tuple[str, tuple[Name, ...]]] = []
            for (_, path), children in zip(level, await self._browse([node for node, _ in level]), strict=True):
                for child in children:
                    if child.id in visited or child.reference == _SUBTYPE:
                        continue
                    if len(visited) >= self._most:
                        whole = False
                        break
                    visited.add(child.id)
                    here = (*path, child.name)
                    if child.type in kinds:
                        matches.append(Match(child.id, child.type, here))
                    if len(here) < _DEEPEST:
                        below.append((child.id, here))
            level = below
        for match in matches:
            self._matched = {match.id}
            known = next(
                (each for each in (match.type, *self._types.generals(kinds[match.type])) if each in self._types), wanted
            )
            match.known = known
            await self._compare(match, match.id, (), known, "")
        return Report(matches, len(visited), whole)

    async def _specials(self, wanted: str) -> dict[str, str]:
        """Each type that counts, and the nearest to it that the model knows."""
        found = {each: each for each in self._types.specials(wanted)}
        waiting = list(found)
        while waiting:
            new = []
            for general, children in zip(waiting, await self._browse(waiting), strict=True):
                for child in children:
                    if child.reference == _SUBTYPE and child.id not in found:
                        found[child.id] = found[general]
                        new.append(child.id)
            waiting = new
        return found

    async def _compare(self, match: Match, node: str, path: tuple[Name, ...], type_: str, declaration: str) -> None:
        """Matches what is below ``node`` with what its type, and the member that it stands for, declare."""
        if len(path) >= _DEEPEST:
            return
        [children] = await self._browse([node])
        there: dict[Name, Seen] = {}
        for child in children:
            if child.reference != _SUBTYPE:
                there.setdefault(child.name, child)
        members = self._types.members(type_, declaration)
        pairs = []
        for member in members:
            if member.many:
                continue
            seen = there.pop(member.name, None)
            if seen is None:
                match.missing.append(Missing((*path, member.name), member.required))
            else:
                pairs.append((member, seen))
        for member in (each for each in members if each.many):
            alike = [seen for seen in there.values() if self._fits(seen, member)]
            if not alike and member.required:
                match.missing.append(Missing((*path, member.name), True))
            for seen in alike:
                del there[seen.name]
                pairs.append((member, seen))
        match.extra.extend(((*path, seen.name), seen.id) for seen in there.values())
        for member, seen in pairs:
            here = (*path, seen.name)
            if seen.id in self._matched:
                continue
            self._matched.add(seen.id)
            match.nodes[here], match.kinds[here] = seen.id, member.kind
            known = seen.type if seen.type in self._types else member.type
            match.declared[here] = member.id, known
            if member.kind is not Kind.OPERATION:
                await self._compare(match, seen.id, here, known, member.id)

    def _fits(self, seen: Seen, member: Declaration) -> bool:
        if member.kind is Kind.OPERATION or not member.type:
            return not seen.type
        return self._types.is_a(seen.type, member.type)

    async def _browse(self, nodes: list[str]) -> list[Sequence[Seen]]:
        """As the browser, in batches; what was asked once is remembered."""
        asked = [node for node in dict.fromkeys(nodes) if node not in self._remembered]
        for at in range(0, len(asked), _BATCH):
            piece = asked[at : at + _BATCH]
            self._remembered.update(zip(piece, await self._browser.browse(piece), strict=True))
        return [self._remembered[node] for node in nodes]
