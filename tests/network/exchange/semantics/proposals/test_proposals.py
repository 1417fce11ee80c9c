"""What documents of each language can become: connectors and points as a person would type them."""

from __future__ import annotations

import json

import pytest
from aas_documents import interfaces

from hulian.data.catalogue import Catalogue
from hulian.data.catalogue.described import Described
from hulian.kernel.point import Kind
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.instrument.simulator import DESCRIPTION
from hulian.network.exchange.semantics.documents import file_source, memory_source
from hulian.network.exchange.semantics.formats import format_of
from hulian.network.exchange.semantics.proposals import catalogue_unit
from hulian.network.exchange.semantics.proposals.quantities import kind_of, number, storage_of
from hulian.network.exchange.semantics.together import Semantics
from hulian.platform.edge.protocols import check_connection, check_options
from hulian.registry import Registry

_POWER = {"href": "modbus+tcp://10.0.0.7:502/1/10?quantity=2", "modv:entity": "HoldingRegister", "modv:type": "xsd:float"}
_SWITCH = {"href": "modbus+tcp://10.0.0.7:502/1/3", "modv:entity": "Coil", "op": ["readproperty", "writeproperty"]}
THING = {
    "@context": "https://www.w3.org/2022/wot/td/v1.1",
    "title": "Meter 7",
    "id": "urn:meter:7",
    "securityDefinitions": {"none": {"scheme": "nosec"}},
    "security": "none",
    "base": "modbus+tcp://10.0.0.7:502/1",
    "properties": {
        "power": {
            "type": "number", "unit": "KWT", "minimum": 0, "maximum": 50, "titles": {"en": "Active power", "zh": "有功功率"},
            "forms": [{**_POWER, "op": ["readproperty"]}],
        },
        "on": {"type": "boolean", "forms": [_SWITCH]},
        "odd": {"type": "number", "forms": [{"href": "coap://10.0.0.7/x"}]},
    },
}  # fmt: skip


@pytest.fixture
def described(tmp_path):
    registry = Registry.open(tmp_path / "registry.db")
    semantics = Semantics(registry)
    yield Described(
        Catalogue(registry, "test"), semantics.model, prefix="99.118.8",
        check_connector=check_connection, check_options=check_options,
    )  # fmt: skip
    semantics.close()
    registry.close()


def take_in(described, source, name):
    model = described._model
    model.apply(model.read(format_of(source), source, name, "test").version.key)
    return described.proposal(name)


def test_a_thing_becomes_a_connector_and_its_points(described):
    proposal = take_in(described, memory_source("meter.td.jsonld", json.dumps(THING).encode()), "meter")
    (connector,) = proposal.connectors
    assert (connector.protocol, connector.url) == ("modbus", "modbus://10.0.0.7:502")
    power, switch = proposal.points
    assert (power.address, power.unit, power.low, power.high) == ("1/holding@10:float32", "kW", 0.0, 50.0)
    assert power.texts["zh"] == "有功功率"
    assert (switch.storage, switch.kind, switch.writable) == (StorageClass.BOOLEAN, Kind.STEP, True)
    assert "coap" in proposal.missing[0].what
    done = described.apply("meter", "test")
    assert (done.points.added, done.left) == (2, 0)
    assert described.preview("meter").points[0].name == "99.118.8/meter-7#power"


def test_an_interface_description_of_a_shell_becomes_connectors(described):
    proposal = take_in(described, memory_source("shell.json", json.dumps(interfaces()).encode()), "shell")
    connectors = {connector.protocol: connector for connector in proposal.connectors}
    assert set(connectors) == {"modbus", "mqtt", "opcua", "http"}
    assert any("pushed" in text for text in connectors["http"].missing)
    points = {point.address: point for point in proposal.points}
    pressure = points["3/holding@10:float32:cdab"]
    assert (pressure.unit, pressure.meanings, pressure.options) == ("bar", ("https://example.org/pressure",), {"interval": 0.5})
    found = described.preview("shell")
    changes = {one.described: one for one in found.connectors}
    # our HTTP connector listens and does not ask: the address of a device is none of its own
    assert changes[connectors["http"].name].change == "left"
    assert changes["Registers"].change == "added"
    names = {point.address: point.name for point in found.points}
    assert names[pressure.address] == "99.118.8/registers#pressure"
    assert names["json:pump/state:speed"].endswith("#state.speed")
    assert described.apply("shell", "test").points.added == found.added == len(points) - found.left
    assert described.apply("shell", "test").points.added == 0


def test_an_instrument_is_driven_by_the_document_that_was_imported(described):
    proposal = take_in(described, file_source(DESCRIPTION), "analyser")
    (connector,) = proposal.connectors
    assert (connector.protocol, connector.url) == ("instrument", "instrument://analyser.plant.example:5025")
    assert connector.settings["description"].startswith("<?xml")
    points = {point.address: point for point in proposal.points}
    pressure = points["MEAS:PRES?/pressure"]
    assert (pressure.unit, pressure.storage, pressure.node) == ("kPa", StorageClass.DOUBLE, pressure.node)
    assert points["STAT:RUN?/running"].kind is Kind.STEP
    assert points["spectra/methane"].unit == "%"
    assert "LIM/value" not in points  # what is only written is decided by a person
    done = described.apply("analyser", "test")
    assert (done.points.added, done.left) == (len(points), 0)
    assert described.preview("analyser").points[0].name.startswith("99.118.8/analyser#")


def test_a_language_without_live_values_proposes_none(described):
    document = b'{"hulian": 1, "document": {"name": "x", "format": "hulian", "title": "X"}}\n'
    proposal = take_in(described, memory_source("x.hulian.jsonl", document), "x")
    assert (proposal.connectors, proposal.points) == ((), ())


@pytest.mark.parametrize(
    ("written", "unit"),
    [
        ("BAR", "bar"), ("0112/2///62720#UAA323", "bar"), ("http://qudt.org/vocab/unit/BAR", "bar"),
        ("MQH", "m3/h"), ("m³/h", "m3/h"), ("E93", "kg/h"), ("°C", "Cel"), ("CEL", "Cel"), ("P1", "%"), ("kPa", "kPa"),
        ("bar(g)", "bar(g)"), ("", ""),
    ],
)  # fmt: skip
def test_units_become_those_of_the_catalogue(written, unit):
    assert catalogue_unit(written) == (unit, True)


def test_an_unknown_unit_stays_as_it_is_written():
    assert catalogue_unit("furlongs per fortnight") == ("furlongs per fortnight", False)


@pytest.mark.parametrize(
    ("datatype", "address", "storage"),
    [
        ("xs:double", "", StorageClass.DOUBLE), ("xs:boolean", "", StorageClass.BOOLEAN), ("xs:int", "", StorageClass.INTEGER),
        ("xs:string", "", StorageClass.TEXT), ("xs:hexBinary", "", StorageClass.BYTES),
        ("xs:float[]", "", StorageClass.STRUCTURE),
        ("", "coil@3", StorageClass.BOOLEAN), ("", "2/input@4:float32", StorageClass.DOUBLE),
        ("", "input@4:uint16", StorageClass.INTEGER), ("", "input@4:string[8]", StorageClass.TEXT), ("", "ns=2;s=x", None),
    ],
)  # fmt: skip
def test_what_keeps_a_value_is_told_by_its_type_or_its_address(datatype, address, storage):
    assert storage_of(datatype, address) is storage


def test_only_measured_numbers_are_continuous():
    assert kind_of(StorageClass.DOUBLE, writable=False) is Kind.CONTINUOUS
    assert kind_of(StorageClass.DOUBLE, writable=True) is Kind.STEP
    assert kind_of(StorageClass.INTEGER, writable=False) is Kind.STEP
    assert [number(text) for text in ("1.5", "nan", "inf", "x", "", None)] == [1.5, None, None, None, None, None]
