"""Properties that differ in nothing but their name and value, as most of a package do: understood once, then made alike.

A submodel template is filled in a thousand times, and each of its properties says the same thousand times: what it means, its
type, its unit, its texts. An element is compared as the text that it is written as, without its name and its value; to write it
takes a tenth of the time of understanding it.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from lxml import etree

from hulian.network.exchange.semantics.aas.bends import Bends
from hulian.network.exchange.semantics.aas.nodes import ID_SHORT, Builder
from hulian.network.exchange.semantics.contract import Node, Relation

__all__ = ["Alike"]

_LONGEST: Final = 4_000
"""Characters of a property that is remembered."""
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
        self._models: dict[str, _Model] = {}
        self._key = ""
        self._before = (0, 0)

    def take(self, element: Any) -> bool:
        """Makes the node of a property if one like it was there before; else `learn` after it was understood."""
        self._key = ""
        if len(element) < 2 or len(self._models) >= _MOST:
            return False
        first, last = element[0], element[-1]
        name, value = first.text, last.text
        if not name or not value or not ID_SHORT.match(name):
            return False
        key = _without(etree.tostring(element, encoding="unicode", with_tail=False))
        model = self._models.get(key)
        if model is not None:
            self._builder.alike(model.node, model.described, name, value)
            return True
        # What the first and the last child are needs no look where the key is known: it says so.
        plain = first.tag == self._id_short and last.tag == self._value and not len(first) and not len(last)
        if plain and len(key) <= _LONGEST:
            self._key, self._before = key, (self._bends.total, self._builder.references)
        return False

    def learn(self) -> None:
        """What was refused last has been understood since. What was bent is told each time, and so never learnt."""
        bent, references = self._before
        if not self._key or self._bends.total != bent:
            return
        node = self._builder.newest
        made = self._builder.references_since(references)
        if "extensions" in node.extra.get("aas", {}) or node.relation != Relation.COMPONENT:
            return
        if not made:
            self._models[self._key] = _Model(node, "")
        elif len(made) == 1 and made[0].relation == Relation.DESCRIBED and made[0].source == node.id:
            self._models[self._key] = _Model(node, made[0].target)


def _without(text: str) -> str:
    """An element without the texts of its first and its last child, which both begin with one; what else they hold stays.

    A serializer escapes ``<`` and ``>`` wherever they are no markup: these signs alone show where a tag is.

    >>> _without("<p><idShort>a</idShort><valueType>xs:int</valueType><value>5</value></p>")
    '<p><idShort></idShort><valueType>xs:int</valueType><value></value></p>'
    """
    begin = text.index(">", text.index(">") + 1) + 1
    end = text.rindex("</", 0, text.rindex("</"))
    return f"{text[:begin]}{text[text.index('<', begin) : text.rindex('>', 0, end) + 1]}{text[end:]}"
