"""Records over HTTP: judged by pyhandle, and by what the Handle System's interface promises."""

from __future__ import annotations

import anyio
import httpx
import pytest
from identifier_nodes import ADMINISTRATOR, identity, text
from pyhandle.client.resthandleclient import RESTHandleClient
from pyhandle.handleexceptions import HandleAlreadyExistsException, HandleAuthenticationError, HandleNotFoundException
from rest_nodes import SECRET, STRANGER, USER, basic, face

from hulian.network.identifiers.store import What, key_of
from hulian.network.identifiers.wire.values import Reference, unpack_values

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]
URL = {"index": 1, "type": "URL", "data": {"format": "string", "value": "https://example.com/pump"}}


@pytest.fixture
async def served(plant, tmp_path):
    async with face(plant, tmp_path) as made:
        yield made


def stored(plant, handle: str):
    packed = plant.stores["enterprise"].packed(key_of(handle))
    return None if packed is None else {value.index: value for value in unpack_values(packed)}


async def test_pyhandle_reads_and_writes(plant, served):
    """Create, read, modify, add, delete a value, delete the record: by a client that no one here wrote."""

    def judged() -> None:
        client = RESTHandleClient.instantiate_with_username_and_password(
            served.url, str(USER), SECRET, HTTPS_verify=str(served.root), handleowner=str(USER)
        )
        handle = "88.111.1/pump"
        assert client.register_handle(handle, "https://example.com/pump", checksum="abc") == handle
        assert client.get_value_from_handle(handle, "URL") == "https://example.com/pump"
        assert client.get_value_from_handle(handle, "CHECKSUM") == "abc"
        with pytest.raises(HandleAlreadyExistsException):
            client.register_handle(handle, "https://example.com/other")
        client.modify_handle_value(handle, URL="https://example.com/2", DESC="水泵")
        record = client.retrieve_handle_record(handle)
        assert (record["URL"], record["DESC"]) == ("https://example.com/2", "水泵")
        client.delete_handle_value(handle, "CHECKSUM")
        assert "CHECKSUM" not in client.retrieve_handle_record(handle)
        client.register_handle(handle, "https://example.com/3", overwrite=True)
        assert client.retrieve_handle_record(handle)["URL"] == "https://example.com/3"
        assert client.delete_handle(handle) == handle
        assert client.retrieve_handle_record_json(handle) is None
        with pytest.raises(HandleNotFoundException):
            client.delete_handle(handle)
        other = RESTHandleClient.instantiate_with_username_and_password(
            served.url, str(STRANGER), "known", HTTPS_verify=str(served.root), handleowner=str(STRANGER)
        )
        with pytest.raises(Exception, match="403"):
            other.register_handle("88.111.1/mine", "https://example.com")
        wrong = RESTHandleClient.instantiate_with_username_and_password(
            served.url, str(USER), "guessed", HTTPS_verify=str(served.root)
        )
        with pytest.raises(HandleAuthenticationError):
            wrong.register_handle("88.111.1/mine", "https://example.com")

    await anyio.to_thread.run_sync(judged)
    assert stored(plant, "88.111.1/pump") is None
    assert stored(plant, "88.111.1/mine") is None
    log = plant.stores["enterprise"].log
    done = [(found.what, found.by) for found in log.read() if found.handle == "88.111.1/pump"]
    assert done[0] == (What.CREATE, str(USER))
    assert done[-1] == (What.DELETE, str(USER))
    assert log.verify() == log.last


async def test_patch_puts_and_removes_at_once(plant, served):
    note = {"index": 2, "type": "DESC", "data": "a pump"}
    path = "/api/handles/88.111.1/patched"
    async with served.client() as client:
        assert (await client.put(path, json=[URL, note], auth=basic())).status_code == 201
        before = stored(plant, "88.111.1/patched")
        for document, status, place in (
            ({"values": [{**note, "index": 3}], "remove": [2], "more": 1}, 400, "$"),
            ([note], 400, "$"),
            ({"remove": 2}, 400, "$.remove"),
            ({"remove": [2, "1"]}, 400, "$.remove[1]"),
            ({"remove": [True]}, 400, "$.remove[0]"),
            ({"values": [{**note, "index": "x"}], "remove": [1]}, 400, "$.values[0].index"),
            ({"values": [note], "remove": [2]}, 400, ""),
            ({}, 400, ""),
        ):
            answer = await client.patch(path, json=document, auth=basic())
            assert (answer.status_code, answer.json().get("place", "")) == (status, place), document
        assert (await client.patch(path, json={"remove": [1]})).status_code == 401
        assert (await client.patch(path, json={"remove": [1]}, auth=basic(STRANGER, "known"))).status_code == 403
        assert (await client.patch("/api/handles/88.111.1/none", json={"values": [note]}, auth=basic())).status_code == 404
        assert stored(plant, "88.111.1/patched") == before
        answer = await client.patch(path, json={"values": [{**note, "index": 3}], "remove": [2, 7]}, auth=basic())
        assert (answer.status_code, answer.json()) == (200, {"responseCode": 1, "handle": "88.111.1/patched"})
        assert sorted(stored(plant, "88.111.1/patched")) == [1, 3]


async def test_status_codes_are_those_of_the_handle_system(plant, served):
    async with served.client() as client:

        async def put(path: str, document, **more) -> tuple[int, int]:
            answer = await client.put(f"/api/handles/{path}", json=document, auth=basic(**more))
            return answer.status_code, answer.json()["responseCode"]

        assert await put("88.111.1/a", [URL]) == (201, 1)
        assert await put("88.111.1/a", {"values": [URL]}) == (200, 1)
        assert await put("88.111.1/a?overwrite=false", URL) == (409, 101)
        assert await put("88.111.1/a?index=2", [{**URL, "index": 2}]) == (201, 1)
        assert await put("88.111.1/a?index=various", [{**URL, "index": 2}, {**URL, "index": 3}]) == (200, 1)
        assert await put("88.111.1/a?index=2&overwrite=false", [{**URL, "index": 2}]) == (409, 201)
        assert await put("88.111.1/a?index=7", [URL]) == (400, 4)
        assert await put("88.111.1/nothing?index=1", [URL]) == (404, 100)
        assert await put("88.111.9/a", [URL]) == (400, 301)
        assert await put("88.111.1/b", [{**URL, "index": 0}]) == (400, 202)
        assert await put("88.111.1/b", [URL], who=STRANGER, secret="known") == (403, 400)
        answer = await client.put("/api/handles/88.111.1/b", json=[URL])
        assert (answer.status_code, answer.json()["responseCode"]) == (401, 402)
        assert answer.headers["www-authenticate"].startswith("Basic")

        async def get(path: str, **more) -> tuple[int, int]:
            found = await client.get(f"/api/handles/{path}", **more)
            return found.status_code, found.json()["responseCode"]

        assert await get("88.111.1/a") == (200, 1)
        assert await get("88.111.1/nothing") == (404, 100)
        assert await get("88.111.1/a?type=EMAIL") == (200, 200)
        assert await get("88.111.9/a") == (400, 301)
        assert await get("88.111.1/ITEM7?publicOnly=false") == (401, 402)
        assert await get("88.111.1/ITEM7?publicOnly=false", auth=basic()) == (200, 1)
        assert await get("88.111.1/ITEM7", auth=basic(STRANGER, "known")) == (403, 400)
        assert await get("88.111.1/a?index=x") == (400, 4)
        shown = (await client.get("/api/handles/88.111.1/ITEM7", auth=basic())).json()
        assert [value["index"] for value in shown["values"]] == [1, 100]

        answer = await client.delete("/api/handles/88.111.1/a?index=2&index=3", auth=basic())
        assert answer.status_code == 200
        assert list(stored(plant, "88.111.1/a")) == [1]
        assert (await client.delete("/api/handles/88.111.1/a?index=9", auth=basic())).status_code == 400
        assert (await client.delete("/api/handles/88.111.1/a")).status_code == 401
        assert (await client.delete("/api/handles/88.111.1/a", auth=basic())).status_code == 200
        assert (await client.post("/api/handles/88.111.1/a")).status_code == 405


async def test_handles_are_named_minted_and_listed(plant, served):
    async with served.client(auth=basic()) as client:
        odd = "88.111.1/eins/zwei?drei=四#%+ "
        answer = await client.put("/api/handles/88.111.1/eins%2Fzwei%3Fdrei=四%23%25+%20", json=[URL])
        assert (answer.status_code, answer.json()["handle"]) == (201, odd)
        assert stored(plant, odd)[1].data == b"https://example.com/pump"
        made = set()
        for _ in range(3):
            answer = await client.put("/api/handles/88.111.1/P-?mintNewSuffix=true", json=[URL])
            made.add(answer.json()["handle"])
        assert len(made) == 3
        assert all(stored(plant, handle) for handle in made)
        whole = (await client.get("/api/handles?prefix=88.111.1")).json()
        assert whole["totalCount"] == str(len(whole["handles"]))
        assert {odd, *made} <= set(whole["handles"])
        pages = []
        for page in range(5):
            found = (await client.get(f"/api/handles?prefix=0.NA/88.111.1&page={page}&pageSize=3")).json()
            pages += found["handles"]
        assert pages == whole["handles"][:15]
        assert (await client.get("/api/handles")).status_code == 400
    async with served.client() as client:
        assert (await client.get("/api/handles?prefix=88.111.1")).status_code == 401


async def test_json_is_shown_as_asked(served):
    async with served.client() as client:
        pretty = await client.get("/api/handles/88.111.1/ITEM7?pretty")
        assert pretty.text.startswith('{\n  "responseCode": 1')
        script = await client.get("/api/handles/88.111.1/ITEM7?callback=found.it")
        assert script.text.startswith('/**/found.it({"responseCode":1')
        assert script.headers["content-type"] == "application/javascript"
        for name in ("alert(1)//", "a b", "a" * 101, "<x>"):
            assert (await client.get("/api/handles/88.111.1/ITEM7", params={"callback": name})).status_code == 400
        private = await client.get("/api/handles/88.111.1/ITEM7?callback=found", auth=basic())
        assert private.status_code == 400
        head = await client.head("/api/handles/88.111.1/ITEM7")
        assert (head.status_code, head.content) == (200, b"")
        assert int(head.headers["content-length"]) > 50
        assert head.headers["access-control-allow-origin"] == "*"
        asked = await client.options("/api/handles/88.111.1/ITEM7", headers={"Origin": "https://elsewhere.example"})
        assert asked.status_code == 204
        assert "PUT" not in asked.headers["access-control-allow-methods"]


async def test_a_secret_is_guessed_a_few_times_only(plant, served):
    """And a proof by Basic with a handle that has public keys only is none."""
    async with served.client() as client:
        only_public = await client.get("/api/handles/88.111.1/ITEM7", auth=basic(Reference(USER.handle, 300), SECRET))
        assert only_public.status_code == 401
        empty = await client.get("/api/handles/88.111.1/ITEM7", auth=basic(USER, ""))
        assert empty.status_code == 401
        for _ in range(8):
            assert (await client.get("/api/handles/88.111.1/ITEM7", auth=basic(USER, "x"))).status_code == 401
        late = await client.get("/api/handles/88.111.1/ITEM7", auth=basic())
        assert late.status_code == 429
        assert int(late.headers["retry-after"]) >= 1
        assert (await client.get("/api/handles/88.111.1/ITEM7")).status_code == 200, "reading goes on"


async def test_a_secret_key_of_another_node_is_asked_about_there(plant, served):
    """The second level keeps the user; the enterprise asks it whether the secret holds, and never sends the secret."""
    elsewhere = Reference("0.NA/88.111.1", 302)
    second = plant.stores["second"]
    values = [*unpack_values(second.packed(b"0.NA/88.111.1"))]
    from identifier_nodes import admin

    second.create(
        "0.NA/88.111.1",
        [*values, text("HS_SECKEY", "far away", 302, permissions=12), admin(elsewhere, 0x1FFF, 110)],
        overwrite=True,
    )
    async with served.client() as client:
        good = await client.put("/api/handles/88.111.1/far", json=[URL], auth=basic(elsewhere, "far away"))
        assert good.status_code == 201
        bad = await client.put("/api/handles/88.111.1/far2", json=[URL], auth=basic(elsewhere, "far off"))
        assert bad.status_code == 401
    assert [one.by for one in plant.stores["enterprise"].log.read() if one.handle == "88.111.1/far"] == [str(elsewhere)]


async def test_plain_http_reads_and_from_elsewhere_writes_nothing(plant, served):
    """Over loopback plain HTTP may write; the same request is refused where either end is another machine's."""
    async with httpx.AsyncClient(base_url=served.plain) as client:
        assert (await client.get("/api/handles/88.111.1/ITEM7")).status_code == 200
        assert (await client.put("/api/handles/88.111.1/x", json=[URL], auth=basic())).status_code == 201
    from hulian.network.identifiers.transport.rest.application import Application

    for client_address, server in (("192.0.2.7", "127.0.0.1"), ("127.0.0.1", "192.0.2.1"), ("192.0.2.7", "192.0.2.1")):
        transport = httpx.ASGITransport(Application(served.node), client=(client_address, 9))
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{server}") as client:
            put = await client.put("/api/handles/88.111.1/y", json=[URL], auth=basic())
            assert (put.status_code, put.json()["code"]) == (403, "HL-ID-0515")
            read = await client.get("/api/handles/88.111.1/ITEM7", auth=basic())
            assert read.status_code == 403, "a secret is not sent in the clear"
            assert (await client.get("/api/handles/88.111.1/ITEM7")).status_code == 200
    assert stored(plant, "88.111.1/y") is None


async def test_what_is_too_long_is_refused_before_it_is_kept(plant, served):
    async with served.client(auth=basic()) as client:
        long = await client.put("/api/handles/88.111.1/x", content=b"[" + b" " * (1 << 20) + b"]")
        assert (long.status_code, long.json()["code"]) == (413, "HL-ID-0512")

        async def endless():
            for _ in range(40):
                yield b" " * 65_536

        assert (await client.put("/api/handles/88.111.1/x", content=endless())).status_code == 413
        assert (await client.get("/api/handles/88.111.1/" + "x" * 20_000)).status_code == 400
        many = await client.put("/api/handles/88.111.1/x", json=[{**URL, "index": number} for number in range(1, 2_050)])
        assert many.status_code == 400
        deep = await client.put("/api/handles/88.111.1/x", content=b"[" * 100_000)
        assert deep.status_code == 400
    async with served.client() as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get("/api/handles/88.111.1/ITEM7", headers={"X-Long": "x" * 40_000})
        assert (await client.get("/api/handles/88.111.1/ITEM7")).status_code == 200
    assert stored(plant, "88.111.1/x") is None


async def test_over_http_and_over_the_protocol_are_one_record(plant, served):
    async with served.client(auth=basic()) as client, plant.administer(identity()) as by:
        await client.put("/api/handles/88.111.1/both", json=[URL])
        await by.add("88.111.1/both", [text("DESC", "over the protocol", 2)])
        found = (await client.get("/api/handles/88.111.1/BOTH")).json()
        assert [value["data"]["value"] for value in found["values"]] == ["https://example.com/pump", "over the protocol"]
    done = [one.by for one in plant.stores["enterprise"].log.read() if one.handle == "88.111.1/both"]
    assert done == [str(USER), str(ADMINISTRATOR)]
