"""Templates, data sets, arrays and properties of Sparkplug B: read, completed, written back, and shown where a person looks."""

from __future__ import annotations

import math

import msgspec
import pytest
from sparkplug_plant import START, Plant, tck

from hulian.kernel.quality import Quality
from hulian.kernel.storage import StorageClass as S
from hulian.network.exchange.protocols.mqtt.browse import _metrics
from hulian.network.exchange.protocols.mqtt.errors import PayloadError
from hulian.network.exchange.protocols.mqtt.simulator import SparkplugNode
from hulian.network.exchange.protocols.mqtt.sparkplug.definitions import Definition, Member
from hulian.network.exchange.protocols.mqtt.sparkplug.messages import Metric, encode_birth, encode_command, encode_data, topic
from hulian.network.exchange.protocols.mqtt.sparkplug.metrics import (
    NAMES,
    NUMBERS,
    decode_value,
    encode_value,
    natural_storage,
    properties_of,
    quality_of,
)
from hulian.network.exchange.protocols.mqtt.sparkplug.protobuf import Payload

MOTOR = Definition({"speed": Member(NUMBERS["Int32"]), "on": Member(NUMBERS["Boolean"])}, version="1.2")
PUMP = Definition(
    {"flow": Member(NUMBERS["Double"]), "motor": Member(NUMBERS["Template"], "Motor")},
    {"maker": Member(NUMBERS["String"], "", "ACME"), "stages": Member(NUMBERS["UInt32"])},
)
INSTANCE = {"metrics": {"flow": 1.5, "motor": {"metrics": {"speed": -3, "on": True}}}, "parameters": {"stages": 2}}


def pumped(**options) -> Plant:
    plant = Plant({"dev|P1": S.STRUCTURE}, **options)
    plant.node.define("Motor", MOTOR)
    plant.node.define("Pump", PUMP)
    plant.node.declare("dev", "P1", "Template", INSTANCE, template="Pump")
    plant.node.birth()
    return plant


def documents(plant: Plant) -> list:
    return [msgspec.json.decode(value) if value else value for _, value, _ in plant.samples()]


@tck(
    "tck-id-payloads-template-definition-is-definition",
    "tck-id-payloads-template-definition-members",
    "tck-id-payloads-template-definition-nbirth",
    "tck-id-payloads-template-definition-nbirth-only",
    "tck-id-payloads-template-definition-parameters",
    "tck-id-payloads-template-definition-parameters-default",
    "tck-id-payloads-template-definition-ref",
    "tck-id-payloads-template-instance-is-definition",
    "tck-id-payloads-template-instance-ref",
    "tck-id-payloads-template-is-definition",
    "tck-id-payloads-template-is-definition-definition",
    "tck-id-payloads-template-is-definition-instance",
    "tck-id-payloads-template-parameter-name-required",
    "tck-id-payloads-template-parameter-name-type",
    "tck-id-payloads-template-parameter-type-req",
    "tck-id-payloads-template-parameter-type-value",
    "tck-id-payloads-template-parameter-value",
    "tck-id-payloads-template-parameter-value-type",
    "tck-id-payloads-template-ref-definition",
    "tck-id-payloads-template-ref-instance",
    "tck-id-payloads-template-version",
    "tck-id-topics-nbirth-templates",
)
def test_definitions_travel_in_the_nbirth_and_instances_name_them():
    plant = Plant()
    plant.kept = []
    plant.node.define("Motor", MOTOR)
    plant.node.define("Pump", PUMP)
    plant.node.declare("dev", "P1", "Template", INSTANCE, template="Pump")
    plant.node.birth()
    nbirth, dbirth = (Payload.FromString(raw) for _, raw in plant.kept)
    definitions = {one.name: one.template_value for one in nbirth.metrics if one.HasField("template_value")}
    assert set(definitions) == {"Motor", "Pump"}
    for one in definitions.values():
        assert one.is_definition is True
        assert not one.HasField("template_ref")
    assert definitions["Motor"].version == "1.2"
    maker, stages = definitions["Pump"].parameters
    assert (maker.name, NAMES[maker.type], maker.string_value) == ("maker", "String", "ACME")
    assert (stages.name, NAMES[stages.type], stages.WhichOneof("value")) == ("stages", "UInt32", None)
    (instance,) = dbirth.metrics
    assert instance.template_value.HasField("is_definition")
    assert instance.template_value.is_definition is False
    assert instance.template_value.template_ref == "Pump"
    assert {one.name for one in instance.template_value.metrics} == set(PUMP.metrics)
    assert instance.template_value.parameters[0].WhichOneof("value") == "long_value"


@tck(
    "tck-id-payloads-template-instance-members",
    "tck-id-payloads-template-instance-members-birth",
    "tck-id-payloads-template-instance-members-data",
    "tck-id-payloads-template-instance-parameters",
)
def test_an_instance_is_whole_also_where_data_tell_a_part():
    plant = pumped()
    (whole,) = documents(plant)
    assert whole["template"] == "Pump"
    assert whole["parameters"] == {"maker": "ACME", "stages": 2}
    assert whole["metrics"]["motor"] == {"metrics": {"speed": -3, "on": True}, "template": "Motor", "version": "1.2"}
    plant.node.update("dev", {"P1": {"metrics": {"motor": {"metrics": {"speed": -4}}}}})
    (part,) = documents(plant)
    whole["metrics"]["motor"]["metrics"]["speed"] = -4
    assert part == whole
    plant.node.update("dev", {"P1": {"metrics": {"flow": 9.0}}}, historical=True, timestamp=START // 10**6)
    (past,) = documents(plant)
    assert past["metrics"] == {"flow": 9.0}
    plant.node.update("dev", {"P1": None})
    assert plant.samples() == [("dev|P1", None, int(Quality.BAD_NO_DATA))]
    assert plant.events == []


def test_members_without_a_type_have_that_of_the_definition():
    """Data messages leave data types out; a negative number is one only by its type."""
    plant = pumped()
    plant.samples()
    payload = Payload(timestamp=START // 10**6, seq=2)
    metric = payload.metrics.add(alias=1, timestamp=START // 10**6)
    inner = metric.template_value.metrics.add(name="motor").template_value
    inner.metrics.add(name="speed", int_value=2**32 - 7)
    plant.deliver(topic("DDATA", "G/N", "dev"), payload.SerializeToString())
    assert documents(plant)[0]["metrics"]["motor"]["metrics"] == {"speed": -7, "on": True}


def test_what_no_definition_knows_is_told():
    plant = pumped()
    now = plant.now // 1_000_000
    foreign = Payload(timestamp=now, seq=2)
    foreign.metrics.add(alias=1).template_value.metrics.add(name="stranger", datatype=3, int_value=1)
    plant.deliver(topic("DDATA", "G/N", "dev"), foreign.SerializeToString())
    assert "'stranger', which 'Pump' does not define" in plant.events[-1].message
    birth = encode_birth([], sequence=3, timestamp=now, definitions={})
    payload = Payload.FromString(birth)
    metric = payload.metrics.add(name="X", datatype=19)
    metric.template_value.template_ref = "Nobody"
    other = payload.metrics.add(name="Late", datatype=19)
    other.template_value.is_definition = True
    plant.reports._told.clear()
    plant.deliver(topic("DBIRTH", "G/N", "dev"), payload.SerializeToString())
    assert "'Nobody', which no NBIRTH defined" in plant.events[-2].message
    assert plant.reports.counters["bad_payloads"] == 3
    assert "Late" not in plant.session.nodes["G/N"].devices["dev"].metrics


def test_templates_are_nested_only_so_deep():
    payload = Payload()
    template = payload.metrics.add(name="x", datatype=19).template_value
    for _ in range(40):
        template = template.metrics.add(name="x", datatype=19).template_value
    with pytest.raises(ValueError, match="deeper"):
        decode_value(payload.metrics[0], 19)


def test_an_instance_is_written_as_a_command_and_reported_whole():
    plant = pumped()
    definitions = plant.session.nodes["G/N"].definitions
    assert definitions == {"Motor": MOTOR, "Pump": PUMP}
    wanted = {"metrics": {"motor": {"metrics": {"on": False}}}}
    metric = Metric(name="P1", alias=1, datatype="Template", value=wanted, template="Pump")
    plant.samples()
    plant.node.receive(topic("DCMD", "G/N", "dev"), encode_command([metric], timestamp=1, definitions=definitions))
    assert documents(plant)[0]["metrics"]["motor"]["metrics"] == {"speed": -3, "on": False}
    for wrong in ({"metrics": {"nope": 1}}, {"metrics": {"flow": "x"}}, {"metrics": {"motor": 3}}, [1]):
        with pytest.raises((ValueError, TypeError)):
            encode_command([msgspec.structs.replace(metric, value=wrong)], timestamp=1, definitions=definitions)


@tck(
    "tck-id-payloads-dataset-column-num-headers",
    "tck-id-payloads-dataset-column-size",
    "tck-id-payloads-dataset-parameter-type-req",
    "tck-id-payloads-dataset-types-def",
    "tck-id-payloads-dataset-types-num",
    "tck-id-payloads-dataset-types-type",
    "tck-id-payloads-dataset-types-value",
    "tck-id-payloads-template-dataset-value",
)
def test_a_data_set_there_and_back_and_wrong_ones():
    kinds = ["Int8", "UInt64", "Float", "Double", "Boolean", "String", "DateTime"]
    row = [-5, 2**64 - 1, 1.5, 0.1, True, "é", 1_700_000_000_000]
    value = {"columns": [f"c{n}" for n in range(7)], "types": kinds, "rows": [row, row]}
    payload = Payload()
    encode_value(payload.metrics.add(), 16, value)
    dataset = Payload.FromString(payload.SerializeToString()).metrics[0].dataset_value
    assert (dataset.num_of_columns, len(dataset.columns), list(dataset.types)) == (7, 7, [NUMBERS[kind] for kind in kinds])
    fields = [element.WhichOneof("value") for element in dataset.rows[0].elements]
    assert fields == ["int_value", "long_value", "float_value", "double_value", "boolean_value", "string_value", "long_value"]
    back = decode_value(payload.metrics[0], 16)
    assert back["rows"][0] == [*row[:6], "2023-11-14T22:13:20.000Z"]
    assert back["types"] == kinds
    dataset.columns.append("one too many")
    broken = Payload()
    broken.metrics.add().dataset_value.CopyFrom(dataset)
    with pytest.raises(ValueError, match="columns"):
        decode_value(broken.metrics[0], 16)
    with pytest.raises(ValueError, match="columns"):
        encode_value(Payload().metrics.add(), 16, {"columns": ["a"], "types": [], "rows": []})


EVERY = {
    **{f"{sign}Int{bits}": 0 if sign else -1 for sign in ("", "U") for bits in (8, 16, 32, 64)},
    "Float": 0.5,
    "Double": 0.1,
    "Boolean": True,
    "String": "é",
    "DateTime": 1_700_000_000_000,
    "Text": "t",
    "UUID": "8e0c6a2e-1d3f-4a58-9f0b-2f6a7b1c9d11",
    "DataSet": {"columns": ["a"], "types": ["Int32"], "rows": [[-1]]},
    "Bytes": b"\0\xff",
    "File": b"%PDF",
    **{f"{sign}Int{bits}Array": [0, 1, 100] for sign in ("", "U") for bits in (8, 16, 32, 64)},
    "FloatArray": [0.5, -0.5],
    "DoubleArray": [0.1],
    "BooleanArray": [True, False, True] * 5,
    "StringArray": ["a", "", "é"],
    "DateTimeArray": [1_700_000_000_000],
}


@tck(
    "tck-id-payloads-metric-datatype-value",
    "tck-id-payloads-metric-datatype-value-type",
    "tck-id-payloads-metric-datatype-req",
)
@pytest.mark.parametrize("kind", sorted(EVERY))
def test_every_data_type_from_an_edge_node_to_a_point_and_back(kind):
    plant = Plant({"x": natural_storage(NUMBERS[kind])})
    plant.node.declare("", "x", kind, EVERY[kind])
    plant.kept = []
    plant.node.birth()
    for where, raw in plant.kept:
        assert all(metric.datatype in range(1, 35) for metric in Payload.FromString(raw).metrics)
        plant.deliver(where, raw)
    ((_, value, status),) = plant.samples()
    assert status == 0
    expected = EVERY[kind]
    if kind.startswith("DateTime"):
        expected = ["2023-11-14T22:13:20.000Z"] if kind.endswith("Array") else "2023-11-14T22:13:20.000Z"
    elif kind == "BooleanArray":
        expected = list(expected)
    got = msgspec.json.decode(value) if natural_storage(NUMBERS[kind]) is S.STRUCTURE else value
    assert got == expected or math.isclose(got, expected)


@tck(
    "tck-id-payloads-metric-propertyvalue-type-req",
    "tck-id-payloads-metric-propertyvalue-type-type",
    "tck-id-payloads-metric-propertyvalue-type-value",
    "tck-id-payloads-propertyset-keys-array-size",
    "tck-id-payloads-propertyset-values-array-size",
)
def test_properties_there_and_back_and_sets_that_do_not_fit_together():
    properties = {"engUnit": "bar", "n": -3, "big": 2**40, "f": 0.5, "yes": True, "inner": {"deep": 1}, "none": None}
    raw = encode_birth([Metric(name="x", value=1.0, properties=properties)], sequence=1, timestamp=1)
    message = Payload.FromString(raw).metrics[0].properties
    assert len(message.keys) == len(message.values) == len(properties)
    assert [NAMES[one.type] for one in message.values] == [
        "String", "Int32", "Int64", "Double", "Boolean", "PropertySet", "String",
    ]  # fmt: skip
    assert properties_of(message) == properties
    message.keys.append("alone")
    with pytest.raises(ValueError, match="8 keys and 7 values"):
        properties_of(message)
    plant = Plant({"dev|x": S.DOUBLE})
    plant.node.birth()
    broken = Payload(timestamp=START // 10**6, seq=1)
    metric = broken.metrics.add(name="x", datatype=10, double_value=2.0)
    metric.properties.keys.append("alone")
    plant.deliver(topic("DBIRTH", "G/N", "dev"), broken.SerializeToString())
    assert plant.samples() == [("dev|x", 2.0, 0)]
    assert plant.events[0].code == PayloadError.code


@tck("tck-id-payloads-propertyset-quality-value-type", "tck-id-payloads-propertyset-quality-value-value")
@pytest.mark.parametrize(
    ("code", "status"), [(192, Quality.GOOD), (500, Quality.UNCERTAIN_LAST_USABLE_VALUE), (0, Quality.BAD)]
)
def test_quality_becomes_a_status(code, status):
    raw = encode_data([Metric(alias=1, value=1.0, properties={"Quality": code})], sequence=1, timestamp=1)
    (metric,) = Payload.FromString(raw).metrics
    assert (metric.properties.values[0].type, metric.properties.values[0].int_value) == (3, code)
    assert quality_of(metric) == status


def test_what_a_person_sees_of_units_limits_and_templates():
    plant = pumped()
    properties = {"engLow": -1.0, "engHigh": 10, "documentation": "outlet"}
    plant.node.declare("dev", "p", "Double", 1.0, unit="bar", properties=properties)
    plant.node.birth()
    shown = {leaf.address: leaf for leaf in _metrics(plant.session, frozenset()) if leaf.leaf}
    assert set(shown) == {"sparkplug:G/N/dev:P1", "sparkplug:G/N/dev:p"}
    point = shown["sparkplug:G/N/dev:p"]
    assert (point.unit, point.low, point.high, point.description) == ("bar", -1.0, 10.0, "outlet")
    pump = shown["sparkplug:G/N/dev:P1"]
    assert (pump.storage, pump.description) == (S.STRUCTURE, "Template Pump")


def test_an_edge_node_of_ours_needs_no_definition_for_what_it_does_not_use():
    sent = []
    node = SparkplugNode("G", "N", lambda where, raw: sent.append(raw))
    node.declare("", "x", "Int32", 1)
    node.birth()
    assert not any(metric.HasField("template_value") for metric in Payload.FromString(sent[0]).metrics)
