"""The model as the store of the AAS API, for one request: what it reads is of one moment, what it writes a new version.

Before a document gets its new version it must still be as this request saw it; otherwise nothing is changed and
`ChangedError` ends the request, which whoever runs it tries anew. So two writers never lose anything, in this process or not.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from typing import Any, Final
from urllib.parse import unquote

import msgspec

from hulian.network.exchange.semantics.aas.api.contract import Collection, Page
from hulian.network.exchange.semantics.aas.format import AasFormat
from hulian.network.exchange.semantics.aas.references import element_id
from hulian.network.exchange.semantics.contract import Attachment, Content, Loss
from hulian.network.exchange.semantics.documents import memory_source
from hulian.network.exchange.semantics.errors import ModelError
from hulian.network.exchange.semantics.model import Model
from hulian.network.exchange.semantics.model.excerpts import Excerpts
from hulian.platform.northbound.aas.bounds import LOOKED_THROUGH, PAGE_BYTES, SERIALISED
from hulian.platform.northbound.aas.descriptors import shell_descriptor, submodel_descriptor
from hulian.platform.northbound.aas.directory import Directory, Item, Shown
from hulian.platform.northbound.aas.live import LivePoints, stripped
from hulian.platform.northbound.aas.reading import Piece, Reading
from hulian.platform.northbound.aas.rewriting import Rewriting
from hulian.platform.northbound.errors import AasConflictError, AasReadOnlyError, AasTooLargeError

__all__ = ["ModelStore"]

_GROUP: Final = 200
_UNNAMED: Final = re.compile(r"[^A-Za-z0-9_.-]+")
_OF: Final[dict[Collection, Collection]] = {"shell-descriptors": "shells", "submodel-descriptors": "submodels"}


class ModelStore:
    """See `hulian.network.exchange.semantics.aas.api.contract.Store`. One a request; its calls block.

    ``live`` is None for requests that change something: they see the values of the documents, not those of the moment.
    ``who`` is kept with each version that is made. ``root`` is where this API stands, for descriptors.
    """

    def __init__(
        self, model: Model, excerpts: Excerpts, directory: Directory, live: LivePoints | None, *, who: str, root: str
    ) -> None:
        self._model, self._excerpts, self._directory = model, excerpts, directory
        self._live, self._who, self._root = live, who, root
        self._files: dict[str, Attachment] = {}
        self.changes: list[tuple[str, str, int]] = []
        """What was changed: how, the document, and its version then (0: it is gone)."""
        self._look()

    def _look(self) -> None:
        self.shown: Shown = self._directory.shown()
        self._reading = Reading(self._excerpts, self._directory, self.shown, self._live)

    # ------------------------------------------------ reading

    def get(self, collection: Collection, identity: str) -> dict[str, Any] | None:
        """One by its id."""
        item = self.shown.get(collection, identity)
        if item is None and collection in _OF:
            item = self.shown.get(_OF[collection], identity)
            return None if item is None else self._described([item])[0]
        return None if item is None else self._again(lambda: self._reading.whole(item))

    def sampled(self, submodel: str, path: str) -> int | None:
        """When the value of this element that was given was sampled (ns since 1970); None where it is no live one."""
        return self._reading.sampled.get(element_id(submodel, path))

    def _again(self, read: Callable[[], Any]) -> Any:
        """A version that is dropped while it is read was replaced some times meanwhile: a second look sees the newest."""
        try:
            return read()
        except KeyError:
            raise AasConflictError("the document was changed many times while it was read", hint="ask again") from None

    def page(
        self,
        collection: Collection,
        after: str,
        limit: int,
        wanted: Callable[[dict[str, Any]], bool] | None,
        *,
        whole: bool = True,
    ) -> Page:
        """A part of a collection; bounded by its JSON and by what is looked through as well."""
        found: list[dict[str, Any]] = []
        size = looked = 0
        last = after
        every = self._every(collection, after)
        while True:
            group = list(islice(every, min(_GROUP, limit + 1 - len(found)) if wanted is None else _GROUP))
            if not group:
                return Page(found)
            for item, one in self._again(partial(self._matched, collection, group, wanted, whole)):
                looked += 1
                if one is None:
                    last = item.identity
                    continue
                size += len(msgspec.json.encode(one))
                if len(found) == limit or (found and size > PAGE_BYTES):
                    return Page(found, last)
                found.append(one)
                last = item.identity
            if looked >= LOOKED_THROUGH:
                return Page(found, last)

    def _every(self, collection: Collection, after: str) -> Iterator[Item]:
        if collection not in _OF:
            yield from self.shown.behind(collection, after)
            return
        of = _OF[collection]
        every = sorted({*self.shown.names(collection), *self.shown.names(of)})
        for identity in every:
            if identity > after:
                found = self.shown.get(collection, identity) or self.shown.get(of, identity)
                if found is not None:
                    yield found

    def _matched(self, *asked: Any) -> list[tuple[Item, dict[str, Any] | None]]:
        return list(self._matching(*asked))

    def _matching(
        self, collection: Collection, group: list[Item], wanted: Callable[[dict[str, Any]], bool] | None, whole: bool
    ) -> Iterator[tuple[Item, dict[str, Any] | None]]:
        """Each with what is shown of it; None where it is not wanted. Only what is wanted is read whole."""
        if collection in _OF:
            for item, one in zip(group, self._described(group), strict=True):
                yield item, one if wanted is None or wanted(one) else None
            return
        if wanted is None:
            read = self._reading.wholes if whole else self._reading.heads
            yield from zip(group, read(group), strict=True)
            return
        matched = [wanted(one) for one in self._reading.heads(group)]
        chosen = [item for item, fits in zip(group, matched, strict=True) if fits]
        ones = iter((self._reading.wholes if whole else self._reading.heads)(chosen))
        for item, fits in zip(group, matched, strict=True):
            yield item, next(ones) if fits else None

    def _described(self, items: list[Item]) -> list[dict[str, Any]]:
        """Descriptors: of what somebody registered as it is, of what is here made of it."""
        found = []
        for item in items:
            (one,) = self._reading.heads([item])
            if item.collection == "shells":
                one = shell_descriptor(one, self._root, self._submodels)
            elif item.collection == "submodels":
                one = submodel_descriptor(one, self._root)
            found.append(one)
        return found

    def _submodels(self, identities: list[str]) -> Iterable[dict[str, Any]]:
        items = [item for one in identities if (item := self.shown.get("submodels", one)) is not None]
        return self._reading.heads(items)

    # ------------------------------------------------ writing

    def put(self, collection: Collection, identity: str, value: dict[str, Any], *, new: bool) -> bool:
        """Creates or replaces; the model has a new version then. Raises `ChangedError`, `AasConflictError`,
        `AasReadOnlyError`."""
        item = self.shown.get(collection, identity)
        there = item is not None or (collection in _OF and self.shown.get(_OF[collection], identity) is not None)
        if there is new:
            return False
        value = stripped(value)
        if item is None:
            name = _document_name(collection, identity, value)
            self._write(Rewriting(collection, value, files=self._files.values()), name, None, value)
        else:
            self._rewrite(item, value)
        return True

    def delete(self, collection: Collection, identity: str) -> bool:
        """Takes out; a document that has nothing else is taken out of the model, where its versions stay."""
        item = self.shown.get(collection, identity)
        if item is None:
            if collection in _OF and self.shown.get(_OF[collection], identity) is not None:
                raise AasConflictError(
                    "this descriptor is made of what is served here", hint=f"delete it among the {_OF[collection]}"
                )
            return False
        while item is not None:
            if item.alone:
                self._model.remove(item.document, instead_of=item.version)
                self.changes.append(("removed", item.document, 0))
                self._look()
            else:
                self._rewrite(item, None)
            # Further documents may have a copy of a concept description.
            item = self.shown.get(collection, identity) if collection == "concept-descriptions" else None
        return True

    def _rewrite(self, item: Item, value: dict[str, Any] | None) -> None:
        if not item.writable:
            document = self.shown.documents[item.version]
            raise AasReadOnlyError(
                f"{item.identity[:200]!r} is described in the document {item.document!r}, which is {document.format}"
            )
        before: Content = self._model.content(item.document)
        losses = [
            one for version in self._model.history(item.document) if version.key == item.version for one in version.losses
        ]
        form = Rewriting(item.collection, value, item=item, before=before, losses=losses, files=self._files.values())
        self._write(form, item.document, item.version, value or {"id": item.identity})

    def _write(self, form: Rewriting, name: str, instead_of: int | None, value: dict[str, Any]) -> None:
        source = memory_source(f"{name}.json", msgspec.json.encode(value))
        read = self._model.read(form, source, name, self._who)
        try:
            if read.errors:
                first = read.errors[0]
                raise AasConflictError(f"the model does not take it: {first.message}", place=first.node)
            self._model.apply(read.version.key, instead_of=instead_of)
        except BaseException:
            with contextlib.suppress(ModelError):
                self._model.discard(read.version.key)
            raise
        self._files = {}
        self.changes.append(("made" if instead_of is None else "changed", name, read.version.key))
        self._look()

    # ------------------------------------------------ files

    def file(self, submodel: str, path: str) -> tuple[bytes, str] | None:
        """A file of the container of the document that has this submodel, or this shell."""
        item = self.shown.get("submodels", submodel) or self.shown.get("shells", submodel)
        if item is None or re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", path.removeprefix("file:")):
            return None
        plain = path.removeprefix("file:").lstrip("/")
        for tried in dict.fromkeys((plain, posixpath.normpath(plain), unquote(plain))):
            found = self._excerpts.attachment(item.version, tried)
            if found is not None:
                return found.content, found.media_type
        return None

    def put_file(self, submodel: str, path: str, content: bytes, media_type: str) -> str:
        """Keeps a file for the version that is written next; its place in the container."""
        folder = hashlib.blake2b(submodel.encode(), digest_size=6).hexdigest()
        name = f"aasx/files/{folder}/{_UNNAMED.sub('-', path).strip('-') or 'thumbnail'}"
        self._files[name] = Attachment(name, media_type, content)
        return f"/{name}"

    def package(self, environment: dict[str, list[dict[str, Any]]]) -> bytes:
        """An AASX package with the files that the elements name."""
        files: dict[str, Attachment] = {}
        size = 0
        for path, identity in _named_files(environment):
            found = self.file(identity, path)
            name = posixpath.normpath(path.removeprefix("file:").lstrip("/"))
            if found is None or name in files or name.startswith(".."):
                continue
            size += len(found[0])
            if size > SERIALISED:
                raise AasTooLargeError(f"the files have more than {SERIALISED >> 20} MiB together")
            files[name] = Attachment(name, found[1], found[0])
        losses: list[Loss] = []
        document, batches = AasFormat().read(
            memory_source("serialisation.json", msgspec.json.encode(environment)), "serialisation", losses
        )
        read = list(batches)
        nodes = [node for batch in read for node in batch.nodes]
        references = [reference for batch in read for reference in batch.references]
        out = io.BytesIO()
        AasFormat("aasx", "aasx").write(Piece(document, nodes, references, files=files.values()), out)
        return out.getvalue()


def _named_files(environment: dict[str, list[dict[str, Any]]]) -> Iterator[tuple[str, str]]:
    """Paths that elements and thumbnails name, each with the id of the submodel or shell."""
    for ones in environment.values():
        for identifiable in ones:
            stack: list[Any] = [identifiable]
            while stack:
                one = stack.pop()
                if isinstance(one, dict):
                    if one.get("modelType") == "File" and one.get("value"):
                        yield one["value"], identifiable["id"]
                    thumbnail = one.get("defaultThumbnail")
                    if isinstance(thumbnail, dict) and thumbnail.get("path"):
                        yield thumbnail["path"], identifiable["id"]
                    stack.extend(one.values())
                elif isinstance(one, list):
                    stack.extend(one)


def _document_name(collection: Collection, identity: str, value: dict[str, Any]) -> str:
    """Name of the document of what is posted: the same for the same id, so that it cannot be made twice."""
    digest = hashlib.blake2b(f"{collection}\0{identity}".encode(), digest_size=8).hexdigest()
    shown = _UNNAMED.sub("-", str(value.get("idShort", ""))).strip("-")[:60] or collection
    return f"{shown}.{digest}"
