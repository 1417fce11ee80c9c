"""The historian of one node, over the embedded engine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hulian.data.historian import backup
from hulian.data.historian.configuration import HistorianConfiguration
from hulian.data.historian.embedded_engine import EmbeddedEngine
from hulian.data.historian.store import Store

__all__ = ["EmbeddedHistorian"]


class EmbeddedHistorian(Store):
    """The historian of one node: `hulian.data.historian.contract.Historian` over chdb in ``directory``.

    Opening makes or migrates the tables. Raises `StoreLockedError` where another process owns the directory and
    `StoreVersionError` where a newer Hulian wrote it.
    """

    def __init__(self, directory: str | Path, configuration: HistorianConfiguration | None = None) -> None:
        configuration = configuration or HistorianConfiguration()
        self.directory = Path(directory).absolute()
        engine = EmbeddedEngine(self.directory, configuration)
        try:
            super().__init__(engine, configuration)
        except BaseException:
            engine.close()
            raise
        self._embedded = engine

    def backup(self, directory: str) -> Mapping[str, Any]:
        """A consistent copy into the empty ``directory``; inserts wait only until every table is held, not for the copy."""
        with self._writing:
            frozen = backup.freeze(self._embedded)
        return backup.copy(self._embedded, frozen, Path(directory))
