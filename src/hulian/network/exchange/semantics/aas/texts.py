"""What fields of the metamodel say in the nouns of the model, and back: languages, meanings, units, constraints."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from hulian.network.exchange.semantics.aas.references import external, is_plain, last_value
from hulian.network.exchange.semantics.contract import Constraints

__all__ = [
    "CARDINALITIES",
    "IEC61360",
    "cardinality_of",
    "constraints_of",
    "content_of",
    "languages",
    "meanings_of",
    "qualifier",
    "remeant",
    "spoken",
    "unit_of",
    "unmeant",
]

IEC61360: Final = "https://admin-shell.io/DataSpecificationTemplates/DataSpecificationIec61360/3"
CARDINALITIES: Final = {
    "One": (True, False),
    "ZeroToOne": (False, False),
    "ZeroToMany": (False, True),
    "OneToMany": (True, True),
}
"""Required and many, by value of the qualifier."""
_CARDINALITY: Final = frozenset(
    {
        "SMT/Cardinality",
        "Cardinality",
        "Multiplicity",
        "SMT/Multiplicity",
        "https://admin-shell.io/SubmodelTemplates/Cardinality/1/0",
    }
)
_UNIT: Final = frozenset({"unit", "Unit", "SMT/Unit", "EngineeringUnit", "engineeringUnit"})
_RANGE: Final = re.compile(r"^\s*[\[(]\s*([^,;\s]*)\s*[,;]\s*([^,;\s]*)\s*[\])]\s*$")


def languages(texts: list[dict[str, Any]]) -> dict[str, str]:
    """Texts by language; of several in one language the first."""
    found: dict[str, str] = {}
    for text in texts:
        found.setdefault(text.get("language", ""), text.get("text", ""))
    return found


def spoken(texts: dict[str, str]) -> list[dict[str, str]]:
    """The list that `languages` reads; where no language is known it is 'en', which the standard wants to be told."""
    told = {language or "en": text for language, text in texts.items() if text and (language or "en" not in texts)}
    return [{"language": language, "text": text} for language, text in told.items()]


def meanings_of(fields: dict[str, Any]) -> tuple[str, ...]:
    """The main meaning first."""
    found = [last_value(fields["semanticId"])] if "semanticId" in fields else []
    found += [last_value(one) for one in fields.get("supplementalSemanticIds", ())]
    return tuple(one for one in found if one)


def unmeant(fields: dict[str, Any]) -> None:
    """Takes away what the meanings say as well."""
    main = fields.get("semanticId")
    more = fields.get("supplementalSemanticIds")
    if main is None or not is_plain(main) or not last_value(main):
        return
    if more is None or all(is_plain(one) and last_value(one) for one in more):
        fields.pop("semanticId")
        fields.pop("supplementalSemanticIds", None)


def remeant(fields: dict[str, Any], meanings: tuple[str, ...]) -> None:
    """Puts back what the meanings say, where the fields do not say it already."""
    if not meanings or meanings_of(fields) == meanings:
        return
    fields["semanticId"] = external(meanings[0])
    fields.pop("supplementalSemanticIds", None)
    if len(meanings) > 1:
        fields["supplementalSemanticIds"] = [external(one) for one in meanings[1:]]


def content_of(fields: dict[str, Any]) -> dict[str, Any]:
    """The first IEC 61360 content of an element or a concept description; empty where it has none."""
    for specification in fields.get("embeddedDataSpecifications", ()):
        content = specification.get("dataSpecificationContent")
        if content is not None:
            return content  # type: ignore[no-any-return]
    return {}


def qualifier(fields: dict[str, Any], kinds: frozenset[str]) -> Iterator[str]:
    """Values of the qualifiers of these types."""
    for one in fields.get("qualifiers", ()):
        if one.get("type") in kinds and one.get("value") is not None:
            yield one["value"]


def unit_of(fields: dict[str, Any]) -> str:
    """The unit that an element or a concept description states itself: by its data specification, else by a qualifier."""
    if "embeddedDataSpecifications" in fields:
        content = content_of(fields)
        if "unitId" in content:
            return last_value(content["unitId"])
        if "unit" in content:
            return str(content["unit"])
    if "qualifiers" in fields:
        return next(qualifier(fields, _UNIT), "")
    return ""


def cardinality_of(fields: dict[str, Any]) -> tuple[bool, bool] | None:
    """Whether it is required and whether it may be there more than once; None where no qualifier tells."""
    return next((CARDINALITIES[value] for value in qualifier(fields, _CARDINALITY) if value in CARDINALITIES), None)


_FORM_CHOICES: Final = frozenset({"SMT/FormChoices", "FormChoices"})
_ALLOWED_RANGE: Final = frozenset({"SMT/AllowedRange", "AllowedRange"})
_ALLOWED_VALUE: Final = frozenset({"SMT/AllowedValue", "AllowedValue"})


def constraints_of(fields: dict[str, Any]) -> Constraints | None:
    """What the qualifiers of a template, the bounds of a range and a list of values ask for."""
    low, high = fields.get("min"), fields.get("max")
    required = many = False
    pattern = ""
    choices: tuple[tuple[str, str], ...] = ()
    if "qualifiers" in fields:
        required, many = cardinality_of(fields) or (False, False)
        for value in qualifier(fields, _FORM_CHOICES):
            choices = tuple((one.strip(), "") for one in value.split(";") if one.strip())
        for value in qualifier(fields, _ALLOWED_RANGE):
            bounds = _RANGE.match(value)
            if bounds:
                low, high = bounds[1] or None, bounds[2] or None
        pattern = next(qualifier(fields, _ALLOWED_VALUE), "")
    if "embeddedDataSpecifications" in fields and not choices:
        pairs = content_of(fields).get("valueList", {}).get("valueReferencePairs", ())
        choices = tuple(
            (last_value(one["valueId"]) if "valueId" in one else one["value"], one["value"]) for one in pairs if "value" in one
        )
    if low is None and high is None and not (required or many or pattern or choices):
        return None
    return Constraints(low=low, high=high, choices=choices, pattern=pattern, required=required, many=many)
