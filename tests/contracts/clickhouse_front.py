"""The HTTP face of ClickHouse over a chdb in this process: the engine is real, only the way to it is short.

Lets the server implementation be tested where no ClickHouse server is installed. Prints its port and serves until killed.
"""

from __future__ import annotations

import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from chdb.session import Session

OURS = {
    "query",
    "database",
    "session_id",
    "client_protocol_version",
    "wait_end_of_query",
    "compress",
    "query_id",
    "enable_http_compression",
    "send_progress_in_http_headers",
    "http_headers_progress_interval_ms",
    "cancel_http_readonly_queries_on_client_close",
    "default_format",
    "role",
}
PATH = sys.argv[1]
local = threading.local()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.answer(b"")

    def do_POST(self) -> None:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answer(body)

    def answer(self, body: bytes) -> None:
        parameters = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        settings = {name: value for name, value in parameters.items() if name not in OURS}
        query = parameters.get("query", "")
        if not query and body[:6].upper() == b"INSERT":
            head, _, body = body.partition(b"\n")
            query = head.decode()
        session = Session(PATH)
        try:
            if query.lstrip().upper().startswith("INSERT") and "FORMAT" in query:
                statement, _, kind = query.rpartition("FORMAT")
                with session.send_insert(statement + clause(settings), kind.strip()) as stream:
                    stream.append(body)
                    stream.finish()
                result = b""
            else:
                text = f"{query}\n{body.decode()}".strip() if body else query
                head, _, kind = text.rpartition("FORMAT ")
                statement, kind = (head, kind.strip()) if head and " " not in kind.strip() else (text, "TabSeparated")
                if text.split()[0].upper() not in ("SELECT", "WITH"):
                    settings = {}
                result = session.query(statement.rstrip() + clause(settings), kind).bytes()
            self.reply(200, result)
        except Exception as error:
            self.reply(500, str(error).encode())
        finally:
            session.close()

    def reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-ClickHouse-Summary", "{}")
        if status != 200:
            self.send_header("X-ClickHouse-Exception-Code", body.partition(b"Code: ")[2].partition(b".")[0].decode() or "1")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def clause(settings: dict[str, str]) -> str:
    quoted = ", ".join(name + " = '" + value.replace("'", "\\'") + "'" for name, value in settings.items())
    return f" SETTINGS {quoted}" if settings else ""


keep = Session(PATH)
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
print(server.server_address[1], flush=True)
server.serve_forever()
