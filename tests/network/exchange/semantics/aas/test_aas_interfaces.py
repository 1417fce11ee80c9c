"""An Asset Interfaces Description becomes connectors and points that our own protocols take."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from aas_documents import external, interfaces, to
from semantic_content import Collected

from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.http.address import parse_address as http_address
from hulian.network.exchange.protocols.http.config import HttpConfiguration
from hulian.network.exchange.protocols.modbus.address import Place
from hulian.network.exchange.protocols.modbus.config import ModbusConfiguration
from hulian.network.exchange.protocols.modbus.config import parse_options as modbus_options
from hulian.network.exchange.protocols.modbus.target import parse_url
from hulian.network.exchange.protocols.mqtt.address import parse_address as mqtt_address
from hulian.network.exchange.protocols.mqtt.config import MqttConfiguration
from hulian.network.exchange.protocols.opcua.address import check
from hulian.network.exchange.protocols.opcua.config import OpcuaConfiguration
from hulian.network.exchange.semantics.aas import FORMAT
from hulian.network.exchange.semantics.aas.interfaces import ConnectorProposal, proposals
from hulian.network.exchange.semantics.documents import file_source, memory_source

CONFIGURATIONS = {
    "modbus": ModbusConfiguration,
    "mqtt": MqttConfiguration,
    "opcua": OpcuaConfiguration,
    "http": HttpConfiguration,
}


def proposed() -> dict[str, ConnectorProposal]:
    source = memory_source("a.json", json.dumps(interfaces()).encode())
    content = Collected(*FORMAT.read(source, "doc", []))
    return {one.protocol: one for one in proposals(content.nodes(), content.references())}


def test_every_protocol_takes_its_proposal() -> None:
    found = proposed()
    assert set(found) == set(CONFIGURATIONS)
    for protocol, proposal in found.items():
        msgspec.convert(proposal.settings, CONFIGURATIONS[protocol])
        for point in proposal.points:
            if protocol == "modbus":
                assert Place.parse(point.address).canonical == point.address
                modbus_options(point.options, point.address)
            elif protocol == "mqtt":
                mqtt_address(point.address)
            elif protocol == "http":
                http_address(point.address)
            else:
                check(point.address)
    assert parse_url(found["modbus"].url)


def test_registers() -> None:
    modbus = proposed()["modbus"]
    assert (modbus.name, modbus.url, modbus.settings) == ("Registers", "modbus://192.0.2.7:1502", {"timeout": 1.5})
    pressure, running = modbus.points
    # One-based in the description, zero-based in the address; low word first.
    assert (pressure.address, pressure.storage) == ("3/holding@10:float32:cdab", StorageClass.DOUBLE)
    assert (pressure.unit, pressure.meaning, pressure.options) == ("bar", "https://example.org/pressure", {"interval": 0.5})
    assert (running.address, running.storage) == ("3/coil@0", StorageClass.BOOLEAN)
    assert modbus.gaps == []


def test_topics_nodes_and_pages() -> None:
    found = proposed()
    assert found["mqtt"].settings == {"topics": ["pump/flow", "pump/state"], "broker": {"qos": 2}}
    assert [(one.name, one.address, one.storage) for one in found["mqtt"].points] == [
        ("flow", "json:pump/flow:$", StorageClass.DOUBLE),
        ("state.speed", "json:pump/state:speed", StorageClass.INTEGER),
        ("state.mode", "json:pump/state:mode", StorageClass.TEXT),
    ]
    assert [one.address for one in found["opcua"].points] == ["nsu=urn:pump;s=Level"]
    assert found["opcua"].url == "opc.tcp://192.0.2.8:4840"
    # Our connector of HTTP listens: that the device is to be asked is told, not hidden.
    assert any("pushed" in gap for gap in found["http"].gaps)


def test_a_mapping_says_which_property_a_point_feeds() -> None:
    environment = interfaces()
    path = ["Registers", "InteractionMetadata", "properties", "pressure"]
    relation = {
        "modelType": "RelationshipElement",
        "idShort": "Relation",
        "first": to(("Submodel", "https://example.org/sm/aid"), *(("SubmodelElementCollection", step) for step in path)),
        "second": to(("Submodel", "urn:operation"), ("Property", "OutletPressure")),
    }
    mapping = {
        "modelType": "Submodel",
        "id": "urn:mapping",
        "semanticId": external("https://admin-shell.io/idta/AssetInterfacesMappingConfiguration/1/0/Submodel"),
        "submodelElements": [relation],
    }
    environment["submodels"].append(mapping)
    content = Collected(*FORMAT.read(memory_source("a.json", json.dumps(environment).encode()), "doc", []))
    found = [point for one in proposals(content.nodes(), content.references()) for point in one.points if point.sink]
    assert [(one.name, one.sink) for one in found] == [("pressure", "urn:operation#OutletPressure")]


@pytest.mark.samples("aas/IDTA-02017-1-0_AID.aasx")
def test_the_published_template_tells_what_is_missing(samples: Path) -> None:
    content = Collected(*FORMAT.read(file_source(samples / "aas/IDTA-02017-1-0_AID.aasx"), "doc", []))
    found = proposals(content.nodes())
    assert [one.protocol for one in found] == ["http", "modbus", "mqtt"]
    for one in found:
        assert any("base is empty" in gap for gap in one.gaps)
        msgspec.convert(one.settings, CONFIGURATIONS[one.protocol])
