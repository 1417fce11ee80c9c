"""Connectors, journal and spine together: a real Modbus device, a real nats-server."""

import json

import anyio
import msgspec
import pytest
from spines import spine_server

from hulian.assembly.uplink import SpineUplink
from hulian.kernel.identifier import series_id
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Binding, Credentials
from hulian.network.exchange.protocols.modbus.simulator import Simulator
from hulian.network.exchange.spine import codec
from hulian.network.exchange.spine.errors import SpineUnavailableError
from hulian.network.exchange.spine.publisher import Publisher
from hulian.network.exchange.spine.streams import SAMPLES, Subjects, state
from hulian.platform.edge.config import EdgeConfiguration
from hulian.platform.edge.contract import ConnectorPlan
from hulian.platform.edge.service import EdgeService
from hulian.trust.peers import Peers

pytestmark = pytest.mark.anyio
SUBJECTS = Subjects("plant")


class Plant:
    """What is configured now; the test changes it."""

    def __init__(self, *plans):
        self.now = list(plans)

    def plans(self):
        return list(self.now)


def binding(address, storage=StorageClass.DOUBLE, writable=False):
    return Binding(series=series_id("plant", "line", address, storage), address=address, storage=storage, writable=writable)


def plan(name, url, *bindings, **changes):
    return ConnectorPlan(
        name=name,
        protocol="modbus",
        url=url,
        settings=changes.get("settings", {"interval": 0.05}),
        credentials=Credentials(),
        enabled=changes.get("enabled", True),
        bindings=bindings,
        problem=changes.get("problem"),
    )


@pytest.fixture
async def spine(tmp_path, ports):
    async with spine_server(tmp_path, ports()) as server:
        yield server


class Edge:
    """An edge service in a scope of its own, and an observer on the spine."""

    def __init__(self, group, server, plant, tmp_path, **settings):
        self.group, self.server, self.plant, self.tmp_path = group, server, plant, tmp_path
        self.settings = EdgeConfiguration(**settings)
        self.scope = anyio.CancelScope()

    async def start(self):
        ready = anyio.Event()
        ended = anyio.Event()

        async def run():
            with self.scope:
                async with await self.server.connect("edge") as spine, Publisher(spine, timeout=3.0) as publisher:
                    service = EdgeService(
                        "plant",
                        self.tmp_path / "edge",
                        self.settings,
                        self.plant,
                        SpineUplink(spine, publisher, "plant"),
                        Peers(self.tmp_path / "peers"),
                    )

                    async with anyio.create_task_group() as inner:
                        await inner.start(service.run)
                        ready.set()
            ended.set()

        self.group.start_soon(run)
        self.ended = ended
        with anyio.fail_after(20):
            await ready.wait()
        return self

    async def stop(self):
        self.scope.cancel()
        await self.ended.wait()


async def collect(spine, batches):
    async for message in spine.messages("hl.plant.samples.>"):
        batches.append(codec.decode(message.payload))


async def until(condition, seconds=20):
    with anyio.fail_after(seconds):
        while not condition():
            await anyio.sleep(0.02)


async def ask(server, **request):
    """The edge's answer; after a restart of the spine its subscription comes back a moment later."""
    async with await server.connect("api") as spine:
        with anyio.fail_after(20):
            while True:
                try:
                    answer = await spine.request(SUBJECTS.control("edge"), msgspec.json.encode(request), timeout=15)
                    return json.loads(answer.payload)
                except SpineUnavailableError:
                    await anyio.sleep(0.1)


async def test_samples_of_a_device_reach_the_spine_numbered_without_a_hole(tmp_path, spine):
    batches = []
    async with Simulator() as device, anyio.create_task_group() as group, await spine.connect("api") as observer:
        await device.set("holding@0:float32", 12.5)
        group.start_soon(collect, observer, batches)
        edge = await Edge(group, spine, Plant(plan("line", device.url, binding("holding@0:float32"))), tmp_path).start()
        await until(lambda: len(batches) >= 5)
        await edge.stop()
        headers = [batch.header for batch in batches]
        assert [header.sequence for header in headers[:5]] == [1, 2, 3, 4, 5]
        assert [header.offset for header in headers[:5]] == [0, 1, 2, 3, 4]
        assert {header.source for header in headers} == {"line"}
        assert batches[-1].columns.value.to_pylist() == [12.5]
        group.cancel_scope.cancel()


async def test_a_killed_spine_costs_no_sample(tmp_path, spine):
    async with Simulator() as device, anyio.create_task_group() as group:
        await device.set("holding@0:float32", 1.0)
        edge = await Edge(group, spine, Plant(plan("line", device.url, binding("holding@0:float32"))), tmp_path).start()
        answer = await ask(spine, do="status")
        await anyio.sleep(0.5)
        await spine.stop()
        await anyio.sleep(1.0)
        await spine.start()
        before = (await ask(spine, do="status"))["connectors"][0]["journal"]["sequence"]
        assert before > answer["connectors"][0]["journal"]["sequence"] + 10

        async def stored():
            async with await spine.connect("supervisor") as node:
                return (await state(node, SAMPLES)).last

        with anyio.fail_after(30):
            while await stored() < before:
                await anyio.sleep(0.1)
        journal = (await ask(spine, do="status"))["connectors"][0]["journal"]
        assert journal["dropped"] == 0
        await edge.stop()
        group.cancel_scope.cancel()


async def test_a_change_restarts_only_its_connector_and_a_removed_one_ends(tmp_path, spine):
    async with Simulator() as one, Simulator() as two, anyio.create_task_group() as group:
        await one.set("holding@0", 1)
        await two.set("holding@0", 2)
        plant = Plant(
            plan("one", one.url, binding("holding@0", StorageClass.INTEGER)),
            plan("two", two.url, binding("holding@0", StorageClass.INTEGER)),
        )
        edge = await Edge(group, spine, plant, tmp_path).start()
        await until(lambda: one.requests > 2 and two.requests > 2)
        connections = one.connections
        plant.now[1] = plan(
            "two", two.url, binding("holding@0", StorageClass.INTEGER), binding("holding@1", StorageClass.INTEGER)
        )
        before = two.connections
        assert await ask(spine, do="reload") == {"ok": True}
        await until(lambda: two.connections == before + 1)
        assert one.connections == connections
        plant.now.pop(0)
        assert await ask(spine, do="reload") == {"ok": True}
        assert [item["name"] for item in (await ask(spine, do="status"))["connectors"]] == ["two"]
        await edge.stop()
        group.cancel_scope.cancel()


async def test_a_reload_that_fails_is_answered_and_ends_no_connector(tmp_path, spine):
    class Moody(Plant):
        broken = False

        def plans(self):
            if self.broken:
                raise RuntimeError("the registry is locked")
            return super().plans()

    batches = []
    async with Simulator() as device, anyio.create_task_group() as group, await spine.connect("api") as observer:
        await device.set("holding@0:float32", 1.0)
        group.start_soon(collect, observer, batches)
        plant = Moody(plan("line", device.url, binding("holding@0:float32")))
        edge = await Edge(group, spine, plant, tmp_path).start()
        await until(lambda: batches)
        plant.broken = True
        answer = await ask(spine, do="reload")
        assert answer["error"]["code"] == "HL-EDGE-0013"
        assert "RuntimeError" in answer["error"]["message"]
        before = len(batches)
        await until(lambda: len(batches) > before + 3)
        plant.broken = False
        assert await ask(spine, do="reload") == {"ok": True}
        await edge.stop()
        group.cancel_scope.cancel()


async def test_a_hopeless_configuration_is_shown_and_harms_no_neighbour(tmp_path, spine):
    async with Simulator() as device, anyio.create_task_group() as group:
        await device.set("holding@0", 1)
        plant = Plant(
            plan("bad", device.url, settings={"intervall": 1}),
            plan("unknown", "ftp://x").__class__(**{**_fields(plan("unknown", "ftp://x")), "protocol": "ftp"}),
            plan("secretless", device.url, problem={"code": "HL-CONFIG-0003", "message": "no such secret", "hint": "set it"}),
            plan("good", device.url, binding("holding@0", StorageClass.INTEGER)),
        )
        edge = await Edge(group, spine, plant, tmp_path).start()
        await until(lambda: device.requests > 3)
        found = {item["name"]: item["status"] for item in (await ask(spine, do="status"))["connectors"]}
        assert found["bad"]["state"] == "refused"
        assert "interval" in found["bad"]["hint"]
        assert found["unknown"]["error_code"] == "HL-EDGE-0002"
        assert found["secretless"]["error_code"] == "HL-CONFIG-0003"
        assert found["good"]["state"] == "connected"
        await edge.stop()
        group.cancel_scope.cancel()


def _fields(struct):
    return {name: getattr(struct, name) for name in struct.__struct_fields__}


async def test_writing_is_only_for_points_that_are_writable(tmp_path, spine):
    async with Simulator() as device, anyio.create_task_group() as group:
        await device.set("holding@0", 1)
        await device.set("holding@5", 1)
        plant = Plant(
            plan(
                "line",
                device.url,
                binding("holding@0", StorageClass.INTEGER, writable=True),
                binding("holding@5", StorageClass.INTEGER),
            )
        )
        edge = await Edge(group, spine, plant, tmp_path).start()
        await until(lambda: device.requests > 1)
        assert await ask(spine, do="write", connector="line", address="holding@0", value=77) == {"ok": True}
        assert device.memory().get("holding", 0) == [77] or list(device.memory().get("holding", 0)) == [77]
        for request, code in (
            ({"connector": "line", "address": "holding@5"}, "HL-EDGE-0005"),
            ({"connector": "line", "address": "holding@9"}, "HL-EDGE-0004"),
            ({"connector": "nobody", "address": "holding@0"}, "HL-EDGE-0003"),
        ):
            assert (await ask(spine, do="write", value=1, **request))["error"]["code"] == code
        late = await ask(spine, do="write", connector="line", address="holding@0", value=5, expires=1)
        assert late["error"]["code"] == "HL-EDGE-0009"
        once = {"do": "write", "connector": "line", "address": "holding@0", "identity": "a"}
        assert await ask(spine, **once, value=8) == {"ok": True}
        assert await ask(spine, **once, value=9) == {"ok": True}
        assert list(device.memory().get("holding", 0)) == [8]
        assert (await ask(spine, do="dance"))["error"]["code"] == "HL-EDGE-0006"
        await edge.stop()
        group.cancel_scope.cancel()


async def test_a_restarted_edge_goes_on_where_it_ended(tmp_path, spine):
    batches = []
    async with Simulator() as device, anyio.create_task_group() as group, await spine.connect("api") as observer:
        await device.set("holding@0:float32", 3.0)
        group.start_soon(collect, observer, batches)
        plant = Plant(plan("line", device.url, binding("holding@0:float32")))
        for _ in range(3):
            edge = await Edge(group, spine, plant, tmp_path).start()
            before = len(batches)
            await until(lambda before=before: len(batches) > before + 3)
            await edge.stop()
        sequences = sorted({batch.header.sequence for batch in batches})
        assert len({batch.header.epoch for batch in batches}) == 1
        assert sequences == list(range(1, len(sequences) + 1))
        group.cancel_scope.cancel()
