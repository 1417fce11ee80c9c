"""A web server that is not ours, that of Python's library: over TLS with a CA of its own, with documents from a test."""

from __future__ import annotations

import contextlib
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from hulian.trust.certificates import CertificateAuthority

__all__ = ["Foreign", "foreign_web"]

Reply = tuple[int, dict[str, str], bytes]


class Foreign:
    """``pages`` are replies by path, or makers of them; ``root_file`` is its CA, ``asked`` is what came, with its headers."""

    def __init__(self, port: int, root: Path) -> None:
        self.port, self.root_file = port, root
        self.host = f"localhost:{port}"
        self.url = f"https://{self.host}"
        self.pages: dict[str, Reply | Callable[[BaseHTTPRequestHandler], None]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []


@contextlib.contextmanager
def foreign_web(directory: Path) -> Iterator[Foreign]:
    authority = CertificateAuthority(directory / "ca", "Foreign")
    files = authority.server_certificate(["localhost", "127.0.0.1"], "foreign")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            page = made.pages.get(self.path, (404, {}, b""))
            if callable(page):
                page(self)
                return
            status, headers, body = page
            self.send_response(status)
            for name, value in {"content-length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    made = Foreign(server.server_address[1], authority.root_file())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
