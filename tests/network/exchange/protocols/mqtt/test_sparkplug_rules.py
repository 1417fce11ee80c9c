"""What a host does about order, births, deaths and lost requests: payloads only, with a clock of the test's own."""

from __future__ import annotations

import pytest
from sparkplug_plant import Plant, tck

from hulian.kernel.quality import Quality
from hulian.kernel.storage import StorageClass as S
from hulian.network.exchange.protocols.mqtt.errors import DeathError, GapError, TransientError
from hulian.network.exchange.protocols.mqtt.sparkplug import session as module
from hulian.network.exchange.protocols.mqtt.sparkplug.messages import Metric, encode_birth, encode_data, encode_death, topic
from hulian.network.exchange.protocols.mqtt.sparkplug.protobuf import Payload

BAD = int(Quality.BAD_NO_COMMUNICATION)
POINTS = {"t": S.DOUBLE, "dev|p": S.DOUBLE}


def born(**options) -> Plant:
    plant = Plant(POINTS, **options)
    plant.node.declare("", "t", "Double", 20.0)
    plant.node.declare("dev", "p", "Double", 1.0)
    plant.node.birth()
    plant.samples()
    return plant


def written(plant: Plant, *values: float) -> list[tuple[str, bytes]]:
    """Data messages of the device, not yet delivered."""
    plant.kept = []
    for value in values:
        plant.node.update("dev", {"p": value})
    kept, plant.kept = plant.kept, None
    return kept


@tck("tck-id-operational-behavior-host-reordering-start", "tck-id-operational-behavior-host-reordering-success")
def test_overtaken_messages_come_within_the_time_and_are_read_in_order():
    plant = born(reorder=2.0)
    first, second, third, fourth = written(plant, 1.0, 2.0, 3.0, 4.0)
    for message in (third, second, fourth):
        plant.deliver(*message)
    assert plant.samples() == []
    assert plant.session.nodes["G/N"].early.until == plant.now + 2_000_000_000
    plant.wait(1.9)
    plant.deliver(*first)
    assert [value for _, value, _ in plant.samples()] == [1.0, 2.0, 3.0, 4.0]
    plant.wait(10)
    assert plant.events == []
    assert plant.session.outbox == []
    assert plant.session._early_bytes == 0


@tck("tck-id-operational-behavior-host-reordering-rebirth", "tck-id-operational-behavior-host-reordering-param")
@pytest.mark.parametrize("reorder", [0.0, 0.5, 7.0])
def test_a_message_that_does_not_come_within_the_time_asks_for_a_rebirth(reorder):
    plant = born(reorder=reorder)
    _, second, third = written(plant, 1.0, 2.0, 3.0)
    plant.deliver(*second)
    plant.deliver(*third)
    if reorder:
        plant.wait(reorder - 0.01)
        assert (plant.samples(), plant.session.outbox, plant.open()) == ([], [], set())
        plant.wait(0.02)
    assert [value for _, value, _ in plant.samples()] == [2.0, 3.0]
    assert plant.open() == {GapError.code}
    assert "1 messages are missing" in plant.events[0].message
    (where, payload), = plant.session.outbox  # fmt: skip
    (metric,) = Payload.FromString(payload).metrics
    assert (where, metric.name, metric.boolean_value) == ("spBv1.0/G/NCMD/N", "Node Control/Rebirth", True)
    plant.answer()
    assert plant.open() == set()


def test_the_time_ends_with_the_next_message_too():
    plant = born(reorder=2.0)
    _, second, third = written(plant, 1.0, 2.0, 3.0)
    plant.deliver(*second)
    plant.now += 3_000_000_000
    plant.deliver(*third)
    assert [value for _, value, _ in plant.samples()] == [2.0, 3.0]


def test_what_waits_is_bounded(monkeypatch):
    monkeypatch.setattr(module, "_MOST_EARLY", 100)
    plant = born(reorder=60.0)
    for message in written(plant, *range(9))[1:]:
        plant.deliver(*message)
    assert plant.session._early_bytes <= 100
    assert plant.open() == {GapError.code}
    assert len(plant.samples()) >= 4


def test_a_device_birth_that_overtakes_its_nodes_birth_is_read_behind_it():
    plant = born(reorder=2.0)
    plant.kept = []
    plant.node.update("", {"t": 5.0})
    plant.node.birth()
    last_data, node_birth, device_birth = plant.kept
    plant.deliver(*device_birth)
    plant.deliver(*last_data)
    plant.deliver(*node_birth)
    node = plant.session.nodes["G/N"]
    assert node.devices["dev"].alive
    assert node.sequence == 1
    plant.wait(5)
    assert plant.open() == set()


@tck(
    "tck-id-operational-behavior-edge-node-termination-host-action-ddeath-devices-offline",
    "tck-id-operational-behavior-edge-node-termination-host-action-ddeath-devices-tags-stale",
)
def test_a_device_death_counts_from_its_own_time():
    plant = born()
    now = plant.now // 1_000_000 + 5_000
    plant.deliver(topic("DDEATH", "G/N", "dev"), encode_death(sequence=2, timestamp=now))
    assert plant.timed() == [("dev|p", now * 1_000_000, None, BAD)]
    assert not plant.session.nodes["G/N"].devices["dev"].alive
    assert plant.session.nodes["G/N"].alive


def test_a_late_will_of_an_older_session_is_ignored_and_a_second_death_too():
    plant = born()
    old = plant.node.will
    plant.node.birth_death = 1
    plant.node.birth()
    plant.samples()
    plant.deliver(*old)
    assert plant.session.nodes["G/N"].alive
    plant.deliver(*plant.node.will)
    assert sorted(plant.samples()) == [("dev|p", None, BAD), ("t", None, BAD)]
    plant.deliver(*plant.node.will)
    assert plant.samples() == []
    assert plant.reports.counters["stale_deaths"] == 2


@pytest.mark.parametrize("answers", [True, False])
def test_a_death_of_a_session_whose_birth_was_missed_is_asked_about(answers):
    plant = born()
    plant.node.birth_death = 3
    plant.deliver(*plant.node.will)
    assert plant.session.nodes["G/N"].alive
    assert len(plant.session.outbox) == 1
    if answers:
        plant.answer()
    plant.wait(11)
    assert plant.session.nodes["G/N"].alive is answers
    assert (DeathError.code in plant.open()) is not answers


def test_requests_are_repeated_ever_later_until_a_birth_comes_and_end_with_a_death():
    plant = born(rebirth_every=5.0, reorder=0.0)
    plant.lost = 1
    plant.node.update("dev", {"p": 1.0})
    plant.node.update("dev", {"p": 2.0})
    asked = []
    for second in range(200):
        plant.wait(1)
        if plant.session.outbox:
            plant.session.outbox.clear()
            asked.append(second)
    assert asked == [0, 4, 14, 34, 74, 154], "after 0, 5, 15, 35, 75 and 155 s"
    plant.node.birth()
    plant.wait(500)
    assert plant.session.outbox == []
    plant.lost = 1
    plant.node.update("dev", {"p": 1.0})
    plant.node.update("dev", {"p": 2.0})
    plant.node.death()
    plant.session.outbox.clear()
    plant.wait(500)
    assert plant.session.outbox == []


def test_an_edge_node_that_loses_messages_after_each_birth_is_not_asked_more_often():
    plant = born(rebirth_every=5.0, reorder=0.0)
    for _ in range(100):
        plant.lost = 1
        plant.node.update("dev", {"p": 1.0})
        plant.node.update("dev", {"p": 2.0})
        plant.answer()
        plant.wait(0.1)
        plant.answer()
    assert plant.reports.counters["rebirth_requests"] <= 4


def test_history_is_stored_with_its_time_and_leaves_the_present_alone():
    plant = born()
    heard = []
    plant.targets["dev|p"].waiters.append(heard.append)
    before = plant.state()["dev|p"]
    plant.node.update("dev", {"p": 6.0}, timestamp=plant.now // 1_000_000 + 60_000, historical=True)
    assert plant.timed() == [("dev|p", (plant.now // 1_000_000 + 59_999) * 1_000_000, 6.0, 0)]
    assert plant.state()["dev|p"] == before
    assert plant.session.nodes["G/N"].devices["dev"].metrics["p"].value == 1.0
    assert heard == []


@pytest.mark.parametrize("choice", ["drop", "keep"])
def test_transient_values_are_heard_but_not_stored_unless_somebody_wants_them(choice):
    plant = born(transient=choice)
    heard = []
    plant.targets["dev|p"].waiters.append(heard.append)
    plant.node.update("dev", {"p": 6.0}, transient=True)
    assert heard == [6.0]
    assert plant.samples() == ([] if choice == "drop" else [("dev|p", 6.0, 0)])
    assert [event.code for event in plant.events] == ([TransientError.code] if choice == "drop" else [])


def test_an_alias_of_another_device_is_not_believed():
    plant = born()
    alias = plant.node._devices[""]["t"].alias
    payload = encode_data([Metric(alias=alias, value=9.0)], sequence=2, timestamp=plant.now // 1_000_000)
    plant.deliver(topic("DDATA", "G/N", "dev"), payload)
    assert plant.samples() == []
    assert plant.answer() == 1


@tck("tck-id-payloads-alias-uniqueness")
def test_an_alias_that_two_metrics_have_is_believed_of_neither():
    plant = Plant({"dev|a": S.DOUBLE, "dev|b": S.DOUBLE})
    plant.node.birth()
    now = plant.now // 1_000_000
    metrics = [Metric(name="a", alias=7, value=1.0), Metric(name="b", alias=7, value=2.0)]
    plant.deliver(topic("DBIRTH", "G/N", "dev"), encode_birth(metrics, sequence=1, timestamp=now))
    plant.samples()
    for gathered in (False, True):
        number = 3 if gathered else 2
        data = encode_data([Metric(alias=7, value=3.0)] * 200, sequence=number, timestamp=now)
        (plant.gather if gathered else lambda one: plant.deliver(*one))((topic("DDATA", "G/N", "dev"), data))
    assert plant.samples() == []
    assert "neither is believed" in plant.events[0].message
