"""Processes that begin with their libraries loaded.

The components of a node are one program: nine tenths of what each of them loads is the same. One process, the fork server,
loads that once; the components are its forks, which takes milliseconds, and share the memory of what they do not change. They
are the supervisor's own children all the same: the process between fork and fork server ends at once, and Linux gives its
child to the supervisor, which has asked for orphans (PR_SET_CHILD_SUBREAPER). So nothing depends on the fork server once they
run, and it ends with the start of the node: what is started anew later is executed, with the program as it then is on the disk.

Linux only; elsewhere, or when the fork server fails, `ForkServer.spawn` raises `OSError` and the process is executed.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Final, Self

import msgspec

__all__ = ["ForkServer", "ForkedProcess", "Request", "die_with_parent", "serve"]

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36
_LONGEST_REQUEST: Final = 65_536
_PATIENCE: Final = 60.0
"""Seconds that the supervisor waits for a fork; the first one waits for the libraries."""


def die_with_parent() -> None:
    """Runs in a new process: a session of its own, which the kernel ends when the supervisor is killed."""
    os.setsid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class _Wanted(msgspec.Struct, frozen=True):
    supervisor: int
    arguments: list[str]
    notify: str
    """Name of the variable that is to hold the descriptor sent as the third; empty where there is none."""


class ForkServer:
    """The supervisor's side: starts the fork server and asks it for processes.

    ``command`` runs `serve` on the descriptor whose number is its last argument. Raises `OSError` where forks cannot be had.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        if not hasattr(os, "pidfd_open"):
            raise OSError("processes cannot be watched here")
        self._lock = threading.Lock()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(_PATIENCE)
        with theirs:
            self._process = subprocess.Popen(
                [*command, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                env={**os.environ, **environment},
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def spawn(self, arguments: Sequence[str], *, stdout: int, stderr: int, notify: tuple[str, int] | None = None) -> int:
        """The process id of a new child of this process, which runs the program with ``arguments``.

        ``notify`` is a variable of its environment and the descriptor whose number there it is to hold. Blocks until the
        child is there. Raises `OSError`.
        """
        name, descriptors = "", [stdout, stderr]
        if notify is not None:
            name, descriptors = notify[0], [stdout, stderr, notify[1]]
        message = msgspec.json.encode(_Wanted(os.getpid(), list(arguments), name))
        with self._lock:
            _take_orphans(True)
            try:
                socket.send_fds(self._socket, [message], descriptors)
                answer = self._socket.recv(16)
            finally:
                _take_orphans(False)
        if not answer:
            raise OSError("the fork server has ended")
        return int.from_bytes(answer, "little")

    def close(self) -> None:
        """Ends the fork server; what it forked goes on."""
        with self._lock:
            self._socket.close()
        try:
            self._process.wait(5.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _take_orphans(wanted: bool) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, int(wanted), 0, 0, 0)


class ForkedProcess:
    """A child that `ForkServer.spawn` made, as `asyncio.subprocess.Process` shows one."""

    def __init__(self, pid: int) -> None:
        """Watches ``pid`` from the running loop."""
        self.pid = pid
        self.returncode: int | None = None
        self._ended = asyncio.Event()
        self._watched = os.pidfd_open(pid)
        asyncio.get_running_loop().add_reader(self._watched, self._reap)

    def _reap(self) -> None:
        asyncio.get_running_loop().remove_reader(self._watched)
        os.close(self._watched)
        _, status = os.waitpid(self.pid, 0)
        self.returncode = os.waitstatus_to_exitcode(status)
        self._ended.set()

    async def wait(self) -> int:
        """The exit status, once it has ended; minus the signal that ended it."""
        await self._ended.wait()
        assert self.returncode is not None  # noqa: S101 - set with the event
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Nothing once it has ended: its number may be another one's by then."""
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)


class Request(msgspec.Struct, frozen=True):
    """What a new child is to be: its arguments and descriptors."""

    supervisor: int
    arguments: list[str]
    descriptors: list[int]
    notify: str

    def adopt(self) -> None:
        """Makes this process what was asked for: output, environment, the supervisor as the parent whose end is its own."""
        die_with_parent()
        if os.getppid() != self.supervisor:
            os._exit(1)  # the supervisor was killed meanwhile
        stdout, stderr, *notify = self.descriptors
        os.dup2(stdout, 1)
        os.dup2(stderr, 2)
        os.close(stdout)
        os.close(stderr)
        if notify:
            os.environ[self.notify] = str(notify[0])


def serve(descriptor: int) -> Request | None:
    """Forks a process for each request that arrives on the socket ``descriptor``.

    Returns in each new process, with what it is to be; in the fork server itself None, once the supervisor has closed. The
    process that calls must have one thread.
    """
    with socket.socket(fileno=descriptor) as connection:
        while True:
            message, descriptors, _, _ = socket.recv_fds(connection, _LONGEST_REQUEST, 3)
            if not message:
                return None
            wanted = msgspec.json.decode(message, type=_Wanted)
            child = _fork()
            if child == 0:
                return Request(wanted.supervisor, wanted.arguments, descriptors, wanted.notify)
            for one in descriptors:
                os.close(one)
            connection.send(child.to_bytes(8, "little"))


def _fork() -> int:
    """A fork whose parent is not this process: its id here, 0 in the fork, where it has its new parent already."""
    gate, opened = os.pipe()
    told, tell = os.pipe()
    between = os.fork()
    if between == 0:
        child = os.fork()
        if child:
            os.write(tell, child.to_bytes(8, "little"))
            os._exit(0)
        os.close(opened)
        os.close(told)
        os.close(tell)
        os.read(gate, 1)  # ends when all who could write have ended or closed: by then the process between is gone
        os.close(gate)
        return 0
    os.close(gate)
    os.close(tell)
    with os.fdopen(told, "rb") as answer:
        child = int.from_bytes(answer.read(8), "little")
    os.waitpid(between, 0)
    os.close(opened)
    if not child:
        raise OSError("no process can be forked")
    return child
