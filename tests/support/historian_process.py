"""The historian's process for tests: the real store and service, killed at will, also at a chosen step.

Run as a program it is that process. ``--crash STEP`` ends it with SIGKILL at one step of the first block after
``--after`` blocks: before-insert, in-insert, after-insert, before-commit, after-commit.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import anyio
import msgspec

STEPS = ("before-insert", "in-insert", "after-insert", "before-commit", "after-commit")


class HistorianProcess:
    """A process beside the test; `kill` is kill -9."""

    def __init__(self, node: Any, **settings: Any) -> None:
        self.node = node
        self.directory = node.directory.parent
        self.settings = settings
        self.process: subprocess.Popen[str] | None = None

    def start(self, crash: str = "", after: int = 0) -> None:
        """Starts it and returns at once."""
        arguments = [
            sys.executable,
            __file__,
            "--url",
            self.node.url,
            # In one word: a generated password may begin with a dash.
            f"--password={self.node.password('historian')}",
            "--directory",
            str(self.directory),
            "--settings",
            msgspec.json.encode(self.settings).decode(),
            "--crash",
            crash,
            "--after",
            str(after),
        ]
        log = (self.directory / "historian.log").open("ab")
        self.process = subprocess.Popen(arguments, stdout=log, stderr=log, text=True)
        log.close()

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
        if self.process is not None:
            self.process.wait()

    async def died(self, seconds: float = 60.0) -> None:
        """Returns when the process is gone."""
        async with asyncio.timeout(seconds):
            while self.process is not None and self.process.poll() is None:
                await asyncio.sleep(0.02)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()

    @property
    def log(self) -> str:
        return (self.directory / "historian.log").read_text()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _arm(service: Any, historian: Any, step: str, after: int) -> None:
    """Puts the end of the process at one step of the block number ``after``."""
    from hulian.data.ingest.store import IngestStore

    insert, commit, count = historian.insert, IngestStore.commit, [0]

    def inserting(columns: Any, token: str) -> None:
        count[0] += 1
        due = count[0] > after
        if due and step == "before-insert":
            _die()
        if due and step == "in-insert":
            threading.Timer(0.004, _die).start()
        insert(columns, token)
        if due and step in ("after-insert", "in-insert"):
            _die()

    def committing(store: Any, stream: str, *rest: Any) -> None:
        due = stream == "HL_SAMPLES" and count[0] > after
        if due and step == "before-commit":
            _die()
        commit(store, stream, *rest)
        if due and step == "after-commit":
            _die()

    historian.insert = inserting
    IngestStore.commit = committing


async def _serve(arguments: argparse.Namespace) -> None:
    from nats_node import ORGANISATION

    from hulian.data.historian.embedded import EmbeddedHistorian
    from hulian.data.ingest.configuration import IngestConfiguration
    from hulian.data.ingest.service import HistorianService
    from hulian.network.exchange.spine.connection import Spine

    settings = msgspec.json.decode(arguments.settings, type=IngestConfiguration)
    historian = EmbeddedHistorian(arguments.directory / "historian")
    async with (
        await Spine.connect(arguments.url, "historian", arguments.password, "historian", timeout=20) as spine,
        anyio.create_task_group() as tasks,
    ):
        with anyio.open_signal_receiver(signal.SIGTERM) as signals:
            service = HistorianService(spine, historian, arguments.directory, ORGANISATION, settings)
            if arguments.crash:
                _arm(service, historian, arguments.crash, arguments.after)
            await tasks.start(service.run)
            async for _ in signals:
                tasks.cancel_scope.cancel()
                break
    historian.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url")
    parser.add_argument("--password")
    parser.add_argument("--directory", type=Path)
    parser.add_argument("--settings", default="{}")
    parser.add_argument("--crash", default="")
    parser.add_argument("--after", type=int, default=0)
    asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
