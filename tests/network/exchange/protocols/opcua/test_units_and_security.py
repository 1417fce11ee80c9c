"""Decisions without a server: endpoints, logins, addresses, units, host names, the table of points."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from asyncua import ua
from hypothesis import given
from hypothesis import strategies as st

from hulian.kernel.configuration import convert
from hulian.kernel.quality import Quality
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Binding, Credentials
from hulian.network.exchange.protocols.opcua import OpcuaConfiguration, address, security
from hulian.network.exchange.protocols.opcua.errors import (
    AddressError,
    LoginError,
    NodeError,
    PlainPasswordError,
    SecurityError,
    UnencryptedError,
)
from hulian.network.exchange.protocols.opcua.samples import Block
from hulian.network.exchange.protocols.opcua.table import Table
from hulian.network.exchange.protocols.opcua.units import unit_of, unit_of_code

BASE = "http://opcfoundation.org/UA/SecurityPolicy#"
URIS = {
    "none": BASE + "None",
    "Basic256Sha256": BASE + "Basic256Sha256",
    "Aes128": BASE + "Aes128_Sha256_RsaOaep",
    "Aes256": BASE + "Aes256_Sha256_RsaPss",
    "Basic256": BASE + "Basic256",
    "unknown": BASE + "ECC_nistP256",
}
NONE, SIGN, BOTH = 1, 2, 3


def endpoint(policy: str, mode: int, *tokens: Any) -> ua.EndpointDescription:
    return ua.EndpointDescription(
        EndpointUrl="opc.tcp://far:4840",
        SecurityPolicyUri=URIS[policy],
        SecurityMode=ua.MessageSecurityMode(mode),
        UserIdentityTokens=list(tokens),
    )


def chosen(endpoints: list[Any], **settings: Any) -> tuple[str, int]:
    found = security.choose(endpoints, OpcuaConfiguration(**settings), place="x")
    return next(name for name, uri in URIS.items() if uri == found.SecurityPolicyUri), int(found.SecurityMode)


ALL = [endpoint("none", NONE)] + [
    endpoint(policy, mode) for policy in ("unknown", "Basic256", "Basic256Sha256", "Aes128", "Aes256") for mode in (SIGN, BOTH)
]


def test_the_best_endpoint_is_taken_and_nothing_weaker_silently() -> None:
    assert chosen(ALL) == ("Aes256", BOTH)
    assert chosen(ALL, policy="Basic256Sha256") == ("Basic256Sha256", BOTH)
    assert chosen(ALL, policy="Basic256") == ("Basic256", BOTH), "broken ones only when they are named"
    assert chosen(ALL, security="sign") == ("Aes256", BOTH)
    assert chosen([endpoint("none", NONE), endpoint("Aes128", SIGN)], security="sign") == ("Aes128", SIGN)
    assert chosen(ALL, security="none") == ("none", NONE)


@pytest.mark.parametrize(
    ("endpoints", "settings", "error", "hint"),
    [
        ([endpoint("none", NONE)], {}, UnencryptedError, 'security = "none"'),
        ([endpoint("none", NONE), endpoint("Aes128", SIGN)], {}, SecurityError, 'security = "sign"'),
        ([endpoint("Basic256", BOTH)], {}, SecurityError, "Basic256Sha256"),
        ([endpoint("unknown", BOTH)], {}, SecurityError, ""),
        ([endpoint("Aes128", BOTH)], {"security": "none"}, SecurityError, "leave 'security' away"),
        ([], {}, SecurityError, ""),
    ],
)
def test_a_refusal_says_what_to_do(endpoints: list[Any], settings: Any, error: type[Exception], hint: str) -> None:
    with pytest.raises(error) as caught:
        security.choose(endpoints, OpcuaConfiguration(**settings), place="x")
    assert hint in caught.value.hint  # type: ignore[attr-defined]


def token(kind: Any, policy: str | None = None) -> ua.UserTokenPolicy:
    return ua.UserTokenPolicy(
        PolicyId=f"{kind.name}-{policy}", TokenType=kind, SecurityPolicyUri=URIS[policy] if policy else None
    )


def test_a_password_takes_the_way_that_protects_it_best() -> None:
    user, login = ua.UserTokenType.UserName, security.Login("u", "p")
    tokens = (token(user, "none"), token(user, "unknown"), token(user, "Basic256Sha256"), token(user, "Aes256"))
    found = security.choose_token(endpoint("none", NONE, *tokens), login, configuration=OpcuaConfiguration(), place="x")
    assert found.SecurityPolicyUri == URIS["Aes256"]
    plain = endpoint("none", NONE, token(user))
    with pytest.raises(PlainPasswordError):
        security.choose_token(plain, login, configuration=OpcuaConfiguration(), place="x")
    accepted = OpcuaConfiguration(plain_password=True)
    assert security.choose_token(plain, login, configuration=accepted, place="x").SecurityPolicyUri == URIS["none"]
    signed = endpoint("Aes256", SIGN, token(user, "none"))
    with pytest.raises(PlainPasswordError):
        security.choose_token(signed, login, configuration=OpcuaConfiguration(), place="x")
    encrypted = endpoint("Aes256", BOTH, token(user, "none"))
    assert security.choose_token(encrypted, login, configuration=OpcuaConfiguration(), place="x")
    with pytest.raises(LoginError, match="Anonymous"):
        security.choose_token(plain, security.Login(), configuration=OpcuaConfiguration(), place="x")


def test_nothing_shows_a_password() -> None:
    login = security.load_login(OpcuaConfiguration(), Credentials(user="u", password="hidden"))
    assert "hidden" not in repr(login)


@pytest.mark.parametrize(
    ("configured", "announced", "follow", "expected"),
    [
        ("opc.tcp://10.0.0.7:4840", "opc.tcp://PLC:4840/server", False, "opc.tcp://10.0.0.7:4840/server"),
        ("opc.tcp://10.0.0.7", "opc.tcp://PLC:48010/", False, "opc.tcp://10.0.0.7:4840/"),
        ("opc.tcp://[::1]:4841/x", "opc.tcp://PLC:4840", False, "opc.tcp://[::1]:4841/x"),
        ("opc.tcp://10.0.0.7", "opc.tcp://PLC:48010/a", True, "opc.tcp://PLC:48010/a"),
    ],
)
def test_host_names_that_only_the_server_knows(configured: str, announced: str, follow: bool, expected: str) -> None:
    assert security.reachable_url(configured, announced, follow=follow) == expected


@given(
    st.one_of(
        st.integers(0, 2**32 - 1),
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20),
        st.uuids(),
        st.binary(min_size=1, max_size=12),
    ),
    st.integers(0, 3),
)
def test_addresses_survive_a_change_of_namespace_numbers(identifier: Any, index: int) -> None:
    before = ["http://opcfoundation.org/UA/", "urn:a;b%c", "urn:two", "urn:three"]
    after = [before[0], before[3], before[1], before[2]]
    node = ua.NodeId(identifier, index)
    moved = address.resolve(address.write(node, before), after)
    assert moved.Identifier == identifier
    assert after[moved.NamespaceIndex] == before[index]


@pytest.mark.parametrize(
    "text", ["", "Reactor", "ns=1", "ns=99999;i=1", "i=x", "i=-1", "i=4294967296", "g=nonsense", "ns=1;x=2"]
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(AddressError) as caught:
        address.check(text)
    assert caught.value.hint


def test_a_namespace_that_is_not_there() -> None:
    with pytest.raises(NodeError):
        address.resolve("nsu=urn:nobody;i=1", ["http://opcfoundation.org/UA/"])


@pytest.mark.parametrize(
    ("code", "unit"), [("CEL", "Cel"), ("MQH", "m3/h"), ("BAR", "bar"), ("KGS", "kg/s"), ("P1", "%"), ("RPM", "{rev}/min")]
)
def test_units(code: str, unit: str) -> None:
    assert unit_of_code(int.from_bytes(code.encode(), "big")) == unit
    information = ua.EUInformation("http://www.opcfoundation.org/UA/units/un/cefact", int.from_bytes(code.encode(), "big"))
    assert unit_of(information) == unit


def test_units_of_a_vendor_keep_their_text() -> None:
    assert unit_of(ua.EUInformation("urn:vendor", 4408652, ua.LocalizedText("widgets"))) == "widgets"
    assert unit_of(None) == ""


def doubles(handles: list[int], times: list[int], values: list[float]) -> Block:
    return Block(
        11,
        np.array(handles, np.uint32),
        np.array(times, np.int64),
        np.zeros(len(handles), np.int64),
        np.zeros(len(handles), np.uint32),
        np.array(values, np.float64),
    )


def rows(columns: list[Any]) -> list[tuple[int, int, Any, int]]:
    return [
        row
        for part in columns
        for row in zip(part.series.tolist(), part.time.tolist(), part.value.to_pylist(), part.status.tolist(), strict=True)
    ]


def table(count: int = 2) -> Table:
    return Table([Binding(series=number + 1, address=f"i={number}", storage=StorageClass.DOUBLE) for number in range(count)])


def test_a_lost_and_found_link_in_the_table() -> None:
    points = table()
    uncertain, lost = int(Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE), int(Quality.BAD_NO_COMMUNICATION)
    assert rows(points.take([doubles([0, 1], [100, 110], [1.0, 2.0])], 200).columns) == [(1, 100, 1.0, 0), (2, 110, 2.0, 0)]
    assert rows(points.mark(uncertain, 300, keep_value=True)) == [(1, 300, 1.0, uncertain), (2, 300, 2.0, uncertain)]
    assert rows(points.mark(uncertain, 310, keep_value=True)) == [], "told once"
    assert rows(points.mark(lost, 400, keep_value=False)) == [(1, 400, None, lost), (2, 400, None, lost)]
    assert points.bad_points == 2
    back = rows(points.take([doubles([0, 1], [100, 350], [1.0, 5.0])], 500).columns)
    assert sorted(back) == [(1, 500, 1.0, 0), (2, 350, 5.0, 0), (2, 500, 5.0, 0)], "unchanged: confirmed; changed: both"
    assert rows(points.take([doubles([0], [600], [7.0])], 601).columns) == [(1, 600, 7.0, 0)]
    assert points.bad_points == 0


def test_a_session_taken_over_confirms_what_did_not_change() -> None:
    points = table()
    points.take([doubles([0, 1], [100, 110], [1.0, 2.0])], 200)
    points.mark(int(Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE), 300, keep_value=True)
    assert rows(points.take([doubles([1], [280], [3.0])], 500).columns) == [(2, 280, 3.0, 0), (2, 500, 3.0, 0)]
    assert rows(points.confirm(510)) == [(1, 510, 1.0, 0)]
    assert rows(points.confirm(520)) == []


def test_a_mark_is_newer_than_a_server_whose_clock_is_ahead() -> None:
    points = table(1)
    points.take([doubles([0], [10**6], [1.0])], 200)
    ((_, time, _, _),) = rows(points.mark(int(Quality.BAD_NO_COMMUNICATION), 300, keep_value=False))
    assert time == 10**6 + 1


def test_handles_that_are_not_ours_are_counted() -> None:
    taken = table().take([doubles([0, 7], [1, 1], [1.0, 2.0])], 5)
    assert taken.foreign == 1
    assert taken.samples == 1
    assert isinstance(taken.columns[0].value, pa.Array)


def test_the_settings_in_the_readme_are_settings() -> None:
    package = Path(inspect.getfile(OpcuaConfiguration)).parent
    (block,) = re.findall(r"```json\n(.*?)```", (package / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    found = convert(msgspec.json.decode(block), OpcuaConfiguration, place="README.md")
    assert found.groups["vibration"].sampling_interval == 0.005
    assert found.events.enabled
    for key in re.findall(r"^\| `(\w+)`", (package / "README.md").read_text(encoding="utf-8"), re.MULTILINE):
        assert key in OpcuaConfiguration.__struct_fields__, key
