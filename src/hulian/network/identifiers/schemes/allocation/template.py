"""Templates of suffixes: literal text with fields in braces.

    {serial:6}      the running number, filled up with the first character of its alphabet to six; {serial} is not filled up
    {random:10}     ten characters that nobody can foresee without the key, and that never repeat
    {date:YYMMDD}   the day of the call; of YYYY, YY, MM, DD, DDD (day of the year), WW (ISO week) and - . _ between them
    {check}         one check character over all characters of the alphabet before it
    {batch}, {class:4}, …   a value that the policy holds by this name; a number says how many characters it has exactly

Exactly one field counts (``serial`` or ``random``). All others have one length within a policy, so that different numbers
never make the same text.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Final, NamedTuple

from hulian.network.identifiers.schemes.errors import PolicyError

__all__ = ["Field", "date_scope", "date_text", "parse"]

_PIECE = re.compile(r"\{([a-z][a-z_]*)(?::([^{}]*))?\}|([^{}]+)")
_TOKEN = re.compile(r"YYYY|YY|MM|DDD|DD|WW|[-._]")
_MAXIMUM: Final = 255
_RULE: Final = "allocation.template"


class Field(NamedTuple):
    """One piece of a template. ``kind``: literal, serial, random, date, check or value."""

    kind: str
    text: str
    """The literal, the form of the date, or the name of the value."""
    width: int
    position: int


def parse(template: str) -> tuple[Field, ...]:
    """The pieces in order. Raises `PolicyError` with the position of the first that is wrong."""
    if not 1 <= len(template) <= _MAXIMUM:
        raise PolicyError(f"a template has 1 to {_MAXIMUM} characters, not {len(template)}", rule=_RULE)
    fields: list[Field] = []
    position = 0
    while position < len(template):
        match = _PIECE.match(template, position)
        if match is None:
            raise PolicyError(f"{template[position]!r} opens or closes no field", rule=_RULE, position=position)
        fields.append(_field(match, position))
        position = match.end()
    counters = [field for field in fields if field.kind in ("serial", "random")]
    if len(counters) != 1:
        raise PolicyError(f"one field counts, serial or random; there are {len(counters)}", rule=_RULE, position=0)
    for kind in ("date", "check"):
        if sum(field.kind == kind for field in fields) > 1:
            raise PolicyError(f"there is more than one {kind}", rule=_RULE, position=0)
    check = next((place for place, field in enumerate(fields) if field.kind == "check"), len(fields))
    if check < fields.index(counters[0]):
        raise PolicyError("the check character stands behind what it checks", rule=_RULE, position=fields[check].position)
    for field, following in zip(fields, [*fields[1:], None], strict=True):
        if field.kind == "value" and not field.width and following is not None and following.kind != "literal":
            raise PolicyError(
                f"{{{field.text}}} needs a width, or text behind it: otherwise two values could make one suffix",
                rule=_RULE,
                position=field.position,
            )
    return tuple(fields)


def _field(match: re.Match[str], position: int) -> Field:
    name, form, literal = match.groups()
    if literal is not None:
        bad = next((place for place, character in enumerate(literal) if not "!" <= character <= "~"), None)
        if bad is not None:
            raise PolicyError(f"{literal[bad]!r} has no place in a suffix", rule=_RULE, position=position + bad)
        return Field("literal", literal, len(literal), position)
    if name == "date":
        form = "YYYYMMDD" if form is None else form
        if not form or _TOKEN.sub("", form):
            raise PolicyError(f"{form!r} is no form of a date", rule=_RULE, position=position)
        return Field("date", form, len(form), position)
    width = 0
    if form is not None:
        if not (form.isascii() and form.isdigit() and 1 <= int(form) <= 64):
            raise PolicyError(f"the width {form!r} is not one of 1 to 64", rule=_RULE, position=position)
        width = int(form)
    if name == "check":
        return Field("check", "", 1, position)
    if name == "random" and not width:
        raise PolicyError("random needs a width: {random:10}", rule=_RULE, position=position)
    return Field(name if name in ("serial", "random") else "value", name, width, position)


def _numbers(form: str, day: date) -> dict[str, int]:
    iso = day.isocalendar()
    year = iso.year if "WW" in form else day.year
    return {
        "YYYY": year,
        "YY": year % 100,
        "MM": day.month,
        "DDD": day.timetuple().tm_yday,
        "DD": day.day,
        "WW": iso.week,
    }


def date_text(form: str, day: date) -> str:
    """``day`` in this form.

    >>> date_text("YYMMDD", date(2026, 3, 1)), date_text("YYYY.WW", date(2027, 1, 1))
    ('260301', '2026.53')
    """
    numbers = _numbers(form, day)
    return _TOKEN.sub(lambda match: str(numbers[match[0]]).rjust(len(match[0]), "0") if match[0].isalpha() else match[0], form)


def date_scope(form: str, day: date) -> str:
    """What a day has in common with all that have the same text, in an order that is that of time.

    Raises `PolicyError` where a form comes back: one without a year, a day without its month, two digits of the year
    outside 2000 to 2099.
    """
    tokens, numbers = set(_TOKEN.findall(form)), _numbers(form, day)
    if not tokens & {"YYYY", "YY"} or ("DD" in tokens and "MM" not in tokens) or ("WW" in tokens and tokens & {"MM", "DDD"}):
        raise PolicyError(
            f"numbers cannot begin anew by {form!r}: its texts come back",
            rule="allocation.restart",
            hint="put the year into it, and the month before the day",
        )
    if "YYYY" not in tokens and not 2000 <= numbers["YYYY"] <= 2099:
        raise PolicyError("two digits of a year are those of 2000 to 2099 here", rule="allocation.restart")
    rest = [f"{numbers[part]:03d}" for part in ("WW", "DDD", "MM", "DD") if part in tokens]
    return "-".join([f"{numbers['YYYY']:04d}", *rest])
