"""What comes in a request, taken only where it is as the metamodel has it."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from hulian.kernel.unreadable import UNREADABLE
from hulian.network.exchange.semantics.aas.api.contract import ApiError
from hulian.network.exchange.semantics.aas.metamodel import ELEMENTS

__all__ = ["body_of", "checked"]

_MOST: Final = 10
_DEEPEST: Final = 64
"""Levels of a body: what is below has its own checks to survive."""
_PARSERS: Final = {
    "AssetAdministrationShell": "asset_administration_shell_from_jsonable",
    "Submodel": "submodel_from_jsonable",
    "ConceptDescription": "concept_description_from_jsonable",
    "AssetInformation": "asset_information_from_jsonable",
    "Reference": "reference_from_jsonable",
    "SubmodelElement": "submodel_element_from_jsonable",
}


def body_of(content: bytes) -> Any:
    """The JSON of a body. Raises `ApiError` 400."""
    try:
        found = msgspec.json.decode(content)
    except UNREADABLE as error:
        raise ApiError(400, f"the body is no JSON: {error}") from error
    except RecursionError as error:
        raise ApiError(400, "the body is nested too deep") from error
    level = [found]
    for _ in range(_DEEPEST):
        level = [
            below for one in level if isinstance(one, dict | list) for below in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return found
    raise ApiError(400, f"the body is nested deeper than {_DEEPEST} levels")


def checked(value: Any, kind: str) -> dict[str, Any]:
    """An object of a class of 3.0 or 3.1. Raises `ApiError` 400 with the path of what is wrong, by the newer metamodel."""
    if not isinstance(value, dict):
        raise ApiError(400, "the body is no object")
    if kind == "SubmodelElement" and value.get("modelType") not in ELEMENTS:
        raise ApiError(400, f"modelType {value.get('modelType')!r} is none of a submodel element")
    from aas_core3_1 import jsonization, verification

    try:
        instance = getattr(jsonization, _PARSERS[kind])(value)
    except jsonization.DeserializationException as error:
        raise ApiError(400, f"{error.path}: {error.cause}") from error
    except RecursionError as error:
        raise ApiError(400, "it is nested too deep") from error
    problems = []
    for problem in verification.verify(instance):
        problems.append(f"{problem.path}: {problem.cause}")
        if len(problems) == _MOST:
            break
    if problems:
        raise ApiError(400, "; ".join(problems))
    return value
