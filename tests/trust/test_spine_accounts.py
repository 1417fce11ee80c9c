"""Who may say and hear what: the table on a real nats-server, with real MQTT devices."""

from __future__ import annotations

import asyncio
import contextlib
import re
import subprocess
import threading

import bcrypt
import nats
import paho.mqtt.client as mqtt
import pytest
from free_ports import free_port
from hypothesis import given
from hypothesis import strategies as st

from hulian.assembly.accounts import convert
from hulian.network.exchange.spine import server
from hulian.network.exchange.spine.configuration import SpineConfiguration
from hulian.trust import (
    AccountError,
    Component,
    SpineAccounts,
    TakenNameError,
    TopicFilterError,
    UnknownAccountError,
    inbox_prefix,
)
from hulian.trust.devices import subjects_of


class TestCredentials:
    def test_they_are_made_once_random_and_private(self, tmp_path):
        accounts = SpineAccounts(tmp_path / "secrets", "acme")
        passwords = {component: accounts.password(component) for component in Component}
        assert len(set(passwords.values())) == len(Component)
        assert all(len(password) >= 43 for password in passwords.values())
        again = SpineAccounts(tmp_path / "secrets", "acme")
        assert {component: again.password(component.value) for component in Component} == passwords
        assert again.users() == accounts.users(), "a new hash would log everybody out at a reload"
        assert {path.stat().st_mode & 0o777 for path in (tmp_path / "secrets").iterdir()} == {0o600}

    def test_a_user_carries_the_hash_and_never_the_password(self, tmp_path):
        accounts = SpineAccounts(tmp_path, "acme")
        for user in accounts.users():
            password = accounts.password(user.name)
            assert bcrypt.checkpw(password.encode(), user.password_hash.encode())
            assert password not in repr(user)
            assert user.password_hash not in repr(user)

    def test_an_unknown_component_has_none(self, tmp_path):
        with pytest.raises(ValueError, match="nobody"):
            SpineAccounts(tmp_path, "acme").password("nobody")

    def test_every_subject_is_one_of_the_organisation_or_the_server(self, tmp_path):
        for user in SpineAccounts(tmp_path, "Acme & Co.").users():
            for subject in user.publish:
                assert re.match(r"hl\.Acme~20~26~20Co~2E\.|\$JS\.|\$SYS\.REQ\.", subject), subject
            assert "{" not in "".join((*user.publish, *user.subscribe, *user.deny_subscribe))

    def test_no_component_hears_anothers_answers(self, tmp_path):
        for user in SpineAccounts(tmp_path, "acme").users():
            heard = [subject for subject in user.subscribe if subject.startswith("_INBOX")]
            assert heard == [f"{inbox_prefix(user.name)}.>"]
            if ">" in user.subscribe:
                others = {f"{inbox_prefix(other)}.>" for other in Component if other.value != user.name}
                assert others <= set(user.deny_subscribe)


class TestTopicFilters:
    @pytest.mark.parametrize(
        ("topic_filter", "subjects"),
        [
            ("plant/line1/pump", ("plant.line1.pump",)),
            ("plant/+/pump", ("plant.*.pump",)),
            ("plant/#", ("plant.>", "plant")),
            ("spBv1.0/G/NDATA/#", ("spBv1//0.G.NDATA.>", "spBv1//0.G.NDATA")),
            ("厂/压力", ("厂.压力",)),
        ],
    )
    def test_what_they_stand_for(self, topic_filter, subjects):
        assert subjects_of(topic_filter) == subjects

    @pytest.mark.parametrize(
        "topic_filter",
        ["", "/", "/a", "a/", "a//b", "#", "+", "+/a", "a/#/b", "a+", "a/b#", "hl/acme/samples/x", "hl/#", "$SYS/#",
         "$JS/API/#", "$MQTT/sub/x", "_INBOX/api/x", "_R_/x", "a/*", "a/>", "a b", "a\x00b", "a\nb", "x" * 600],
    )  # fmt: skip
    def test_what_is_none_or_reaches_too_far(self, topic_filter):
        with pytest.raises(TopicFilterError):
            subjects_of(topic_filter)

    @given(st.text(st.sampled_from("ab/+#.$*> hl_INBOXR"), max_size=12))
    def test_no_filter_whatever_matches_the_platforms_own_subjects(self, topic_filter):
        with contextlib.suppress(TopicFilterError):
            for subject in subjects_of(topic_filter):
                first = subject.partition(".")[0]
                assert first not in ("*", ">", "hl", "_INBOX", "_R_")
                assert not first.startswith("$")


class TestDevices:
    def test_a_device_is_shown_its_password_once(self, trust, tmp_path):
        issued = trust.devices.add("press-1", publish=["plant/press-1/#"], subscribe=["plant/press-1/set"], by="ada")
        assert trust.devices.list() == [issued.device]
        assert issued.password not in repr(issued)
        trust.devices._registry.close()
        assert all(issued.password.encode() not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
        (user,) = [user for user in trust.spine.users() if user.device]
        assert bcrypt.checkpw(issued.password.encode(), user.password_hash.encode())

    @pytest.mark.parametrize("name", ["", " ", "a b", "-a", "a/b", "x" * 129, "a\n"])
    def test_names_that_cannot_be(self, trust, name):
        with pytest.raises(AccountError):
            trust.devices.add(name, publish=["a/b"], by="ada")

    @pytest.mark.parametrize("name", [component.value for component in Component])
    def test_a_device_is_no_component(self, trust, name):
        with pytest.raises(TakenNameError):
            trust.devices.add(name, publish=["a/b"], by="ada")

    def test_changes(self, trust):
        first = trust.devices.add("d", publish=["a/#"], by="ada")
        with pytest.raises(TakenNameError):
            trust.devices.add("d", publish=["a/#"], by="ada")
        second = trust.devices.renew("d", by="ada")
        assert second.password != first.password
        trust.devices.enable("d", False, by="ada")
        assert trust.devices.spine_users() == []
        trust.devices.enable("d", True, by="ada")
        trust.devices.remove("d", by="ada")
        assert trust.devices.get("d") is None
        for attempt in (trust.devices.remove, trust.devices.renew):
            with pytest.raises(UnknownAccountError):
                attempt("d", by="ada")
        assert [record.details["did"] for record in trust.audit.list()] == [
            "removed",
            "enabled",
            "disabled",
            "renewed",
            "added",
        ]

    def test_a_wrong_filter_adds_nothing(self, trust):
        for filters in ([], ["a/#", "#"], ["a"] * 101):
            with pytest.raises(TopicFilterError):
                trust.devices.add("d", publish=filters, by="ada")
        assert trust.devices.list() == []


@pytest.fixture
def spine(trust, tmp_path):
    """nats-server with the accounts of `trust`: (url, MQTT port, password of the device ``press``)."""
    password = trust.devices.add(
        "press", publish=["plant/press/#"], subscribe=["plant/press/set", "shared/#"], by="ada"
    ).password
    settings = SpineConfiguration(port=free_port(), mqtt_port=free_port())
    command = server.prepare(settings, [convert(user) for user in trust.spine.users()], tmp_path / "spine", devices=True)
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        asyncio.run(server.wait_ready(settings.url, "supervisor", trust.spine.password("supervisor")))
        yield settings, password
    finally:
        process.kill()
        process.wait()


class Device:
    """A paho client that remembers what it got."""

    def __init__(self, settings, name, password):
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=name, protocol=mqtt.MQTTv311)
        self.client.username_pw_set(name, password)
        self.got, self.granted, self.acknowledged = [], None, set()
        self.answer, self.heard, self.suback = threading.Event(), threading.Event(), threading.Event()
        self.code = None
        self.client.on_connect = self._connected
        self.client.on_message = self._message
        self.client.on_subscribe = self._subscribed
        self.client.connect("127.0.0.1", settings.mqtt_port)
        self.client.loop_start()

    def _connected(self, _client, _data, _flags, code, _properties):
        self.code = code
        self.answer.set()

    def _message(self, _client, _data, message):
        self.got.append((message.topic, message.payload))
        self.heard.set()

    def _subscribed(self, _client, _data, _mid, codes, _properties):
        self.granted = codes
        self.suback.set()

    def __enter__(self):
        assert self.answer.wait(10)
        return self

    def __exit__(self, *_error):
        self.client.loop_stop()
        self.client.disconnect()


def hear(settings, trust, subject, *, component="edge"):
    """Connects ``component``; returns (loop runner, messages, stop)."""
    loop = asyncio.new_event_loop()
    got: list[tuple[str, bytes]] = []

    async def start():
        client = await nats.connect(
            settings.url, user=component, password=trust.spine.password(component), inbox_prefix=b"_INBOX.edge"
        )

        async def keep(message):
            got.append((message.subject, message.data))

        await client.subscribe(subject, cb=keep)
        await client.flush()
        return client

    return loop, loop.run_until_complete(start()), got


def wait_for(loop, condition, seconds=10.0):
    async def until():
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.02)

    loop.run_until_complete(until())


def test_a_device_speaks_on_its_topics_and_nowhere_else(spine, trust):
    settings, password = spine
    loop, client, got = hear(settings, trust, ">")
    with Device(settings, "press", password) as device:
        assert device.code == 0
        device.client.publish("plant/other/temp", b"forged", qos=0)
        device.client.publish("hl/acme/control/edge", b"forged", qos=0)
        device.client.publish("plant/press/temp", b"21.5", qos=0)
        wait_for(loop, lambda: ("plant.press.temp", b"21.5") in got)
    assert not any(payload == b"forged" for _, payload in got)
    loop.run_until_complete(client.close())
    loop.close()


@pytest.mark.parametrize("qos", [0, 1])
def test_a_device_hears_its_topics(spine, trust, qos):
    settings, password = spine
    with Device(settings, "press", password) as device:
        device.client.subscribe("plant/press/set", qos=qos)
        assert device.suback.wait(10)
        assert [int(code.value) for code in device.granted] == [qos]
        loop, client, _ = hear(settings, trust, "hl.acme.control.edge")
        loop.run_until_complete(client.publish("plant.press.set", b"50"))
        loop.run_until_complete(client.flush())
        assert device.heard.wait(10), "the edge may publish what a device may hear"
        assert device.got == [("plant/press/set", b"50")]
        loop.run_until_complete(client.close())
        loop.close()


@pytest.mark.parametrize("topic", ["#", "plant/#", "hl/#", "plant/other/set", "$SYS/#"])
def test_a_device_hears_nothing_else(spine, topic):
    settings, password = spine
    with Device(settings, "press", password) as device:
        device.client.subscribe(topic, qos=0)
        device.suback.wait(3)
        assert device.granted is None or [int(code.value) for code in device.granted] == [0x80]


def test_a_wrong_password_and_a_components_credential_stay_outside(spine, trust):
    settings, password = spine
    for name, secret in (("press", password + "x"), ("nobody", password), ("api", trust.spine.password("api"))):
        with Device(settings, name, secret) as device:
            assert device.code != 0

    async def as_component():
        await nats.connect(settings.url, user="press", password=password, allow_reconnect=False, connect_timeout=3)

    with pytest.raises(nats.errors.Error, match=r"(?i)authorization"):
        asyncio.run(as_component())


FORBIDDEN = [
    ("cli", "hl.acme.samples.x"),
    ("cli", "hl.acme.commands.x"),
    ("api", "hl.acme.samples.x"),
    ("api", "$JS.API.STREAM.DELETE.HL_SAMPLES"),
    ("api", "_INBOX.edge.x"),
    ("edge", "hl.acme.query.historian"),
    ("edge", "hl.acme.control.historian"),
    ("edge", "$JS.API.STREAM.DELETE.HL_SAMPLES"),
    ("edge", "plant.press.forged"),
    ("historian", "hl.acme.samples.x"),
    ("historian", "hl.acme.commands.x"),
    ("supervisor", "hl.acme.samples.x"),
]


def test_components_speak_where_their_table_says(spine, trust):
    settings, _ = spine

    async def attempt(component, subject, *, refused):
        errors = []

        async def keep(error):
            errors.append(str(error))

        client = await nats.connect(settings.url, user=component, password=trust.spine.password(component), error_cb=keep)
        await client.publish(subject, b"x")
        await client.flush()
        # The client hands an error to its callback in a task of its own, after the flush has returned.
        for _ in range(200 if refused else 10):
            if errors:
                break
            await asyncio.sleep(0.02)
        await client.close()
        return errors

    async def all_of_them():
        refusals = {pair: await attempt(*pair, refused=True) for pair in FORBIDDEN}
        return refusals, await attempt("edge", "hl.acme.samples.x", refused=False)

    refused, allowed = asyncio.run(all_of_them())
    assert allowed == []
    for pair, errors in refused.items():
        assert "permissions violation" in " ".join(errors).lower(), pair
