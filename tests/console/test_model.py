"""The model browser in a real Chromium: opened, searched, a live value seen, a point bound, the graph walked, asked by meaning."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import described_plant
import httpx
import pytest
from free_ports import free_port
from modbus_device import modbus_device
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

SPARES = 1_200
THING = "99.118.8/feed"
OUTLET = "plant/line2/P2/out"


@pytest.fixture(scope="module")
def api(platform):
    """The API for a program that may do everything."""
    with httpx.Client(
        base_url=f"{platform.url}/api/v1", headers={"Authorization": f"Bearer {platform.token()}"}, timeout=30
    ) as client:
        yield client


@pytest.fixture(scope="module")
def administrator(visiting, platform):
    """One login for all tests of this module."""
    visit = visiting()
    visit.login(platform.user, platform.password)
    yield visit
    visit.context.close()


@pytest.fixture(scope="module")
def empty(administrator):
    """What is shown before anything is imported: seen first, whatever the order of the tests."""
    page = administrator.page
    page.goto("/model")
    shown = page.locator(".empty")
    expect(shown).to_contain_text("The model is empty")
    expect(shown).to_contain_text("hulian model import")
    return True


@pytest.fixture(scope="module")
def plant(empty, platform, tmp_path_factory):
    """The described plant, imported by the command."""
    file = described_plant.written(tmp_path_factory.mktemp("model") / "plant.jsonl", SPARES)
    platform.cli("model", "import", str(file), "--format", "hulian")
    return "plant"


@pytest.fixture(scope="module")
def feed(platform, api):
    """A device that measures a pressure, in kPa."""
    with modbus_device(free_port()) as url, platform.sdk() as sdk:
        node = {"address": "holding@0:int16", "name": "pressure", "path": ["pressure"], "leaf": True, "storage": "integer"}
        sdk.create_connector(
            "feed", url, protocol="modbus", settings={"interval": 0.2}, points=sdk.propose("feed", [node], thing=THING)
        )
        name = f"{THING}#pressure"
        escaped = "".join(one if one.isalnum() else f"~{ord(one):02X}" for one in name)
        assert api.patch(f"/points/{escaped}", json={"unit": "kPa", "tag": "PT-202"}).status_code == 200
        deadline = time.monotonic() + 60
        while not api.get("/last", params={"points": name}).json()["items"][0]["time_ms"]:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield name
        sdk.remove_connector("feed")


@pytest.fixture(scope="module")
def bound(plant, feed, api):
    """The outlet of a pump is that point."""
    assert api.post("/model/notes", json=[{"node": OUTLET, "field": "point", "value": feed}]).status_code == 204
    return feed


@pytest.fixture
def page(administrator, plant) -> Iterator[Page]:
    """The administrator's page, on the model."""
    administrator.page.goto("/model")
    expect(administrator.page.get_by_role("tree")).to_be_visible()
    yield administrator.page
    assert administrator.errors == []


@pytest.fixture
def phone(administrator, visiting, plant) -> Iterator[Page]:
    """The same login on a telephone of 360 pixels."""
    telephone = {"viewport": {"width": 360, "height": 760}, "device_scale_factor": 2, "has_touch": True, "is_mobile": True}
    visit = visiting(**telephone, storage_state=administrator.context.storage_state())
    yield visit.page
    visit.context.close()
    assert visit.errors == []


def row(page: Page, name: str):
    return page.get_by_role("treeitem").filter(has_text=name).first


def number(text: str) -> float:
    return float(re.search(r"-?\d+(\.\d+)?", text)[0])


def test_the_tree_is_walked_with_the_keyboard(page):
    tree = page.get_by_role("tree")
    expect(row(page, "North works")).to_be_visible()
    tree.focus()
    for key in ("Home", "ArrowDown", "ArrowDown", "ArrowRight"):
        tree.press(key)
    expect(row(page, "Line 1")).to_be_visible()
    tree.press("ArrowRight")
    expect(row(page, "Line 1")).to_have_class(re.compile("current"))
    tree.press("ArrowDown")
    tree.press("ArrowRight")
    expect(row(page, "P-201")).to_be_visible()
    tree.press("ArrowRight")
    expect(row(page, "P-201")).to_have_class(re.compile("current"))
    tree.press("Enter")
    panel = page.get_by_role("complementary", name="Feed pump")
    expect(panel).to_contain_text("Feeds the boiler of its line.")
    assert "node=plant%2Fline2%2FP1" in page.url
    expect(tree.locator("[aria-selected=true]")).to_have_attribute("aria-level", "4")
    tree.press("ArrowLeft")
    tree.press("ArrowLeft")
    expect(row(page, "P-201")).to_have_count(0)


def test_of_a_long_list_pages_are_loaded_and_only_what_is_seen_is_drawn(page):
    expect(row(page, "North works")).to_be_visible()
    tree = page.get_by_role("tree")
    tree.focus()
    tree.press("N")
    tree.press("ArrowRight")
    expect(row(page, "Store")).to_be_visible()
    row(page, "Store").get_by_role("button", name="Expand").click()
    expect(row(page, "Spare 0000")).to_be_attached()
    for shown in (200, 300):  # who goes on past the end of a page gets the next
        tree.press("End")
        expect(page.locator(f"[aria-setsize='{shown}']").first).to_be_attached()
    tree.evaluate("node => node.scrollTo(0, node.scrollHeight)")
    page.get_by_role("treeitem").filter(has_text="Show more").click()
    expect(page.locator("[aria-setsize='400']").first).to_be_attached()
    assert page.get_by_role("treeitem").count() < 80


def test_a_node_is_found_by_a_part_of_its_name_and_shown_in_its_place(page):
    page.get_by_role("searchbox", name="Search: a part of a name").fill("pt_1")
    results = page.get_by_role("region", name="Search results")
    expect(results).to_contain_text("2 found")
    results.get_by_role("button").filter(has_text="Line 2").click()
    panel = page.get_by_role("complementary", name="Outlet pressure")
    expect(panel.get_by_role("navigation")).to_contain_text("North works/Line 2/Feed pump/Outlet pressure")
    expect(panel).to_contain_text("force of a fluid on an area")
    expect(panel).to_contain_text("出口压力")
    expect(page.locator("[role=treeitem][aria-selected=true]")).to_contain_text("PT_101")
    page.get_by_role("searchbox", name="Search: a part of a name").fill("Spare 1150")
    page.get_by_role("region", name="Search results").get_by_role("button").click()
    expect(page.locator("[role=treeitem][aria-selected=true]")).to_contain_text("Spare 1150")
    expect(page.locator("[role=treeitem][aria-selected=true]")).to_be_in_viewport()


def test_a_point_is_bound_its_value_is_live_and_it_is_taken_back(page, feed, api):
    other = "plant/line1/P2/out"
    page.goto(f"/model?node={other}")
    panel = page.get_by_role("complementary", name="Outlet pressure")
    panel.get_by_role("button", name="Choose a live point").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("searchbox").fill("PT-202")
    dialog.get_by_role("checkbox").check()
    dialog.get_by_role("button", name="Add 1").click()
    figure = panel.locator(".figure")
    expect(figure).to_contain_text("kPa")
    before = figure.inner_text()
    expect(figure).not_to_have_text(before)
    expect(panel).to_contain_text(f"{feed}")
    expect(panel).to_contain_text("admin,")
    expect(page.locator("[role=treeitem][aria-selected=true] .bound")).to_be_visible()
    (note,) = api.get("/model/node", params={"id": other}).json()["notes"]
    assert (note["field"], note["value"], note["who"]) == ("point", feed, "admin")
    panel.get_by_role("button", name="Take back: Live point").click()
    expect(figure).to_have_count(0)
    assert api.get("/model/node", params={"id": other}).json()["notes"] == []


def test_what_people_call_a_node_and_what_it_means_is_set_here(page, api):
    page.goto("/model?node=plant/line1/P3/maker")
    panel = page.get_by_role("complementary")
    panel.get_by_role("button", name="Set: Called here").click()
    panel.get_by_role("textbox", name="Called here").fill("Who made it")
    panel.get_by_role("button", name="Save").click()
    expect(page.get_by_role("complementary", name="Who made it")).to_be_visible()
    expect(row(page, "Who made it")).to_be_visible()
    panel.get_by_role("button", name="Set: Meaning").click()
    panel.get_by_role("textbox", name="Meaning").fill("nonsense")
    panel.get_by_role("button", name="Save").click()
    expect(page.get_by_text("HL-SEM-0010")).to_be_visible()
    panel.get_by_role("textbox", name="Meaning").fill("hulian:pressure")
    panel.get_by_role("button", name="Save").click()
    expect(panel.locator(".meanings")).to_contain_text("set here")
    for field in ("label", "meaning"):
        body = [{"node": "plant/line1/P3/maker", "field": field, "value": ""}]
        assert api.post("/model/notes", json=body).status_code == 204


def test_the_graph_is_walked(page, bound):
    page.goto("/model?view=graph&node=plant/line2/P2")
    picture = page.get_by_role("region", name="Graph")
    middle = picture.locator("g.middle")
    expect(middle).to_have_attribute("data-id", "plant/line2/P2")
    around = picture.locator("g.box")
    expect(around).to_have_count(8)
    expect(picture.locator("g.box.bound")).to_have_attribute("data-id", OUTLET)
    boxes = [one.bounding_box() for one in picture.locator("g.box rect").all()]
    for at, a in enumerate(boxes):
        for b in boxes[at + 1 :]:
            apart = abs(a["x"] - b["x"]) >= a["width"] - 1 or abs(a["y"] - b["y"]) >= a["height"] - 1
            assert apart, "two boxes stand over each other"
    picture.locator("g.box[data-id='plant/line2/P3']").click()
    expect(middle).to_have_attribute("data-id", "plant/line2/P3")
    expect(page.get_by_role("complementary", name="Feed pump")).to_contain_text("P-203")
    page.go_back()
    expect(middle).to_have_attribute("data-id", "plant/line2/P2")
    line = picture.locator("g.box[data-id='plant/line2']")
    line.focus()
    line.press("Enter")
    expect(middle).to_have_attribute("data-id", "plant/line2")
    scaled = picture.locator(".pane > svg > g")
    before = scaled.get_attribute("transform")
    picture.get_by_role("button", name="Closer").click()
    expect(scaled).not_to_have_attribute("transform", before)
    picture.get_by_role("button", name="Show all").click()
    expect(scaled).to_have_attribute("transform", before)
    box = picture.locator(".pane > svg").bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + box["height"] - 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 80, box["y"] + box["height"] - 60, steps=4)
    page.mouse.up()
    expect(scaled).not_to_have_attribute("transform", before)


def test_a_node_with_very_many_parts_is_drawn_in_part(page):
    page.goto("/model?view=graph&node=plant/store")
    picture = page.get_by_role("region", name="Graph")
    expect(picture.locator("g.box")).to_have_count(26)
    picture.get_by_role("button", name="Show more").click()
    expect(picture.locator("g.box")).to_have_count(42)
    expect(picture).to_contain_text("42 are shown")


def test_every_pressure_in_bar_of_pumps_in_line_2(page, bound):
    page.get_by_role("navigation", name="Views").get_by_role("link", name="Table").click()
    form = page.get_by_role("search", name="Ask by meaning")
    form.get_by_label("What it means").fill("pressure")
    form.get_by_label("Of what").fill("Pump")
    form.get_by_label("In", exact=True).fill("line 2")
    form.get_by_label("Unit").fill("kPa")
    form.get_by_role("button", name="Find").click()
    table = page.get_by_role("region", name="Table")
    expect(table).to_contain_text("3 found")
    items = table.locator("li")
    expect(items).to_have_count(3)
    expect(items.nth(1)).to_contain_text("PT_101")
    value = items.nth(1).locator(".now")
    expect(value).to_contain_text("kPa")
    before = value.inner_text()
    expect(value).not_to_have_text(before)
    kilo = number(value.inner_text())
    form.get_by_label("Unit").fill("bar")
    form.get_by_role("button", name="Find").click()
    expect(value).to_contain_text("bar")
    assert number(value.inner_text()) < kilo
    assert "unit=bar" in page.url
    items.nth(1).get_by_role("button").click()
    expect(page.get_by_role("complementary", name="Outlet pressure")).to_contain_text("PT_101")
    page.reload()
    expect(table).to_contain_text("3 found")
    form.get_by_label("Unit").fill("parsnips")
    form.get_by_role("button", name="Find").click()
    expect(table.get_by_role("alert")).to_contain_text("HL-SEM-0040")


def test_from_a_point_and_from_its_trend_back_to_what_it_means(page, bound):
    escaped = "".join(one if one.isalnum() else f"~{ord(one):02X}" for one in bound)
    page.goto(f"/points/{escaped}")
    page.get_by_role("link", name="North works/Line 2/P-202/PT_101").click()
    expect(page.locator("[role=treeitem][aria-selected=true]")).to_contain_text("PT_101")
    page.goto(f"/trend?p={bound.replace('#', '%23')}")
    page.get_by_role("link", name="PT-202: In the model").click()
    expect(page.get_by_role("complementary", name="Outlet pressure")).to_be_visible()
    page.goto("/model?point=99.118.8/nobody%23x")
    expect(page.get_by_role("status").filter(has_text="99.118.8/nobody#x")).to_contain_text("is no node of the model yet")


def test_who_knows_sparql_may_ask_in_it(page):
    fold = page.locator("details").filter(has_text="Ask in SPARQL")
    fold.locator("summary").click()
    fold.get_by_role("textbox").fill(
        "SELECT ?name WHERE { ?n hul:type ?t ; hul:name ?name . ?t hul:name 'Pump' } ORDER BY ?name"
    )
    fold.get_by_role("button", name="Ask").click()
    expect(fold.locator("tbody tr")).to_have_count(3)
    expect(fold.locator("tbody")).to_contain_text("P-201")
    fold.get_by_role("textbox").fill("SELECT nonsense")
    fold.get_by_role("button", name="Ask").click()
    expect(fold.get_by_role("alert")).to_contain_text("HL-SEM-0040")


def test_chinese_says_all_of_it(page, bound):
    page.evaluate("localStorage.setItem('hulian.language', 'zh')")
    try:
        page.goto(f"/model?view=table&meaning=hulian:pressure&node={OUTLET}")
        expect(page.get_by_role("heading", name="信息模型", level=1)).to_be_visible()
        expect(page.get_by_role("complementary", name="出口压力")).to_contain_text("北厂")
        expect(page.locator("body")).not_to_contain_text(re.compile(r"\bmodel\.[a-z]+"))
    finally:
        page.evaluate("localStorage.setItem('hulian.language', 'en')")


@pytest.mark.parametrize("view", ["tree", "graph", "table&meaning=pressure&kind=property"])
def test_nothing_stands_out_of_a_telephone(phone, bound, view):
    phone.goto(f"/model?view={view}")
    expect(phone.get_by_role("heading", name="Model", level=1)).to_be_visible()
    expect(phone.locator(".split > section").first).to_be_visible()
    assert phone.evaluate("document.documentElement.scrollWidth") <= 360
    phone.goto(f"/model?view={view}&node={OUTLET}")
    panel = phone.get_by_role("complementary", name="Outlet pressure")
    expect(panel.locator(".figure")).to_contain_text(re.compile(r"\d"))
    assert phone.evaluate("document.documentElement.scrollWidth") <= 360
    panel.get_by_role("button", name="Close").click()
    expect(panel).to_have_count(0)
