"""Texts with placeholders, in a closed grammar: names, whole numbers, sums and products; nothing is ever evaluated as code.

    pattern     = { character | "{{" | "}}" | placeholder }
    placeholder = "{" sum [ ":" width ] "}"
    sum         = product { ( "+" | "-" ) product }
    product     = factor { "*" factor }
    factor      = whole number | name               a name is letters, digits and underscores, parts joined by dots
    width       = "0" digits                        the number is filled with zeros to so many places

A placeholder that is one name alone gives the text of its value; in a sum or a product every value must be a whole number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from hulian.data.catalogue.errors import PatternError

__all__ = ["LONGEST_PATTERN", "Pattern", "names_in"]

LONGEST_PATTERN: Final = 2000
"""Characters of a pattern, and of what it gives."""

_LARGEST: Final = 2**63
_MOST_FACTORS: Final = 20
_TOKEN: Final = re.compile(r"\s*(?:([0-9]{1,18})|([^\W\d]\w*(?:\.\w+)*)|([+*-]))")
_WIDTH: Final = re.compile(r"0(\d{1,2})", re.ASCII)


class _Term(NamedTuple):
    """A product of numbers and names, added or taken away."""

    sign: int
    factors: tuple[int | str, ...]


class _Placeholder(NamedTuple):
    text: str
    terms: tuple[_Term, ...]
    width: int

    @property
    def name(self) -> str | None:
        """The name, where it stands alone."""
        (first, *others) = self.terms
        if others or first.sign < 0 or len(first.factors) != 1:
            return None
        factor = first.factors[0]
        return factor if isinstance(factor, str) else None


class Pattern:
    """A pattern that was read once and is filled many times. Reading raises `PatternError`.

    >>> Pattern("holding@{base+2*number}:float32").fill({"base": "100", "number": "3"})
    'holding@106:float32'
    >>> Pattern("{line}-P{number:03}").fill({"line": "L1", "number": "7"})
    'L1-P007'
    """

    def __init__(self, text: str) -> None:
        if len(text) > LONGEST_PATTERN:
            raise PatternError(f"the pattern is longer than {LONGEST_PATTERN} characters")
        self.text = text
        self.parts: tuple[str | _Placeholder, ...] = tuple(_parts(text))

    @property
    def names(self) -> list[str]:
        """The names that must be given, each once, in their order."""
        found = [
            factor
            for part in self.parts
            if isinstance(part, _Placeholder)
            for term in part.terms
            for factor in term.factors
            if isinstance(factor, str)
        ]
        return list(dict.fromkeys(found))

    def fill(self, values: Mapping[str, str]) -> str:
        """The text with each placeholder filled. Raises `PatternError` for an unknown name, and for a sum with no number."""
        filled = "".join(part if isinstance(part, str) else _filled(part, values) for part in self.parts)
        if len(filled) > LONGEST_PATTERN:
            raise PatternError(f"the filled pattern is longer than {LONGEST_PATTERN} characters", place=self.text[:60])
        return filled


def names_in(patterns: Sequence[Pattern]) -> list[str]:
    """The names that ``patterns`` need, each once, in their order."""
    return list(dict.fromkeys(name for pattern in patterns for name in pattern.names))


def _parts(text: str) -> list[str | _Placeholder]:
    parts: list[str | _Placeholder] = []
    plain: list[str] = []
    at = 0
    while at < len(text):
        if text.startswith(("{{", "}}"), at):
            plain.append(text[at])
            at += 2
        elif text[at] == "}":
            raise PatternError(f"a brace closes that none opened, at character {at + 1} of {text[:80]!r}")
        elif text[at] == "{":
            end = text.find("}", at)
            if end < 0:
                raise PatternError(f"a brace is not closed, at character {at + 1} of {text[:80]!r}")
            if plain:
                parts.append("".join(plain))
                plain = []
            parts.append(_placeholder(text[at + 1 : end]))
            at = end + 1
        else:
            plain.append(text[at])
            at += 1
    return [*parts, "".join(plain)] if plain else parts


def _placeholder(text: str) -> _Placeholder:
    expression, colon, form = text.partition(":")
    width = 0
    if colon:
        if not (found := _WIDTH.fullmatch(form.strip())):
            raise PatternError(f"{form[:20]!r} is no width: write {{number:03}}", place=f"{{{text[:60]}}}")
        width = int(found[1])
    terms: list[_Term] = []
    sign, wanted, at, count = 1, True, 0, 0
    factors: list[int | str] = []
    expression = expression.rstrip()
    while at < len(expression):
        found = _TOKEN.match(expression, at)
        if not found or (found[3] is None) != wanted:
            raise PatternError(f"the placeholder cannot be read at {expression[at : at + 20]!r}", place=f"{{{text[:60]}}}")
        at = found.end()
        if found[3] is None:
            factors.append(int(found[1]) if found[1] else found[2])
            count += 1
            wanted = False
            continue
        wanted = True
        if found[3] != "*":
            terms.append(_Term(sign, tuple(factors)))
            sign, factors = (1 if found[3] == "+" else -1), []
    if wanted or count > _MOST_FACTORS:
        raise PatternError("the placeholder is empty, unfinished or too long", place=f"{{{text[:60]}}}")
    terms.append(_Term(sign, tuple(factors)))
    return _Placeholder(text, tuple(terms), width)


def _filled(part: _Placeholder, values: Mapping[str, str]) -> str:
    alone = part.name
    if alone is not None and not part.width:
        return _value(alone, part, values)
    total = 0
    for term in part.terms:
        product = term.sign
        for factor in term.factors:
            product *= factor if isinstance(factor, int) else _whole(factor, part, values)
            if abs(product) >= _LARGEST:
                raise PatternError("the number is too large", place=f"{{{part.text[:60]}}}")
        total += product
    return f"-{-total:0{part.width}}" if total < 0 else f"{total:0{part.width}}"


def _value(name: str, part: _Placeholder, values: Mapping[str, str]) -> str:
    if name not in values:
        known = ", ".join(list(values)[:20])
        raise PatternError(f"nothing is called '{name[:40]}'", place=f"{{{part.text[:60]}}}", hint=f"there are: {known}")
    return values[name]


def _whole(name: str, part: _Placeholder, values: Mapping[str, str]) -> int:
    text = _value(name, part, values).strip()
    if not re.fullmatch(r"[+-]?\d{1,18}", text, re.ASCII):
        raise PatternError(f"'{name[:40]}' is {text[:40]!r}, which is no whole number", place=f"{{{part.text[:60]}}}")
    return int(text)
