"""Values in JSON: the forms that the REST API shows, everything both ways, and every mistake with its path."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, rsa
from handle_messages import VALUE_ADMIN, VALUE_URL, admins, references, sites, values
from hypothesis import given
from hypothesis import strategies as st

from hulian.network.identifiers.wire.errors import JsonFormError
from hulian.network.identifiers.wire.json_form import value_from_json, value_to_json, values_to_json
from hulian.network.identifiers.wire.root_info import unpack_root_info
from hulian.network.identifiers.wire.typed.admin import Admin
from hulian.network.identifiers.wire.typed.keys import PublicKey
from hulian.network.identifiers.wire.typed.references import ValueList
from hulian.network.identifiers.wire.typed.site import Attribute, Interface, Server, Site
from hulian.network.identifiers.wire.values import Reference, Value, unpack_value


def through(value: Value) -> Value:
    """Out as text, and in again."""
    return value_from_json(json.loads(json.dumps(value_to_json(value))))


def test_the_captured_values_in_json():
    assert value_to_json(unpack_value(VALUE_URL)) == {
        "index": 1,
        "type": "URL",
        "data": {"format": "string", "value": "https://example.com/item/7"},
        "ttl": 86_400,
        "timestamp": "2026-11-22T08:04:21Z",
    }
    assert value_to_json(unpack_value(VALUE_ADMIN)) == {
        "index": 100,
        "type": "HS_ADMIN",
        "data": {
            "format": "admin",
            "value": {"handle": "88.111.1/ADMIN", "index": 300, "permissions": "111111111111"},
        },
        "ttl": 86_400,
    }


def test_a_site_in_json():
    key = PublicKey("RSA_PUB_KEY", (b"\1\0\1", b"\0\xab" * 2), tail=bytes(4))
    site = Site(
        servers=(Server(1, Server.address_to_bytes("192.0.2.7"), key.pack(), (Interface(3, 1, 2641), Interface(2, 9, 1))),),
        serial=7,
        attributes=(Attribute(b"desc", "第二级".encode()),),
    )
    shown = value_to_json(Value(index=3, type="HS_SITE", data=site.pack()))
    assert shown["data"] == {
        "format": "site",
        "value": {
            "version": 1,
            "protocolVersion": "2.11",
            "serialNumber": 7,
            "primarySite": True,
            "multiPrimary": False,
            "attributes": [{"name": "desc", "value": "第二级"}],
            "servers": [
                {
                    "serverId": 1,
                    "address": "192.0.2.7",
                    "publicKey": {"format": "key", "value": {"kty": "RSA", "e": "AQAB", "n": "qwCr"}},
                    "interfaces": [
                        {"query": True, "admin": True, "protocol": "TCP", "port": 2641},
                        {"query": True, "admin": False, "protocol": 9, "port": 1},
                    ],
                }
            ],
        },
    }
    assert value_from_json(shown).data == site.pack()


def test_what_else_is_shown():
    value = Value(
        index=2,
        type="X",
        data=b"\0\xff",
        ttl_type=1,
        ttl=1_795_377_934,
        permissions=0b1100,
        references=(Reference("a/b", 3),),
    )
    assert value_to_json(value) == {
        "index": 2,
        "type": "X",
        "data": {"format": "base64", "value": "AP8="},
        "permissions": "1100",
        "ttl": "2026-11-22T20:05:34Z",
        "references": [{"handle": "a/b", "index": 3}],
    }
    assert through(value) == value
    group = Value(index=1, type="HS_VLIST", data=ValueList((Reference("a/b", 1), Reference("c/水", 2))).pack())
    assert value_to_json(group)["data"]["format"] == "vlist"
    assert through(group) == group


@given(values().filter(lambda value: value.ttl_type in (0, 1)))
def test_every_value_goes_through(value):
    value = Value(
        index=value.index,
        type=value.type or "X",
        data=value.data,
        timestamp=value.timestamp,
        ttl_type=value.ttl_type,
        ttl=abs(value.ttl) & 0x7FFFFFFF,
        permissions=value.permissions & 15,
        references=value.references,
    )
    assert through(value) == value


@given(st.one_of(sites.map(lambda one: ("HS_SITE", one)), admins.map(lambda one: ("HS_ADMIN", one))))
def test_every_structure_goes_through(found):
    kind, one = found
    value = Value(index=1, type=kind, data=one.pack())
    assert through(value) == value


@given(st.lists(references, max_size=4).map(tuple))
def test_every_list_goes_through(many):
    value = Value(index=1, type="HS_VLIST", data=ValueList(many).pack())
    assert value_to_json(value)["data"]["format"] == "vlist"
    assert through(value) == value


def test_keys_go_through():
    for key in (rsa.generate_private_key(65_537, 2_048), dsa.generate_private_key(1_024)):
        value = Value(index=300, type="HS_PUBKEY", data=PublicKey.of(key.public_key()).pack())
        assert value_to_json(value)["data"]["format"] == "key"
        assert through(value) == value
    pem = Value(index=300, type="HS_PUBKEY", data=b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")
    assert value_to_json(pem)["data"]["format"] == "string"
    assert through(pem) == pem


@pytest.mark.samples("handle/root_info")
def test_the_root_record_goes_through(samples):
    record = unpack_root_info((samples / "handle/root_info").read_bytes())
    shown = values_to_json(record)
    assert [value_from_json(one) for one in json.loads(json.dumps(shown))] == list(record)
    formats = [one["data"]["format"] for one in shown]
    assert (formats.count("site"), formats.count("admin"), formats.count("key")) == (8, 3, 1)


def test_what_clients_write():
    """Text for data, no TTL, no permissions; upper case, an object of attributes, a list of servers by its old name."""
    assert value_from_json({"index": 1, "type": "URL", "data": "https://example.com"}) == Value(
        index=1, type="URL", data=b"https://example.com"
    )
    assert value_from_json({"index": 1, "type": "X", "data": {"format": "HEX", "value": "00Ff"}}).data == b"\0\xff"
    assert value_from_json({"index": 1, "type": "X", "data": {"format": "base64", "value": "AP8"}}).data == b"\0\xff"
    assert value_from_json({"index": 1, "type": "X", "data": "", "permissions": "*"}).permissions == 15
    assert value_from_json({"index": "1", "type": "X", "data": 7}) == Value(index=1, type="X", data=b"7")
    written = {"format": "admin", "value": {"handle": "0.NA/99", "index": "200", "permissions": "011111110011"}}
    admin = Admin.unpack(value_from_json({"index": 100, "type": "HS_ADMIN", "data": written}).data)
    assert admin == Admin("0.NA/99", 200, 0b011111110011)
    admin = {"format": "admin", "value": {"handle": "a/b", "index": 300, "permissions": "*"}}
    assert Admin.unpack(value_from_json({"index": 1, "type": "HS_ADMIN", "data": admin}).data) == Admin("a/b", 300)
    site = {
        "format": "site",
        "value": {"attributes": {"desc": "x"}, "serverList": [{"address": "::1", "interfaceList": []}]},
    }
    found = Site.unpack(value_from_json({"index": 1, "type": "HS_SITE", "data": site}).data)
    assert found.attributes == (Attribute(b"desc", b"x"),)
    assert str(found.servers[0].address) == "::1"


def data(form: str, value: object) -> dict:
    return {"index": 1, "type": "X", "data": {"format": form, "value": value}}


SERVER = {"address": "192.0.2.1", "interfaces": []}


@pytest.mark.parametrize(
    ("given_value", "path"),
    [
        (None, "$"),
        ([], "$"),
        ({"type": "X", "data": ""}, "$.index"),
        ({"index": "one", "type": "X", "data": ""}, "$.index"),
        ({"index": "²", "type": "X", "data": ""}, "$.index"),
        ({"index": "99999999999", "type": "X", "data": ""}, "$.index"),
        ({"index": True, "type": "X", "data": ""}, "$.index"),
        ({"index": 2**31, "type": "X", "data": ""}, "$.index"),
        ({"index": 1.5, "type": "X", "data": ""}, "$.index"),
        ({"index": 1, "data": ""}, "$.type"),
        ({"index": 1, "type": "", "data": ""}, "$.type"),
        ({"index": 1, "type": "X"}, "$.data"),
        ({"index": 1, "type": "X", "data": 7.5}, "$.data"),
        ({"index": 1, "type": "X", "data": True}, "$.data"),
        ({"index": 1, "type": "X", "data": 10**40}, "$.data"),
        ({"index": 1, "type": "X", "data": "\ud800"}, "$.data"),
        ({"index": 1, "type": "X", "data": {}}, "$.data.format"),
        (data("xml", ""), "$.data.format"),
        (data("string", 7.5), "$.data.value"),
        (data("string", None), "$.data.value"),
        (data("base64", "!"), "$.data.value"),
        (data("hex", "0"), "$.data.value"),
        (data("hex", "0 0"), "$.data.value"),
        (data("hex", "zz"), "$.data.value"),
        (data("string", "x" * 262_145), "$.data"),
        (data("admin", {"index": 1}), "$.data.value.handle"),
        (data("admin", {"handle": "a", "index": 1, "permissions": "12"}), "$.data.value.permissions"),
        (data("admin", {"handle": "a", "index": 1, "permissions": "1" * 17}), "$.data.value.permissions"),
        (data("admin", {"handle": "a" * 3_000, "index": 1}), "$.data"),
        (data("vlist", {}), "$.data.value"),
        (data("vlist", [{"handle": "a"}, 7]), "$.data.value[1]"),
        (data("vlist", [{}] * 2_049), "$.data.value"),
        (data("key", {"kty": "EC"}), "$.data.value.kty"),
        (data("key", {"kty": "RSA", "n": "AQAB"}), "$.data.value.e"),
        (data("site", {"protocolVersion": "2"}), "$.data.value.protocolVersion"),
        (data("site", {"protocolVersion": "2.300"}), "$.data.value.protocolVersion"),
        (data("site", {"serialNumber": 70_000}), "$.data.value.serialNumber"),
        (data("site", {"primarySite": 1}), "$.data.value.primarySite"),
        (data("site", {"attributes": 1}), "$.data.value.attributes"),
        (data("site", {"attributes": [{"name": "x"}]}), "$.data.value.attributes[0].value"),
        (data("site", {"servers": [{}] * 1_025}), "$.data.value.servers"),
        (data("site", {"servers": [{"address": "example.com"}]}), "$.data.value.servers[0].address"),
        (data("site", {"servers": [{**SERVER, "publicKey": {"format": "x"}}]}), "$.data.value.servers[0].publicKey.format"),
        (
            data("site", {"servers": [{**SERVER, "interfaces": [{"port": 1}]}]}),
            "$.data.value.servers[0].interfaces[0].protocol",
        ),
        (
            data("site", {"servers": [{**SERVER, "interfaces": [{"protocol": "TCP", "port": 70_000}]}]}),
            "$.data.value.servers[0].interfaces[0].port",
        ),
        ({"index": 1, "type": "X", "data": "", "permissions": "111"}, "$.permissions"),
        ({"index": 1, "type": "X", "data": "", "permissions": "1112"}, "$.permissions"),
        ({"index": 1, "type": "X", "data": "", "ttl": -1}, "$.ttl"),
        ({"index": 1, "type": "X", "data": "", "ttl": "tomorrow"}, "$.ttl"),
        ({"index": 1, "type": "X", "data": "", "timestamp": "2026-02-30T00:00:00Z"}, "$.timestamp"),
        ({"index": 1, "type": "X", "data": "", "timestamp": 7}, "$.timestamp"),
        ({"index": 1, "type": "X", "data": "", "references": [7]}, "$.references[0]"),
        ({"index": 1, "type": "X", "data": "", "references": {}}, "$.references"),
    ],
)
def test_every_mistake_has_its_path(given_value, path):
    with pytest.raises(JsonFormError) as caught:
        value_from_json(given_value)
    assert caught.value.place == path


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**33) | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.fuzz
@given(
    st.fixed_dictionaries(
        {"index": st.integers(-3, 2**32), "type": st.sampled_from(["X", "HS_SITE"]), "data": json_values},
        optional={"ttl": json_values, "permissions": json_values, "timestamp": json_values, "references": json_values},
    ),
    st.sampled_from(["", "string", "base64", "hex", "admin", "vlist", "site", "key"]),
)
def test_any_json_is_a_value_or_a_named_error(given_value, form):
    if form:
        given_value["data"] = {"format": form, "value": given_value["data"]}
    try:
        found = value_from_json(given_value)
    except JsonFormError:
        return
    assert through(found) == found


def test_base64_is_strict():
    assert base64.b64decode("AP8=") == b"\0\xff"
    for wrong in ("A P8=", "AP8=\n", "AP8==x", "é"):
        with pytest.raises(JsonFormError):
            value_from_json(data("base64", wrong))
