"""The nouns of the information model, and what a format promises.

The model is one graph. A `Node` is anything that can be named: a thing, a property of it, an operation, an event, a type. It
stands under one parent, has at most one type, and refers to others by any number of `Reference`s. Everything that is common
to the field's languages is a field; what only one language knows is in ``extra`` under that language's name, untouched by
all others, so that what was read can be written again.

A format is a pair of total functions. `Format.read` turns a document into batches, in document order, and never holds more
than a batch; `Format.write` turns them into a document. Both return what did not fit, by name, as `Loss`es. Reading what the
same format wrote gives the same nodes, and writing what it read gives the same document (as its canonical form has it).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import IntEnum
from typing import Any, BinaryIO, Final, Protocol

import msgspec

__all__ = [
    "BATCH",
    "Attachment",
    "Batch",
    "Constraints",
    "Content",
    "Document",
    "Format",
    "Kind",
    "Loss",
    "Node",
    "Reference",
    "Relation",
    "Source",
]

BATCH: Final = 1024
"""Nodes of a batch, at most: enough to write at once, few enough to hold."""


class Kind(IntEnum):
    """What a node is. The numbers are kept in databases and never change."""

    OBJECT = 1
    """A thing or a part of one: UA Object, CAEX InternalElement and ExternalInterface, submodel, device, port."""
    PROPERTY = 2
    """Something with a value: UA Variable, CAEX Attribute, AAS Property, data buffer, TD property."""
    OPERATION = 3
    """Something that can be asked for: UA Method, AAS Operation, message of an instrument, TD action. Its arguments are
    properties below it, under `Relation.INPUT` and `Relation.OUTPUT`."""
    EVENT = 4
    """Something that can happen: UA event notifier, AAS event element, TD event."""
    OBJECT_TYPE = 5
    """What objects are instances of: UA ObjectType, CAEX SystemUnitClass, submodel template, thing model."""
    PROPERTY_TYPE = 6
    """UA VariableType, CAEX AttributeType."""
    DATA_TYPE = 7
    REFERENCE_TYPE = 8
    ROLE = 9
    """What a thing is for, whatever it is: CAEX RoleClass, UA interface type."""
    INTERFACE_TYPE = 10
    """How things are joined: CAEX InterfaceClass."""
    FOLDER = 11
    """What only gathers: hierarchies, libraries, folders."""


class Relation:
    """References that the model itself understands. Any other relation is the id of a `Kind.REFERENCE_TYPE` node."""

    COMPONENT: Final = "component"
    """Parent to part; the usual way in which a node stands under its parent."""
    PROPERTY: Final = "property"
    """Parent to a property that describes it (UA HasProperty)."""
    ORGANIZES: Final = "organizes"
    """Folder to what it gathers."""
    SUBTYPE: Final = "subtype"
    """General type to special type."""
    INPUT: Final = "input"
    OUTPUT: Final = "output"
    ROLE: Final = "role"
    """Thing to the role that it plays or supports."""
    LINK: Final = "link"
    """Connection point to connection point, without direction: CAEX InternalLink."""
    DESCRIBED: Final = "described"
    """Node to a node that says what it means (UA HasDictionaryEntry)."""
    SAME: Final = "same"
    """Two nodes, of different documents perhaps, that stand for one thing (CAEX mirror, AAS derived from)."""


class Constraints(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True):
    """What values a property may have. Numbers are in its unit; texts in the lexical form of its data type."""

    low: str | None = None
    high: str | None = None
    choices: tuple[tuple[str, str], ...] = ()
    """Value and name of each choice; the name may be empty."""
    pattern: str = ""
    """Regular expression (XSD)."""
    required: bool = False
    many: bool = False
    """More than one of it may be there (template multiplicity)."""


class Node(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One node. Texts are as the document has them; the model reads units and meanings from them."""

    id: str
    """Unique in the model, at most 1,024 characters. Formats whose ids are global keep them (``nsu=http://…;i=1001``, an AAS
    id); others put the document's name before (``line2/{GUID}``)."""
    kind: Kind
    name: str
    """Its name among its siblings, without namespace."""
    parent: str = ""
    """Id of the node under which it stands; empty at the top of a document."""
    relation: str = Relation.COMPONENT
    """How it stands under its parent."""
    type: str = ""
    """Id of its type; of the general type where the node is a type itself."""
    value: str | None = None
    """In the lexical form of XSD; arrays and structures as JSON. None where it has none."""
    datatype: str = ""
    """``xs:double`` and its kin, with ``[]`` behind for an array; or the id of a `Kind.DATA_TYPE` node."""
    unit: str = ""
    """As written: UNECE or UCUM code, IRDI, URI or symbol."""
    meanings: tuple[str, ...] = ()
    """Semantic identifiers as written: IRDI, URI, path of a library. The first is the main one."""
    labels: dict[str, str] = {}
    """What people read, by language tag; "" where the document names none."""
    descriptions: dict[str, str] = {}
    constraints: Constraints | None = None
    writable: bool | None = None
    """None where the document does not say."""
    point: str = ""
    """The live point that this property is, as ``prefix/suffix#property``."""
    identifier: str = ""
    """The registered identifier of what it stands for, as ``prefix/suffix``."""
    extra: dict[str, Any] = {}
    """By format: what only that format knows. Nothing but JSON."""


class Reference(msgspec.Struct, omit_defaults=True):
    """``source`` refers to ``target``. The tree itself (parent, type) is in the nodes and not repeated here."""

    source: str
    relation: str
    target: str
    """An id; it may be of another document, or of one that is not here."""
    extra: dict[str, Any] = {}


class Attachment(msgspec.Struct):
    """A file that a container carries beside the description (picture, manual): at most 64 MiB each."""

    path: str
    media_type: str
    content: bytes


class Document(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What is known of a document as a whole."""

    name: str
    """The name that it has in the model: short, unique, chosen by who imports it."""
    format: str
    version: str = ""
    """Of the format: ``CAEX 2.15``, ``AAS 3.1``."""
    title: str = ""
    namespaces: tuple[str, ...] = ()
    """What it defines: namespace URIs, library names."""
    requires: tuple[str, ...] = ()
    """Namespaces of other documents that it stands on."""
    extra: dict[str, Any] = {}


class Batch(msgspec.Struct):
    """A piece of a document, in its order. Parents come before what stands under them."""

    nodes: list[Node] = []
    references: list[Reference] = []
    attachments: list[Attachment] = []


class Loss(msgspec.Struct, frozen=True):
    """Something of a document that the model, or the format written, cannot hold."""

    place: str
    """Line and path, or the id of a node."""
    what: str
    why: str
    lost: bool = True
    """False for a finding: nothing is lost, but the document says what cannot be so (a path that leads nowhere)."""


class Source(msgspec.Struct, kw_only=True):
    """A document to read: ``open`` may be called more than once, and each time begins at the first byte."""

    name: str
    """File name, for messages and to tell the format."""
    size: int
    open: Callable[[], BinaryIO]
    progress: Callable[[int], None] = lambda read: None
    """Called with the bytes read so far, some times a second at most; what it raises ends the reading (cancel)."""
    siblings: Mapping[str, Source] = {}
    """Files beside it that it may refer to, by relative path."""


class Content(Protocol):
    """What is written: a document of the model, or a part of the model as one."""

    @property
    def document(self) -> Document: ...

    def nodes(self) -> Iterator[Node]:
        """All nodes, in document order: parents first, siblings in theirs."""
        ...

    def references(self) -> Iterator[Reference]:
        """In the order in which they were read."""
        ...

    def attachments(self) -> Iterator[Attachment]: ...

    def node(self, identity: str) -> Node | None:
        """Any node of the model, of this document or another."""
        ...


class Format(Protocol):
    """One language of the field."""

    name: str
    """As in ``hulian model export --as``."""
    suffixes: Sequence[str]

    def recognises(self, name: str, head: bytes) -> bool:
        """Whether a file of this name that begins with ``head`` (4 KiB at most) is one of its documents."""
        ...

    def read(self, source: Source, name: str, losses: list[Loss]) -> tuple[Document, Iterable[Batch]]:
        """The document as ``name``, and its batches as they are read. Losses are appended while the batches are taken.

        Raises `DocumentError` with line and path; what was yielded before is then of no use.
        """
        ...

    def write(self, content: Content, out: BinaryIO) -> list[Loss]:
        """Writes a document that a strict reader takes; returns what it could not say."""
        ...
