"""Documents of the information model."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from urllib.parse import quote

from hulian.sdk import records
from hulian.sdk.calls.asking import given, items
from hulian.sdk.errors import PlatformError
from hulian.sdk.flow import Flow, Request, read

__all__ = ["model_apply", "model_begin", "model_discard", "model_import", "model_preview", "model_versions"]

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
