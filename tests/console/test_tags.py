"""The tag list in a real Chromium: a table of live values, edited in its cells, in bulk, by file and by template."""

from __future__ import annotations

import re

import pytest
from modbus_device import modbus_device
from nats_node import free_port
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

THING = "99.118.8/tank"
POINTS = 300


@pytest.fixture(scope="module")
def tank(platform):
    """A Modbus device with more points than a window holds."""
    with modbus_device(free_port()) as url, platform.sdk() as sdk:
        nodes = [
            {"address": f"holding@{at}:int16", "name": f"v{at:03}", "path": [f"v{at:03}"], "leaf": True, "storage": "integer"}
            for at in range(POINTS)
        ]
        points = sdk.propose("tank", nodes, thing=THING)
        sdk.create_connector("tank", url, protocol="modbus", settings={"interval": 0.2}, points=points)
        yield "tank"
        sdk.remove_connector("tank")


def open_tags(page: Page, search: str = "") -> None:
    page.goto(f"/tags?connector=tank&search={search}")
    expect(page.locator(".sheet .line").first).to_be_visible()


def test_only_the_rows_in_sight_are_drawn_and_all_can_be_reached(page, tank):
    open_tags(page)
    expect(page.get_by_text(f"{POINTS} points", exact=False)).to_be_visible()
    assert page.locator(".sheet .line").count() < 60
    grid = page.get_by_role("grid", name="Tag list")
    for _ in range(4):
        grid.evaluate("node => node.scrollTo(0, node.scrollHeight)")
        page.wait_for_function("node => node.scrollTop > 0", arg=grid.element_handle())
    expect(page.get_by_role("link", name=f"{THING}#v299")).to_be_visible()
    assert page.locator(".sheet .line").count() < 60


def test_values_are_live_while_a_cell_is_edited(page, platform, tank):
    open_tags(page, "v000")
    row = page.locator(".sheet .line").first
    expect(row.locator(".now")).to_contain_text(re.compile(r"\d"))
    row.get_by_role("button", name="Change Tag of").click()
    field = row.get_by_role("textbox", name="Tag")
    field.fill("LT-000")
    before = row.locator(".now").inner_text()
    expect(row.locator(".now")).not_to_have_text(before)
    expect(field).to_have_value("LT-000")
    field.press("Enter")
    expect(row.get_by_role("button", name="Change Tag of")).to_have_text("LT-000")
    with platform.sdk() as sdk:
        assert sdk.point(f"{THING}#v000").tag == "LT-000"


def test_all_that_were_found_are_edited_together_after_a_preview(page, platform, tank):
    open_tags(page, "v01")
    page.get_by_role("checkbox", name="Choose all that were found").check()
    page.get_by_role("button", name="Edit together").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox", name="Pattern").fill("T-{number:02}")
    dialog.get_by_role("button", name="Preview").click()
    expect(dialog.get_by_text("10 changed")).to_be_visible()
    expect(dialog.locator("ins").first).to_have_text("T-01")
    dialog.get_by_role("button", name="Apply to 10 points").click()
    expect(dialog).to_have_count(0)
    with platform.sdk() as sdk:
        assert sdk.point(f"{THING}#v019").tag == "T-10"


def test_a_list_goes_out_and_comes_in_with_its_mistakes_shown_first(page, platform, tank):
    open_tags(page, "v02")
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("menuitem", name=re.compile("CSV")).click()
    text = download.value.path().read_text("utf-8-sig")
    assert len(text.splitlines()) == 11
    page.goto("/tags/import")
    chooser = page.get_by_label("Tag list to import")
    bad = f"identifier,kind,unit\n{THING}#v020,often,bar\n"
    chooser.set_input_files({"name": "bad.csv", "mimeType": "text/csv", "buffer": bad.encode()})
    expect(page.get_by_label("Mistakes")).to_contain_text("HL-CATALOGUE-0012")
    expect(page.get_by_role("button", name=re.compile("^Apply"))).to_be_disabled()
    good = f"identifier,unit,enumeration.en\n{THING}#v020,bar,\n{THING}#v021,,0=shut;1=open\n"
    chooser.set_input_files({"name": "good.csv", "mimeType": "text/csv", "buffer": good.encode("utf-16")})
    expect(page.get_by_text("2 changed")).to_be_visible()
    page.get_by_role("button", name="Apply to 2 points").click()
    expect(page.get_by_text("2 points changed").first).to_be_visible()
    with platform.sdk() as sdk:
        assert sdk.point(f"{THING}#v020").unit == "bar"
        assert sdk.point(f"{THING}#v021").enumeration == {"0": {"en": "shut"}, "1": {"en": "open"}}


def test_a_machine_becomes_a_template_and_the_template_many(page, platform, tank):
    with platform.sdk() as sdk:
        sdk.apply_points(data := f"identifier,address,connector\n{THING}-a#level,holding@400:int16,tank\n".encode(),
                         sdk.preview_points(data).digest)  # fmt: skip
    page.goto("/tags/templates")
    page.get_by_label("Machine to make a template of").fill(f"{THING}-a")
    page.get_by_role("button", name="Make a template").click()
    page.get_by_label("Address 1").fill("holding@{400+number}:int16")
    page.get_by_role("textbox", name="Machines").fill("machine\n" + "".join(f"tank-b{at}\n" for at in range(1, 21)))
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("20 added")).to_be_visible()
    page.get_by_role("button", name="Apply to 20 points").click()
    expect(page.get_by_text("20 points changed").first).to_be_visible()
    with platform.sdk() as sdk:
        assert sdk.point("99.118.8/tank-b20#level").address == "holding@420:int16"


def test_a_connection_is_copied_with_its_points(page, platform, tank):
    page.goto("/connectors/tank")
    page.get_by_role("button", name="Copy tank").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name of the connection").fill("basin")
    dialog.get_by_label("by", exact=True).fill("basin")
    dialog.get_by_role("button", name="Preview").click()
    expect(dialog.get_by_text("99.118.8/basin#v000")).to_be_visible()
    dialog.get_by_role("button", name=re.compile("^Create with")).click()
    expect(page.get_by_role("heading", name="basin", level=1)).to_be_visible()
    with platform.sdk() as sdk:
        assert not sdk.connector("basin").enabled
        sdk.remove_connector("basin")


def test_the_pages_fit_a_telephone(phone, tank):
    for path in ("/tags?connector=tank", "/tags/import", "/tags/templates"):
        phone.goto(path)
        expect(phone.locator("#main h1")).to_be_visible()
        assert phone.evaluate("document.documentElement.scrollWidth") <= 360
    phone.goto("/tags?connector=tank")
    value = phone.locator(".sheet .line .now").first
    expect(value).to_be_visible()
    box = value.bounding_box()
    assert box["x"] + box["width"] <= 360, "the live value is in sight without scrolling"
