"""Documents of the information model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from hulian.sdk import records
from hulian.sdk.calls.asking import given, items
from hulian.sdk.errors import PlatformError
from hulian.sdk.flow import Flow, Request, read
from hulian.sdk.proposed import Proposals, ProposalsApplied

__all__ = [
    "apply_proposals",
    "model_apply",
    "model_begin",
    "model_discard",
    "model_import",
    "model_preview",
    "model_versions",
    "proposals",
]

_UPLOAD: Final = 600.0


def model_begin(source: str | Path | bytes, name: str = "", form: str = "") -> Flow[records.Job]:
    """Sends a document; the job reads it, and its ``version`` is what `model_preview` and `model_apply` take."""
    content, file = (source, name) if isinstance(source, bytes) else (Path(source).read_bytes(), Path(source).name)
    query = given(file=file or None, name=name or None, format=form or None)
    return read((yield Request("POST", "/model/imports", query=query, content=content, seconds=_UPLOAD)), records.Job)


def model_import(source: str | Path | bytes, name: str = "", form: str = "") -> Flow[records.ModelPreview]:
    """Sends a document (a path, or its bytes), waits until it is read, and tells what it would change.

    The model stays as it is until `model_apply` takes ``preview.version.key``. ``form`` is a format's name, as in
    ``hulian model import --format``; it is told by the file otherwise. Raises what the reading ended with.
    """
    job = yield from model_begin(source, name, form)
    while job.state == "running":
        job = read((yield Request("GET", f"/jobs/{job.id}", query={"wait": 10})), records.Job)
    if job.error or job.version is None:
        error = job.error or {"message": f"the import is {job.state}"}
        raise PlatformError(
            error.get("message", ""),
            code=error.get("code", ""),
            place=error.get("place", ""),
            hint=error.get("hint", ""),
        )
    return (yield from model_preview(job.version))


def model_preview(version: int) -> Flow[records.ModelPreview]:
    """What a version would change if it were applied now."""
    return read((yield Request("GET", f"/model/imports/{version}", seconds=_UPLOAD)), records.ModelPreview)


def model_apply(version: int) -> Flow[records.ModelVersion]:
    """Makes a version the one that counts."""
    return read((yield Request("POST", f"/model/imports/{version}/apply", seconds=_UPLOAD)), records.ModelVersion)


def model_discard(version: int) -> Flow[None]:
    """Forgets a version that does not count."""
    yield Request("DELETE", f"/model/imports/{version}", seconds=_UPLOAD)


def model_versions(name: str) -> Flow[list[records.ModelVersion]]:
    """The versions of a document that are kept, the newest first."""
    return items((yield Request("GET", f"/model/documents/{quote(name, safe='')}/versions")), records.ModelVersion)


def proposals(
    document: str, connectors: Mapping[str, Mapping[str, Any]] | None = None, *, points: Sequence[str] | None = None
) -> Flow[Proposals]:
    """What a document can become, and what that would change; ``connectors`` are choices by the names that it proposes."""
    body = _chosen(document, connectors, points)
    return read((yield Request("POST", "/model/proposals/preview", body=body, seconds=_UPLOAD)), Proposals)


def apply_proposals(
    document: str,
    connectors: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    points: Sequence[str] | None = None,
    overwrite: Sequence[str] = (),
    digest: str = "",
) -> Flow[ProposalsApplied]:
    """Makes connectors and points of what a document describes, and binds its properties to them; again, it changes nothing.

    ``connectors`` says what the description cannot: ``{"stripper": {"settings": {"interval": 1.0}, "credentials": {…}}}``.
    ``points`` takes these only; for those in ``overwrite`` the description counts more than what a person set.
    """
    body = _chosen(document, connectors, points) | {"overwrite": list(overwrite), "digest": digest}
    return read((yield Request("POST", "/model/proposals/apply", body=body, seconds=_UPLOAD)), ProposalsApplied)


def _chosen(document: str, connectors: Mapping[str, Mapping[str, Any]] | None, points: Sequence[str] | None) -> dict[str, Any]:
    chosen = {name: dict(choice) for name, choice in (connectors or {}).items()}
    return {"document": document, "connectors": chosen, "points": None if points is None else list(points)}
