"""Properties that differ in nothing but their name and value, as most of a package do: understood once, then made alike.

A submodel template is filled in a thousand times, and each of its properties says the same thousand times: what it means, its
type, its unit, its texts. What such an element holds is compared as flat lists of tags, numbers of children and texts, which
together say all of it (attributes and texts between elements say nothing in this language); that takes a quarter of the time
of understanding it.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from hulian.network.exchange.semantics.aas.bends import Bends
from hulian.network.exchange.semantics.aas.nodes import ID_SHORT, Builder
from hulian.network.exchange.semantics.contract import Node, Relation

__all__ = ["Alike"]

_LARGEST: Final = 100
"""Elements of a property that is compared at all."""
_LONGEST: Final = 4_000
"""Characters of one that is remembered."""
_MOST: Final = 4_000
"""Properties that are remembered; a document that has more which are all different is not compared any further."""


class _Model(msgspec.Struct, frozen=True, gc=False):
    """A property that was understood, and the concept description that it refers to, or none."""

    node: Node
    described: str


class Alike:
    """Of one document in XML; ``namespace`` is the one of its elements."""

    def __init__(self, namespace: str, builder: Builder, bends: Bends) -> None:
        self._builder, self._bends = builder, bends
        self._id_short, self._value = f"{{{namespace}}}idShort", f"{{{namespace}}}value"
        self._models: dict[tuple[Any, ...], _Model] = {}
        self._key: tuple[Any, ...] | None = None
        self._before = (0, 0)

    def take(self, element: Any) -> bool:
        """Makes the node of a property if one like it was there before; else `learn` after it was understood."""
        self._key = None
        inside = list(element.iter())
        if len(inside) > _LARGEST or len(self._models) >= _MOST:
            return False
        tags = [one.tag for one in inside]
        if len(tags) < 3 or tags[1] != self._id_short or tags[-1] != self._value or inside[-1].getparent() is not element:
            return False
        texts = [one.text for one in inside]
        name, value = texts[1], texts[-1] or ""
        if not name or not ID_SHORT.match(name):
            return False
        texts[1] = texts[-1] = None
        key = (*tags, *[len(one) for one in inside], *texts)
        model = self._models.get(key)
        if model is not None:
            self._builder.alike(model.node, model.described, name, value)
            return True
        if sum([len(text) for text in texts if text]) <= _LONGEST:
            self._key, self._before = key, (self._bends.total, self._builder.references)
        return False

    def learn(self) -> None:
        """What was refused last has been understood since. What was bent is told each time, and so never learnt."""
        bent, references = self._before
        if self._key is None or self._bends.total != bent:
            return
        node = self._builder.newest
        made = self._builder.references_since(references)
        if "extensions" in node.extra.get("aas", {}) or node.relation != Relation.COMPONENT:
            return
        if not made:
            self._models[self._key] = _Model(node, "")
        elif len(made) == 1 and made[0].relation == Relation.DESCRIBED and made[0].source == node.id:
            self._models[self._key] = _Model(node, made[0].target)
