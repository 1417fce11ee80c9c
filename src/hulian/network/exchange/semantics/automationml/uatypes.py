"""Data types and well-known nodes of OPC UA, as AutomationML's mapping has them (OPC 30040)."""

from __future__ import annotations

import math
import re
import uuid
from typing import Final

from hulian.network.exchange.semantics.opcua import BASE

__all__ = ["AML", "BASE", "DICTIONARIES", "UA_TYPES", "aml_id", "dictionary_entry", "ua_value"]

AML: Final = "http://opcfoundation.org/UA/AML/"
DICTIONARIES: Final = "http://opcfoundation.org/UA/Dictionary/"

UA_TYPES: Final = {
    "xs:boolean": "xs:boolean",
    "xs:byte": "xs:byte",
    "xs:unsignedByte": "xs:unsignedByte",
    "xs:short": "xs:short",
    "xs:unsignedShort": "xs:unsignedShort",
    "xs:int": "xs:int",
    "xs:unsignedInt": "xs:unsignedInt",
    "xs:long": "xs:long",
    "xs:unsignedLong": "xs:unsignedLong",
    "xs:float": "xs:float",
    "xs:double": "xs:double",
    "xs:string": "xs:string",
    "xs:dateTime": "xs:dateTime",
    "xs:base64Binary": "xs:base64Binary",
    "xs:integer": "xs:int",
    "xs:positiveInteger": "xs:unsignedLong",
    "xs:nonNegativeInteger": "xs:unsignedLong",
    "xs:decimal": "xs:double",
    "xs:date": "xs:dateTime",
    "xs:token": "i=14",
    "xs:anyURI": "i=23751",
    "xs:language": "i=295",
    "xs:duration": "i=290",
    "": "xs:string",
}
"""OPC UA's type of each of XSD's: a Guid, a UriString, a LocaleId, a Duration by their ids. The table is not injective."""

_RANGES: Final = {
    "xs:byte": (-(2**7), 2**7 - 1),
    "xs:unsignedByte": (0, 2**8 - 1),
    "xs:short": (-(2**15), 2**15 - 1),
    "xs:unsignedShort": (0, 2**16 - 1),
    "xs:int": (-(2**31), 2**31 - 1),
    "xs:unsignedInt": (0, 2**32 - 1),
    "xs:long": (-(2**63), 2**63 - 1),
    "xs:unsignedLong": (0, 2**64 - 1),
}
_INTEGER: Final = re.compile(r"[+-]?\d{1,30}")
_NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|-?INF|NaN")
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?")
_DURATION: Final = re.compile(r"(-?)P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d*)?)S)?)?")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/\s]*={0,2}")
_IRDI: Final = re.compile(r"\d{4}[-/][\w/-]*(#|///)[\w-]+#\w+(#\d+)?")


def aml_id(number: int) -> str:
    """The id of a node of OPC 30040's own namespace."""
    return f"nsu={AML};i={number}"


def ua_value(value: str, datatype: str) -> str | None:
    """The value of an attribute as a value of its OPC UA type (of `UA_TYPES`); None where it is none of it."""
    text = value.strip()
    if datatype in ("xs:string", "i=23751", "i=295"):
        return value
    if datatype in _RANGES:
        low, high = _RANGES[datatype]
        return str(int(text)) if _INTEGER.fullmatch(text) and low <= int(text) <= high else None
    if datatype in ("xs:float", "xs:double"):
        return text if _NUMBER.fullmatch(text) else None
    if datatype == "xs:boolean":
        return {"true": "true", "1": "true", "false": "false", "0": "false"}.get(text)
    if datatype == "xs:dateTime":
        return f"{text}T00:00:00Z" if _DATE.fullmatch(text) else text if _TIME.fullmatch(text) else None
    if datatype == "xs:base64Binary":
        return text if _BASE64.fullmatch(text) else None
    if datatype == "i=14":
        try:
            return str(uuid.UUID(text))
        except ValueError:
            return None
    return _milliseconds(text)


def _milliseconds(text: str) -> str | None:
    """A duration without years and months in milliseconds."""
    found = _DURATION.fullmatch(text)
    if found is None or not any(found.groups()[1:]) or len(text) > 100:
        return None
    days, hours, minutes, seconds = (float(part or 0) for part in found.groups()[1:])
    milliseconds = math.fsum((days * 86_400_000, hours * 3_600_000, minutes * 60_000, seconds * 1000))
    return repr(-milliseconds if found[1] else milliseconds)


def dictionary_entry(meaning: str) -> str | None:
    """The dictionary entry (OPC 10000-19) of a semantic identifier: an IRDI or a URI; None for anything else."""
    text = meaning.strip()
    for prefix in ("IRDI:", "ECLASS:"):
        if text.upper().startswith(prefix):
            return f"nsu={DICTIONARIES}IRDI;s={text[len(prefix) :].strip()}"
    if _IRDI.fullmatch(text):
        return f"nsu={DICTIONARIES}IRDI;s={text}"
    if text.startswith(("http://", "https://", "urn:")):
        return f"nsu={DICTIONARIES}URI;s={text}"
    return None
