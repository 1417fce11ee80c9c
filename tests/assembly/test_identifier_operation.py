"""Nodes as they are run, by their configuration: reports arrive, one node takes over for another, keys roll over meanwhile."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path

import anyio
import pytest
from identifier_nodes import QUICK, _migrated, identity, private_key, public_key, question, text

from hulian.assembly import identifier_key, rollover
from hulian.assembly.configuration import Configuration
from hulian.assembly.identifier_key import own_key, proving, read_rolling
from hulian.assembly.identifiers import identifier_node, local_rest, root_data, root_file
from hulian.assembly.preparation import open_registry
from hulian.cli import main
from hulian.kernel.configuration import load
from hulian.network.identifiers.chain import follow as follow_module
from hulian.network.identifiers.chain import lookup
from hulian.network.identifiers.chain.administer import Administer
from hulian.network.identifiers.chain.follow import Follow
from hulian.network.identifiers.chain.sites import Target
from hulian.network.identifiers.nodes import reporting
from hulian.network.identifiers.nodes.beginning import ADMIN, admin_value, key_value, node_key, site_value
from hulian.network.identifiers.nodes.probe import Probe
from hulian.network.identifiers.nodes.service import NodeService
from hulian.network.identifiers.nodes.takeover import INDEX
from hulian.network.identifiers.statistics.errors import DeliveryError
from hulian.network.identifiers.statistics.events import FaultEvent
from hulian.network.identifiers.statistics.report import Inbox
from hulian.network.identifiers.store import RecordStore
from hulian.network.identifiers.transport.client import Client
from hulian.network.identifiers.transport.connection import connection
from hulian.network.identifiers.wire.authentication import KeyIdentity, signer_for
from hulian.network.identifiers.wire.bodies import ResolveRequest
from hulian.network.identifiers.wire.codes import Transport
from hulian.network.identifiers.wire.typed.site import Site
from hulian.network.identifiers.wire.values import Reference, unpack_values

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]
PROBES = [Reference(f"88/PROBE{number}", 300) for number in (1, 2, 3)]
_loaded = cache(identifier_key.load_key)


@cache
def key_of_node(_name: str) -> bytes:
    return identifier_key.new_key()


async def until(condition) -> None:
    with anyio.fail_after(60):
        while not condition():
            await anyio.sleep(0.02)


class Three:
    """A root that 88 lives at, the enterprise 88.1 below it, and a recursive node."""

    def __init__(self, directory: Path, ports) -> None:
        names = ("root", "enterprise", "recursive")
        self._directory = directory
        self.ports, self.rest = {name: ports() for name in names}, {name: ports() for name in names}
        self._scopes: dict[str, anyio.CancelScope] = {}
        self._registries = {}
        self.nodes: dict[str, NodeService] = {}
        data = directory / "root" / "identifiers" / "root_info"
        probes = ", ".join(f'"{probe}"' for probe in PROBES)
        more = {
            "root": f'role = "root"\nprefixes = ["88"]\ntakeover = ["88.1"]\nprobes = [{probes}]\nmirror_s = 0.1\n'
            "takeover_hold_s = 0.1\n",
            "enterprise": f'role = "enterprise"\nprefixes = ["88.1"]\nroot = "{data}"\nmirrors = ["300:0.NA/88"]\n'
            f'report_to = "http://127.0.0.1:{self.rest["root"]}"\n',
            "recursive": f'role = "recursive"\nroot = "{data}"\n',
        }
        for name in names:
            head = f'[node]\ndata = "{directory / name}"\n[identifiers]\nport = {self.ports[name]}\n'
            (directory / f"{name}.toml").write_text(f"{head}rest_port = {self.rest[name]}\nrest_tls = false\n{more[name]}")
            folder = directory / name / "identifiers"
            folder.mkdir(parents=True)
            folder.chmod(0o700)
            (directory / name / "registry.db").write_bytes(_migrated())
            (folder / "administrator.pem").write_bytes(key_of_node(name))
            (folder / "administrator.pem").chmod(0o600)

    def file(self, name: str) -> str:
        return str(self._directory / f"{name}.toml")

    def configuration(self, name: str) -> Configuration:
        return load(self._directory / f"{name}.toml", Configuration)

    def follow(self, **more) -> Follow:
        return Follow(root_data(root_file(self.configuration("root"))), Client(tries=QUICK, tcp_seconds=2), **more)

    def store(self, name: str) -> RecordStore:
        return self.nodes[name]._store

    def administer(self, name: str, follow: Follow | None = None) -> Administer:
        index, own = proving(self.configuration(name))
        prefix = {"root": "88", "enterprise": "88.1"}[name]
        return Administer(follow or self.follow(), connection, KeyIdentity(f"0.NA/{prefix}", index, own.signer))

    async def start(self, group: anyio.abc.TaskGroup, name: str) -> NodeService:
        if name not in self._registries:
            self._registries[name] = open_registry(self.configuration(name))
        node = self.nodes[name] = await anyio.to_thread.run_sync(
            identifier_node, self.configuration(name), self._registries[name]
        )
        ended = anyio.Event()

        async def run(*, task_status=anyio.TASK_STATUS_IGNORED) -> None:
            with anyio.CancelScope() as scope:
                self._scopes[name] = scope
                await node.run(task_status=task_status)
            ended.set()

        node.ended = ended
        await group.start(run)
        await until(lambda: node.rest_port)
        return node

    async def stop(self, name: str) -> None:
        self._scopes[name].cancel()
        await self.nodes[name].ended.wait()

    def close(self) -> None:
        for registry in self._registries.values():
            registry.close()


@pytest.fixture
async def three(tmp_path, ports, monkeypatch) -> AsyncIterator[tuple[Three, anyio.abc.TaskGroup]]:
    monkeypatch.setattr(lookup, "SECONDS", 0.1)
    monkeypatch.setattr(reporting, "SECONDS", 0.1)
    # Keys are real; each is made and read once, which is most of the work here.
    monkeypatch.setattr(rollover, "new_key", lambda: key_of_node("incoming"))
    monkeypatch.setattr(identifier_key, "load_key", _loaded)
    monkeypatch.setattr(rollover, "load_key", _loaded)
    monkeypatch.setattr(rollover, "_LOOK", 0.02)
    made = Three(tmp_path, ports)
    with contextlib.closing(made):
        async with anyio.create_task_group() as group:
            await made.start(group, "root")
            key = own_key(made.configuration("enterprise"))
            async with made.administer("root") as by:
                site = site_value("127.0.0.1", made.ports["enterprise"], key)
                await by.create("0.NA/88.1", [site, admin_value(node_key("88.1"), index=ADMIN), key_value(key)])
                for probe in PROBES:
                    await by.create(probe.handle, [public_key()])
            await made.start(group, "enterprise")
            yield made, group
            group.cancel_scope.cancel()


async def rolled(three: Three, name: str) -> None:
    """The key of a node gives way to another one, while the node runs."""
    old = own_key(three.configuration(name))
    await rollover.begin(three.configuration(name), three.follow(signed=False), settle=0.5)
    await rollover.finish(three.configuration(name), three.follow(signed=False), early=True, settle=0.5)
    assert read_rolling(three.configuration(name)).stage == "done"
    assert key_value(own_key(three.configuration(name))).data != key_value(old).data


async def test_reports_arrive_before_and_after_the_key_of_the_reporter_has_rolled_over(three):
    here, _ = three
    inbox = Inbox(here.store("root").registry)
    await until(lambda: inbox.of("88.1", "routes"))
    first = {one.report.begin for one in inbox.of("88.1", "routes")}
    await rolled(here, "enterprise")
    store = here.store("enterprise")
    store.create("0.NA/88.1.9", [site_value("192.0.2.9", 2641)])
    await until(lambda: {one.report.begin for one in inbox.of("88.1", "routes")} > first)
    (newest, *_) = inbox.of("88.1", "routes")
    assert {one.address for one in newest.report.routes} == {"192.0.2.9"}
    assert not here.nodes["enterprise"].statistics.faults.lasts(FaultEvent.UPSTREAM_UNREACHABLE, "reports")


async def test_a_node_takes_over_with_its_newest_key(three, monkeypatch):
    monkeypatch.setattr(follow_module, "AGAIN_SECONDS", 0.0)
    here, group = three
    root, below = here.nodes["root"], here.store("enterprise")
    below.create("88.1/item", [text("URL", "x")])
    copy = root._takeover._copies["88.1"]
    await until(lambda: copy.log.last == below.log.last)

    await rolled(here, "root")
    # Another connection of the copy: the enterprise believes the new key alone.
    await here.stop("enterprise")
    await here.start(group, "enterprise")
    below = here.store("enterprise")
    below.create("88.1/later", [text("URL", "y")])
    await until(lambda: copy.log.last == below.log.last)

    asker = local_rest(here.configuration("root"))
    quick = Client(tries=QUICK, tcp_seconds=2)
    probes = [
        Probe(
            here.follow(), "88.1/item", identity(who, private_key()), lambda body: asker.post("/api/votes", body), client=quick
        )
        for who in PROBES
    ]
    assert [(await probe.once()).up for probe in probes] == [True] * 3
    await here.stop("enterprise")
    for probe in probes:
        assert not (await probe.once()).up
        assert probe.trouble == ""
    await until(lambda: root._takeover.taken("88.1"))
    values = unpack_values(here.store("root").packed(b"0.NA/88.1"))
    (standing,) = [Site.unpack(value.data) for value in values if value.index == INDEX]
    assert standing.servers[0].public_key == key_value(own_key(here.configuration("root"))).data
    found = await here.follow().resolve(ResolveRequest("88.1/later"))
    assert (found.code, found.values[0].data) == (1, b"y")

    await here.start(group, "enterprise")

    async def seen_up() -> bool:
        for probe in probes:
            await probe.once()
        return not root._takeover.taken("88.1")

    with anyio.fail_after(60):
        while not await seen_up():
            await anyio.sleep(0.05)
    assert INDEX not in {value.index for value in unpack_values(here.store("root").packed(b"0.NA/88.1"))}


async def test_a_recursive_node_tells_its_statistics_to_those_who_run_it(three, capsys):
    here, group = three
    here.store("enterprise").create("88.1/item", [text("URL", "x")])
    node = await here.start(group, "recursive")
    client = Client(tries=(5.0, 5.0))
    target = Target("127.0.0.1", node.listener.port, Transport.UDP)
    assert (await client(target, question("88.1/item"))).response_code == 1
    assert (await client(target, question("88.1/none"))).response_code == 100

    configuration = here.configuration("recursive")
    asker = local_rest(configuration)
    own = KeyIdentity(f"0.NA/{configuration.node.prefix}", 300, signer_for(own_key(configuration)))
    told = await asker.get("/api/statistics?days=2", own)
    assert told["total"]["answers"] == {"resolve": {"1": 1, "100": 1}}
    assert sum(day["requests"] for day in told["days"]) == 2
    assert told["sources"]["most"] == [{"source": "127.0.0.1", "requests": 2}]
    assert told["faults"][0]["code"] == FaultEvent.STARTED.value
    # Everybody else is refused, whether their key is known in the hierarchy or not.
    forged = KeyIdentity(own.handle, 300, signer_for(private_key()))
    for who in (identity(PROBES[0]), identity(Reference("88/NOBODY", 300)), forged):
        with pytest.raises(DeliveryError) as refused:
            await asker.get("/api/statistics", who)
        assert refused.value.status == 401

    def status() -> str:
        with pytest.raises(SystemExit) as ended:
            main(["identifiers", "status", "-c", here.file("recursive")])
        assert ended.value.code == 0
        return capsys.readouterr().out

    assert FaultEvent.STARTED.value in await anyio.to_thread.run_sync(status)
    # What it has counted survives it.
    await here.stop("recursive")
    again = await here.start(group, "recursive")
    assert again.statistics.total.requests == 0
    told = await asker.get("/api/statistics?days=2", own)
    assert sum(day["requests"] for day in told["days"]) >= 2


async def test_an_administrator_that_the_configuration_names_runs_a_recursive_node(three):
    here, group = three
    path = Path(here.file("recursive"))
    path.write_text(f'{path.read_text()}administrators = ["{PROBES[0]}"]\n')
    await here.start(group, "recursive")
    asker = local_rest(here.configuration("recursive"))
    assert (await asker.get("/api/statistics", identity(PROBES[0])))["total"]["answers"] == {}
    configuration = here.configuration("recursive")
    own = KeyIdentity(f"0.NA/{configuration.node.prefix}", 300, signer_for(own_key(configuration)))
    with pytest.raises(DeliveryError) as refused:
        await asker.get("/api/statistics", own)
    assert refused.value.status == 403
