"""Documents from outside, opened without harm: bounds before allocation, no entities, no paths that leave their container.

XML is read by lxml with DTDs refused, entities unresolved, no network and libxml2's own bounds (depth 256, texts of 10 MB);
a document type declaration is refused before anything of it is parsed. Containers are zip files whose members are counted,
measured and named before one is opened. JSON is bounded by its size; msgspec bounds its depth.
"""

from __future__ import annotations

import io
import posixpath
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, BinaryIO, Final, Literal

import msgspec
from lxml import etree

from hulian.kernel.unreadable import UNREADABLE
from hulian.network.exchange.semantics.contract import Source
from hulian.network.exchange.semantics.errors import DocumentError, HostileDocumentError

__all__ = [
    "LARGEST_JSON",
    "LARGEST_XML",
    "Container",
    "Metered",
    "Siblings",
    "file_source",
    "memory_source",
    "parse_xml",
    "read_json",
    "refuse_declarations",
    "xml_events",
]

LARGEST_XML: Final = 2 << 30
"""Bytes of one XML document: it is read as a stream."""
LARGEST_JSON: Final = 256 << 20
"""Bytes of one JSON document: it is held whole."""
_MEMBERS: Final = 10_000
_UNPACKED: Final = 2 << 30
_RATIO: Final = 200
"""Unpacked bytes for a packed one: beyond it a member over 1 MiB is refused. XML full of one word reaches about a hundred."""
_SMALL: Final = 1 << 20
_TOLD_SECONDS: Final = 0.1
_BROKEN: Final = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, ValueError)


def file_source(path: Path, progress: Callable[[int], None] = lambda read: None) -> Source:
    """A file of this machine. Raises `DocumentError` where it cannot be read."""
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise DocumentError("it is no file", place=str(path), hint="name a document")
    except OSError as error:
        raise DocumentError(
            f"it cannot be read: {error.strerror}", place=str(path), hint="name a document that exists"
        ) from error
    return Source(name=path.name, size=size, open=lambda: path.open("rb"), progress=progress)


class Siblings(Mapping[str, Source]):
    """The files beside a document and in the folders below it, by relative path; each is looked for when it is asked for.

    What leaves the folder (``..``, an absolute path, a link that leads out of it) is not there.
    """

    def __init__(self, document: Path) -> None:
        self._folder = document.resolve().parent

    def __getitem__(self, relative: str) -> Source:
        """Raises `KeyError` where there is no such file."""
        if "\0" in relative or ":" in relative.split("/")[0] or relative.startswith("/"):
            raise KeyError(relative)
        try:
            path = (self._folder / relative).resolve()
            found = path.is_relative_to(self._folder) and path.is_file()
        except (OSError, RuntimeError, ValueError):
            found = False
        if not found:
            raise KeyError(relative)
        return file_source(path)

    def __iter__(self) -> Iterator[str]:
        """None: the folder is not searched."""
        return iter(())

    def __len__(self) -> int:
        return 0


def memory_source(name: str, content: bytes, progress: Callable[[int], None] = lambda read: None) -> Source:
    """Bytes that are here already."""
    return Source(name=name, size=len(content), open=lambda: io.BytesIO(content), progress=progress)


class Metered(io.RawIOBase):
    """A stream that tells how much of it was read, and ends with an error at a bound."""

    def __init__(self, stream: BinaryIO, bound: int, progress: Callable[[int], None], place: str) -> None:
        self._stream, self._bound, self._progress, self._place = stream, bound, progress, place
        self._read = 0
        self._told = time.monotonic()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        """As a file's; raises `HostileDocumentError` beyond the bound."""
        piece = self._stream.read(min(size, 1 << 20) if size >= 0 else 1 << 20)
        self._read += len(piece)
        if self._read > self._bound:
            raise HostileDocumentError(f"it is larger than {self._bound >> 20} MiB", place=self._place)
        now = time.monotonic()
        if not piece or now - self._told > _TOLD_SECONDS:
            self._told = now
            self._progress(self._read)
        return piece

    def close(self) -> None:
        """Closes what it reads from as well."""
        self._stream.close()
        super().close()


# ------------------------------------------------------------ XML


def refuse_declarations(head: bytes, place: str) -> None:
    """Raises `HostileDocumentError` where ``head``, the begin of a document, declares a document type.

    All that may stand before the root element in a document without one are comments, instructions and white space, so that
    a declaration later than ``head`` is met by the parser, which resolves nothing of it, and refused there.
    """
    for spelling in (b"<!DOCTYPE", "<!DOCTYPE".encode("utf-16-le"), "<!DOCTYPE".encode("utf-16-be")):
        if spelling in head:
            raise HostileDocumentError("it declares a document type, which this reader never takes", place=place)


def xml_events(source: Source, *, tags: tuple[str, ...] | None = None, starts: bool = False) -> Iterator[tuple[str, Any]]:
    """Events of lxml's ``iterparse``: ("end", element), and ("start", element) where ``starts``; comments are left out.

    The caller clears what it has taken. ``tags`` bounds the events, not the tree. Raises `DocumentError` with line, and
    `HostileDocumentError`.
    """
    with source.open() as opened:
        refuse_declarations(opened.read(4096), source.name)
    kinds: tuple[Literal["start", "end"], ...] = ("start", "end") if starts else ("end",)
    with source.open() as opened, Metered(opened, LARGEST_XML, source.progress, source.name) as stream:
        events = etree.iterparse(
            stream,
            events=kinds,
            tag=tags,
            resolve_entities=False,
            load_dtd=False,
            no_network=True,
            remove_comments=True,
            remove_pis=True,
            huge_tree=False,
        )
        try:
            first = True
            for kind, element in events:
                if first:
                    first = False
                    _no_document_type(element, source.name)
                yield kind, element
        except etree.XMLSyntaxError as error:
            raise _broken(error, source.name) from error


def parse_xml(source: Source, *, largest: int = 64 << 20, comments: bool = False) -> Any:
    """The root element of a document that is small enough to hold: at most ``largest`` bytes. Raises as `xml_events`."""
    if source.size > largest:
        raise HostileDocumentError(f"it is larger than {largest >> 20} MiB", place=source.name)
    parser = etree.XMLParser(
        resolve_entities=False, load_dtd=False, no_network=True, remove_comments=not comments, remove_pis=True, huge_tree=False
    )
    with source.open() as opened, Metered(opened, largest, source.progress, source.name) as stream:
        content = b"".join(iter(lambda: stream.read(1 << 20), b""))
    refuse_declarations(content[:4096], source.name)
    try:
        root = etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise _broken(error, source.name) from error
    _no_document_type(root, source.name)
    return root


def _no_document_type(element: Any, place: str) -> None:
    if element.getroottree().docinfo.doctype:
        raise HostileDocumentError("it declares a document type, which this reader never takes", place=place)


def _broken(error: Exception, name: str) -> DocumentError:
    line = getattr(error, "lineno", None)
    place = f"{name}, line {line}" if line else name
    words = str(getattr(error, "msg", error))
    if "depth" in words or "too long" in words or "huge" in words.lower():
        return HostileDocumentError(f"it is beyond a bound: {words}", place=place)
    return DocumentError(f"it is no XML: {words}", place=place)


# ------------------------------------------------------------ JSON


def read_json(source: Source, wanted: Any = Any, *, largest: int = LARGEST_JSON) -> Any:
    """The document as type ``wanted``. Raises `DocumentError` with the path, or `HostileDocumentError`."""
    if source.size > largest:
        raise HostileDocumentError(f"it is larger than {largest >> 20} MiB", place=source.name)
    with source.open() as opened, Metered(opened, largest, source.progress, source.name) as stream:
        content = b"".join(iter(lambda: stream.read(1 << 20), b""))
    if content.startswith(b"\xef\xbb\xbf"):
        content = content[3:]
    try:
        return msgspec.json.decode(content, type=wanted)
    except RecursionError as error:
        raise HostileDocumentError("it is nested too deep", place=source.name) from error
    except UNREADABLE as error:
        raise DocumentError(f"it is no JSON that fits: {error}", place=source.name) from error


# ------------------------------------------------------------ containers


class Container:
    """A zip file from outside (.amlx, .aasx): its members are checked before one is opened.

    Raises `DocumentError` where it is no zip file, `HostileDocumentError` for too many or too large members, names that
    leave it (``..``, absolute, drives), and names that are there twice.
    """

    def __init__(self, source: Source) -> None:
        self.name = source.name
        self._progress = source.progress
        try:
            self._zip = zipfile.ZipFile(source.open())
        except _BROKEN as error:
            raise DocumentError(f"it is no container: {error}", place=source.name) from error
        self._members: dict[str, zipfile.ZipInfo] = {}
        try:
            self._check()
        except BaseException:
            self._zip.close()
            raise

    def _check(self) -> None:
        members = self._zip.infolist()
        if len(members) > _MEMBERS:
            raise HostileDocumentError(f"it has {len(members)} members, more than {_MEMBERS}", place=self.name)
        if sum(member.file_size for member in members) > _UNPACKED:
            raise HostileDocumentError(f"it unpacks to more than {_UNPACKED >> 30} GiB", place=self.name)
        for member in members:
            if member.is_dir():
                continue
            name = _inside(member.filename, self.name)
            if name in self._members:
                raise HostileDocumentError("a member is there twice", place=f"{self.name}, {name}")
            if member.file_size > _SMALL and member.file_size > _RATIO * max(member.compress_size, 1):
                raise HostileDocumentError("a member is packed as no honest one is", place=f"{self.name}, {name}")
            if member.flag_bits & 1:
                raise DocumentError("a member is encrypted", place=f"{self.name}, {name}")
            self._members[name] = member

    @property
    def members(self) -> dict[str, int]:
        """Path and size of each file."""
        return {name: member.file_size for name, member in self._members.items()}

    def open(self, member: str) -> IO[bytes]:
        """A member as a stream; it never gives more than it says that it holds."""
        place = f"{self.name}, {member}"
        try:
            return _Member(self._zip.open(self._members[member]), place)  # type: ignore[return-value]
        except KeyError:
            raise DocumentError("the container has no such member", place=place) from None
        except _BROKEN as error:
            raise DocumentError(f"a member cannot be unpacked: {error}", place=place) from error

    def source(self, member: str) -> Source:
        """A member as a document."""
        if member not in self._members:
            raise DocumentError("the container has no such member", place=f"{self.name}, {member}")
        size = self._members[member].file_size
        return Source(
            name=f"{self.name}/{member}",
            size=size,
            open=lambda: self.open(member),  # type: ignore[arg-type,return-value]
            progress=self._progress,
        )

    def read(self, member: str, largest: int = 64 << 20) -> bytes:
        """All of a member, at most ``largest`` bytes."""
        size = self._members[member].file_size if member in self._members else 0
        if size > largest:
            raise HostileDocumentError(f"a member is larger than {largest >> 20} MiB", place=f"{self.name}, {member}")
        with self.open(member) as opened:
            return opened.read(largest)

    def close(self) -> None:
        """Closes the file."""
        self._zip.close()

    def __enter__(self) -> Container:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class _Member(io.RawIOBase):
    """A member of a container; whatever is wrong with its packing is a `DocumentError`."""

    def __init__(self, stream: IO[bytes], place: str) -> None:
        self._stream, self._place = stream, place

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        """As a file's."""
        try:
            return self._stream.read(size)
        except _BROKEN as error:
            raise DocumentError(f"a member is broken: {error}", place=self._place) from error

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """As a file's: a container may hold a container."""
        try:
            return self._stream.seek(offset, whence)
        except _BROKEN as error:
            raise DocumentError(f"a member is broken: {error}", place=self._place) from error

    def tell(self) -> int:
        return self._stream.tell()

    def close(self) -> None:
        """Closes the member, not the container."""
        self._stream.close()
        super().close()


def _inside(name: str, place: str) -> str:
    """The path of a member, as relative to the container. Some tools write ``\\`` or a leading ``/``; neither leads outside."""
    path = posixpath.normpath(name.replace("\\", "/").lstrip("/"))
    if path.startswith("../") or path in ("..", ".") or ":" in path.split("/")[0] or "\0" in name:
        raise HostileDocumentError("a member's path leaves the container", place=f"{place}, {name!r}")
    return path
