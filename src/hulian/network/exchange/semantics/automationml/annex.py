"""The fixed parts of OPC 10000-83, Annex A: names of libraries, the libraries of the metamodel, nodes of OPC UA itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from hulian.network.exchange.semantics.automationml.names import EXTRA, escaped, shortened
from hulian.network.exchange.semantics.contract import Constraints, Kind, Loss, Node, Relation
from hulian.network.exchange.semantics.opcua import BASE, DATATYPES

__all__ = [
    "ATL",
    "ATTRIBUTES",
    "CLASSES",
    "ICL",
    "ID_NAMES",
    "META",
    "RCL",
    "RELATIONS",
    "RULES",
    "SAID",
    "SUC",
    "TAGS",
    "belongs",
    "class_id",
    "data_type_id",
    "distinct_names",
    "explicit",
    "library_id",
    "meta_libraries",
    "path_of",
    "standard_name",
    "xs_type",
]

ATL: Final = "ATL"
ICL: Final = "ICL"
RCL: Final = "RCL"
SUC: Final = "SUC"
META: Final = "OpcAmlMetaModel"
"""What the libraries of the metamodel are called, in the place of a namespace."""

_UA: Final = BASE
_MARKS: Final = {ATL: "attribute:", ICL: "interface:", RCL: "role:", SUC: "unit:"}
_KINDS: Final = {ATL: Kind.PROPERTY_TYPE, ICL: Kind.INTERFACE_TYPE, RCL: Kind.ROLE, SUC: Kind.OBJECT_TYPE}

CLASSES: Final = (Kind.OBJECT_TYPE, Kind.PROPERTY_TYPE, Kind.ROLE)
"""Kinds of nodes that are classes of system units."""
TAGS: Final = {ATL: "AttributeTypeLib", ICL: "InterfaceClassLib", RCL: "RoleClassLib", SUC: "SystemUnitClassLib"}
ID_NAMES: Final = {"i": "NumericId", "s": "StringId", "g": "GuidId", "b": "OpaqueId"}
ATTRIBUTES: Final = (
    ("ValueRank", "xs:int", "-1"),
    ("ArrayDimensions", "xs:string", ""),
    ("AccessLevel", "xs:unsignedByte", "1"),
    ("EventNotifier", "xs:unsignedByte", "0"),
    ("MinimumSamplingInterval", "xs:double", "0"),
    ("Historizing", "xs:boolean", "false"),
    ("Executable", "xs:boolean", "true"),
    ("WriteMask", "xs:unsignedInt", "0"),
)
SAID: Final = {name for name, _, _ in ATTRIBUTES} | {
    "IsAbstract",
    "Symmetric",
    "UserAccessLevel",
    "SymbolicName",
    "UserExecutable",
}
RELATIONS: Final = {
    Relation.COMPONENT: "i=47",
    Relation.PROPERTY: "i=46",
    Relation.ORGANIZES: "i=35",
    Relation.INPUT: "i=46",
    Relation.OUTPUT: "i=46",
    Relation.DESCRIBED: "i=17597",
}
RULES: Final = {
    "i=78": "Mandatory",
    "i=80": "Optional",
    "i=83": "ExposesItsArray",
    "i=11508": "OptionalPlaceholder",
    "i=11510": "MandatoryPlaceholder",
}

_STANDARD: Final = {
    "i=24": "BaseDataType",
    "i=26": "Number",
    "i=27": "Integer",
    "i=28": "UInteger",
    "i=29": "Enumeration",
    "i=22": "Structure",
    "i=1": "Boolean",
    "i=2": "SByte",
    "i=3": "Byte",
    "i=4": "Int16",
    "i=5": "UInt16",
    "i=6": "Int32",
    "i=7": "UInt32",
    "i=8": "Int64",
    "i=9": "UInt64",
    "i=10": "Float",
    "i=11": "Double",
    "i=12": "String",
    "i=13": "DateTime",
    "i=14": "Guid",
    "i=15": "ByteString",
    "i=16": "XmlElement",
    "i=17": "NodeId",
    "i=18": "ExpandedNodeId",
    "i=19": "StatusCode",
    "i=20": "QualifiedName",
    "i=21": "LocalizedText",
    "i=23": "DataValue",
    "i=25": "DiagnosticInfo",
    "i=58": "BaseObjectType",
    "i=61": "FolderType",
    "i=62": "BaseVariableType",
    "i=63": "BaseDataVariableType",
    "i=68": "PropertyType",
    "i=290": "Duration",
    "i=294": "UtcTime",
    "i=295": "LocaleId",
    "i=296": "Argument",
    "i=884": "Range",
    "i=887": "EUInformation",
    "i=2041": "BaseEventType",
    "i=2365": "DataItemType",
    "i=2368": "AnalogItemType",
    "i=2376": "MultiStateDiscreteType",
    "i=7594": "EnumValueType",
    "i=17602": "BaseInterfaceType",
    "i=17603": "HasInterface",
    "i=17604": "HasAddIn",
    "i=17597": "HasDictionaryEntry",
    "i=31": "References",
    "i=32": "NonHierarchicalReferences",
    "i=33": "HierarchicalReferences",
    "i=35": "Organizes",
    "i=36": "HasEventSource",
    "i=38": "HasEncoding",
    "i=39": "HasDescription",
    "i=41": "GeneratesEvent",
    "i=45": "HasSubtype",
    "i=46": "HasProperty",
    "i=47": "HasComponent",
    "i=48": "HasNotifier",
    "i=49": "HasOrderedComponent",
    "i=51": "FromState",
    "i=52": "ToState",
    "i=53": "HasCause",
    "i=54": "HasEffect",
    "i=117": "HasSubStateMachine",
    "i=120": "NamingRuleType",
    "i=23751": "UriString",
}
_INVERSE: Final = {
    "i=35": "OrganizedBy",
    "i=36": "EventSourceOf",
    "i=41": "GeneratedBy",
    "i=46": "PropertyOf",
    "i=47": "ComponentOf",
    "i=48": "NotifierOf",
    "i=49": "OrderedComponentOf",
    "i=51": "ToTransition",
    "i=52": "FromTransition",
    "i=53": "MayBeCausedBy",
    "i=54": "MayBeEffectedBy",
    "i=117": "SubStateMachineOf",
    "i=17597": "DictionaryEntryOf",
    "i=17604": "AddInOf",
}
_XS: Final = DATATYPES | {
    "i=14": "xs:string",
    "i=16": "xs:string",
    "i=19": "xs:unsignedInt",
    "i=21": "xs:string",
    "i=29": "xs:int",
}
"""XSD's types of the others, as Annex A has them."""
_IDS: Final = {xs: identity for identity, xs in DATATYPES.items()}


def standard_name(identity: str, *, inverse: bool = False) -> str:
    """The browse name, or the inverse name, of a node of OPC UA itself; "" where it is not among those that are known here."""
    return (_INVERSE if inverse else _STANDARD).get(identity, "")


def xs_type(identity: str, ancestors: list[str]) -> str:
    """XSD's type of a data type, by itself or the nearest of its supertypes that has one; "" for structures."""
    return next((_XS[each] for each in (identity, *ancestors) if each in _XS), "")


def data_type_id(datatype: str) -> str:
    """The id of a data type that the model may know by XSD's name."""
    return _IDS.get(datatype, datatype if not datatype.startswith("xs:") else "i=12")


def library_id(name: str, kind: str, uri: str) -> str:
    """The id of a library of the document ``name``."""
    return f"{name}/{_MARKS[kind]}{escaped(f'{kind}_{uri}')}"


def class_id(name: str, kind: str, uri: str, own: str) -> str:
    """The id of a class in a library."""
    return shortened(f"{library_id(name, kind, uri)}/{escaped(own)}")


def path_of(kind: str, uri: str, own: str) -> str:
    """The CAEX path of a class: both names stand in brackets."""
    return f"[{kind}_{uri}]/[{own}]"


def explicit(identity: str) -> tuple[str, str, str]:
    """Namespace, letter and value of a node id.

    >>> explicit("nsu=urn:x;s=a;b")
    ('urn:x', 's', 'a;b')
    >>> explicit("i=58")
    ('http://opcfoundation.org/UA/', 'i', '58')
    """
    uri, rest = _UA, identity
    if identity.startswith("nsu="):
        uri, _, rest = identity[4:].partition(";")
        uri = uri.replace("%3B", ";")
    letter, _, value = rest.partition("=")
    return (uri, letter, value) if letter in ("i", "s", "g", "b") else (uri, "s", rest)


def meta_libraries(name: str) -> list[Node]:
    """The libraries of the metamodel: nodes in the order of their libraries."""
    nodes = [_library(name, kind) for kind in (RCL, SUC, ATL)]
    nodes.insert(1, _class(name, RCL, "UaBaseRole", "AutomationMLBaseRoleClassLib/AutomationMLBaseRole"))
    nodes.insert(3, _class(name, SUC, "UaMethodNodeClass", ""))
    rules = ("ExposesItsArray", "Mandatory", "MandatoryPlaceholder", "Optional", "OptionalPlaceholder")
    limits = Constraints(choices=tuple((rule, "") for rule in rules))
    nodes.append(_class(name, ATL, "ModellingRuleType", "", datatype="xs:string", constraints=limits))
    nodes.append(_class(name, ATL, "NamespaceUri", "", datatype="xs:anyURI"))
    identity = _class(name, ATL, "ExplicitNodeId", "")
    nodes.append(identity)
    nodes.append(_part(identity, "NamespaceUri", "xs:anyURI"))
    parts = {"NumericId": "xs:long", "StringId": "xs:string", "GuidId": "xs:string", "OpaqueId": "xs:base64Binary"}
    nodes.extend(_part(identity, part, datatype) for part, datatype in parts.items())
    alias = _class(name, ATL, "Alias", "")
    nodes.extend((alias, _part(alias, "AliasName", "xs:string"), _part(alias, "ReferenceTypeFilter", "")))
    return nodes


def _library(name: str, kind: str) -> Node:
    return Node(
        id=library_id(name, kind, META),
        kind=Kind.FOLDER,
        name=f"{kind}_{META}",
        relation=Relation.ORGANIZES,
        extra={EXTRA: {"tag": TAGS[kind]}},
    )


def _class(name: str, kind: str, own: str, base: str, *, datatype: str = "", constraints: Constraints | None = None) -> Node:
    return Node(
        id=class_id(name, kind, META, own),
        kind=_KINDS[kind],
        name=own,
        parent=library_id(name, kind, META),
        relation=Relation.ORGANIZES,
        type=f"{name}/{_MARKS[kind]}{base}" if base else "",
        datatype=datatype,
        constraints=constraints,
    )


def _part(owner: Node, own: str, datatype: str) -> Node:
    return Node(id=f"{owner.id}@{own}", kind=Kind.PROPERTY, name=own, parent=owner.id, datatype=datatype)


def belongs(node: Node, kind: str) -> bool:
    """Whether a node becomes a class in libraries of this kind."""
    if kind == ICL:
        return node.kind == Kind.REFERENCE_TYPE
    if kind == RCL:
        return node.kind == Kind.ROLE
    return node.kind == Kind.DATA_TYPE if kind == ATL else node.kind in CLASSES


def distinct_names(nodes: Iterable[Node], losses: list[Loss]) -> dict[str, str]:
    """Names of classes of which their library has another: a path is one class, and node ids tell them apart."""
    taken: set[tuple[str, str, str]] = set()
    renamed = {}
    for node in nodes:
        if node.kind not in (*CLASSES, Kind.DATA_TYPE, Kind.REFERENCE_TYPE):
            continue
        uri, letter, value = explicit(node.id)
        kind = SUC if node.kind in CLASSES else node.kind.name
        name = node.name
        if (kind, uri, name) in taken:
            name = renamed[node.id] = f"{node.name} {letter}={value}"
            losses.append(Loss(node.id, f"the name {node.name!r}", f"its library has it already; it is called {name!r}"))
        taken.add((kind, uri, name))
    return renamed
