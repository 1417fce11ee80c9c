"""What the README shows is what the code takes."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

import hulian.network.exchange.protocols.modbus as modbus
from hulian.network.exchange.protocols.modbus.address import WIDTHS, Place
from hulian.network.exchange.protocols.modbus.config import ModbusConfiguration
from hulian.network.exchange.protocols.modbus.target import SCHEMES, parse_url

TEXT = (Path(modbus.__file__).parent / "README.md").read_text(encoding="utf-8")


def test_every_url_and_address_of_the_readme_is_taken():
    urls = re.findall(r"modbus[+a-z-]*://[^\s`\"|]+", TEXT)
    assert {parse_url(url).framing for url in urls} == {"tcp", "rtu", "ascii"}
    assert {scheme for scheme in SCHEMES if scheme != "modbus+tcp"} <= {url.partition(":")[0] for url in urls}
    addresses = re.findall(r"`((?:\d+/)?(?:holding|input|coil|discrete)[:@][^`\s]+|\d{5}:\w+)`", TEXT)
    places = [Place.parse(address.replace(".n", ".3")) for address in addresses]
    assert len(places) > 8


def test_every_type_and_setting_is_told():
    assert all(f"`{kind}`" in TEXT for kind in WIDTHS)
    table = TEXT.partition("## Settings")[2].partition("A register map")[0]
    told = set(
        re.findall(r"`([a-z_]+)`", " ".join(line.split("|")[1] for line in table.splitlines() if line.startswith("| `")))
    )
    known = {field.name for field in msgspec.structs.fields(ModbusConfiguration)}
    assert told <= known
    assert known - told <= {"groups", "connect_timeout", "reconnect_first", "reconnect_most", "probe_limit"}


def test_the_example_is_one_request(environment):
    from hulian.kernel.storage import StorageClass as S
    from hulian.network.exchange.protocols.contract import Binding

    example = TEXT.partition("## A device on the network")[2].partition("## ")[0]
    rows = [line.split("|")[1:4] for line in example.splitlines() if line.startswith("| `holding")]
    bindings = [
        Binding(
            series=number,
            address=address,
            storage=S(row[1].strip()),
            options=msgspec.json.decode(row[2].strip().strip("`") or "{}"),
        )
        for number, (address, row) in enumerate(
            (address, row) for row in rows for address in re.findall(r"`(holding[^`]+)`", row[0])
        )
    ]
    connector = modbus.protocol.connector("modbus://10.0.3.17", ModbusConfiguration(order="cdab"), bindings, environment)
    (poll,) = connector.polls
    assert [(block.offset, block.count) for block in poll.plan.blocks] == [(0, 12)]
