"""``hulian backup`` and ``hulian restore``."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import anyio
from cyclopts import Parameter

from hulian.cli.local import ConfigFile, Json, read_configuration
from hulian.cli.output import emit

__all__ = ["backup", "restore"]


def backup(
    target: Annotated[Path, Parameter(help="file to write; it holds keys and secrets: keep it like them")],
    /,
    *,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Save everything of this node in one file, while it runs: history, ledger, journals, registry, keys, configuration.

    Example:

        hulian backup /media/usb/plant.hulian
    """
    from hulian.assembly.backup import backup as save

    configuration = read_configuration(config)
    say = _quiet if json else _say
    manifest = anyio.run(partial(save, configuration, config, target, say=say, progress=_meter(quiet=json)))
    size = target.stat().st_size
    if json:
        emit({"file": str(target), "bytes": size, "files": len(manifest.entries)})
    else:
        print(f"{target}: {size / 2**20:,.1f} MiB, {len(manifest.entries)} files")


def restore(
    source: Annotated[Path, Parameter(help="a file that 'hulian backup' wrote")],
    /,
    *,
    config: ConfigFile = None,
) -> None:
    """Make a node's data directory from a backup. The directory must not exist; nothing is overwritten.

    Example:

        hulian restore /media/usb/plant.hulian && hulian up
    """
    from hulian.assembly.backup import restore as bring_back

    configuration = read_configuration(config)
    manifest = bring_back(configuration, source, progress=_meter(quiet=False))
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(manifest.created / 1e9))
    print(f"{configuration.node.data}: as it was on {when}. Start it with 'hulian up'.")


def _say(text: str) -> None:
    print(f"· {text}", flush=True)


def _quiet(text: str) -> None:
    return


def _meter(*, quiet: bool) -> Callable[[str, int, int], None]:
    """Progress on a terminal, at most four times a second."""
    due = 0.0

    def progress(name: str, done: int, total: int) -> None:
        nonlocal due
        if quiet or not sys.stderr.isatty():
            return
        now = time.monotonic()
        if now >= due or done == total:
            due = now + 0.25
            share = 100 * done / total if total else 100
            print(f"\r  {share:3.0f} %  {name[-60:]:<60}", end="\n" if done == total else "", file=sys.stderr, flush=True)

    return progress
