"""The console in a real Chromium against a whole running platform and an OPC UA server that it has never seen."""

from __future__ import annotations

import csv
import gzip
import io
import re
import urllib.request
from urllib.parse import parse_qs, urlsplit

import pyarrow as pa
import pyarrow.compute
import pytest
from console_plant import PRESS, thumbprints
from contrasts import CONTRAST
from opcua_device import secure_opcua_device
from playwright.sync_api import Locator, Page, expect
from pyarrow import parquet

from hulian.kernel.identifier import escape

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

PAGES = (
    "/",
    "/points",
    "/trend",
    "/tiles",
    "/connectors",
    "/connectors/add",
    "/edges",
    "/events",
    "/ledger",
    "/access/users",
    "/access/tokens",
    "/access/devices",
    "/access/audit",
    "/settings",
    "/import",
    "/tags",
    "/tags/import",
    "/tags/templates",
)


def open_point(page: Page, name: str) -> Locator:
    page.goto(f"/points/{escape(name)}")
    panel = page.get_by_role("complementary", name=name)
    expect(panel.locator(".figure")).to_be_visible()
    return panel


def open_trend(page: Page, words: str = "pressure") -> None:
    page.goto("/trend")
    page.get_by_role("button", name="Add points").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("searchbox").fill(words)
    expect(dialog.get_by_role("checkbox")).to_have_count(1)
    dialog.get_by_role("checkbox").check()
    dialog.get_by_role("button", name="Add 1").click()
    expect(page.locator(".reading")).to_contain_text(re.compile(r"\d"))


def test_first_start_refuses_a_wrong_password_with_code_and_hint_then_lets_in(visit, platform):
    page = visit.page
    page.goto("/")
    page.get_by_text("First start?").click()
    expect(page.get_by_text("hulian user reset admin")).to_be_visible()
    page.locator("input[name=password]").fill("not the password")
    page.get_by_role("button", name="Log in").click()
    alert = page.get_by_role("alert")
    expect(alert).to_be_visible()
    expect(alert.locator("code")).to_have_text(re.compile(r"^HL-[A-Z]+-\d{4}$"))
    page.locator("input[name=password]").fill(platform.password)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Overview", level=1)).to_be_visible()
    expect(page.locator("main")).to_contain_text("Historian")
    page.reload()
    expect(page.get_by_role("heading", name="Overview", level=1)).to_be_visible()
    for empty in ("/points", "/connectors"):  # where nothing is yet, the next step looks like a button
        page.goto(empty)
        step = page.locator(".empty").get_by_role("link", name="Add a connection")
        looks = step.evaluate("(node) => [getComputedStyle(node).display, getComputedStyle(node).color]")
        assert looks == ["flex", "rgb(255, 255, 255)"], empty


def test_connector_is_added_by_browsing_and_delivers(connected, platform):
    page = connected
    expect(page.locator(".facts")).to_contain_text("Points")
    page.goto("/points?search=PT-900")
    row = page.locator("section.list li")
    expect(row).to_have_count(1)
    expect(row).to_contain_text(re.compile(r"\d"))
    page.goto("/points")
    page.get_by_role("button", name="Hall 1").click()
    expect(page.locator("section.list li").first).to_be_visible()
    page.goto("/ledger")
    expect(page.locator("tbody tr", has_text=PRESS)).to_be_visible()


def test_a_device_is_searched_on_every_level(connected, platform):
    page = connected
    page.goto(f"/connectors/add?to={PRESS}")
    page.get_by_role("button", name="Look at the device").click()
    tree = page.get_by_role("tree", name="What the device shows")
    expect(tree).to_be_visible()
    box = page.get_by_role("searchbox", name="Search the whole device")
    box.fill("PRESS pressure")
    box.press("Enter")
    expect(tree.get_by_role("treeitem")).to_have_count(1)
    expect(tree.get_by_role("treeitem")).to_contain_text(re.compile(r"Pressure\s+Press\b"))
    tree.get_by_role("checkbox").check()
    expect(page.get_by_text("1 chosen")).to_be_visible()
    box.fill("no such thing")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(tree).to_contain_text("Nothing holds “no such thing”.")
    box.fill("")
    expect(tree.locator(".node", has_text="Press").first).to_be_visible()


def test_unreachable_device_is_explained_with_code_and_hint(page, ports):
    page.goto("/connectors/add")
    page.get_by_label("Address of the device").fill(f"opc.tcp://127.0.0.1:{ports()}")
    page.get_by_role("button", name="Look at the device").click()
    alert = page.get_by_role("alert")
    expect(alert).to_be_visible()
    expect(alert.locator("code")).to_have_text(re.compile(r"^HL-[A-Z]+-\d{4}$"))


def test_unknown_certificate_is_compared_and_approved(page, platform, ports):
    """Two devices wait at the same time: each one's own thumbprint is shown, and only the approved one is let in."""
    with secure_opcua_device(ports(), 365) as url, secure_opcua_device(ports(), 365) as other, platform.sdk() as sdk:
        for name, address in (("mixer", url), ("filler", other)):
            node = {"address": "ns=2;s=Double", "name": "force", "path": ["force"], "leaf": True, "storage": "double"}
            points = sdk.propose(name, [node], thing=f"99.118.8/{name}")
            settings = {"security": "best", "plain_password": False}
            sdk.create_connector(name, address, protocol="opcua", settings=settings, points=points)
        page.goto("/connectors/filler")
        expect(page.locator(".facts")).to_contain_text("Needs approval")
        page.goto("/connectors/mixer")
        expect(page.locator(".facts")).to_contain_text("Needs approval")
        page.get_by_role("button", name="Look at the certificate").click()
        dialog = page.get_by_role("dialog")
        for thumbprint in thumbprints(url):
            expect(dialog).to_contain_text(thumbprint)
        expect(dialog).to_contain_text(url)
        dialog.get_by_role("button", name="Approve").click()
        expect(page.get_by_text("Certificate approved")).to_be_visible()
        expect(page.locator(".facts")).to_contain_text("Connected")
        expect(page.locator(".columns li", has_text="force")).to_contain_text(re.compile(r"\d\.\d"))
        # The same on the way to a new connection: the device is looked at, and shows itself when it was approved.
        page.goto("/connectors/add")
        page.get_by_label("Address of the device").fill(other)
        page.get_by_role("button", name="Look at the device").click()
        for thumbprint in thumbprints(other):
            expect(dialog).to_contain_text(thumbprint)
        dialog.get_by_role("button", name="Approve").click()
        expect(page.get_by_role("tree", name="What the device shows").locator(".node").first).to_be_visible()
        page.goto("/connectors/filler")
        expect(page.locator(".facts")).to_contain_text("Connected")
        for name in ("mixer", "filler"):
            sdk.remove_connector(name)


def test_point_is_described_anew(connected):
    page = connected
    page.goto("/points?search=temperature")
    page.locator("section.list li a").first.click()
    page.get_by_role("button", name="Edit").click()
    page.get_by_label("Description (English)").fill("Oil of the press")
    page.get_by_label("Description (Chinese)").fill("压机油温")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Point saved")).to_be_visible()
    page.goto("/points?search=Oil")
    expect(page.locator("section.list li")).to_have_count(1)
    page.goto("/settings")
    page.get_by_role("button", name="中文").click()
    page.goto("/points?search=Oil")
    expect(page.locator("section.list li")).to_contain_text("压机油温")
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")


def test_trend_moves_by_itself_and_goes_on_when_the_api_was_killed(connected, platform):
    page = connected
    open_trend(page)
    reading = page.locator(".reading")
    before = reading.inner_text()
    expect(reading).not_to_have_text(before)
    picture = page.locator(".chart canvas")
    first = picture.screenshot()
    page.wait_for_function("before => document.querySelector('.reading').innerText !== before", arg=reading.inner_text())
    assert picture.screenshot() != first
    platform.kill("api")
    expect(page.get_by_role("button", name="Reconnecting…")).to_be_visible()
    expect(page.get_by_role("button", name="Live", exact=True)).to_be_visible()
    before = reading.inner_text()
    expect(reading).not_to_have_text(before)


def test_trend_zooms_to_raw_and_its_address_opens_the_same_view(connected, visit):
    page = connected
    open_trend(page)
    plot = page.locator(".chart .u-over").bounding_box()
    middle = plot["y"] + plot["height"] / 2
    page.mouse.move(plot["x"] + plot["width"] * 0.9, middle)
    page.mouse.down()
    page.mouse.move(plot["x"] + plot["width"] * 0.97, middle, steps=4)
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"from=.*to="))
    expect(page.locator(".legendhead")).to_contain_text("raw samples")
    query = parse_qs(urlsplit(page.url).query)
    assert query["p"] == [query["p"][0]]
    assert query["p"][0].endswith("ressure")
    other = visit.context.new_page()
    other.goto(page.url)
    expect(other.locator(".reading")).to_contain_text(re.compile(r"\d"))
    assert parse_qs(urlsplit(other.url).query)["from"] == query["from"]
    other.close()
    page.locator(".chart").dblclick()
    expect(page).to_have_url(re.compile(r"last="))


def test_trend_compares_and_annotates(connected):
    page = connected
    open_trend(page)
    page.get_by_label("Compare with an earlier period").select_option("3600000")
    expect(page).to_have_url(re.compile(r"compare=1h"))
    page.get_by_role("button", name="Note", exact=True).click()
    plot = page.locator(".chart .u-over").bounding_box()
    page.mouse.click(plot["x"] + plot["width"] * 0.95, plot["y"] + 40)
    page.get_by_label("What happened?").fill("<b>valve</b> replaced")
    page.get_by_role("button", name="Save").click()
    note = page.locator("section", has=page.get_by_role("heading", name="Notes"))
    expect(note).to_contain_text("<b>valve</b> replaced")
    expect(note).to_contain_text("admin")


@pytest.mark.parametrize("kind", ["CSV", "Parquet", "PNG"])
def test_export_downloads(connected, kind, tmp_path):
    page = connected
    open_trend(page)
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as started:
        page.get_by_role("menuitem", name=re.compile(kind)).click()
    path = tmp_path / started.value.suggested_filename
    started.value.save_as(path)
    content = path.read_bytes()
    assert path.suffix == f".{kind.lower()}"
    match kind:
        case "CSV":
            rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
            assert len(rows) > 3
            assert "value" in rows[0]
        case "Parquet":
            assert content[:4] == content[-4:] == b"PAR1"
        case "PNG":
            assert content.startswith(b"\x89PNG\r\n\x1a\n")
            assert len(content) > 5_000


def given(page: Page, name: str, content: bytes) -> None:
    page.goto("/points")
    page.get_by_role("link", name="Import").click()
    page.get_by_label("File to import").set_input_files({"name": name, "mimeType": "", "buffer": content})
    expect(page.locator(".drop")).to_contain_text(name)


def test_csv_with_other_headings_and_bad_rows_is_imported_as_far_as_it_can_be(dosing, page, platform):
    point = f"{dosing}#rate"
    rows = [
        "Zeit,Anlage,Tag,Wert",
        f"2026-01-05T08:00:00Z,A,{point},1",
        f"2026-01-05 08:00,A,{point},2",
        f"2026-01-05T08:02:00Z,A,{point},3",
        "2026-01-05T08:03:00Z,A,99.118.8/nowhere#x,4",
        f"2026-01-05T08:04:00Z,A,{point},much",
        f'2026-01-05T08:05:00Z,"A, B",{point},6',
    ]
    given(page, "shift.csv", "\n".join(rows).encode())
    check = page.get_by_role("button", name="Check the file")
    expect(page.get_by_text("Say which column holds: Time, Value.")).to_be_visible()
    expect(check).to_be_disabled()
    expect(page.get_by_label("What column Tag is")).to_have_value("point")
    page.get_by_label("What column Zeit is").select_option("Time")
    page.get_by_label("What column Wert is").select_option("Value")
    check.click()
    outcome = page.get_by_role("region", name="The file was checked")
    expect(outcome.locator("dl")).to_contain_text(re.compile(r"can be taken\s*3\s*Rows that cannot\s*3\s*Points\s*1"))
    expect(outcome.locator("tbody tr")).to_have_count(3)
    expect(outcome.locator("tbody tr", has_text="is no time")).to_have_text(re.compile(r"^3\s*time"))
    expect(outcome.locator("tbody tr", has_text="there is no point")).to_have_text(re.compile(r"^5\s*point.*nowhere#x"))
    expect(outcome.locator("tbody tr", has_text="'much' is no whole number")).to_have_text(re.compile(r"^6\s*value"))
    with platform.sdk() as sdk:
        span = {"start": "2026-01-05T00:00:00Z", "end": "2026-01-06T00:00:00Z"}
        assert len(sdk.history(point, **span).to_arrow()) == 0
        page.get_by_role("button", name="Import the other 3 rows").click()
        outcome = page.get_by_role("region", name="Import", exact=True)
        expect(outcome.locator("dl")).to_contain_text(re.compile(r"Rows imported\s*3"))
        assert sdk.history(point, **span).to_arrow()["value"].to_pylist() == [1, 3, 6]
    expect(page.get_by_role("region", name="Recent imports").locator("li", has_text="shift.csv")).to_have_count(2)
    page.get_by_role("link", name="Show as trend").click()
    expect(page.locator(".reading")).to_have_text("6l/h")


def test_parquet_is_imported_whole_and_a_broken_one_says_why(dosing, page, platform):
    times = pa.array(range(1_760_000_000, 1_760_002_000), pa.int64())
    sink = io.BytesIO()
    stamps = pa.compute.multiply(times, 1_000_000_000)
    columns = {"point": [f"{dosing}#rate"] * 2000, "time": stamps, "value": pa.array(range(2000), pa.int64())}
    parquet.write_table(pa.table(columns), sink)
    given(page, "year.parquet", sink.getvalue())
    page.get_by_role("button", name="Check the file").click()
    page.get_by_role("button", name="Import 2 000 rows").click()
    expect(page.get_by_role("region", name="Import", exact=True)).to_contain_text(re.compile(r"Rows imported\s*2 000"))
    with platform.sdk() as sdk:
        found = sdk.history(f"{dosing}#rate", start="2025-10-09T00:00:00Z", end="2025-10-10T00:00:00Z").to_arrow()
    assert found["value"].to_pylist() == list(range(2000))
    given(page, "broken.parquet", sink.getvalue()[:-500])
    page.get_by_role("button", name="Check the file").click()
    alert = page.get_by_role("region", name="The file was checked").get_by_role("alert")
    expect(alert.locator("code")).to_have_text(re.compile(r"^HL-[A-Z]+-\d{4}$"))
    expect(alert).to_contain_text("no Parquet of samples")


def test_tiles_are_kept_and_live(connected):
    page = connected
    page.goto("/tiles")
    page.get_by_role("button", name="Add tiles").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("searchbox").fill("pressure")
    dialog.get_by_role("checkbox").first.check()
    dialog.get_by_role("button", name="Add 1").click()
    figure = page.locator(".tile .figure")
    expect(figure).to_contain_text(re.compile(r"\d"))
    before = figure.inner_text()
    expect(figure).not_to_have_text(before)
    page.reload()
    expect(page.locator(".tile")).to_have_count(1)


def test_token_is_shown_once(page):
    page.goto("/access/tokens")
    page.get_by_role("button", name="New token").click()
    page.get_by_label("Name", exact=True).fill("report")
    page.get_by_role("button", name="Create").click()
    secret = page.locator("[data-secret]")
    expect(secret).to_have_text(re.compile(r"^hlt_\S{20,}$"))
    token = secret.inner_text()
    page.get_by_role("button", name="I have kept it").click()
    page.reload()
    expect(page.locator("tbody tr", has_text="report")).to_be_visible()
    assert token not in page.content()


def test_user_is_added_changed_and_removed_and_a_viewer_may_change_nothing(dosing, page, another):
    page.goto("/access/users")
    page.get_by_role("button", name="Add a user").click()
    page.get_by_label("User", exact=True).fill("looks-on")
    page.get_by_role("button", name="Create").click()
    expect(page.locator("[data-secret]")).to_have_count(2)
    name, password = page.locator("[data-secret]").all_inner_texts()
    assert name == "looks-on"
    page.get_by_role("button", name="I have kept it").click()
    row = page.locator("tbody tr", has_text="looks-on")
    expect(row.get_by_label("Role")).to_have_value("viewer")
    viewer = another.login("looks-on", password, chosen="four unusual words here")
    panel = open_point(viewer, f"{dosing}#rate")
    expect(panel).to_contain_text("read and write")
    expect(panel.get_by_role("region", name="Set-point")).to_have_count(0)
    viewer.goto("/points")
    expect(viewer.locator("section.list li").first).to_be_visible()
    expect(viewer.get_by_role("link", name="Import")).to_have_count(0)
    row.get_by_label("Role").select_option("Operator")
    expect(page.get_by_text("Saved")).to_be_visible()
    row.get_by_role("button", name="Disable").click()
    expect(row).to_contain_text("Disabled")
    row.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(row).to_have_count(0)
    page.reload()
    expect(page.locator("tbody tr", has_text="admin")).to_be_visible()
    expect(row).to_have_count(0)


def test_every_page_fits_a_telephone(phone):
    wide = []
    for path in PAGES:
        phone.goto(path)
        expect(phone.locator("main")).not_to_be_empty()
        phone.wait_for_load_state("load")
        expect(phone.locator("main h1")).to_be_visible()
        width = phone.evaluate("document.documentElement.scrollWidth")
        if width > 360:
            wide.append((path, width))
    assert wide == []
    phone.get_by_role("button", name="More").click()
    phone.get_by_role("link", name="Settings").click()
    expect(phone.get_by_role("heading", name="Settings")).to_be_visible()


def test_edge_nodes_are_explained_where_none_can_come(page):
    page.goto("/edges")
    expect(page.get_by_role("heading", name="No edge nodes yet")).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="serves no edge nodes")).to_contain_text("leaf_port")
    expect(page.get_by_role("button", name="Invite a node")).to_have_count(0)


def test_set_point_is_checked_confirmed_written_and_comes_back_live(dosing, page):
    panel = open_point(page, f"{dosing}#rate")
    expect(panel.locator(".figure")).to_have_text("0l/h")
    entry = panel.get_by_label("Set-point", exact=True).and_(panel.locator("input"))
    entry.fill("12.5")
    panel.get_by_role("button", name="Write").click()
    expect(panel.get_by_text("This is no whole number")).to_be_visible()
    entry.fill("501")
    panel.get_by_role("button", name="Write").click()
    expect(panel.get_by_text("Outside the range of the point: -500 … 500")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)
    entry.fill("-42")
    entry.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("dl")).to_have_text(re.compile(r"Now\s*0l/h\s*New\s*-42l/h"))
    dialog.get_by_role("button", name="Write").click()
    expect(dialog).to_have_count(0)
    expect(panel.get_by_text("The device confirmed -42 l/h")).to_be_visible()
    expect(panel.locator(".figure")).to_have_text("-42l/h")


def test_text_and_boolean_set_points_come_back_live(dosing, page):
    panel = open_point(page, f"{dosing}#recipe")
    expect(panel.locator(".figure")).to_have_text("(empty)")
    panel.get_by_label("Set-point", exact=True).and_(panel.locator("input")).fill("B-7 <i>")
    panel.get_by_role("button", name="Write").click()
    page.get_by_role("dialog").get_by_role("button", name="Write").click()
    expect(panel.locator(".figure")).to_have_text("B-7 <i>")
    panel = open_point(page, f"{dosing}#pump")
    expect(panel.locator(".figure")).to_have_text("off")
    panel.get_by_role("switch").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("dl")).to_have_text(re.compile(r"Now\s*off\s*New\s*on"))
    dialog.get_by_role("button", name="Switch on").click()
    expect(panel.locator(".figure")).to_have_text("on")
    expect(panel.get_by_role("switch")).to_be_checked()


def test_set_point_that_the_device_refuses_says_why_and_stays_to_be_tried_again(dosing, page):
    panel = open_point(page, f"{dosing}#spare")
    panel.get_by_label("Set-point", exact=True).and_(panel.locator("input")).fill("7")
    panel.get_by_role("button", name="Write").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Write").click()
    alert = dialog.get_by_role("alert")
    expect(alert.locator("code")).to_have_text("HL-MODBUS-0020")
    expect(alert).to_contain_text("exception 2, illegal data address")
    expect(alert).to_contain_text("the device has no such register")
    expect(panel.get_by_text("The device confirmed")).to_have_count(0)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_words_stand_out_from_their_ground(chromium, platform, theme):
    """WCAG AA: 4.5 to 1 for the text colours on each ground they are used on."""
    context = chromium.new_context(base_url=platform.url, color_scheme=theme)
    page = context.new_page()
    page.goto("/")
    page.wait_for_selector("form")
    low = page.evaluate(CONTRAST)
    context.close()
    assert low == []


def test_first_load_is_light(platform):
    """What a first visit fetches of script and style, as it travels, is at most 60 KiB."""

    def fetched(path: str) -> tuple[bytes, int]:
        request = urllib.request.Request(platform.url + path, headers={"Accept-Encoding": "gzip"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            body = answer.read()
            assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
            return body, len(body)

    raw, _ = fetched("/")
    page = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode()
    assets = re.findall(r'(?:src|href)="(/assets/[^"]+\.(?:js|css))"', page)
    assert assets
    assert "<style" not in page
    assert re.findall(r"<script(?![^>]*\bsrc=)", page) == []
    assert sum(fetched(path)[1] for path in assets) <= 60 * 1024
