"""Names of OPC UA that more than one language needs: its own namespace, and XSD's names for its data types."""

from __future__ import annotations

from typing import Final

__all__ = ["BASE", "DATATYPES"]

BASE: Final = "http://opcfoundation.org/UA/"
"""Namespace of the specification itself: index 0, and none in the ids of the model."""

DATATYPES: Final = {
    "i=1": "xs:boolean",
    "i=2": "xs:byte",
    "i=3": "xs:unsignedByte",
    "i=4": "xs:short",
    "i=5": "xs:unsignedShort",
    "i=6": "xs:int",
    "i=7": "xs:unsignedInt",
    "i=8": "xs:long",
    "i=9": "xs:unsignedLong",
    "i=10": "xs:float",
    "i=11": "xs:double",
    "i=12": "xs:string",
    "i=13": "xs:dateTime",
    "i=15": "xs:base64Binary",
}
"""Data types that are XSD's; every other one keeps its id."""
