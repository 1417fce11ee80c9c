"""The closed grammar of expressions: text in, a tree out. Nothing is looked up, nothing is called, nothing is executed.

    expression = disjunction
    disjunction = conjunction { "or" conjunction }
    conjunction = negation { "and" negation }
    negation = "not" negation | comparison
    comparison = sum [ ( "<" | "<=" | ">" | ">=" | "==" | "!=" ) sum ]
    sum = product { ( "+" | "-" ) product }
    product = sign { ( "*" | "/" | "%" ) sign }
    sign = ( "-" | "+" ) sign | power
    power = primary [ "**" sign ]
    primary = number | "true" | "false" | "pi" | point | name | call | "(" expression ")"
    call = function "(" expression { "," expression } ")"
    point = "{" characters but braces "}"

A name stands for a point that a table binds. Length, depth, nodes and points are bounded before anything is made of the text.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from hulian.platform.edge.errors import ExpressionError

__all__ = ["FUNCTIONS", "LONGEST", "MOST_POINTS", "Expression", "Node", "parse"]

LONGEST: Final = 2000
"""Characters of a text."""
DEEPEST: Final = 40
"""Levels of brackets, signs and functions within each other."""
MOST_NODES: Final = 500
MOST_POINTS: Final = 32

Node = tuple[str, "float | int | tuple[Node, ...]"]
"""``("number", 1.5)``, ``("point", index)``, or an operator or function with its arguments. Hashable: equal texts are equal."""

FUNCTIONS: Final[dict[str, tuple[int, int]]] = {
    "if": (3, 3),
    "min": (1, 16),
    "max": (1, 16),
    "clamp": (3, 3),
    "abs": (1, 1),
    "sign": (1, 1),
    "sqrt": (1, 1),
    "exp": (1, 1),
    "log": (1, 1),
    "log10": (1, 1),
    "sin": (1, 1),
    "cos": (1, 1),
    "tan": (1, 1),
    "atan": (1, 1),
    "round": (1, 1),
    "floor": (1, 1),
    "ceil": (1, 1),
}
"""Each function with the fewest and the most arguments that it takes."""

_CONSTANTS: Final = {"true": 1.0, "false": 0.0, "pi": math.pi}
_WORDS: Final = frozenset({"and", "or", "not"})
_TOKEN: Final = re.compile(
    r"(?P<space>[ \t\r\n]+)"
    r"|(?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|\{(?P<point>[^{}]{1,1100})\}"
    r"|(?P<sign>\*\*|<=|>=|==|!=|[-+*/%<>(),])"
)
_COMPARISONS: Final = ("<", "<=", ">", ">=", "==", "!=")


class Expression(NamedTuple):
    """A tree and the names of the points that it reads, in the order of their numbers in it."""

    tree: Node
    points: tuple[str, ...]


class _Token(NamedTuple):
    kind: str
    text: str
    place: int


def parse(text: str, bound: Mapping[str, str] | None = None, *, place: str = "") -> Expression:
    """The tree of ``text``. ``bound`` gives the points that names stand for.

    Raises `ExpressionError` with the character where it ends to make sense, and the nearest name for one that is unknown.

    >>> parse("{a#x} * 2").points, parse("{a#x} * 2").tree
    (('a#x',), ('*', (('point', 0), ('number', 2.0))))
    """
    if len(text) > LONGEST:
        raise ExpressionError(f"an expression of {len(text)} characters is longer than {LONGEST}", place=place)
    return _Parser(text, bound or {}, place).whole()


class _Parser:
    def __init__(self, text: str, bound: Mapping[str, str], place: str) -> None:
        self._place = place
        self._bound = bound
        self._tokens = self._split(text)
        self._at = 0
        self._nodes = 0
        self._points: dict[str, int] = {}

    def _split(self, text: str) -> list[_Token]:
        tokens: list[_Token] = []
        at = 0
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None:
                raise self._error(f"{text[at]!r} is no part of the grammar", at)
            kind = found.lastgroup or ""
            if kind != "space":
                tokens.append(_Token(kind, found[kind], at))
            at = found.end()
        tokens.append(_Token("end", "the end", len(text)))
        return tokens

    def _error(self, message: str, at: int, hint: str = "") -> ExpressionError:
        return ExpressionError(f"{message}, at character {at + 1}", place=self._place, hint=hint)

    def whole(self) -> Expression:
        tree = self._either(0)
        if (left := self._tokens[self._at]).kind != "end":
            raise self._error(f"{left.text[:40]!r} is not expected here", left.place)
        return Expression(tree, tuple(self._points))

    def _take(self, *texts: str) -> _Token | None:
        token = self._tokens[self._at]
        if token.text in texts and token.kind in ("sign", "name"):
            self._at += 1
            return token
        return None

    def _node(self, kind: str, *parts: Node) -> Node:
        self._count()
        return kind, parts

    def _count(self) -> None:
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise self._error(f"the expression has more than {MOST_NODES} parts", self._tokens[self._at].place)

    def _deeper(self, depth: int) -> int:
        if depth >= DEEPEST:
            raise self._error(f"the expression is deeper than {DEEPEST} levels", self._tokens[self._at].place)
        return depth + 1

    def _either(self, depth: int) -> Node:
        tree = self._both(depth)
        while self._take("or"):
            tree = self._node("or", tree, self._both(depth))
        return tree

    def _both(self, depth: int) -> Node:
        tree = self._negation(depth)
        while self._take("and"):
            tree = self._node("and", tree, self._negation(depth))
        return tree

    def _negation(self, depth: int) -> Node:
        if self._take("not"):
            return self._node("not", self._negation(self._deeper(depth)))
        return self._comparison(depth)

    def _comparison(self, depth: int) -> Node:
        tree = self._sum(depth)
        if token := self._take(*_COMPARISONS):
            tree = self._node(token.text, tree, self._sum(depth))
            if second := self._take(*_COMPARISONS):
                hint = "write a < b and b < c"
                raise self._error(f"a second {second.text!r} after a comparison", second.place, hint)
        return tree

    def _sum(self, depth: int) -> Node:
        tree = self._product(depth)
        while token := self._take("+", "-"):
            tree = self._node(token.text, tree, self._product(depth))
        return tree

    def _product(self, depth: int) -> Node:
        tree = self._signed(depth)
        while token := self._take("*", "/", "%"):
            tree = self._node(token.text, tree, self._signed(depth))
        return tree

    def _signed(self, depth: int) -> Node:
        if token := self._take("-", "+"):
            inner = self._signed(self._deeper(depth))
            return self._node("negative", inner) if token.text == "-" else inner
        return self._power(depth)

    def _power(self, depth: int) -> Node:
        tree = self._primary(depth)
        if self._take("**"):
            tree = self._node("**", tree, self._signed(self._deeper(depth)))
        return tree

    def _primary(self, depth: int) -> Node:
        token = self._tokens[self._at]
        self._at += token.kind != "end"
        if token.kind == "number":
            self._count()
            number = float(token.text)
            if not math.isfinite(number):
                raise self._error(f"the number {token.text[:40]} is too large", token.place)
            return "number", number
        if token.kind == "point":
            return self._point(token.text.strip(), token)
        if token.kind == "name":
            return self._name(token, depth)
        if token.text == "(" and token.kind == "sign":
            tree = self._either(self._deeper(depth))
            self._expect(")")
            return tree
        raise self._error(f"{token.text[:40]!r} where a value is expected", token.place)

    def _name(self, token: _Token, depth: int) -> Node:
        name = token.text
        called = self._tokens[self._at].text == "(" and self._tokens[self._at].kind == "sign"
        if called and name in FUNCTIONS:
            return self._call(token, depth)
        if not called and name in self._bound:
            return self._point(self._bound[name], token)
        if not called and name in _CONSTANTS:
            self._count()
            return "number", _CONSTANTS[name]
        if name in _WORDS:
            raise self._error(f"'{name}' where a value is expected", token.place)
        known = sorted(FUNCTIONS) if called else sorted({*self._bound, *_CONSTANTS})
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(known)}"
        raise self._error(f"there is no {'function' if called else 'name'} '{name[:40]}'", token.place, hint)

    def _call(self, token: _Token, depth: int) -> Node:
        self._expect("(")
        deeper = self._deeper(depth)
        arguments = [self._either(deeper)]
        while self._take(","):
            arguments.append(self._either(deeper))
        self._expect(")")
        fewest, most = FUNCTIONS[token.text]
        if not fewest <= len(arguments) <= most:
            wanted = str(fewest) if fewest == most else f"{fewest} to {most}"
            raise self._error(f"'{token.text}' takes {wanted} values, not {len(arguments)}", token.place)
        return self._node(token.text, *arguments)

    def _expect(self, text: str) -> None:
        if self._take(text) is None:
            token = self._tokens[self._at]
            raise self._error(f"{token.text[:40]!r} where {text!r} is expected", token.place)

    def _point(self, name: str, token: _Token) -> Node:
        self._count()
        if not name:
            raise self._error("a point without a name", token.place)
        if name not in self._points and len(self._points) >= MOST_POINTS:
            raise self._error(f"the expression reads more than {MOST_POINTS} points", token.place)
        return "point", self._points.setdefault(name, len(self._points))
