"""IML to nodes, as a stream: a device is given as it is met, and only fields, adapters and connections are held whole."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any, Final

from hulian.network.exchange.semantics.contract import (
    BATCH,
    Batch,
    Constraints,
    Document,
    Kind,
    Loss,
    Node,
    Reference,
    Relation,
    Source,
)
from hulian.network.exchange.semantics.documents import xml_events
from hulian.network.exchange.semantics.errors import DocumentError, HostileDocumentError
from hulian.network.exchange.semantics.instrumentml.endpoints import endpoint_of
from hulian.network.exchange.semantics.instrumentml.grammar import DATATYPES, ELEMENTS, ROOTS, Element, local
from hulian.network.exchange.semantics.instrumentml.opaque import kept, plain_attributes

__all__ = ["constraints_of", "read"]

_LONGEST_ID: Final = 1000
_MOST_PAIRED: Final = 10_000
_MOST_TAGS: Final = 1_000
_FULL: Final = BATCH // 2
"""Nodes after which a batch is given: what one connection adds at once fits behind."""
_NOT_ESCAPED: Final = str.maketrans({"%": "%25", "/": "%2F", "~": "%7E"})
_MAIML: Final = (
    "this is MaiML, the measurement analysis instrument markup language (JIS K 0200); InstrumentML here is NASA's "
    "Instrument Markup Language, whose documents begin with Device or Instrument"
)


class _Frame:
    """An element that is open."""

    __slots__ = ("children", "element", "id", "messages", "names", "responses", "rule")

    def __init__(self, element: str, rule: Element, identity: str) -> None:
        self.element = element
        self.rule = rule
        self.children = frozenset(rule.children)
        self.id = identity
        self.names: dict[str, int] = {}
        self.messages: dict[str, list[str]] = {}
        self.responses: dict[str, list[str]] = {}

    def child(self, name: str) -> str:
        """The id of a child; a name that is there already gets a number behind."""
        count = self.names.get(name, 0) + 1
        self.names[name] = count
        plain = name.translate(_NOT_ESCAPED) if not name.isalnum() else name
        if count > 1:
            plain = f"{plain}~{count}"
        identity = f"{self.id}/{plain}"
        if len(identity) <= _LONGEST_ID:
            return identity
        return f"{self.id[:500]}/~{hashlib.blake2b(identity.encode(), digest_size=16).hexdigest()}"


def read(source: Source, name: str, losses: list[Loss]) -> tuple[Document, Iterable[Batch]]:
    """See `Format.read`."""
    events = xml_events(source, starts=True)
    try:
        _, root = next(events)
    except StopIteration:  # pragma: no cover - a document without an element is no XML
        raise DocumentError("it is empty", place=source.name) from None
    _check_root(root, source)
    namespace = root.tag[1:].partition("}")[0] if root.tag[0] == "{" else ""
    spelling = root.tag.rpartition("}")[2]
    document = Document(
        name=name,
        format="iml",
        version="IML (Device)" if spelling.startswith("Device") else "IML (Instrument)",
        title=root.get("displayName") or root.get("name") or name,
        extra={"iml": {"root": local(root.tag)} | ({"namespace": namespace} if namespace else {})},
    )
    return document, _Reader(source, name, losses).batches(root, events)


def _check_root(root: Any, source: Source) -> None:
    place = f"{source.name}, line {root.sourceline}"
    plain = root.tag.rpartition("}")[2]
    if plain.lower() == "maiml" or "maiml" in root.tag.partition("}")[0].lower():
        raise DocumentError("it is MaiML, not NASA's Instrument Markup Language", place=place, hint=_MAIML)
    if local(root.tag) not in ROOTS:
        raise DocumentError(
            f"a document of IML begins with Device, DeviceSet, Instrument or InstrumentSet, not with {plain!r}", place=place
        )


class _Reader:
    def __init__(self, source: Source, name: str, losses: list[Loss]) -> None:
        self._source, self._losses = source, losses
        self._stack: list[_Frame] = [_Frame("", Element(Kind.FOLDER, ROOTS), name)]
        self._batch = Batch(nodes=[], references=[])

    def batches(self, root: Any, events: Iterator[tuple[str, Any]]) -> Iterator[Batch]:
        """Yields the batches as they are full."""
        held: Any = None
        left_out: Any = None
        known: dict[str, tuple[str, Element | None]] = {}
        self._start(root)
        if ELEMENTS[local(root.tag)].held:
            held = root
        for kind, element in events:
            if kind == "start":
                if held is None and left_out is None:
                    held, left_out = self._begun(element, known)
                continue
            if held is not None and element is not held:
                continue
            if held is not None:
                held = None
                if len(self._stack) > 1:
                    self._hold(element)
            elif left_out is not None:
                left_out = None if element is left_out else left_out
            else:
                if element.text and not element.text.isspace():
                    self._text(element)
                self._close()
            self._forget(element)
            if len(self._batch.nodes) >= _FULL:
                yield self._batch
                self._batch = Batch(nodes=[], references=[])
        if self._batch.nodes or self._batch.references:
            yield self._batch

    def _begun(self, element: Any, known: dict[str, tuple[str, Element | None]]) -> tuple[Any, Any]:
        """An element has begun: whether it is to be held whole, or left out."""
        tag = element.tag
        if (found := known.get(tag)) is None:
            name = local(tag)
            found = name, ELEMENTS.get(name)
            if len(known) < _MOST_TAGS:
                known[tag] = found
        name, rule = found
        if rule is None or name not in self._stack[-1].children:
            self._leave(name, element)
            return None, element
        if rule.held:
            return element, None
        self._open(name, rule, element)
        return None, None

    def _start(self, root: Any) -> None:
        name = local(root.tag)
        rule = ELEMENTS[name]
        if rule.held:
            self._add(name, rule, plain_attributes(root), self._stack[-1], content=kept(root, self._source.name)[3])
        else:
            self._open(name, rule, root)

    @staticmethod
    def _forget(element: Any) -> None:
        """What was taken is dropped, with the siblings before it that lxml still keeps."""
        element.clear(keep_tail=False)
        parent = element.getparent()
        if parent is not None:
            while element.getprevious() is not None:
                del parent[0]

    def _place(self, element: Any, name: str) -> str:
        path = "/".join(frame.element for frame in self._stack[1:])
        return f"{self._source.name}, line {element.sourceline}, {path}/{name}"

    def _leave(self, name: str, element: Any) -> None:
        parent = self._stack[-1].element
        if not parent:
            raise DocumentError("there is more than one root", place=self._source.name)
        why = "the grammar has no such element" if name not in ELEMENTS else f"the grammar has it elsewhere, not in a {parent}"
        self._losses.append(Loss(self._place(element, name), f"element {name} with all that is in it", why))
        if len(self._losses) > 10_000:
            raise HostileDocumentError("more than 10000 elements are none of IML", place=self._source.name)

    def _text(self, element: Any) -> None:
        self._losses.append(Loss(self._place(element, ""), "text in an element", "IML has only attributes and elements here"))

    # -- nodes ---------------------------------------------------------------------------------------------------------

    def _open(self, name: str, rule: Element, element: Any) -> None:
        frame = self._stack[-1]
        identity = self._add(name, rule, plain_attributes(element), frame)
        if name in ("Message", "Response") and len(self._stack) > 2:
            whole = self._stack[-2]
            pairs = whole.messages if name == "Message" else whole.responses
            if len(pairs) < _MOST_PAIRED:
                pairs.setdefault(element.get("name", ""), []).append(identity)
        self._stack.append(_Frame(name, rule, identity))

    def _close(self) -> None:
        frame = self._stack.pop()
        for name, messages in frame.messages.items():
            for message in messages:
                for response in frame.responses.get(name, ()):
                    self._batch.references.append(Reference(message, Relation.OUTPUT, response))

    def _hold(self, element: Any) -> None:
        """A held element is complete."""
        name = local(element.tag)
        frame = self._stack[-1]
        rule = ELEMENTS[name]
        if name == "Field" and len(element) == 1 and (found := _plain_range(element[0])) is not None:
            self._field(plain_attributes(element), [], frame, found)
            return
        try:
            content = [kept(child, "") for child in element] if len(element) else []
        except DocumentError as error:
            error.place = self._place(element, name) + error.place
            raise
        if name == "Field":
            self._field(plain_attributes(element), content, frame)
            return
        if name != "Connection":
            self._add(name, rule, plain_attributes(element), frame, content=content)
            return
        strange = [child for child in content if child[0] not in rule.children]
        below = [child for child in content if child[0] in rule.children]
        attributes = plain_attributes(element)
        identity = self._add(name, rule, attributes, frame, content=strange, endpoint=endpoint_of(attributes, below))
        inner = _Frame(name, rule, identity)
        if len(below) > BATCH // 2 - 2:
            raise HostileDocumentError(f"a connection has {len(below)} parameters", place=self._place(element, name))
        for child, given, _, _ in below:
            self._add(child, ELEMENTS[child], given, inner)

    def _add(self, name: str, rule: Element, attributes: dict[str, str], parent: _Frame, **more: Any) -> str:
        extra: dict[str, Any] = {"element": name} | {key: value for key, value in more.items() if value}
        called = attributes.pop("name", None)
        if called is None:
            extra["unnamed"] = True
            called = name
        identity = parent.child(called)
        labels = {"": attributes.pop("displayName")} if "displayName" in attributes else {}
        descriptions = {"": attributes.pop("description")} if "description" in attributes else {}
        value = attributes.pop(rule.value, None) if rule.value else None
        unit = attributes.get("units", "")
        if unit and unit != "none":
            del attributes["units"]
        else:
            unit = ""
        if attributes:
            extra["attributes"] = attributes
        self._batch.nodes.append(
            Node(
                id=identity,
                kind=rule.kind,
                name=called,
                parent=parent.id if parent.element else "",
                relation=rule.relation,
                value=value,
                datatype=_datatype(name, attributes),
                unit=unit,
                labels=labels,
                descriptions=descriptions,
                extra={"iml": extra},
            )
        )
        return identity

    def _field(
        self, attributes: dict[str, str], content: list[Any], parent: _Frame, ends: tuple[str, str] | None = None
    ) -> None:
        extra: dict[str, Any] = {"element": "Field"}
        called = attributes.pop("name", None)
        if called is None:
            extra["unnamed"] = True
            called = "Field"
        unit = attributes.get("units", "")
        if unit and unit != "none":
            del attributes["units"]
        else:
            unit = ""
        writable = None
        if (said := attributes.get("readOnly")) in ("true", "false"):
            writable = said == "false"
            del attributes["readOnly"]
        required = attributes.get("required") == "true"
        if required:
            del attributes["required"]
        labels = {"": attributes.pop("displayName")} if "displayName" in attributes else {}
        descriptions = {"": attributes.pop("description")} if "description" in attributes else {}
        value = attributes.pop("default", None)
        if attributes:
            extra["attributes"] = attributes
        constraints = constraints_of(content, required=required) if content or required else None
        if content:
            extra["constraints"] = content
        elif ends is not None:
            constraints = Constraints(low=ends[0], high=ends[1], required=required)
        self._batch.nodes.append(
            Node(
                id=parent.child(called),
                kind=Kind.PROPERTY,
                name=called,
                parent=parent.id,
                relation=Relation.OUTPUT if parent.element == "Response" else Relation.INPUT,
                value=value,
                datatype=DATATYPES.get(attributes.get("type", ""), ""),
                unit=unit,
                labels=labels,
                descriptions=descriptions,
                constraints=constraints,
                writable=writable,
                extra={"iml": extra},
            )
        )


def _datatype(name: str, attributes: dict[str, str]) -> str:
    if name in ("DataBuffer", "BasisBuffer"):
        found = DATATYPES.get(attributes.get("type", ""), "")
        return f"{found}[]" if found else ""
    return "xs:string" if name in ("Parameter", "Property") else "xs:int" if name == "Dimension" else ""


def _plain_range(element: Any) -> tuple[str, str] | None:
    """The ends of a range that says nothing else, as most do: the constraints of the node are all of it."""
    if local(element.tag) != "RangeConstraint" or len(element) or len(element.attrib) != 2:
        return None
    low, high = element.get("low"), element.get("high")
    text, tail = element.text, element.tail
    if low is None or high is None or (text and not text.isspace()) or (tail and not tail.isspace()):
        return None
    return low, high


def constraints_of(content: list[Any], *, required: bool = False) -> Constraints:
    """What the constraints of a field say together, as far as the model has it: from the lowest end of its ranges to the
    highest, and all choices. Several bit ranges divide one value, and are no range of it.

    >>> constraints_of([["RangeConstraint", {"low": "0", "high": "5"}, "", []]]).high
    '5'
    """
    ranges: list[tuple[str | None, str | None]] = []
    bits: list[dict[str, str]] = []
    choices: list[tuple[str, str]] = []
    for name, attributes, _, children in content:
        if name == "ListConstraint":
            choices += [(given.get("value", ""), given.get("name", "")) for tag, given, _, _ in children if tag == "Choice"]
        elif name == "BitRangeConstraint":
            bits.append(attributes)
        else:
            ranges.append((attributes.get("low"), attributes.get("high")))
    if len(bits) == 1:
        low, high = _bits(bits[0])
        ranges.append((bits[0].get("low", low), bits[0].get("high", high)))
    low, high = ranges[0] if ranges else (None, None)
    if len(ranges) > 1:
        low, high = _outermost([one for one, _ in ranges], least=True), _outermost([one for _, one in ranges], least=False)
    return Constraints(low=low, high=high, choices=tuple(choices), required=required)


def _outermost(ends: list[str | None], *, least: bool) -> str | None:
    """The end that lies outermost, as it is written; None where one of them is none or no number."""
    try:
        numbers = [(float(end), end) for end in ends if end is not None]
    except ValueError:
        return None
    if len(numbers) < len(ends):
        return None
    return min(numbers)[1] if least else max(numbers)[1]


def _bits(attributes: dict[str, str]) -> tuple[str | None, str | None]:
    """The range of as many bits as are named, at most 64."""
    text = attributes.get("numBits", "")
    if not (text.isascii() and text.isdigit() and len(text) < 3 and 1 <= int(text) <= 64):
        return None, None
    bits = int(text)
    if attributes.get("signed") in ("true", "1"):
        return str(-(1 << bits - 1)), str((1 << bits - 1) - 1)
    return "0", str((1 << bits) - 1)
