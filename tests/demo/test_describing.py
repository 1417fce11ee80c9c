"""The plant's descriptions of itself: real AutomationML and InstrumentML, and the whole plan comes back out of them."""

import msgspec
import pytest
from registries import sqlite_registry, sqlite_template

from hulian.data.catalogue import Catalogue
from hulian.data.catalogue.described import Choice, Described, Wish
from hulian.demo import DemoConfiguration, plan
from hulian.demo.chromatograph import COMMANDS, answer
from hulian.demo.configuration import ModbusServer, MqttDevice, OpcuaServer, ServicePort
from hulian.demo.describing import FILES, INSTRUMENT, PLANT, automationml, instrumentml, write
from hulian.demo.live import LivePlant
from hulian.demo.meanings import QUANTITY_KINDS
from hulian.network.exchange.protocols.instrument.description import read_description
from hulian.network.exchange.semantics.automationml.checks import check, check_by_schema
from hulian.network.exchange.semantics.dictionary.general import general
from hulian.network.exchange.semantics.documents import file_source, memory_source
from hulian.network.exchange.semantics.formats import format_of
from hulian.network.exchange.semantics.instrumentml.schema import faults
from hulian.network.exchange.semantics.model import Question
from hulian.network.exchange.semantics.together import Semantics

__all__ = ["sqlite_registry", "sqlite_template"]

CONFIGURATION = DemoConfiguration(
    opcua=OpcuaServer(port=4941),
    modbus=ModbusServer(port=5120, device=7),
    mqtt=MqttDevice(user="analysers", password="env:ANALYSERS", group="Works 3"),
    service=ServicePort(port=5125),
)


@pytest.fixture
def semantics(sqlite_registry):
    opened = Semantics(sqlite_registry)
    yield opened
    opened.close()


@pytest.fixture
def catalogue(sqlite_registry):
    return Catalogue(sqlite_registry, "test")


def take_in(model, name, text):
    source = memory_source(name, text.encode())
    found = model.read(format_of(source), source, name.partition(".")[0], "test")
    assert not found.errors
    assert not [loss for loss in found.version.losses if loss.lost]
    return model.apply(found.version.key)


def test_the_automationml_is_valid_and_nothing_in_it_leads_nowhere():
    source = memory_source(PLANT, automationml(CONFIGURATION).encode())
    assert check(source) == []


@pytest.mark.samples("automationml/CAEX_ClassModel_V.3.0.xsd")
def test_the_published_schema_takes_the_automationml(samples):
    source = memory_source(PLANT, automationml(CONFIGURATION).encode())
    schema = file_source(samples / "automationml" / "CAEX_ClassModel_V.3.0.xsd")
    assert check_by_schema(source, schema) == []


def test_the_instrumentml_is_valid_and_can_be_driven():
    text = instrumentml(CONFIGURATION).encode()
    assert faults(memory_source(INSTRUMENT, text)) == []
    instrument = read_description(text)
    assert instrument.endpoint == "tcp://127.0.0.1:5125"
    assert list(instrument.messages) == [command.name for command in COMMANDS]


def test_every_described_command_is_understood_and_its_answer_read():
    plant = LivePlant(speed=60.0, seed=1, restart_after=20.0)
    instrument = read_description(instrumentml(CONFIGURATION).encode())
    for command in COMMANDS:
        message = instrument.messages[command.name]
        reply = answer(message.record.encode({}), plant)
        values, size = instrument.responses[command.name].record.decode(reply)
        assert size == len(reply)
        assert list(values) == [field.name for field in command.fields]
    values, _ = instrument.responses["product"].record.decode(answer(b"meas:prod?\n", plant))
    assert values["g"] == pytest.approx(plant.simulation.measured[39], abs=1e-6)
    assert instrument.responses["error"].record.decode(answer(b"BREW? TEA\n", plant))[0]["number"] == -113


def test_concepts_are_those_of_the_general_dictionary():
    entries = {entry.concept.key: entry for entry in general()[1]}
    for connection in plan(CONFIGURATION):
        for point in connection.points:
            for meaning in point.meanings:
                assert meaning in entries or meaning.startswith("http://qudt.org/"), meaning
    for name, kind in QUANTITY_KINDS.items():
        assert entries[f"hulian:{name}"].quantity == f"http://qudt.org/vocab/quantitykind/{kind}"


def test_the_whole_plan_comes_back_out_of_the_descriptions(semantics, catalogue):
    connections = {connection.name: connection for connection in plan(CONFIGURATION)}
    described = Described(catalogue, semantics.model, prefix="99.118.8")
    for name, make in FILES.items():
        take_in(semantics.model, name, make(CONFIGURATION))
        described.apply(name.partition(".")[0], "test")
    for record in catalogue.connectors():
        connection = connections.pop(record.name)
        assert (record.protocol, record.url) == (connection.protocol, connection.url)
        carried = {key: value for key, value in record.settings.items() if key != "description"}
        assert carried.items() <= connection.settings.items()
    assert not connections
    for connection in plan(CONFIGURATION):
        for planned in connection.points:
            point = msgspec.structs.asdict(catalogue.point(planned.name).point)
            wanted = planned.describe({}) | {"connector": connection.name, "address": planned.address}
            assert {key: point[key] for key in wanted} == wanted
    count = sum(len(connection.points) for connection in plan(CONFIGURATION))
    assert catalogue.search(limit=1).total == count
    assert len(semantics.model.notes("point")) == count


def test_what_the_plan_adds_is_chosen_with_the_import(semantics, catalogue):
    take_in(semantics.model, PLANT, automationml(CONFIGURATION))
    there = [one for one in plan(CONFIGURATION) if one.name != "gas-chromatograph"]  # it has a description of its own
    wish = Wish(connectors={one.name: Choice(settings=msgspec.to_builtins(one.settings)) for one in there})
    described = Described(catalogue, semantics.model, prefix="99.118.8")
    described.apply("tennessee-eastman", "test", wish)
    assert catalogue.connector("stripper").settings["interval"] == CONFIGURATION.period
    again = described.apply("tennessee-eastman", "test", wish)
    assert (again.connectors, again.points.unchanged, again.bound) == ((), 0, 0)


def test_the_points_are_found_by_what_they_mean(semantics, catalogue):
    take_in(semantics.model, PLANT, automationml(CONFIGURATION))
    Described(catalogue, semantics.model, prefix="99.118.8").apply("tennessee-eastman", "test")
    found = semantics.model.find(Question(meaning="pressure", unit="bar", of="Reactor"))
    assert [node.point for node in found.nodes if node.point] == ["99.118.8/reactor#pressure"]
    pressures = semantics.model.find(Question(meaning="hulian:pressure", unit="bar", inside="Process"))
    assert {node.point for node in pressures.nodes} == {
        "99.118.8/reactor#pressure", "99.118.8/separator#pressure", "99.118.8/stripper#pressure",
    }  # fmt: skip
    assert {node.factor for node in pressures.nodes} == {0.01}


def test_a_description_that_is_made_again_is_the_same(tmp_path):
    first = {path.name: path.read_bytes() for path in write(tmp_path / "one", CONFIGURATION)}
    assert first == {path.name: path.read_bytes() for path in write(tmp_path / "two", CONFIGURATION)}
    assert set(first) == {PLANT, INSTRUMENT}
