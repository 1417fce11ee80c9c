"""A device that answers every request with random bytes, on any TCP port."""

from __future__ import annotations

import contextlib
import os
import socketserver
import threading


class _Babble(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        with contextlib.suppress(OSError):
            while self.request.recv(4096):
                self.request.sendall(os.urandom(256))


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


@contextlib.contextmanager
def garbage_device(port: int):
    """Serves until the end of the block."""
    with _Server(("127.0.0.1", port), _Babble) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
