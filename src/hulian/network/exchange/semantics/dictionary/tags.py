"""Raw tag names taken apart: letters of ISA-5.1, words, ends, and what else a point says of itself.

A tag such as ``U2.PIC_101A.PV`` has the function letters ``PIC`` (ISA-5.1, IEC 62424: pressure, indicating, controlling), a
number, and an end that says which of the loop's values it is. Everything that was seen is a `Feature`: suggestions are built
of them, and learned by them.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from hulian.network.exchange.semantics.dictionary.words import cut, folded
from hulian.network.exchange.semantics.errors import UnitError
from hulian.network.exchange.semantics.units import Unit, find

__all__ = ["Parts", "RawTag", "take_apart"]

_LONGEST: Final = 1024
_MOST_TOKENS: Final = 64
_SEPARATORS: Final = re.compile(r"[\s._\-/\\:#|,;()\[\]{}@&+=<>\"']+")
_PIECES: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_A-Za-z]+", re.UNICODE)
_FUNCTION: Final = re.compile(r"[A-Z]([DFJKQSX]?)[ABCEGHIKLNOPQRSTUVWXYZ]{0,4}")
_ADDRESSES: Final = frozenset(
    (
        "DB",
        "DW",
        "DD",
        "DBX",
        "DBB",
        "DBW",
        "DBD",
        "MB",
        "MW",
        "MD",
        "IB",
        "IW",
        "ID",
        "QB",
        "QW",
        "QD",
        "EB",
        "EW",
        "ED",
        "PIW",
        "PQW",
    )
)
"""What precedes a number in addresses of controllers, and says nothing about what is there."""


class RawTag(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a point before somebody says what it means."""

    tag: str
    unit: str = ""
    path: str = ""
    """Its place in the plant: ``line 2/boiler``."""
    texts: tuple[str, ...] = ()
    """Descriptions, in whatever languages."""
    point: str = ""
    """The live point that it is, by name. What is said of it is then kept under this name: two points may have one tag."""

    @property
    def key(self) -> str:
        """What a confirmation is kept under."""
        return self.point or self.tag


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """A tag taken apart."""

    letters: str
    """Its function letters, ``PIC``; empty where it has none."""
    sure: bool
    """Whether they are in capitals and a number follows, as ISA-5.1 has it."""
    words: tuple[str, ...]
    """Folded words of the tag, without the function letters and the end."""
    end: str
    """The folded last word, where it is not the only one: ``pv``."""
    path: tuple[str, ...]
    texts: tuple[str, ...]
    unit: Unit | None
    features: tuple[str, ...]
    """What a lesson is learned by: ``letters:PIC``, ``end:pv``, ``word:druck``, ``unit:L-1M1T-2``, ``path:boiler``."""


def take_apart(raw: RawTag) -> Parts:
    """The parts of a tag. Whatever it is, it has parts; of what is longer than 1,024 characters the rest is left out."""
    groups = [_PIECES.findall(group) for group in _SEPARATORS.split(raw.tag[:_LONGEST]) if group]
    tokens = [token for group in groups for token in group][:_MOST_TOKENS]
    at, letters, sure = _letters(tokens)
    named = [folded(token) for token in tokens]
    suffix = bool(groups) and len(groups[-1]) > 1 and len(groups[-1][-1]) == 1 and groups[-1][-2].isdigit()  # 101A
    ended = len(tokens) > 1 and not suffix and not tokens[-1].isdigit() and at != len(tokens) - 1
    end = named[-1] if ended else ""
    last = len(tokens) - 1 if end else len(tokens)
    words = [word for place, word in enumerate(named[:last]) if place != at and not word.isdigit()]
    joined = ["".join(map(folded, group)) for group in groups[: len(groups) - 1 if end else len(groups)]]
    words += [word for word in joined if word.isalpha() and word not in words and word != letters.lower()]
    path = tuple(dict.fromkeys(word for word in cut(raw.path[:_LONGEST]) if not word.isdigit()))[:_MOST_TOKENS]
    texts = tuple(dict.fromkeys(word for text in raw.texts[:16] for word in cut(text[:_LONGEST])))[:_MOST_TOKENS]
    unit = _unit(raw.unit)
    features = [f"letters:{letters}"] if letters else []
    features += [f"end:{end}"] if end else []
    features += [f"word:{word}" for word in words]
    if unit is not None:
        features += [f"unit:{unit.name or unit.symbol}"]
    features += [f"path:{word}" for word in path] + [f"text:{word}" for word in texts]
    return Parts(
        letters=letters,
        sure=sure,
        words=tuple(dict.fromkeys(words)),
        end=end,
        path=path,
        texts=texts,
        unit=unit,
        features=tuple(dict.fromkeys(feature[:80] for feature in features))[:_MOST_TOKENS],
    )


def _letters(tokens: list[str]) -> tuple[int, str, bool]:
    """Where the function letters stand, what they are, and whether that is sure. ``-1`` where there are none."""
    found: tuple[int, str, bool] = (-1, "", False)
    for place, token in enumerate(tokens):
        text = token.upper()
        numbered = place + 1 < len(tokens) and tokens[place + 1].isdigit()
        if not numbered or not 1 <= len(text) <= 5 or not text.isascii():
            continue
        if _FUNCTION.fullmatch(text) and text not in _ADDRESSES:
            sure = token.isupper() and len(text) > 1
            if sure or not found[1]:
                found = (place, text, sure)
            if sure:
                break
    return found


def _unit(text: str) -> Unit | None:
    if not text.strip():
        return None
    try:
        return find(text)
    except UnitError:
        return None
