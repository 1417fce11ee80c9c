"""Values of a record as links: RFC 8288 headers, RFC 9264 linksets, and which of them is meant.

A value of type ``GS1.pip`` is a link of GS1's link type ``pip``, one of type ``URL`` links to whatever is there. Its data are
the address, or JSON with ``href`` and, if you like, ``title``, ``hreflang`` and ``type``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final
from urllib.parse import quote, urlsplit

import msgspec

from hulian.network.identifiers.transport.rest.resolver.negotiation import best_language
from hulian.network.identifiers.wire.values import Value

__all__ = ["VOCABULARY", "Link", "chosen", "default_of", "header", "links_of", "linkset", "passed_on"]

VOCABULARY: Final = "https://gs1.org/voc/"
_DEFAULT: Final = f"{VOCABULARY}defaultLink"
_ITEM: Final = "item"
_MOST_IN_HEADER: Final = 20
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9]{0,63}")
_TITLES: Final = {"pip": "Product information", "defaultLink": "Default", "URL": "Home page"}


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """One link; ``relation`` is the URI of a GS1 link type, or ``item``."""

    relation: str
    href: str
    title: str
    hreflang: tuple[str, ...] = ()
    type: str = ""


class _Written(msgspec.Struct, frozen=True):
    href: str
    title: str = ""
    hreflang: str | list[str] = ""
    type: str = ""


def links_of(values: Iterable[Value]) -> list[Link]:
    """The links among ``values``, in the order of their indexes. What is no http or https address is left out."""
    found = []
    for value in sorted(values, key=lambda one: one.index):
        kind, _, name = value.type.partition(".")
        if value.type != "URL" and not (kind.upper() == "GS1" and _NAME.fullmatch(name)):
            continue
        made = _link(value.data, f"{VOCABULARY}{name}" if name else _ITEM, name or "URL")
        if made is not None:
            found.append(made)
    return found


def _link(data: bytes, relation: str, name: str) -> Link | None:
    try:
        written = msgspec.json.decode(data, type=_Written) if data[:1] == b"{" else _Written(data.decode().strip())
        # As header fields carry it: what is no letter of ASCII is percent-encoded, and what is encoded stays so.
        href = quote(written.href, safe="%/:=&?~#+!$,;'@()*[]")
        parts = urlsplit(href)
        usable = parts.scheme in ("http", "https") and bool(parts.netloc)
    except (msgspec.DecodeError, UnicodeError, ValueError):
        return None
    if not usable or len(href) > 4_096:
        return None
    languages = [written.hreflang] if isinstance(written.hreflang, str) else written.hreflang
    return Link(
        relation=relation,
        href=href,
        title=(written.title or _TITLES.get(name, name))[:200],
        hreflang=tuple(one for one in languages[:8] if re.fullmatch(r"[A-Za-z0-9-]{1,35}", one)),
        type=written.type if re.fullmatch(r"[A-Za-z0-9.+-]{1,60}/[A-Za-z0-9.+-]{1,60}", written.type) else "",
    )


def default_of(links: Sequence[Link]) -> Link | None:
    """The one default link: what is said to be it, else the first address, else the first link."""
    for relation in (_DEFAULT, _ITEM):
        for link in links:
            if link.relation == relation:
                return link
    return links[0] if links else None


def chosen(links: Sequence[Link], wanted: str, languages: str) -> Link | None:
    """The link of the type ``wanted`` (``gs1:pip``, its URI, or ``pip``) in the language that is liked best."""
    name = wanted.removeprefix("gs1:").removeprefix(VOCABULARY).removeprefix("https://ref.gs1.org/voc/")
    if name == "defaultLink":
        return default_of(links)
    found = [link for link in links if link.relation == VOCABULARY + name]
    if not found:
        return None
    tongues = [language for link in found for language in link.hreflang]
    if not tongues:
        return found[0]
    best = best_language(languages, tongues)
    return next((link for link in found if best in link.hreflang), found[0])


def passed_on(link: Link, query: Sequence[tuple[str, str]]) -> str:
    """The address with what stood in the query of the question, as GS1 asks for it."""
    if not query:
        return link.href
    address, mark, fragment = link.href.partition("#")
    more = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in query)
    return f"{address}{'&' if '?' in address else '?'}{more}{mark}{fragment}"


def linkset(anchor: str, title: str, links: Sequence[Link]) -> dict[str, Any]:
    """An RFC 9264 linkset of one anchor, with its one default link."""
    found: dict[str, Any] = {"anchor": anchor, "itemDescription": title}
    default = default_of(links)
    if default is not None:
        found[_DEFAULT] = [_target(default)]
    for link in links:
        if link.relation != _DEFAULT:
            found.setdefault(link.relation, []).append(_target(link))
    return {"linkset": [found]}


def _target(link: Link) -> dict[str, Any]:
    made: dict[str, Any] = {"href": link.href, "title": link.title}
    if link.hreflang:
        made["hreflang"] = list(link.hreflang)
    if link.type:
        made["type"] = link.type
    return made


def header(links: Sequence[Link], linkset_at: str) -> tuple[str, str]:
    """The Link header: the linkset, and at most twenty links."""
    parts = [f'<{quote(linkset_at, safe="%/:=&?~#+!$,;@()*[]")}>; rel="linkset"; type="application/linkset+json"']
    for link in links[:_MOST_IN_HEADER]:
        more = "".join(f'; hreflang="{language}"' for language in link.hreflang)
        kind = f'; type="{link.type}"' if link.type else ""
        parts.append(f"<{link.href}>; rel=\"{link.relation}\"; title*=UTF-8''{quote(link.title, safe='')}{more}{kind}")
    return "link", ", ".join(parts)
