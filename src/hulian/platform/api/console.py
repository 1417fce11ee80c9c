"""The built console, held in memory: every file once plain and once per encoding, with its ETag.

Files under ``assets/`` carry their hash in the name and never change; everything else is asked for again each time and
answered with 304 where it is the same. A path that is no file is the console's own: it gets ``index.html``.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from litestar import Request, Response, get
from litestar.params import FromPath

from hulian.platform.api.access import public
from hulian.platform.api.errors import ConsoleMissingError, NotFoundError

__all__ = ["Console", "console_routes"]

_TEXT: Final = frozenset({".html", ".js", ".css", ".svg", ".json", ".webmanifest", ".txt", ".map", ".ico", ".wasm"})
_TYPES: Final = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".wasm": "application/wasm",
    ".woff2": "font/woff2",
}
_SMALL: Final = 512


class _File(NamedTuple):
    media_type: str
    etag: str
    immutable: bool
    bodies: Mapping[str, bytes]


class Console:
    """The files of ``directory``. Precompressed neighbours (``.br``, ``.gz``) are used; gzip is made where it is missing."""

    def __init__(self, directory: Path | None) -> None:
        self._files: dict[str, _File] = {}
        if directory is None or not directory.is_dir():
            return
        for path in sorted(directory.rglob("*")):
            if path.is_file() and path.suffix not in (".br", ".gz"):
                name = path.relative_to(directory).as_posix()
                self._files[name] = _read(path, immutable=name.startswith("assets/"))

    @property
    def built(self) -> bool:
        """Whether there is a console at all."""
        return "index.html" in self._files

    def answer(self, path: str, headers: Mapping[str, str]) -> Response[bytes]:
        """The file at ``path``, else the console's page. Raises `NotFoundError` for an asset that does not exist."""
        if not self.built:
            raise ConsoleMissingError("this installation has no console", place="/")
        name = path.strip("/") or "index.html"
        if name not in self._files:
            if name.startswith(("api/", "assets/")) or name == "api":
                raise NotFoundError(f"there is nothing at /{name[:200]}")
            name = "index.html"
        file = self._files[name]
        kept = "public, max-age=31536000, immutable" if file.immutable else "no-cache"
        extra = {"Cache-Control": kept, "ETag": file.etag, "Vary": "Accept-Encoding"}
        if file.etag in headers.get("if-none-match", ""):
            return Response(b"", status_code=304, headers=extra)
        encoding = _best(file.bodies, headers.get("accept-encoding", ""))
        if encoding:
            extra["Content-Encoding"] = encoding
        return Response(file.bodies[encoding], media_type=file.media_type, headers=extra)


def _read(path: Path, *, immutable: bool) -> _File:
    plain = path.read_bytes()
    bodies = {"": plain}
    for encoding, suffix in (("br", ".br"), ("gzip", ".gz")):
        neighbour = path.with_name(path.name + suffix)
        if neighbour.is_file():
            bodies[encoding] = neighbour.read_bytes()
    if "gzip" not in bodies and path.suffix in _TEXT and len(plain) > _SMALL:
        bodies["gzip"] = gzip.compress(plain, 9, mtime=0)
    media_type = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return _File(media_type, f'"{hashlib.blake2b(plain, digest_size=12).hexdigest()}"', immutable, bodies)


def _best(bodies: Mapping[str, bytes], accepted: str) -> str:
    wanted = {part.partition(";")[0].strip() for part in accepted.split(",") if not part.replace(" ", "").endswith(";q=0")}
    return next((encoding for encoding in ("br", "gzip") if encoding in wanted and encoding in bodies), "")


def console_routes(console: Console) -> list[Any]:
    """The routes that serve ``console``; open to everyone, for it holds nothing but the program."""

    @get("/", opt=public(), include_in_schema=False, sync_to_thread=False)
    def page(request: Request[Any, Any, Any]) -> Response[bytes]:
        return console.answer("", request.headers)

    @get("/{path:path}", opt=public(), include_in_schema=False, sync_to_thread=False)
    def file(request: Request[Any, Any, Any], path: FromPath[str]) -> Response[bytes]:
        return console.answer(str(path), request.headers)

    return [page, file]
