"""Files that were sent and not read yet: what each is, which belong together, and in which order they stand on each other."""

from __future__ import annotations

import posixpath
import secrets
import shutil
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from hulian.network.exchange.semantics.contract import Document, Format, Loss, Source
from hulian.network.exchange.semantics.formats import document_name, format_named, format_of
from hulian.platform.api.errors import NotFoundError, RequestError, UndecidedError

__all__ = ["Chosen", "PlanView", "StepView", "Upload", "UploadView", "Uploads", "WantedView", "choose", "plan"]

_MOST: Final = 200
_HOUR: Final = 3600.0


class UploadView(msgspec.Struct, frozen=True, kw_only=True):
    """A file that is here, and what its begin says of it. ``namespaces`` is what it defines, as far as its begin says so."""

    id: str
    file: str
    size: int
    format: str
    form: str
    name: str
    title: str
    namespaces: list[str]
    requires: list[str]


class WantedView(msgspec.Struct, frozen=True, kw_only=True):
    """What a step stands on: the document of the model that brings it, or the upload; neither where it is missing."""

    what: str
    document: str = ""
    upload: str = ""


class StepView(msgspec.Struct, frozen=True, kw_only=True):
    """One document to import: its file, and those that are read with it because it refers to them."""

    upload: str
    file: str
    name: str
    format: str
    files: list[str]
    requires: list[WantedView]
    missing: list[str]


class PlanView(msgspec.Struct, frozen=True, kw_only=True):
    """The order in which documents stand on each other. ``circle`` names files that require each other: no order is right."""

    steps: list[StepView]
    circle: list[str]


class Chosen(msgspec.Struct, kw_only=True):
    """A file with the format that reads it, and its name in the model."""

    path: Path
    source: Source
    form: Format
    name: str


class Upload(msgspec.Struct, kw_only=True):
    """A file of this machine, seen from inside."""

    view: UploadView
    chosen: Chosen
    who: str
    since: float


def choose(source: Source, path: Path, form: str, name: str) -> Chosen:
    """Raises `UnknownFormatError`, and `RequestError` for a name that cannot stand in the model and in an address."""
    found = format_named(form) if form else format_of(source)
    document = name or document_name(Path(source.name), found)
    if not name and not document.strip(". "):
        document = "document"
    if not document.strip(". ") or not all(character.isalnum() or character in "-_. " for character in document):
        raise RequestError(
            f"{document[:100]!r} is no name of a document", place="query name", hint="letters, digits, '-', '_', '.' and spaces"
        )
    return Chosen(path=path, source=source, form=found, name=document)


class Uploads:
    """Thread-safe. They live as long as the process, and an hour after they were sent at most."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[str, Upload] = {}

    def admit(self) -> None:
        """Removes what is too old. Raises `UndecidedError` where too many are here."""
        with self._lock:
            old = [upload for upload in self._kept.values() if time.monotonic() - upload.since > _HOUR]
            for upload in old:
                del self._kept[upload.view.id]
            count = len(self._kept)
        for upload in old:
            _remove(upload)
        if count >= _MOST:
            raise UndecidedError(f"{count} files were sent and not read", hint="import or remove some of them")

    def take(self, chosen: Chosen, who: str) -> UploadView:
        """Looks at the begin of a file and keeps it. Raises `DocumentError`."""
        losses: list[Loss] = []
        document, _ = chosen.form.read(chosen.source, chosen.name, losses)
        view = _view(secrets.token_hex(8), chosen, document)
        with self._lock:
            self._kept[view.id] = Upload(view=view, chosen=chosen, who=who, since=time.monotonic())
        return view

    def get(self, identity: str, who: str) -> Upload:
        """Whoever sent it gets it. Raises `NotFoundError`."""
        with self._lock:
            found = self._kept.get(identity)
        if found is None or found.who != who:
            raise NotFoundError(f"there is no file {identity[:40]!r}", hint="files are kept for an hour: send it again")
        return found

    def of(self, identities: Iterable[str], who: str) -> list[Upload]:
        """Raises `NotFoundError`, `RequestError` for one that is named twice."""
        found = [self.get(identity, who) for identity in identities]
        if len({upload.view.id for upload in found}) != len(found):
            raise RequestError("a file is named twice", place="$.uploads")
        return found

    def hand_over(self, uploads: Sequence[Upload]) -> None:
        """Their files belong to a job from now on."""
        with self._lock:
            for upload in uploads:
                self._kept.pop(upload.view.id, None)

    def remove(self, identity: str, who: str) -> None:
        """Raises `NotFoundError`."""
        upload = self.get(identity, who)
        self.hand_over([upload])
        _remove(upload)


def _remove(upload: Upload) -> None:
    shutil.rmtree(upload.chosen.path.parent, ignore_errors=True)


def _view(identity: str, chosen: Chosen, document: Document) -> UploadView:
    return UploadView(
        id=identity,
        file=chosen.source.name,
        size=chosen.source.size,
        format=chosen.form.name,
        form=document.version or document.format,
        name=chosen.name,
        title=document.title,
        namespaces=list(document.namespaces),
        requires=list(document.requires),
    )


# ------------------------------------------------------------ together


def referred(upload: Upload, others: Sequence[Upload]) -> dict[str, Upload]:
    """The files that an AutomationML file refers to, by the path as it is written: told by their names."""
    if upload.view.format != "aml":
        return {}
    by_name = {posixpath.basename(one.view.file).casefold(): one for one in others if one is not upload}
    found = {}
    for path in upload.view.requires:
        plain = path.strip().replace("\\", "/")
        if "://" not in plain and (other := by_name.get(posixpath.basename(plain).casefold())) is not None:
            found[posixpath.normpath(plain)] = other
    return found


def siblings(root: Upload, others: Sequence[Upload]) -> dict[str, Source]:
    """All that the root refers to, through however many files, as `Source.siblings`."""
    found: dict[str, Source] = {}
    todo, seen = [root], {root.view.id}
    while todo:
        for path, other in referred(todo.pop(), others).items():
            found.setdefault(path, other.chosen.source)
            if other.view.id not in seen:
                seen.add(other.view.id)
                todo.append(other)
    return found


def _members(root: Upload, others: Sequence[Upload]) -> list[Upload]:
    """The uploads behind `siblings`, each once."""
    todo, seen = [root], {root.view.id: root}
    while todo:
        for other in referred(todo.pop(), others).values():
            if other.view.id not in seen:
                seen[other.view.id] = other
                todo.append(other)
    return list(seen.values())[1:]


def plan(uploads: Sequence[Upload], brings: Mapping[str, str]) -> PlanView:
    """Which files are one document, and in which order; ``brings`` has the document of the model for each namespace."""
    roots = _roots(uploads)
    with_root = {root.view.id: _members(root, uploads) for root in roots}
    definers = {space: root for root in roots for space in root.view.namespaces}
    wanted = {root.view.id: _wanted(root, uploads, brings, definers) for root in roots}
    waits = {root.view.id: {one.upload for one in wanted[root.view.id] if one.upload} - {root.view.id} for root in roots}
    ordered: list[Upload] = []
    left = list(roots)
    while left:
        ready = [root for root in left if not waits[root.view.id] & {other.view.id for other in left}]
        if not ready:
            break
        ordered += ready
        left = [root for root in left if root not in ready]
    steps = [
        StepView(
            upload=root.view.id,
            file=root.view.file,
            name=root.view.name,
            format=root.view.format,
            files=[other.view.id for other in with_root[root.view.id]],
            requires=wanted[root.view.id],
            missing=[one.what for one in wanted[root.view.id] if not one.document and not one.upload],
        )
        for root in (*ordered, *left)
    ]
    return PlanView(steps=steps, circle=[root.view.file for root in left])


def _roots(uploads: Sequence[Upload]) -> list[Upload]:
    """Files that no other refers to, and of those that refer to each other in a circle the first."""
    below = {other.view.id for upload in uploads for other in referred(upload, uploads).values()}
    roots = [upload for upload in uploads if upload.view.id not in below]
    covered = {one.view.id for root in roots for one in (root, *_members(root, uploads))}
    for upload in uploads:
        if upload.view.id not in covered:
            roots.append(upload)
            covered |= {upload.view.id, *(one.view.id for one in _members(upload, uploads))}
    return [upload for upload in uploads if upload in roots]


def _wanted(
    root: Upload, uploads: Sequence[Upload], brings: Mapping[str, str], definers: Mapping[str, Upload]
) -> list[WantedView]:
    files = {path: other for one in (root, *_members(root, uploads)) for path, other in referred(one, uploads).items()}
    found = []
    for what in root.view.requires:
        other = definers.get(what) or files.get(posixpath.normpath(what.strip().replace("\\", "/")))
        found.append(WantedView(what=what, document=brings.get(what, ""), upload=other.view.id if other else ""))
    return found
