"""AAS XML, as a stream: no more of the document is held than one element and what is open above it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from hulian.network.exchange.semantics.aas.alike import Alike
from hulian.network.exchange.semantics.aas.bends import Bends
from hulian.network.exchange.semantics.aas.metamodel import (
    CHILDREN,
    CLASSES,
    ELEMENTS,
    MAY_BE_EMPTY,
    VERSIONS,
    Form,
    tag_of,
)
from hulian.network.exchange.semantics.aas.nodes import Builder
from hulian.network.exchange.semantics.aas.texts import unit_of
from hulian.network.exchange.semantics.aas.whole import mended
from hulian.network.exchange.semantics.contract import Batch, Source
from hulian.network.exchange.semantics.documents import xml_events
from hulian.network.exchange.semantics.errors import DocumentError

__all__ = ["XmlForm", "elements_of", "read_xml", "root_of", "units_of"]

_HEAD: Final = 64 << 10
_ROOT: Final = re.compile(r"<(?![?!])(?:([\w.-]+):)?([\w.-]+)([^>]*)>")
_OLD: Final = (
    "version 1 and 2 of the metamodel name things otherwise; open it in AASX Package Explorer (a release of 2023 or later) "
    "and save it as version 3"
)
_BY_CLASS: Final = {tag_of(name): name for name in ELEMENTS}
_STREAMED: Final = frozenset({"Submodel", "SubmodelElementCollection", "SubmodelElementList", "Entity"})


def root_of(head: bytes, place: str) -> tuple[str, str, str]:
    """Version, namespace as written, and the root's start tag, from the begin of a document.

    Raises `DocumentError` for versions before 3 and for what is no AAS environment.
    """
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = head.decode("utf-16", "replace")
    else:
        text = head.decode("utf-8", "replace")
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    found = _ROOT.search(text)
    if not found:
        raise DocumentError("it is no XML of an Asset Administration Shell: it has no root element", place=place)
    prefix, name, attributes = found.groups()
    attribute = f"xmlns:{prefix}" if prefix else "xmlns"
    declared = re.search(rf"""(?<![\w:]){re.escape(attribute)}\s*=\s*["']([^"']*)["']""", attributes)
    namespace = declared[1] if declared else ""
    version = VERSIONS.get(namespace) or VERSIONS.get(namespace.rstrip("/").replace("http://", "https://"))
    if name == "environment" and version:
        return version, namespace, found[0]
    if name == "aasenv" or re.search(r"admin-shell\.io/aas/[12]/", namespace):
        raise DocumentError(f"it is of an older version of the metamodel: {namespace or name}", place=place, hint=_OLD)
    if "admin-shell.io/aas/3/" in namespace:
        raise DocumentError(
            f"it is of a version that is not known here: {namespace}",
            place=place,
            hint="3.0 and 3.1 are known; release candidates are opened and saved anew by AASX Package Explorer",
        )
    raise DocumentError(
        f"its root is {{{namespace}}}{name}, not environment of https://admin-shell.io/aas/3/0 or 3/1",
        place=place,
        hint="name the format with --format if it is of another",
    )


class XmlForm:
    """Turns XML elements into fields, for one namespace."""

    def __init__(self, namespace: str, bends: Bends, name: str) -> None:
        self._bends, self._name = bends, name
        self._prefix = f"{{{namespace}}}"
        self._tables = {
            kind: {f"{self._prefix}{field.name}": (field.name, field.form, field.of, field.tag) for field in fields}
            for kind, fields in CLASSES.items()
        }
        self._classes = {f"{self._prefix}{tag}": kind for tag, kind in _BY_CLASS.items()}

    def class_of(self, tag: str) -> str:
        """Class of a submodel element; empty for any other tag."""
        return self._classes.get(tag, "")

    def place(self, element: Any) -> str:
        """Line and path."""
        path = [element]
        while (above := path[-1].getparent()) is not None:
            path.append(above)
        steps = "/".join(one.tag.rpartition("}")[2] for one in reversed(path))
        return f"{self._name}, line {element.sourceline}, /{steps}"

    def whole(self, element: Any, kind: str) -> dict[str, Any]:
        """All fields of an element with what is below it."""
        fields = self.fields(element, kind, element)
        fields["modelType"] = kind
        return mended(fields, kind, self._bends, self._name)

    def fields(self, element: Any, kind: str, children: Any) -> dict[str, Any]:
        """The fields in ``children``, which are child elements of ``element``."""
        table = self._tables[kind]
        found: dict[str, Any] = {}
        for child in children:
            known = table.get(child.tag)
            if known is None:
                self.unknown(child)
                continue
            name, form, of, tag = known
            if form is Form.TEXT:
                text = child.text or ""
                if len(child):
                    self.unknown(child[0])
                if not text.strip() and name not in MAY_BE_EMPTY:
                    self._bends.took("empty-text", self.place(child))
                    continue
                found[name] = text
                continue
            value = self._value(child, form, of, tag)
            if value is not None:
                found[name] = value
        return found

    def _value(self, child: Any, form: Form, of: str, tag: str) -> Any:
        if form is Form.OBJECT:
            fields = self.fields(child, of, child)
            return fields or self._bends.none("empty-list", self.place(child))
        if form is Form.LIST:
            full = f"{self._prefix}{tag}"
            ones = []
            for one in child:
                if one.tag != full:
                    self.unknown(one)
                    continue
                fields = self.fields(one, of, one)
                if fields:
                    ones.append(fields)
            return ones or self._bends.none("empty-list", self.place(child))
        if form is Form.FLAG:
            text = (child.text or "").strip()
            if text not in ("true", "false"):
                self._bends.took("text-for-flag", self.place(child))
            return text in ("true", "1")
        if form is Form.CONTENT:
            for one in child:
                if one.tag == f"{self._prefix}dataSpecificationIec61360":
                    return {"modelType": "DataSpecificationIec61360", **self.fields(one, "DataSpecificationIec61360", one)}
                self.unknown(one)
            return None
        ones = []
        for one in child:
            kind = self._classes.get(one.tag)
            if kind is None:
                self.unknown(one)
                continue
            ones.append({"modelType": kind, **self.fields(one, kind, one)})
        if form is Form.ELEMENT:
            return ones[0] if ones else None
        return ones or self._bends.none("empty-list", self.place(child))

    def unknown(self, element: Any) -> None:
        """Tells of an element that has no place where it stands."""
        self._bends.took("unknown", self.place(element), f"no field {element.tag.rpartition('}')[2]}")

    def tags(self) -> tuple[str, ...]:
        """Of all that is read as a stream."""
        more = (f"{self._prefix}{name}" for name in ("submodel", "assetAdministrationShell", "conceptDescription"))
        return (*self._classes, *more)

    def identifiable(self, tag: str) -> str:
        """Class of a shell, a submodel or a concept description; empty for any other tag."""
        name = tag.removeprefix(self._prefix)
        return {"submodel": "Submodel", "assetAdministrationShell": "AssetAdministrationShell"}.get(
            name, "ConceptDescription" if name == "conceptDescription" else ""
        )


class _Open:
    """An XML element whose children are read one by one."""

    __slots__ = ("element", "kind", "opened")

    def __init__(self, element: Any, kind: str) -> None:
        self.element, self.kind, self.opened = element, kind, False


def read_xml(source: Source, builder: Builder, bends: Bends, namespace: str) -> Iterator[Batch]:
    """Fills the builder, and yields what is complete."""
    form = XmlForm(namespace, bends, source.name)
    alike = Alike(namespace, builder, bends)
    stack: list[_Open] = []
    whole: Any = None
    kind = ""
    for event, element in xml_events(source, tags=form.tags(), starts=True):
        if whole is not None:
            if event == "end" and element is whole:
                if kind and (kind != "Property" or not stack):
                    _finished(form, builder, element, kind)
                elif kind and not alike.take(element):
                    _finished(form, builder, element, kind)
                    alike.learn()
                whole = None
                _forget(element)
                yield from builder.take()
            continue
        if event == "start":
            kind = form.class_of(element.tag) or form.identifiable(element.tag)
            if not stack and not form.identifiable(element.tag):
                # An element in no submodel: there is nothing that it could belong to.
                form.unknown(element)
                whole, kind = element, ""
                continue
            if stack and not stack[-1].opened:
                _open_above(form, builder, stack[-1], element)
            if kind in _STREAMED:
                stack.append(_Open(element, kind))
            else:
                whole = element
            continue
        place = stack.pop()
        if place.opened:
            builder.close(_late(form, place))
        else:
            _finished(form, builder, element, place.kind)
        _forget(element)
        yield from builder.take()
    yield from builder.take(last=True)


def _open_above(form: XmlForm, builder: Builder, above: _Open, element: Any) -> None:
    container = element.getparent()
    head = []
    for child in above.element:
        if child is container:
            break
        head.append(child)
    fields = {"modelType": above.kind, **form.fields(above.element, above.kind, head)}
    fields = mended(fields, above.kind, form._bends, form._name)  # noqa: SLF001
    above.opened = True
    if above.kind == "Submodel":
        builder.open_submodel(fields)
    else:
        builder.open_element(fields)


def _late(form: XmlForm, place: _Open) -> dict[str, Any]:
    late = []
    behind = False
    slot = CHILDREN[place.kind]
    for child in place.element:
        if behind:
            late.append(child)
        elif child.tag.rpartition("}")[2] == slot:
            behind = True
    return form.fields(place.element, place.kind, late) if late else {}


def _finished(form: XmlForm, builder: Builder, element: Any, kind: str) -> None:
    fields = form.whole(element, kind)
    if kind == "AssetAdministrationShell":
        builder.shell(fields)
    elif kind == "ConceptDescription":
        builder.concept(fields)
    elif kind == "Submodel":
        builder.open_submodel(fields)
        builder.close({})
    else:
        builder.element(fields)


def _forget(element: Any) -> None:
    """Frees all before an element that was read; itself goes with the next one, when the parser no longer stands in it."""
    above = element.getparent()
    if above is not None:
        while element.getprevious() is not None:
            del above[0]


def units_of(source: Source, namespace: str, root: str, bends: Bends) -> dict[str, str]:
    """Units of the concept descriptions, by their ids: they stand at the end of a document, and are wanted at its begin."""
    tail = _tail(source, root)
    if tail is None:
        return {}
    form = XmlForm(namespace, Bends([]), source.name)
    found = {}
    try:
        for _, element in xml_events(tail, tags=(f"{{{namespace}}}conceptDescription",)):
            fields = form.fields(element, "ConceptDescription", element)
            found[fields.get("id", "")] = unit_of(fields)
            _forget(element)
    except DocumentError:
        # What is wrong is told, with its line, when the document is read.
        return {}
    return found


_CONCEPTS: Final = re.compile(rb"<(?:[\w.-]+:)?conceptDescriptions\s*>")


def _tail(source: Source, root: str) -> Source | None:
    """The document from its concept descriptions on, under a root of its own; None where it has none."""
    at, before = 0, b""
    with source.open() as opened:
        while piece := opened.read(1 << 20):
            joined = before + piece
            # To look for a word first is ten times as fast as to look for a tag.
            found = _CONCEPTS.search(joined) if b"conceptDescriptions" in joined else None
            if found:
                at += found.start() - len(before)
                break
            at += len(piece)
            before = piece[-64:]
        else:
            return None
    start = at

    def behind() -> Any:
        stream = source.open()
        left = start
        while left:
            left -= len(stream.read(min(left, 1 << 20)))
        return _Joined(root.encode(), stream)

    return Source(name=source.name, size=max(source.size - at, 0) + len(root), open=behind)


class _Joined:
    """A root's start tag and then a stream."""

    def __init__(self, first: bytes, rest: Any) -> None:
        self._first, self._rest = first, rest

    def read(self, size: int = -1) -> bytes:
        if self._first:
            piece, self._first = self._first, b""
            return piece
        return self._rest.read(size)  # type: ignore[no-any-return]

    def close(self) -> None:
        self._rest.close()

    def __enter__(self) -> _Joined:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def elements_of(kind: str) -> bool:
    """Whether elements stand below one of this class."""
    return kind in CHILDREN
