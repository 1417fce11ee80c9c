"""An edge node beside the machines: invited, joined, approved; ordered from the centre; alone for a while; revoked."""

from __future__ import annotations

import os
import signal
import time
from itertools import pairwise

import pytest
from free_ports import free_port
from modbus_device import modbus_device
from opcua_device import secure_opcua_device
from plant import until
from running import RunningPlatform
from running_edge import RunningEdge

from hulian.sdk.errors import NotAvailableError

pytestmark = pytest.mark.timeout(400)
NODE = {"address": "holding@0:uint16", "name": "level", "path": ["level"], "leaf": True, "storage": "integer"}


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


def invited(centre: RunningPlatform) -> str:
    with centre.sdk() as sdk:
        return sdk.invite_edge("press hall").secret


def joined(centre: RunningPlatform, edge: RunningEdge) -> None:
    joining = edge.join(centre.url, invited(centre))
    shown = edge.fingerprint()
    with centre.sdk() as sdk:
        (waiting,) = sdk.edges()
        assert (waiting.name, waiting.state, waiting.fingerprint) == (edge.name, "waiting", shown)
        sdk.decide_edge(edge.name, "approve", fingerprint=shown)
    assert joining.wait(30) == 0, edge.log.read_text()


def ordered(centre: RunningPlatform, url: str, name: str) -> str:
    """A Modbus connector of the node with one point, whose name is returned."""
    thing = f"99.118.8/{name}"
    with centre.sdk() as sdk:
        proposed = sdk.propose(name, [NODE], thing=thing)
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


def order(centre: RunningPlatform) -> dict:
    with centre.sdk() as sdk:
        (edge,) = sdk.edges()
    return edge.status or {}


def settled(centre: RunningPlatform, connectors: int = 1) -> bool:
    """Whether the node says that it runs so many connectors, and has stopped trying."""
    status = order(centre)
    return status.get("connectors") == connectors and not status["on_trial"]


def test_from_an_invitation_to_samples_and_back_after_a_time_alone(centre, edge, ports):
    with modbus_device(ports()) as url:
        point = ordered(centre, url, "tank")
        until(lambda: state(centre, "tank") == "connected", 60, "the ordered connector does not run on the node")
        until(lambda: len(times(centre, point)) > 5, 60, "no sample reaches the centre")

        alone = time.time_ns()
        centre.stop()
        time.sleep(5)
        assert edge.process.poll() is None
        centre.start()
        back = time.time_ns()
        until(lambda: times(centre, point)[-1] > back, 60, "the node does not come back")

        def whole() -> bool:
            found = sorted(at for at in times(centre, point) if at > alone)
            return max(later - earlier for earlier, later in pairwise(found)) < 2_000_000_000

        until(whole, 60, "what was measured while the centre was away does not come")
        found = times(centre, point)
        assert len(found) == len(set(found))
        with centre.sdk() as sdk:
            (row,) = [row for row in sdk.ledger().rows if row.source == "tank"]
            assert row.missing == 0


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
