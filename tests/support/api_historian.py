"""The historian as a process of its own, for tests: what ``hulian up historian`` runs."""

from __future__ import annotations

import sys
from pathlib import Path

import anyio
import structlog

from hulian.data.historian.embedded import EmbeddedHistorian
from hulian.data.ingest.service import HistorianService
from hulian.network.exchange.spine.connection import Spine


async def main(directory: Path, url: str, password: str, organisation: str) -> None:
    historian = EmbeddedHistorian(directory / "historian")
    async with await Spine.connect(url, "historian", password, "historian") as spine, anyio.create_task_group() as group:
        await group.start(HistorianService(spine, historian, directory, organisation).run)
        print("ready", flush=True)


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    anyio.run(main, Path(sys.argv[1]), *sys.argv[2:5])
