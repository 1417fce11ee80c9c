"""What is asked about documents: all of it blocks, but for the life of a job."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from hulian.network.exchange.semantics.contract import Content, Source
from hulian.network.exchange.semantics.documents import file_source
from hulian.network.exchange.semantics.errors import ModelError
from hulian.network.exchange.semantics.model import Import, Model
from hulian.network.exchange.semantics.model.versions import Version
from hulian.platform.api.configuration import ApiConfiguration
from hulian.platform.api.documents import views
from hulian.platform.api.documents.reading import Reading
from hulian.platform.api.documents.uploading import Chosen, PlanView, Uploads, UploadView, choose, plan, siblings
from hulian.platform.api.documents.waiting import Waiting
from hulian.platform.api.errors import NotFoundError, StalePreviewError, UndecidedError
from hulian.platform.api.jobs import JobBoard

__all__ = ["KIND", "Documents"]

KIND: Final = "model import"
"""Of the jobs that read documents."""
_REMEMBERED: Final = 4
_NOTES: Final = 200


class Documents:
    """One a running application."""

    def __init__(self, model: Model, jobs: JobBoard, scratch: Path | None, configuration: ApiConfiguration) -> None:
        self.model, self._jobs, self._configuration = model, jobs, configuration
        self.scratch = scratch
        self.waiting = Waiting(scratch)
        self.uploads = Uploads()
        self._running: set[str] = set()
        self._looked: dict[tuple[int, tuple[tuple[str, int], ...]], Import] = {}
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Discards what nobody has decided on within a day, and what was killed on its way."""
        self.waiting.clear(self.model, running=self._running)

    # -- imports -------------------------------------------------------------------------------------------------------

    def admit(self) -> None:
        """Raises `UndecidedError` where too many versions wait already, `TooManyError` where too many are being read."""
        self._jobs.admit(KIND)
        self.clear()
        if (waiting := len(self.waiting.keys())) >= self._configuration.model_waiting:
            raise UndecidedError(f"{waiting} versions wait to be applied or discarded")

    def received(self, path: Path, *, file: str, name: str, form: str, who: str) -> Reading:
        """The work of a job over a received file. Raises `UnknownFormatError`."""
        chosen = choose(named_source(path, file), path, form, name)
        return self._reading(chosen, [chosen.path], {}, who)

    def uploaded(self, upload: str, others: Sequence[str], *, name: str, form: str, who: str) -> Reading:
        """The same over a file that was sent before, with those that it refers to. Raises `NotFoundError`."""
        first, *rest = self.uploads.of([upload, *others], who)
        chosen = choose(first.chosen.source, first.chosen.path, form, name or first.chosen.name)
        found = self._reading(chosen, [one.chosen.path for one in (first, *rest)], siblings(first, [first, *rest]), who)
        self.uploads.hand_over([first, *rest])
        return found

    def _reading(self, chosen: Chosen, paths: Sequence[Path], beside: Mapping[str, Source], who: str) -> Reading:
        return Reading(
            self.model,
            self.waiting,
            self._running,
            paths=paths,
            source=chosen.source,
            form=chosen.form,
            name=chosen.name,
            who=who,
            siblings=beside,
        )

    def take(self, path: Path, *, file: str, form: str, who: str) -> UploadView:
        """Keeps a received file until it is read. Raises `DocumentError`."""
        return self.uploads.take(choose(named_source(path, file), path, form, ""), who)

    def plan(self, uploads: Sequence[str], who: str) -> PlanView:
        """In which order files are to be imported, and what is missing. Raises `NotFoundError`."""
        return plan(self.uploads.of(uploads, who), self._brings())

    def _brings(self) -> dict[str, str]:
        return {space: one.document.name for one in self.model.documents() for space in one.document.namespaces}

    def version(self, key: int) -> Version:
        """Raises `NotFoundError`."""
        return self._look(key).version

    def preview(self, key: int) -> views.PreviewView:
        """What a version would change if it were applied now. Raises `NotFoundError`."""
        found = self._look(key)
        version = found.version
        current = self._current(version.document.name)
        return views.PreviewView(
            version=views.version_view(version, self.waiting.keys()),
            replaces=current.key if current else 0,
            unchanged=current is not None and current.digest == version.digest,
            namespaces=list(version.document.namespaces),
            requires=views.required(version.document, self._brings()),
            differences=views.changes_view(found.differences),
            losses=views.losses_view(version.losses),
            errors=len(found.errors),
            warnings=len(found.findings) - len(found.errors),
            findings=views.finding_groups(found.findings),
            notes_left=found.orphans,
            notes=self._left(found) if found.orphans else [],
        )

    def _look(self, key: int) -> Import:
        """Made once as long as the model stays as it is: two large versions take seconds to compare."""
        signature = (key, tuple((one.document.name, one.key) for one in self.model.documents()))
        with self._lock:
            known = self._looked.get(signature)
        if known is not None:
            return known
        try:
            found = self.model.staged(key)
        except ModelError as error:
            raise NotFoundError(
                f"there is no version {key}", place=str(key), hint="it was discarded, or never there"
            ) from error
        with self._lock:
            while len(self._looked) >= _REMEMBERED:
                del self._looked[next(iter(self._looked))]
            self._looked[signature] = found
        return found

    def _left(self, found: Import) -> list[views.NoteView]:
        gone = {change.node for change in found.differences.first if change.what == "removed"}
        return [
            views.NoteView(node=note.node, field=note.field, value=note.value, who=note.who)
            for note in self.model.notes()
            if note.node in gone
        ][:_NOTES]

    def apply(self, key: int, replaces: int | None) -> views.VersionView:
        """Makes a version count. ``replaces`` is what the preview said. Raises `NotFoundError`, `StalePreviewError`,
        `ConflictError`."""
        version = self.version(key)
        current = self._current(version.document.name)
        if replaces is not None and replaces != (current.key if current else 0):
            raise StalePreviewError(
                f"version {current.key} of {version.document.name!r} counts now, not {replaces}"
                if current
                else f"no version of {version.document.name!r} counts now",
                place=str(key),
            )
        self.model.apply(key)
        self.waiting.decided(key)
        applied = next(one for one in self.model.history(version.document.name) if one.key == key)
        return views.version_view(applied, self.waiting.keys())

    def discard(self, key: int) -> Version:
        """Forgets a version that does not count. Raises `NotFoundError`, `ModelError`."""
        version = self.version(key)
        self.model.discard(key)
        self.waiting.decided(key)
        with self._lock:
            self._looked = {signature: found for signature, found in self._looked.items() if signature[0] != key}
        return version

    # -- documents -----------------------------------------------------------------------------------------------------

    def shelf(self) -> views.Shelf:
        """What counts, and what waits."""
        waiting = self.waiting.keys()
        return views.Shelf(
            documents=[views.version_view(one, waiting) for one in self.model.documents()],
            waiting=[views.version_view(one, waiting) for one in self._waiting_versions()],
        )

    def versions(self, name: str) -> views.VersionsView:
        """Raises `NotFoundError`."""
        waiting = self.waiting.keys()
        return views.VersionsView(items=[views.version_view(one, waiting) for one in self._history(name)])

    def differences(self, name: str, old: int, new: int) -> views.DifferencesView:
        """From one version to another of the same document. Raises `NotFoundError`."""
        kept = {version.key for version in self._history(name)}
        for key in (old, new):
            if key not in kept:
                raise NotFoundError(f"{name!r} has no version {key}", place=str(key), hint=f"kept: {sorted(kept)}")
        return views.changes_view(self.model.differences(old, new))

    def content(self, name: str) -> Content:
        """The version that counts, to be written. Raises `NotFoundError`."""
        if self._current(name) is None:
            raise NotFoundError(f"there is no document {name[:100]!r}", place=name[:100])
        return self.model.content(name)

    def remove(self, name: str) -> None:
        """Raises `NotFoundError`."""
        if self._current(name) is None:
            raise NotFoundError(f"there is no document {name[:100]!r}", place=name[:100])
        self.model.remove(name)

    def _history(self, name: str) -> Sequence[Version]:
        found = self.model.history(name)
        if not found:
            raise NotFoundError(f"there is no document {name[:100]!r}", place=name[:100])
        return found

    def _current(self, name: str) -> Version | None:
        return next((one for one in self.model.history(name) if one.current), None)

    def _waiting_versions(self) -> list[Version]:
        keys = frozenset(self.waiting.keys())
        every = (one for name in self.waiting.names() for one in self.model.history(name))
        return sorted((one for one in every if one.key in keys and not one.current), key=lambda one: -one.key)


def named_source(path: Path, file: str) -> Source:
    """A received file under the name that it has at its sender."""
    shown = file.replace("\\", "/").rpartition("/")[2].strip()[:200] or "document"
    return msgspec.structs.replace(file_source(path), name=shown)
