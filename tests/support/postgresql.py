"""A PostgreSQL server of our own for the length of the tests, where its programs are installed."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path


def programs() -> Path | None:
    """The folder of ``initdb`` and ``pg_ctl``; None where PostgreSQL is not installed."""
    found = shutil.which("initdb")
    candidates = [Path(found).resolve().parent] if found else []
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((path for path in candidates if (path / "initdb").exists() and (path / "pg_ctl").exists()), None)


@contextlib.contextmanager
def running() -> Iterator[str]:
    """The URL of a new cluster that listens on a Unix socket only; without fsync, for it lives a minute."""
    folder = programs()
    assert folder is not None
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="hulian-pg-", dir=memory) as name:
        place = Path(name)
        as_user = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}  # it refuses to run as root
        if as_user:
            shutil.chown(place, **as_user)
        data = place / "data"

        def run(*command: object) -> None:
            subprocess.run([str(part) for part in command], check=True, capture_output=True, timeout=60, cwd=place, **as_user)

        run(folder / "initdb", "-D", data, "-U", "hulian", "--auth=trust", "-N", "-E", "UTF8", "--locale=C.UTF-8")
        options = f"-c listen_addresses='' -c unix_socket_directories={place} -c fsync=off -c max_connections=50"
        run(folder / "pg_ctl", "-D", data, "-w", "-o", options, "-l", place / "log", "start")
        try:
            yield f"postgresql://hulian@/postgres?host={place}"
        finally:
            run(folder / "pg_ctl", "-D", data, "-m", "immediate", "stop")
