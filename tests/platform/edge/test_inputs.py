"""Files, pushed bodies and tables through the edge as assembly builds it: what may be read, where memory lies, what arrives."""

from __future__ import annotations

import contextlib
import sqlite3
from contextlib import closing

import anyio
import httpx
import pytest
from spines import spine_server

from hulian.assembly.inputs import ListenerInputs
from hulian.assembly.uplink import SpineUplink
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Binding, Credentials
from hulian.network.exchange.spine import codec
from hulian.network.exchange.spine.publisher import Publisher
from hulian.platform.edge.config import EdgeConfiguration
from hulian.platform.edge.contract import ConnectorPlan
from hulian.platform.edge.protocols import installed
from hulian.platform.edge.service import EdgeService
from hulian.trust.peers import Peers

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not {"files", "http", "sql"} <= set(installed()), reason="Hulian was installed before these protocols"),
]


class Plant:
    def __init__(self, *plans):
        self._plans = plans

    def plans(self):
        return list(self._plans)


def plan(protocol, url, address, series, password="", **settings):
    binding = Binding(series=series, address=address, storage=StorageClass.DOUBLE)
    return ConnectorPlan(
        name=protocol, protocol=protocol, url=url, settings=settings, credentials=Credentials(password=password), enabled=True,
        bindings=(binding,),
    )  # fmt: skip


async def test_every_input_reaches_the_spine_and_keeps_its_memory_beside_its_journal(tmp_path, ports):
    drop, port = tmp_path / "drop", ports()
    drop.mkdir()
    (drop / "log.csv").write_text("time,a\n1700000000,1.5\n")
    with closing(sqlite3.connect(drop / "plant.db")) as connection, connection:
        connection.execute("CREATE TABLE t (ts INTEGER, a REAL)")
        connection.execute("INSERT INTO t VALUES (1700000000, 2.5)")
    plant = Plant(
        plan("files", f"file://{drop}/*.csv", "column=a", 1, poll=0.05),
        plan("sql", f"sqlite:///{drop}/plant.db", "table=t;column=a", 2, tables=[{"table": "t"}], poll=0.05),
        plan("http", f"http-push://127.0.0.1:{port}", "line:m:v", 3, password="t0ken"),
    )
    found = {}
    async with spine_server(tmp_path, ports()) as server, await server.connect("api") as observer:

        async def collect():
            async for message in observer.messages("hl.plant.samples.>"):
                columns = codec.decode(message.payload).columns
                found.update(zip(columns.series.tolist(), columns.value.to_pylist(), strict=True))

        async with await server.connect("edge") as spine, Publisher(spine, timeout=3.0) as publisher:
            service = EdgeService(
                "plant", tmp_path / "edge", EdgeConfiguration(), plant, SpineUplink(spine, publisher, "plant"),
                Peers(tmp_path / "peers"), inputs=ListenerInputs(spine, tmp_path / "mqtt", (str(drop),)),
            )  # fmt: skip
            async with anyio.create_task_group() as group, httpx.AsyncClient(trust_env=False) as client:
                group.start_soon(collect)
                await group.start(service.run)
                with anyio.fail_after(60):
                    while len(found) < 3:
                        with contextlib.suppress(httpx.HTTPError):  # it may not listen yet
                            token = {"Authorization": "Bearer t0ken"}
                            await client.post(f"http://127.0.0.1:{port}/write", content="m v=3.5", headers=token)
                        await anyio.sleep(0.1)
                group.cancel_scope.cancel()
    assert found == {1: 1.5, 2: 2.5, 3: 3.5}
    for name in ("files", "sql"):
        assert (tmp_path / "edge" / name / "input" / "bookmarks.sqlite").exists()
