"""Questions about records: by attribute, by words, by what they refer to. All conditions hold for what is found.

``power>=5``, ``maker=ACME``, ``maker^=AC`` (begins with), ``made<2026-01-01T00:00:00Z``: numbers and times are compared as
such, everything else as text without regard to case and width.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from hulian.network.identifiers.metadata.attributes import is_handle
from hulian.network.identifiers.metadata.errors import QueryError
from hulian.network.identifiers.store import key_of
from hulian.network.identifiers.store.derived import LONGEST_TEXT, folded, number_of, wanted
from hulian.network.identifiers.store.kinds import RECORD, RELATIONS
from hulian.network.identifiers.store.moments import moment
from hulian.network.identifiers.store.tables import attribute, relation, word

__all__ = ["Condition", "Question", "candidates", "conditions", "matches", "relation_of"]

MOST: Final = 16
"""Conditions of one question; each word is one."""

LONGEST: Final = 1_024
_WHERE: Final = re.compile(r"([^\x00-\x20<>=^]{1,64})\s*(\^=|>=|<=|=|<|>)\s*(.*)", re.DOTALL)
_END: Final = b"\xff"
"""Behind every UTF-8 text."""


class Condition(msgspec.Struct, frozen=True):
    """Rows of ``table`` where ``holds``; each stands for one value of one record."""

    table: sa.Table
    holds: Any


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked for. ``where`` are comparisons, ``text`` are words, ``relations`` are kind and handle (no kind: any),
    ``template`` is the handle of a template."""

    where: tuple[str, ...] = ()
    text: str = ""
    relations: tuple[tuple[str, str], ...] = ()
    template: str = ""


def conditions(question: Question) -> list[Condition]:
    """What the tables are asked. Raises `QueryError` with the place of what cannot be read.

    >>> len(conditions(Question(where=("power>=5",), text="feed pump")))
    3
    """
    found = [_compared(text, f"where[{place}]") for place, text in enumerate(question.where[: MOST + 1])]
    if len(question.text) > LONGEST:
        raise QueryError(f"a text of more than {LONGEST} characters", place="text")
    terms = wanted(question.text)
    if question.text.strip() and not terms:
        raise QueryError("there is no word in it", place="text")
    found += [_word(*one) for one in terms[: MOST + 1]]
    for place, (kind, handle) in enumerate(question.relations[: MOST + 1]):
        found.append(_related(relation_of(kind, f"relation[{place}]"), handle, f"relation[{place}]"))
    if question.template:
        found.append(_related(RECORD, question.template, "template"))
    if not found:
        raise QueryError("nothing is asked for", hint="where=power>=5, text=feed pump, relation=made_of:88.111.1/steel")
    if len(found) > MOST:
        raise QueryError(f"more than {MOST} conditions", hint="each word is one")
    return found


def relation_of(text: str, place: str = "") -> str:
    """The type of a relation, which people write in short; empty stays empty: any. Raises `QueryError`.

    >>> relation_of("made-of"), relation_of("HULIAN.CONTAINS")
    ('HULIAN.MADE_OF', 'HULIAN.CONTAINS')
    """
    if not text:
        return ""
    name = "HULIAN." + text.upper().replace("-", "_").removeprefix("HULIAN.")
    if name not in RELATIONS:
        known = ", ".join(one.removeprefix("HULIAN.").lower() for one in RELATIONS)
        raise QueryError(f"{text[:60]!r} is no relation", place=place, hint=f"one of {known}")
    return name


def candidates(asked: Sequence[Condition], after: bytes, most: int, *, public: bool) -> sa.Select[Any]:
    """Keys of up to ``most`` records behind ``after`` for which all hold, in order; ``public``: by values that all may read."""
    first, *others = asked
    query = sa.select(first.table.c.key).where(*_holding(first, public), first.table.c.key > after)
    for one in others:
        other = one.table.alias()
        there = sa.select(sa.literal(1)).where(*_holding(one, public, other), other.c.key == first.table.c.key)
        query = query.where(there.exists())
    return query.distinct().order_by(first.table.c.key).limit(most)


def matches(one: Condition, keys: Iterable[bytes]) -> sa.Select[Any]:
    """Key and index of each value of the records ``keys`` for which the condition holds."""
    return sa.select(one.table.c.key, one.table.c.at).where(one.holds(one.table), one.table.c.key.in_(list(keys)))


def _holding(one: Condition, public: bool, table: Any = None) -> list[Any]:
    of = one.table if table is None else table
    return [one.holds(of), of.c.public == 1] if public else [one.holds(of)]


def _compared(text: str, place: str) -> Condition:
    if len(text) > LONGEST:
        raise QueryError(f"more than {LONGEST} characters", place=place)
    found = _WHERE.fullmatch(text.strip())
    if found is None:
        raise QueryError(f"{text[:60]!r} compares nothing", place=place, hint="such as power>=5, maker=ACME, maker^=AC")
    name, operator, operand = found[1].upper().encode(), found[2], found[3].strip()
    whole = folded(operand).encode()
    if len(whole) > LONGEST_TEXT:
        raise QueryError(f"a text of more than {LONGEST_TEXT} bytes is found by its words only", place=place)
    number, at = number_of(operand), moment(operand)

    def holds(of: Any) -> Any:
        if operator == "^=":
            compared = sa.and_(of.c.text >= whole, of.c.text < whole + _END)
        elif operator == "=":
            same = [of.c.text == whole]
            same += [of.c.number == number] if number is not None else []
            same += [of.c.moment == at] if at is not None else []
            compared = sa.or_(*same)
        elif number is not None:
            compared = _ordered(operator, of.c.number, number)
        elif at is not None:
            compared = _ordered(operator, of.c.moment, at)
        else:
            compared = _ordered(operator, of.c.text, whole)
        return sa.and_(of.c.name == name, compared)

    return Condition(attribute, holds)


def _ordered(operator: str, column: Any, operand: Any) -> Any:
    match operator:
        case ">=":
            return column >= operand
        case "<=":
            return column <= operand
        case "<":
            return column < operand
    return column > operand


def _word(text: str, open_: bool) -> Condition:
    begins = text.encode()
    if open_:
        return Condition(word, lambda of: sa.and_(of.c.word >= begins, of.c.word < begins + _END))
    return Condition(word, lambda of: of.c.word == begins)


def _related(kind: str, handle: str, place: str) -> Condition:
    if not is_handle(handle):
        raise QueryError(f"{handle[:60]!r} is no handle", place=place, hint="such as made_of:88.111.1/steel")
    target = key_of(handle)
    if kind:
        return Condition(relation, lambda of: sa.and_(of.c.target == target, of.c.kind == kind.encode()))
    kinds = [one.encode() for one in RELATIONS]
    return Condition(relation, lambda of: sa.and_(of.c.target == target, of.c.kind.in_(kinds)))
