"""Dictionaries and matching in a real Chromium: searched, confirmed by key and click, and found in the model by meaning."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from modbus_device import modbus_device
from nats_node import free_port
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

THING = "99.118.8/boiler"
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "dictionary" / "plant.json"
TAGS = [
    ("pt101", "PT_101.PV", "bar", {"en": "outlet pressure of the feed pump", "zh": "给水泵出口压力"}),
    ("tt102", "TT_102.PV", "Cel", {"en": "steam temperature"}),
    ("ft103", "FT_103.PV", "m3/h", {}),
    ("pic104", "PIC_104.SP", "bar", {}),
    ("lt105", "LT_105.PV", "m", {}),
    ("xqz", "XQZ_7", "", {}),
]


@pytest.fixture(scope="module")
def boiler(platform):
    """A Modbus device whose points are named as plants name them."""
    with modbus_device(free_port()) as url, platform.sdk() as sdk:
        nodes = [
            {"address": f"holding@{at}:int16", "name": key, "path": [key], "leaf": True, "storage": "integer"}
            for at, (key, *_) in enumerate(TAGS)
        ]
        points = sdk.propose("boiler", nodes, thing=THING)
        sdk.create_connector("boiler", url, protocol="modbus", settings={"interval": 0.2}, points=points)
        for key, tag, unit, texts in TAGS:
            sdk.change_point(f"{THING}#{key}", tag=tag, unit=unit, texts=texts)
        yield "boiler"
        sdk.remove_connector("boiler")


@pytest.fixture
def matching(page, boiler) -> Page:
    """The page of matching, with every tag of the boiler unmatched at first and afterwards."""
    page.goto("/matching?connector=boiler")
    expect(row(page, "PT_101.PV")).to_be_visible()
    yield page
    for key, *_ in TAGS:
        send(page, {"point": f"{THING}#{key}", "retract": True})


def send(page: Page, body: dict) -> None:
    done = page.evaluate(
        """async (body) => {
            const session = await (await fetch("/api/v1/session")).json();
            const headers = { "Content-Type": "application/json", "X-Hulian-CSRF": session.csrf };
            const init = { method: "POST", headers, body: JSON.stringify([body]) };
            return (await fetch("/api/v1/dictionary/confirmations", init)).status;
        }""",
        body,
    )
    assert done == 200


def row(page: Page, tag: str):
    return page.get_by_role("listitem", name=tag, exact=True)


def test_a_concept_is_searched_as_one_types_and_shown_whole(page, platform):
    page.goto("/dictionary")
    page.get_by_role("searchbox", name="Words in any language").fill("druck")
    page.get_by_role("link", name=re.compile("^pressure quantity")).click()
    entry = page.get_by_role("article", name="hulian:pressure")
    expect(entry.get_by_role("heading", name="pressure", exact=True)).to_be_visible()
    expect(entry.get_by_text("压力")).to_be_visible()
    expect(entry.get_by_text("BAR · UCUM bar")).to_be_visible()
    entry.get_by_role("link", name=re.compile("^differential pressure")).click()
    expect(page.get_by_role("article", name="hulian:pressure-difference")).to_be_visible()
    assert "concept=hulian%3Apressure-difference" in page.url
    page.go_back()
    expect(entry).to_be_visible()


def test_the_tree_is_opened_and_leads_to_an_entry(page, platform):
    page.goto("/dictionary")
    tree = page.get_by_role("tree", name="Classes and quantities")
    pressure = tree.get_by_role("treeitem", name=re.compile("pressure")).first
    pressure.get_by_role("button", name="Expand").click()
    tree.get_by_role("link", name="vacuum").click()
    expect(page.get_by_role("article", name="hulian:vacuum")).to_be_visible()


def test_a_dictionary_is_imported_compared_and_removed(page, platform):
    page.goto("/dictionary")
    shelf = page.get_by_role("region", name="Dictionaries")
    for content, told in ((EXAMPLE.read_bytes(), "release 1: 9 new"), (changed(), "release 2: 0 new, 1 changed")):
        shelf.get_by_role("button", name="Import a dictionary").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("Dictionary to import").set_input_files(
            {"name": "plant.json", "mimeType": "application/json", "buffer": content}
        )
        expect(dialog.get_by_label("Short name")).to_have_value("plant")
        dialog.get_by_role("button", name="Import a dictionary").click()
        expect(dialog.get_by_text(told)).to_be_visible()
        dialog.get_by_role("button", name="Done").click()
    shelf.get_by_role("button", name=re.compile("^Expand (?!General)")).click()
    shelf.get_by_role("button", name="0 new · 1 changed · 0 gone").click()
    expect(page.get_by_role("dialog").get_by_text("lifts")).to_be_visible()
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    shelf.get_by_role("button", name="Delete plant").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(shelf.get_by_role("button", name="Delete plant")).to_have_count(0)
    expect(shelf.get_by_text("comes with Hulian")).to_be_visible()


def changed() -> bytes:
    document = json.loads(EXAMPLE.read_text())
    next(one for one in document["entries"] if one["id"] == "plant:pump")["definitions"]["en"] = "lifts"
    return json.dumps(document).encode()


def test_units_are_converted_and_other_dimensions_refused(page, platform):
    page.goto("/dictionary")
    converter = page.get_by_role("region", name="Unit converter")
    converter.get_by_label("Number").fill("212")
    converter.get_by_label("From").fill("°F")
    converter.get_by_label("To", exact=True).fill("°C")
    expect(converter.get_by_text("100 °C")).to_be_visible()
    converter.get_by_label("To", exact=True).fill("m")
    expect(converter.get_by_text("HL-SEM-0021")).to_be_visible()


def test_a_tag_is_confirmed_by_one_key_and_its_point_found_by_meaning(matching, platform):
    page = matching
    first = row(page, "FT_103.PV")  # by name
    first.focus()
    expect(first.get_by_role("button", name=re.compile("^1 volume flow rate"))).to_be_visible()
    first.press("Enter")
    expect(first.get_by_role("button", name=re.compile("^volume flow rate"), pressed=True)).to_be_visible()
    expect(first.get_by_role("button", name=re.compile("^measured value"), pressed=True)).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="1 of 6 matched")).to_be_visible()
    expect(row(page, "LT_105.PV")).to_be_focused()
    page.keyboard.press("0")
    expect(row(page, "LT_105.PV").get_by_text("None of these", exact=True)).to_be_visible()
    page.keyboard.press("u")
    expect(row(page, "LT_105.PV").get_by_text("None of these", exact=True)).to_have_count(0)
    found = json.loads(platform.cli("model", "find", "hulian:volume-flow", "--json", "--config", str(platform.config)).stdout)
    assert [node["point"] for node in found["nodes"]] == [f"{THING}#ft103"]
    page.goto("/dictionary?concept=hulian:volume-flow")
    entry = page.get_by_role("article", name="hulian:volume-flow")
    expect(entry.get_by_role("link", name=re.compile("boiler.ft103"))).to_be_visible()
    expect(entry.locator(".value")).to_contain_text(re.compile(r"\d"))


def test_another_concept_is_chosen_by_words_and_taken_back(matching, platform):
    page = matching
    page.get_by_role("button", name="Another concept: XQZ_7").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("searchbox").fill("密度")
    dialog.get_by_role("button", name=re.compile("density")).click()
    odd = row(page, "XQZ_7")
    expect(odd.get_by_text("density")).to_be_visible()
    odd.get_by_role("button", name="Undo: XQZ_7").click()
    expect(odd.get_by_text("density")).to_have_count(0)


def test_a_chip_says_why_and_confirms_by_a_click(matching, platform):
    page = matching
    point = row(page, "PT_101.PV")
    point.get_by_role("button", name="Why: PT_101.PV").click()
    expect(point.get_by_text("its unit bar is the usual one")).to_be_visible()
    point.get_by_role("button", name=re.compile("pressure 8|pressure 7|pressure 9")).first.click()
    expect(point.get_by_role("button", name=re.compile("^pressure"), pressed=True)).to_be_visible()


def test_the_likely_ones_are_confirmed_together_after_a_look(matching, platform):
    page = matching
    page.get_by_role("button", name="Confirm the likely ones").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("checkbox", name=re.compile("LT_105")).uncheck()
    dialog.get_by_role("button", name=re.compile("^Confirm 4 points")).click()
    expect(page.get_by_role("status").filter(has_text="4 of 6 matched")).to_be_visible()
    page.get_by_role("button", name="Undo", exact=True).first.click()
    expect(page.get_by_role("status").filter(has_text="0 of 6 matched")).to_be_visible()


def test_a_telephone_shows_both_pages_without_scrolling_sideways(phone, boiler):
    for path in ("/matching?connector=boiler", "/dictionary", "/dictionary?concept=hulian:pressure"):
        phone.goto(path)
        expect(phone.locator(".card:visible").first).to_be_visible()
        expect(phone.locator(".skeleton")).to_have_count(0)
        assert phone.evaluate("document.documentElement.scrollWidth") <= 360, path
