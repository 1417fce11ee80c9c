"""A file from the network to the scratch folder: bounded before it is taken, and gone where it does not arrive whole."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import Any, Final, NamedTuple

import anyio
from anyio import to_thread
from litestar import Request

from hulian.platform.api.errors import NoSpaceError, RequestError, TooLargeError, UnavailableError

__all__ = ["PREFIX", "Received", "discard", "receive", "room", "sweep"]

PREFIX: Final = "hulian-received-"
"""How the folders begin in which files are that came in."""
_RESERVE: Final = 256 << 20
"""Bytes of the disk that stay free: the registry and the spine's journals stand on the same one, as a rule."""

_EVERY: Final = 64 << 20
"""Bytes of a body of unknown length between two looks at the disk."""
_DIGITS: Final = 18


class Received(NamedTuple):
    """A file in a folder of its own, which `discard` removes."""

    path: Path
    size: int
    digest: str
    """BLAKE2b, 128 bits."""


async def receive(request: Request[Any, Any, Any], scratch: Path | None, limit: int, setting: str) -> Received:
    """The body of ``request`` as a file of at most ``limit`` bytes, which ``setting`` of ``[api]`` says.

    Raises `TooLargeError`, `NoSpaceError`, `UnavailableError`, `RequestError` for an empty one; then nothing of it is left.
    """
    declared = _declared(request)
    if declared > limit:
        raise _too_large(limit, setting)
    await to_thread.run_sync(room, scratch, declared)
    path = Path(await to_thread.run_sync(tempfile.mkdtemp, "", PREFIX, scratch)) / "file"
    digest, size, looked = hashlib.blake2b(digest_size=16), 0, 0
    try:
        async with await anyio.open_file(path, "wb") as file:
            async for chunk in request.stream():
                size += len(chunk)
                if size > limit:
                    raise _too_large(limit, setting)
                if not declared and size - looked > _EVERY:
                    looked = size
                    await to_thread.run_sync(room, scratch, _EVERY)
                digest.update(chunk)
                await file.write(chunk)
        if not size:
            raise RequestError("the file is empty", place="$")
    except OSError as error:
        await discard(path)
        raise UnavailableError(f"the file cannot be kept: {error.strerror}", hint="free space on the disk") from error
    except BaseException:
        await discard(path)
        raise
    return Received(path, size, digest.hexdigest())


def _declared(request: Request[Any, Any, Any]) -> int:
    """What the request says of its size; 0 where it does not."""
    length = request.headers.get("content-length", "")
    return int(length) if length.isdecimal() and len(length) <= _DIGITS else 0


def room(scratch: Path | None, size: int) -> None:
    """Raises `NoSpaceError` where ``size`` further bytes would leave the disk too full."""
    free = shutil.disk_usage(scratch or tempfile.gettempdir()).free
    if size + _RESERVE > free:
        raise NoSpaceError(f"{size:,} bytes do not fit on the disk, which has {max(0, free - _RESERVE):,} to spare")


def _too_large(limit: int, setting: str) -> TooLargeError:
    return TooLargeError(f"the file is larger than {limit:,} bytes", hint=f"raise {setting} of [api], or split the file")


async def discard(path: Path) -> None:
    """Removes a file that `receive` gave, and its folder."""
    with anyio.CancelScope(shield=True):
        await to_thread.run_sync(lambda: shutil.rmtree(path.parent, ignore_errors=True))


def sweep(scratch: Path | None) -> None:
    """Removes what a process that was killed has left in a folder that belongs to this one alone."""
    if scratch is not None:
        for folder in scratch.glob(f"{PREFIX}*"):
            shutil.rmtree(folder, ignore_errors=True)
