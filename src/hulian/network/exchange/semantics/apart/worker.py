"""The process that reads one document: it gets a task on its standard input and writes pieces on its standard output.

Beside the pieces there are `PROGRESS`, the bytes read so far, and `ERROR`, a `Trouble`, with which it ends. It loads what its
format needs and nothing else: neither the registry nor what answers questions.
"""

from __future__ import annotations

import contextlib
import gc
import io
import os
import resource
import sys
from importlib import import_module
from typing import BinaryIO, Final, cast

import msgspec

from hulian.network.exchange.semantics import errors
from hulian.network.exchange.semantics.apart.frames import read_frame, write_frame
from hulian.network.exchange.semantics.apart.pieces import pieces
from hulian.network.exchange.semantics.contract import Format, Source
from hulian.network.exchange.semantics.errors import DocumentError, ReaderMemoryError, SemanticsError

__all__ = ["ERROR", "PROGRESS", "Task", "Trouble", "named", "revived", "work"]

PROGRESS: Final = b"P"
ERROR: Final = b"E"
_READ_AHEAD: Final = 1 << 18
_UNCOLLECTED: Final = 100_000
"""Objects between two collections of garbage: readers make nodes by the million and hardly a circle."""


class Task(msgspec.Struct):
    """What is to be read, by which format (`named`), within which bounds (bytes, seconds of processor time)."""

    room: str
    form: str
    file: str
    size: int
    name: str
    descriptor: int
    memory: int
    seconds: int


class Trouble(msgspec.Struct):
    """A `SemanticsError` on its way: the name of its class and its fields."""

    kind: str
    message: str
    place: str
    hint: str


def revived(trouble: Trouble) -> SemanticsError:
    """The error again; of a class that is not one of the room's own it becomes a `DocumentError`."""
    kind = getattr(errors, trouble.kind, None)
    if not (isinstance(kind, type) and issubclass(kind, SemanticsError)):
        kind = DocumentError
    return kind(trouble.message, place=trouble.place, hint=trouble.hint)


def named(room: str, form: str) -> Format | None:
    """The format of this name that a room has, which has one or several; None where it has none."""
    module = import_module(room)
    every = getattr(module, "FORMATS", None) or (getattr(module, "FORMAT", None),)
    return next((one for one in every if one is not None and one.name == form), None)


def _trouble(error: SemanticsError) -> Trouble:
    kind = next(one for one in type(error).__mro__ if one.__module__ == errors.__name__)
    return Trouble(kind.__name__, error.message, error.place, error.hint)


class _File(io.RawIOBase):
    """A file that others have open too: with a position of its own, which a descriptor that is shared does not have."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._at = descriptor, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """As a file's."""
        base = (0, self._at, os.fstat(self._descriptor).st_size)[whence]
        self._at = max(base + offset, 0)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        """As a file's."""
        count = os.preadv(self._descriptor, [buffer], self._at)
        self._at += count
        return count


def work() -> None:
    """All of the process."""
    # What a library prints must not come between the frames.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    frame = read_frame(sys.stdin.buffer)
    if frame is None:
        return
    task = msgspec.msgpack.decode(frame[1], type=Task)
    resource.setrlimit(resource.RLIMIT_AS, (task.memory, task.memory))
    resource.setrlimit(resource.RLIMIT_CPU, (task.seconds, task.seconds + 5))
    source = Source(
        name=task.file,
        size=task.size,
        open=lambda: cast(BinaryIO, io.BufferedReader(_File(task.descriptor), _READ_AHEAD)),
        progress=lambda read: write_frame(out, PROGRESS, read.to_bytes(8, "big")),
    )
    form = named(task.room, task.form)
    assert form is not None  # noqa: S101 - who gave the task found it so
    gc.freeze()
    gc.set_threshold(_UNCOLLECTED)
    with contextlib.suppress(BrokenPipeError):  # then nobody wants it any more
        try:
            for kind, content in pieces(form, source, task.name):
                write_frame(out, kind, content)
        except MemoryError:
            limit = ReaderMemoryError(f"reading it took more than {task.memory >> 20} MiB of memory", place=task.file)
            write_frame(out, ERROR, msgspec.msgpack.encode(_trouble(limit)))
        except SemanticsError as error:
            write_frame(out, ERROR, msgspec.msgpack.encode(_trouble(error)))
    # Nothing is worth being freed one by one.
    os._exit(0)
