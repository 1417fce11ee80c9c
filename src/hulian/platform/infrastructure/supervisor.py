"""One supervisor a node: starts the components in order, restarts what dies, stops them in the other order.

It stays small and imports no room above the kernel: whatever happens to a component, the supervisor must not.
"""

from __future__ import annotations

import fcntl
import os
import random
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread
import msgspec
import psutil

from hulian.kernel.event import Event, Severity
from hulian.platform.infrastructure.disk import DiskWatch, Refusals
from hulian.platform.infrastructure.errors import (
    AlreadyRunningError,
    ComponentFailedError,
    DataDirectoryError,
    PortInUseError,
)
from hulian.platform.infrastructure.events import InfrastructureEvent
from hulian.platform.infrastructure.forking import ForkServer
from hulian.platform.infrastructure.process import UNFIXABLE, ManagedProcess, ProcessSpec, allow_many_files

__all__ = ["ComponentState", "ComponentStatus", "Stage", "Supervisor", "check_port", "lock_directory", "read_components"]

LONGEST_PAUSE: Final = 30.0
SETTLED: Final = 20.0
REPORT_SECONDS: Final = 2.0
DISK_SECONDS: Final = 2.0


class ComponentState(StrEnum):
    """Where a component stands."""

    STARTING = "starting"
    RUNNING = "running"
    RESTARTING = "restarting"
    FAILED = "failed"
    STOPPED = "stopped"


class ComponentStatus(msgspec.Struct, kw_only=True):
    """What the health page shows of a component; ``since`` is seconds since 1970."""

    name: str
    state: ComponentState
    since: float
    restarts: int = 0
    pid: int | None = None
    memory_mb: float = 0.0
    cpu_percent: float = 0.0
    detail: str = ""


def check_port(host: str, port: int, *, what: str, key: str) -> None:
    """Raises `PortInUseError` where nobody could listen on ``host:port``."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            who = _listener(port)
            raise PortInUseError(
                f"{what} cannot listen on {host}:{port}: {error.strerror.lower() if error.strerror else error}{who}",
                hint=f"stop the other program, or choose another port with {key} in hulian.toml",
            ) from error


def _listener(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr[1:2] == (port,) and connection.pid:
                return f" (used by process {connection.pid}, {psutil.Process(connection.pid).name()})"
    except psutil.Error:
        return ""
    return ""


def lock_directory(data: Path) -> int:
    """Makes ``data`` (mode 0700) and locks it for this process; the lock ends with the returned descriptor.

    Raises `AlreadyRunningError` where another process holds it, `DataDirectoryError` where it cannot be written.
    """
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        (data / "run").mkdir(exist_ok=True, mode=0o700)
        descriptor = os.open(data / "run" / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise DataDirectoryError(f"cannot use the data directory: {error.strerror}", place=str(data)) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        owner = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
        os.close(descriptor)
        raise AlreadyRunningError(
            f"Hulian is already running here{f' as process {owner}' if owner else ''}", place=str(data)
        ) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor


def read_components(data: Path) -> list[ComponentStatus]:
    """What the supervisor last said of the components; empty where none has run."""
    try:
        raw = (data / "run" / "components.json").read_bytes()
        return msgspec.json.decode(raw, type=list[ComponentStatus])
    except (OSError, msgspec.DecodeError):
        return []


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """Processes that start together, once everything before them is ready and ``before`` has returned.

    Nobody waits for those of a ``late`` stage: what comes behind it starts at once, and the node counts as started without.
    """

    processes: Sequence[ProcessSpec]
    before: Callable[[], Awaitable[None]] | None = None
    late: bool = False


class Supervisor:
    """Runs the processes of a node, stage by stage."""

    def __init__(
        self,
        data: Path,
        stages: Sequence[Stage],
        progress: Callable[[ComponentStatus], None],
        emit: Callable[[Event], None] = lambda event: None,
        *,
        forks: ForkServer | None = None,
    ) -> None:
        """``progress`` hears each change of a component's state, ``emit`` what belongs into the events of the node.

        ``forks`` is closed once all have started.
        """
        self._data = data
        self._stages = stages
        self._progress = progress
        self._emit = emit
        self._forks = forks
        self._to_start = sum(len(stage.processes) for stage in stages)
        self._status: dict[str, ComponentStatus] = {}
        self._processes: dict[str, ManagedProcess] = {}
        self._measured: dict[int, psutil.Process] = {}

    async def run(self, started: Callable[[], None]) -> None:
        """Runs until cancelled; ``started`` is called when every stage is ready.

        Raises `ComponentFailedError` where a component cannot start and would fail again; every other end of a component
        is followed by a restart, later each time.
        """
        allow_many_files()
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._report)
                for stage in self._stages:
                    if stage.before is not None:
                        await stage.before()
                    if stage.late:
                        for spec in stage.processes:
                            group.start_soon(self._late, spec)
                        continue
                    async with anyio.create_task_group() as starting:
                        for spec in stage.processes:
                            starting.start_soon(self._first_start, spec)
                    for spec in stage.processes:
                        group.start_soon(self._keep, spec)
                group.start_soon(self._watch_disk)
                started()
        finally:
            with anyio.CancelScope(shield=True):
                await self._stop()

    async def _late(self, spec: ProcessSpec) -> None:
        await self._first_start(spec)
        await self._keep(spec)

    async def _first_start(self, spec: ProcessSpec) -> None:
        process = ManagedProcess(spec, self._data / "log" / f"{spec.name}.log", self._forks)
        self._processes[spec.name] = process
        before = process.log.stat().st_size if process.log.exists() else 0
        self._set(spec.name, ComponentState.STARTING)
        await process.start()
        if not await process.wait_ready():
            words = process.last_words(before)
            await process.stop()
            self._set(spec.name, ComponentState.FAILED, words)
            raise ComponentFailedError(
                f"{spec.name} did not start: {process.trouble}" + (f"\n{words}" if words else ""),
                place=str(process.log),
                hint="the lines above are the end of its log",
            )
        self._set(spec.name, ComponentState.RUNNING)
        self._to_start -= 1
        if not self._to_start and self._forks is not None:
            await anyio.to_thread.run_sync(self._forks.close)

    async def _keep(self, spec: ProcessSpec) -> None:
        pause = 0.2
        process = self._processes[spec.name]
        while True:
            status = await process.wait()
            reason = f"ended with status {status}" if status >= 0 else f"killed by signal {-status}"
            if status == UNFIXABLE:
                words = process.last_words()
                self._set(spec.name, ComponentState.FAILED, words)
                raise ComponentFailedError(f"{spec.name} cannot run:\n{words}", place=str(process.log))
            if time.time() - process.started > SETTLED:
                pause = 0.2
            self._status[spec.name].restarts += 1
            self._set(spec.name, ComponentState.RESTARTING, reason)
            self._tell(spec.name, f"{spec.name} {reason}; it is started again", active=True)
            await anyio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 - jitter, not a secret
            pause = min(pause * 2, LONGEST_PAUSE)
            try:
                await process.start()
            except OSError as error:
                self._set(spec.name, ComponentState.RESTARTING, str(error))
                continue
            if await process.wait_ready():
                self._set(spec.name, ComponentState.RUNNING)
                self._tell(spec.name, f"{spec.name} runs again", active=False)
            else:
                await process.stop()

    async def _watch_disk(self) -> None:
        disk, told = DiskWatch(self._data), False
        heard = {name: Refusals(process.log) for name, process in self._processes.items() if process.spec.anew_after_full_disk}
        while True:
            await anyio.sleep(DISK_SECONDS)
            free = disk.look()
            if disk.full is not told:
                told = disk.full
                self._tell_disk(free, full=told)
            if disk.full:
                continue
            for name, refusals in heard.items():
                if refusals.heard():
                    await self._processes[name].stop()  # _keep starts it again

    def _tell_disk(self, free: int, *, full: bool) -> None:
        left = f"{free / 2**20:.0f} MB are left on the disk of the data directory"
        self._emit(
            Event(
                time=time.time_ns(),
                code=InfrastructureEvent.DISK_FULL,
                severity=Severity.CRITICAL if full else Severity.INFO,
                component="supervisor",
                subject="disk",
                message=f"the disk is full: {left}" if full else f"there is room again: {left}",
                hint=f"free space where {self._data} is; nothing is acknowledged until then, and all goes on by itself"
                if full
                else "",
                active=full,
            )
        )

    def _tell(self, name: str, message: str, *, active: bool) -> None:
        hint = f"nothing acknowledged is lost; its last words are in {self._processes[name].log}" if active else ""
        self._emit(
            Event(
                time=time.time_ns(),
                code=InfrastructureEvent.COMPONENT_ENDED,
                severity=Severity.ERROR if active else Severity.INFO,
                component="supervisor",
                subject=name,
                message=message,
                hint=hint,
                active=active,
                details={"restarts": self._status[name].restarts},
            )
        )

    async def _stop(self) -> None:
        for stage in reversed(self._stages):
            async with anyio.create_task_group() as stopping:
                for spec in stage.processes:
                    if (process := self._processes.get(spec.name)) is not None:
                        stopping.start_soon(process.stop)
            for spec in stage.processes:
                if spec.name in self._status:
                    self._set(spec.name, ComponentState.STOPPED)
        self._write()

    # ------------------------------------------------------------ telling

    def _set(self, name: str, state: ComponentState, detail: str = "") -> None:
        status = self._status.setdefault(name, ComponentStatus(name=name, state=state, since=time.time()))
        if status.state is not state:
            status.since = time.time()
        status.state, status.detail = state, detail
        status.pid = self._processes[name].pid
        self._progress(status)
        self._write()

    async def _report(self) -> None:
        while True:
            await anyio.sleep(REPORT_SECONDS)
            for status in self._status.values():
                self._measure(status)
            self._write()

    def _measure(self, status: ComponentStatus) -> None:
        status.pid = self._processes[status.name].pid
        if status.pid is None:
            status.memory_mb = status.cpu_percent = 0.0
            return
        try:
            process = self._measured.get(status.pid) or psutil.Process(status.pid)
            self._measured[status.pid] = process
            status.memory_mb = round(process.memory_info().rss / 2**20, 1)
            status.cpu_percent = process.cpu_percent()
        except psutil.Error:
            self._measured.pop(status.pid, None)

    def _write(self) -> None:
        path = self._data / "run" / "components.json"
        temporary = path.with_suffix(".tmp")
        try:
            temporary.write_bytes(msgspec.json.encode(list(self._status.values())))
            temporary.replace(path)
        except OSError:
            return  # a full disk must not end the supervisor; the next report tries again
