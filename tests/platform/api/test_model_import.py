"""Documents into the model over HTTP: read beside it, looked at, applied; refused, cancelled and killed without a trace."""

from __future__ import annotations

from api_stack import eventually

HEAD = b'{"hulian": 1, "document": {"name": "x", "format": "hulian", "title": "Pumps"}}\n'


def line(identity: str, name: str, more: str = "", kind: int = 1) -> bytes:
    return f'{{"node": {{"id": "{identity}", "kind": {kind}, "name": "{name}"{more}}}}}\n'.encode()


def plain(name: str, *pumps: str, unit: str = "bar") -> bytes:
    body = HEAD + line(f"{name}/line", "Line 2")
    for pump in pumps:
        body += line(f"{name}/{pump}", pump, f', "parent": "{name}/line"')
        body += line(f"{name}/{pump}/out", "out", f', "parent": "{name}/{pump}", "unit": "{unit}"', kind=2)
    return body


def begin(client, body, **query):
    return client.post("/model/imports", content=body, params=query, headers={"content-type": "application/octet-stream"})


def ended(client, reply):
    assert reply.status_code == 202, reply.text
    return eventually(
        lambda: (job := client.get(f"/jobs/{reply.json()['id']}", params={"wait": 5}).json())["state"] != "running" and job,
        60,
        "the end of the job",
    )


def read(client, body, **query):
    job = ended(client, begin(client, body, **query))
    assert job["state"] == "done", job
    return job["version"]


def test_a_document_is_read_looked_at_and_applied(stack):
    with stack.browser() as client:
        key = read(client, plain("twice", "P1", "P2"), name="twice", file="twice.hulian.jsonl")
        found = client.get(f"/model/imports/{key}").json()
        assert (found["replaces"], found["errors"], found["differences"]["added"]) == (0, 0, 5)
        assert found["version"]["waiting"] is True
        assert "twice" not in [one["name"] for one in client.get("/model/imports").json()["documents"]]
        applied = client.post(f"/model/imports/{key}/apply", params={"replaces": 0})
        assert applied.status_code == 200, applied.text
        assert (applied.json()["current"], applied.json()["waiting"]) == (True, False)
        second = read(client, plain("twice", "P2", "P3", unit="kPa"), name="twice", file="twice.hulian.jsonl")
        found = client.get(f"/model/imports/{second}").json()
        assert found["replaces"] == key
        changes = found["differences"]
        assert (changes["added"], changes["removed"], changes["changed"], changes["same"]) == (2, 2, 1, 2)
        assert changes["fields"] == {"unit": 1}
        changed = next(one for one in changes["first"] if one["what"] == "changed")
        assert changed["fields"] == [{"field": "unit", "old": "bar", "new": "kPa"}]
        assert client.post(f"/model/imports/{second}/apply", params={"replaces": 0}).json()["code"] == "HL-API-0071"
        assert client.post(f"/model/imports/{second}/apply", params={"replaces": key}).status_code == 200
        kept = client.get("/model/documents/twice/versions").json()["items"]
        assert [(one["key"], one["current"]) for one in kept] == [(second, True), (key, False)]
        between = client.get("/model/documents/twice/differences", params={"old": second, "new": key}).json()
        assert (between["added"], between["removed"], between["changed"]) == (2, 2, 1)
