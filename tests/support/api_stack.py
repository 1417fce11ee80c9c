"""A real platform around the API: nats-server, the historian in a process, registry, trust and catalogue on disk.

The API runs in a thread of this process, so that a test can look into it; everything else is what a node runs. The edge is
a small double: it answers control requests and publishes what a test tells it to, through the edge's own account.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import anyio
import httpx
import msgspec
import numpy as np
import pytest
from free_ports import free_port
from spines import SpineServer

from hulian.data.catalogue import Catalogue, ConnectorRecord
from hulian.data.ingest.client import QueryClient
from hulian.kernel.identifier import escape
from hulian.kernel.point import Kind, Point
from hulian.kernel.sample import BatchHeader, Columns, SampleBatch
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.semantics.together import Semantics
from hulian.network.exchange.spine.bundle import columns_of
from hulian.network.exchange.spine.codec import encode
from hulian.network.exchange.spine.streams import figures
from hulian.platform.api.application import build_application
from hulian.platform.api.configuration import ApiConfiguration
from hulian.platform.api.contract import Dependencies
from hulian.platform.api.service import ApiService
from hulian.registry import Registry
from hulian.trust import Trust

ORGANISATION = "plant"
SECOND = 1_000_000_000
HERE = Path(__file__).parent


class Caller(httpx.Client):
    """A client that may have made requests before it is used in ``with``."""

    def __enter__(self):
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class Edge:
    """Answers what the API asks of the edge, and remembers it; sends samples as the edge does."""

    def __init__(self) -> None:
        self.asked: list[dict] = []
        self.nodes: list[dict] = []
        self.refusal: dict | None = None
        self.sequence: dict[str, tuple[int, int]] = {}

    async def answer(self, message) -> bytes:
        request = msgspec.json.decode(message.payload)
        self.asked.append(request)
        if self.refusal:
            return msgspec.json.encode({"error": self.refusal})
        if request["do"] == "browse":
            return msgspec.json.encode({"protocol": "opcua", "nodes": self.nodes, "truncated": False})
        return b'{"ok":true}'


class Stack:
    """Started once a module; ``url`` is where the API is, ``password`` the administrator's."""

    def __init__(self, directory: Path, port: int, **settings) -> None:
        self.directory = directory
        self.settings = ApiConfiguration(port=0, **settings)
        self.scratch = directory / "scratch"
        self.scratch.mkdir(exist_ok=True)
        self.spine_port = port
        self.edge = Edge()
        self.url = ""
        self.password = ""
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    # -- life --------------------------------------------------------------------------------------------------------

    def __enter__(self) -> Stack:
        self.registry = Registry.open(self.directory / "registry.db")
        self.trust = Trust.open(self.registry, self.directory, ORGANISATION)
        self.password = self.trust.bootstrap()
        self.catalogue = Catalogue(self.registry, ORGANISATION)
        self._thread.start()
        if not self._ready.wait(90) or self._failure:
            raise AssertionError(f"the stack did not start: {self._failure!r}")
        return self

    def __exit__(self, *error: object) -> None:
        self.loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)
        if self.semantics:
            self.semantics.close()
        self.registry.close()

    def _run(self) -> None:
        try:
            anyio.run(self._main, backend_options={"use_uvloop": True})
        except BaseException as error:
            self._failure = error
            self._ready.set()

    async def _main(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self.spine_server = SpineServer(self.directory, self.spine_port, organisation=ORGANISATION)
        try:
            await self.spine_server.start()
            await self.start_historian()
            async with (
                await self.spine_server.connect("api") as spine,
                await self.spine_server.connect("edge") as self.edge_spine,
                anyio.create_task_group() as group,
            ):
                group.start_soon(self._serve_edge)
                self.queries = QueryClient(spine, ORGANISATION)
                self.dependencies = Dependencies(
                    organisation=ORGANISATION,
                    prefix="99.118.8",
                    trust=self.trust,
                    catalogue=self.catalogue,
                    spine=spine,
                    queries=self.queries,
                    decode=columns_of,
                    configuration=self.settings,
                    streams=lambda: figures(spine),
                    accounts_changed=self._accounts_changed,
                    console=self.directory / "console",
                    own_secrets=frozenset({"clickhouse"}),
                    semantics=self.open_semantics,
                    scratch=self.scratch,
                    **self.further(),
                )
                self.service = ApiService(self.dependencies)
                await group.start(self.service.run)
                self.url = self.service.url
                self._ready.set()
                await self._stop.wait()
                group.cancel_scope.cancel()
        finally:
            if self.semantics:
                self.semantics.close()
            if self.historian:
                self.historian.kill()
                self.historian.wait()
            await self.spine_server.stop()

    semantics: Semantics | None = None

    def open_semantics(self) -> Semantics:
        if self.semantics is None:
            self.semantics = Semantics(self.registry)
        return self.semantics

    def further(self) -> dict:
        """Dependencies of tests that serve more."""
        return {}

    accounts_told = 0
    _admin: tuple[str, str] | None = None
    historian: subprocess.Popen | None = None

    async def _accounts_changed(self) -> None:
        self.accounts_told += 1

    async def start_historian(self) -> None:
        password = self.spine_server.accounts.password("historian")
        command = [sys.executable, str(HERE / "api_historian.py"), str(self.directory), self.spine_server.settings.url]
        with (self.directory / "historian.log").open("ab") as log:
            self.historian = subprocess.Popen([*command, password, ORGANISATION], stdout=subprocess.PIPE, stderr=log)
        line = await anyio.to_thread.run_sync(self.historian.stdout.readline)
        assert line.strip() == b"ready", (self.directory / "historian.log").read_text()

    async def _serve_edge(self) -> None:
        async def handler(message) -> None:
            await self.edge_spine.publish(message.reply, await self.edge.answer(message))

        await self.edge_spine.serve(f"hl.{escape(ORGANISATION)}.control.edge", handler)

    def call(self, function, *arguments):
        """Runs a coroutine function in the API's loop and waits for it."""
        return asyncio.run_coroutine_threadsafe(function(*arguments), self.loop).result(30)

    # -- the plant ---------------------------------------------------------------------------------------------------

    def connector(self, name: str, points: dict[str, StorageClass], **more) -> list[Point]:
        """Adds a connector and its points ``99.118.8/<name>#<property>``."""
        listed = [
            Point(
                name=f"99.118.8/{name}#{key}",
                series=0,
                storage=storage,
                kind=Kind.CONTINUOUS if storage is StorageClass.DOUBLE else Kind.STEP,
                tag=f"{name}-{key}".upper(),
                path="site/area",
                unit="bar" if storage is StorageClass.DOUBLE else "",
                connector=name,
                address=f"ns=2;s={name}.{key}",
                **more,
            )
            for key, storage in points.items()
        ]
        self.catalogue.add_connector(ConnectorRecord(name=name, protocol="opcua", url="opc.tcp://127.0.0.1:1"), listed)
        return [self.catalogue.point(point.name).point for point in listed]

    def publish(self, source: str, columns: Columns) -> None:
        """Sends a batch as the edge does: numbered, acknowledged by the stream."""
        sequence, offset = self.edge.sequence.get(source, (0, 0))
        header = BatchHeader(ORGANISATION, source, 1, sequence + 1, offset, time.time_ns())
        self.edge.sequence[source] = (sequence + 1, offset + len(columns))
        payload = encode(SampleBatch(header, columns))

        async def send() -> None:
            answer = await self.edge_spine.request(f"hl.{escape(ORGANISATION)}.samples.{escape(source)}", payload)
            assert b'"seq"' in answer.payload, answer.payload

        self.call(send)

    def ramp(self, point: Point, count: int, *, end: int | None = None, step: int = SECOND) -> None:
        """``count`` doubles 0, 1, 2 … for ``point``, the last one at ``end`` (now)."""
        last = time.time_ns() if end is None else end
        times = last - step * np.arange(count - 1, -1, -1, dtype=np.int64)
        self.publish(point.connector, Columns.doubles(np.full(count, point.series, np.uint64), times, np.arange(count)))

    def say(self, component: str, name: str, document: dict, **more: object) -> None:
        """A status message as the edge sends it."""
        plain = {"name": name, "protocol": "opcua", "enabled": True, "status": document, "restarts": 0, "journal": {}}
        document = {**plain, **more}
        subject = f"hl.{escape(ORGANISATION)}.status.{component}.{escape(name)}"
        self.call(self.edge_spine.publish, subject, msgspec.json.encode(document))

    # -- callers -----------------------------------------------------------------------------------------------------

    def anonymous(self, **headers: str) -> Caller:
        return Caller(base_url=f"{self.url}/api/v1", headers=headers, timeout=30)

    def browser(self, user: str = "admin", password: str = "") -> Caller:
        """A logged-in browser with the proof that a page sends along; the administrator logs in once for all tests."""
        client = self.anonymous()
        if user == "admin" and self._admin:
            client.cookies.set("hulian_session", self._admin[0])
            client.headers["x-hulian-csrf"] = self._admin[1]
            return client
        reply = client.post("/session", json={"user": user, "password": password or self.password})
        assert reply.status_code == 200, reply.text
        client.headers["x-hulian-csrf"] = reply.json()["csrf"]
        if user == "admin":
            self._admin = (client.cookies["hulian_session"], reply.json()["csrf"])
        return client

    def token(self, *scopes: str, owner: str = "admin") -> str:
        return self.trust.tokens.issue(owner, "test", scopes or ("read",), by=owner).secret

    def program(self, *scopes: str) -> Caller:
        return self.anonymous(Authorization=f"Bearer {self.token(*scopes)}")

    def application(self):
        """The same application, built again, to look at its routes."""
        return build_application(self.dependencies)


def eventually(condition, seconds: float = 15.0, what: str = "the condition"):
    """The first true answer of ``condition`` before the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        if answer := condition():
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true")
        time.sleep(0.05)


@contextlib.contextmanager
def a_stack(directory: Path) -> Iterator[Stack]:
    """A platform under ``directory``, with a console of one page."""
    console = directory / "console"
    (console / "assets").mkdir(parents=True)
    page = "<!doctype html><title>Hulian</title><script src=/assets/app-1.js></script>" + " " * 600
    (console / "index.html").write_text(page)
    (console / "assets" / "app-1.js").write_text("export const a = 1;\n" * 100)
    (console / "assets" / "app-1.js.br").write_bytes(b"brotli bytes")
    with Stack(directory, free_port()) as running:
        yield running


@pytest.fixture(scope="session")
def stack(tmp_path_factory):
    """The shared platform; a test adds its own connector."""
    with a_stack(tmp_path_factory.mktemp("api")) as running:
        yield running


@pytest.fixture(scope="module")
def fresh_stack(tmp_path_factory):
    """A platform in which nothing is: for tests that look at the whole of the model or of a dictionary."""
    with a_stack(tmp_path_factory.mktemp("api")) as running:
        yield running
