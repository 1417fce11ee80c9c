"""Documents read in a process of their own.

Reading and keeping then take a core each, and what a document does to its reader stays there: a bound of memory, a bound of
time, and an end that harms nothing. The process is a plain one, executed anew: the one that imports may have threads, and a
fork of it would inherit their locks. It costs a quarter of a second, so that small documents are read where they are.
"""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator
from typing import IO, Final

import msgspec

from hulian.network.exchange.semantics.apart.frames import read_frame, write_frame
from hulian.network.exchange.semantics.apart.pieces import END, pieces
from hulian.network.exchange.semantics.apart.worker import ERROR, PROGRESS, Task, Trouble, named, revived
from hulian.network.exchange.semantics.contract import Format, Source
from hulian.network.exchange.semantics.errors import DocumentError, ReaderEndedError, ReaderTimeError

__all__ = ["read_pieces"]

_PACKAGE: Final = ("hulian", "network", "exchange", "semantics")
_SMALL: Final = 1 << 20
"""Bytes of a document that is read in this process."""
_SMALL_PACKED: Final = 128 << 10
"""The same of a container, whose members are larger than they are in it."""
_MEMORY: Final = 4 << 30
_SECONDS: Final = 600
_SECONDS_PER_MEGABYTE: Final = 10
"""Of processor time: a hundredth of the usual speed, for containers are larger than their files."""
_PIPE: Final = 1 << 20
"""Bytes that the pipe is to hold, if the system lets it: what is read while a transaction is written."""
_WORKER: Final = "from hulian.network.exchange.semantics.apart.worker import work; work()"


def read_pieces(form: Format, source: Source, name: str) -> Generator[tuple[bytes, bytes], None, None]:
    """As `pieces.pieces`; a large document of a format of ours is read in another process, which ends with the iterator.

    Then it also raises `ReaderEndedError`, `ReaderMemoryError` and `ReaderTimeError`. Documents with files beside them are
    read here, for those files are opened by whoever gave them.
    """
    form = getattr(form, "reader", form)  # of one that only writes more than the room's own
    large = source.size >= _SMALL or (source.size >= _SMALL_PACKED and _packed(source))
    room = _room(form)
    if not large or source.siblings or not room:
        return pieces(form, source, name)
    return _apart(room, form.name, source, name)


def _room(form: Format) -> str:
    """The module that another process finds this format in; empty where there is none."""
    room = ".".join(type(form).__module__.split(".")[: len(_PACKAGE) + 1])
    if tuple(room.split(".")[:-1]) != _PACKAGE:
        return ""
    return room if named(room, form.name) is form else ""


def _packed(source: Source) -> bool:
    with source.open() as opened:
        return opened.read(4) == b"PK\x03\x04"


def _apart(room: str, form: str, source: Source, name: str) -> Generator[tuple[bytes, bytes], None, None]:
    with contextlib.ExitStack() as stack:
        descriptor = stack.enter_context(_file(source)).fileno()
        seconds = _SECONDS + _SECONDS_PER_MEGABYTE * (source.size >> 20)
        task = Task(room, form, source.name, source.size, name, descriptor, _MEMORY, seconds)
        # A group of its own: an interrupt from the terminal is for this process, which then ends the other.
        process = subprocess.Popen(
            [sys.executable, "-c", _WORKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=(descriptor,),
            process_group=0,
        )
        stack.callback(_end, process)
        assert process.stdin is not None  # noqa: S101 - both are pipes
        assert process.stdout is not None  # noqa: S101
        if hasattr(fcntl, "F_SETPIPE_SZ"):
            with contextlib.suppress(OSError):
                fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, _PIPE)
        with contextlib.suppress(BrokenPipeError):
            write_frame(process.stdin, b"T", msgspec.msgpack.encode(task))  # type: ignore[arg-type]
        while (frame := read_frame(process.stdout)) is not None:  # type: ignore[arg-type]
            kind, content = frame
            if kind == PROGRESS:
                source.progress(int.from_bytes(content, "big"))
            elif kind == ERROR:
                raise revived(msgspec.msgpack.decode(content, type=Trouble))
            else:
                yield frame
                if kind == END:
                    return
        raise _ended(process.wait(), source.name, seconds)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.communicate()


def _ended(status: int, place: str, seconds: int) -> DocumentError:
    if status == -signal.SIGXCPU:
        return ReaderTimeError(f"reading it took more than {seconds} s of processor time", place=place)
    how = f"by signal {-status}" if status < 0 else f"with status {status}"
    return ReaderEndedError(f"the process that read it ended {how}", place=place)


@contextlib.contextmanager
def _file(source: Source) -> Iterator[IO[bytes]]:
    """The document as a file of the system, which another process can be given: its own, or a copy that has no name."""
    with contextlib.ExitStack() as stack:
        opened: IO[bytes] = stack.enter_context(source.open())
        try:
            opened.fileno()
        except OSError:
            copy = stack.enter_context(tempfile.TemporaryFile())
            shutil.copyfileobj(opened, copy, 1 << 20)
            copy.flush()
            opened = copy
        yield opened
