"""Templates: fixed once published, and every write to a record that names one is checked, whichever way it comes."""

from __future__ import annotations

import json

import pytest
from identifier_nodes import text
from metadata_nodes import follows, owner, secret, template

from hulian.network.identifiers.chain.errors import RefusedError
from hulian.network.identifiers.metadata.attributes import problem
from hulian.network.identifiers.metadata.errors import TemplateError
from hulian.network.identifiers.metadata.template import Attribute, AttributeType, read_template, write_template
from hulian.network.identifiers.store import key_of
from hulian.network.identifiers.wire.codes import ResponseCode
from hulian.network.identifiers.wire.values import unpack_values

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]
PREFIX = "88.111.1"
PUMP = (
    {"name": "maker", "type": "text", "index": 2000, "visibility": "public", "required": True},
    {"name": "power", "type": "number", "index": 2001, "unit": "kW", "semantic": "0173-1#02-AAF404#002", "low": 0, "high": 900},
    {"name": "note", "type": "text", "index": 2010, "most": 3, "language": "zh", "visibility": "public"},
)


def stored(country, handle: str, prefix: str = PREFIX):
    packed = country.stores[prefix].packed(key_of(handle))
    return None if packed is None else {value.index: value for value in unpack_values(packed)}


async def refused(awaitable, *told: str, code: ResponseCode = ResponseCode.INVALID_VALUE) -> None:
    with pytest.raises(RefusedError) as caught:
        await awaitable
    assert caught.value.response_code == code, caught.value
    for one in told:
        assert one in caught.value.message


async def test_a_record_is_checked_over_the_protocol(country):
    async with country.administer(owner(PREFIX)) as by:
        await by.create("88.111.1/pump", [template(*PUMP)])
        good = [follows("88.111.1/pump"), text("maker", "ACME", 2000), text("power", "7.5", 2001)]
        await by.create("88.111.1/p1", good)
        held = stored(country, "88.111.1/p1")
        assert (held[2000].permissions, held[2001].permissions) == (0x0E, 0x0C), "visibility decides permission bits"
        for values, *told in (
            (good[:1], "HL-ID-0702", "'maker'", "'required'"),
            ([*good[:2], text("power", "strong", 2001)], "'power'", "'type'"),
            ([*good[:2], text("power", "-1", 2001)], "'power'", "'low'"),
            ([*good[:2], text("power", "901", 2001)], "'power'", "'high'"),
            ([*good[:2], text("power", "1", 2002)], "'power'", "'index'"),
            ([*good, text("colour", "red", 2005)], "'colour'", "'closed'"),
            ([*good, text("colour", "red", 2010)], "'note'", "'index'"),
            ([follows("88.111.1/pump", 9), good[1]], "HL-ID-0703", "9:88.111.1/pump"),
            ([follows("88.111.1/nothing"), good[1]], "HL-ID-0703"),
            ([text("HULIAN.RECORD", "pump", 50), good[1]], "HL-ID-0703"),
            ([*good, follows("88.111.1/pump", 1, 51)], "HL-ID-0700"),
            ([*good, text("hulian.record", "1:88.111.1/pump", 52)], "HL-ID-0700", "HULIAN.RECORD"),
            ([*good, text("HULIAN.CONTAINS", "nobody", 3)], "HL-ID-0707"),
        ):
            await refused(by.create("88.111.1/p2", values), *told)
        assert stored(country, "88.111.1/p2") is None
        await refused(by.remove("88.111.1/p1", [2000]), "'maker'", "'required'")
        await refused(by.modify("88.111.1/p1", [text("power", "much", 2001)]), "'power'", "'type'")
        await refused(by.add("88.111.1/p1", [text("note", "x", 2013)]), "'note'", "'index'")
        await by.add("88.111.1/p1", [text("note", "离心泵", 2012), text("HS_ALIAS", "88.111.1/x", 1)])
        await by.modify("88.111.1/p1", [text("power", "8", 2001, permissions=0x0F)])
        assert stored(country, "88.111.1/p1")[2001].permissions == 0x0C, "nobody shows what the template hides"


async def test_a_published_version_is_fixed(country):
    draft = json.dumps({"attributes": [PUMP[0]], "title": {"zh": "泵", "en": "pump"}})
    async with country.administer(owner(PREFIX)) as by:
        await by.create("88.111.1/t", [text("HULIAN.TEMPLATE.DRAFT", draft, 2)])
        await by.modify("88.111.1/t", [text("HULIAN.TEMPLATE.DRAFT", draft.replace("pump", "Pump"), 2)])
        await refused(by.create("88.111.1/x", [follows("88.111.1/t", 2), text("maker", "A", 2000)]), "HL-ID-0703")
        await by.modify("88.111.1/t", [text("HULIAN.TEMPLATE", draft, 2)])
        held = stored(country, "88.111.1/t")[2].data
        assert held.decode() == (
            '{"attributes":[{"index":2000,"name":"maker","required":true,"type":"text","visibility":"public"}],'
            '"title":{"en":"pump","zh":"泵"}}'
        )
        await by.create("88.111.1/x", [follows("88.111.1/t", 2), text("maker", "A", 2000)])
        other = template(PUMP[1], index=2)
        for change in (
            by.modify("88.111.1/t", [other]),
            by.remove("88.111.1/t", [2]),
            by.delete("88.111.1/t"),
            by.create("88.111.1/t", [other], overwrite=True),
            by.create("88.111.1/t", [text("URL", "x")], overwrite=True),
            by.add("88.111.1/t", [template(*PUMP, index=1)]),
        ):
            await refused(change, "HL-ID-0706")
        await by.add("88.111.1/t", [template(*PUMP, index=3)])
        await by.add("88.111.1/t", [text("HULIAN.TEMPLATE", draft, 2)], overwrite=True)
        await refused(by.add("88.111.1/t", [text("HULIAN.TEMPLATE", "{", 4)]), "HL-ID-0701")
        await by.modify("88.111.1/x", [follows("88.111.1/t", 3)])


async def test_it_may_live_on_another_node(country):
    """Found by a walk; kept as it was first seen; where its node does not answer, that is said and nothing is written."""
    plant = country.plant
    async with country.administer(owner("88.111.2")) as by:
        await by.create("88.111.2/valve", [template({"name": "size", "type": "integer", "index": 7})])
        await by.create("88.111.2/late", [template({"name": "size", "type": "integer", "index": 7})])
    async with country.administer(owner(PREFIX)) as by:
        await by.create("88.111.1/v1", [follows("88.111.2/valve"), text("size", "40", 7)])
        await refused(by.create("88.111.1/v2", [follows("88.111.2/valve"), text("size", "4.5", 7)]), "'size'", "'type'")
        store, key = country.stores["88.111.2"], "88.111.2/valve"
        store.replace(key, [template({"name": "size", "type": "text", "index": 7})])  # by other means than the protocol
        country.inside[PREFIX].lookup._kept.clear()
        await refused(by.modify("88.111.1/v1", [text("size", "large", 7)]), "'size'", "'type'")
        plant.delegate("second", "88.111.9", "88.111.2")
        values = [follows("88.111.9/away"), text("size", "40", 7)]
        await plant.stop("88.111.3")
        await refused(
            by.create("88.111.1/v3", [follows("88.111.3/away"), text("size", "40", 7)]),
            "HL-ID-0704",
            code=ResponseCode.SERVER_BUSY,
        )
        assert stored(country, "88.111.1/v3") is None
        await refused(by.create("88.111.1/v4", values), "HL-ID-0703")
    assert country.inside[PREFIX].authority.templates._kept.get(b"88.111.2/VALVE", 1) is not None


async def test_over_http_and_in_bulk(country):
    me = secret(owner(PREFIX))
    async with country.administer(owner(PREFIX)) as by:
        await by.create("88.111.1/bulk-pump", [template(*PUMP)])

    def value(index, kind, data):
        return {"index": index, "type": kind, "data": data}

    named = value(50, "HULIAN.RECORD", "1:88.111.1/bulk-pump")
    async with country.http(PREFIX, auth=me) as client:
        answer = await client.put("/api/handles/88.111.1/h1", json=[named, value(2001, "power", "1")])
        assert answer.status_code == 400
        assert answer.json()["responseCode"] == 202
        assert "'maker'" in answer.json()["message"]
        assert "'required'" in answer.json()["message"]
        answer = await client.put("/api/handles/88.111.1/h1", json=[named, value(2000, "maker", "ACME")])
        assert answer.status_code == 201, answer.text
        rows = "handle,index,type,data\n" + "".join(
            f"88.111.1/b{one},50,HULIAN.RECORD,1:88.111.1/bulk-pump\n88.111.1/b{one},2000,maker,ACME\n88.111.1/b{one},2001,power,{power}\n"
            for one, power in enumerate(("1", "much", "3"))
        )
        rows += "88.111.1/plain,1,URL,https://example.com\n88.111.1/odd,1,hulian.grant,{}\n"
        answer = await client.post("/api/bulk?job=pumps", content=rows, headers={"content-type": "text/csv"})
        lines = [json.loads(line) for line in answer.text.splitlines()]
    assert lines[-1] == {"done": True, "acknowledged": 11, "records": 3, "refused": 2}
    told = {line["refused"]["handle"]: line["refused"] for line in lines if isinstance(line.get("refused"), dict)}
    assert told.keys() == {"88.111.1/b1", "88.111.1/odd"}
    assert told["88.111.1/b1"]["code"] == "HL-ID-0702"
    assert "'power', rule 'type'" in told["88.111.1/b1"]["message"]
    assert stored(country, "88.111.1/b0")[2001].permissions == 0x0C
    assert stored(country, "88.111.1/b1") is None


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("text", ["", "泵"], [b"\xff"]),
        ("number", ["1", "-1.5e3"], ["", "1,5", "nan", "1e999", "0x1", " 1"]),
        ("integer", ["0", "-12"], ["1.0", "1234567890123456789", ""]),
        ("boolean", ["true", "false"], ["True", "1", ""]),
        (
            "time",
            ["2026-03-01T08:00:00Z", "2026-03-01T08:00:00.123456789+08:00"],
            ["2026-03-01", "2026-02-30T00:00:00Z", "2026-03-01T08:00:00"],
        ),
        ("url", ["https://example.com/a"], ["example.com", "https://", "http://[", "https://a b"]),
        ("reference", ["88.111.1/x"], ["88.111.1", "/x", "x/"]),
        ("json", ["{}", "[1]"], ["{", "", "[" * 5000]),
    ],
)
def test_what_each_type_takes(kind, good, bad):
    attribute = Attribute(name="x", type=AttributeType(kind), index=1)
    assert [problem(attribute, one.encode()) for one in good] == [None] * len(good)
    for one in bad:
        assert problem(attribute, one if isinstance(one, bytes) else one.encode())[0] == "type", one


def two(index: int, **more) -> dict:
    return {"name": "a", "type": "text", "index": index, **more}


@pytest.mark.parametrize(
    "broken",
    [
        b"", b"[]", b"{}", b'{"attributes":[]}', b"[" * 5000,
        b'{"attributes":[{"name":"a","type":"text","index":1,"colour":1}]}',
        *(
            json.dumps({"attributes": [{"name": "a", "type": "number", "index": 1, **more}]}).encode()
            for more in (
                {"name": "HS_ADMIN"}, {"name": "HULIAN.GRANT"}, {"name": "a b"}, {"type": "blob"}, {"index": 0}, {"most": 0},
                {"name": "HULIAN.CONTAINS"}, {"low": 2, "high": 1}, {"language": "zh"}, {"type": "text", "unit": "m"},
                {"type": "text", "low": 1}, {"semantic": "mass of it"}, {"type": "text", "language": "?"},
                {"grants": [{"to": "everyone", "may": "read"}]}, {"grants": [{"to": "1:88.1/x", "may": "delete"}]},
            )
        ),
        json.dumps({"attributes": [two(1, most=2), two(2, name="b")]}).encode(),
        json.dumps({"attributes": [two(1), two(2, name="A")]}).encode(),
    ],
)  # fmt: skip
def test_a_template_that_cannot_be_is_refused(broken):
    with pytest.raises(TemplateError):
        read_template(broken)


def test_canonical_json_is_stable():
    once = write_template(read_template(json.dumps({"attributes": PUMP, "open": False}, indent=2).encode()))
    assert write_template(read_template(once)) == once
    assert b'"open"' not in once
