"""Attributes of the schema by node class, and the texts that they may have: a strict reader takes no other."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["allowed", "is_date"]

_BOOLEAN: Final = r"\s*(true|false|1|0)\s*"
_UNSIGNED: Final = r"\s*\+?\d{1,10}\s*"
_SHORT: Final = r"\s*\+?\d{1,5}\s*"
_INTEGER: Final = r"\s*[+-]?\d{1,10}\s*"
_DOUBLE: Final = r"\s*([+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|-?INF|NaN)\s*"
_DIMENSIONS: Final = r"\s*((\d+,)*\d+)?\s*"
_DATE: Final = re.compile(r"\s*-?\d{4,}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?\s*\Z")

_COMMON: Final = {
    "WriteMask": _UNSIGNED,
    "UserWriteMask": _UNSIGNED,
    "AccessRestrictions": _SHORT,
    "HasNoPermissions": _BOOLEAN,
    "SymbolicName": r"[A-Za-z][A-Za-z0-9_]*",
    "ReleaseStatus": "Released|Draft|Deprecated",
}
_TYPE: Final = {**_COMMON, "IsAbstract": _BOOLEAN}
_VARIABLE: Final = {"ValueRank": _INTEGER, "ArrayDimensions": _DIMENSIONS}
_ALLOWED: Final = {
    node_class: {name: re.compile(f"(?:{pattern})\\Z") for name, pattern in patterns.items()}
    for node_class, patterns in {
        "Object": {**_COMMON, "EventNotifier": r"\s*\d{1,3}\s*"},
        "Variable": {
            **_COMMON,
            **_VARIABLE,
            "AccessLevel": _UNSIGNED,
            "UserAccessLevel": _UNSIGNED,
            "MinimumSamplingInterval": _DOUBLE,
            "Historizing": _BOOLEAN,
        },
        "Method": {**_COMMON, "Executable": _BOOLEAN, "UserExecutable": _BOOLEAN, "MethodDeclarationId": ".*"},
        "View": {**_COMMON, "ContainsNoLoops": _BOOLEAN, "EventNotifier": r"\s*\d{1,3}\s*"},
        "ObjectType": _TYPE,
        "VariableType": {**_TYPE, **_VARIABLE},
        "DataType": {**_TYPE, "Purpose": "Normal|ServicesOnly|CodeGenerator"},
        "ReferenceType": {**_TYPE, "Symmetric": _BOOLEAN},
        "Definition": {
            "SymbolicName": r"[A-Za-z][A-Za-z0-9_]*",
            "IsUnion": _BOOLEAN,
            "IsOptionSet": _BOOLEAN,
            "BaseType": ".*",
        },
        "Field": {
            "Name": ".*",
            "SymbolicName": r"[A-Za-z][A-Za-z0-9_]*",
            "DataType": ".*",
            **_VARIABLE,
            "MaxStringLength": _UNSIGNED,
            "Value": _INTEGER,
            "IsOptional": _BOOLEAN,
            "AllowSubTypes": _BOOLEAN,
        },
        "Model": {
            "ModelUri": ".*",
            "XmlSchemaUri": ".*",
            "Version": ".*",
            "PublicationDate": _DATE.pattern,
            "ModelVersion": ".*",
            "AccessRestrictions": _SHORT,
        },
    }.items()
}


def allowed(place: str, name: str, value: str) -> str:
    """Why the schema does not take this attribute of a node class (``Variable``, ``Field``); empty where it does."""
    pattern = _ALLOWED[place].get(name)
    if pattern is None:
        return "the schema has no such attribute"
    if not pattern.match(value):
        return "the schema does not take such a text"
    return ""


def is_date(value: str) -> bool:
    """Whether it is an ``xs:dateTime``."""
    return _DATE.match(value) is not None
