"""Linksets in JSON (RFC 9264, section 4.2), as resolvers of GS1 Digital Links give them, as values of a record.

A link of GS1's vocabulary becomes a value of the type ``GS1.<name>``, every other one of the type ``HULIAN.LINK``; both hold
JSON with ``href`` and what else the link says, as this node's own resolver reads it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import msgspec

from hulian.network.identifiers.junction.errors import ForeignAnswerError, ForeignSizeError
from hulian.network.identifiers.schemes.errors import SchemeError
from hulian.network.identifiers.schemes.gs1.elements import GS1
from hulian.network.identifiers.schemes.gs1.link import parse_link
from hulian.network.identifiers.wire.values import Value

__all__ = ["LINK", "MOST_LINKS", "links_in"]

LINK: Final = "HULIAN.LINK"
MOST_LINKS: Final = 500

_VOCABULARY: Final = re.compile(
    r"https?://(?:www\.|ref\.)?gs1\.org/voc/([A-Za-z][A-Za-z0-9]{0,63})|gs1:([A-Za-z][A-Za-z0-9]{0,63})"
)
_MEMBERS: Final = frozenset(("anchor", "itemDescription", "description", "unixtime", "@context"))
_LONGEST: Final = 4_096


class _Target(msgspec.Struct):
    href: str
    title: str = ""
    hreflang: list[str] | str = msgspec.field(default_factory=list)
    type: str = ""


class _Set(msgspec.Struct):
    linkset: list[dict[str, Any]]


def links_in(body: bytes, url: str, code: GS1, ttl: int) -> tuple[Value, ...]:
    """The links of ``code`` in the linkset ``body`` that came from ``url``, in its order.

    A context with another anchor than ``code``, or something that ``code`` is one of, says nothing about it. Raises
    `ForeignAnswerError` for what is no linkset, or is one of something else, and `ForeignSizeError`.
    """
    try:
        found = msgspec.json.decode(body, type=_Set)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise ForeignAnswerError(f"no linkset: {error}", place=url) from error
    own = [context for context in found.linkset if _is_about(context, url, code)]
    if found.linkset and not own:
        raise ForeignAnswerError(f"a linkset that is not about {code.text}", place=url)
    values: list[Value] = []
    for relation, target in _links(own, url):
        if len(values) >= MOST_LINKS:
            raise ForeignSizeError(f"more than {MOST_LINKS} links", place=url)
        if (value := _value(relation, target, url, len(values) + 1, ttl)) is not None:
            values.append(value)
    return tuple(values)


def _is_about(context: dict[str, Any], url: str, code: GS1) -> bool:
    anchor = context.get("anchor", "")
    if anchor == "":
        return True  # RFC 9264: the linkset's own address
    try:
        elements = dict(parse_link(urljoin(url, anchor)).code.elements) if isinstance(anchor, str) else {}
    except (SchemeError, ValueError):
        return False
    asked = dict(code.elements)
    return asked.get(code.primary) == elements.get(code.primary) and elements.items() <= asked.items()


def _links(contexts: list[dict[str, Any]], url: str) -> Iterator[tuple[str, _Target]]:
    for context in contexts:
        for relation, targets in context.items():
            if relation in _MEMBERS or not isinstance(targets, list):
                continue
            try:
                yield from ((relation, target) for target in msgspec.convert(targets, list[_Target]))
            except msgspec.ValidationError as error:
                raise ForeignAnswerError(f"a link of {relation[:100]!r}: {error}", place=url) from error


def _value(relation: str, target: _Target, url: str, index: int, ttl: int) -> Value | None:
    try:
        href = urljoin(url, target.href)
        usable = urlsplit(href).scheme in ("http", "https") and len(href) <= _LONGEST
    except ValueError:
        return None
    if not usable:
        return None
    known = _VOCABULARY.fullmatch(relation)
    languages = [target.hreflang] if isinstance(target.hreflang, str) else target.hreflang[:8]
    shown: dict[str, Any] = {} if known else {"rel": relation[:500]}
    shown |= {"href": href}
    shown |= {
        name: value
        for name, value in (("title", target.title[:500]), ("hreflang", languages), ("type", target.type[:100]))
        if value
    }
    kind = f"GS1.{known[1] or known[2]}" if known else LINK
    return Value(index=index, type=kind, data=msgspec.json.encode(shown), ttl=ttl)
