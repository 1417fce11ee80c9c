"""One entry for whatever is scanned or typed, over HTTP and on the command line too; what comes is kept, and asked for once."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import anyio
import httpx
import msgspec
import pytest
from dns_peers import free_port
from foreign_web import Foreign, foreign_web
from identifier_nodes import Hierarchy

from hulian.cli.errors import NothingFoundError
from hulian.cli.resolving import _document, resolve
from hulian.kernel.errors import ConfigurationError
from hulian.network.identifiers.chain.follow import Follow
from hulian.network.identifiers.junction.configuration import DnsConfiguration, JunctionConfiguration
from hulian.network.identifiers.junction.dns.ors import Ors, value_of
from hulian.network.identifiers.junction.errors import ClosedError, GuardError, NoSystemError, SilentError
from hulian.network.identifiers.junction.found import Found, System
from hulian.network.identifiers.junction.junction import Junction
from hulian.network.identifiers.junction.keep import UNDER_WAY, Keep
from hulian.network.identifiers.nodes.configuration import IdentifiersConfiguration, Role
from hulian.network.identifiers.nodes.service import NodeService
from hulian.network.identifiers.schemes.errors import SchemeError
from hulian.network.identifiers.transport.client import Client

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(240)]

DOMAIN = "oid.example"
GTIN = "09506000134352"
BID = "did:bid:efnVUgqQFfYeu97ABf6sGm3WFtVXHZB2"
LINKS = {"linkset": [{"anchor": f"/01/{GTIN}", "https://gs1.org/voc/pip": [{"href": "https://brand.example/p"}]}]}
JSON = {"content-type": "application/linkset+json", "cache-control": "max-age=600"}


@pytest.fixture(scope="module")
def foreign(tmp_path_factory) -> Iterator[Foreign]:
    with foreign_web(tmp_path_factory.mktemp("web")) as made:
        made.pages[f"/01/{GTIN}?linkType=all"] = (200, JSON, json.dumps(LINKS).encode())
        made.pages[f"/01/{GTIN}/21/6789?linkType=all"] = (200, JSON, json.dumps(LINKS).encode())
        made.pages[f"/1.0/identifiers/{BID}"] = (200, JSON, json.dumps({"id": BID}).encode())
        yield made


def settings(foreign: Foreign, dns: int, **more) -> JunctionConfiguration:
    return JunctionConfiguration(
        dns_servers=(f"127.0.0.1:{dns}",),
        dns_domain=DOMAIN,
        hosts=(foreign.host,),
        authorities=str(foreign.root_file),
        gs1=foreign.url,
        did_resolvers=(f"bid={foreign.url}",),
        **more,
    )


class Node:
    """A node that answers for records, serves DNS, and asks others for whoever asks it over HTTP: nothing but its settings."""

    def __init__(self, directory: Path, foreign: Foreign, dns: int, **more) -> None:
        self.nodes = Hierarchy(directory)
        self.store = self.nodes.store("node")
        self.store.home("0.NA")
        self.store.home("88.111.1")
        self.store.create("88.111.1/oid/1.2.156.1", [value_of(Ors("RINF", "https://example.com/rinf"), 1, 600)])
        port = free_port()
        configuration = IdentifiersConfiguration(
            port=port,
            role=Role.PRIVATE,
            prefixes=("88.111.1",),
            rest_port=free_port(),
            rest_tls=False,
            dns=DnsConfiguration(port=dns, zones=(DOMAIN,), domain=DOMAIN),
            junction=settings(foreign, dns, **more),
        )
        from hulian.network.identifiers.nodes.beginning import site_value

        self.root = (site_value("127.0.0.1", port),)
        self.store.create("0.NA/0.NA", self.root)
        self.store.create("0.NA/88.111.1", self.root)
        self.service = NodeService(configuration, self.store, self.root)
        self.junction = Junction(configuration.junction, lambda: Follow(self.root, Client()), Client())


@pytest.fixture
async def node(tmp_path, foreign):
    dns = free_port()
    made = Node(tmp_path, foreign, dns, over_http=("oid", "gs1", "did"))
    foreign.asked.clear()
    async with anyio.create_task_group() as group:
        await group.start(made.service.run)
        with anyio.fail_after(60):
            while not made.service.rest_port:
                assert not made.service.rest_failed
                await anyio.sleep(0.02)
        yield made
        group.cancel_scope.cancel()
    made.nodes.registries[0].close()


async def test_whatever_is_scanned_or_typed_takes_the_way_of_its_scheme(node, foreign):
    resolve = node.junction.resolve
    for text, system, kind in (
        ("88.111.1/oid/1.2.156.1", System.HANDLE, "HULIAN.ORS"),
        ("urn:oid:1.2.156.1", System.OID_DNS, "HULIAN.ORS"),
        ("{iso(1) member-body(2) 156 1}", System.OID_DNS, "HULIAN.ORS"),
        (GTIN, System.GS1_LINK, "GS1.pip"),
        (f"{foreign.url}/01/{GTIN}", System.GS1_LINK, "GS1.pip"),
        (f"https://nobody.example/01/{GTIN}", System.GS1_LINK, "GS1.pip"),
        (f"]d201{GTIN}216789", System.GS1_LINK, "GS1.pip"),
        (BID, System.DID_RESOLVER, "DID.DOCUMENT"),
    ):
        found = await resolve(text)
        assert (found.code, found.system, found.values[0].type) == (1, system, kind), text
        assert found.path
    assert {path for path, _ in foreign.asked} == set(foreign.pages), "the one that may be asked, and no other"
    for text, kind in (
        ("ecode:000016901234567892", NoSystemError),
        ("did:vaa:3wxYHXwAm57grc9JUr2zrPHt9HC", ClosedError),
        ("did:web:localhost", GuardError),
        ("09506000134353", SchemeError),
    ):
        with pytest.raises(kind):
            await resolve(text)
    chosen = await resolve(GTIN, types=("GS1.",))
    assert (chosen.code, len(chosen.values)) == (1, 1)
    assert (await resolve(GTIN, types=("URL",))).code == 200
    missing = await resolve("1.2.156.9")
    assert (missing.code, missing.system) == (100, System.OID_DNS)


async def test_nothing_leaves_an_installation_that_names_nobody():
    closed = Junction(JunctionConfiguration(), None, Client())
    for text in ("1.2.156.1", GTIN, BID, "88.111.1/x", "VAA08810012345678/abc"):
        with pytest.raises(ClosedError):
            await closed.resolve(text)
    with pytest.raises(GuardError):
        await closed.resolve(f"https://id.gs1.org/01/{GTIN}")
    assert not any(map(closed.serves, ("1.2.156.1", GTIN, BID, "10.1045/x")))


async def test_over_http_only_what_was_opened_is_resolved_elsewhere(node, foreign):
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{node.service.rest_port}") as client:
        oid = await client.get("/1.2.156.1", headers={"accept": "application/json"})
        assert (oid.status_code, oid.headers["resolved-by"], oid.json()["handle"]) == (200, "oid-dns", "1.2.156.1")
        assert oid.json()["values"][0]["type"] == "HULIAN.ORS"
        assert 0 < int(oid.headers["cache-control"].removeprefix("max-age=")) <= 600
        linked = await client.get(f"/01/{GTIN}", headers={"accept": "application/linkset+json"})
        assert linked.json()["linkset"][0]["https://gs1.org/voc/pip"][0]["href"] == "https://brand.example/p"
        page = await client.get(f"/{BID}", headers={"accept": "text/html"})
        assert (page.status_code, "DID.DOCUMENT" in page.text) == (200, True)
        missing = await client.get("/1.2.156.9")
        assert (missing.status_code, missing.json()["responseCode"]) == (404, 100)
        before = len(foreign.asked)
        broken = await client.get("/did:web:localhost")
        assert (broken.status_code, broken.json()["code"]) == (502, "HL-ID-0524")
        assert "HL-ID-1204" in broken.json()["message"]
        for address in (f"/https://nobody.example/01/{GTIN}", f"/http://127.0.0.1:{foreign.port}/stem/01/{GTIN}"):
            answer = await client.get(address)
            assert answer.status_code == 200, "by the configured resolver, whose answer is kept"
        for address in (f"/{foreign.url}/x.y", f"/https://localhost:{foreign.port}/AQnYUc1gmg"):
            assert "resolved-by" not in (await client.get(address)).headers
        assert len(foreign.asked) == before, "strangers do not choose who is asked"
        own = await client.get("/88.111.1/oid/1.2.156.1")
        assert (own.status_code, "resolved-by" in own.headers) == (200, False)


async def test_the_command_says_which_system_answered_and_shows_the_path(node, foreign, tmp_path, capsys, monkeypatch):
    chosen = msgspec.to_builtins(settings(foreign, node.service.dns_port))
    lines = ["[node]", f'data = "{tmp_path / "data"}"', "[identifiers.junction]"]
    lines += [f"{key} = {json.dumps(value)}" for key, value in chosen.items()]
    config = tmp_path / "hulian.toml"
    config.write_text("\n".join(lines))
    monkeypatch.setenv("COLUMNS", "200")

    async def hulian(identifier: str, **more) -> str:
        await anyio.to_thread.run_sync(lambda: resolve(identifier, config=config, **more))
        return capsys.readouterr().out

    capsys.readouterr()
    out = await hulian("1.2.156.1", trace=True)
    assert f"Answered by oid-dns at 127.0.0.1:{node.service.dns_port}." in out
    assert "ors-dummy.1.156.2.1.oid.example NAPTR" in out
    with pytest.raises(GuardError) as caught:
        await hulian("did:web:localhost")
    assert "identifiers.junction.hosts" in caught.value.hint
    with pytest.raises(NothingFoundError, match="no ORS record"):
        await hulian("1.2.156.9")
    with pytest.raises(ConfigurationError, match="root data"):
        await hulian("88.111.1/x")
    shown = _document(await node.junction.resolve(GTIN), trace=True)
    assert (shown["system"], shown["values"][0]["type"], shown["path"][0]["of"]) == ("gs1-link", "GS1.pip", foreign.host)


# -- what is kept ------------------------------------------------------------------------------------------------------


class Asked:
    def __init__(self, seconds: float = 60.0, code: int = 1) -> None:
        self.times = 0
        self.found = Found(identifier="x", system=System.OID_DNS, code=code, seconds=seconds)

    async def __call__(self) -> Found:
        self.times += 1
        await anyio.sleep(0)
        return self.found


async def test_answers_live_as_long_as_they_say_within_bounds():
    now = [0.0]
    keep = Keep(clock=lambda: now[0])
    ask = Asked(60)
    assert not (await keep.get("a", ask)).cached
    now[0] = 20.0
    again = await keep.get("a", ask)
    assert (again.cached, again.seconds, ask.times) == (True, 40.0, 1)
    now[0] = 60.0
    assert not (await keep.get("a", ask)).cached
    for one, until in ((Asked(1e9), 86_400), (Asked(1e9, code=100), 300), (Asked(0), 0)):
        key = f"{one.found.code} {one.found.seconds}"
        began = now[0]
        await keep.get(key, one)
        now[0] = began + until - 0.5
        assert (await keep.get(key, one)).cached is (until > 0)
        now[0] = began + until + 0.5
        assert not (await keep.get(key, one)).cached


async def test_a_thousand_askers_are_one_question_and_one_who_goes_away_takes_nobody_with_him():
    keep, gate, asked, answers = Keep(), anyio.Event(), [], []

    async def slow() -> Found:
        asked.append(1)
        await gate.wait()
        return Found(identifier="x", system=System.OID_DNS, code=1, seconds=60)

    async def one() -> None:
        answers.append((await keep.get("a", slow)).code)

    async with anyio.create_task_group() as group:
        with anyio.CancelScope() as first:
            group.start_soon(one)

            async def leaving() -> None:
                with first:
                    await keep.get("b", slow)

            group.start_soon(leaving)
            for _ in range(999):
                group.start_soon(one)
        await anyio.wait_all_tasks_blocked()
        assert len(asked) == 2
        group.start_soon(lambda: keep.get("b", slow))
        await anyio.wait_all_tasks_blocked()
        first.cancel()
        await anyio.wait_all_tasks_blocked()
        assert len(asked) == 3, "the next one asks"
        gate.set()
    assert answers == [1] * 1000


async def test_questions_under_way_and_what_is_kept_are_bounded():
    gate, keep = anyio.Event(), Keep(entries=10, most_bytes=20_000)

    async def slow() -> Found:
        await gate.wait()
        return Found(identifier="x", system=System.OID_DNS, code=1, seconds=60)

    async with anyio.create_task_group() as group:
        for number in range(UNDER_WAY):
            group.start_soon(keep.get, str(number), slow)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(SilentError, match="under way"):
            await keep.get("more", slow)
        gate.set()
    assert len(keep) == 10
    large = Asked()
    large.found = msgspec.structs.replace(large.found, message="x" * 30_000)
    await keep.get("large", large)
    assert len(keep) == 10, "what is larger than all room is not kept"

    async def fails() -> Found:
        raise SilentError("no")

    for _ in range(2):
        with pytest.raises(SilentError):
            await keep.get("broken", fails)
    assert len(keep) == 10


async def test_a_dns_face_that_cannot_begin_says_why(tmp_path, foreign):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        made = Node(tmp_path, foreign, taken.getsockname()[1])
        with pytest.raises(BaseExceptionGroup) as caught:
            await made.service.run()
        assert "HL-ID-0500" in str(caught.value.exceptions[0])
    made.nodes.registries[0].close()
