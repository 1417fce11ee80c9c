"""What a description in InstrumentML says of one port: messages, answers, data, and how each looks on the line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.instrument.compiling import DEFAULTS, RECORD, Defaults, compile_record
from hulian.network.exchange.protocols.instrument.errors import DescriptionError
from hulian.network.exchange.protocols.instrument.record import Record
from hulian.network.exchange.semantics.contract import Loss, Node
from hulian.network.exchange.semantics.documents import memory_source
from hulian.network.exchange.semantics.errors import SemanticsError
from hulian.network.exchange.semantics.instrumentml import FORMAT

__all__ = ["LARGEST", "Bundle", "Field", "Instrument", "Message", "Response", "read_description"]

LARGEST: Final = 1 << 20
"""Bytes of a description that is driven."""
_MOST: Final = 10_000
_KINDS: Final = {
    "xs:float": "number", "xs:double": "number", "xs:decimal": "number",
    "xs:byte": "integer", "xs:short": "integer", "xs:int": "integer", "xs:long": "integer",
    "xs:boolean": "boolean", "xs:hexBinary": "bytes",
}  # fmt: skip
_STORAGE: Final = {
    "number": StorageClass.DOUBLE, "integer": StorageClass.INTEGER, "boolean": StorageClass.BOOLEAN, "text": StorageClass.TEXT,
    "bytes": StorageClass.BYTES,
}  # fmt: skip


class Field(msgspec.Struct, frozen=True):
    """An argument of a message, a part of an answer, or a buffer of a bundle."""

    node: Node
    kind: str

    @property
    def name(self) -> str:
        """As the description has it."""
        return self.node.name

    @property
    def meant(self) -> str:
        """The property of the instrument that it sets or shows."""
        return str(self.node.extra["iml"].get("attributes", {}).get("propertyName", "")) or self.node.name

    @property
    def storage(self) -> StorageClass:
        """What keeps its values."""
        return _STORAGE[self.kind]


class Message(msgspec.Struct, frozen=True):
    """What can be said to the instrument. ``timeout`` in seconds, 0 where the description names none."""

    name: str
    label: str
    fields: dict[str, Field]
    timeout: float
    record: Record
    answers: tuple[str, ...]


class Response(msgspec.Struct, frozen=True):
    """What it answers. After one that is not ``final`` more follows; one with ``error`` says that it did not obey."""

    name: str
    fields: dict[str, Field]
    record: Record
    final: bool = True
    error: bool = False


class Bundle(msgspec.Struct, frozen=True):
    """Rows of data: ``basis`` is the column that says when, in seconds; without one rows are ``interval`` seconds apart."""

    name: str
    fields: dict[str, Field]
    record: Record
    basis: str = ""
    interval: float = 0.0


class Instrument(msgspec.Struct, frozen=True):
    """One port of a described instrument."""

    title: str
    port: str
    endpoint: str
    messages: dict[str, Message]
    responses: dict[str, Response]
    bundles: dict[str, Bundle]

    def asking(self, answer: str) -> Message | None:
        """The message that needs no arguments and brings ``answer``."""
        return next((one for one in self.messages.values() if answer in one.answers and not _needed(one)), None)


def _needed(message: Message) -> bool:
    return any(field.node.value is None for field in message.fields.values())


def read_description(content: bytes, wanted: str = "", place: str = "description") -> Instrument:
    """The port ``wanted`` of the instrument, or its only one that can be driven. Raises `DescriptionError`."""
    if len(content) > LARGEST:
        raise DescriptionError(f"it is larger than {LARGEST >> 10} KiB", place=place)
    losses: list[Loss] = []
    nodes: list[Node] = []
    try:
        document, batches = FORMAT.read(memory_source(place, content), "i", losses)
        for batch in batches:
            nodes += batch.nodes
            if len(nodes) > _MOST:
                raise DescriptionError(f"it has more than {_MOST} parts", place=place)
    except SemanticsError as error:
        raise DescriptionError(f"it cannot be read: {error.message}", place=error.place or place, hint=error.hint) from error
    below: dict[str, list[Node]] = {}
    for node in nodes:
        below.setdefault(node.parent, []).append(node)
    ports = [node for node in nodes if _element(node) == "Port"]
    driven = [port for port in ports if any(_element(one) == "OutputAdapter" for one in below.get(port.id, ()))]
    if wanted:
        chosen = [port for port in ports if wanted in (port.name, port.id.partition("/")[2])]
    else:
        chosen = driven
    if len(chosen) != 1:
        what = f"no port is {wanted!r}" if wanted and not chosen else f"it has {len(chosen)} ports with an OutputAdapter"
        known = ", ".join(port.id.partition("/")[2] for port in ports) or "none"
        raise DescriptionError(what, place=place, hint=f"name one in the setting 'port': {known}")
    return _Port(chosen[0], below, document.title, place).instrument()


def _element(node: Node) -> str:
    return str(node.extra["iml"]["element"])


def _attributes(node: Node) -> Mapping[str, str]:
    found: Mapping[str, str] = node.extra["iml"].get("attributes", {})
    return found


def _kind(node: Node) -> str:
    return _KINDS.get(node.datatype.removesuffix("[]"), "text")


class _Port:
    def __init__(self, port: Node, below: dict[str, list[Node]], title: str, place: str) -> None:
        self._port, self._below, self._title = port, below, title
        self._place = f"{place}, port {port.name!r}"

    def _of(self, parent: str, *elements: str) -> Iterable[Node]:
        return (node for node in self._below.get(parent, ()) if _element(node) in elements)

    def _named(self, interface: str, element: str, *parents: str) -> dict[str, Node]:
        """All of one element, by name; a port's own before its device's."""
        found: dict[str, Node] = {}
        for parent in parents:
            for gathered in self._of(parent, interface):
                for node in self._of(gathered.id, element):
                    found.setdefault(node.name, node)
        return found

    def instrument(self) -> Instrument:
        port = self._port
        messages = self._named("MessageInterface", "Message", port.id, port.parent)
        responses = self._named("ResponseInterface", "Response", port.id)
        bundles = self._bundles()
        formats = self._records("OutputAdapter", "Format")
        parses = self._records("InputAdapter", "Parse")
        self._known(formats, {"message": messages})
        self._known(parses, {"response": responses, "data": bundles})
        answered = self._responses(responses, parses)
        data = self._data(bundles, parses)
        both = set(answered) & set(data)
        if both:
            raise DescriptionError(f"a response and a bundle are called {sorted(both)[0]!r}", place=self._place)
        endpoint = next(
            (one.extra["iml"]["endpoint"] for one in self._of(port.id, "Connection") if "endpoint" in one.extra["iml"]), ""
        )
        spoken = self._messages(messages, formats, {*answered, *data})
        if not spoken:
            raise DescriptionError("no message has a Format record", place=self._place)
        return Instrument(self._title, port.name, endpoint, spoken, answered, data)

    # -- records -------------------------------------------------------------------------------------------------------

    def _records(self, adapter: str, kind: str) -> list[tuple[Mapping[str, str], list[Any], Defaults]]:
        """Attributes, pieces and defaults of each record of an adapter."""
        found = []
        for node in self._of(self._port.id, adapter):
            for transformation in node.extra["iml"].get("content", ()):
                if transformation[0] != "Transformation":
                    continue
                for element, attributes, _, children in transformation[3]:
                    if element == kind:
                        place = f"{self._place}, {adapter} {node.name!r}"
                        self._only(attributes, (*DEFAULTS, "name"), kind, place)
                        defaults = Defaults().with_(attributes, place)
                        found += [self._record(child, defaults, place) for child in children]
        return found

    def _record(self, content: Any, defaults: Defaults, place: str) -> tuple[Mapping[str, str], list[Any], Defaults]:
        element, attributes, _, children = content
        if element != "Record":
            raise DescriptionError(f"the grammar has no {element} here", place=place)
        self._only(attributes, (*RECORD, *DEFAULTS), "Record", place)
        return attributes, children, defaults.with_(attributes, place)

    @staticmethod
    def _only(attributes: Mapping[str, str], known: tuple[str, ...], element: str, place: str) -> None:
        strange = set(attributes) - set(known)
        if strange:
            raise DescriptionError(f"{element} has no attribute {sorted(strange)[0]!r}", place=place)

    def _known(self, records: list[Any], things: Mapping[str, Mapping[str, Any]]) -> None:
        for attributes, _, _ in records:
            for what, names in things.items():
                if what in attributes and attributes[what] not in names:
                    raise DescriptionError(
                        f"a Record is for the {what} {attributes[what]!r}, which is not there", place=self._place
                    )

    @staticmethod
    def _for(records: list[Any], what: str, name: str) -> Any:
        own = next((one for one in records if one[0].get(what) == name), None)
        return own or next((one for one in records if not {"message", "response", "data"} & set(one[0])), None)

    def _messages(self, nodes: Mapping[str, Node], records: list[Any], answers: set[str]) -> dict[str, Message]:
        found = {}
        for name, node in nodes.items():
            record = self._for(records, "message", name)
            if record is None:
                continue
            attributes, children, defaults = record
            fields = {one.name: Field(one, _kind(one)) for one in self._of(node.id, "Field")}
            said = tuple(attributes.get("answer", "").split()) or ((name,) if name in answers else ())
            if missing := [answer for answer in said if answer not in answers]:
                raise DescriptionError(
                    f"message {name!r} is answered by {missing[0]!r}, which has no Parse record", place=self._place
                )
            kinds = {field.name: field.kind for field in fields.values()}
            named = attributes.get("useDataNameAsInitiator") in ("true", "1")
            compiled = compile_record(children, name, kinds, defaults, self._place, named=named, sent=True)
            timeout = _attributes(node).get("timeout", "0")
            seconds = int(timeout) / 1000 if timeout.isascii() and timeout.isdigit() and len(timeout) < 10 else 0.0
            found[name] = Message(name, node.labels.get("", name), fields, seconds, compiled, said)
        return found

    def _responses(self, nodes: Mapping[str, Node], records: list[Any]) -> dict[str, Response]:
        found = {}
        for name, node in nodes.items():
            record = self._for(records, "response", name)
            if record is None:
                continue
            fields = {one.name: Field(one, _kind(one)) for one in self._of(node.id, "Field")}
            kinds = {field.name: field.kind for field in fields.values()}
            compiled = compile_record(
                record[1], name, kinds, record[2], self._place, named=record[0].get("useDataNameAsInitiator") in ("true", "1")
            )
            said = _attributes(node)
            found[name] = Response(
                name, fields, compiled, said.get("isFinal") not in ("false", "0"), said.get("isError") in ("true", "1")
            )
        return found

    # -- data ----------------------------------------------------------------------------------------------------------

    def _bundles(self) -> dict[str, Node]:
        found: dict[str, Node] = {}
        for interface in self._of(self._port.id, "DataInterface"):
            for node in self._of(interface.id, "BasisBundle"):
                found.setdefault(node.name, node)
            for group in self._of(interface.id, "BasisBundleGroup"):
                for node in self._of(group.id, "BasisBundle"):
                    found.setdefault(f"{group.name}.{node.name}", node)
        return found

    def _data(self, nodes: Mapping[str, Node], records: list[Any]) -> dict[str, Bundle]:
        found = {}
        for name, node in nodes.items():
            record = next((one for one in records if one[0].get("data") == name), None)
            if record is None:
                continue
            buffers = list(self._of(node.id, "BasisBuffer", "DataBuffer"))
            fields = {one.name: Field(one, _kind(one)) for one in buffers}
            basis = next((one.name for one in buffers if _element(one) == "BasisBuffer"), "")
            interval = next((one.value for one in self._of(node.id, "Parameter") if one.name == "interval"), None)
            try:
                seconds = float(interval or 0)
                if not 0 <= seconds <= 86_400:
                    raise ValueError(seconds)
            except ValueError as error:
                raise DescriptionError(f"bundle {name!r} has an interval of {interval!r}", place=self._place) from error
            kinds = {field.name: field.kind for field in fields.values()}
            compiled = compile_record(record[1], name, kinds, record[2], self._place)
            found[name] = Bundle(name, fields, compiled, basis, seconds)
        return found
