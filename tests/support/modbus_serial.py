"""A serial line out of pseudo-terminals, and foreign servers as processes on it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import threading
import time
import tty
from collections.abc import Callable, Iterator
from pathlib import Path


class Cable:
    """``ends`` pseudo-terminals on one line: all hear the first, the master, and it hears all, as on RS-485 with four wires.

    ``echo`` lets the first end (the master's) hear itself. ``change`` may alter what the others say to it. ``said`` holds
    when (monotonic) and what the first end said.
    """

    def __init__(self, ends: int, *, echo: bool = False) -> None:
        self.echo = echo
        self.change: Callable[[bytes], bytes] = lambda data: data
        self.said: list[tuple[float, bytes]] = []
        self._masters: list[int] = []
        self._slaves: list[int] = []
        self.paths: list[str] = []
        for _ in range(ends):
            master, slave = os.openpty()
            tty.setraw(slave)
            self._masters.append(master)
            self._slaves.append(slave)
            self.paths.append(os.ttyname(slave))
        self._stop, self._stopper = os.pipe()
        self._thread = threading.Thread(target=self._carry)
        self._thread.start()

    def _carry(self) -> None:
        while True:
            ready, _, _ = select.select([*self._masters, self._stop], [], [])
            if self._stop in ready:
                return
            for master in ready:
                with contextlib.suppress(OSError):
                    self._spread(master, os.read(master, 4096))

    def _spread(self, source: int, data: bytes) -> None:
        first = self._masters[0]
        if source == first:
            self.said.append((time.monotonic(), data))
            if self.echo:
                os.write(first, data)
            for master in self._masters[1:]:
                os.write(master, data)
        elif given := self.change(data):
            os.write(first, given)

    def say(self, data: bytes) -> None:
        """Noise: bytes that the first end hears."""
        os.write(self._masters[0], data)

    def close(self) -> None:
        """The adapter is pulled out."""
        os.write(self._stopper, b".")
        self._thread.join()
        for descriptor in (*self._masters, *self._slaves, self._stop, self._stopper):
            os.close(descriptor)

    def __enter__(self) -> Cable:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


@contextlib.contextmanager
def served(kind: str, path: str, units: tuple[int, ...] = (1,), **settings: object) -> Iterator[subprocess.Popen]:
    """A server of ``kind`` (pymodbus-rtu, pymodbus-ascii, pymodbus-rtu-tcp, libmodbus) at ``path`` until the block ends.

    Holding register n holds 1000 + n, input register n holds 2000 + n, coil n and discrete input n are n % 3 == 0.
    """
    script = Path(__file__).with_name("modbus_serial_server.py")
    argument = json.dumps({"kind": kind, "path": path, "units": units} | settings)
    process = subprocess.Popen([sys.executable, str(script), argument], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline().strip() == "ready", f"{kind} did not start"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
