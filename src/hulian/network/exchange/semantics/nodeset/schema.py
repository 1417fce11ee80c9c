"""Names of ``UANodeSet.xsd`` and what they are in the model."""

from __future__ import annotations

from typing import Final

from hulian.network.exchange.semantics.contract import Kind, Relation
from hulian.network.exchange.semantics.opcua import BASE, DATATYPES

__all__ = [
    "BASE",
    "BINDING",
    "CLASSES",
    "DATATYPES",
    "DEFAULTS",
    "INSTANCES",
    "KINDS",
    "NODESET",
    "RELATIONS",
    "RELATION_IDS",
    "TYPES",
    "TYPE_IDS",
    "XSI",
]

NODESET: Final = "http://opcfoundation.org/UA/2011/03/UANodeSet.xsd"
TYPES: Final = "http://opcfoundation.org/UA/2008/02/Types.xsd"
XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"

BINDING: Final = "urn:hulian:binding"
"""Namespace of the extension in which a node carries its live point and its registered identifier."""

KINDS: Final = {
    "Object": Kind.OBJECT,
    "Variable": Kind.PROPERTY,
    "Method": Kind.OPERATION,
    "View": Kind.FOLDER,
    "ObjectType": Kind.OBJECT_TYPE,
    "VariableType": Kind.PROPERTY_TYPE,
    "DataType": Kind.DATA_TYPE,
    "ReferenceType": Kind.REFERENCE_TYPE,
}
CLASSES: Final = {
    Kind.OBJECT: "Object",
    Kind.PROPERTY: "Variable",
    Kind.OPERATION: "Method",
    Kind.EVENT: "Object",
    Kind.OBJECT_TYPE: "ObjectType",
    Kind.PROPERTY_TYPE: "VariableType",
    Kind.DATA_TYPE: "DataType",
    Kind.REFERENCE_TYPE: "ReferenceType",
    Kind.ROLE: "ObjectType",
    Kind.INTERFACE_TYPE: "ObjectType",
    Kind.FOLDER: "Object",
}
INSTANCES: Final = frozenset({"Object", "Variable", "Method", "View"})

RELATIONS: Final = {
    "i=47": Relation.COMPONENT,
    "i=46": Relation.PROPERTY,
    "i=35": Relation.ORGANIZES,
    "i=45": Relation.SUBTYPE,
    "i=17597": Relation.DESCRIBED,
}
"""Reference types that mean just what a relation of the model means."""
RELATION_IDS: Final = {relation: identity for identity, relation in RELATIONS.items()} | {
    Relation.INPUT: "i=46",
    Relation.OUTPUT: "i=46",
}

TYPE_IDS: Final = {name: identity for identity, name in DATATYPES.items()} | {
    # Other languages' types: the nearest that holds every value (OPC 30040, table of data types).
    "xs:integer": "i=8",
    "xs:nonNegativeInteger": "i=9",
    "xs:positiveInteger": "i=9",
    "xs:decimal": "i=50",
    "xs:date": "i=13",
    "xs:anyURI": "i=23751",
    "xs:duration": "i=12",
    "xs:time": "i=12",
    "xs:hexBinary": "i=12",
    "xs:language": "i=295",
    "xs:token": "i=12",
    "xs:ID": "i=12",
    "xs:NCName": "i=12",
    "xs:Name": "i=12",
    "xs:anyType": "i=24",
    "xs:anySimpleType": "i=24",
}

DEFAULTS: Final = {
    "WriteMask": "0",
    "UserWriteMask": "0",
    "HasNoPermissions": "false",
    "ReleaseStatus": "Released",
    "EventNotifier": "0",
    "DataType": "i=24",
    "ValueRank": "-1",
    "ArrayDimensions": "",
    "AccessLevel": "1",
    "UserAccessLevel": "1",
    "MinimumSamplingInterval": "0",
    "Historizing": "false",
    "Executable": "true",
    "UserExecutable": "true",
    "ContainsNoLoops": "false",
    "IsAbstract": "false",
    "Purpose": "Normal",
    "Symmetric": "false",
    "IsForward": "true",
    "IsUnion": "false",
    "IsOptionSet": "false",
    "BaseType": "",
    "MaxStringLength": "0",
    "Value": "-1",
    "IsOptional": "false",
    "AllowSubTypes": "false",
    "Permissions": "0",
    "Locale": "",
    "SymbolicName": "",
    "XmlSchemaUri": "",
}
"""What an attribute that is not written means, by the schema."""
