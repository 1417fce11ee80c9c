"""What comes in over HTTP: bodies in forms (multipart), paths, queries; bounded before they are taken apart."""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from urllib.parse import parse_qs

from hulian.platform.northbound.aas.bounds import QUERY_FIELDS
from hulian.platform.northbound.errors import AasRequestError

__all__ = ["Upload", "media_type", "query_of", "upload_of"]

_MEDIA: Final = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,100}/[A-Za-z0-9!#$&^_.+-]{1,100}")
_BOUNDARY: Final = re.compile(r'boundary=(?:"([^"\r\n]{1,200})"|([^;,\s]{1,200}))', re.IGNORECASE)
_PARTS: Final = 20
_HEADER: Final = 4 << 10


class Upload(NamedTuple):
    """A file that was put."""

    content: bytes
    media_type: str
    name: str = ""


def media_type(text: str) -> str:
    """Type and subtype alone; of what is none that of any bytes."""
    found = _MEDIA.match(text.strip())
    return found[0].lower() if found else "application/octet-stream"


def query_of(raw: bytes) -> dict[str, list[str]]:
    """The parameters. Raises `AasRequestError`."""
    try:
        return parse_qs(raw.decode(), keep_blank_values=True, max_num_fields=QUERY_FIELDS, errors="strict")
    except ValueError as error:
        raise AasRequestError(f"the query cannot be read: {error}"[:300]) from error


def upload_of(body: bytes, header: str) -> Upload:
    """The file of a body: that of the form where it is one (``multipart/form-data``, parts ``file`` and ``fileName``), the
    body itself where it is not. Raises `AasRequestError`."""
    if not header.lower().startswith("multipart/"):
        return Upload(body, media_type(header))
    found = _BOUNDARY.search(header)
    if found is None:
        raise AasRequestError("the form has no boundary")
    mark = b"\r\n--" + (found[1] or found[2]).encode()
    pieces = (b"\r\n" + body).split(mark, _PARTS + 1)
    if len(pieces) < 3 or len(pieces) > _PARTS:
        raise AasRequestError(f"the form has no part, or more than {_PARTS}")
    name, file = "", None
    for piece in pieces[1:]:
        if piece.startswith(b"--"):
            break
        head, split, content = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        if not split or len(head) > _HEADER:
            raise AasRequestError("a part of the form has no header")
        told = head.decode("utf-8", "replace")
        field = _parameter(told, "name")
        if field == "fileName":
            name = content.decode("utf-8", "replace").strip()
        elif field == "file":
            stated = re.search(r"(?im)^content-type:\s*(\S+)", told)
            file = Upload(
                content, media_type(stated[1]) if stated else "application/octet-stream", _parameter(told, "filename")
            )
    if file is None:
        raise AasRequestError("the form has no part 'file'")
    return file._replace(name=name or file.name)


def _parameter(head: str, name: str) -> str:
    found = re.search(rf'(?i)[;\s]{name}="?([^";\r\n]*)"?', head)
    return found[1] if found else ""
