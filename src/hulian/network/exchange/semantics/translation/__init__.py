"""From one language of the field to another: which pairs have a mapping of their own, and the way back.

Every format writes nodes of any language by rules of its own room. Where a standard says how one language is said in another,
that mapping comes first: `translated` gives the content as the target has it. A document that carries what it was made from
(`carried`) is taken back to that first, so that the way there and back is the identity; what was changed in between is taken
over where the two say the same thing, and told where they do not.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Final, NamedTuple
from urllib.parse import quote

import msgspec

from hulian.network.exchange.semantics.carried import CARRIED, Carrier
from hulian.network.exchange.semantics.contract import Content, Document, Loss
from hulian.network.exchange.semantics.errors import SemanticsError
from hulian.network.exchange.semantics.translation.back import taken_back
from hulian.network.exchange.semantics.translation.spooled import Spooled, Under

__all__ = ["PAIRS", "Pair", "translated"]


class Pair(NamedTuple):
    """A mapping from one language to another."""

    standard: str
    make: Callable[[Content, list[Loss]], Content]


def _opcua_of_automationml(content: Content, losses: list[Loss]) -> Content:
    from hulian.network.exchange.semantics.automationml.opcua import to_opcua

    namespace = f"urn:hulian:model:{quote(content.document.name)}"
    return Spooled(*to_opcua(content, namespace, losses, Carrier(content)), content)


def _automationml_of_opcua(content: Content, losses: list[Loss]) -> Content:
    from hulian.network.exchange.semantics.automationml.from_opcua import to_automationml

    return Spooled(*to_automationml(content, content.document.name, losses, Carrier(content)), content)


def _automationml_of_aas(content: Content, losses: list[Loss]) -> Content:
    from hulian.network.exchange.semantics.translation.aas_automationml import to_automationml

    return Spooled(*to_automationml(content, losses, Carrier(content)), content)


def _opcua_of_aas(content: Content, losses: list[Loss]) -> Content:
    from hulian.network.exchange.semantics.translation.aas_opcua import to_opcua

    return Spooled(*to_opcua(content, losses, Carrier(content)), content)


PAIRS: Final = {
    ("automationml", "nodeset"): Pair("OPC 30040 (OPC UA for AutomationML) 1.00", _opcua_of_automationml),
    ("nodeset", "automationml"): Pair("OPC 10000-83, Annex A", _automationml_of_opcua),
    ("aas", "automationml"): Pair("AR AAS 1.0.0 (Asset Administration Shell Representation)", _automationml_of_aas),
    ("aas", "nodeset"): Pair("OPC 30270 (I4AAS) 1.00, extended to metamodel 3", _opcua_of_aas),
}
"""By the rooms of the two languages."""
_NOT_OURS: Final = (SemanticsError, LookupError, TypeError, ValueError, AttributeError)
"""What content raises that somebody else put where ours is carried: its ``extra`` holds anything."""
_KEYS: Final = {"automationml": "aml", "nodeset": "nodeset", "aas": "aas", "wot": "wot", "instrumentml": "iml"}
"""Under which each room keeps in `Node.extra` what only it knows."""


def translated(content: Content, own: str, target: str, losses: list[Loss]) -> Content:
    """A document of the room ``own`` as the room ``target`` writes it; losses are appended, at the latest while it is read."""
    if own == target:
        return content
    if own in ("automationml", "nodeset") and _carries(content.document):

        def again(source: Content, told: list[Loss]) -> Content:
            return translated(source, _room_of(source.document), own, told)

        form = import_module(f"hulian.network.exchange.semantics.{own}").FORMAT
        told: list[Loss] = []
        try:
            back = taken_back(content, form, _KEYS[own], again, told)
        except _NOT_OURS:
            back, told = (
                None,
                [Loss(content.document.name, "what it carries of another language", "it is not what was put there")],
            )
        losses += told
        if back is not None:
            return translated(back, _room_of(back.document), target, losses)
    if own == "aas" and (carried := content.document.extra.get("aas", {}).get("carried")):
        # The nodes are as they were when they went into it: only the document has another face.
        was = msgspec.convert(carried, Document)
        return translated(Under(was, content), _room_of(was), target, losses)
    pair = PAIRS.get((own, target))
    if pair is None:
        return content
    return pair.make(content, losses)


def _carries(document: Document) -> bool:
    said = document.extra.get("nodeset", {}).get("extensions", ()), document.extra.get("aml", {}).get("header", ())
    return any(CARRIED in each for pieces in said for each in pieces)


_ROOMS: Final = {"aml": "automationml", "td": "wot", "iml": "instrumentml", "nodeset": "nodeset", "aas": "aas"}


def _room_of(document: Document) -> str:
    return _ROOMS.get(document.format, "plain")
