"""From what a device shows to points with legal, readable, stable names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from hulian.data.catalogue.errors import DescriptionError
from hulian.kernel.identifier import MAXIMUM_LENGTH, Identifier
from hulian.kernel.point import Kind, Point
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Browsed

__all__ = ["place_path", "plant_path", "propose", "shortest", "word"]

_ROOTS: Final = ("Objects", "Root")
_FORBIDDEN: Final = re.compile(r"[\s/#\\\"'`<>|?*:;,=()\[\]{}]+")
_HYPHENS: Final = re.compile(r"-{2,}")
_LONGEST_WORD: Final = 200
_LONGEST_PATH: Final = 500
_STEPS: Final = frozenset({StorageClass.BOOLEAN, StorageClass.TEXT, StorageClass.BYTES, StorageClass.STRUCTURE})


class _Place(NamedTuple):
    thing: str
    area: tuple[str, ...]
    within: tuple[str, ...]


def word(text: str) -> str:
    """``text`` as one readable part of a name: lower case, spaces and punctuation as hyphens, every script kept.

    >>> word("Reactor Pressure (max.)"), word("反应器 压力"), word("//")
    ('reactor-pressure-max', '反应器-压力', 'unnamed')
    """
    plain = unicodedata.normalize("NFKC", text).casefold()
    plain = "".join(" " if unicodedata.category(character) in _UNREADABLE else character for character in plain)
    plain = unicodedata.normalize("NFC", _HYPHENS.sub("-", _FORBIDDEN.sub("-", plain)).strip("-. "))
    plain = plain.encode()[:_LONGEST_WORD].decode("utf-8", "ignore").strip("-. ")
    return plain or "unnamed"


_UNREADABLE: Final = frozenset({"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"})


def plant_path(text: str) -> str:
    """A place in the plant without empty parts. Raises `DescriptionError` where it is too long or holds a control character.

    >>> plant_path(" /works//line 1/ ")
    'works/line 1'
    """
    path = "/".join(part for part in map(str.strip, text.split("/")) if part)
    if len(path) > _LONGEST_PATH:
        raise DescriptionError(f"the path is longer than {_LONGEST_PATH} characters")
    if not path.isprintable() and any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in path):
        raise DescriptionError(f"the path {path!r} holds a control character")
    return path


def propose(
    nodes: Iterable[Browsed],
    *,
    connector: str,
    prefix: str,
    thing: str | None,
    path: str,
    series: Callable[[str, StorageClass], int],
    known: Mapping[str, Point],
    taken: Callable[[Iterable[str]], set[str]],
    foreign: Callable[[Iterable[str]], set[str]],
) -> list[Point]:
    """Points for the leaves among ``nodes``; none of them writable: that a person decides for each.

    ``known`` maps addresses that already feed a point of this connector to that point: it is proposed as it is. ``taken``
    says which of some names exist; ``foreign`` which of some things belong to another connector, and so get this
    connector's name before theirs. The innermost branch that holds a leaf is its thing, unless ``thing`` says otherwise.
    """
    leaves = [node for node in nodes if node.leaf]
    base = plant_path(path)
    places = _places([_branch(node) for node in leaves], connector, thing)
    identifiers = _identifiers({place.thing for place in places}, connector, prefix, foreign if thing is None else None)
    wanted = [
        f"{identifiers[place.thing]}#{'.'.join([*map(word, place.within), word(node.name)])}"
        for node, place in zip(leaves, places, strict=True)
    ]
    used = taken(wanted)
    used.update(point.name for point in known.values())
    points: list[Point] = []
    for node, place, name in zip(leaves, places, wanted, strict=True):
        if (existing := known.get(node.address)) is not None:
            points.append(existing)
            continue
        free = _free(name, used)
        used.add(free)
        points.append(_point(node, free, connector, place_path(base, place.area), series))
    return points


def _branch(node: Browsed) -> tuple[str, ...]:
    path = tuple(node.path)[:-1]
    return path[1:] if path and path[0] in _ROOTS else path


def _places(branches: Sequence[tuple[str, ...]], connector: str, thing: str | None) -> list[_Place]:
    if thing is not None:
        common = _common(branches)
        return [_Place(thing, (), branch[common:]) for branch in branches]
    names = shortest({branch for branch in branches if branch})
    return [_Place(names[branch], branch[:-1], ()) if branch else _Place(word(connector), (), ()) for branch in branches]


def _common(branches: Sequence[tuple[str, ...]]) -> int:
    if not branches:
        return 0
    first, last = min(branches), max(branches)
    count = 0
    while count < min(len(first), len(last)) and first[count] == last[count]:
        count += 1
    return count


def shortest(branches: set[tuple[str, ...]]) -> dict[tuple[str, ...], str]:
    """Each branch under as few of its last parts as tell it from the others: ``pump``, or ``line-1.pump``, ``line-2.pump``."""
    named: dict[tuple[str, ...], str] = {}
    waiting = dict.fromkeys(branches, 1)
    while waiting:
        groups: dict[str, list[tuple[str, ...]]] = {}
        for branch, parts in waiting.items():
            groups.setdefault(".".join(map(word, branch[-parts:])), []).append(branch)
        again: dict[tuple[str, ...], int] = {}
        for name, members in groups.items():
            grow = [branch for branch in members if waiting[branch] < len(branch)]
            if len(members) == 1 or not grow:
                for branch in members:
                    named[branch] = name
            else:
                for branch in members:
                    if branch in grow:
                        again[branch] = waiting[branch] + 1
                    else:
                        named[branch] = name
        waiting = again
    return named


def _identifiers(
    things: set[str], connector: str, prefix: str, foreign: Callable[[Iterable[str]], set[str]] | None
) -> dict[str, str]:
    found = {thing: str(Identifier.parse(thing if "/" in thing else f"{prefix}/{thing}")) for thing in things}
    elsewhere = foreign(found.values()) if foreign is not None else set()
    return {
        thing: f"{prefix.lower()}/{word(connector)}.{thing}" if identifier in elsewhere else identifier
        for thing, identifier in found.items()
    }


def place_path(base: str, area: Sequence[str]) -> str:
    """The device's own places under ``base``, as many as a path holds."""
    path = base
    for part in filter(None, (_label(part).replace("/", "-").strip("-") for part in area)):
        longer = f"{path}/{part}" if path else part
        if len(longer) > _LONGEST_PATH:
            break
        path = longer
    return path


def _label(text: str) -> str:
    """``text`` as a device wrote it, without what no person can read."""
    plain = "".join(" " if unicodedata.category(character) in _UNREADABLE else character for character in text)
    return unicodedata.normalize("NFC", " ".join(plain.split()))[:_LONGEST_WORD]


def _free(name: str, used: set[str]) -> str:
    name = name.encode()[: MAXIMUM_LENGTH - 8].decode("utf-8", "ignore")
    if name not in used:
        return name
    number = 2
    while f"{name}-{number}" in used:
        number += 1
    return f"{name}-{number}"


def _point(node: Browsed, name: str, connector: str, path: str, series: Callable[[str, StorageClass], int]) -> Point:
    storage = node.storage or StorageClass.DOUBLE
    low, high = node.low, node.high
    if low is not None and high is not None and not low < high:
        low = high = None
    return Point(
        name=name,
        series=series(node.address, storage),
        storage=storage,
        kind=Kind.STEP if storage in _STEPS else node.kind,
        tag=_label(node.name),
        path=path,
        unit=node.unit,
        low=low,
        high=high,
        texts={"und": node.description} if node.description else {},
        connector=connector,
        address=node.address,
        options=dict(node.options),
    )
