"""What the standard asks of an element and what was read or made may lack: completed before it is written."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from hulian.network.exchange.semantics.contract import Loss

__all__ = ["NUMBERS", "XSD", "completed", "fits"]

_INTEGER: Final = r"[+-]?\d+"
_NUMBER: Final = r"[+-]?(\d+(\.\d*)?|\.\d+)"
_ZONE: Final = r"(Z|[+-]\d\d:\d\d)?"
_DATE: Final = r"-?\d{4,}-\d\d-\d\d"
_TIME: Final = r"\d\d:\d\d:\d\d(\.\d+)?"
_LEXICAL: Final = {
    "xs:boolean": re.compile(r"true|false|0|1"),
    "xs:decimal": re.compile(_NUMBER),
    **dict.fromkeys(("xs:double", "xs:float"), re.compile(rf"{_NUMBER}([eE][+-]?\d+)?|-?INF|NaN")),
    "xs:date": re.compile(_DATE + _ZONE),
    "xs:time": re.compile(_TIME + _ZONE),
    "xs:dateTime": re.compile(f"{_DATE}T{_TIME}{_ZONE}"),
    "xs:hexBinary": re.compile(r"([0-9a-fA-F]{2})*"),
    "xs:base64Binary": re.compile(r"[A-Za-z0-9+/=\s]*"),
    "xs:duration": re.compile(r"-?P(?!$)(\d+Y)?(\d+M)?(\d+D)?(T(?!$)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?"),
}
_BITS: Final = {"byte": (7, True), "short": (15, True), "int": (31, True), "long": (63, True)}
_UNSIGNED: Final = {"unsignedByte": 8, "unsignedShort": 16, "unsignedInt": 32, "unsignedLong": 64}
_SIGNS: Final = {
    "positiveInteger": (1, None),
    "nonNegativeInteger": (0, None),
    "negativeInteger": (None, -1),
    "nonPositiveInteger": (None, 0),
}
_INTEGERS: Final[dict[str, tuple[int | None, int | None]]] = {
    "xs:integer": (None, None),
    **{f"xs:{name}": (-(1 << bits), (1 << bits) - 1) for name, (bits, _) in _BITS.items()},
    **{f"xs:{name}": (0, (1 << bits) - 1) for name, bits in _UNSIGNED.items()},
    **{f"xs:{name}": bounds for name, bounds in _SIGNS.items()},
}
NUMBERS: Final = frozenset({*_INTEGERS, "xs:decimal", "xs:double", "xs:float"})
XSD: Final = frozenset(
    {*_INTEGERS, *_LEXICAL, "xs:anyURI", "xs:string", "xs:gDay", "xs:gMonth", "xs:gMonthDay", "xs:gYear", "xs:gYearMonth"}
)
"""The types that a value may have."""
_ILLEGAL: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def fits(value: str, datatype: str) -> bool:
    """Whether a text is in the lexical space of an XSD type (bounds of integers included)."""
    if datatype in _INTEGERS:
        text = value.strip()
        if not re.fullmatch(_INTEGER, text) or len(text) > 400:
            return False
        low, high = _INTEGERS[datatype]
        return (low is None or int(text) >= low) and (high is None or int(text) <= high)
    pattern = _LEXICAL.get(datatype)
    return pattern is None or pattern.fullmatch(value) is not None


def completed(fields: dict[str, Any], version: str, root: str, tell: Callable[[Loss], None], place: str) -> None:
    """Puts in what the standard wants; what it cannot take is told."""
    kind = fields["modelType"]
    if kind == "AssetAdministrationShell":
        asset = fields.setdefault("assetInformation", {})
        if "assetKind" not in asset:
            asset["assetKind"] = "NotApplicable"
            tell(Loss(place, "assetKind", "the standard asks for it: written as NotApplicable"))
        if asset["assetKind"] == "Role" and version == "3.0":
            asset["assetKind"] = "NotApplicable"
            tell(Loss(place, "assetKind Role", "AAS 3.0 has no such kind of asset"))
    elif kind == "BasicEventElement":
        fields.setdefault("observed", {"type": "ModelReference", "keys": [{"type": "Submodel", "value": root}]})
        fields.setdefault("direction", "output")
        fields.setdefault("state", "on")
    elif kind == "SubmodelElementList":
        fields.setdefault("typeValueListElement", "SubmodelElement")
    elif version == "3.0":
        before = set(fields)
        _older(fields, kind, root)
        for name in sorted(fields.keys() - before):
            tell(Loss(place, name, "AAS 3.0 asks for it: written with the value that says least"))
    for name, value in fields.items():
        if type(value) is str and _ILLEGAL.search(value):
            fields[name] = _ILLEGAL.sub("", value)
            tell(Loss(f"{place}/{name}", "control characters", "neither XML 1.0 nor the metamodel can hold them"))


def _older(fields: dict[str, Any], kind: str, root: str) -> None:
    if kind in ("File", "Blob"):
        fields.setdefault("contentType", "application/octet-stream")
    elif kind == "Entity":
        fields.setdefault("entityType", "CoManagedEntity")
    elif kind in ("RelationshipElement", "AnnotatedRelationshipElement"):
        for name in ("first", "second"):
            fields.setdefault(name, {"type": "ModelReference", "keys": [{"type": "Submodel", "value": root}]})
