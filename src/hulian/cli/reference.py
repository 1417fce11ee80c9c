"""The generated references: commands, configuration, codes of errors and events.

``make docs`` writes them; a test holds them fresh.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from hulian.kernel.errors import HulianError
from hulian.kernel.event import EventCode

__all__ = ["pages", "reference"]


def reference(directory: Annotated[Path, Parameter(help="where the pages are written")], /) -> None:
    """Write the generated reference pages."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in pages():
        (directory / name).write_text(text, encoding="utf-8")
        print(directory / name)


def pages() -> Iterator[tuple[str, str]]:
    """Each generated page as (file name, text)."""
    from hulian.cli import app

    yield "cli.md", _without_trailing_space(app.generate_docs(heading_level=1)) + "\n"
    yield "configuration.md", _configuration()
    yield "errors.md", _errors()
    yield "events.md", _events()


def _without_trailing_space(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def _configuration() -> str:
    from hulian.assembly.configuration import Configuration
    from hulian.kernel.configuration import describe, shown

    lines = [
        "# Configuration",
        "",
        "One file, `hulian.toml`. Every key has a default, and a node runs without a file. `hulian config sample` prints a",
        "commented file, `hulian config check` names a mistake with its line and the nearest known key. Secrets are given by",
        "reference: `env:NAME`, `file:PATH` or `secret:NAME`.",
    ]
    table = None
    for dotted, kind, default, text in describe(Configuration):
        above, _, key = dotted.rpartition(".")
        if above != table:
            table = above
            lines += ["", f"## [{above}]", "", "| key | type | default | meaning |", "|---|---|---|---|"]
        cells = (f"`{key}`", kind.replace("|", "\\|"), f"`{shown(default)}`", text.replace("|", "\\|"))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _errors() -> str:
    _import_all("errors")
    lines = [
        "# Errors",
        "",
        "Codes are permanent. A message names the thing and the place; the hint says what to do next.",
        "",
        "| code | meaning | hint |",
        "|---|---|---|",
    ]
    found: dict[str, type[HulianError]] = {}
    for kind in _descendants(HulianError):
        found.setdefault(kind.code, kind)
    for code, kind in sorted(found.items()):
        meaning = (kind.__doc__ or "").strip().split("\n\n")[0].replace("\n", " ").replace("|", "\\|")
        lines.append(f"| `{code}` | {' '.join(meaning.split())} | {kind.default_hint.replace('|', chr(92) + '|')} |")
    return "\n".join(lines) + "\n"


def _events() -> str:
    _import_all("events")
    lines = [
        "# Events",
        "",
        "Codes are permanent. An event names what it concerns and says what to do next; a condition is told twice, when it",
        "begins and when it is over. An event that an error began carries the code of [that error](errors.md).",
        "",
        "| code | meaning |",
        "|---|---|",
    ]
    found = sorted((member.value, member.meaning) for kind in EventCode.__subclasses__() for member in kind)
    lines += [f"| `{code}` | {meaning} |" for code, meaning in found]
    return "\n".join(lines) + "\n"


def _import_all(name: str) -> None:
    """Every room's module of this name, so that its classes are known."""
    import hulian

    for module in pkgutil.walk_packages(hulian.__path__, "hulian."):
        if module.name.endswith(f".{name}"):
            importlib.import_module(module.name)


def _descendants(kind: type[HulianError]) -> Iterator[type[HulianError]]:
    for below in kind.__subclasses__():
        yield below
        yield from _descendants(below)
