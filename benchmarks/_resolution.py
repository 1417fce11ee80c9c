"""The echoes and generators of `_resolution.c`, compiled once a run, and NSD from Debian with as many names."""

from __future__ import annotations

import contextlib
import functools
import shutil
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from free_ports import free_port

SOURCE = Path(__file__).with_suffix(".c")
_KEPT: list[tempfile.TemporaryDirectory[str]] = []


@functools.cache
def program() -> str:
    _KEPT.append(tempfile.TemporaryDirectory())
    made = Path(_KEPT[0].name) / "resolution"
    subprocess.run(["gcc", "-O2", "-o", str(made), str(SOURCE)], check=True)
    return str(made)


@contextlib.contextmanager
def echo(transport: str, size: int) -> Iterator[int]:
    """The port of a server that answers with ``size`` bytes whatever it is asked."""
    process = subprocess.Popen([program(), f"echo-{transport}", str(size)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def asked(questions: Iterable[bytes]) -> Iterator[str]:
    """A file of questions for `load`."""
    with tempfile.NamedTemporaryFile() as file:
        for question in questions:
            file.write(struct.pack("=I", len(question)) + question)
        file.flush()
        yield file.name


class Load(NamedTuple):
    """What a generator saw in a second."""

    answers: float
    wrong: int
    lost: int
    bytes: float


def load_udp(
    port: int,
    questions: str,
    seconds: float,
    *,
    outstanding: int = 64,
    dns: bool = False,
    exact: bool = True,
    warm: float = 0.0,
) -> Load:
    """``warm`` seconds go before those that count; where ``exact``, wrong or lost answers are an error."""
    done = [program(), "load-udp", str(port), "0" if dns else "10", str(outstanding), str(seconds), questions, str(warm)]
    return _load(done, exact)


def load_tcp(port: int, questions: str, seconds: float, *, connections: int = 64, depth: int = 1) -> Load:
    return _load([program(), "load-tcp", str(port), str(connections), str(depth), str(seconds), questions], True)


def _load(command: list[str], exact: bool) -> Load:
    answers, wrong, lost, size = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    found = Load(float(answers), int(wrong), int(lost), float(size))
    if exact and (found.wrong or not found.answers or found.lost > 0.001 * found.answers + 128):
        raise RuntimeError(f"the answers are not right: {found}")
    return found


def nsd_program() -> str:
    found = shutil.which("nsd") or shutil.which("/usr/sbin/nsd")
    if found is None:
        raise RuntimeError("nsd is not installed: see tests/peers/install.sh")
    return found


def dns_question(name: str) -> bytes:
    """A TXT question for a name of one zone."""
    labels = b"".join(bytes((len(label),)) + label.encode() for label in name.split("."))
    return bytes(4) + b"\0\1" + bytes(6) + labels + b"\0" + b"\0\x10\0\1"


@contextlib.contextmanager
def nsd(names: int, text: str) -> Iterator[int]:
    """The port of NSD with one thread, which answers ``names`` TXT records of ``text`` (item-00000000.example. and so on)."""
    with tempfile.TemporaryDirectory() as directory:
        place, port = Path(directory), free_port()
        with (place / "example.zone").open("w") as zone:
            zone.write("$ORIGIN example.\n$TTL 86400\n@ IN SOA ns h 1 3600 900 604800 86400\n@ IN NS ns\nns IN A 127.0.0.1\n")
            zone.writelines(f'item-{number:08d} IN TXT "{text}"\n' for number in range(names))
        own = {"logfile": "log", "pidfile": "pid", "xfrdfile": "xfrd", "zonelistfile": "list"}
        (place / "nsd.conf").write_text(
            f'server:\n  ip-address: 127.0.0.1@{port}\n  server-count: 1\n  username: ""\n  zonesdir: "{place}"\n'
            '  database: ""\n  rrl-ratelimit: 0\n  minimal-responses: yes\n'
            + "".join(f'  {option}: "{place / file}"\n' for option, file in own.items())
            + 'remote-control:\n  control-enable: no\nzone:\n  name: "example"\n  zonefile: "example.zone"\n'
        )
        process = subprocess.Popen([nsd_program(), "-d", "-c", str(place / "nsd.conf")], stderr=subprocess.DEVNULL)
        try:
            _await_dns(process, port, f"item-{names - 1:08d}.example")
            yield port
        finally:
            process.terminate()
            process.wait()


def _await_dns(process: subprocess.Popen[bytes], port: int, name: str) -> None:
    until = time.monotonic() + 120
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.connect(("127.0.0.1", port))
        asking.settimeout(0.2)
        while time.monotonic() < until:
            if process.poll() is not None:
                raise RuntimeError(f"nsd has ended with {process.returncode}")
            time.sleep(0.1)
            with contextlib.suppress(OSError):
                asking.send(dns_question(name))
                answer = asking.recv(2048)
                if answer[7]:
                    return
                raise RuntimeError("nsd does not know its names")
    raise RuntimeError("nsd did not start within 120 s")
