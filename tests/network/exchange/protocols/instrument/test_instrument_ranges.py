"""What a description allows of each argument, and nothing else, is said."""

import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from hulian.assembly.inputs import LocalInputs
from hulian.network.exchange.protocols.contract import Credentials
from hulian.network.exchange.protocols.instrument.description import read_description
from hulian.network.exchange.protocols.instrument.errors import RangeError
from hulian.network.exchange.protocols.instrument.saying import say
from hulian.platform.edge.contract import ConnectorPlan

ROOT = Path(__file__).parents[5]
DESCRIPTION = """<Device name="d"><Port name="p">
  <MessageInterface name="m"><Message name="set">
    <Field name="two" type="byte" default="0"><RangeConstraint low="0" high="1"/><RangeConstraint low="4" high="5"/></Field>
    <Field name="flags" type="BinaryString" default="0000">
      <BitRangeConstraint numBits="1"/><BitRangeConstraint numBits="3" signed="true" low="-2" high="3"/>
    </Field>
    <Field name="nibble" type="int" default="0"><BitRangeConstraint numBits="4"/></Field>
    <Field name="on" type="boolean" default="true"/>
    <Field name="key" type="HexString" default="00"/>
    <Field name="fixed" type="int" default="7" readOnly="true"/>
  </Message></MessageInterface>
  <OutputAdapter><Transformation><Format>
    <Record message="set"><Separator value=","/><Field applyToAllFields="true"/><Terminator value="!"/></Record>
  </Format></Transformation></OutputAdapter>
</Port></Device>"""
MESSAGE = read_description(DESCRIPTION.encode()).messages["set"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, b"0,0000,0,1,00,7!"), ({"two": 5}, b"5,0000,0,1,00,7!"), ({"two": "4"}, b"4,0000,0,1,00,7!"),
        ({"flags": "1110"}, b"0,1110,0,1,00,7!"), ({"nibble": 15}, b"0,0000,15,1,00,7!"), ({"on": False}, b"0,0000,0,0,00,7!"),
        ({"key": b"\xab"}, b"0,0000,0,1,AB,7!"), ({"key": "ff01"}, b"0,0000,0,1,FF01,7!"),
        ({"two": 1.0}, b"1,0000,0,1,00,7!"),
    ],
)  # fmt: skip
def test_what_is_allowed_is_said(given, said):
    assert say(MESSAGE, given) == said


@pytest.mark.parametrize(
    "given",
    [
        {"two": 2}, {"two": 3}, {"two": 6}, {"two": -1}, {"two": 1.5}, {"two": 300}, {"two": None}, {"flags": "111"},
        {"flags": "0100"}, {"flags": "0200"}, {"flags": "1101"}, {"nibble": 16}, {"nibble": -1}, {"on": "maybe"},
        {"key": "xyz"},
        {"key": bytes(70_000)}, {"fixed": 8}, {"colour": 1}, {"two": 10**30}, {"two": float("inf")},
    ],
)  # fmt: skip
def test_what_is_not_allowed_is_refused(given):
    with pytest.raises(RangeError) as told:
        say(MESSAGE, given)
    assert told.value.place
    assert told.value.hint


def test_the_edge_finds_the_protocol_and_tells_it_where_descriptions_may_be():
    entries = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["hulian.protocols"]
    module, _, name = entries["instrument"].partition(":")
    assert getattr(import_module(module), name).name == "instrument"
    plan = ConnectorPlan(
        name="a", protocol="instrument", url="instrument://h", settings={}, credentials=Credentials(), enabled=True, bindings=()
    )
    assert LocalInputs(Path("/x"), ["/data"]).extras(plan) == {"files.directories": (Path("/data"),)}
