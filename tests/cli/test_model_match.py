"""``hulian model match``: instances of a companion type on a real server become objects of the model with live points."""

import asyncio
import json
from functools import partial
from pathlib import Path

import pytest
from asyncua import Server, ua

from hulian.assembly.preparation import open_registry
from hulian.cli.local import read_configuration
from hulian.data.catalogue import Catalogue, ConnectorRecord
from hulian.kernel.identifier import series_id
from hulian.kernel.point import Point
from hulian.kernel.storage import StorageClass

DI = "http://opcfoundation.org/UA/DI/"
MACHINERY = "http://opcfoundation.org/UA/Machinery/"
MODEL = "nsu=http://example.com/plant/;s=press.id.model"
PATHS = [f"nodesets/{name}.NodeSet2.xml" for name in ("Opc.Ua.Di", "Opc.Ua.Machinery")]
pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180), pytest.mark.samples(*PATHS)]


@pytest.fixture
async def server(samples, ports):
    """A machine below the Machines folder that lacks its serial number, and has a colour that no type declares."""
    port = ports()
    made = Server()
    await made.init()
    made.set_endpoint(f"opc.tcp://127.0.0.1:{port}/plant")
    made.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    for path in PATHS:
        await made.import_xml(str(samples / path))
    own = await made.register_namespace("http://example.com/plant/")
    machinery, di = await made.get_namespace_index(MACHINERY), await made.get_namespace_index(DI)
    machine = await made.get_node(ua.NodeId(1001, machinery)).add_object(ua.NodeId("press", own), f"{own}:Press")
    identification = await machine.add_object(
        ua.NodeId("press.id", own), f"{di}:Identification", objecttype=ua.NodeId(1012, machinery), instantiate_optional=False
    )
    children = {(await child.read_browse_name()).Name: child for child in await identification.get_children()}
    await children["SerialNumber"].delete()
    await identification.add_property(ua.NodeId("press.id.model", own), f"{di}:Model", ua.LocalizedText("P7"))
    await identification.add_property(ua.NodeId("press.id.colour", own), f"{own}:Colour", "red")
    async with made:
        yield f"opc.tcp://127.0.0.1:{port}/plant"


@pytest.fixture
def catalogue(hulian):
    """The connector `press` without its server yet, and one point that reads the machine's model."""
    configuration = read_configuration(None)
    Path(configuration.node.data).mkdir()
    registry = open_registry(configuration)
    kept = Catalogue(registry, configuration.node.organisation)
    yield kept
    registry.close()


def beside(hulian):
    """Commands in a thread that knows nothing of this loop: they begin one of their own."""

    def run(*arguments, status=0):
        return asyncio.get_running_loop().run_in_executor(None, partial(hulian, *arguments, status=status))

    return run


def connect(catalogue, url):
    catalogue.add_connector(ConnectorRecord(name="press", protocol="opcua", url=url, settings={"security": "none"}))
    series = series_id(read_configuration(None).node.organisation, "press", MODEL, StorageClass.TEXT)
    catalogue.upsert_points(
        [Point(name="99.118.8/press#model", series=series, storage=StorageClass.TEXT, connector="press", address=MODEL)]
    )


async def test_a_machine_becomes_an_object_of_its_type_whose_properties_are_live_points(hulian, server, catalogue, samples):
    connect(catalogue, server)
    run = beside(hulian)
    await run("model", "import", *(str(samples / path) for path in PATHS))
    only = json.loads(await run("model", "match", "MachineIdentificationType", "press", "--dry-run", "--json"))
    [machine] = only["instances"]
    assert machine["path"] == "Machines/Press/Identification"
    assert machine["points"] == {"Model": "99.118.8/press#model"}
    assert machine["missing"]["SerialNumber"] is True
    assert machine["extra"] == {"Colour": "nsu=http://example.com/plant/;s=press.id.colour"}
    assert not only["applied"]
    told = await run("model", "match", f"nsu={MACHINERY};i=1012", "press", "--as", "line 2")
    assert "lacks SerialNumber" in told
    assert "'line 2'" in told
    found = json.loads(await run("model", "find", "--type", "MachineIdentificationType", "--document", "line 2", "--json"))
    [node] = found["nodes"]
    assert node["name"] == "Machines/Press/Identification"
    [model] = json.loads(await run("model", "find", "--name", "Model", "--document", "line 2", "--json"))["nodes"]
    assert model["point"] == "99.118.8/press#model"
    # Again, without anything new: the same document, and nothing changes.
    await run("model", "match", "MachineIdentificationType", "press", "--as", "line 2")
    await run("model", "diff", "line 2")


async def test_what_cannot_be_matched_is_said(hulian, server, catalogue, samples):
    connect(catalogue, server)
    run = beside(hulian)
    assert "import its NodeSet first" in await run("model", "match", "MachineIdentificationType", "press", status=1)
    await run("model", "import", *(str(samples / path) for path in PATHS))
    assert "no connector" in await run("model", "match", "MachineIdentificationType", "nobody", status=1)
    nothing = await run("model", "match", "MachineComponentsType", "press", "--json", status=1)
    assert json.loads(nothing)["instances"] == []
    catalogue.add_connector(ConnectorRecord(name="plc", protocol="modbus", url="modbus://127.0.0.1:502"))
    assert "only OPC UA" in await run("model", "match", "MachineIdentificationType", "plc", status=1)
