"""The C server of `_modbus_server.c`: compiled once a run, started in a process of its own."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".c")


@contextlib.contextmanager
def c_server(delay_ms: float = 0.0, silent_from: int = 256) -> Iterator[int]:
    """The port of the device. Units from ``silent_from`` on are never answered, others ``delay_ms`` after they asked."""
    with tempfile.TemporaryDirectory() as directory:
        program = Path(directory) / "modbus_server"
        subprocess.run(["gcc", "-O2", "-o", str(program), str(SOURCE)], check=True)
        process = subprocess.Popen(
            [str(program), str(int(delay_ms * 1000)), str(silent_from)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.kill()
            process.wait()
