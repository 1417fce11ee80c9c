"""An edge node beside the machines: invited, joined, approved; ordered from the centre; alone for a while; revoked."""

from __future__ import annotations

import os
import queue
import signal
import time
from datetime import datetime
from itertools import pairwise
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
import pytest
from free_ports import free_port
from modbus_device import modbus_device
from opcua_device import secure_opcua_device
from plant import CountingDevice, until
from pymodbus.client import ModbusTcpClient
from running import RunningPlatform
from running_edge import RunningEdge, invited, joined

from hulian.sdk.errors import NotAvailableError

pytestmark = pytest.mark.timeout(400)
NODE = {"address": "holding@0:uint16", "name": "level", "path": ["level"], "leaf": True, "storage": "integer"}
ORDER = NODE | {"address": "holding@1:uint16", "name": "order", "path": ["order"]}
DOOR = NODE | {"address": "holding@2:uint16", "name": "door", "path": ["door"]}


@pytest.fixture(scope="module")
def centre(tmp_path_factory):
    directory = tmp_path_factory.mktemp("centre")
    with RunningPlatform(directory, free_port, settings=f"leaf_port = {free_port()}\n") as running:
        yield running


@pytest.fixture(scope="module")
def node(centre, tmp_path_factory):
    """The node of the press hall, invited and approved once for all of these journeys."""
    with RunningEdge(tmp_path_factory.mktemp("press") / "edge") as edge:
        joined(centre, edge)
        edge.start()
        yield edge


@pytest.fixture
def edge(centre, node):
    """The same node, running beside its running centre, with nothing to do."""
    if centre.process.poll() is not None:
        centre.start()
    if node.process.poll() is not None:
        node.start()
    yield node
    if centre.process.poll() is None:
        with centre.sdk() as sdk:
            for connector in sdk.connectors():
                sdk.remove_connector(connector.name)
        until(lambda: settled(centre, connectors=0), 60, "the node does not give up its connectors")


def ordered(centre: RunningPlatform, url: str, name: str, *more: dict) -> str:
    """A Modbus connector of the node; the name of its first point, which counts."""
    thing = f"99.118.8/{name}"
    with centre.sdk() as sdk:
        proposed = sdk.propose(name, [NODE, *more], thing=thing)
        for point in proposed[1:]:
            point["writable"] = True
        sdk.create_connector(name, url, protocol="modbus", settings={"interval": 0.2}, points=proposed, edge="press")
    return f"{thing}#level"


def state(centre: RunningPlatform, name: str) -> str:
    with centre.sdk() as sdk:
        found = {item.name: item for item in sdk.connectors()}[name]
    assert found.edge == "press"
    return (found.status or {}).get("state", "")


def times(centre: RunningPlatform, point: str) -> list[int]:
    with centre.sdk() as sdk:
        return sdk.history(point, last="1d").to_arrow()["time"].cast("int64").to_pylist()


def values(centre: RunningPlatform, point: str) -> list[float]:
    """The good ones."""
    with centre.sdk() as sdk:
        found = sdk.history(point, last="1d").to_arrow().to_pylist()
    return [row["value"] for row in found if row["status"] == 0]


def order(centre: RunningPlatform) -> dict:
    with centre.sdk() as sdk:
        (edge,) = sdk.edges()
    return edge.status or {}


def settled(centre: RunningPlatform, connectors: int = 1) -> bool:
    """Whether the node says that it runs so many connectors, and has stopped trying."""
    status = order(centre)
    return status.get("connectors") == connectors and not status["on_trial"]


def thinking(centre: RunningPlatform) -> str:
    """A computed point, and a rule of the node that writes 7 as an order when a door is open."""
    name, order = "99.118.8/tank#doubled", "99.118.8/tank#order"
    rule = {
        "name": "open",
        "when": "door > 0",
        "inputs": {"door": "99.118.8/tank#door"},
        "event": {"message": "the door is open", "severity": "error"},
        "command": {"point": order, "value": 7, "owner": "admin"},
    }
    expression = {"expression": "level * 2", "inputs": {"level": "99.118.8/tank#level"}}
    computed = {"name": name, "address": "doubled", "options": expression}
    settings = {"rules": [rule], "commands": [order]}
    with centre.sdk() as sdk:
        sdk.create_connector(
            "thinking", "processing:", protocol="processing", edge="press", settings=settings, points=[computed]
        )
    return name


def test_from_an_invitation_to_samples_and_back_after_a_time_alone(centre, edge, ports):
    """Alone, the node goes on measuring, computing, and acting by its rules; all of it comes when the centre is back."""
    with modbus_device(ports()) as url:
        point = ordered(centre, url, "tank", ORDER, DOOR)
        until(lambda: state(centre, "tank") == "connected", 60, "the ordered connector does not run on the node")
        until(lambda: len(times(centre, point)) > 5, 60, "no sample reaches the centre")
        doubled = thinking(centre)
        until(lambda: settled(centre, connectors=2), 60, "the processing does not come up on the node")
        begun = until(lambda: values(centre, doubled), 30, "nothing is computed")[-1] / 2

        centre.stop()
        alone = time.time_ns()
        with ModbusTcpClient("127.0.0.1", port=urlsplit(url).port) as device:
            device.write_register(2, 1)
            until(lambda: device.read_holding_registers(1).registers[0] == 7, 30, "the rule does not write to the device")
        assert edge.process.poll() is None
        later = time.time_ns()
        centre.start()
        back = time.time_ns()
        until(lambda: times(centre, point)[-1] > back, 60, "the node does not come back")

        def whole() -> bool:
            found = sorted(at for at in times(centre, point) if at > alone)
            return max(later - earlier for earlier, later in pairwise(found)) < 2_000_000_000

        until(whole, 60, "what was measured while the centre was away does not come")
        found = times(centre, point)
        assert len(found) == len(set(found))
        measured = {2.0 * value for value in values(centre, point) if value > begun}
        until(lambda: measured <= set(values(centre, doubled)), 60, "what was computed alone does not come")
        with centre.sdk() as sdk:
            assert [row.missing for row in sdk.ledger().rows if row.source in ("tank", "thinking")] == [0, 0]

        def told() -> list:
            with centre.sdk() as sdk:
                return [event for event in sdk.events(limit=200) if event.message == "the door is open"]

        (event, *_) = until(told, 30, "the event of the rule was lost")
        moment = datetime.fromisoformat(event.time).timestamp() * 1e9
        assert alone < moment < later


def test_a_killed_node_goes_on_by_itself_with_what_it_was_ordered(centre, edge, ports):
    with modbus_device(ports()) as url:
        point = ordered(centre, url, "boiler")
        until(lambda: len(times(centre, point)) > 5, 60, "no sample reaches the centre")
        until(lambda: settled(centre), 30, "the order is not confirmed")
        os.killpg(edge.process.pid, signal.SIGKILL)
        edge.process.wait()
        centre.stop()
        edge.log.write_text("")
        edge.start()  # its centre is away: it runs what it was ordered last
        journal = edge.directory / "data" / "edge"
        before = sum(path.stat().st_size for path in journal.rglob("*.journal"))
        until(lambda: sum(path.stat().st_size for path in journal.rglob("*.journal")) > before, 30, "it does not measure alone")
        centre.start()
        back = time.time_ns()
        until(lambda: times(centre, point)[-1] > back, 60, "the node does not come back")


def test_an_order_that_does_not_come_up_is_taken_back(centre, edge, ports):
    with modbus_device(ports()) as url:
        ordered(centre, url, "mixer")
        until(lambda: state(centre, "mixer") == "connected", 60, "the ordered connector does not run on the node")
        until(lambda: settled(centre), 30, "the first order is not confirmed")
        good = order(centre)["version"]
        with centre.sdk() as sdk:
            sdk.change_connector("mixer", url=f"modbus://127.0.0.1:{ports()}")
        until(lambda: order(centre).get("refused", 0) > good, 60, "the bad order is not taken back")
        assert order(centre)["version"] == good
        assert "mixer" in order(centre)["reason"]
        until(lambda: state(centre, "mixer") == "connected", 30, "the order before does not run again")

        def told() -> list:
            with centre.sdk() as sdk:
                return [event for event in sdk.events(limit=200) if event.code == "HL-EDGE-0110"]

        assert until(told, 20, "nobody says so")[0].hint
        with centre.sdk() as sdk:
            sdk.change_connector("mixer", url=url, settings={"interval": 0.5})
        until(lambda: order(centre).get("version", 0) > good + 1, 30, "a better order is not taken")


def test_a_device_is_looked_at_from_the_node(centre, edge, ports):
    """Its certificate comes to the centre under the node's name, is approved there, and the node hears of it at once."""
    with secure_opcua_device(ports(), 365) as url, centre.sdk() as sdk:
        shown = sdk.browse(url, edge="press").certificate
        assert (shown.state, shown.edge) == ("pending", "press")
        assert url in shown.peer
        sdk.decide_certificate(shown.thumbprint, "approve")
        found = sdk.browse(url, edge="press")
        assert found.certificate is None
        assert found.nodes
        printed = centre.cli("browse", url, "--edge", "press").stdout
        assert found.nodes[0].name in printed
        doubles = sdk.browse(url, edge="press", search="DOUBLE")
        assert doubles.nodes
        assert all("double" in f"{node.name} {node.description} {node.address}".lower() for node in doubles.nodes)
        lines = centre.cli("browse", url, "--edge", "press", "--search", "double").stdout
        assert " / ".join([*doubles.nodes[0].path[:-1], doubles.nodes[0].name]) in lines
        centre.cli("connect", url, "--name", "lathe", "--select", "*Double*", "--edge", "press", "--yes")
        until(lambda: state(centre, "lathe") == "connected", 60, "the connected device does not run on the node")
        assert sdk.edges()[0].connectors == ["lathe"]


def test_a_node_that_is_away_looks_at_nothing_and_its_new_order_is_seen(centre, edge, ports):
    with modbus_device(ports()) as url, centre.sdk() as sdk:
        assert sdk.browse(url, edge="press").protocol == "modbus"
        until(lambda: settled(centre, connectors=0), 30, "the node is not at rest")
        ran = order(centre)["version"]
        edge.stop()
        with pytest.raises(NotAvailableError):
            sdk.browse(url, edge="press")
        assert sdk.browse(url).protocol == "modbus", "the platform itself sees it all the same"
        ordered(centre, url, "press")
        (known,) = sdk.edges()
        assert known.ordered > ran
        assert known.heard_ms < time.time() * 1000
        edge.start()
        until(lambda: order(centre).get("version") == known.ordered, 60, "the node does not take the new order")


def test_a_revoked_node_is_cut_off_and_an_approved_one_comes_back(centre, edge, ports):
    with modbus_device(ports()) as url:
        point = ordered(centre, url, "press")
        until(lambda: len(times(centre, point)) > 5, 60, "no sample reaches the centre")
        with centre.sdk() as sdk:
            sdk.decide_edge("press", "revoke")
        time.sleep(3)
        cut = times(centre, point)[-1]
        time.sleep(3)
        assert times(centre, point)[-1] == cut
        with centre.sdk() as sdk:
            sdk.decide_edge("press", "approve")
        until(lambda: times(centre, point)[-1] > cut, 30, "the node does not come back")


def test_devices_publish_to_the_node_and_a_removed_one_is_shut_out(centre, edge):
    """The centre says who may: the node's own listener acknowledges, also while the centre is away, and nothing is lost."""
    point = "99.118.8/line-7#count"
    with centre.sdk() as sdk:
        issued = sdk.create_device("line-7", publish=["plant/line-7"])
        points = [{"name": point, "address": "json:plant/line-7:value", "storage": "integer"}]
        settings = {"topics": ["plant/line-7"]}
        sdk.create_connector("line-7", "mqtt://", protocol="mqtt", edge="press", settings=settings, points=points)
    until(lambda: state(centre, "line-7") == "connected", 60, "the connector does not run on the node")
    device = CountingDevice(edge.mqtt_port, issued.name, issued.password)
    try:
        until(lambda: len(device.acknowledged) > 100, 60, "the node does not let the device in")
        centre.stop()
        alone = len(device.acknowledged)
        until(lambda: len(device.acknowledged) > alone + 300, 30, "the node acknowledges nothing alone")
        centre.start()
    finally:
        device.stop()
    until(lambda: set(values(centre, point)) >= device.acknowledged, 60, "what was acknowledged is not all there")
    assert len(values(centre, point)) == len(set(values(centre, point)))
    assert connection(edge.mqtt_port, issued.name, "guessed") == "Not authorized"
    assert connection(edge.mqtt_port, issued.name, issued.password) == "Success"
    with centre.sdk() as sdk:
        sdk.remove_device("line-7")
    until(lambda: connection(edge.mqtt_port, issued.name, issued.password) == "Not authorized", 30, "it is still let in")


def connection(port: int, user: str, password: str) -> str:
    """What the listener answers."""
    answers = queue.SimpleQueue()
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.username_pw_set(user, password)
    client.on_connect = lambda client, data, flags, reason, properties: answers.put(str(reason))
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        return answers.get(timeout=10)
    finally:
        client.disconnect()
        client.loop_stop()


def test_mistakes_at_joining_are_explained(centre, tmp_path):
    invitation = invited(centre)
    edge = RunningEdge(tmp_path / "edge")
    secret, _, fingerprint = invitation.partition(".")
    for wrong, said in ((f"{secret}.{'0' * 64}", "not the centre"), (f"hle_guess.{fingerprint}", "HL-TRUST-0016")):
        edge.log.write_text("")
        assert edge.join(centre.url, wrong).wait(30) != 0
        told = edge.log.read_text()
        assert said in told
        assert "→" in told
        assert "Traceback" not in told
    edge.log.write_text("")
    assert edge.join("http://centre.example:8080", invitation).wait(30) != 0
    assert "https" in edge.log.read_text()
