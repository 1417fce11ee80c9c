"""Which form and which language an asker likes best (RFC 9110, sections 12.5.1 and 12.5.4)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

__all__ = ["best_language", "best_type"]

_MOST: Final = 32


def best_type(accept: str, offered: Sequence[str]) -> str:
    """The offered media type that ``accept`` likes best, the first of equals; empty where it takes none.

    >>> best_type("text/html,*/*;q=0.8", ["application/json", "text/html"])
    'text/html'
    >>> best_type("", ["application/json", "text/html"]), best_type("image/png", ["text/html"])
    ('application/json', '')
    """
    wanted = _weighted(accept or "*/*")

    def weight(kind: str) -> float:
        family = kind.partition("/")[0] + "/*"
        for name in (kind, family, "*/*"):
            if name in wanted:
                return wanted[name]
        return 0.0

    best = max(offered, key=weight)
    return best if weight(best) > 0 else ""


def best_language(accept: str, offered: Sequence[str]) -> str:
    """The offered language that ``accept`` likes best; the first where it likes none.

    >>> best_language("zh-CN,zh;q=0.9,en;q=0.8", ["en", "zh"]), best_language("fr", ["en", "zh"])
    ('zh', 'en')
    """
    wanted = _weighted(accept)

    def weight(language: str) -> float:
        name = language.lower()
        found = [
            value for key, value in wanted.items() if key == name or key.startswith(f"{name}-") or name.startswith(f"{key}-")
        ]
        return max(found, default=wanted.get("*", 0.0))

    return max(offered, key=weight)


def _weighted(header: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for part in header.split(",", _MOST)[:_MOST]:
        name, *more = part.split(";")
        quality = 1.0
        for one in more:
            key, _, value = one.strip().partition("=")
            if key.lower() == "q":
                try:
                    quality = min(max(float(value), 0.0), 1.0)
                except ValueError:
                    quality = 0.0
        if name := name.strip().lower():
            found[name] = 0.0 if math.isnan(quality) else quality
    return found
