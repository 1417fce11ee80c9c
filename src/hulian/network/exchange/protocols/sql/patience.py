"""How long a database may keep us waiting. The limit of a statement is the server's to keep; a dead line carries neither it
nor its error, so the wait is bounded on our side too: the connection is hung up, and whoever waits for it hears that."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from typing import Any

__all__ = ["Patience"]


class Patience:
    """The one connection of a database, and a clock that hangs it up. Calls may come from any thread."""

    def __init__(self) -> None:
        self.expired = False
        """Whether the last wait ended because it was too long."""
        self._lock = threading.Lock()
        self._raw: Any = None
        self._timer: threading.Timer | None = None
        self._within = 0.0

    def opened(self, raw: Any, *_: object) -> None:
        """The driver has made this connection."""
        self._raw = raw

    @contextlib.contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Hangs up where the block, or what lies between two calls of `again`, takes longer than ``seconds``."""
        self.expired, self._within = False, seconds
        self.again()
        try:
            yield
        finally:
            self._within = 0.0
            self._stop()

    def again(self, *_: object) -> None:
        """Something came, or a new statement begins: the time begins anew."""
        self._stop()
        if self._within:
            timer = threading.Timer(self._within, lambda: self._expire(timer))
            timer.daemon = True
            with self._lock:
                self._timer = timer
            timer.start()

    def _stop(self) -> None:
        with self._lock:
            timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _expire(self, timer: threading.Timer) -> None:
        with self._lock:
            if self._timer is not timer:
                return
            self.expired = True
        self.hang_up()

    def hang_up(self) -> None:
        """Ends the connection under whoever waits for it; a driver that hides its socket keeps its own time limits."""
        descriptor = _descriptor(self._raw)
        if descriptor is None:
            return
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as line:
            line.shutdown(socket.SHUT_RDWR)


def _descriptor(raw: Any) -> int | None:
    """The socket of a connection of psycopg (``fileno``) or PyMySQL (``_sock``)."""
    try:
        source = raw if hasattr(raw, "fileno") else getattr(raw, "_sock", None)
        return None if source is None else int(source.fileno())
    except Exception:  # noqa: BLE001 - a connection that is closed already says so in its driver's own words
        return None
