"""The fork server of a node: ``python -m hulian.cli.preloading DESCRIPTOR``, started by ``hulian up``.

It loads what every component needs, and no more: a library that begins threads when it is loaded cannot be forked safely.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hulian.platform.infrastructure.forking import ForkServer

__all__ = ["fork_server"]

_SHARED: Final = ("hulian.cli.node", "hulian.cli.output", "hulian.assembly.components", "hulian.assembly.preparation")


@contextlib.contextmanager
def fork_server() -> Iterator[ForkServer | None]:
    """A fork server that loads while its caller goes on; None where there can be none, and processes are executed."""
    from hulian.platform.infrastructure.forking import ForkServer
    from hulian.platform.infrastructure.process import ENVIRONMENT

    try:
        server = ForkServer([sys.executable, "-m", __name__], ENVIRONMENT)
    except OSError:
        yield None
        return
    with server:
        yield server


def _main(descriptor: int) -> None:
    from hulian.cli import main
    from hulian.platform.infrastructure.forking import serve
    from hulian.platform.infrastructure.process import without_pandas

    gc.disable()
    without_pandas()
    for name in _SHARED:
        importlib.import_module(name)
    # What is loaded stays: the collector of a fork need not look through it, which would copy its pages.
    gc.freeze()
    request = serve(descriptor)
    if request is None:
        return
    gc.enable()
    request.adopt()
    sys.modules["__main__"] = importlib.import_module("hulian.__main__")  # what a process of its own loads first
    sys.argv[1:] = request.arguments
    _entitle(request.arguments)
    main(request.arguments)


def _entitle(arguments: list[str]) -> None:
    """What ``ps`` shows of this process."""
    try:
        from setproctitle import setproctitle
    except ImportError:
        return
    setproctitle(" ".join([Path(sys.executable).name, "-m", "hulian", *arguments]))


if __name__ == "__main__":
    _main(int(sys.argv[1]))
