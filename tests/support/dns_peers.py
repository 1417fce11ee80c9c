"""Name servers that no one here wrote: NSD for a zone, Unbound as a resolver that asks one server about one zone."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import pytest

__all__ = ["free_port", "needs", "nsd", "unbound"]


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(_program(program) is None, reason=f"{program} is not installed: see tests/peers/install.sh")


def _program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(f"/usr/sbin/{name}")


def free_port() -> int:
    """A port that is free for UDP and TCP."""
    with socket.socket() as tcp:
        tcp.bind(("127.0.0.1", 0))
        return tcp.getsockname()[1]


@contextlib.contextmanager
def nsd(origin: str, zone: str) -> Iterator[int]:
    """The port of an NSD that serves the records ``zone`` of ``origin``."""
    with tempfile.TemporaryDirectory() as directory:
        place, port = Path(directory), free_port()
        (place / "zone").write_text(f"$ORIGIN {origin}.\n$TTL 600\n@ IN SOA ns h 1 3600 900 604800 60\n@ IN NS ns\n{zone}\n")
        own = {"logfile": "log", "pidfile": "pid", "xfrdfile": "xfrd", "zonelistfile": "list"}
        (place / "conf").write_text(
            f'server:\n  ip-address: 127.0.0.1@{port}\n  server-count: 1\n  username: ""\n  zonesdir: "{place}"\n'
            '  database: ""\n'
            + "".join(f'  {option}: "{place / file}"\n' for option, file in own.items())
            + f'remote-control:\n  control-enable: no\nzone:\n  name: "{origin}"\n  zonefile: "zone"\n'
        )
        with _running([str(_program("nsd")), "-d", "-c", str(place / "conf")], port, f"{origin}."):
            yield port


@contextlib.contextmanager
def unbound(zone: str, port: int) -> Iterator[int]:
    """The port of an Unbound that asks 127.0.0.1 at ``port`` about ``zone``, and nobody about anything else."""
    with tempfile.TemporaryDirectory() as directory:
        place, own = Path(directory), free_port()
        (place / "conf").write_text(
            f'server:\n  interface: 127.0.0.1@{own}\n  port: {own}\n  do-daemonize: no\n  username: ""\n  chroot: ""\n'
            f'  directory: "{place}"\n  pidfile: ""\n  use-syslog: no\n  logfile: "{place / "log"}"\n  do-ip6: no\n'
            '  do-not-query-localhost: no\n  module-config: "iterator"\n  num-threads: 1\n  use-caps-for-id: yes\n'
            f'  local-zone: "." transparent\nstub-zone:\n  name: "{zone}"\n  stub-addr: 127.0.0.1@{port}\n'
            "remote-control:\n  control-enable: no\n"
        )
        with _running([str(_program("unbound")), "-d", "-c", str(place / "conf")], own, "localhost."):
            yield own


@contextlib.contextmanager
def _running(command: list[str], port: int, name: str) -> Iterator[None]:
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 30
        while True:
            assert process.poll() is None, f"{command[0]} has ended with {process.returncode}"
            assert time.monotonic() < until, f"{command[0]} did not start"
            with contextlib.suppress(OSError, dns.exception.DNSException):
                dns.query.udp(dns.message.make_query(name, "SOA"), "127.0.0.1", port=port, timeout=0.2)
                break
            time.sleep(0.02)
        yield
    finally:
        process.terminate()
        process.wait()
