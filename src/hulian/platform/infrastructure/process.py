"""One process of a node: how it is started, when it is ready, how it is ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Final

import msgspec

from hulian.platform.infrastructure.forking import ForkedProcess, ForkServer, die_with_parent

__all__ = [
    "ENVIRONMENT",
    "ITSELF",
    "NOTIFY_VARIABLE",
    "UNFIXABLE",
    "ManagedProcess",
    "ProcessSpec",
    "allow_many_files",
    "tell_ready",
    "without_pandas",
]

NOTIFY_VARIABLE: Final = "HULIAN_NOTIFY"
UNFIXABLE: Final = 78
"""Exit status (EX_CONFIG of sysexits.h) of a component that would fail again in the same way."""
_TAIL: Final = 4000
_LOG_BOUND: Final = 8 * 2**20
ITSELF: Final = (sys.executable, "-m", "hulian")
"""How a command begins that runs this very program, and may therefore begin as a fork."""
# No component multiplies matrices: threads for that would only take memory.
ENVIRONMENT: Final = {"OPENBLAS_NUM_THREADS": os.environ.get("OPENBLAS_NUM_THREADS", "1"), "PYTHONUNBUFFERED": "1"}
"""What a process has in its environment besides its parent's."""
_FILES: Final = 65_536


class ProcessSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A process: its command, and how one learns that it serves.

    ``probe`` is awaited until it returns; without one the process itself says so with `tell_ready`. ``anew_after_full_disk``:
    it does not recover from a full disk by itself, and is started anew when there is room and it still complains.
    """

    name: str
    command: Sequence[str]
    probe: Callable[[], Awaitable[None]] | None = None
    start_seconds: float = 60.0
    stop_seconds: float = 15.0
    anew_after_full_disk: bool = False


def tell_ready() -> None:
    """Tells the supervisor that this process serves; without a supervisor nothing happens."""
    number = os.environ.pop(NOTIFY_VARIABLE, "")
    if number.isdigit():
        with contextlib.suppress(OSError):
            os.write(int(number), b"ready\n")
            os.close(int(number))


def allow_many_files() -> None:
    """Lets this process and those it starts have as many files and connections open as the system grants, up to 65,536.

    The soft limit is 1,024 on most systems, for the sake of programs that use ``select``; five hundred devices reach it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class ManagedProcess:
    """A started process; its output goes to ``log``, which is cut when it grows past its bound."""

    def __init__(self, spec: ProcessSpec, log: Path, forks: ForkServer | None = None) -> None:
        """``forks`` is where it may come from while that runs."""
        self.spec = spec
        self.log = log
        self._forks = forks
        self.started = 0.0
        self.trouble = ""
        self._process: asyncio.subprocess.Process | ForkedProcess | None = None
        self._ready: asyncio.Future[None] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def start(self) -> None:
        """Starts the process; raises `OSError` where it cannot be executed."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > _LOG_BOUND:
            self.log.replace(self.log.with_suffix(".log.1"))
        read_end, write_end = os.pipe()
        os.set_inheritable(write_end, True)
        try:
            with self.log.open("ab") as output:
                self._process = await self._fork(output.fileno(), write_end) or await self._execute(output.fileno(), write_end)
        except OSError:
            os.close(read_end)
            raise
        finally:
            os.close(write_end)
        self.started = time.time()
        loop = asyncio.get_running_loop()
        self._ready = loop.create_future()
        ready = self._ready

        def readable() -> None:
            told = os.read(read_end, 16)
            loop.remove_reader(read_end)
            os.close(read_end)
            if told and not ready.done():
                ready.set_result(None)

        loop.add_reader(read_end, readable)

    async def _fork(self, output: int, notify: int) -> ForkedProcess | None:
        if self._forks is None or tuple(self.spec.command[: len(ITSELF)]) != ITSELF:
            return None
        arguments, told = self.spec.command[len(ITSELF) :], None if self.spec.probe else (NOTIFY_VARIABLE, notify)
        try:
            pid = await asyncio.to_thread(self._forks.spawn, arguments, stdout=output, stderr=output, notify=told)
        except OSError:
            self._forks = None
            return None
        return ForkedProcess(pid)

    async def _execute(self, output: int, notify: int) -> asyncio.subprocess.Process:
        environment = {**os.environ, **ENVIRONMENT}
        if self.spec.probe is None:
            environment[NOTIFY_VARIABLE] = str(notify)
        return await asyncio.create_subprocess_exec(
            *self.spec.command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            pass_fds=(notify,),
            preexec_fn=die_with_parent,
        )

    async def wait_ready(self) -> bool:
        """True once the process serves; False where it ended or took too long: `trouble` says which."""
        assert self._process is not None  # noqa: S101 - start() comes first
        assert self._ready is not None  # noqa: S101
        ended = asyncio.ensure_future(self._process.wait())
        told: asyncio.Future[None] = asyncio.ensure_future(self.spec.probe()) if self.spec.probe else self._ready
        try:
            done, _ = await asyncio.wait((ended, told), timeout=self.spec.start_seconds, return_when=asyncio.FIRST_COMPLETED)
            if ended in done:
                self.trouble = f"it ended with status {self._process.returncode}"
            elif told not in done:
                self.trouble = f"it was not ready within {self.spec.start_seconds:g} s"
            elif (error := told.exception()) is not None:
                self.trouble = str(error)
            else:
                return True
            return False
        finally:
            ended.cancel()
            if not told.done():
                told.cancel()

    async def wait(self) -> int:
        """The exit status, once it has ended."""
        assert self._process is not None  # noqa: S101 - start() comes first
        return await self._process.wait()

    async def stop(self) -> None:
        """SIGTERM, then SIGKILL after ``stop_seconds``."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), self.spec.stop_seconds)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def last_words(self, since: int = 0) -> str:
        """The end of what the process printed, from byte ``since`` of the log on."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(since, self.log.stat().st_size - _TAIL))
                return file.read().decode("utf-8", "replace").strip()
        except OSError:
            return ""


class _NoPandas(MetaPathFinder):
    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError("no component has data frames", name=fullname)


def without_pandas() -> None:
    """Keeps pandas out of this process. pyarrow loads it unasked where it is installed, to see whether it was given a frame: 40
    MB and half a second."""
    sys.meta_path.insert(0, _NoPandas())
