"""A whole node with TLS everywhere; certificates that end while it runs; listeners that are open to everybody."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ssl
import subprocess

import anyio
import msgspec
import paho.mqtt.client as paho
import pytest
from modbus_device import modbus_device
from nats_node import free_port
from plant import CountingDevice, check, connect_devices, until
from running import RunningPlatform

from hulian.assembly import components
from hulian.assembly.configuration import Configuration, NodeConfiguration
from hulian.assembly.exposure import plain_events, plain_listeners
from hulian.assembly.node import SUPERVISOR
from hulian.assembly.preparation import admit_devices, connect_spine, open_registry, open_trust, prepare
from hulian.assembly.tls import spine_trust
from hulian.kernel.event import Event
from hulian.network.exchange.spine.configuration import SpineConfiguration, Tls
from hulian.network.exchange.spine.server import wait_ready
from hulian.network.exchange.spine.streams import declare
from hulian.network.exchange.spine.tls import shown_certificate
from hulian.platform.api.configuration import ApiConfiguration
from hulian.trust import CertificateAuthority
from hulian.trust.renewal import CertificateWatch

pytestmark = pytest.mark.anyio


@pytest.mark.timeout(300)
def test_a_node_with_tls_everywhere_stores_what_its_devices_send(tmp_path, ports):
    """Also with clients of the spine that must show a certificate, and after kill -9 of the spine and the historian."""
    asked = tmp_path / "organisation.pem"
    asked.write_bytes(CertificateAuthority(tmp_path / "organisation", "acme").root_pem())
    settings = f"[spine.tls]\nauthority = '{asked}'\n[spine.mqtt_tls]\n"
    with (
        modbus_device(ports()) as modbus_url,
        RunningPlatform(tmp_path / "node", ports, settings=settings, api="tls = true") as platform,
    ):
        assert "https://" in platform.terminal()
        credential = connect_devices(platform, modbus_url)
        root = tmp_path / "root.pem"
        root.write_text(platform.cli("ca").stdout)
        device = CountingDevice(platform.mqtt_port, credential.name, credential.password, authority=root)
        try:
            until(lambda: len(device.acknowledged) > 100, 60, "nothing was acknowledged")
            for component in ("spine", "historian"):
                pid, before = platform.kill(component), len(device.acknowledged)
                platform.wait_running(component, pid)
                until(lambda before=before: len(device.acknowledged) > before + 100, 60, f"stuck after {component}")
        finally:
            device.stop()
        check(platform, device)
        with pytest.raises(ssl.SSLCertVerificationError):
            ssl.create_default_context(cafile=asked).wrap_socket(_tcp(platform.port), server_hostname="127.0.0.1")


def _tcp(port):
    import socket

    return socket.create_connection(("127.0.0.1", port), 10)


class Node:
    """The spine and the API as the assembly makes them, in this process, so that certificates can be short-lived."""

    def __init__(self, directory) -> None:
        self.data = directory
        self.configuration = Configuration(
            node=NodeConfiguration(data=str(directory), organisation="acme"),
            api=ApiConfiguration(port=free_port(), tls=True),
            spine=SpineConfiguration(port=free_port(), mqtt_port=free_port(), tls=Tls(), mqtt_tls=Tls()),
        )

    @contextlib.asynccontextmanager
    async def running(self):
        made = await anyio.to_thread.run_sync(prepare, self.configuration)
        spine, trust = self.configuration.spine, spine_trust(self.configuration)
        with (
            (self.data / "nats.log").open("ab") as log,
            subprocess.Popen(made["spine_command"], stdout=log, stderr=log) as process,
        ):
            try:
                await wait_ready(spine.url, SUPERVISOR, made["spine_password"], tls=trust)
                async with await connect_spine(self.configuration, SUPERVISOR) as link:
                    await declare(link, spine, "acme", mqtt={"mqtt": []})
                    await anyio.to_thread.run_sync(admit_devices, self.configuration)
                    async with contextlib.AsyncExitStack() as stack, anyio.create_task_group() as group:
                        await group.start((await components._api(self.configuration, stack)).run)
                        yield link
                        group.cancel_scope.cancel()
            finally:
                process.terminate()

    @property
    def listeners(self):
        """Port, and whether it greets before TLS begins."""
        spine = self.configuration.spine
        return {"API": (self.configuration.api.port, False), "spine": (spine.port, True), "MQTT": (spine.mqtt_port, False)}

    def device(self):
        """An MQTT device that is connected, and the list of what happened to its connection."""
        registry = open_registry(self.configuration)
        issued = open_trust(self.configuration, registry).devices.add("pump", publish=["plant/#"], by="ada")
        registry.close()
        admit_devices(self.configuration)
        client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="pump", protocol=paho.MQTTv311)
        client.username_pw_set("pump", issued.password)
        client.tls_set(self.data / "pki" / "authority" / "root.pem")
        happened: list[str] = []
        client.on_connect = lambda *given: happened.append("refused" if given[3].is_failure else "up")
        client.on_disconnect = lambda *given: happened.append("down")
        client.reconnect_delay_set(0.05, 0.1)
        client.connect_async("127.0.0.1", self.configuration.spine.mqtt_port)
        client.loop_start()
        until(lambda: "up" in happened, 30, f"the device does not come in: {happened}")
        del happened[:-1]
        return client, happened


@pytest.mark.timeout(180)
async def test_certificates_that_end_are_renewed_while_everything_runs(tmp_path, monkeypatch):
    """Each is valid for twelve seconds; over three of them no strict client is ever turned away and nobody is cut off."""
    monkeypatch.setattr("hulian.trust.certificates._LIFETIME", datetime.timedelta(seconds=12))
    monkeypatch.setattr("hulian.trust.certificates._RENEW", datetime.timedelta(seconds=6))
    node = Node(tmp_path / "data")
    async with node.running() as link:
        client, happened = await asyncio.to_thread(node.device)
        heard = await link.subscribe("hl.acme.events.>")
        downs: list[bool] = []
        link.listen(downs.append)
        seen: dict[str, set[bytes]] = {name: set() for name in node.listeners}
        async with asyncio.timeout(120):
            while min(map(len, seen.values())) < 3:
                for name, (port, greeting) in node.listeners.items():
                    seen[name].add(await asyncio.to_thread(_strictly, node, port, greeting))
                await asyncio.sleep(0.1)
        info = client.publish("plant/a", b"1", qos=1)
        await asyncio.to_thread(info.wait_for_publish, 20)
        assert info.is_published()
        assert happened == ["up"], "the device was cut off"
        assert downs == [], "the spine was cut off"
        client.disconnect()
        client.loop_stop()
        renewed = set()
        async with asyncio.timeout(20):
            while renewed != {"certificate:API", "certificate:spine", "certificate:MQTT listener"}:
                event = msgspec.json.decode((await anext(heard)).payload, type=Event)
                if event.code == "HL-TRUST-0102":
                    renewed.add(event.subject)


def _strictly(node, port, greeting) -> bytes:
    """The certificate of a whole handshake that checks everything."""
    context = ssl.create_default_context(cafile=node.data / "pki" / "authority" / "root.pem")
    with _tcp(port) as plain:
        if greeting:
            plain.recv(4096)
        with context.wrap_socket(plain, server_hostname="127.0.0.1") as secure:
            return secure.getpeercert(binary_form=True)


async def test_a_certificate_that_cannot_be_renewed_is_told_of_until_it_can(tmp_path, monkeypatch):
    node = Node(tmp_path / "data")
    root = tmp_path / "data" / "pki" / "authority" / "root.pem"
    # The real assembly, only more impatient.
    monkeypatch.setitem(CertificateWatch.__init__.__kwdefaults__, "again", 0.2)
    monkeypatch.setitem(CertificateWatch.__init__.__kwdefaults__, "every", 0.2)
    async with node.running() as link:
        heard = await link.subscribe("hl.acme.events.>")

        async def next_event(active) -> Event:
            async with asyncio.timeout(30):
                while True:
                    event = msgspec.json.decode((await anext(heard)).payload, type=Event)
                    if event.subject == "certificate:spine" and event.active is active:
                        return event

        good = root.read_bytes()
        root.write_text("damaged")
        begun = await next_event(True)
        assert (begun.code, begun.severity) == ("HL-TRUST-0101", "error")
        assert "root cannot be read" in begun.message
        assert "backup" in begun.hint
        before = shown_certificate("127.0.0.1", node.configuration.spine.port, greeting=True)
        assert before, "what is in use stays in use"
        root.write_bytes(good)
        assert (await next_event(False)).code == "HL-TRUST-0101"


def test_what_is_open_without_tls_is_told(tmp_path):
    everywhere = "0.0.0.0"
    node = NodeConfiguration(data=str(tmp_path))
    spine = SpineConfiguration(host=everywhere, mqtt_host="192.0.2.7", leaf_host="::", leaf_port=7422)
    open_to_all = Configuration(node=node, api=ApiConfiguration(host=everywhere), spine=spine)
    # Edge nodes are not among them: their listener speaks TLS or does not speak.
    assert [name for name, _, _ in plain_listeners(open_to_all)] == ["API", "spine", "MQTT listener"]
    told = plain_events(open_to_all, "api")
    assert {event.code for event in told} == {"HL-TRUST-0103"}
    assert all(event.active and event.hint for event in told)
    assert "192.0.2.7:1883" in told[2].message
    safe = Configuration(
        node=node,
        api=msgspec.structs.replace(open_to_all.api, tls=True),
        spine=msgspec.structs.replace(spine, tls=Tls(), mqtt_tls=Tls()),
    )
    assert plain_listeners(safe) == []
    assert [event.active for event in plain_events(safe, "api")] == [False] * 3
    assert plain_events(safe, "api") == []
    assert plain_listeners(Configuration()) == []
    assert plain_listeners(Configuration(spine=SpineConfiguration(mqtt_host=everywhere, mqtt_port=0))) == []
    behind = ApiConfiguration(host=everywhere, trusted_proxies=("192.0.2.1",))
    assert plain_listeners(Configuration(api=behind)) == []


@pytest.mark.timeout(120)
def test_a_node_that_is_open_to_everybody_says_so(tmp_path, ports):
    with RunningPlatform(tmp_path, ports, settings="mqtt_host = '0.0.0.0'\n") as platform:
        assert f"! The MQTT listener listens on 0.0.0.0:{platform.mqtt_port} without TLS" in platform.terminal()

        def told():
            with platform.sdk() as sdk:
                return [event for event in sdk.events() if event.code == "HL-TRUST-0103"]

        (event,) = until(told, 30, "no event tells of it")
        assert "spine.mqtt_tls" in event.hint
