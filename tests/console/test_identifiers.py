"""The pages of identifiers in a real Chromium: resolved, scanned, printed, kept in records, and the nodes that answer.

Labels are made by our own printing and seen by the browser: as pictures, and through a camera that plays a film of one.
"""

from __future__ import annotations

import io
import re
import time
from collections.abc import Iterator

import httpx
import pypdfium2
import pytest
from filmed import camera_flags, film, label
from free_ports import free_port
from PIL import Image
from playwright.sync_api import Page, expect
from running import RunningPlatform

from hulian.network.identifiers.carriers.symbols.read import read_image
from hulian.network.identifiers.carriers.symbols.symbology import Kind

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

PUMP = "99.118.8/pump-17"
FILMED = "99.118.8/filmed-4"
ORIGINS = "https://pumps.example/17"
TYPED_BY_A_GUN = """text => {
    for (const key of [...text, "Enter"])
        document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
}"""
"""All keys in one go, as quick as a gun on any machine: how quick the keys of the browser's driver come depends on its load."""

PORTS = "navigator.serial.getPorts().then(ports => ports.length, error => error.name)"

PAGES = ("", "/scan", "/labels", "/records", "/nodes")


@pytest.fixture(scope="module")
def flags(tmp_path_factory) -> list[str]:
    """The camera sees a label on a grey table."""
    return camera_flags(film(tmp_path_factory.mktemp("film"), FILMED, Kind.DATA_MATRIX))


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    """A platform whose node answers for its own prefix, and for GS1 keys below it."""
    with RunningPlatform(tmp_path_factory.mktemp("platform"), free_port, identifiers=True) as running:
        yield running


@pytest.fixture(scope="module")
def api(platform):
    """The API for a program that may do everything, and a pump that is registered over it."""
    with httpx.Client(
        base_url=f"{platform.url}/api/v1", headers={"Authorization": f"Bearer {platform.token()}"}, timeout=30
    ) as client:
        deadline = time.monotonic() + 60
        while client.get("/identifiers/nodes").status_code != 200:  # the resolver starts last, and nobody waits for it
            assert time.monotonic() < deadline
            time.sleep(0.2)
        values = [
            {"index": 1, "type": "URL", "data": ORIGINS},
            {"index": 2, "type": "DESC", "data": "pump of the cooling circuit"},
            {"index": 3, "type": "NOTE", "data": "bearing replaced", "permissions": "1100"},
        ]
        reply = client.post("/identifiers/records", json={"handle": PUMP, "values": values})
        assert reply.status_code == 201, reply.text
        yield client


@pytest.fixture(scope="module")
def administrator(visiting, platform):
    """One login for all tests of this module."""
    visit = visiting()
    visit.login(platform.user, platform.password)
    yield visit
    visit.context.close()


@pytest.fixture
def page(administrator) -> Iterator[Page]:
    """The administrator's page, on the overview."""
    administrator.page.goto("/")
    yield administrator.page
    assert administrator.errors == []


@pytest.fixture
def phone(administrator, visiting) -> Iterator[Page]:
    """The same login on a telephone of 360 pixels."""
    telephone = {"viewport": {"width": 360, "height": 760}, "device_scale_factor": 2, "has_touch": True, "is_mobile": True}
    visit = visiting(**telephone, storage_state=administrator.context.storage_state())
    yield visit.page
    visit.context.close()
    assert visit.errors == []


def resolved(page: Page, name: str = PUMP) -> None:
    card = page.locator(".record")
    expect(card).to_have_attribute("data-outcome", "found")
    expect(card.locator(".name")).to_contain_text(name)
    expect(card).to_contain_text("pump of the cooling circuit")


def test_who_may_only_read_sees_what_is_public_and_changes_nothing(api, platform):
    issued = api.post("/tokens", json={"label": "reader", "scopes": ["read"]}).json()
    with httpx.Client(base_url=api.base_url, headers={"Authorization": f"Bearer {issued['secret']}"}, timeout=30) as reader:
        shown = reader.get("/identifiers/records/99~2E118~2E8~2Fpump-17").json()
        assert (shown["whole"], [one["type"] for one in shown["values"]]) == (False, ["URL", "DESC"])
        whole = api.get("/identifiers/records/99~2E118~2E8~2Fpump-17").json()
        assert (whole["whole"], [one["type"] for one in whole["values"]]) == (True, ["URL", "DESC", "NOTE"])
        found = reader.get("/identifiers/resolve", params={"text": PUMP}).json()
        assert "bearing" not in str(found)
        for method in ("PATCH", "DELETE"):
            body = {"put": []} if method == "PATCH" else None
            refused = reader.request(method, "/identifiers/records/99~2E118~2E8~2Fpump-17", json=body)
            assert (refused.status_code, refused.json()["code"]) == (403, "HL-TRUST-0002")
        wrong = reader.get("/identifiers/resolve", params={"text": "9506000134353"})
        assert (wrong.status_code, wrong.json()["code"]) == (400, "HL-ID-0103")
        asked = [reader.get("/identifiers/nodes").status_code for _ in range(40)]
        assert 429 in asked, "one person's probes have a pace"


def test_a_name_is_resolved_with_its_path_and_remembered(page, api):
    page.get_by_role("link", name="Identifiers").click()
    field = page.get_by_role("searchbox", name="Identifier")
    expect(field).to_be_focused()
    field.fill(PUMP)
    field.press("Enter")
    resolved(page)
    expect(page.get_by_role("link", name="Open the page")).to_have_attribute("href", ORIGINS)
    way = page.get_by_role("region", name="The way there")
    way.get_by_role("button", name="From the root").click()
    expect(way.locator(".hop")).to_have_count(3)
    expect(way.locator(".hop.answer")).to_contain_text(PUMP)
    expect(way.locator(".hop.root")).to_contain_text("0.NA/99.118.8")
    field.fill("99.118.8/nowhere")
    field.press("Enter")
    expect(page.locator(".record")).to_contain_text("Nobody has registered this identifier.")
    field.fill("9506000134353")
    field.press("Enter")
    expect(page.get_by_role("alert").locator("code")).to_have_text("HL-ID-0103")
    page.get_by_role("region", name="Last ones").get_by_role("button", name=PUMP).click()
    resolved(page)


def test_codes_are_read_from_pictures_from_a_gun_and_by_the_camera(page, api, tmp_path):
    policies: dict[str, str] = {}
    page.on(
        "response",
        lambda answer: policies.update({answer.url.rsplit("/", 1)[1]: answer.headers.get("content-security-policy", "")}),
    )
    page.goto("/identifiers")
    page.get_by_role("link", name="Scan", exact=True).first.click()
    name = page.locator(".record .name")
    for kind in (Kind.QR, Kind.DATA_MATRIX, Kind.CODE_128):
        page.get_by_label("From a picture").set_input_files(label(tmp_path, f"99.118.8/as-{kind.value}", kind))
        expect(name).to_have_text(f"99.118.8/as-{kind.value}")
    gtin = label(tmp_path, "(01)09506000134352(10)ABC", Kind.DATA_MATRIX)
    page.get_by_label("From a picture").set_input_files(gtin)
    expect(name).to_contain_text("(01)09506000134352(10)ABC")
    nothing = io.BytesIO()
    Image.new("L", (80, 80), 255).save(nothing, "PNG")
    picture = {"name": "a.png", "mimeType": "image/png", "buffer": nothing.getvalue()}
    page.get_by_label("From a picture").set_input_files(picture)
    expect(page.get_by_text("No code was found")).to_be_visible()
    page.locator("h1").click()
    page.evaluate(TYPED_BY_A_GUN, PUMP)
    resolved(page)
    page.get_by_role("button", name="Scan again").click()
    expect(name).to_have_text(FILMED)
    expect(page.get_by_role("button", name="Scan again")).to_be_visible()
    decoder = next(policy for name, policy in policies.items() if name.startswith("decoder."))
    others = [policy for name, policy in policies.items() if not name.startswith("decoder.")]
    assert "'wasm-unsafe-eval'" in decoder
    assert others
    assert not any("unsafe" in policy for policy in others), "only the reader's worker may compile"


def test_serial_ports_are_for_the_scan_page_and_are_asked_for_by_its_button(page):
    """A port itself cannot be had without a person who chooses one, and a machine that has one: how the bytes of a port become
    codes is tested in ``console/src/identifiers/gun.test.ts``."""
    page.goto("/identifiers/scan")
    offer = page.get_by_role("button", name="Scan gun on a serial port")
    if not page.evaluate("'serial' in navigator"):
        expect(offer).to_have_count(0)
        pytest.skip("this browser has no Web Serial: the page offers none")
    assert isinstance(page.evaluate(PORTS), int)
    with page.expect_event("console", predicate=lambda message: message.text == "asked for a port"):
        page.evaluate(
            """() => {
                const request = navigator.serial.requestPort.bind(navigator.serial);
                navigator.serial.requestPort = options => {
                    console.log("asked for a port");
                    return request(options);
                };
            }"""
        )
        offer.click()
    # The browser's own dialogue is open now, or (without a screen) was closed: nothing was chosen, and that is no error.
    expect(offer).to_be_enabled()
    expect(page.get_by_role("alert")).to_have_count(0)
    page.goto("/identifiers/records")
    assert page.evaluate(PORTS) == "SecurityError", "the policy of every other page refuses them"


def test_labels_are_seen_before_they_are_saved_and_hold_what_they_name(page, api, tmp_path):
    page.goto("/identifiers/labels")
    page.get_by_label("Identifiers, one a line").fill(f"{PUMP}\t泵房 2\n99.118.8/pump-18\n99.118.8/pump-19")
    page.get_by_role("combobox", name="Symbol").select_option("datamatrix")
    preview = page.get_by_role("region", name="Preview")
    expect(preview.get_by_role("img")).to_be_visible()
    expect(preview).to_contain_text("1 of 3")
    preview.get_by_role("button", name="Next page").click()
    expect(preview).to_contain_text("2 of 3")
    page.get_by_role("combobox", name="Paper").select_option("a4x24")
    expect(preview).not_to_contain_text("of 3")
    with page.expect_download() as saved:
        page.get_by_role("button", name="PDF").click()
    document = pypdfium2.PdfDocument(saved.value.path().read_bytes())
    assert len(document) == 1
    picture = io.BytesIO()
    document[0].render(scale=4).to_pil().save(picture, "PNG")
    found = read_image(picture.getvalue())
    assert sorted((one.format, one.text) for one in found) == [("DataMatrix", f"99.118.8/pump-{n}") for n in (17, 18, 19)]
    page.get_by_role("combobox", name="Symbol").select_option("ean")
    expect(preview.get_by_role("alert").locator("code")).to_have_text(re.compile("^HL-ID-06"))
    expect(page.get_by_role("button", name="PDF")).to_be_disabled()


def test_a_record_is_made_changed_and_deleted_and_the_trail_names_who(page, api, platform):
    page.goto("/identifiers/nodes")
    expect(page.get_by_role("region", name="This node")).to_contain_text("Answers in")
    tree = page.get_by_role("region", name="From the root down")
    expect(tree.locator(".tier")).to_have_count(2)
    expect(tree).to_contain_text("99.118.8")
    page.get_by_role("link", name="Records").last.click()
    expect(page.get_by_role("region", name="Records").locator("li", has_text=PUMP)).to_be_visible()
    page.get_by_role("button", name="New record").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Identifier").fill("99.118.8/valve-3")
    dialog.get_by_label("Data").fill("https://valves.example/3")
    dialog.get_by_role("button", name="Save").click()
    record = page.get_by_role("region", name="99.118.8/valve-3")
    expect(record).to_contain_text("https://valves.example/3")
    record.get_by_role("button", name="Edit").click()
    dialog.get_by_role("button", name="Add a value").click()
    dialog.get_by_label("Data").last.fill("for us alone")
    dialog.get_by_label("Everybody").last.uncheck()
    dialog.get_by_role("button", name="Remove value 1").click()
    dialog.get_by_role("button", name="Save").click()
    expect(record).to_contain_text("for us alone")
    expect(record).not_to_contain_text("valves.example")
    assert api.get("/identifiers/resolve", params={"text": "99.118.8/valve-3"}).json()["outcome"] == "nothing"
    record.get_by_role("button", name="Delete").click()
    dialog.get_by_role("button", name="Delete").click()
    expect(record).to_have_count(0)
    trail = api.get("/audit", params={"limit": 100}).json()["items"]
    done = [one for one in trail if one["resource"] == "identifier:99.118.8/valve-3" and one["outcome"] == "done"]
    assert [one["details"]["do"] for one in done] == ["delete", "change", "create"]
    assert {one["principal"] for one in done} == {platform.user}


def test_the_pages_fit_a_telephone(phone, api):
    for path in (*PAGES, f"?text={PUMP}", "/records/99~2E118~2E8~2Fpump-17"):
        phone.goto(f"/identifiers{path}")
        expect(phone.locator("#main h1")).to_be_visible()
        expect(phone.locator("#main .skeleton")).to_have_count(0)
        assert phone.evaluate("document.documentElement.scrollWidth") <= 360, path
    phone.goto(f"/identifiers?text={PUMP}")
    hops = phone.locator(".hop")
    expect(hops.last).to_be_visible()
    assert hops.first.bounding_box()["y"] < hops.last.bounding_box()["y"], "from the top down"
