"""The three ways to the node carry the same messages: TLS, CoAP and MQTT, against a started node and a real broker; CoAP is
judged by aiocoap on both sides."""

from __future__ import annotations

import subprocess

import aiocoap
import anyio
import pytest
from active_nodes import PREFIX, Works, blocking
from aiocoap import resource
from free_ports import free_port

from hulian.network.exchange.spine.server import executable
from hulian.network.identifiers.active.device import CoapLink, LinkError, MqttLink, RefusedError, frame
from hulian.network.identifiers.active.device.bodies import Item, hello_body, read_values, resolve_body

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]


@pytest.fixture
async def over_coap(tmp_path):
    made = Works(tmp_path, coap_port=free_port())
    async with made.running():
        yield made
    made.registry.close()


async def test_a_carrier_lives_over_coap(over_coap):
    works = over_coap
    works.provision("c-1")
    carrier = works.carrier("c-1", CoapLink("127.0.0.1", works.settings.coap_port))
    assert await blocking(carrier.enrol, "SM2") == f"{PREFIX}/ACT-c-1"
    # More than a datagram, both ways: a report in blocks, and the values of a record with two certificates in it.
    await blocking(carrier.report, [Item(f"channel {number}", "x" * 100) for number in range(50)])
    assert [one.sequence for one in await blocking(carrier.deliver)] == [1]
    values = await blocking(carrier.resolve, carrier.identifier)
    assert {value.type for value in values} >= {"HS_PUBKEY", "HULIAN.CERTIFICATE", "HULIAN.DATA"}
    await works.until(lambda: f"{PREFIX}/ACT-c-1/1" in works.sink.reports)
    assert len(works.sink.reports[f"{PREFIX}/ACT-c-1/1"]) == 50
    works.carriers.revoke("c-1")
    with pytest.raises(RefusedError):
        await blocking(carrier.update)


async def test_aiocoap_asks_our_listener(over_coap):
    port = over_coap.settings.coap_port
    client = await aiocoap.Context.create_client_context(transports=["simple6"])
    try:
        asked = frame.ask(frame.HELLO, hello_body("c-2"), 7, 2_000_000_000)

        async def post(payload, path="hdl", method=aiocoap.POST, **options):
            message = aiocoap.Message(code=method, uri=f"coap://127.0.0.1:{port}/{path}", payload=payload, **options)
            return await client.request(message).response

        answer = await post(asked.data)
        assert answer.code == aiocoap.CHANGED
        assert answer.opt.content_format == 42
        found = frame.read_answer(answer.payload)
        assert (found.response_code, found.request_id) == (1, 7)
        # A question of several blocks, and an answer of several: the root's record is asked for with many types.
        types = ["HS_SITE", *[f"NONE.{number}" * 10 for number in range(60)]]
        body = resolve_body(f"0.NA/{PREFIX}", [*types, "HS_PUBKEY", "HS_ADMIN"])
        long = frame.ask(frame.RESOLVE, body, 8, 2_000_000_000, 0x01000000)
        assert len(long.data) > 3_000
        found = frame.read_answer((await post(long.data)).payload)
        assert {value.type for value in read_values(found.body)} == {"HS_SITE", "HS_PUBKEY", "HS_ADMIN"}
        assert (await post(b"nonsense")).code == aiocoap.BAD_REQUEST
        assert (await post(asked.data, path="other")).code == aiocoap.NOT_FOUND
        assert (await post(b"", method=aiocoap.GET)).code == aiocoap.METHOD_NOT_ALLOWED
    finally:
        await client.shutdown()


class _Node(resource.Resource):
    """Answers with the question turned round, so long that it comes in blocks."""

    async def render_post(self, request):
        if request.payload == b"no":
            return aiocoap.Message(code=aiocoap.FORBIDDEN, payload=b"not you")
        if request.payload == b"later":
            await anyio.sleep(0.3)  # aiocoap acknowledges first, and answers by itself
        return aiocoap.Message(code=aiocoap.CHANGED, payload=request.payload[::-1])


async def test_our_link_asks_a_node_of_aiocoap():
    site, port = resource.Site(), free_port()
    site.add_resource(["hdl"], _Node())
    server = await aiocoap.Context.create_server_context(site, bind=("127.0.0.1", port), transports=["udp6"])
    link = CoapLink("127.0.0.1", port)
    try:
        for message in (b"short", bytes(range(256)) * 20, b"later"):
            assert await blocking(link.exchange, message) == message[::-1]
        with pytest.raises(LinkError, match=r"4\.03 not you"):
            await blocking(link.exchange, b"no")
    finally:
        link.close()
        await server.shutdown()
    with pytest.raises(LinkError):
        await blocking(CoapLink("127.0.0.1", port, timeout=0.01).exchange, b"nobody")


@pytest.fixture
def broker(tmp_path):
    """A nats-server with its MQTT listener, as the platform has one."""
    program, port, mqtt = executable(), free_port(), free_port()
    (tmp_path / "nats.conf").write_text(
        f"""server_name: judge
listen: "127.0.0.1:{port}"
jetstream {{ store_dir: "{tmp_path}/jetstream" }}
mqtt {{ listen: "127.0.0.1:{mqtt}" }}
authorization {{ users: [ {{ user: node, password: n0de }}, {{ user: carrier, password: c4rrier }} ] }}
"""
    )
    process = subprocess.Popen([program, "-c", str(tmp_path / "nats.conf")], stderr=subprocess.DEVNULL)
    yield mqtt
    process.kill()
    process.wait()


async def test_a_carrier_lives_over_the_brokers_mqtt(tmp_path, broker, monkeypatch):
    monkeypatch.setenv("NODE_PASSWORD", "n0de")
    works = Works(tmp_path, mqtt=f"mqtt://127.0.0.1:{broker}", mqtt_user="node", mqtt_password="env:NODE_PASSWORD")
    works.provision("m.1")
    with pytest.raises(LinkError):
        await blocking(MqttLink("127.0.0.1", broker, "m.1", user="carrier", password="wrong", seconds=5).exchange, b"")
    async with works.running():
        link = MqttLink("127.0.0.1", broker, "m.1", user="carrier", password="c4rrier", seconds=10)
        carrier = works.carrier("m.1", link)
        assert await blocking(carrier.enrol) == f"{PREFIX}/ACT-m.1"
        await blocking(carrier.report, [Item("level", 1.25)])
        assert [one.sequence for one in await blocking(carrier.deliver)] == [1]
        link._socket.close()  # the network takes the connection away
        await blocking(carrier.report, [Item("level", 1.5)])
        with pytest.raises(LinkError):
            await blocking(carrier.deliver)
        assert [one.sequence for one in await blocking(carrier.deliver)] == [2]
        await works.until(lambda: len(works.sink.reports) == 2)
        link.close()
    works.registry.close()
