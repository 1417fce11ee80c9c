"""nats-server's configuration: nobody anonymous, everybody only where trust lets them."""

from __future__ import annotations

import asyncio
import stat

import msgspec
import paho.mqtt.client as paho
import pytest
from nats_node import DEVICE_PASSWORD, ORGANISATION

from hulian.kernel.configuration import convert
from hulian.kernel.errors import ConfigurationError
from hulian.network.exchange.spine.connection import Spine
from hulian.network.exchange.spine.errors import (
    SpineConfigurationError,
    SpineDeniedError,
    SpineError,
    SpineUnavailableError,
)
from hulian.network.exchange.spine.publisher import Publisher
from hulian.network.exchange.spine.server import (
    SpineConfiguration,
    SpineUser,
    Tls,
    admit,
    prepare,
    reload,
    render,
    wait_ready,
)
from hulian.network.exchange.spine.streams import Subjects, declare, figures

pytestmark = pytest.mark.anyio

USER = SpineUser(name="a", password_hash="$2b$04$x", publish=("x",))


def test_the_configuration_is_deterministic_and_private(tmp_path):
    first = prepare(SpineConfiguration(), [USER], tmp_path / "one")
    path = tmp_path / "one" / "nats.conf"
    assert first[1:] == ["--config", str(path)]
    text = path.read_text()
    prepare(SpineConfiguration(), [USER], tmp_path / "one")
    assert path.read_text() == text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "no_auth_user" not in text


@pytest.mark.parametrize(("durability", "wanted"), [("process", 'sync_interval: "2m"'), ("power", 'sync_interval: "always"')])
def test_durability_decides_when_the_disk_is_asked(tmp_path, durability, wanted):
    assert wanted in render(SpineConfiguration(durability=durability), [USER], tmp_path)


@pytest.mark.parametrize(
    ("configuration", "users", "words"),
    [
        (SpineConfiguration(), [], "no component user"),
        (SpineConfiguration(), [USER, USER], "two spine users"),
        (SpineConfiguration(), [SpineUser(name="a", password_hash="plain")], "bcrypt"),
        (SpineConfiguration(tls=Tls(certificate="/no/such", key="/no/such")), [USER], "no file"),
    ],
)
def test_what_cannot_work_is_refused_with_its_place(tmp_path, configuration, users, words):
    with pytest.raises(SpineConfigurationError, match=words):
        render(configuration, users, tmp_path)


def test_unknown_keys_name_their_neighbour():
    with pytest.raises(ConfigurationError) as caught:
        convert({"mqtt_prot": 1}, SpineConfiguration, place="hulian.toml")
    assert "mqtt_port" in caught.value.hint


async def test_nobody_is_served_without_a_credential(node):
    with pytest.raises(SpineDeniedError):
        await Spine.connect(node.url, "edge", "wrong", "test")
    with pytest.raises(SpineDeniedError):
        await Spine.connect(node.url, "", "", "test")
    with pytest.raises(SpineDeniedError):
        await Spine.connect(node.url, "device", DEVICE_PASSWORD, "a device is let in through MQTT only")


async def test_no_server_is_one_clear_error(make_node):
    node = make_node()
    with pytest.raises(SpineUnavailableError) as caught:
        await Spine.connect(node.url, "edge", "x", "test", timeout=0.3)
    assert node.url in str(caught.value)
    with pytest.raises(SpineUnavailableError, match="not ready within"):
        await wait_ready(node.url, "edge", "x", timeout=0.3)


async def test_each_component_speaks_and_hears_only_its_own(node):
    subjects = Subjects(ORGANISATION)
    async with (
        await node.connect("api") as api,
        await node.connect("edge") as edge,
        await node.connect("historian") as historian,
    ):
        heard = await api.subscribe(subjects.samples("*")[:-3] + "*")
        async with Publisher(api, timeout=0.5) as publisher:
            with pytest.raises(SpineError):
                await (await publisher.send(subjects.samples("pump"), b"forged"))
        assert api.denied == 1
        async with Publisher(edge) as publisher:
            await (await publisher.send(subjects.samples("pump"), b"real"))
        assert (await asyncio.wait_for(anext(heard), 5)).payload == b"real"
        for client, subject in ((edge, subjects.query_historian), (historian, subjects.samples("*")[:-3] + "*")):
            before = client.denied
            await client.subscribe(subject)
            await client.request("$JS.API.INFO")
            assert client.denied == before + 1, f"{client.name} listens on {subject}"


async def test_a_wide_subscription_does_not_open_what_is_denied(node):
    """The edge hears every device's subject, but neither questions to the historian nor answers to others."""
    subjects = Subjects(ORGANISATION)
    async with await node.connect("api") as api, await node.connect("edge") as edge:
        everything = await edge.subscribe(">")
        await edge.request("$JS.API.INFO")
        with pytest.raises(SpineUnavailableError):
            await api.request(subjects.query_historian, b"secret question", timeout=0.3)
        await api.publish(subjects.control("edge"), b"for the edge")
        heard = []
        while not heard or heard[-1].payload != b"for the edge":
            heard.append(await asyncio.wait_for(anext(everything), 5))
        assert not [one for one in heard if ".query." in one.subject or one.subject.startswith("_INBOX.api")]


async def test_devices_wait_until_their_messages_are_kept(make_node):
    node = make_node()
    await node.start()
    with pytest.raises(SpineError, match="declared"):
        admit(node.configuration, node.users, node.directory)
    assert await _mqtt_answer(node) != 0, "a device was let in before anything keeps its messages"
    async with await node.connect("supervisor") as spine:
        await declare(spine, node.configuration, ORGANISATION, mqtt={"mqtt": []})
    admit(node.configuration, node.users, node.directory)
    for _ in range(50):
        if await _mqtt_answer(node) == 0:
            break
        await asyncio.sleep(0.1)
    else:
        pytest.fail("the device was never let in")
    node.kill()
    await node.start()
    assert await _mqtt_answer(node) == 0, "after a restart nothing has to be declared again"


async def _mqtt_answer(node) -> int:
    """The reason code of a device's CONNECT; 0 is welcome."""

    def connect() -> int:
        client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="probe", protocol=paho.MQTTv311)
        client.username_pw_set("device", DEVICE_PASSWORD)
        answers: list[int] = []
        client.on_connect = lambda *a: answers.append(0 if not a[3].is_failure else a[3].value)
        client.on_disconnect = lambda *a: answers.append(-1)
        try:
            client.connect("127.0.0.1", node.configuration.mqtt_port)
        except OSError:
            return -1
        client.loop_start()
        for _ in range(200):
            if answers:
                break
            client._thread.join(0.02)
        client.loop_stop()
        client.disconnect()
        return answers[0] if answers else -1

    return await asyncio.to_thread(connect)


async def test_changed_permissions_reach_the_running_server(node):
    silent = [user if user.name != "edge" else msgspec.structs.replace(user, publish=()) for user in node.users]
    admit(node.configuration, silent, node.directory)
    await asyncio.sleep(0.3)
    async with await node.connect("edge") as edge, Publisher(edge, timeout=0.5) as publisher:
        with pytest.raises(SpineUnavailableError):
            await (await publisher.send(Subjects(ORGANISATION).samples("pump"), b"x"))
    with pytest.raises(SpineUnavailableError, match="not running"):
        reload(node.directory / "elsewhere")


async def test_figures_show_every_stream(node):
    async with await node.connect("api") as api:
        rows = {row.name: row for row in await figures(api)}
    assert set(rows) == {"HL_SAMPLES", "HL_EVENTS", "HL_COMMANDS", "$MQTT_msgs"}
    assert rows["HL_SAMPLES"].policy == "refuse new"
    assert rows["HL_EVENTS"].policy == "drop oldest"
    assert all(row.max_bytes > 0 and row.max_age > 0 for row in rows.values()), "a stream without bounds"
