"""From any spelling to a unit."""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Iterable
from typing import Final, Literal, get_args

import msgspec

from hulian.network.exchange.semantics.errors import UnitError
from hulian.network.exchange.semantics.units.errors import AmbiguousUnitError
from hulian.network.exchange.semantics.units.spellings import COMMON, PRESSURE, VOLUMES, product, qualified, tidy
from hulian.network.exchange.semantics.units.table import Table, table
from hulian.network.exchange.semantics.units.unit import CODES_NAMESPACE, IRDI_PREFIX, Unit, code_of

__all__ = ["Scheme", "candidates", "find", "of_unit_id"]

Scheme = Literal["unece", "ucum", "irdi", "qudt", "symbol"]
_LONGEST: Final = 200
_MOST_LISTED: Final = 8
_IRDI: Final = re.compile(r"(?:IRDI:)?0112[/-]2[/-]{1,3}62720(?:_\d+)?#(?:[A-Z0-9]{2}-)?([A-Z]{3}\d{3})(?:#\d{1,3})?", re.I)
_URI: Final = re.compile(r"(?:https?://(?:www\.)?qudt\.org/(?:\d[\d.]*/)?vocab/unit[/#]|unit:|qudt:)(.+)")


@functools.lru_cache(4096)
def find(text: str, scheme: Scheme | None = None) -> Unit:
    """The unit that ``text`` names: a UNECE or UCUM code, an IRDI, QUDT's URI or local name, a symbol, a spelling of plants.

    ``scheme`` says which list the text is of. Raises `UnitError` where no unit is known by it, and `AmbiguousUnitError` with
    the candidates where several are.
    """
    found = candidates(text, scheme)
    if len(found) == 1:
        return found[0]
    if not found:
        shown = text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
        near = [] if len(text) > _LONGEST else difflib.get_close_matches(tidy(text), list(COMMON), 3)
        hint = f"perhaps {' or '.join(repr(word) for word in near)}" if near else "write the UNECE or UCUM code"
        raise UnitError("no such unit is known", place=f"unit {shown!r}", hint=hint)
    listed = ", ".join(f"{unit.title} ({unit.name or unit.unece[0]})" for unit in found[:_MOST_LISTED])
    raise AmbiguousUnitError(
        f"it is the spelling of {len(found)} units: {listed}",
        candidates=tuple(unit.id for unit in found),
        place=f"unit {text!r}",
        hint="write the UNECE or UCUM code, or QUDT's local name",
    )


def of_unit_id(number: int, namespace: str = CODES_NAMESPACE) -> Unit:
    """The unit of an OPC UA EUInformation. Raises `UnitError` where the number or its namespace is not UNECE's."""
    if namespace != CODES_NAMESPACE:
        raise UnitError(
            "its units are not those of UNECE", place=f"namespace {namespace[:200]!r}", hint="give its display name"
        )
    try:
        return find(code_of(number), "unece")
    except ValueError as error:
        raise UnitError(str(error), place=f"unitId {number}", hint="-1 and 0 say that there is no unit") from error


def candidates(text: str, scheme: Scheme | None = None) -> list[Unit]:
    """The units that ``text`` may mean, the likeliest first; none, or one, or more where it is ambiguous."""
    if len(text) > _LONGEST:
        return []
    known = table()
    if scheme is not None:
        return _by_scheme(known, text.strip(), scheme)
    text = tidy(text)
    for named in (_explicit, _common, _listed, _qualified, _multiplied, _any_case):
        found = named(known, text)
        if found:
            return found
    return []


def _by_scheme(known: Table, text: str, scheme: Scheme) -> list[Unit]:
    if scheme not in get_args(Scheme):
        raise UnitError(
            "there is no such list of units", place=f"scheme {scheme!r}", hint=f"one of {', '.join(get_args(Scheme))}"
        )
    match scheme:
        case "unece":
            return _one(known.by_unece.get(text, []), text)
        case "ucum":
            return _one(known.by_ucum.get(text, []), text)
        case "irdi":
            match_ = _IRDI.fullmatch(text)
            return _one(known.by_irdi.get(IRDI_PREFIX + match_[1].upper(), []), text) if match_ else []
        case "qudt":
            return _named(known, text)
        case "symbol":
            return _one(known.by_symbol.get(tidy(text), []), text)


def _named(known: Table, text: str) -> list[Unit]:
    match = _URI.fullmatch(text)
    unit = known.by_name.get(match[1] if match else text)
    return [unit] if unit else []


def _explicit(known: Table, text: str) -> list[Unit]:
    """Spellings that say of which list they are."""
    if "#" in text and _IRDI.fullmatch(text):
        return _by_scheme(known, text, "irdi")
    if _URI.fullmatch(text):
        return _named(known, text)
    for prefix, scheme in (("unece:", "unece"), ("ucum:", "ucum"), ("UNECE:", "unece"), ("UCUM:", "ucum")):
        if text.startswith(prefix):
            return _by_scheme(known, text[len(prefix) :], scheme)  # type: ignore[arg-type]
    return []


def _common(known: Table, text: str) -> list[Unit]:
    name = COMMON.get(text)
    return [known.by_name[name]] if name else []


def _listed(known: Table, text: str) -> list[Unit]:
    name = known.by_name.get(text)
    return _one(
        [
            *known.by_ucum.get(text, []),
            *known.by_symbol.get(text, []),
            *known.by_unece.get(text, []),
            *([name] if name and not name.replaced_by else []),
        ],
        text,
    ) or ([name] if name else [])


def _qualified(known: Table, text: str) -> list[Unit]:
    for rest, meaning in qualified(text):
        found = _plain(known, rest)
        if meaning == "difference":
            right = found
        elif meaning in ("gauge", "absolute"):
            right = [unit for unit in found if unit.dimension == PRESSURE]
        else:
            right = [unit for unit in found if unit.dimension in VOLUMES]
        if right:
            if meaning == "difference":
                return [msgspec.structs.replace(unit, difference=True) for unit in right]
            return [msgspec.structs.replace(unit, reference=meaning) for unit in right]
    return []


def _plain(known: Table, text: str) -> list[Unit]:
    if text in known.by_name and text not in COMMON:
        return _named(known, text)
    return _common(known, text) or _listed(known, text) or _multiplied(known, text)


def _multiplied(known: Table, text: str) -> list[Unit]:
    powers = product(text)
    return _one(known.by_product.get(powers, []), text) if powers else []


def _any_case(known: Table, text: str) -> list[Unit]:
    return _one(known.by_any_case.get(text.casefold(), []), text)


def _one(units: Iterable[Unit], text: str) -> list[Unit]:
    """``units`` without those that are one unit under two names, and without what nobody means by ``text``.

    Lists share symbols without need: currencies write ``L``, old units write ``K``. What a list of codes and a list of symbols
    agree on goes before what only one of them says, and units of measure before currencies.
    """
    found = list({unit.id: unit for unit in units}.values())
    found = [unit for unit in found if not unit.name.startswith("CCY_")] or found
    found = [unit for unit in found if unit.name or not _named_alike(unit, found)]
    if len({unit.factor for unit in found}) == 1:
        found = [unit for unit in found if not unit.reference] or found
    if len(found) > 1:
        both = [unit for unit in found if text in unit.ucum and text in map(tidy, (unit.symbol, *unit.spellings))]
        found = both if len(both) >= 1 else found
    if len(found) > 1:
        shown = [unit for unit in found if _same_symbol(unit, found)]
        found = shown if len(shown) == 1 else found
    if len({(unit.dimension, unit.factor, unit.offset, unit.reference) for unit in found}) == 1 and found[0].factor is not None:
        return sorted(found, key=lambda unit: (not unit.unece, not unit.irdi, not unit.ucum, len(unit.name), unit.name))[:1]
    return found


def _named_alike(unit: Unit, others: list[Unit]) -> bool:
    """Whether a unit that QUDT names has the symbol of this one, of which only a code is known."""
    return any(other.name and tidy(unit.symbol) in map(tidy, (other.symbol, *other.spellings)) for other in others)


def _same_symbol(unit: Unit, others: list[Unit]) -> bool:
    """Whether the display name that the others have only been lent, with a code, is this unit's own symbol."""
    return any(tidy(unit.symbol) in map(tidy, other.spellings) for other in others if other is not unit)
