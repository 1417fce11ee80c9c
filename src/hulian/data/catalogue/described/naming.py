"""From what a description calls a property to the name of a point, and to its place in the plant."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from hulian.data.catalogue.naming import place_path, shortest, word
from hulian.kernel.identifier import MAXIMUM_LENGTH, Identifier
from hulian.network.exchange.semantics.proposals import ProposedPoint

__all__ = ["names_of", "path_of"]


def names_of(
    points: Iterable[ProposedPoint],
    *,
    prefix: str,
    known: Mapping[str, str],
    taken: Callable[[Iterable[str]], set[str]],
) -> dict[str, str]:
    """A name for each node: the one that it is bound to, ``known`` (that of the point which its address feeds today), or one
    made of the description: ``prefix/thing#property``.

    A thing without an identifier is called by as few of the names above it as tell it from the others. A name that
    another of ``points`` has already gets a number; ``taken`` says which of some names are those of points fed from elsewhere.
    """
    listed = list(points)
    things = shortest({point.above for point in listed if not point.thing})
    wanted: dict[str, str] = {}
    for point in listed:
        thing = point.thing or str(Identifier.parse(f"{prefix}/{things[point.above]}"))
        wanted[point.node] = f"{thing}#{'.'.join(map(word, point.below))}"
    present = taken([*wanted.values(), *(point.name for point in listed if point.name)])
    found: dict[str, str] = {}
    used: set[str] = set()
    for point in listed:
        fed = known.get(point.node, "")
        # a point that was renamed since is not the one that is noted any more, but its address still feeds it
        name = fed if fed and point.name not in present else point.name
        if not name or name in used:
            name = _free(wanted[point.node], used | (present if not point.thing else set()))
        used.add(name)
        found[point.node] = name
    return found


def _free(name: str, used: set[str]) -> str:
    name = name.encode()[: MAXIMUM_LENGTH - 8].decode("utf-8", "ignore")
    number, found = 1, name
    while found in used:
        number += 1
        found = f"{name}-{number}"
    return found


def path_of(point: ProposedPoint) -> str:
    """Its place in the plant: what stands above its thing, joined by ``/``."""
    return place_path("", point.above[:-1])
