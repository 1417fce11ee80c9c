"""Documents into the model in a real Chromium: dropped, looked at, applied; a second version compared; exported; removed."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

HEAD = '{"hulian": 1, "document": {"name": "x", "format": "hulian", "title": "Pumps of line 2"}}\n'


def plain(name: str, units: dict[str, str], more: str = "") -> bytes:
    """A document with one pump for each of ``units``."""
    lines = [f'{{"node": {{"id": "{name}/line", "kind": 1, "name": "Line 2"}}}}']
    for pump, unit in units.items():
        lines.append(f'{{"node": {{"id": "{name}/{pump}", "kind": 1, "name": "{pump}", "parent": "{name}/line"}}}}')
        lines.append(
            f'{{"node": {{"id": "{name}/{pump}/out", "kind": 2, "name": "outlet", "parent": "{name}/{pump}", "unit": "{unit}",'
            f' "value": "2.5", "labels": {{"zh": "出口压力"}}}}}}'
        )
    return (HEAD + "\n".join(lines) + more).encode()


def choose(page, *files: tuple[str, bytes]) -> None:
    page.get_by_label("Documents to import").first.set_input_files(
        [{"name": name, "mimeType": "application/octet-stream", "buffer": body} for name, body in files]
    )


def test_a_document_from_the_file_to_the_model_and_back(page):
    page.goto("/model/import")
    choose(page, ("pumps.hulian.jsonl", plain("pumps", {"P1": "bar", "P2": "bar"})))
    page.get_by_label("Name in the model").fill("line 2")
    page.get_by_role("button", name="Read the document").click()
    card = page.get_by_role("region", name="line 2", exact=True)
    expect(card.get_by_text("new", exact=True)).to_be_visible()
    expect(page.get_by_text("all of its 5 nodes are added")).to_be_visible()
    expect(page.get_by_text("Everything in the file can be kept.")).to_be_visible()
    # The address leads back to it.
    expect(page).to_have_url(re.compile(r"/model/import\?version=\d+$"))
    page.reload()
    page.get_by_role("button", name="Apply", exact=True).click()
    expect(page.get_by_text("line 2 is part of the model now")).to_be_visible()

    # The second version: one pump is new, one gone, one measured in another unit.
    page.goto("/model/import")
    choose(page, ("pumps.hulian.jsonl", plain("pumps", {"P2": "kPa", "P3": "bar"})))
    page.get_by_label("Name in the model").fill("line 2")
    page.get_by_role("button", name="Read the document").click()
    changes = page.get_by_role("region", name="What changes")
    expect(changes.get_by_role("status")).to_have_text(re.compile(r"2 added\s*1 changed\s*2 removed\s*2 as before"))
    unit = changes.get_by_role("listitem").filter(has_text="unit")
    expect(unit.locator("del")).to_have_text("bar")
    expect(unit.locator("ins")).to_have_text("kPa")
    changes.get_by_label("Change", exact=True).select_option("removed")
    expect(changes.get_by_role("listitem")).to_have_count(2)
    changes.get_by_label("Change", exact=True).select_option("")
    changes.get_by_label("Words in names and values").fill("kpa")
    expect(changes.get_by_role("listitem")).to_have_count(1)
    page.get_by_role("button", name="Apply", exact=True).click()
    expect(page.get_by_role("link", name="See it in the model")).to_have_attribute("href", "/model")

    # Versions and their differences.
    page.get_by_role("navigation", name="Pages about meaning").get_by_role("link", name="Documents").click()
    page.get_by_role("link", name="line 2").click()
    expect(page.get_by_role("region", name="Versions of line 2").get_by_role("listitem")).to_have_count(2)
    expect(page.get_by_role("region", name="What changes").get_by_role("status")).to_contain_text("1 changed")

    # What an export would lose is said before it is made.
    page.get_by_role("button", name="Export").click()
    dialog = page.get_by_role("dialog", name="Export line 2")
    expect(dialog.get_by_text("Nothing is lost")).to_be_visible()
    dialog.get_by_label("Format").select_option("td")
    expect(dialog.get_by_role("link", name="Export as WoT Thing Description")).to_be_visible()
    expect(dialog.get_by_text(re.compile(r"\d+ lost"))).to_be_visible()
    dialog.get_by_label("Format").select_option("")
    with page.expect_download() as download:
        dialog.get_by_role("link", name="Export as Hulian").click()
    assert download.value.suggested_filename == "line 2.hulian.jsonl"
    assert b'"kPa"' in download.value.path().read_bytes()
    dialog.get_by_role("button", name="Close").first.click()

    # An earlier version is brought back, looked at first.
    page.get_by_role("link", name="Bring back").click()
    page.get_by_role("button", name="Apply", exact=True).click()
    expect(page.get_by_text("line 2 is part of the model now")).to_be_visible()
    page.goto("/model/documents")
    page.get_by_role("button", name="Remove line 2?").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove", exact=True).click()
    expect(page.get_by_text("line 2 was removed")).to_be_visible()
    expect(page.get_by_role("link", name="line 2")).to_have_count(0)


def test_several_files_are_read_in_the_order_in_which_they_stand_on_each_other(page):
    def nodeset(uri: str, *requires: str) -> bytes:
        needed = "".join(f'<RequiredModel ModelUri="{one}"/>' for one in requires)
        uris = "".join(f"<Uri>{one}</Uri>" for one in (uri, *requires))
        parent = '<Reference ReferenceType="i=45" IsForward="false">{}</Reference>'
        above = parent.format("ns=2;i=1001" if requires and "base" in requires[0] else "i=58")
        return (
            '<?xml version="1.0"?><UANodeSet xmlns="http://opcfoundation.org/UA/2011/03/UANodeSet.xsd">'
            f'<NamespaceUris>{uris}</NamespaceUris><Models><Model ModelUri="{uri}">{needed}</Model></Models>'
            f'<UAObjectType NodeId="ns=1;i=1001" BrowseName="1:Kind"><DisplayName>Kind</DisplayName><References>{above}'
            "</References></UAObjectType></UANodeSet>"
        ).encode()

    page.goto("/model/import")
    choose(
        page,
        ("special.NodeSet2.xml", nodeset("urn:test:special", "urn:test:base", "urn:test:gone")),
        ("base.NodeSet2.xml", nodeset("urn:test:base")),
    )
    names = page.get_by_label("Name in the model")
    expect(names).to_have_count(2)
    expect(names.nth(0)).to_have_value("base")
    expect(page.get_by_text("Missing: urn:test:gone")).to_be_visible()
    page.get_by_role("button", name="Move special up").click()
    expect(page.get_by_text("It requires what comes later: urn:test:base")).to_be_visible()
    page.get_by_role("button", name="Move special down").click()
    page.get_by_role("button", name="Read 2 documents").click()
    expect(page.get_by_role("region", name="base", exact=True)).to_be_visible()
    page.get_by_role("button", name=re.compile("^Apply")).click()
    # The next one is read by itself, and finds what it stands on.
    needs = page.get_by_role("region", name="Stands on")
    expect(needs.get_by_role("listitem").filter(has_text="urn:test:base")).to_contain_text("in “base”")
    expect(needs.get_by_role("listitem").filter(has_text="urn:test:gone")).to_contain_text("not here")
    page.get_by_role("button", name="Discard").click()
    expect(page.get_by_text("special was discarded")).to_be_visible()
    steps = page.get_by_role("region", name="Documents to import").get_by_role("listitem")
    expect(steps.nth(0)).to_contain_text("Applied")
    expect(steps.nth(1)).to_contain_text("Discarded")


def test_a_hostile_document_is_refused_with_its_place_and_a_long_one_is_cancelled(page):
    page.goto("/model/import")
    bomb = b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha">]><CAEXFile>&a;</CAEXFile>'
    choose(page, ("bomb.aml", bomb), ("cat.gif", b"GIF89a"))
    alerts = page.get_by_role("alert")
    expect(alerts.filter(has_text="HL-SEM-0002")).to_contain_text("bomb.aml")
    expect(alerts.filter(has_text="HL-SEM-0003")).to_contain_text("cat.gif")
    page.goto("/model/import")
    choose(page, ("long.hulian.jsonl", plain("long", {f"P{number}": "bar" for number in range(60_000)})))
    page.get_by_role("button", name="Read the document").click()
    page.get_by_role("status").get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Cancelled: nothing of it was kept.")).to_be_visible()
    steps = page.get_by_role("region", name="Documents to import").get_by_role("listitem")
    expect(steps.first).to_contain_text("Cancelled")


def test_what_was_read_and_not_decided_on_is_found_again(page, platform):
    with platform.sdk() as sdk:
        found = sdk.model_import(plain("other", {"P1": "bar"}), "left over", "hulian")
    page.goto("/model/import")
    waiting = page.get_by_role("region", name="To be decided").get_by_role("listitem").filter(has_text="left over")
    waiting.get_by_role("link", name="Look at it").click()
    expect(page.get_by_role("region", name="left over", exact=True)).to_be_visible()
    page.get_by_role("button", name="Discard").click()
    expect(page.get_by_text("left over was discarded; the model is as it was")).to_be_visible()
    assert found.version.key not in [one["key"] for one in page.request.get("/api/v1/model/imports").json()["waiting"]]


def test_on_a_telephone_nothing_is_wider_than_the_page(phone):
    phone.goto("/model/import")
    choose(phone, ("a long name of a file of the plant.hulian.jsonl", plain("phone", {"P1": "bar"})))
    phone.get_by_role("button", name="Read the document").click()
    expect(phone.get_by_role("button", name="Apply", exact=True)).to_be_visible()
    for path in ("", "/model/documents"):
        if path:
            phone.get_by_role("button", name="Apply", exact=True).click()
            expect(phone.get_by_role("link", name="See it in the model")).to_be_visible()
            phone.goto(path)
            expect(phone.get_by_role("button", name="Export")).not_to_have_count(0)
        assert phone.evaluate("document.documentElement.scrollWidth") <= 360
