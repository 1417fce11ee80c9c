"""``GET /{identifier}``: what people and programs are shown, and the list of what a GS1 conformant resolver does."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from identifier_nodes import text
from rest_nodes import face

from hulian.network.identifiers.schemes.gs1.link import parse_link
from hulian.network.identifiers.transport.rest.resolver.links import header, links_of
from hulian.network.identifiers.transport.rest.resolver.negotiation import best_language, best_type

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]
GTIN = "/01/09506000134352"
PIP = "https://example.com/product"


@pytest.fixture
async def served(plant, tmp_path):
    store = plant.stores["enterprise"]
    store.create(
        f"88.111.1{GTIN}",
        [
            text("GS1.pip", json.dumps({"href": PIP, "title": "Product", "hreflang": "en", "type": "text/html"}), 1),
            text("GS1.pip", json.dumps({"href": f"{PIP}/zh?a=b#top", "title": "产品", "hreflang": ["zh"]}), 2),
            text("GS1.defaultLink", PIP, 3),
            text("GS1.traceability", "https://example.com/逆/trace", 4),
            text("GS1.instructions", "javascript:alert(1)", 5),
            text("GS1.hasRetailers", "https://example.com/\r\nX-Evil: 1", 6),
            text("SECRET", "hidden", 7, permissions=12),
        ],
    )
    store.create(f"88.111.1{GTIN}/10/LOT1", [text("URL", "https://example.com/lot1", 1)])
    store.create("88.111.1/00/106141412345678908", [text("DESC", "a pallet", 1)])
    store.create(
        "88.111.1/<b>odd</b>",
        [text("URL", 'https://example.com/"><script>alert(1)</script>', 1), text("DESC", "<i>泵</i>\n&", 2)],
    )
    async with face(plant, tmp_path, gs1_prefix="88.111.1") as made:
        yield made


def linked(answer) -> list[str]:
    return re.findall(r"<([^>]*)>", answer.headers["link"])


async def test_a_gs1_key_leads_to_its_default_link(served):
    async with served.client() as client:
        for path in (GTIN, f"{GTIN}/", "/gtin/9506000134352", f"/some/stem{GTIN}", f"{GTIN}/21/XYZ"):
            answer = await client.get(path)
            assert (answer.status_code, answer.headers["location"]) == (307, PIP), path
            assert answer.headers["access-control-allow-origin"] == "*"
        head = await client.head(GTIN)
        assert (head.status_code, head.headers["location"], head.content) == (307, PIP, b"")
        assert (await client.options(GTIN)).status_code == 204
        found = linked(answer)
        assert found[0].endswith("?linkType=all")
        assert PIP in found
        assert "https://example.com/%E9%80%86/trace" in found
        assert not any("javascript" in one or "\r" in one for one in found)
        assert 'rel="linkset"; type="application/linkset+json"' in answer.headers["link"]
        assert (await client.get(f"{GTIN}/10/LOT1")).headers["location"] == "https://example.com/lot1"
        assert (await client.get(f"{GTIN}/10/LOT2")).headers["location"] == PIP
        on = await client.get(f"{GTIN}?17=251231&who=a%20b")
        assert on.headers["location"] == f"{PIP}?17=251231&who=a%20b"


async def test_links_are_chosen_by_type_and_language(served):
    async with served.client() as client:
        for name in ("gs1:pip", "pip", "https://gs1.org/voc/pip"):
            assert (await client.get(GTIN, params={"linkType": name})).headers["location"] == PIP
        chinese = await client.get(f"{GTIN}?linkType=gs1:pip&x=1", headers={"Accept-Language": "zh-CN,en;q=0.5"})
        assert chinese.headers["location"] == f"{PIP}/zh?a=b&x=1#top"
        missing = await client.get(f"{GTIN}?linkType=gs1:recipeInfo")
        assert missing.status_code == 404, "never 200 for an error"


async def test_all_links_are_a_linkset(served):
    async with served.client() as client:
        for answer in (
            await client.get(f"{GTIN}?linkType=all"),
            await client.get(f"{GTIN}?linkType=linkset"),
            await client.get(GTIN, headers={"Accept": "application/linkset+json"}),
        ):
            assert answer.status_code == 200
            assert answer.headers["content-type"] == "application/linkset+json"
            (found,) = answer.json()["linkset"]
            assert found["anchor"] == f"https://id.gs1.org{GTIN}"
            assert len(found["https://gs1.org/voc/defaultLink"]) == 1
            assert [one["hreflang"] for one in found["https://gs1.org/voc/pip"]] == [["en"], ["zh"]]
            assert all(one["title"] for name, several in found.items() if name.startswith("http") for one in several)
            assert "hidden" not in answer.text
            assert "javascript" not in answer.text
        page = await client.get(f"{GTIN}?linkType=all", headers={"Accept": "text/html"})
        assert page.headers["content-type"].startswith("text/html")


async def test_bad_syntax_is_400_and_compressed_links_are_read(served):
    async with served.client() as client:
        for path in ("/01/09506000134353", "/01/123", f"{GTIN}/99999/x", f"{GTIN}/10", f"{GTIN}?17=991399", "/AAAAAAAA"):
            answer = await client.get(path)
            assert (answer.status_code, answer.json()["code"]) == (400, "HL-ID-0521"), path
            assert answer.json()["hint"] is not None
        assert (await client.get("/01/09506000134369")).status_code == 404
        assert (await client.get("/favicon.ico")).status_code in (400, 404)
        assert (await client.get("/")).status_code == 404
        link = parse_link(f"https://example.com{GTIN}/10/LOT1")
        for way in ("fully", "partly"):
            packed = link.to_url(way).removeprefix("https://example.com")
            assert (await client.get(packed)).headers["location"] == "https://example.com/lot1"
        pallet = await client.get("/00/106141412345678908")
        assert (pallet.status_code, pallet.json()["values"][0]["data"]["value"]) == (200, "a pallet"), "a record without links"


async def test_the_resolver_describes_itself(served):
    async with served.client() as client:
        answer = await client.get("/.well-known/gs1resolver")
        assert answer.status_code == 200
        assert answer.json()["resolverRoot"] == served.url
        assert "01" in answer.json()["supportedPrimaryKeys"]
        assert (await client.get("/.well-known/gs1resolver", headers={"Host": "a b"})).status_code == 400


async def test_a_handle_is_shown_as_it_is_liked(served):
    async with served.client() as client:
        plain = await client.get("/88.111.1/ITEM7")
        assert [one["index"] for one in plain.json()["values"]] == [1], "what everybody may read"
        assert (await client.get("/88.111.1/item7/")).status_code == 200
        links = await client.get("/88.111.1/ITEM7", headers={"Accept": "application/linkset+json"})
        assert links.json()["linkset"][0]["item"][0]["href"] == "https://example.com/item/7"
        for language, word in (("en", "Index"), ("zh-CN,zh;q=0.9", "索引"), ("fr", "Index")):
            page = await client.get("/88.111.1/ITEM7", headers={"Accept": "text/html", "Accept-Language": language})
            assert word in page.text
            assert page.headers["content-language"] == language[:2].replace("fr", "en")
            policy = page.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
        gone = await client.get("/88.111.1/nothing", headers={"Accept": "text/html", "Accept-Language": "zh"})
        assert gone.status_code == 404
        assert "没有该标识" in gone.text
        assert (await client.get("/88.111.1/nothing")).status_code == 404
        assert (await client.get("/88.111.9/x")).status_code == 400
        assert (await client.put("/88.111.1/ITEM7")).status_code == 405


async def test_a_page_shows_markup_as_text(served):
    async with served.client() as client:
        page = await client.get("/88.111.1/%3Cb%3Eodd%3C%2Fb%3E", headers={"Accept": "text/html"})
        assert page.status_code == 200
        assert "<script>" not in page.text
        assert "<b>odd" not in page.text
        assert "<i>" not in page.text
        assert "&lt;i&gt;泵&lt;/i&gt;" in page.text
        hostile = await client.get("/88.111.1/%3Cscript%3E", headers={"Accept": "text/html"})
        assert hostile.status_code == 404
        assert "<script>" not in hostile.text


async def test_without_a_prefix_for_them_gs1_keys_are_nothing_here(plant, tmp_path):
    async with face(plant, tmp_path) as served, served.client() as client:
        assert (await client.get("/.well-known/gs1resolver")).status_code == 404
        assert (await client.get(GTIN)).status_code in (400, 404)


@pytest.mark.fuzz
@settings(max_examples=30, deadline=None)
@given(st.text(max_size=60), st.binary(max_size=80), st.sampled_from(["URL", "GS1.pip", "GS1.", "gs1.x y"]))
def test_hostile_headers_and_links_are_read_as_nothing_worse(accept, data, kind):
    assert best_type(accept, ["a/b", "c/d"]) in ("a/b", "c/d", "")
    assert best_language(accept, ["en", "zh"]) in ("en", "zh")
    for given_data in (data, b'{"href":' + data + b"}", b"https://example.com/" + data):
        _, value = header(
            links_of([text(kind, given_data)]), "https://example.com/" + accept.encode("ascii", "ignore").decode()
        )
        value.encode("ascii")
        assert "\r" not in value
        assert "\n" not in value
