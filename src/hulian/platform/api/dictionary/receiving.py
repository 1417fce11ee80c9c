"""The body of a request as a file, bounded, and gone when it was read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import anyio

from hulian.platform.api.errors import RequestError, TooLargeError, UnavailableError

__all__ = ["discard", "received"]


async def received(body: AsyncIterator[bytes], path: Path, limit: int) -> int:
    """Writes a body to ``path``; its size. Raises `TooLargeError`, `UnavailableError` where the disk is full."""
    size = 0
    try:
        async with await anyio.open_file(path, "wb") as file:
            async for chunk in body:
                size += len(chunk)
                if size > limit:
                    raise TooLargeError(f"the file is larger than {limit} bytes", hint="raise import_limit of [api]")
                await file.write(chunk)
    except OSError as error:
        raise UnavailableError(f"the file cannot be kept: {error.strerror}", hint="free space on the disk") from error
    if not size:
        raise RequestError("the file is empty", place="$")
    return size


async def discard(path: Path) -> None:
    """Removes a file and its folder."""
    with anyio.CancelScope(shield=True):
        await anyio.Path(path).unlink(missing_ok=True)
        await anyio.Path(path.parent).rmdir()
