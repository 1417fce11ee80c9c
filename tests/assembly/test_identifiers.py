"""The node of an installation: its first records, and the plant's names, kept like the catalogue is."""

from __future__ import annotations

import os
import sys

import anyio
import msgspec
import pytest
import structlog.testing

from hulian.assembly.configuration import Configuration, NodeConfiguration
from hulian.assembly.identifier_files import root_data, root_file
from hulian.assembly.identifiers import Publisher, identifier_node
from hulian.data.catalogue import Catalogue, ConnectorRecord
from hulian.kernel.errors import ConfigurationError
from hulian.kernel.identifier import escape
from hulian.kernel.point import Point
from hulian.network.identifiers.active.record import CARRIER_TYPE
from hulian.network.identifiers.chain.follow import Follow
from hulian.network.identifiers.nodes.beginning import node_key
from hulian.network.identifiers.nodes.configuration import IdentifiersConfiguration, Publish, Role
from hulian.network.identifiers.store import RecordStore, key_of
from hulian.network.identifiers.transport.client import Client
from hulian.network.identifiers.wire.bodies import ResolveRequest
from hulian.network.identifiers.wire.codes import ResponseCode
from hulian.network.identifiers.wire.values import Value
from hulian.registry import Registry

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]


@pytest.fixture
def configuration(tmp_path, ports) -> Configuration:
    return Configuration(
        node=NodeConfiguration(data=str(tmp_path / "data")), identifiers=IdentifiersConfiguration(port=ports(), rest_port=0)
    )


@pytest.fixture
def registry(configuration, tmp_path):
    (tmp_path / "data").mkdir()
    registry = Registry.open(tmp_path / "data" / "registry.db")
    yield registry
    registry.close()


def catalogue_of(configuration: Configuration, registry: Registry, points: int) -> Catalogue:
    catalogue = Catalogue(registry, configuration.node.organisation)
    catalogue.add_connector(ConnectorRecord(name="plc", protocol="opcua", url="opc.tcp://10.0.0.9:4840/secret"))
    catalogue.upsert_points([point(number) for number in range(points)])
    return catalogue


def point(number: int, **more) -> Point:
    return Point(
        name=f"99.118.8/泵-{number // 10}#p{number}",
        series=0,
        unit="bar",
        tag=f"PT-{number}",
        connector="plc",
        address=f"ns=2;s=X{number}",
        **more,
    )


async def resolved(follow: Follow, handle: str, kind: str = "HULIAN.DATA") -> tuple[int, bytes]:
    found = await follow.resolve(ResolveRequest(handle, types=(kind,)))
    return found.code, found.values[0].data if found.values else b""


async def until(condition) -> None:
    with anyio.fail_after(60):
        while not await condition():
            await anyio.sleep(0.05)


async def test_names_that_differ_only_in_case_are_one_name_and_told_of(configuration, registry):
    catalogue = catalogue_of(configuration, registry, 1)
    names = ("99.118.8/tank#a", "99.118.8/TANK#a", "99.118.8/tänk#a", "99.118.8/TÄNK#a")
    catalogue.upsert_points(
        [msgspec.structs.replace(point(1), name=name, address=f"ns=2;s={number}") for number, name in enumerate(names)]
    )
    store = RecordStore(registry)
    publisher = Publisher(configuration, registry, store, node_key("99.118.8"))
    with structlog.testing.capture_logs() as told:
        publisher.publish()
    (warned,) = told
    assert sorted(map(str.upper, warned["names"][0])) in (["99.118.8/TANK#A"] * 2, ["99.118.8/TANK"] * 2)
    assert store.packed(key_of("99.118.8/tänk#a")) != store.packed(key_of("99.118.8/TÄNK#a"))
    before = store.packed(key_of("99.118.8/tank#a"))
    publisher._seen = -1
    assert publisher.publish() == 0, "it is the same one every time"
    assert store.packed(key_of("99.118.8/tank#a")) == before


async def test_every_point_and_thing_resolves_for_who_knows_the_root_data_alone(configuration, registry):
    catalogue = catalogue_of(configuration, registry, 60)
    node = identifier_node(configuration, registry)
    async with anyio.create_task_group() as group:
        await group.start(node.run)
        follow = Follow(root_data(root_file(configuration)), Client())

        async def last_is_there() -> bool:
            return (await resolved(follow, "99.118.8/泵-5"))[0] == ResponseCode.SUCCESS

        await until(last_is_there)
        for number in range(60):
            name = point(number).name
            code, data = await resolved(follow, name)
            assert (code, data.decode()) == (1, f"http://127.0.0.1:8080/api/v1/points/{escape(name)}"), name
        _, described = await resolved(follow, point(7).name, "HULIAN.DESCRIPTION")
        told = msgspec.json.decode(described)
        assert (told["unit"], told["tag"], told["thing"]) == ("bar", "PT-7", "99.118.8/泵-0")
        assert b"10.0.0.9" not in described
        assert b"ns=2" not in described, "where a device is read is nobody's business"
        _, thing = await resolved(follow, "99.118.8/泵-5", "HULIAN.DESCRIPTION")
        assert msgspec.json.decode(thing)["points"] == 10
        catalogue.remove_points([point(3).name])
        catalogue.rename_point(point(4).name, "99.118.8/new#p4")

        async def followed() -> bool:
            return (await resolved(follow, "99.118.8/new"))[0] == ResponseCode.SUCCESS

        await until(followed)
        for gone in (point(3).name, point(4).name):

            async def is_gone(handle: str = gone) -> bool:
                return (await resolved(follow, handle))[0] == ResponseCode.HANDLE_NOT_FOUND

            await until(is_gone)
        assert (await resolved(follow, "99.118.8/new#p4"))[0] == ResponseCode.SUCCESS
        group.cancel_scope.cancel()


def publisher(configuration: Configuration, registry: Registry) -> tuple[Publisher, RecordStore]:
    store = RecordStore(registry)
    return Publisher(configuration, registry, store, node_key("99.118.8")), store


def test_what_somebody_registered_under_a_points_name_is_left_alone(configuration, registry):
    catalogue_of(configuration, registry, 3)
    publishing, store = publisher(configuration, registry)
    store.create(point(1).name, [])
    assert publishing.publish() == 3
    assert publishing.publish() == 0
    assert store.packed(key_of(point(1).name)) == b"\0\0\0\0"
    again, _ = publisher(configuration, registry)
    assert again.publish() == 0, "a new start writes nothing again"


def test_the_records_of_active_carriers_are_not_the_catalogues(configuration, registry):
    catalogue = catalogue_of(configuration, registry, 2)
    publishing, store = publisher(configuration, registry)
    values = [Value(index=1, type="HULIAN.DATA", data=b"https://x"), Value(index=2, type=CARRIER_TYPE, data=b"{}")]
    store.create("99.118.8/ACT-1", values)
    store.create("99.118.8/left-over", values[:1])
    publishing.publish()
    catalogue.remove_points([point(0).name])
    publishing.publish()
    assert store.packed(key_of(point(0).name)) is None
    assert store.packed(key_of("99.118.8/left-over")) is None
    assert store.packed(key_of("99.118.8/ACT-1"))


def test_addresses_alone_are_told_where_that_is_wanted(configuration, registry):
    catalogue_of(configuration, registry, 1)
    settings = msgspec.structs.replace(configuration.identifiers, publish=Publish.ADDRESSES)
    publishing, store = publisher(msgspec.structs.replace(configuration, identifiers=settings), registry)
    publishing.publish()
    packed = store.packed(key_of(point(0).name)) or b""
    assert b"HULIAN.DATA" in packed
    assert b"PT-0" not in packed


def test_a_mirror_without_root_data_says_what_is_missing(configuration, registry):
    settings = msgspec.structs.replace(configuration.identifiers, role=Role.ENTERPRISE, mirror_as="300:88/SITE2")
    with pytest.raises(ConfigurationError) as caught:
        identifier_node(msgspec.structs.replace(configuration, identifiers=settings), registry)
    assert "identifiers.root" in caught.value.hint


async def test_status_shows_what_the_node_says_of_itself(configuration, registry, tmp_path, ports):
    file = tmp_path / "hulian.toml"
    settings = msgspec.structs.replace(configuration.identifiers, rest_port=ports())
    configuration = msgspec.structs.replace(configuration, identifiers=settings)
    own = f"port = {settings.port}\nrest_port = {settings.rest_port}\n"
    file.write_text(f"[node]\ndata = '{configuration.node.data}'\n[identifiers]\n{own}")

    async def status(*arguments: str) -> tuple[int, dict]:
        environment = {**os.environ, "HULIAN_CONFIG": str(file)}
        command = [sys.executable, "-m", "hulian", "identifiers", "status", *arguments, "--json"]
        done = await anyio.run_process(command, check=False, env=environment)
        return done.returncode, msgspec.json.decode(done.stdout)

    async with anyio.create_task_group() as group:
        node = identifier_node(configuration, registry)
        await group.start(node.run)
        with anyio.fail_after(60):
            while not node.rest_port:
                await anyio.sleep(0.05)
        code, told = await status()
        assert (code, told["prefixes"], told["site"]) == (0, ["0.NA", "99.118.8"], "primary, serial 1, 1 server(s)")
        assert [row["answer"] for row in told["asked"]] == ["success", "success"]
        assert told["key"].startswith("SHA-256 ")
        # Its own key has proved over HTTP who asks: the two questions of the command are counted, and the start is told.
        assert sum(day["requests"] for day in told["statistics"]["days"]) >= 2
        assert [fault["code"] for fault in told["statistics"]["faults"]] == ["HL-ID-0951"]
        group.cancel_scope.cancel()
    code, told = await status(f"127.0.0.1:{ports()}")
    assert code == 1
    assert [row["ms"] for row in told["asked"]] == [None, None]
