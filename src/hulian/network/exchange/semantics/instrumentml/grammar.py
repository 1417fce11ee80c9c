"""The grammar of IML as tables: which element may hold which, in which order, with which attributes, and what it becomes.

NASA's Goddard Space Flight Center wrote IML in 1999 and renamed ``Instrument`` to ``Device`` and ``InstrumentSet`` to
``DeviceSet`` on 23 May 2005. Both spellings are read; ``Device`` is written.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import msgspec

from hulian.network.exchange.semantics.contract import Kind, Relation

__all__ = ["BENDS", "CONSTRAINTS", "DATATYPES", "ELEMENTS", "INTERFACES", "RENAMED", "ROOTS", "Element", "local", "type_of"]

RENAMED: Final = {"Instrument": "Device", "InstrumentSet": "DeviceSet", "InstrumentPeer": "DevicePeer"}
"""The spelling before 2005 and the one since."""
ROOTS: Final = ("DeviceSet", "Device", "DevicePeer")
INTERFACES: Final = ("MessageInterface", "ResponseInterface", "ScriptInterface", "DataInterface")
CONSTRAINTS: Final = ("BitRangeConstraint", "RangeConstraint", "ListConstraint")

BENDS: Final = (
    ("Instrument, InstrumentSet, InstrumentPeer", "the spelling before 2005"),
    ("a namespace, whichever it is", "the schema has none, and samples name http://aaa.gsfc.nasa.gov/iml"),
    ("children in another order than the grammar's", "described by hand; among different elements it says nothing"),
    ("xsi:schemaLocation and its kin", "it names a schema that is nowhere any more; it is not kept"),
    ("attributes that the grammar does not name", "the framework's classes read attributes of their own; they are kept"),
    ("units left empty", "published samples write units=\"\" for 'none'"),
    ("elements without a name", "published samples leave out the names of interfaces, bundles and constraints"),
    ("white space as content", "published samples close empty elements on another line"),
)  # fmt: skip
"""What is read although the grammar says otherwise, and why."""


class Element(msgspec.Struct, frozen=True):
    """One element of the language. ``held`` ones are taken whole: what is below them is theirs."""

    kind: Kind
    children: tuple[str, ...] = ()
    """In the order of the grammar."""
    relation: str = Relation.COMPONENT
    held: bool = False
    attributes: tuple[str, ...] = ("name", "type", "displayName", "description")
    value: str = ""
    """The attribute that is the node's value."""


_PORT: Final = (
    "Parameter", "Property", "MessageInterface", "ResponseInterface", "DataInterface", "InputAdapter", "OutputAdapter",
    "Connection",
)  # fmt: skip
_COMMON: Final = ("name", "type", "displayName", "description")
_CALL: Final = ("name", "displayName", "description", "synchronous", "size")
_FIELD: Final = (
    *_COMMON, "units", "default", "readOnly", "propertyName", "required", "expert", "hidden", "preferred",
)  # fmt: skip
_BUNDLES: Final = ("Parameter", "BasisBuffer", "DataBuffer", "PixelBundle", "DataBundle")

ELEMENTS: Final[dict[str, Element]] = {
    "DeviceSet": Element(Kind.FOLDER, ("Device", "DevicePeer"), Relation.ORGANIZES),
    "Device": Element(
        Kind.OBJECT,
        ("Parameter", "Device", "DevicePeer", "StateModel", "ScriptInterface", "MessageInterface", "Port"),
    ),
    "DevicePeer": Element(Kind.OBJECT, held=True),
    "StateModel": Element(Kind.OBJECT, held=True),
    "Port": Element(Kind.OBJECT, _PORT),
    "MessageInterface": Element(Kind.FOLDER, ("Parameter", "Message")),
    "ResponseInterface": Element(Kind.FOLDER, ("Parameter", "Response")),
    "ScriptInterface": Element(Kind.FOLDER, ("Parameter", "Script")),
    "DataInterface": Element(Kind.FOLDER, ("Parameter", "BasisBundle", "BasisBundleGroup")),
    "Message": Element(Kind.OPERATION, ("Field",), attributes=(*_CALL, "timeout")),
    "Response": Element(Kind.PROPERTY, ("Field",), Relation.OUTPUT, attributes=(*_CALL, "isFinal", "isError")),
    "Script": Element(Kind.OPERATION, ("Field",), attributes=(*_CALL, "file", "language")),
    "Field": Element(Kind.PROPERTY, CONSTRAINTS, Relation.INPUT, True, _FIELD, "default"),
    "BasisBundleGroup": Element(Kind.OBJECT, ("Parameter", "BasisBundle")),
    "BasisBundle": Element(Kind.OBJECT, _BUNDLES, attributes=(*_COMMON, "size")),
    "DataBundle": Element(Kind.OBJECT, _BUNDLES, attributes=(*_COMMON, "size")),
    "PixelBundle": Element(Kind.OBJECT, ("DataBuffer", "Dimension"), attributes=(*_COMMON, "size")),
    "BasisBuffer": Element(Kind.PROPERTY, attributes=(*_COMMON, "size", "units", "coaddHint")),
    "DataBuffer": Element(Kind.PROPERTY, attributes=(*_COMMON, "size", "units", "coaddHint")),
    "Dimension": Element(Kind.PROPERTY, (), Relation.PROPERTY, attributes=(*_COMMON, "size"), value="size"),
    "InputAdapter": Element(Kind.OBJECT, ("Parameter", "Property", "Transformation"), held=True),
    "OutputAdapter": Element(Kind.OBJECT, ("Parameter", "Property", "Transformation"), held=True),
    "Connection": Element(Kind.OBJECT, ("Parameter", "Property"), held=True),
    "Parameter": Element(Kind.PROPERTY, (), Relation.PROPERTY, attributes=(*_COMMON, "value"), value="value"),
    "Property": Element(Kind.PROPERTY, (), Relation.PROPERTY, attributes=(*_COMMON, "value"), value="value"),
}
"""Every element that becomes a node. What stands in a held one (constraints, choices, transformations) stays with it."""

DATATYPES: Final = {
    "byte": "xs:byte", "char": "xs:string", "short": "xs:short", "int": "xs:int", "long": "xs:long", "float": "xs:float",
    "double": "xs:double", "boolean": "xs:boolean",
    "Byte": "xs:byte", "Character": "xs:string", "Short": "xs:short", "Integer": "xs:int", "Long": "xs:long",
    "Float": "xs:float", "Double": "xs:double", "Boolean": "xs:boolean", "Number": "xs:decimal",
    "String": "xs:string", "BinaryString": "xs:string", "HexString": "xs:hexBinary", "AsciiString": "xs:string",
    "UnicodeString": "xs:string",
}  # fmt: skip
"""Types of IML and their XSD names. Any other string may stand for a type too; it is kept and has no data type."""

_OF_XSD: Final = {
    "xs:byte": "byte", "xs:short": "short", "xs:int": "int", "xs:long": "long", "xs:float": "float", "xs:double": "double",
    "xs:boolean": "boolean", "xs:decimal": "Number", "xs:integer": "long", "xs:string": "String", "xs:hexBinary": "HexString",
    "xs:unsignedByte": "short", "xs:unsignedShort": "int", "xs:unsignedInt": "long", "xs:unsignedLong": "Number",
    "xs:nonNegativeInteger": "Number", "xs:positiveInteger": "Number",
}  # fmt: skip


def type_of(datatype: str) -> str:
    """The type of IML that holds every value of an XSD one; ``String`` where there is none of its own."""
    return _OF_XSD.get(datatype.removesuffix("[]"), "String")


@lru_cache(1024)
def local(tag: str) -> str:
    """An element's name without namespace, in the spelling since 2005.

    >>> local("{http://aaa.gsfc.nasa.gov/iml}Instrument")
    'Device'
    """
    name = tag.rpartition("}")[2]
    return RENAMED.get(name, name)
