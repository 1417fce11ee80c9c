"""The files of one document: its root, and those that it refers to, beside it or in its container, and never elsewhere."""

from __future__ import annotations

import contextlib
import mimetypes
import posixpath
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from hulian.network.exchange.semantics.automationml.identities import Identities
from hulian.network.exchange.semantics.automationml.names import EXTRA, escaped
from hulian.network.exchange.semantics.automationml.reading import FileReader
from hulian.network.exchange.semantics.contract import (
    BATCH,
    Attachment,
    Batch,
    Document,
    Kind,
    Loss,
    Node,
    Relation,
    Source,
)
from hulian.network.exchange.semantics.documents import Container, Siblings, parse_xml
from hulian.network.exchange.semantics.errors import DocumentError, HostileDocumentError

__all__ = ["ROOT_RELATION", "open_document"]

ROOT_RELATION: Final = "http://schemas.automationml.org/container/relationship/RootDocument"
RELATIONS: Final = "_rels/.rels"
TYPES: Final = "[Content_Types].xml"
_MOST_FILES: Final = 256
_LARGEST_ATTACHMENT: Final = 64 << 20


def open_document(source: Source, name: str, losses: list[Loss]) -> tuple[Document, Iterator[Batch]]:
    """The document and its batches; what it is of follows from its first bytes. Raises as `Format.read`."""
    with source.open() as opened:
        packed = opened.read(4) == b"PK\x03\x04"
    files = _Files(source, name, losses)
    if packed:
        return files.read_container()
    return files.read_plain()


@contextlib.contextmanager
def _unpacking(place: str) -> Iterator[None]:
    """A container whose members are broken is a document that is: the error is told as one."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise DocumentError(f"a member is broken: {error}", place=place) from error


class _Files:
    """The reading of one document."""

    def __init__(self, source: Source, name: str, losses: list[Loss]) -> None:
        self._source, self._name, self._losses = source, name, losses
        self._known = Identities(losses)
        self._loaded: dict[str, str] = {}
        self._missing: dict[str, str] = {}
        self._waiting: list[str] = []

    def read_plain(self) -> tuple[Document, Iterator[Batch]]:
        """A CAEX file, with those of its siblings that it refers to."""
        return self._read(self._source, "", self._source.siblings, None, {})

    def read_container(self) -> tuple[Document, Iterator[Batch]]:
        """A container: its root document, those that it refers to, and all else as attachments."""
        container = Container(self._source)
        try:
            with _unpacking(self._source.name):
                relations = self._relations(container)
                root = self._root(container, relations)
                available = {member: container.source(member) for member in container.members}
                kept = {"container": {"root": root, "relations": relations, "name": self._source.name}}
                return self._read(available.pop(root), root, available, container, kept)
        except BaseException:
            container.close()
            raise

    # ------------------------------------------------------------ files

    def _read(
        self, source: Source, path: str, available: Mapping[str, Source], container: Container | None, kept: dict[str, Any]
    ) -> tuple[Document, Iterator[Batch]]:
        prefix = f"{self._name}/"
        self._loaded[path] = prefix
        reader = FileReader(source, prefix, "", self._known)
        reader.begin()
        files: Mapping[str, Source] = available
        if not isinstance(available, Siblings):
            files = {posixpath.normpath(key.replace("\\", "/")): sibling for key, sibling in available.items()}
        self._aliases(reader, path, files)
        document = Document(
            name=self._name,
            format="aml",
            version=f"CAEX {reader.version}",
            title=reader.file.get("name", ""),
            requires=tuple(
                each["path"] for each in reader.file.get("references", ()) if reader.aliases.get(each["alias"]) in self._missing
            ),
            extra={EXTRA: {**reader.file, **kept}},
        )
        return document, self._batches(document, reader, files, container)

    def _batches(
        self, document: Document, reader: FileReader, files: Mapping[str, Source], container: Container | None
    ) -> Iterator[Batch]:
        try:
            with _unpacking(self._source.name):
                yield from reader.batches()
                document.namespaces = tuple(dict.fromkeys(reader.libraries))
                while self._waiting:
                    yield from self._further(self._waiting.pop(0), files)
                links = self._known.resolved()
                for start in range(0, len(links), BATCH):
                    yield Batch(references=links[start : start + BATCH])
                self._known.conclude(set(self._loaded.values()), self._missing)
                if container is not None:
                    yield from self._attachments(container)
        finally:
            if container is not None:
                container.close()

    def _further(self, path: str, files: Mapping[str, Source]) -> Iterator[Batch]:
        """Another file of the document, under a folder of its own."""
        prefix = self._loaded[path]
        reader = FileReader(files[path], prefix, prefix.removesuffix("!"), self._known)
        reader.begin()
        self._aliases(reader, path, files)
        extra = {"tag": "ExternalFile", "path": path, "version": f"CAEX {reader.version}", "file": reader.file}
        folder = Node(
            id=prefix.removesuffix("!"),
            kind=Kind.FOLDER,
            name=posixpath.basename(path),
            relation=Relation.ORGANIZES,
            extra={EXTRA: extra},
        )
        yield Batch([folder])
        yield from reader.batches()

    def _aliases(self, reader: FileReader, path: str, files: Mapping[str, Source]) -> None:
        """What each alias of a file stands for; files that are here wait to be read, once each."""
        for each in reader.file.get("references", ()):
            written = each["path"].strip().replace("\\", "/")
            target = posixpath.normpath(posixpath.join(posixpath.dirname(path), written.lstrip("/") if path else written))
            if "://" in written or target not in files:
                target = written
            if target in self._loaded:
                reader.aliases[each["alias"]] = self._loaded[target]
                continue
            prefix = f"{self._name}/{escaped(target)}!"
            reader.aliases[each["alias"]] = prefix
            if target not in files:
                self._missing[prefix] = written
                continue
            if len(self._loaded) >= _MOST_FILES:
                raise HostileDocumentError(f"it refers to more than {_MOST_FILES} files", place=self._source.name)
            self._loaded[target] = prefix
            self._waiting.append(target)

    # ------------------------------------------------------------ containers

    def _relations(self, container: Container) -> list[dict[str, str]]:
        """Relationships of the package, as they are written."""
        if RELATIONS not in container.members:
            return []
        root = parse_xml(container.source(RELATIONS), largest=4 << 20)
        return [dict(each.attrib) for each in root.iterchildren("{*}Relationship")]

    def _root(self, container: Container, relations: list[dict[str, str]]) -> str:
        """Path of the root document. Raises `DocumentError` where none is named and none is the only one."""
        for each in relations:
            if each.get("Type", "").lower() == ROOT_RELATION.lower():
                if each["Type"] != ROOT_RELATION:
                    self._known.find("the spelling of a relationship type", self._source.name, each["Type"])
                target = posixpath.normpath(each.get("Target", "").replace("\\", "/").lstrip("/"))
                if target not in container.members:
                    raise DocumentError("its root document is not in it", place=f"{self._source.name}, {target}")
                return target
        candidates = [member for member in container.members if member.lower().endswith(".aml")]
        if len(candidates) != 1:
            raise DocumentError(
                f"no relationship names its root document, and it holds {len(candidates)} .aml files",
                place=f"{self._source.name}, {RELATIONS}",
                hint="pack it with a relationship of the type RootDocument",
            )
        self._known.find("a container without a root relationship", self._source.name, f"{candidates[0]} is the only .aml file")
        return candidates[0]

    def _attachments(self, container: Container) -> Iterator[Batch]:
        """What else the container carries; a file beyond the bound of an attachment is a loss."""
        types = self._types(container)
        for member, size in container.members.items():
            if member in self._loaded or member in (RELATIONS, TYPES):
                continue
            if size > _LARGEST_ATTACHMENT:
                self._losses.append(Loss(f"{self._source.name}, {member}", "a file of the container", "it is over 64 MiB"))
                continue
            suffix = posixpath.splitext(member)[1].lstrip(".").lower()
            media = types.get(f"/{member}") or types.get(suffix) or mimetypes.guess_type(member)[0]
            content = container.read(member)
            yield Batch(attachments=[Attachment(member, media or "application/octet-stream", content)])

    def _types(self, container: Container) -> dict[str, str]:
        """Media types by part (``/path``) and by suffix."""
        if TYPES not in container.members:
            return {}
        types = {}
        for each in parse_xml(container.source(TYPES), largest=4 << 20):
            key = each.get("PartName") or (each.get("Extension") or "").lower()
            types[key] = each.get("ContentType", "")
        return types
