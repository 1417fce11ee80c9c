"""The descriptions as files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from hulian.demo.configuration import DemoConfiguration
from hulian.demo.describing.instrument import instrumentml
from hulian.demo.describing.plant import automationml
from hulian.demo.errors import DemoError

__all__ = ["FILES", "INSTRUMENT", "PLANT", "write"]

PLANT: Final = "tennessee-eastman.aml"
INSTRUMENT: Final = "gas-chromatograph.iml"
FILES: Final[dict[str, Callable[[DemoConfiguration], str]]] = {PLANT: automationml, INSTRUMENT: instrumentml}
"""What makes each file."""


def write(directory: Path, configuration: DemoConfiguration) -> list[Path]:
    """Writes the descriptions of the plant as ``configuration`` serves it. Raises `DemoError`."""
    written = []
    for name, make in FILES.items():
        path = directory / name
        try:
            directory.mkdir(parents=True, exist_ok=True)
            path.write_text(make(configuration), encoding="utf-8")
        except OSError as error:
            raise DemoError(f"cannot write: {error.strerror}", place=str(path), hint="name another directory") from error
        written.append(path)
    return written
