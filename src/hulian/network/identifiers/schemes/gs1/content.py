"""What the value of an application identifier may hold beyond length and characters: dates, times, check digits.

Each rule takes one component and raises with the position within it; `check_value` puts a whole value through the table.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from hulian.network.identifiers.schemes.checks import check_digit, check_pair, iban_remainder
from hulian.network.identifiers.schemes.errors import CharacterError, CheckError, ContentError, LengthError, SchemeError
from hulian.network.identifiers.schemes.gs1.table import Application, Component

__all__ = ["CHARACTER_SETS", "check_value"]

CHARACTER_SETS: Final[Mapping[str, tuple[frozenset[str], str]]] = MappingProxyType(
    {
        "N": (frozenset("0123456789"), "digits"),
        "X": (
            frozenset("!\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"),
            "character set 82",
        ),
        "Y": (frozenset("#-/0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"), "character set 39"),
        "Z": (frozenset("-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"), "Base64 for URLs"),
    }
)
"""The characters of each kind of component, with a name for messages (General Specifications, figures 7.11-1 to 7.11-3)."""

_LATITUDE, _LONGITUDE = 1_800_000_000, 3_600_000_000


def check_value(application: Application, value: str) -> None:
    """Raises what is wrong with ``value`` behind ``application``, with the position within the value."""
    name = f"({application.ai})"
    if not application.shortest <= len(value) <= application.longest:
        allowed = (
            str(application.longest)
            if application.shortest == application.longest
            else f"{application.shortest} to {application.longest}"
        )
        raise LengthError(
            f"the value of {name} has {len(value)} characters, not {allowed}",
            rule=f"gs1.length({application.ai})",
            position=min(len(value), application.longest),
        )
    begin = 0
    for component in application.components:
        text = value[begin : begin + component.maximum]
        if not (component.optional and not text):
            try:
                _check_component(application, component, text)
            except SchemeError as error:
                raise error.moved(begin) from None
        begin += len(text)


def _check_component(application: Application, component: Component, text: str) -> None:
    name = f"({application.ai})"
    if len(text) < component.minimum:
        raise LengthError(
            f"a part of {name} has {len(text)} of {component.minimum} characters",
            rule=f"gs1.length({application.ai})",
            position=len(text),
        )
    allowed, called = CHARACTER_SETS[component.kind]
    for place, character in enumerate(text):
        if character not in allowed:
            raise CharacterError(
                f"{character!r} in the value of {name} is not of {called}",
                rule=f"gs1.characters({application.ai})",
                position=place,
            )
    if component.rule:
        _RULES[component.rule](name, text)


def _check(name: str, text: str) -> None:
    expected = check_digit(text[:-1])
    if text[-1] != expected:
        raise CheckError(
            f"the check digit of {name} is {text[-1]}, the other digits ask for {expected}",
            rule="gs1.check-digit",
            position=len(text) - 1,
        )


def _pair(name: str, text: str) -> None:
    _company_prefix(name, text)
    if len(text) < 3:
        raise LengthError(f"{name} is too short for a pair of check characters", rule="gs1.check-pair", position=len(text))
    expected = check_pair(text[:-2])
    if text[-2:] != expected:
        raise CheckError(
            f"the check characters of {name} are {text[-2:]}, the others ask for {expected}",
            rule="gs1.check-pair",
            position=len(text) - 2,
        )


def _iban(name: str, text: str) -> None:
    if len(text) < 5 or iban_remainder(text) != 1:
        raise CheckError(f"the check digits of the account number in {name} do not fit", rule="iban", position=2)


def _company_prefix(name: str, text: str) -> None:
    """A GS1 company prefix has at least four digits (a U.P.C. prefix of six, led by its zero, is longer)."""
    digits = next((place for place, character in enumerate(text) if not character.isdigit()), len(text))
    if digits < 4:
        raise ContentError(
            f"{name} does not begin with a GS1 company prefix: there are {digits} digits",
            rule="gs1.company-prefix",
            position=digits,
        )


def _month(name: str, year: int, text: str, begin: int, *, day_zero: bool) -> None:
    month, day = int(text[begin : begin + 2]), int(text[begin + 2 : begin + 4])
    if not 1 <= month <= 12:
        raise ContentError(f"{name} holds the month {month:02d}", rule="gs1.date", position=begin)
    longest = calendar.monthrange(year, month)[1]
    if not (0 if day_zero else 1) <= day <= longest:
        raise ContentError(
            f"{name} holds the day {day:02d}; month {month} of {year} has {longest}", rule="gs1.date", position=begin + 2
        )


def _century(text: str) -> int:
    # The century of two digits depends on the day of reading (General Specifications 7.12). Here it only matters for the
    # 29th of February, and 2000 is the one year of a hundred in which every reading has it.
    return 2000 + int(text[:2])


def _day(name: str, text: str) -> None:
    _month(name, _century(text), text, 2, day_zero=False)


def _day_or_month(name: str, text: str) -> None:
    _month(name, _century(text), text, 2, day_zero=True)


def _long_day(name: str, text: str) -> None:
    if int(text[:4]) == 0:
        raise ContentError(f"{name} holds the year 0000", rule="gs1.date", position=0)
    _month(name, int(text[:4]), text, 4, day_zero=False)


def _clock(name: str, text: str, begin: int, highest: int, what: str) -> None:
    if int(text[begin : begin + 2]) > highest:
        raise ContentError(f"{name} holds the {what} {text[begin : begin + 2]}", rule="gs1.time", position=begin)


def _time(name: str, text: str) -> None:
    _clock(name, text, 0, 23, "hour")
    _clock(name, text, 2, 59, "minute")


def _time_or_none(name: str, text: str) -> None:
    if text != "9999":
        _time(name, text)


def _day_and_hour(name: str, text: str) -> None:
    _day(name, text)
    _clock(name, text, 6, 23, "hour")


def _minutes(name: str, text: str) -> None:
    if len(text) % 2:
        raise LengthError(f"{name} holds half a minute or second", rule="gs1.time", position=len(text))
    for begin in range(0, len(text), 2):
        _clock(name, text, begin, 59, ("minute", "second")[begin // 2])


def _triples(name: str, text: str) -> None:
    if len(text) % 3:
        raise LengthError(f"{name} holds an incomplete country code", rule="gs1.country", position=len(text))


def _piece(name: str, text: str) -> None:
    piece, total = int(text[:2]), int(text[2:])
    if not 1 <= piece <= total:
        raise ContentError(f"{name} is piece {piece} of {total}", rule="gs1.piece-of-total", position=0)


def _percent(name: str, text: str) -> None:
    if broken := re.search(r"%(?![0-9A-Fa-f]{2})", text):
        raise CharacterError(
            f"a % in {name} is not followed by two hexadecimal digits", rule="gs1.percent", position=broken.start()
        )


def _matching(pattern: str, what: str) -> Callable[[str, str], None]:
    compiled = re.compile(pattern)

    def check(name: str, text: str) -> None:
        if not compiled.fullmatch(text):
            raise ContentError(f"{name} holds {text!r} where {what} belongs", rule="gs1.content", position=0)

    return check


def _at_most(limit: int, what: str) -> Callable[[str, str], None]:
    def check(name: str, text: str) -> None:
        if int(text) > limit:
            raise ContentError(f"{name} holds a {what} beyond its range", rule="gs1.position", position=0)

    return check


_RULES: Final[Mapping[str, Callable[[str, str], None]]] = MappingProxyType(
    {
        "check": _check,
        "check-pair": _pair,
        "company-prefix": _company_prefix,
        "day": _day,
        "day-and-hour": _day_and_hour,
        "day-or-month": _day_or_month,
        "hyphen": _matching("-", "a hyphen"),
        "iban": _iban,
        "latitude": _at_most(_LATITUDE, "latitude"),
        "long-day": _long_day,
        "longitude": _at_most(_LONGITUDE, "longitude"),
        "minutes": _minutes,
        "no-leading-zero": _matching("0|[1-9][0-9]*", "a number without leading zeros"),
        "not-zero": _matching("[0-9]*[1-9][0-9]*", "a number above zero"),
        "percent": _percent,
        "piece-of-total": _piece,
        "sex": _matching("[0129]", "0, 1, 2 or 9"),
        "slash": _matching("/", "a slash"),
        "time": _time,
        "time-or-none": _time_or_none,
        "triples": _triples,
        "two-capitals": _matching("[A-Z]{2}", "a country of two capitals"),
        "winding": _matching("[019]", "0, 1 or 9"),
        "yes-or-no": _matching("[01]", "0 or 1"),
        "zero": _matching("0", "a zero"),
    }
)
