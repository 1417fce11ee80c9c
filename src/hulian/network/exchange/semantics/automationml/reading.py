"""CAEX files read as a stream: what has been taken of an element leaves the tree before the next container in it begins.

Only containers (`names.CONTAINERS`) make events. When one begins, all that stands before it in its parent is complete: it is
taken (header, attributes, interfaces, roles, links), and the parent's node is made of its header. So parents come before what
stands under them, and a tree of one element's own content is the most that is ever held.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from hulian.network.exchange.semantics.automationml.arrangement import HOLDERS
from hulian.network.exchange.semantics.automationml.headers import LOCAL, kept_xml, local_name
from hulian.network.exchange.semantics.automationml.identities import Identities, PendingLink
from hulian.network.exchange.semantics.automationml.measured import Measured
from hulian.network.exchange.semantics.automationml.names import CONTAINERS, EXTRA, HEADER, KINDS, LIBRARIES
from hulian.network.exchange.semantics.automationml.objects import ORDER, ObjectReader
from hulian.network.exchange.semantics.automationml.values import PARTS
from hulian.network.exchange.semantics.contract import BATCH, Batch, Kind, Node, Reference, Relation, Source
from hulian.network.exchange.semantics.documents import xml_events
from hulian.network.exchange.semantics.errors import DocumentError

__all__ = ["FileReader"]

_TAGS: Final = tuple(f"{{*}}{tag}" for tag in CONTAINERS)
_OWN: Final = {"AttributeType": PARTS}
"""Elements besides the header that a container's own node is made of."""
_TAKERS: Final = {
    **HOLDERS,
    "SupportedRoleClass": ("InternalElement", "SystemUnitClass"),
    "InternalLink": ("InternalElement", "SystemUnitClass"),
}
"""Where what is read whole may stand."""
_ROOT: Final = ("SuperiorStandardVersion", "SourceDocumentInformation", "ExternalReference")


class _Frame:
    """A container that is open."""

    __slots__ = ("element", "id", "identity", "last", "made", "name", "names", "parent", "rank", "role", "tag")

    def __init__(self, element: Any, tag: str, identity: str, name: str, parent: str) -> None:
        self.element, self.tag, self.id, self.name, self.parent = element, tag, identity, name, parent
        self.identity = ""
        self.made = False
        self.last: Any = None
        self.names: dict[str, int] = {}
        self.rank = 0
        self.role: Reference | None = None


class FileReader(ObjectReader):
    """One CAEX file to nodes, references and pending links.

    ``top`` is the id under which its hierarchies and libraries stand: empty for the document's own file.
    """

    def __init__(self, source: Source, prefix: str, top: str, identities: Identities) -> None:
        super().__init__(source.name, prefix, identities)
        self._source, self._top = source, top
        self._measured = Measured(source)
        self._events = xml_events(self._measured.source, tags=_TAGS, starts=True)
        self._stack: list[_Frame] = []
        self._references: list[Reference] = []
        self.file: dict[str, Any] = {}
        """What the file says of itself."""
        self.libraries: list[str] = []
        self.version = ""
        self._first: tuple[str, Any] | None = None

    # ------------------------------------------------------------ the file

    def begin(self) -> None:
        """Reads what stands before the first hierarchy or library. Raises `DocumentError` where it is no CAEX file."""
        kind, root = next(self._events, ("", None))
        if root is None or kind != "start" or root.getparent() is not None or local_name(root) != "CAEXFile":
            raise DocumentError(
                "it is no CAEX document: its root element is not CAEXFile",
                place=self._source.name,
                hint="name an .aml or .amlx file",
            )
        self.version = self._version_of(root)
        for key, text in root.attrib.items():
            if key == "FileName":
                self.file["name"] = text
            elif key == "SchemaVersion":
                self.file["schema"] = text
            elif key == "ChangeMode":
                self.file["change"] = text
            else:
                self.file.setdefault("attributes", {})[key] = text
        self._stack.append(_Frame(root, "CAEXFile", self._top, "", ""))
        self._stack[0].made = True
        inside = 0
        while (event := next(self._events, None)) is not None:
            if not inside and (event[0] == "end" or event[1].getparent() is root):
                self._first = event
                self._settle(self._stack[0], None if event[0] == "end" else event[1])
                break
            inside += 1 if event[0] == "start" else -1

    def _version_of(self, root: Any) -> str:
        """2.15 or 3.0: what is written counts; where it is neither, the namespace decides."""
        said = root.get("SchemaVersion", "")
        spaced = root.tag.startswith("{")
        version = said if said in ("2.15", "3.0") else "3.0" if spaced else "2.15"
        if said != version:
            self._known.find("a schema version of no published schema", self._place(root), f"{said!r} is read as {version}")
        if spaced != (version == "3.0"):
            self._known.find("a namespace of the other schema version", self._place(root), f"it is CAEX {version}")
        return version

    def batches(self) -> Iterator[Batch]:
        """Everything that follows, in document order."""
        stack, nodes, references = self._stack, self._nodes, self._references
        events, taken = self._events, self._measured.event
        event = self._first
        inside = 0
        while event is not None:
            kind, element = event
            taken()
            if inside or (kind == "start" and element.getparent() is not stack[-1].element):
                # what is inside opaque content (AdditionalInformation may hold CAEX) is no object of this document
                inside += 1 if kind == "start" else -1
            elif kind == "start":
                parent = stack[-1]
                if not self._passes(parent, element):
                    self._settle(parent, element)
                stack.append(self._open(parent, element, LOCAL[element.tag]))
            else:
                frame = stack.pop()
                self._settle(frame, None)
                if stack:
                    stack[-1].last = element
                del frame
            if len(nodes) >= BATCH or len(references) >= BATCH:
                yield from self.taken()
            event = next(events, None)
        yield from self.taken()

    def taken(self) -> Iterator[Batch]:
        """The batches of what has been read since the last."""
        for start in range(0, max(len(self._nodes), len(self._references)), BATCH):
            yield Batch(self._nodes[start : start + BATCH], self._references[start : start + BATCH])
        self._nodes.clear()
        self._references.clear()

    # ------------------------------------------------------------ containers

    def _open(self, parent: _Frame, element: Any, tag: str) -> _Frame:
        name = element.get("Name")
        if name is None:
            name = ""
            self._known.find("an object without a name", self._place(element), f"{tag} must have the attribute Name")
        if ORDER[tag] < parent.rank:
            self._misplaced(element, tag)
        parent.rank = max(parent.rank, ORDER[tag])
        if tag in LIBRARIES:
            base = f"{self._prefix}{LIBRARIES[tag]}{self._escape(name)}"
            if parent.tag != "CAEXFile":
                base = f"{parent.id}/{LIBRARIES[tag]}{self._escape(name)}"
                self._known.find(f"{tag} inside {parent.tag}", self._place(element), "it stands at the top of a file")
            self.libraries.append(name)
            identity = self._unique(parent.names, base, element)
            self._known.defined(identity)
        elif tag == "InternalElement":
            identity, _ = self._identity(element, parent.id, parent.names, name)
        else:
            identity = self._unique(parent.names, f"{parent.id}/{self._escape(name)}", element)
            self._known.defined(identity)
        frame = _Frame(element, tag, identity, name, parent.id)
        frame.identity = element.get("ID") or ""
        return frame

    def _settle(self, frame: _Frame, until: Any) -> None:
        """Takes what stands in an open container before ``until``, or all of it; it leaves the tree with that."""
        header: list[Any] = []
        own: list[Any] = []
        rest: list[tuple[str, Any]] = []
        count = self._sort(frame, until, header, own, rest)
        if not frame.made:
            self._make(frame, header, own)
        elif frame.tag == "CAEXFile":
            self._take_file(header)
        else:
            for child in header + own:
                self._known.find(local_name(child), self._place(child), "it stands behind what it describes", lost=True)
        for tag, child in rest:
            self._take(frame, tag, child)
        # Whatever Python still knows of these elements would be moved to a tree of its own instead of being freed.
        child = frame.last = None
        header.clear()
        own.clear()
        rest.clear()
        if count:
            del frame.element[:count]

    def _passes(self, frame: _Frame, until: Any) -> bool:
        """Whether nothing stands before ``until`` but the container before it, as in most; that leaves the tree."""
        last = frame.last
        if not frame.made or last is None or until.getprevious() is not last or last.getprevious() is not None:
            return False
        for text in (frame.element.text, last.tail):
            if text and not text.isspace():
                return False
        last = frame.last = None  # as in `_settle`
        del frame.element[0]
        return True

    def _sort(self, frame: _Frame, until: Any, header: list[Any], own: list[Any], rest: list[tuple[str, Any]]) -> int:
        """Sorts what stands before ``until`` in a container, and returns how much that is."""
        if (text := frame.element.text) and not text.isspace():
            self._stray(frame.element, text)
            frame.element.text = None
        parts = _OWN.get(frame.tag, ())
        count = 0
        for child in frame.element:
            if child is until:
                break
            count += 1
            if (tail := child.tail) and not tail.isspace():
                self._stray(child, tail)
            if child is frame.last:
                continue
            tag = LOCAL[child.tag]
            now = ORDER.get(tag, 99)
            if now < frame.rank:
                self._misplaced(child, tag)
            elif now < 99:
                frame.rank = now
            if not now:
                header.append(child)
            elif tag in parts:
                own.append(child)
            else:
                rest.append((tag, child))
        return count

    def _make(self, frame: _Frame, header: list[Any], own: list[Any]) -> None:
        """The node of a container, when its header is complete."""
        frame.made = True
        parent = frame.parent
        if frame.tag == "AttributeType":
            self._attribute(frame.element, [*header, *own], frame.id, parent, Kind.PROPERTY_TYPE, "@")
            return
        extra: dict[str, Any] = {}
        descriptions = self._header(header, extra) if header else {}
        kind = KINDS[frame.tag]
        if kind == Kind.FOLDER:
            extra["tag"] = frame.tag
        self._node(frame.element, frame.tag, frame.id, frame.name, parent, kind, descriptions, extra)

    # ------------------------------------------------------------ what stands in a container

    def _take(self, frame: _Frame, tag: str, child: Any) -> None:
        if frame.tag not in _TAKERS.get(tag, (frame.tag,)):
            self._known.find(tag, self._place(child), f"CAEX has no {tag} in {frame.tag}", lost=True)
        elif tag == "Attribute":
            self._nested_attribute(child, frame.id, "@", frame.names)
        elif tag == "ExternalInterface":
            self._interface(child, frame.id, frame.identity, frame.names)
        elif tag == "SupportedRoleClass" or tag == "RoleRequirements":
            self._role(frame, tag, child)
        elif tag == "InternalLink":
            self._link(frame, child)
        elif tag == "MappingObject" and frame.role is not None:
            frame.role.extra.setdefault(EXTRA, {})["element_mapping"] = kept_xml(child)
        elif tag in _ROOT and frame.tag == "CAEXFile":
            self._take_root(tag, child)
        elif tag == "MappingObject":
            self._known.find(
                "MappingObject", self._place(child), "the element requires no role that it could map to", lost=True
            )
        else:
            self._known.find(tag, self._place(child), f"CAEX has no {tag} in {frame.tag}", lost=True)

    def _take_file(self, header: list[Any]) -> None:
        descriptions = self._header(header, self.file)
        if descriptions:
            self.file["description"] = descriptions[""]

    def _take_root(self, tag: str, child: Any) -> None:
        if tag == "SuperiorStandardVersion":
            self.file.setdefault("standards", []).append(child.text or "")
        elif tag == "SourceDocumentInformation":
            self.file.setdefault("sources", []).append(dict(child.attrib))
        else:
            known = {"path": child.get("Path", ""), "alias": child.get("Alias", "")}
            if len(child) or len(child.attrib) != 2:
                known["xml"] = kept_xml(child)
            self.file.setdefault("references", []).append(known)

    def _role(self, frame: _Frame, tag: str, element: Any) -> None:
        path = element.get("RefRoleClassPath" if tag == "SupportedRoleClass" else "RefBaseRoleClassPath")
        extra: dict[str, Any] = {"tag": tag}
        target = self._type("RoleRequirements", path, frame.id, element, extra) if path is not None else ""
        if tag == "SupportedRoleClass" and not target:
            self._known.find(tag, self._place(element), "it names no role", lost=True)
            return
        content = []
        for child in element:
            kind = local_name(child)
            if kind == "MappingObject":
                extra["mapping"] = kept_xml(child)
            elif kind in ("Attribute", "ExternalInterface") and tag == "RoleRequirements":
                content.append((kind, child))
            elif kind in HEADER:
                extra.setdefault("header", []).append(kept_xml(child))
            else:
                self._known.find(kind, self._place(child), f"CAEX has no {kind} in {tag}", lost=True)
        for key, text in element.items():
            if key == "ChangeMode":
                extra["change"] = text
            elif not key.endswith("RoleClassPath"):
                self._unknown_attribute(element, key, text)
        if tag == "RoleRequirements" and (content or not target):
            extra["node"] = self._required(frame, target, content)
        # without a role it still is an element of the document: the node stands for it and the reference leads to that
        reference = Reference(frame.id, Relation.ROLE, target or str(extra["node"]), {EXTRA: extra})
        self._references.append(reference)
        if tag == "RoleRequirements":
            frame.role = reference

    def _required(self, frame: _Frame, target: str, content: list[tuple[str, Any]]) -> str:
        """A node for what a role's player must have."""
        identity = self._unique(frame.names, f"{frame.id}/RoleRequirements", None)
        self._nodes.append(
            Node(
                id=identity,
                kind=Kind.OBJECT,
                name="RoleRequirements",
                parent=frame.id,
                type=target,
                extra={EXTRA: {"tag": "RoleRequirements"}},
            )
        )
        below: dict[str, int] = {}
        for kind, child in content:
            if kind == "Attribute":
                self._nested_attribute(child, identity, "@", below)
            else:
                self._interface(child, identity, "", below)
        return identity

    def _link(self, frame: _Frame, element: Any) -> None:
        extra: dict[str, object] = {"name": element.get("Name", "")}
        for key, text in element.items():
            if key == "RefPartnerSideA":
                extra["a"] = text
            elif key == "RefPartnerSideB":
                extra["b"] = text
            elif key == "ID":
                extra["id"] = text
            elif key == "ChangeMode":
                extra["change"] = text
            elif key != "Name":
                self._unknown_attribute(element, key, text)
        if len(element):
            extra["header"] = [kept_xml(child) for child in element]
        first, second = str(extra.get("a", "")), str(extra.get("b", ""))
        place = f"{self._source.name}, line {element.sourceline}, {frame.name}/{extra['name']}"
        self._known.later(PendingLink(Relation.LINK, frame.id, self._prefix, first, second, extra, place))

    def _enclosing(self, tag: str, name: str, identity: str) -> str:
        for frame in reversed(self._stack):
            if frame.name == name and frame.tag == tag and frame.id != identity:
                return frame.id
        return ""
