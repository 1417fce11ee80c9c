"""Documents into the model over HTTP: read beside it, looked at, applied; refused, cancelled and killed without a trace."""

from __future__ import annotations

import http.client
import io
import subprocess
import sys
import time
import zipfile

import pytest
import sqlalchemy as sa
from api_stack import Stack, eventually
from free_ports import free_port

from hulian.network.exchange.semantics.documents import memory_source
from hulian.network.exchange.semantics.formats import format_named
from hulian.network.exchange.semantics.model import tables
from hulian.network.exchange.semantics.model.notes import Note
from hulian.network.exchange.semantics.together import Semantics
from hulian.platform.api.configuration import ApiConfiguration
from hulian.platform.api.documents.service import Documents
from hulian.platform.api.documents.views import Shelf
from hulian.platform.api.documents.waiting import DAY, Mark
from hulian.platform.api.jobs import JobBoard
from hulian.platform.api.receiving import sweep
from hulian.registry import Registry

HEAD = b'{"hulian": 1, "document": {"name": "x", "format": "hulian", "title": "Pumps"}}\n'


@pytest.fixture(scope="module")
def stack(fresh_stack):
    """Nothing but what is put in here."""
    return fresh_stack


def line(identity: str, name: str, more: str = "", kind: int = 1) -> bytes:
    return f'{{"node": {{"id": "{identity}", "kind": {kind}, "name": "{name}"{more}}}}}\n'.encode()


def plain(name: str, *pumps: str, unit: str = "bar") -> bytes:
    parts = [HEAD, line(f"{name}/line", "Line 2")]
    for pump in pumps:
        parts.append(line(f"{name}/{pump}", pump, f', "parent": "{name}/line"'))
        parts.append(line(f"{name}/{pump}/out", "out", f', "parent": "{name}/{pump}", "unit": "{unit}"', kind=2))
    return b"".join(parts)


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


def test_what_a_person_noted_is_told_before_its_node_goes(stack):
    with stack.browser() as client:
        first = read(client, plain("noted", "P1", "P2"), name="noted", format="hulian")
        client.post(f"/model/imports/{first}/apply")
        stack.semantics.model.note([Note("noted/P1/out", "point", "99.118.8/p1#out", who="ada")])
        second = read(client, plain("noted", "P2"), name="noted", format="hulian")
        found = client.get(f"/model/imports/{second}").json()
        assert found["notes_left"] == 1
        assert found["notes"] == [{"node": "noted/P1/out", "field": "point", "value": "99.118.8/p1#out", "who": "ada"}]
        client.post(f"/model/imports/{second}/apply")
        assert client.delete("/model/documents/noted").json() == {"name": "noted"}
        assert client.delete("/model/documents/noted").status_code == 404
        # What was removed can be brought back: its versions are kept.
        assert client.post(f"/model/imports/{first}/apply").json()["current"] is True


def test_an_id_of_another_document_keeps_it_out(stack):
    with stack.browser() as client:
        client.post(f"/model/imports/{read(client, plain('owner', 'P1'), name='owner', format='hulian')}/apply")
        key = read(client, plain("owner", "P1"), name="thief", format="hulian")
        found = client.get(f"/model/imports/{key}").json()
        assert (found["errors"], found["findings"][0]["rule"]) == (3, "conflict")
        refused = client.post(f"/model/imports/{key}/apply")
        assert (refused.status_code, refused.json()["code"]) == (409, "HL-SEM-0011")
        assert client.delete(f"/model/imports/{key}").status_code == 204
        for call in (client.get, client.delete):
            assert (call(f"/model/imports/{key}")).status_code == 404
        assert client.get("/model/imports/1e9").status_code == 404
        assert key not in [one["key"] for one in client.get("/model/imports").json()["waiting"]]


def nothing_left(stack):
    return not list(stack.scratch.glob("hulian-received-*"))


def test_a_cancelled_import_leaves_nothing(stack):
    with stack.browser() as client:
        body = plain("long", *(f"P{number}" for number in range(150_000)))
        job = begin(client, body, name="long", format="hulian").json()
        eventually(lambda: client.get(f"/jobs/{job['id']}").json()["nodes"] > 0, 60, "the first nodes")
        assert begin(client, b"x", name="other").status_code == 429, "one at a time"
        assert client.delete(f"/jobs/{job['id']}").status_code == 202
        over = client.get(f"/jobs/{job['id']}", params={"wait": 30}).json()
        assert (over["state"], over["error"], over["version"]) == ("cancelled", None, None)
        assert over["done"] < over["total"]
        assert client.get("/model/documents/long/versions").status_code == 404
        assert client.delete(f"/jobs/{job['id']}").json()["code"] == "HL-API-0011"
        assert client.delete("/jobs/none").status_code == 404
        assert "long" in [entry["resource"] for entry in client.get("/audit", params={"limit": 20}).json()["items"]]
    assert nothing_left(stack)
    with stack.registry.read() as connection:
        row = tables.version.c
        assert connection.execute(sa.select(row.key).where(row.document == "long")).all() == []


BOMB = b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><CAEXFile>&b;</CAEXFile>'


def zip_bomb() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("plant.aml", b" " * (64 << 20))
    return made.getvalue()


@pytest.mark.parametrize(
    ("file", "body", "code", "place"),
    [
        ("bomb.aml", BOMB, "HL-SEM-0002", "bomb.aml"),
        ("bomb.amlx", zip_bomb(), "HL-SEM-0002", "bomb.amlx, plant.aml"),
        ("deep.aml", b"<CAEXFile>" + b"<a>" * 100_000, "HL-SEM-0002", "line 1"),
        ("broken.aml", b'<CAEXFile SchemaVersion="3.0">\n<a>\n</CAEXFile>', "HL-SEM-0001", "line 3"),
        ("lines.hulian.jsonl", HEAD + b"{no", "HL-SEM-0001", "line 2"),
    ],
)
def test_a_hostile_or_broken_document_is_refused_with_its_place(stack, file, body, code, place):
    with stack.browser() as client:
        job = ended(client, begin(client, body, file=file))
        assert (job["state"], job["error"]["code"], job["version"]) == ("failed", code, None), job
        assert place in job["error"]["place"]
        assert job["error"]["hint"]
        assert client.get(f"/model/documents/{file.partition('.')[0]}/versions").status_code == 404
    assert nothing_left(stack)


def test_what_is_no_document_is_refused_at_once(stack):
    with stack.browser() as client:
        for body, query, status, code in (
            (b"GIF89a", {"file": "cat.gif"}, 422, "HL-SEM-0003"),
            (b"", {"file": "plant.aml"}, 400, "HL-API-0001"),
            (HEAD, {"format": "word"}, 422, "HL-SEM-0003"),
            (HEAD, {"upload": "none"}, 404, "HL-API-0006"),
            (HEAD, {"name": "../../etc", "format": "hulian"}, 400, "HL-API-0001"),
            (HEAD, {"name": "..", "format": "hulian"}, 400, "HL-API-0001"),
        ):
            reply = begin(client, body, **query)
            assert (reply.status_code, reply.json()["code"]) == (status, code), reply.text
    assert nothing_left(stack)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A platform that takes little."""
    with Stack(tmp_path_factory.mktemp("small"), free_port(), model_limit=20_000, model_waiting=2) as running:
        yield running


def test_a_document_that_does_not_arrive_whole_leaves_nothing(small):
    with small.browser() as client:
        broken = http.client.HTTPConnection(small.url.removeprefix("http://"), timeout=30)
        broken.putrequest("POST", "/api/v1/model/imports?format=hulian")
        broken.putheader("x-hulian-csrf", client.headers["x-hulian-csrf"])
        broken.putheader("cookie", f"hulian_session={client.cookies['hulian_session']}")
        broken.putheader("content-length", "10000")
        broken.endheaders(HEAD)
        eventually(lambda: not nothing_left(small), what="the first bytes on the disk")
        broken.close()
        eventually(lambda: nothing_left(small), what="nothing on the disk")


def test_what_nobody_decides_on_is_bounded_and_goes_after_a_day(small):
    with small.browser() as client:
        keys = [read(client, plain(name, "P1"), name=name, format="hulian") for name in ("one", "two")]
        reply = begin(client, plain("three", "P1"), name="three", format="hulian")
        assert (reply.status_code, reply.json()["code"]) == (409, "HL-API-0072")
        assert [one["key"] for one in client.get("/model/imports").json()["waiting"]] == keys[::-1]
        assert client.post(f"/model/imports/{keys[0]}/apply").status_code == 200
        documents = small.call(small.service.context.documents)
        assert documents.waiting.clear(documents.model, running=(), now=time.time_ns() + DAY - 60 * 10**9) == 0
        assert documents.waiting.clear(documents.model, running=(), now=time.time_ns() + DAY) == 1
        assert client.get(f"/model/imports/{keys[1]}").status_code == 404
        assert client.get(f"/model/imports/{keys[0]}").status_code == 200, "what counts stays"


KILLED = """
import sys, time
from pathlib import Path
import anyio
from hulian.network.exchange.semantics.together import Semantics
from hulian.platform.api.configuration import ApiConfiguration
from hulian.platform.api.documents.service import Documents
from hulian.platform.api.jobs import JobBoard
from hulian.registry import Registry

async def main():
    folder = Path(sys.argv[1])
    board = JobBoard(1)
    documents = Documents(Semantics(Registry.open(folder / "registry.db")).model, board, folder, ApiConfiguration())
    upload = folder / "hulian-received-killed" / "file"
    upload.parent.mkdir()
    Path(sys.argv[2]).rename(upload)
    async with anyio.create_task_group() as group:
        await group.start(board.run)
        reading = documents.received(upload, file="killed.hulian.jsonl", name="killed", form="", who="ada")
        job = board.new("model import", "ada")
        job.total = reading.size
        board.start(job, reading.run)
        while not job.nodes and job.state == "running":
            await anyio.sleep(0.01)
        print("reading", flush=True)

anyio.run(main)
"""


def test_a_killed_import_leaves_nothing(tmp_path):
    """What a process was reading when it was killed is no version; its file and its rows go when the next one looks."""
    path = tmp_path / "killed.jsonl"
    path.write_bytes(plain("killed", *(f"P{number}" for number in range(150_000))))
    Registry.open(tmp_path / "registry.db").close()
    with subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path), str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline().strip() == b"reading"
        assert list(tmp_path.glob("hulian-received-*"))
        process.kill()
    registry = Registry.open(tmp_path / "registry.db")
    semantics = Semantics(registry)
    try:
        sweep(tmp_path)  # as the service does when it starts
        documents = Documents(semantics.model, JobBoard(1), tmp_path, ApiConfiguration())
        assert not list(tmp_path.glob("hulian-received-*"))
        assert not list(tmp_path.glob("model-waiting/*"))
        assert documents.shelf() == Shelf(documents=[], waiting=[])
        documents.waiting.clear(semantics.model, running=(), now=time.time_ns() + DAY)
        with registry.read() as connection:
            for table in (tables.version, tables.node, tables.reference):
                assert connection.execute(sa.select(sa.func.count()).select_from(table)).scalar() == 0
        # Killed between the last row and the mark that it waits: found by the mark that it was begun.
        documents.waiting.begin(Mark(name="late", size=len(plain("late")), who="ada", begun=time.time_ns()))
        semantics.model.read(format_named("hulian"), memory_source("late", plain("late")), "late", "ada")
        again = Documents(semantics.model, JobBoard(1), tmp_path, ApiConfiguration())
        assert again.model.history("late") == []
    finally:
        semantics.close()
        registry.close()


def test_who_only_looks_reads_and_changes_nothing(stack):
    with stack.browser() as client:
        key = read(client, plain("rights", "P1"), name="rights", format="hulian")
    with stack.program("read") as viewer:
        assert viewer.get("/model/imports").status_code == 200
        assert viewer.get(f"/model/imports/{key}").status_code == 200
        for reply in (
            begin(viewer, plain("rights", "P1"), name="rights"),
            viewer.post("/model/uploads", content=b"x"),
            viewer.post(f"/model/imports/{key}/apply"),
            viewer.delete(f"/model/imports/{key}"),
            viewer.delete("/model/documents/rights"),
            viewer.delete("/jobs/any"),
        ):
            assert reply.status_code == 403, reply.text
    with stack.program("configure") as engineer:
        assert engineer.post(f"/model/imports/{key}/apply").status_code == 200
    with stack.browser() as client:
        did = [
            entry["details"]["did"]
            for entry in client.get("/audit", params={"limit": 200}).json()["items"]
            if entry["resource"] == "rights" and entry["outcome"] == "done"
        ]
        assert did == ["apply", "read"]
    assert nothing_left(stack)


def sent(client, file, body, **query):
    reply = client.post("/model/uploads", content=body, params={"file": file, **query})
    assert reply.status_code == 201, reply.text
    return reply.json()


AML = """<CAEXFile SchemaVersion="3.0" FileName="{name}" xmlns="http://www.dke.de/CAEX">
  <SourceDocumentInformation OriginName="t" OriginID="t" OriginVersion="1" LastWritingDateTime="2026-01-01T00:00:00Z"/>
  {references}
  {content}
</CAEXFile>"""


def aml(name, *references, content=""):
    said = "".join(f'<ExternalReference Path="{path}" Alias="{alias}"/>' for alias, path in references)
    return AML.format(name=name, references=said, content=content).encode()


ROLES = '<RoleClassLib Name="Roles"><Version>1</Version><RoleClass Name="Pump"/></RoleClassLib>'
PLANT = """<InstanceHierarchy Name="Plant"><Version>1</Version>
  <InternalElement Name="P1" ID="11111111-1111-1111-1111-111111111111">
    <RoleRequirements RefBaseRoleClassPath="R@Roles/Pump"/>
  </InternalElement></InstanceHierarchy>"""


def test_files_that_refer_to_each_other_are_one_document(stack):
    with stack.browser() as client:
        root = sent(client, "site.aml", aml("site.aml", ("R", "libs\\roles.aml"), ("G", "gone.aml"), content=PLANT))
        library = sent(client, "roles.aml", aml("roles.aml", content=ROLES))
        plan = client.post("/model/uploads/plan", json={"uploads": [library["id"], root["id"]]}).json()
        assert [step["file"] for step in plan["steps"]] == ["site.aml"]
        step = plan["steps"][0]
        assert (step["files"], step["missing"]) == ([library["id"]], ["gone.aml"])
        query = {"upload": root["id"], "with": ",".join(step["files"]), "name": "site"}
        job = ended(client, client.post("/model/imports", params=query))
        assert job["state"] == "done", job
        found = client.get(f"/model/imports/{job['version']}").json()
        assert found["requires"] == [{"namespace": "gone.aml", "document": ""}]
        client.post(f"/model/imports/{job['version']}/apply")
        node = next(n for n in stack.semantics.model.content("site").nodes() if n.name == "P1")
        roles = [r.target for r in stack.semantics.model.content("site").references() if r.source == node.id]
        assert any(stack.semantics.model.content("site").node(target) is not None for target in roles), roles
        assert client.post("/model/uploads/plan", json={"uploads": [root["id"]]}).status_code == 404, "it was read"
    assert nothing_left(stack)


def test_files_are_kept_for_whoever_sent_them(stack):
    with stack.browser() as client, stack.program("configure") as program:
        mine = sent(client, "mine.aml", aml("mine.aml", content=ROLES))
        stack.trust.users.add("dora", "four unusual words here", "engineer", by="test")
        with stack.anonymous(Authorization=f"Bearer {stack.token('configure', owner='dora')}") as other:
            assert other.post("/model/uploads/plan", json={"uploads": [mine["id"]]}).status_code == 404
            assert other.delete(f"/model/uploads/{mine['id']}").status_code == 404
        assert program.delete(f"/model/uploads/{mine['id']}").status_code == 204
        broken = client.post("/model/uploads", content=BOMB, params={"file": "bomb.aml"})
        assert (broken.status_code, broken.json()["code"]) == (422, "HL-SEM-0002")
    assert nothing_left(stack)


@pytest.mark.samples("nodesets")
def test_nodesets_are_put_in_the_order_in_which_they_require_each_other(stack, samples):
    names = ("Opc.Ua.Machinery.Examples", "Opc.Ua.Machinery", "Opc.Ua.Di")
    with stack.browser() as client:
        uploads = {}
        for name in names:
            file = f"{name}.NodeSet2.xml"
            uploads[name] = sent(client, file, (samples / "nodesets" / file).read_bytes())["id"]
        asked = {"uploads": list(uploads.values())}
        plan = client.post("/model/uploads/plan", json=asked).json()
        order = [step["upload"] for step in plan["steps"]]
        assert order.index(uploads["Opc.Ua.Di"]) < order.index(uploads["Opc.Ua.Machinery"])
        assert order.index(uploads["Opc.Ua.Machinery"]) < order.index(uploads["Opc.Ua.Machinery.Examples"])
        alone = client.post("/model/uploads/plan", json={"uploads": [uploads["Opc.Ua.Machinery"]]}).json()
        assert "http://opcfoundation.org/UA/DI/" in alone["steps"][0]["missing"]
        job = ended(client, client.post("/model/imports", params={"upload": uploads["Opc.Ua.Di"], "name": "di"}))
        found = client.get(f"/model/imports/{job['version']}").json()
        assert (found["errors"], found["requires"]) == (0, [])
        client.post(f"/model/imports/{job['version']}/apply")
        alone = client.post("/model/uploads/plan", json={"uploads": [uploads["Opc.Ua.Machinery"]]}).json()
        assert alone["steps"][0]["missing"] == []
        assert {"what": "http://opcfoundation.org/UA/DI/", "document": "di", "upload": ""} in alone["steps"][0]["requires"]
        for name in names[:2]:
            assert client.delete(f"/model/uploads/{uploads[name]}").status_code == 204
        client.delete("/model/documents/di")
    assert nothing_left(stack)


SAMPLES = {
    "automationml/AMLSimpleExample.caex3.aml": "aml",
    "automationml/Topology_2021.aml": "aml",
    "nodesets/Opc.Ua.IRDI.NodeSet2.xml": "nodeset",
    "aas/IDTA-02006-3-0-1_DigitalNameplate.aasx": "aas",
    "aas/IDTA-02006-3-0-1_DigitalNameplate.json": "aas",
    "wot/UA.td.jsonld": "td",
}


@pytest.mark.samples("automationml", "nodesets", "aas", "wot")
@pytest.mark.parametrize("file", SAMPLES)
def test_every_format_comes_in_and_goes_out(stack, samples, file):
    path = samples / file
    with stack.browser() as client:
        key = read(client, path.read_bytes(), file=path.name, name=f"sample {path.suffix[1:]}")
        found = client.get(f"/model/imports/{key}").json()
        name = found["version"]["name"]
        assert (found["version"]["format"], found["version"]["file"], found["errors"]) == (SAMPLES[file], path.name, 0)
        assert client.post(f"/model/imports/{key}/apply").status_code == 200
        said = client.get(f"/model/documents/{name}/export/losses").json()
        out = client.get(f"/model/documents/{name}/export")
        assert out.status_code == 200, out.text
        assert len(out.content) == said["bytes"] == int(out.headers["content-length"])
        assert said["lost"] == 0, said
        again = read(client, out.content, file=path.name, name=name)
        assert client.get(f"/model/imports/{again}").json()["differences"]["changed"] == 0
        other = client.get(f"/model/documents/{name}/export/losses", params={"as": "hulian"}).json()
        assert (other["lost"], other["groups"]) == (0, [])
        plain_out = client.get(f"/model/documents/{name}/export", params={"as": "hulian"})
        assert plain_out.content.startswith(b'{"hulian":')
        assert ".hulian.jsonl" in plain_out.headers["content-disposition"]
        client.delete(f"/model/imports/{again}")
        client.delete(f"/model/documents/{name}")


def test_an_instrument_comes_in_and_goes_out_and_another_language_loses_some(stack):
    text = (
        b'<?xml version="1.0"?><Instrument name="Analyser"><Port name="1"><IpAddress>127.0.0.1</IpAddress>'
        b"<Number>5000</Number></Port></Instrument>"
    )
    with stack.browser() as client:
        client.post(f"/model/imports/{read(client, text, file='analyser.iml')}/apply")
        out = client.get("/model/documents/analyser/export")
        assert b"<Device" in out.content
        assert "analyser.iml" in out.headers["content-disposition"]
        said = client.get("/model/documents/analyser/export/losses", params={"as": "td"}).json()
        assert said["lost"] + said["noticed"] == sum(group["count"] for group in said["groups"])
        for path, query, status in (
            ("/model/documents/analyser/export", {"as": "word"}, 400),
            ("/model/documents/nobody/export", {}, 404),
            ("/model/documents/nobody/export/losses", {}, 404),
            ("/model/documents/nobody/versions", {}, 404),
            ("/model/documents/analyser/differences", {"old": 1, "new": 2**50}, 404),
        ):
            assert client.get(path, params=query).status_code == status, path
    assert nothing_left(stack)
