"""AAS JSON: its elements are decoded one by one, so that a large document is held as bytes only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from hulian.kernel.unreadable import UNREADABLE
from hulian.network.exchange.semantics.aas.bends import Bends
from hulian.network.exchange.semantics.aas.metamodel import CHILDREN, CLASSES, ELEMENTS, MAY_BE_EMPTY, Field, Form
from hulian.network.exchange.semantics.aas.nodes import Builder
from hulian.network.exchange.semantics.aas.texts import unit_of
from hulian.network.exchange.semantics.aas.whole import mended
from hulian.network.exchange.semantics.contract import Batch, Source
from hulian.network.exchange.semantics.documents import read_json
from hulian.network.exchange.semantics.errors import DocumentError, HostileDocumentError

__all__ = ["Environment", "JsonForm", "open_json", "read_json_environment", "units_of_json", "version_of"]

_WHOLE: Final = 256 << 10
"""Bytes of an element that is decoded at once; a larger one is decoded member by member."""
_DEEPEST: Final = 200
_FIELDS: Final = {kind: {field.name: field for field in fields} for kind, fields in CLASSES.items()}
_FLAGS: Final = {True: True, False: False, "true": True, "false": False, "1": True, "0": False}


class Environment(msgspec.Struct):
    """The lists of a document, not decoded yet."""

    assetAdministrationShells: list[msgspec.Raw] | None = None  # noqa: N815
    submodels: list[msgspec.Raw] | None = None
    conceptDescriptions: list[msgspec.Raw] | None = None  # noqa: N815
    assets: Any = None
    """Of version 2."""
    modelType: Any = None  # noqa: N815
    """Where the document is one thing, and no environment."""


_LISTS: Final = {
    "AssetAdministrationShell": "assetAdministrationShells",
    "Submodel": "submodels",
    "ConceptDescription": "conceptDescriptions",
}


def open_json(source: Source, bends: Bends) -> Environment:
    """The lists. Raises `DocumentError` for what is no environment, and for one of version 2."""
    environment: Environment = read_json(source, Environment)
    if environment.assets is not None:
        raise DocumentError(
            "it is of an older version of the metamodel: it has a list of assets",
            place=f"{source.name}, $.assets",
            hint="open it in AASX Package Explorer (a release of 2023 or later) and save it as version 3",
        )
    if environment.modelType in tuple(_LISTS):
        setattr(environment, _LISTS[environment.modelType], [read_json(source, msgspec.Raw)])
        bends.took("no-environment", source.name, f"a single {environment.modelType}")
    elif all(getattr(environment, name) is None for name in _LISTS.values()):
        members = read_json(source, dict[str, msgspec.Raw])
        if members and not members.keys() & set(_LISTS.values()):
            raise DocumentError(
                "it has none of the lists of an environment",
                place=source.name,
                hint="an environment has assetAdministrationShells, submodels or conceptDescriptions",
            )
    for name in _LISTS.values():
        for raw in (getattr(environment, name) or ())[:1]:
            place = f"{source.name}, $.{name}[0]"
            try:
                members = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
            except UNREADABLE as error:
                raise DocumentError(f"it is no object: {error}", place=place) from error
            if "identification" in members and "id" not in members:
                raise DocumentError(
                    "it is of an older version of the metamodel: its things have an identification instead of an id",
                    place=place,
                    hint="open it in AASX Package Explorer (a release of 2023 or later) and save it as version 3",
                )
    return environment


def version_of(source: Source) -> str:
    """3.1 where something stands in the document that only 3.1 has, else 3.0: JSON does not tell."""
    with source.open() as opened:
        before = b""
        while piece := opened.read(1 << 20):
            text = before + piece
            if b"admin-shell.io/aas/3/1" in text or b'"Role"' in text:
                return "3.1"
            before = piece[-64:]
    return "3.0"


def _decoded(raw: Any, place: str) -> Any:
    try:
        return msgspec.json.decode(raw)
    except RecursionError as error:
        raise HostileDocumentError("it is nested too deep", place=place) from error
    except UNREADABLE as error:
        raise DocumentError(f"it is no JSON: {error}", place=place) from error


class JsonForm:
    """Turns JSON objects into fields, with all that bends the metamodel mended."""

    def __init__(self, bends: Bends) -> None:
        self._bends = bends

    def whole(self, given: Any, kind: str, place: str) -> dict[str, Any] | None:
        """The fields of an element with all that is below it; None where it is none."""
        fields = self._element(given, place, kind, 0)
        return mended(fields, fields["modelType"], self._bends, place) if fields is not None else None

    def _element(self, given: Any, place: str, kind: str, depth: int) -> dict[str, Any] | None:
        if depth > _DEEPEST:
            raise HostileDocumentError("it is nested too deep", place=place)
        if not isinstance(given, dict):
            self._bends.took("unknown", place, "it is no object")
            return None
        kind = kind or self.class_of(given, place)
        if not kind:
            return None
        fields = {"modelType": kind}
        fields.update(self._fields(given, kind, place, depth + 1))
        return fields

    def class_of(self, given: dict[str, Any], place: str) -> str:
        """Class of a submodel element, by modelType or else by its fields; empty where nothing tells."""
        named = given.get("modelType")
        if isinstance(named, dict):
            self._bends.took("model-type-object", place)
            named = named.get("name")
        if isinstance(named, str) and named in ELEMENTS:
            return named
        if named is not None:
            self._bends.took("unknown", place, f"no class {named!r}")
            return ""
        found = _guessed(given)
        self._bends.took("no-model-type", place, f"read as {found}")
        return found

    def _fields(self, given: dict[str, Any], kind: str, place: str, depth: int) -> dict[str, Any]:
        table = _FIELDS[kind]
        found: dict[str, Any] = {}
        for name, value in given.items():
            field = table.get(name)
            if field is None:
                if name != "modelType":
                    self._bends.took("unknown", f"{place}.{name}", f"no field {name}")
                continue
            if value is None:
                continue
            form = field.form
            if form is Form.TEXT and type(value) is str:
                if value or name in MAY_BE_EMPTY:
                    found[name] = value
                else:
                    self._bends.took("empty-text", f"{place}.{name}")
                continue
            read = self._value(value, field, f"{place}.{name}", depth)
            if read is not None:
                found[name] = read
        return found

    def _value(self, value: Any, field: Field, place: str, depth: int) -> Any:
        if depth > _DEEPEST:
            raise HostileDocumentError("it is nested too deep", place=place)
        form = field.form
        if form is Form.TEXT:
            if isinstance(value, int | float | bool):
                self._bends.took("number-for-text", place)
                return msgspec.json.encode(value).decode()
        elif form is Form.FLAG:
            if isinstance(value, str | int) and value in _FLAGS:
                if type(value) is not bool:
                    self._bends.took("text-for-flag", place)
                return _FLAGS[value]
        elif form is Form.OBJECT:
            if isinstance(value, dict):
                return self._fields(value, field.of, place, depth + 1) or None
        elif form is Form.LIST:
            return self._list(value, field, place, depth)
        elif form is Form.CONTENT:
            if isinstance(value, dict):
                of = "DataSpecificationIec61360"
                return {"modelType": of, **self._fields(value, of, place, depth + 1)}
        elif form is Form.ELEMENT:
            return self._element(value, place, "", depth)
        elif isinstance(value, list):
            ones = (self._element(one, f"{place}[{index}]", "", depth) for index, one in enumerate(value))
            return [one for one in ones if one is not None] or self._bends.none("empty-list", place)
        self._bends.took("unknown", place, f"it is of another type than {form.name.lower()}")
        return None

    def _list(self, value: Any, field: Field, place: str, depth: int) -> list[dict[str, Any]] | None:
        if field.of == "LangString" and isinstance(value, dict):
            self._bends.took("language-map", place)
            value = [{"language": language, "text": text} for language, text in value.items()]
        if not isinstance(value, list):
            self._bends.took("unknown", place, "it is no list")
            return None
        ones = []
        for index, one in enumerate(value):
            if isinstance(one, dict):
                fields = self._fields(one, field.of, f"{place}[{index}]", depth + 1)
                if fields:
                    ones.append(fields)
            else:
                self._bends.took("unknown", f"{place}[{index}]", "it is no object")
        return ones or self._bends.none("empty-list", place)


def _guessed(given: dict[str, Any]) -> str:
    """The class that has these fields."""
    value = given.get("value")
    if "min" in given or "max" in given:
        return "Range"
    if "first" in given or "second" in given:
        return "AnnotatedRelationshipElement" if "annotations" in given else "RelationshipElement"
    if "typeValueListElement" in given:
        return "SubmodelElementList"
    if "statements" in given or "entityType" in given:
        return "Entity"
    if "observed" in given:
        return "BasicEventElement"
    if any(name in given for name in ("inputVariables", "outputVariables", "inoutputVariables")):
        return "Operation"
    if "contentType" in given:
        return "File"
    if isinstance(value, list):
        texts = all(isinstance(one, dict) and "language" in one for one in value)
        return "MultiLanguageProperty" if texts and value else "SubmodelElementCollection"
    if isinstance(value, dict):
        return "ReferenceElement"
    return "Property" if "valueType" in given or value is not None else "Capability"


def units_of_json(environment: Environment, place: str) -> dict[str, str]:
    """Units of the concept descriptions, by their ids."""
    form = JsonForm(Bends([]))
    found = {}
    for raw in environment.conceptDescriptions or ():
        fields = form.whole(_decoded(raw, place), "ConceptDescription", place)
        if fields is not None:
            found[fields.get("id", "")] = unit_of(fields)
    return found


def read_json_environment(source: Source, environment: Environment, builder: Builder, bends: Bends) -> Iterator[Batch]:
    """Fills the builder, and yields what is complete."""
    form = JsonForm(bends)

    def of(raws: Sequence[Any] | None, kind: str, name: str) -> Iterator[dict[str, Any]]:
        for index, raw in enumerate(raws or ()):
            place = f"{source.name}, $.{name}[{index}]"
            fields = form.whole(_decoded(raw, place), kind, place)
            if fields is not None:
                yield fields

    for fields in of(environment.assetAdministrationShells, "AssetAdministrationShell", "assetAdministrationShells"):
        builder.shell(fields)
        yield from builder.take()
    for index, raw in enumerate(environment.submodels or ()):
        yield from _streamed(raw, "Submodel", f"{source.name}, $.submodels[{index}]", form, builder, bends, 0)
    for fields in of(environment.conceptDescriptions, "ConceptDescription", "conceptDescriptions"):
        builder.concept(fields)
        yield from builder.take()
    yield from builder.take(last=True)


def _streamed(raw: Any, kind: str, place: str, form: JsonForm, builder: Builder, bends: Bends, depth: int) -> Iterator[Batch]:
    """One submodel or element; member by member where it is large."""
    if depth > _DEEPEST:
        raise HostileDocumentError("it is nested too deep", place=place)
    if len(memoryview(raw)) > _WHOLE:
        yield from _large(raw, kind, place, form, builder, bends, depth)
        return
    fields = form.whole(_decoded(raw, place), kind, place)
    if fields is None:
        return
    if kind == "Submodel":
        builder.open_submodel(fields)
        builder.close({})
    else:
        builder.element(fields)
    yield from builder.take()


def _large(raw: Any, kind: str, place: str, form: JsonForm, builder: Builder, bends: Bends, depth: int) -> Iterator[Batch]:
    try:
        members = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    except UNREADABLE as error:
        raise DocumentError(f"it is no object: {error}", place=place) from error
    given: dict[str, Any] = {}
    parts: Sequence[Any] = ()
    named = _decoded(members["modelType"], place) if "modelType" in members else None
    kind = kind or (named if isinstance(named, str) else "")
    slot = CHILDREN.get(kind, "")
    for name, member in members.items():
        if name == slot:
            try:
                parts = msgspec.json.decode(member, type=list[msgspec.Raw])
                continue
            except UNREADABLE:
                pass
        given[name] = _decoded(member, f"{place}.{name}")
    fields = form.whole(given, kind, place)
    if fields is None:
        return
    if not parts:
        if kind == "Submodel":
            builder.open_submodel(fields)
            builder.close({})
        else:
            builder.element(fields)
        yield from builder.take()
        return
    if kind == "Submodel":
        builder.open_submodel(fields)
    else:
        builder.open_element(fields)
    for index, part in enumerate(parts):
        yield from _streamed(part, "", f"{place}.{slot}[{index}]", form, builder, bends, depth + 1)
    builder.close({})
