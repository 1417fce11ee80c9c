"""Serialisation modifiers of IDTA 01002: level, extent and content (value-only, metadata)."""

from __future__ import annotations

import math
from typing import Any, Final

import msgspec

from hulian.network.exchange.semantics.aas.api.contract import ApiError
from hulian.network.exchange.semantics.aas.api.paths import children_of
from hulian.network.exchange.semantics.aas.metamodel import CHILDREN
from hulian.network.exchange.semantics.aas.strict import NUMBERS, fits

__all__ = ["leveled", "metadata_of", "set_value", "unblobbed", "value_of"]

_VALUES: Final = {
    "Submodel": ("submodelElements",),
    "Property": ("value", "valueId"),
    "MultiLanguageProperty": ("value", "valueId"),
    "Range": ("min", "max"),
    "File": ("value", "contentType"),
    "Blob": ("value", "contentType"),
    "ReferenceElement": ("value",),
    "RelationshipElement": ("first", "second"),
    "AnnotatedRelationshipElement": ("first", "second", "annotations"),
    "Entity": ("statements", "entityType", "globalAssetId", "specificAssetIds"),
    "SubmodelElementCollection": ("value",),
    "SubmodelElementList": ("value",),
    "BasicEventElement": ("observed",),
    "Operation": ("inputVariables", "outputVariables", "inoutputVariables"),
}
"""What is no metadata."""
_WITHOUT_VALUE: Final = frozenset({"Operation", "Capability"})


def metadata_of(element: dict[str, Any]) -> dict[str, Any]:
    """Everything but the values."""
    dropped = _VALUES.get(element.get("modelType", ""), ())
    return {name: value for name, value in element.items() if name not in dropped}


def leveled(element: dict[str, Any], *, deep: bool) -> dict[str, Any]:
    """With ``core``, what is below the direct children is left out."""
    if deep:
        return element
    slot = CHILDREN.get(element.get("modelType", ""))
    if slot is None or slot not in element:
        return element
    shallow = []
    for one in element[slot]:
        below = CHILDREN.get(one.get("modelType", ""))
        shallow.append({name: value for name, value in one.items() if name != below})
    return {**element, slot: shallow}


def unblobbed(element: dict[str, Any]) -> dict[str, Any]:
    """Without the contents of blobs."""
    if element.get("modelType") == "Blob":
        return {name: value for name, value in element.items() if name != "value"}
    slot = CHILDREN.get(element.get("modelType", ""))
    if slot is None or slot not in element:
        return element
    return {**element, slot: [unblobbed(one) for one in element[slot]]}


def _typed(text: str | None, datatype: str) -> Any:
    if text is None:
        return None
    if datatype == "xs:boolean" and fits(text, datatype):
        return text in ("true", "1")
    if datatype in NUMBERS and text and fits(text, datatype):
        try:
            number: float = int(text) if "." not in text and "e" not in text.lower() else float(text)
        except ValueError:
            return text
        # INF and NaN are no JSON numbers.
        return number if math.isfinite(number) else text
    return text


def value_of(element: dict[str, Any]) -> Any:
    """The value-only form."""
    kind = element.get("modelType", "")
    if kind == "Property":
        return _typed(element.get("value"), element.get("valueType", ""))
    if kind == "MultiLanguageProperty":
        return [{one["language"]: one["text"]} for one in element.get("value", ())]
    if kind == "Range":
        typed = {name: _typed(element.get(name), element.get("valueType", "")) for name in ("min", "max")}
        return {name: value for name, value in typed.items() if value is not None}
    if kind in ("SubmodelElementCollection", "Submodel"):
        return _named(children_of(element))
    if kind == "SubmodelElementList":
        return [value_of(one) for one in children_of(element) if one.get("modelType") not in _WITHOUT_VALUE]
    if kind in ("File", "Blob"):
        return {name: element[name] for name in ("contentType", "value") if name in element}
    if kind == "ReferenceElement":
        return element.get("value")
    if kind == "Entity":
        found: dict[str, Any] = {
            name: element[name] for name in ("entityType", "globalAssetId", "specificAssetIds") if name in element
        }
        return {**found, "statements": _named(children_of(element))} if "statements" in element else found
    if kind in ("RelationshipElement", "AnnotatedRelationshipElement"):
        found = {name: element[name] for name in ("first", "second") if name in element}
        if "annotations" in element:
            found["annotations"] = [{one["idShort"]: value_of(one)} for one in element["annotations"]]
        return found
    if kind == "BasicEventElement":
        return {"observed": element.get("observed")}
    raise ApiError(400, f"a {kind} has no value")


def _named(elements: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        one["idShort"]: value_of(one) for one in elements if "idShort" in one and one.get("modelType") not in _WITHOUT_VALUE
    }


# ------------------------------------------------ writing values


def set_value(element: dict[str, Any], value: Any, path: str = "") -> None:
    """Puts a value-only form into an element. Raises `ApiError` 400 where it does not fit; then the element is half changed."""
    kind = element.get("modelType", "")
    if kind == "Property":
        element["value"] = _text(value, element.get("valueType", ""), path)
    elif kind == "Range":
        given = _object(value, path)
        element.update(
            {name: _text(given[name], element.get("valueType", ""), path) for name in ("min", "max") if name in given}
        )
    elif kind == "MultiLanguageProperty":
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            raise ApiError(400, f"{path}: texts are a list of {{language: text}}")
        element["value"] = [{"language": str(key), "text": str(text)} for one in value for key, text in one.items()]
    elif kind in ("SubmodelElementCollection", "Submodel"):
        _set_named(element, value, path)
    elif kind == "SubmodelElementList":
        below = children_of(element)
        if not isinstance(value, list) or len(value) != len(below):
            raise ApiError(400, f"{path}: a list of {len(below)} values is wanted")
        for index, (one, new) in enumerate(zip(below, value, strict=True)):
            set_value(one, new, f"{path}[{index}]")
    elif kind == "ReferenceElement":
        element["value"] = _object(value, path)
    else:
        _set_fields(element, kind, _object(value, path), path)


_SETTABLE: Final = {
    "File": ("value", "contentType"),
    "Blob": ("value", "contentType"),
    "BasicEventElement": ("observed",),
    "RelationshipElement": ("first", "second"),
    "AnnotatedRelationshipElement": ("first", "second"),
    "Entity": ("entityType", "globalAssetId", "specificAssetIds"),
}


def _set_fields(element: dict[str, Any], kind: str, value: dict[str, Any], path: str) -> None:
    if kind not in _SETTABLE:
        raise ApiError(400, f"{path}: a {kind} has no value")
    for name, new in value.items():
        if kind == "Entity" and name == "statements":
            _set_named(element, new, path)
        elif name in _SETTABLE[kind]:
            element[name] = new
        else:
            raise ApiError(400, f"{path}: a {kind} has no {name} in its value that can be set")


def _object(value: Any, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ApiError(400, f"{path}: an object is wanted")
    return value


def _set_named(element: dict[str, Any], value: Any, path: str) -> None:
    below = {one.get("idShort"): one for one in children_of(element)}
    for name, new in _object(value, path).items():
        if name not in below:
            raise ApiError(400, f"{path}: there is no element {name}")
        set_value(below[name], new, f"{path}.{name}" if path else name)


def _text(value: Any, datatype: str, path: str) -> str:
    if isinstance(value, dict | list) or value is None:
        raise ApiError(400, f"{path}: one value is wanted")
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    if not fits(text, datatype):
        raise ApiError(400, f"{path}: {text[:100]!r} is no {datatype}")
    return text
