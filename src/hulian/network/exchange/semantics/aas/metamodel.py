"""The metamodel of IDTA 01001-3.0 and 3.1 as tables: the fields of each class, in the order in which XML has them.

Both versions have the same classes and fields; 3.1 makes some fields optional and adds an asset kind. One table therefore
drives the reading of XML and JSON into one form (the JSON one, with texts for all values) and the writing of it.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple

__all__ = [
    "CHILDREN",
    "CLASSES",
    "ELEMENTS",
    "MAY_BE_EMPTY",
    "NAMESPACES",
    "OPERATION_VARIABLES",
    "VERSIONS",
    "Field",
    "Form",
    "tag_of",
]

NAMESPACES: Final = {"3.0": "https://admin-shell.io/aas/3/0", "3.1": "https://admin-shell.io/aas/3/1"}
VERSIONS: Final = {uri: version for version, uri in NAMESPACES.items()}


class Form(IntEnum):
    """How a field is written."""

    TEXT = 0
    FLAG = 1
    OBJECT = 2
    LIST = 3
    """Of objects of one class, each in an element of one name."""
    ELEMENTS = 4
    """Of submodel elements: the class is in the name of the element, and in ``modelType``."""
    ELEMENT = 5
    """One submodel element, wrapped."""
    CONTENT = 6
    """Content of a data specification: the class is in the name as well."""


class Field(NamedTuple):
    """One field of a class."""

    name: str
    form: Form
    of: str = ""
    """Class of the objects."""
    tag: str = ""
    """Name of the XML element of one of a list."""


def _text(*names: str) -> tuple[Field, ...]:
    return tuple(Field(name, Form.TEXT) for name in names)


def _reference(name: str) -> Field:
    return Field(name, Form.OBJECT, "Reference")


def _references(name: str) -> Field:
    return Field(name, Form.LIST, "Reference", "reference")


def _languages(name: str, kind: str) -> Field:
    return Field(name, Form.LIST, "LangString", kind)


def _elements(name: str) -> Field:
    return Field(name, Form.ELEMENTS)


def _variables(name: str) -> Field:
    return Field(name, Form.LIST, "OperationVariable", "operationVariable")


_SPECIFICATIONS = Field("embeddedDataSpecifications", Form.LIST, "EmbeddedDataSpecification", "embeddedDataSpecification")
_ASSET_IDS = Field("specificAssetIds", Form.LIST, "SpecificAssetId", "specificAssetId")
_ADMINISTRATION = Field("administration", Form.OBJECT, "AdministrativeInformation")
_QUALIFIERS = Field("qualifiers", Form.LIST, "Qualifier", "qualifier")
_MEANING = (_reference("semanticId"), _references("supplementalSemanticIds"))
_REFERABLE = (
    Field("extensions", Form.LIST, "Extension", "extension"),
    *_text("category", "idShort"),
    _languages("displayName", "langStringNameType"),
    _languages("description", "langStringTextType"),
)
_IDENTIFIABLE = (*_REFERABLE, _ADMINISTRATION, *_text("id"))
_ELEMENT = (*_REFERABLE, *_MEANING, _QUALIFIERS, _SPECIFICATIONS)
_RELATION = (*_ELEMENT, _reference("first"), _reference("second"))

ELEMENTS: Final[dict[str, tuple[Field, ...]]] = {
    "RelationshipElement": _RELATION,
    "AnnotatedRelationshipElement": (*_RELATION, _elements("annotations")),
    "BasicEventElement": (
        *_ELEMENT,
        _reference("observed"),
        *_text("direction", "state", "messageTopic"),
        _reference("messageBroker"),
        *_text("lastUpdate", "minInterval", "maxInterval"),
    ),
    "Blob": (*_ELEMENT, *_text("value", "contentType")),
    "Capability": _ELEMENT,
    "Entity": (*_ELEMENT, _elements("statements"), *_text("entityType", "globalAssetId"), _ASSET_IDS),
    "File": (*_ELEMENT, *_text("value", "contentType")),
    "MultiLanguageProperty": (*_ELEMENT, _languages("value", "langStringTextType"), _reference("valueId")),
    "Operation": (*_ELEMENT, _variables("inputVariables"), _variables("outputVariables"), _variables("inoutputVariables")),
    "Property": (*_ELEMENT, *_text("valueType", "value"), _reference("valueId")),
    "Range": (*_ELEMENT, *_text("valueType", "min", "max")),
    "ReferenceElement": (*_ELEMENT, _reference("value")),
    "SubmodelElementCollection": (*_ELEMENT, _elements("value")),
    "SubmodelElementList": (
        *_ELEMENT,
        Field("orderRelevant", Form.FLAG),
        _reference("semanticIdListElement"),
        *_text("typeValueListElement", "valueTypeListElement"),
        _elements("value"),
    ),
}
"""The classes of submodel elements."""

CLASSES: Final[dict[str, tuple[Field, ...]]] = {
    **ELEMENTS,
    "AssetAdministrationShell": (
        *_IDENTIFIABLE,
        _SPECIFICATIONS,
        _reference("derivedFrom"),
        Field("assetInformation", Form.OBJECT, "AssetInformation"),
        _references("submodels"),
    ),
    "Submodel": (
        *_IDENTIFIABLE,
        *_text("kind"),
        *_MEANING,
        _QUALIFIERS,
        _SPECIFICATIONS,
        _elements("submodelElements"),
    ),
    "ConceptDescription": (*_IDENTIFIABLE, _SPECIFICATIONS, _references("isCaseOf")),
    "AssetInformation": (
        *_text("assetKind", "globalAssetId"),
        _ASSET_IDS,
        *_text("assetType"),
        Field("defaultThumbnail", Form.OBJECT, "Resource"),
    ),
    "Resource": _text("path", "contentType"),
    "SpecificAssetId": (*_MEANING, *_text("name", "value"), _reference("externalSubjectId")),
    "AdministrativeInformation": (
        _SPECIFICATIONS,
        *_text("version", "revision"),
        _reference("creator"),
        *_text("templateId"),
    ),
    "Extension": (*_MEANING, *_text("name", "valueType", "value"), _references("refersTo")),
    "Qualifier": (*_MEANING, *_text("kind", "type", "valueType", "value"), _reference("valueId")),
    "OperationVariable": (Field("value", Form.ELEMENT),),
    "Reference": (
        *_text("type"),
        _reference("referredSemanticId"),
        Field("keys", Form.LIST, "Key", "key"),
    ),
    "Key": _text("type", "value"),
    "LangString": _text("language", "text"),
    "EmbeddedDataSpecification": (_reference("dataSpecification"), Field("dataSpecificationContent", Form.CONTENT)),
    "DataSpecificationIec61360": (
        _languages("preferredName", "langStringPreferredNameTypeIec61360"),
        _languages("shortName", "langStringShortNameTypeIec61360"),
        *_text("unit"),
        _reference("unitId"),
        *_text("sourceOfDefinition", "symbol", "dataType"),
        _languages("definition", "langStringDefinitionTypeIec61360"),
        *_text("valueFormat"),
        Field("valueList", Form.OBJECT, "ValueList"),
        *_text("value"),
        Field("levelType", Form.OBJECT, "LevelType"),
    ),
    "ValueList": (Field("valueReferencePairs", Form.LIST, "ValueReferencePair", "valueReferencePair"),),
    "ValueReferencePair": (*_text("value"), _reference("valueId")),
    "LevelType": tuple(Field(name, Form.FLAG) for name in ("min", "nom", "typ", "max")),
}

CHILDREN: Final = {
    "Submodel": "submodelElements",
    "SubmodelElementCollection": "value",
    "SubmodelElementList": "value",
    "Entity": "statements",
    "AnnotatedRelationshipElement": "annotations",
}
"""The field that holds the elements below an element, by class."""

OPERATION_VARIABLES: Final = ("inputVariables", "outputVariables", "inoutputVariables")

MAY_BE_EMPTY: Final = frozenset({"value", "min", "max"})
"""Texts of which an empty one says something; any other that is empty is not there."""


def tag_of(name: str) -> str:
    """Name of the XML element of a class."""
    return name[0].lower() + name[1:]
