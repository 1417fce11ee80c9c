"""Nobody gets in where nobody may, and nothing that comes in breaks it."""

from __future__ import annotations

import gc
import json
import re
import socket
import tracemalloc

import pytest
from aas_documents import SUBMODEL, everything, group, prop
from aas_stack import coded, said

from hulian.network.exchange.semantics.aas.api.service import ROUTES
from hulian.platform.northbound.aas.rights import right_of
from hulian.trust import ROLE_SCOPES, Role

AT = f"/submodels/{coded(SUBMODEL)}"


def filled(pattern: str) -> str:
    """A path that the pattern of a route takes."""
    path = pattern.removeprefix("^").removesuffix("/?$")
    path = re.sub(r"\(\?P<path>\[\^/\]\+\)", "Pressure", path)
    path = re.sub(r"\(\?P<handle>\[\^/\]\+\)", coded("1"), path)
    path = re.sub(r"\(\?P<\w+>\[\^/\]\+\)", coded("urn:nothing"), path)
    path = re.sub(r"\(\?:([^)]*)\)\?", "", path)
    return path.replace("\\", "")


REQUESTS = sorted({(method, filled(pattern), operation) for method, pattern, operation in ROUTES})


def test_without_a_login_every_path_is_closed(plant):
    assert len(REQUESTS) > 90
    with plant.aas() as client:
        for method, path, _ in [*REQUESTS, ("GET", "/nothing", ""), ("OPTIONS", "/shells", "")]:
            reply = client.request(method, path)
            assert said(reply) == (401, "HL-API-0003"), (method, path)
            assert reply.headers["www-authenticate"].startswith("Bearer")
    with plant.aas(Authorization="Bearer hlt_wrong") as client:
        status, code = said(client.get("/shells"))
        assert (status, code) == (401, "HL-API-0003")


@pytest.mark.parametrize("role", list(Role))
def test_each_role_may_what_its_scopes_say_on_every_path_and_the_trail_knows(plant, role):
    name = f"aas-{role}"
    plant.trust.users.add(name, "four unusual words here", role, by="test")
    token = plant.trust.tokens.issue(name, "test", ROLE_SCOPES[role], by="admin").secret
    before = [one.key for one in plant.open_semantics().model.documents()]
    refused = 0
    with plant.aas(Authorization=f"Bearer {token}") as client:
        for method, path, operation in REQUESTS:
            scope = "read" if right_of(method, operation) == "read" else "configure"
            reply = client.request(method, path, json={} if method in ("PUT", "POST", "PATCH") else None)
            if scope in ROLE_SCOPES[role]:
                assert reply.status_code not in (401, 403), (method, path, reply.text)
            else:
                assert said(reply) == (403, "HL-NORTH-0003"), (method, path)
                refused += 1
    plant.trust.users.remove(name, by="test")
    trail = [one for one in plant.trust.audit.list(limit=1000, principal=name) if one.outcome == "denied"]
    assert len(trail) == refused
    assert [one.key for one in plant.open_semantics().model.documents()] == before


def test_the_gate_of_the_server_stands_before_it(plant):
    with plant.aas("read") as client:
        assert said(client.get("/shells", headers={"host": "evil.example"}))[0] == 421
        assert client.get("/shells", headers={"host": "localhost"}).status_code == 200
    with plant.browser() as browser:
        address = f"{plant.url}/aas/api/v3.1"
        csrf = browser.headers.pop("x-hulian-csrf")
        assert browser.get(f"{address}/shells").status_code == 200
        made = {"modelType": "Submodel", "id": "urn:by-a-browser"}
        assert said(browser.post(f"{address}/submodels", json=made))[0] == 403
        assert browser.post(f"{address}/submodels", json=made, headers={"x-hulian-csrf": csrf}).status_code == 201


def test_bad_ids_paths_and_parameters_are_refused_in_the_form_of_the_standard(plant):
    with plant.aas("read", "configure") as client:
        for path in (
            "/shells/=====",
            "/shells/%00",
            "/shells/%2e%2e/%2e%2e/etc/passwd",
            "/submodels/%2e%2e%2f%2e%2e",
            f"/submodels/{coded('x')}é",
            f"{AT}/submodel-elements/..%2f..%2fetc",
            f"{AT}/submodel-elements/Deep..Deeper",
            f"{AT}/submodel-elements/Readings[99999999]",
            f"{AT}/submodel-elements/{'A.' * 2000}A",
            f"/submodels/{'A' * 9000}",
            "/shells?limit=0",
            "/shells?limit=-1",
            "/shells?limit=1&limit=2",
            "/shells?cursor=%25",
            "/shells?assetIds=notjson",
            "/shells?" + "&".join(f"a{number}=1" for number in range(200)),
            f"{AT}?level=other",
            f"{AT}?extent=other",
            "/lookup/shells?assetIds=" + coded(7),
            "/nothing",
        ):
            status, code = said(client.get(path))
            assert 400 <= status < 500, path
            assert code.startswith("HL-NORTH-"), path
        assert client.get("/shells?limit=999999999999999999999").status_code == 200
        # What a file element names never leads out of the container.
        for value in ("/../../etc/passwd", "file:///etc/passwd", "http://127.0.0.1:1/x", "aasx/../../registry.db"):
            assert client.patch(f"{AT}/submodel-elements/Manual/$value", json={"value": value}).status_code in (204, 400)
            assert said(client.get(f"{AT}/submodel-elements/Manual/attachment"))[0] == 404


def test_hostile_bodies_change_nothing(plant):
    deep = '{"modelType":"Submodel","id":"urn:deep","submodelElements":[' + '{"value":[' * 5000 + "]}" * 5000 + "]}"
    nested = prop("Last", "1", "xs:int")
    for _ in range(40):
        nested = group("Level", nested)
    before = [one.key for one in plant.open_semantics().model.documents()]
    with plant.aas("read", "configure") as client:
        for body in (
            b"",
            b"{",
            b"\xff\xfe",
            b'{"modelType":"Submodel","id":"\xff"}',
            b'{"modelType":"Submodel","id":' + b"9" * 100_000 + b"}",
            deep.encode(),
            json.dumps({"modelType": "Submodel", "id": "urn:deep", "submodelElements": [nested]}).encode(),
            b"[" * 100_000,
            json.dumps({"modelType": "Submodel", "id": "x" * 5000}).encode(),
            json.dumps({"modelType": "Submodel", "id": "urn:x", "submodelElements": [prop("Zero\0", "x")]}).encode(),
        ):
            status, code = said(client.post("/submodels", content=body, headers={"content-type": "application/json"}))
            assert (status, code) == (400, "HL-NORTH-0001"), body[:60]
        for form, kind in (
            (b"no form", "multipart/form-data"),
            (b"no form", "multipart/form-data; boundary=x"),
            (b"--x\r\n" * 50 + b"--x--", "multipart/form-data; boundary=x"),
            (b'--x\r\nContent-Disposition: form-data; name="other"\r\n\r\n1\r\n--x--', "multipart/form-data; boundary=x"),
        ):
            at = f"{AT}/submodel-elements/Manual/attachment"
            assert said(client.put(at, content=form, headers={"content-type": kind})) == (400, "HL-NORTH-0001"), form
    assert [one.key for one in plant.open_semantics().model.documents()] == before


def test_a_body_beyond_the_bound_is_refused_before_it_is_held(plant):
    host, port = plant.url.removeprefix("http://").split(":")
    token = plant.token("read", "configure")
    head = (
        f"POST /aas/api/v3.1/submodels HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n"
        "Content-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), 30) as connection:
        connection.sendall(head.encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 413")
    with plant.aas("read", "configure") as client:
        whole = everything()["submodels"][0]
        whole["submodelElements"].append(prop("Long", "x" * (9 << 20)))
        body = json.dumps(whole).encode()
        chunks = (body[at : at + 65536] for at in range(0, len(body), 65536))
        assert said(client.post("/submodels", content=chunks)) == (413, "HL-NORTH-0009")


def test_large_submodels_make_short_pages(empty):
    big = "x" * 900_000
    many = [
        {"modelType": "Submodel", "id": f"urn:big:{number:02d}", "submodelElements": [prop("Text", big)]}
        for number in range(40)
    ]
    empty.take({"submodels": many}, "big")
    with empty.aas("read") as client:
        client.get("/shells")
        gc.collect()
        tracemalloc.start()
        seen, cursor = [], {}
        while cursor is not None:
            reply = client.get("/submodels", params={"limit": 1000, **cursor})
            assert len(reply.content) < 10 << 20
            page = reply.json()
            seen += [one["id"] for one in page["result"]]
            after = page["paging_metadata"].get("cursor")
            cursor = {"cursor": after} if after else None
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert seen == [one["id"] for one in many]
        # The whole would be 36 MB, and some copies of it; client and server are both in this process.
        assert peak < 150 << 20
