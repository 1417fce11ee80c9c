"""Instances of companion types on a real server: asyncua, serving DI and Machinery and some machines."""

from __future__ import annotations

import pytest
from asyncua import Client, Server, ua
from nodeset_browser import AsyncuaBrowser
from nodeset_documents import read

from hulian.network.exchange.semantics.contract import Kind
from hulian.network.exchange.semantics.nodeset.declared import Types
from hulian.network.exchange.semantics.nodeset.matching import find_instances, path_text

DI = "http://opcfoundation.org/UA/DI/"
MACHINERY = "http://opcfoundation.org/UA/Machinery/"
IDENTIFICATION = f"nsu={MACHINERY};i=1012"
NAMES = ("Opc.Ua.Di", "Opc.Ua.Machinery", "Opc.Ua.Machinery.Examples")
PATHS = [f"nodesets/{name}.NodeSet2.xml" for name in NAMES]
pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180), pytest.mark.samples(*PATHS)]


@pytest.fixture(scope="module")
def anyio_backend():
    return "asyncio"


@pytest.fixture
async def plant(samples):
    """A server with a machine of our own below the Machines folder; its identification is of a vendor's own type."""
    server = Server()
    await server.init()
    server.set_endpoint("opc.tcp://127.0.0.1:0/plant")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    for path in PATHS[:2]:
        await server.import_xml(str(samples / path))
    own = await server.register_namespace("http://example.com/plant/")
    machinery = await server.get_namespace_index(MACHINERY)
    di = await server.get_namespace_index(DI)
    machines = server.get_node(ua.NodeId(1001, machinery))
    general = server.get_node(ua.NodeId(1012, machinery))
    special = await general.add_object_type(ua.NodeId(10, own), f"{own}:VendorIdentificationType")
    machine = await machines.add_object(ua.NodeId("press", own), f"{own}:Press")
    identification = await machine.add_object(
        ua.NodeId("press.id", own), f"{di}:Identification", objecttype=special.nodeid, instantiate_optional=False
    )
    children = {(await child.read_browse_name()).Name: child for child in await identification.get_children()}
    await children["SerialNumber"].delete()
    await identification.add_property(ua.NodeId("press.id.model", own), f"{di}:Model", ua.LocalizedText("P7"))
    await identification.add_property(ua.NodeId("press.id.colour", own), f"{own}:Colour", "red")
    async with server:
        yield f"opc.tcp://127.0.0.1:{server.bserver.port if server.bserver.port else server.endpoint.port}/plant"


async def test_an_instance_of_a_vendors_subtype_is_found_member_by_member(plant, samples):
    types = Types([read(samples / path) for path in PATHS[:2]])
    async with Client(plant, timeout=60) as client:
        browser = await AsyncuaBrowser.of(client)
        report = await find_instances(types, IDENTIFICATION, browser)
        assert report.whole
        [match] = [each for each in report.matches if each.id.startswith("nsu=http://example.com/plant/")]
        assert match.id == "nsu=http://example.com/plant/;s=press.id"
        assert match.type == "nsu=http://example.com/plant/;i=10"
        assert path_text(match.path) == "Machines/Press/Identification"
        # The declared property that is there, under the address that a connector takes.
        assert match.properties["Model"] == "nsu=http://example.com/plant/;s=press.id.model"
        assert {"Manufacturer", "ProductInstanceUri"} <= match.properties.keys()
        node = client.get_node(browser.node(match.properties["Model"]))
        assert (await node.read_value()).Text == "P7"
        missing = {path_text(each.path): each.required for each in match.missing}
        assert missing["SerialNumber"] is True
        assert missing["YearOfConstruction"] is False
        assert not match.complete
        assert [(path_text(path), node) for path, node in match.extra] == [
            ("Colour", "nsu=http://example.com/plant/;s=press.id.colour")
        ]


async def test_nothing_of_a_type_that_the_server_does_not_have(plant, samples):
    types = Types([read(samples / path) for path in PATHS])
    async with Client(plant, timeout=60) as client:
        browser = await AsyncuaBrowser.of(client)
        assert (await find_instances(types, "nsu=http://example.com/no/;i=1", browser)).matches == []
        cut = await find_instances(types, IDENTIFICATION, browser, most=5)
        assert not cut.whole
        assert cut.visited == 5


async def test_members_of_types(samples):
    types = Types([read(samples / path) for path in PATHS[:2]])
    members = {member.name[1]: member for member in types.members(IDENTIFICATION)}
    # Of the type itself, of a general type, and of an interface of DI.
    assert members["ProductInstanceUri"].required
    assert not members["DeviceClass"].required
    assert members["Manufacturer"].name[0] == DI
    assert members["Manufacturer"].kind is Kind.PROPERTY
    assert types.is_a(IDENTIFICATION, "i=58")
    assert IDENTIFICATION in types.specials("i=58")
    placeholders = [member for member in types.members(f"nsu={DI};i=1001") if member.many]
    assert [member.name[1] for member in placeholders] == ["<GroupIdentifier>"]
