"""A file from the network to the scratch folder: bounded before it is taken, and gone where it does not arrive whole."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import anyio
from anyio import to_thread

from hulian.platform.api.errors import NoSpaceError, RequestError, TooLargeError, UnavailableError

__all__ = ["PREFIX", "discard", "receive", "sweep"]

PREFIX: Final = "hulian-model-"
"""How the folders of files begin that are being imported into the model."""
_RESERVE: Final = 256 << 20
"""Bytes of the disk that stay free: the registry and the spine's journals stand on the same one, as a rule."""


async def receive(body: AsyncIterator[bytes], scratch: Path | None, declared: int, limit: int) -> tuple[Path, int]:
    """The file, in a folder of its own, and its size; ``declared`` is what the request says of it, 0 where it does not.

    Raises `TooLargeError`, `NoSpaceError`, `RequestError` for an empty one; then nothing of it is left.
    """
    if declared > limit:
        raise _too_large(limit)
    free = await to_thread.run_sync(lambda: shutil.disk_usage(scratch or tempfile.gettempdir()).free)
    if declared + _RESERVE > free:
        raise NoSpaceError(f"{declared:,} bytes do not fit on the disk, which has {max(0, free - _RESERVE):,} to spare")
    path = Path(await to_thread.run_sync(tempfile.mkdtemp, "", PREFIX, scratch)) / "file"
    size = 0
    try:
        async with await anyio.open_file(path, "wb") as file:
            async for chunk in body:
                size += len(chunk)
                if size > limit:
                    raise _too_large(limit)
                await file.write(chunk)
        if not size:
            raise RequestError("the file is empty", place="$")
    except OSError as error:
        await discard(path)
        raise UnavailableError(f"the file cannot be kept: {error.strerror}", hint="free space on the disk") from error
    except BaseException:
        await discard(path)
        raise
    return path, size


def _too_large(limit: int) -> TooLargeError:
    return TooLargeError(f"the file is larger than {limit:,} bytes", hint="raise model_limit of [api]")


async def discard(path: Path) -> None:
    """Removes a file that `receive` gave, and its folder."""
    with anyio.CancelScope(shield=True):
        await to_thread.run_sync(lambda: shutil.rmtree(path.parent, ignore_errors=True))


def sweep(scratch: Path | None) -> None:
    """Removes what a process that was killed has left in a folder that belongs to this one alone."""
    if scratch is not None:
        for folder in scratch.glob(f"{PREFIX}*"):
            shutil.rmtree(folder, ignore_errors=True)
