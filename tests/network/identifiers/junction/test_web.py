"""What is fetched from foreign hosts: links of GS1 keys and DID documents; and what is never fetched, whatever a name says."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
from foreign_web import Foreign, foreign_web
from hypothesis import given, settings
from hypothesis import strategies as st
from identifier_nodes import hierarchy, text
from rest_nodes import face

from hulian.kernel.errors import ConfigurationError
from hulian.network.identifiers.junction.errors import (
    ClosedError,
    ForeignAnswerError,
    ForeignSizeError,
    GuardError,
    JunctionError,
    SilentError,
)
from hulian.network.identifiers.junction.web import fetch
from hulian.network.identifiers.junction.web.did import Dids, resolver_of
from hulian.network.identifiers.junction.web.digital_link import DigitalLinks
from hulian.network.identifiers.junction.web.fetch import Fetcher, Host
from hulian.network.identifiers.junction.web.linkset import links_in
from hulian.network.identifiers.schemes import recognise
from hulian.network.identifiers.schemes.did import Did

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]

CODE = recognise("(01)09506000134352(10)ABC")
PATH = "/01/09506000134352/10/ABC?linkType=all"
LINKSET = {
    "linkset": [
        {
            "anchor": "https://id.gs1.org/01/09506000134352",
            "itemDescription": "Risotto rice with mushrooms",
            "https://gs1.org/voc/defaultLink": [{"href": "https://brand.example/rice", "title": "Product page"}],
            "https://gs1.org/voc/pip": [
                {"href": "https://brand.example/rice?l=en", "title": "Product", "hreflang": ["en"], "type": "text/html"},
                {"href": "/relative", "title": "Produkt", "hreflang": ["de"]},
            ],
            "https://ref.gs1.org/voc/traceability": [{"href": "ftp://brand.example/x"}],
            "related": [{"href": "https://brand.example/other"}],
        }
    ]
}
KEPT = {"content-type": "application/linkset+json; charset=utf-8", "cache-control": "public, max-age=1200"}


@pytest.fixture(scope="module")
def foreign(tmp_path_factory) -> Iterator[Foreign]:
    with foreign_web(tmp_path_factory.mktemp("web")) as made:
        yield made


@pytest.fixture
def fetcher(foreign) -> Fetcher:
    foreign.pages.clear()
    foreign.asked.clear()
    return Fetcher([Host.parse(foreign.host)], authorities=str(foreign.root_file))


def page(body, status: int = 200, **headers: str):
    return status, {**KEPT, **{name.replace("_", "-"): value for name, value in headers.items()}}, json.dumps(body).encode()


def kinds(found) -> list[tuple[str, dict]]:
    return [(value.type, json.loads(value.data)) for value in found.values]


async def test_the_links_of_a_key_come_from_the_resolver_that_the_link_names(foreign, fetcher):
    foreign.pages[PATH] = page(LINKSET)
    found = await DigitalLinks(fetcher).resolve(CODE, foreign.url)
    assert (found.code, found.system, found.identifier, found.seconds) == (1, "gs1-link", "(01)09506000134352(10)ABC", 1200)
    assert kinds(found) == [
        ("GS1.defaultLink", {"href": "https://brand.example/rice", "title": "Product page"}),
        (
            "GS1.pip",
            {"href": "https://brand.example/rice?l=en", "title": "Product", "hreflang": ["en"], "type": "text/html"},
        ),
        ("GS1.pip", {"href": f"{foreign.url}/relative", "title": "Produkt", "hreflang": ["de"]}),
        ("HULIAN.LINK", {"rel": "related", "href": "https://brand.example/other"}),
    ], "what is no address of the web is left out"
    assert [(step.of, step.answer) for step in found.path] == [(foreign.host, "200")]
    [(asked, headers)] = foreign.asked
    assert asked == PATH
    assert headers["accept"].startswith("application/linkset+json")
    assert not {"cookie", "authorization", "referer"} & headers.keys()


async def test_our_own_resolver_is_understood(tmp_path):
    async with hierarchy(tmp_path) as plant:
        links = [text("GS1.pip", json.dumps({"href": "https://example.com/p", "title": "Product", "hreflang": ["zh"]}), 1)]
        plant.stores["enterprise"].create("88.111.1/01/09506000134352", links)
        async with face(plant, tmp_path, gs1_prefix="88.111.1") as made:
            own = Fetcher([Host.parse(f"127.0.0.1:{made.port}")], authorities=str(made.root))
            found = await DigitalLinks(own, made.url).resolve(CODE)
            assert kinds(found)[-1] == (
                "GS1.pip",
                {"href": "https://example.com/p", "title": "Product", "hreflang": ["zh"]},
            )
            missing = await DigitalLinks(own, made.url).resolve(recognise("(01)00614141123452"))
            assert (missing.code, missing.values, 0 <= missing.seconds <= 300) == (100, (), True)


async def test_redirections_are_followed_as_far_as_hosts_may_be_asked(foreign, fetcher):
    links = DigitalLinks(fetcher, foreign.url)
    foreign.pages[PATH] = (307, {"location": "/moved"}, b"")
    foreign.pages["/moved"] = page(LINKSET)
    found = await links.resolve(CODE)
    assert [step.answer for step in found.path] == ["307, go to /moved", "200"]
    foreign.pages["/moved"] = (302, {"location": PATH}, b"")
    with pytest.raises(ForeignSizeError, match="redirections"):
        await links.resolve(CODE)
    assert len(foreign.asked) == 2 + fetch.MOST_REDIRECTIONS + 1
    for further in (
        "http://localhost:1/x",
        "https://127.0.0.1/x",
        "https://other.example/",
        "file:///etc/passwd",
        "//[::1]/",
        "https://[x/",
        "http://[::1",
    ):
        foreign.pages["/moved"] = (307, {"location": further}, b"")
        foreign.asked.clear()
        with pytest.raises(GuardError):
            await links.resolve(CODE)
        assert [path for path, _ in foreign.asked] == [PATH, "/moved"]


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ((500, KEPT, b""), SilentError),
        ((429, KEPT, b""), SilentError),
        ((400, KEPT, b"{}"), ForeignAnswerError),
        ((200, {"content-type": "text/html"}, b"<html>"), ForeignAnswerError),
        ((200, KEPT, b"{"), ForeignAnswerError),
        ((200, KEPT, b'{"linkset": 7}'), ForeignAnswerError),
        ((200, KEPT, b"[" * 200_000), ForeignAnswerError),
        ((200, KEPT, b'{"linkset": [{"anchor": "https://id.gs1.org/01/00614141123452"}]}'), ForeignAnswerError),
        ((200, KEPT, b'{"linkset": [{"anchor": "https://id.gs1.org/01/09506000134352/10/XYZ"}]}'), ForeignAnswerError),
        ((200, KEPT, b'{"linkset": [{"related": [{"title": "no href"}]}]}'), ForeignAnswerError),
        ((200, {**KEPT, "content-encoding": "gzip"}, b"\x1f\x8b" + b"\0" * 20), ForeignAnswerError),
        ((200, KEPT, b" " * (fetch.MOST_BYTES + 1)), ForeignSizeError),
        ((200, KEPT, json.dumps({"linkset": [{"related": [{"href": "https://x.example"}] * 501}]}).encode()), ForeignSizeError),
    ],
)
async def test_what_is_no_sound_linkset_is_a_named_error(foreign, fetcher, reply, kind):
    foreign.pages[PATH] = reply
    with pytest.raises(kind) as caught:
        await DigitalLinks(fetcher, foreign.url).resolve(CODE)
    assert foreign.host in str(caught.value)


async def test_a_server_that_drips_or_hangs_or_has_another_certificate_ends_in_time(foreign, fetcher, monkeypatch):
    links = DigitalLinks(fetcher, foreign.url)
    monkeypatch.setattr(fetch, "SECONDS", 0.5)

    def drip(handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(b" ")
                time.sleep(0.05)
        except OSError:
            return

    foreign.pages[PATH] = drip
    with pytest.raises(SilentError, match="within"):
        await links.resolve(CODE)
    foreign.pages[PATH] = lambda handler: handler.wfile.write(b"SSH-2.0-x\r\n\r\n")
    with pytest.raises((ForeignAnswerError, SilentError)):
        await links.resolve(CODE)
    foreign.pages[PATH] = page(LINKSET)
    with pytest.raises(SilentError, match="certificate"):
        await DigitalLinks(Fetcher([Host.parse(foreign.host)]), foreign.url).resolve(CODE)
    with pytest.raises(SilentError, match=r"address|connect"):
        await DigitalLinks(Fetcher([Host.parse("localhost:1")]), "https://localhost:1").resolve(CODE)


@pytest.mark.parametrize(
    "url",
    [
        "http://id.example/x",
        "https://127.0.0.1/x",
        "https://127.1/x",
        "https://2130706433/x",
        "https://0.0.0.0/x",
        "https://[::1]/x",
        "https://[::ffff:127.0.0.1]/x",
        "https://[64:ff9b::7f00:1]/x",
        "https://[2002:7f00:1::]/x",
        "https://10.0.0.1/x",
        "https://169.254.169.254/latest",
        "https://[fe80::1]/x",
        "https://[fc00::1]/x",
        "https://224.0.0.1/x",
        "https://localhost/x",
        "https://user@localhost/x",
        "https://id.example:8443/x",
        "https://id.example/a b",
        "https://id.example\\@localhost/",
        "ftp://id.example/x",
        "https://[x/",
        "https://id.example:99999/",
    ],
)
async def test_no_address_inside_is_asked_even_where_all_public_ones_may_be(url):
    with pytest.raises(GuardError):
        await Fetcher(public=True).get(url, "*/*", [])
    with pytest.raises(GuardError):
        await Fetcher().get(url, "*/*", [])


async def test_a_host_is_named_exactly(foreign):
    named = Fetcher([Host.parse("ID.example"), Host.parse("http://plain.example:8080")])
    assert named.permits("https://id.EXAMPLE:443/x")
    assert named.permits("http://plain.example:8080/x")
    for other in ("https://id.example:444/", "http://id.example/", "https://plain.example:8080/", "https://a.id.example/"):
        assert not named.permits(other)
    for wrong in ("ftp://x", "a b", "x/y", "x:99999999", ""):
        with pytest.raises((ConfigurationError, GuardError)):
            Host.parse(wrong)


# -- DIDs --------------------------------------------------------------------------------------------------------------

BID = "did:bid:efnVUgqQFfYeu97ABf6sGm3WFtVXHZB2"


def document(name: str) -> dict:
    return {
        "@context": ["https://www.w3.org/ns/did/v1"],
        "id": name,
        "verificationMethod": [{"id": f"{name}#key-1", "type": "Ed25519", "controller": name}],
        "service": [{"id": f"{name}#data", "type": "Data", "serviceEndpoint": "https://example.com/data"}, "odd"],
        "alsoKnownAs": ["https://example.com/me"],
    }


def result(name: str, error: str = "", **about):
    return {
        "didDocument": None if error else document(name),
        "didResolutionMetadata": {"error": error} if error else {"contentType": "application/did+json"},
        "didDocumentMetadata": about,
    }


async def test_a_did_web_is_the_document_at_its_host(foreign, fetcher):
    name = f"did:web:localhost%3A{foreign.port}:user:alice"
    foreign.pages["/user/alice/did.json"] = page(document(name), content_type="application/did+json")
    found = await Dids(fetcher, {}).resolve(Did.parse(f"{name}?service=data#x"))
    assert (found.code, found.system, found.identifier, found.seconds) == (1, "did-web", name, 1200)
    assert [(value.index, value.type) for value in found.values] == [
        (1, "DID.DOCUMENT"),
        (100, "DID.SERVICE"),
        (300, "DID.KEY"),
        (500, "DID.ALIAS"),
    ]
    assert json.loads(found.values[0].data) == document(name)
    assert found.values[3].data == b"https://example.com/me"
    bare = f"did:web:localhost%3A{foreign.port}"
    foreign.pages["/.well-known/did.json"] = page(document(name))
    with pytest.raises(ForeignAnswerError, match="came for"):
        await Dids(fetcher, {}).resolve(Did.parse(bare))
    assert (await Dids(fetcher, {}).resolve(Did.parse(f"{bare}:nobody"))).code == 100
    with pytest.raises(GuardError):
        await Dids(fetcher, {}).resolve(Did.parse("did:web:localhost"))


async def test_the_other_methods_are_asked_of_their_resolvers(foreign, fetcher):
    dids = Dids(fetcher, dict([resolver_of(f"bid={foreign.url}/universal/"), resolver_of(f"cn={foreign.url}")]))
    at = f"/universal/1.0/identifiers/{BID}"
    foreign.pages[at] = page(result(BID), content_type="application/ld+json")
    found = await dids.resolve(Did.parse(BID))
    assert (found.code, found.system, len(found.values)) == (1, "did-resolver", 4)
    assert (foreign.asked[0][0], "did-resolution" in foreign.asked[0][1]["accept"]) == (at, True)
    national = "did:cn:88.100.1"
    foreign.pages[f"/1.0/identifiers/{national}"] = page(document(national))
    assert (await dids.resolve(Did.parse(national))).done, "a bare document"
    with pytest.raises(ClosedError, match="did:vaa"):
        await dids.resolve(Did.parse("did:vaa:3wxYHXwAm57grc9JUr2zrPHt9HC"))
    problem = {"type": "https://www.w3.org/ns/did#NOT_FOUND", "title": "no"}
    for reply, says in (
        (page(result(BID, "notFound"), 404), "not registered"),
        (page(result(BID, "notFound")), "not registered"),
        (page({**result(BID), "didResolutionMetadata": {"error": problem}}, 404), "not registered"),
        (page(result(BID, deactivated=True), 410), "not registered"),
        (page(result(BID, deactivated=True)), "deactivated"),
    ):
        foreign.pages[at] = reply
        gone = await dids.resolve(Did.parse(BID))
        assert (gone.code, gone.values, says in gone.message) == (100, (), True)
    for reply in (
        page(result(BID, "invalidDid"), 400),
        page(result("did:bid:other")),
        page([1]),
        (200, KEPT, b"\xff"),
        (302, {}, b""),
    ):
        foreign.pages[at] = reply
        with pytest.raises(ForeignAnswerError):
            await dids.resolve(Did.parse(BID))


@pytest.mark.parametrize("wrong", ["bid", "web=https://x", "key=https://x", "bid=ftp://x", "bid=x"])
def test_resolvers_are_written_as_method_and_address(wrong):
    with pytest.raises(ConfigurationError):
        resolver_of(wrong)


@pytest.mark.fuzz
@settings(max_examples=10)
@given(
    st.recursive(
        st.none() | st.text(max_size=20) | st.integers(),
        lambda one: (
            st.lists(one, max_size=4)
            | st.dictionaries(st.sampled_from(["linkset", "anchor", "href", "https://gs1.org/voc/pip", "x"]), one, max_size=4)
        ),
    )
)
def test_any_json_is_a_linkset_or_a_named_error(data):
    for body in (json.dumps(data).encode(), json.dumps({"linkset": data}).encode(), json.dumps({"linkset": [data]}).encode()):
        try:
            links_in(body, "https://id.example/x", CODE, 60)
        except JunctionError:
            continue
