"""From an imported description to live values in a real Chromium: looked at, chosen, connected; what a person set stays."""

from __future__ import annotations

import re

import pytest
from free_ports import free_port
from modbus_device import modbus_device
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

PRESS = "99.118.8/mill-press"
DIGEST = "HL-CATALOGUE-0014"


def described(url: str, unit: str = "N", prefix: str = PRESS, name: str = "Press") -> bytes:
    """A press with a counter that the device has, and a value in a unit that nobody knows."""
    head = "".join(f' {key}="h"' for key in ("OriginName", "OriginID", "OriginVersion"))
    end = f'<Attribute Name="EndpointUrl"><Value>{url}</Value></Attribute>' if url else ""
    return f"""<CAEXFile xmlns="http://www.dke.de/CAEX" SchemaVersion="3.0" FileName="mill.aml">
<SuperiorStandardVersion>AutomationML 2.10</SuperiorStandardVersion>
<SourceDocumentInformation{head} LastWritingDateTime="2026-01-01T00:00:00Z"/>
<InstanceHierarchy Name="Mill"><InternalElement Name="{name}" ID="{prefix}">
<Attribute Name="Identifier"><Value>{prefix}</Value></Attribute>{end}
<Attribute Name="force" AttributeDataType="xs:int" Unit="{unit}"><Description>Force of the press</Description>
 <Attribute Name="ModbusAddress"><Value>holding@0:uint16</Value></Attribute></Attribute>
<Attribute Name="reach" AttributeDataType="xs:int" Unit="furlongs">
 <Attribute Name="ModbusAddress"><Value>holding@1:uint16</Value></Attribute></Attribute>
</InternalElement></InstanceHierarchy></CAEXFile>""".encode()


@pytest.fixture(scope="module")
def device():
    """The address of a device whose holding register 0 counts."""
    with modbus_device(free_port()) as url:
        yield url


@pytest.fixture(scope="module")
def take_in(platform):
    """Makes a document part of the model."""

    def take(body: bytes, name: str, form: str = "") -> None:
        with platform.sdk() as sdk:
            sdk.model_apply(sdk.model_import(body, name, form).version.key)

    return take


def choose(page, name: str, body: bytes) -> None:
    page.goto("/model/import")
    files = [{"name": name, "mimeType": "application/octet-stream", "buffer": body}]
    page.get_by_label("Documents to import").first.set_input_files(files)
    page.get_by_role("button", name="Read the document").click()
    page.get_by_role("button", name=re.compile("^Apply")).click()


def point(page, name: str):
    return page.get_by_role("region", name="Points of the description").get_by_role("listitem").filter(has_text=name)


def test_from_an_imported_document_to_live_values_in_the_model(page, device):
    choose(page, "mill.aml", described(device))
    page.get_by_role("link", name="Connect as described").click()
    expect(page).to_have_url(re.compile(r"/model/points\?document=mill$"))
    expect(page.get_by_role("region", name="What would happen")).to_contain_text("2 new points")
    gaps = page.get_by_role("region", name="What the description leaves open")
    expect(gaps).to_contain_text("furlongs")
    expect(gaps.get_by_role("link").first).to_have_attribute("href", re.compile(r"^/model\?node="))
    expect(point(page, "#force")).to_contain_text("Force of the press")

    # A connector that is left out makes nothing; one that is called otherwise is looked at again by itself.
    connector = page.get_by_role("region", name="Press", exact=True)
    connector.get_by_label("Leave this connection out").check()
    expect(page.get_by_text("Everything is left out.")).to_be_visible()
    expect(point(page, "#force")).to_contain_text("its connector is left out")
    connector.get_by_label("Leave this connection out").uncheck()
    connector.get_by_label("Name of the connection").fill("mill press")
    expect(point(page, "#force")).to_contain_text("mill press")
    page.get_by_label("What becomes of it").select_option("added")
    page.get_by_label("Words in names").fill("furlongs")
    expect(point(page, "#")).to_have_count(1)

    page.get_by_role("button", name="Connect", exact=True).click()
    made = page.get_by_role("region", name="What was done")
    expect(made).to_contain_text("2 points made")
    expect(made).to_contain_text("2 nodes of the model are live")
    expect(made.get_by_role("listitem").filter(has_text="mill press")).to_contain_text("Connected")
    expect(made.get_by_role("link", name="mill press")).to_have_attribute("href", "/connectors/mill%20press")
    made.get_by_role("link", name="See it in the model").click()
    expect(page.locator("main")).to_contain_text(re.compile(r"[1-9]\d*\s*N"))


def test_what_a_person_set_stays_and_can_be_overwritten(page, platform, take_in):
    url = "modbus://127.0.0.1:1/1"
    name = "99.118.8/kept#force"
    take_in(described(url, "N", "99.118.8/kept", "Kept"), "kept")
    with platform.sdk() as sdk:
        page.goto("/model/points?document=kept")
        page.get_by_role("region", name="Kept", exact=True).get_by_label("Start at once").uncheck()
        page.get_by_role("button", name="Connect", exact=True).click()
        made = page.get_by_role("region", name="What was done").get_by_role("listitem")
        expect(made).to_contain_text("Disabled")
        sdk.change_point(name, unit="kN")
    take_in(described(url, "mN", "99.118.8/kept", "Kept"), "kept")
    page.get_by_role("button", name="Look again").click()
    row = point(page, "kept#force")
    expect(row).to_contain_text("A person set this, so it stays")
    expect(row.locator("del")).to_have_text("kN")
    expect(page.get_by_role("region", name="What would happen")).to_contain_text("1 keep what a person set")
    expect(page.get_by_text("There is nothing to change.")).to_be_visible()
    row.get_by_role("button", name="Take the description’s instead").click()
    expect(page.get_by_role("region", name="What would happen")).to_contain_text("1 changed")
    # Somebody else is quicker: what was looked at is refused, and what would happen now is shown.
    with platform.sdk() as sdk:
        sdk.change_point(name, unit="MN")
        page.get_by_role("button", name="Connect", exact=True).click()
        alert = page.get_by_role("alert").filter(has_text=DIGEST)
        expect(alert).to_contain_text("kept")
        expect(row.locator("del")).to_have_text("MN")
        page.get_by_role("button", name="Connect", exact=True).click()
        expect(page.get_by_role("region", name="What was done")).to_contain_text("1 points changed")
        assert sdk.point(name).unit == "mN"


def test_a_document_that_says_nothing_of_addresses_gets_advice(page, take_in):
    silent = re.sub(rb'<Attribute Name="ModbusAddress">.*?</Attribute>', b"", described("", "N", "99.118.8/silent"))
    take_in(silent, "silent")
    page.goto("/model/documents")
    page.get_by_role("listitem").filter(has_text="silent").get_by_role("link", name="Connect as described").click()
    expect(page.get_by_role("heading", name="silent proposes no connections and points")).to_be_visible()
    expect(page.get_by_text("AutomationML needs attributes with an address")).to_be_visible()
    expect(page.get_by_role("button", name="Connect", exact=True)).to_have_count(0)


def test_a_viewer_only_looks(another, platform, take_in):
    take_in(described("modbus://127.0.0.1:2/1", "N", "99.118.8/seen", "Seen"), "seen")
    with platform.sdk() as sdk:
        sdk.create_user("looks-on", "four unusual words here", "viewer", must_change=False)
    viewer = another.login("looks-on", "four unusual words here")
    viewer.goto("/model/points?document=seen")
    expect(viewer.get_by_text("Connecting needs the role of an engineer.")).to_be_visible()
    expect(point(viewer, "seen#force")).to_be_visible()
    expect(viewer.get_by_label("Address of the device")).to_be_disabled()
    expect(viewer.get_by_role("button", name="Connect", exact=True)).to_have_count(0)


def test_on_a_telephone_in_chinese_a_missing_address_is_given(phone, take_in):
    take_in(described("", "N", "99.118.8/an-installation-with-a-rather-long-name-in-the-north", "远方的压机"), "远方")
    phone.evaluate("localStorage.setItem('hulian.language', 'zh')")
    phone.goto("/model/points?document=远方")
    expect(phone.get_by_role("heading", name="按描述连接")).to_be_visible()
    expect(phone.get_by_text("还不能连接")).to_be_visible()
    phone.get_by_label("设备地址").fill("modbus://127.0.0.1:3/1")
    expect(phone.get_by_role("region", name="将要发生的变化")).to_contain_text("新增 2 个点")
    assert phone.evaluate("document.documentElement.scrollWidth") <= 360
    phone.get_by_role("button", name="连接", exact=True).focus()
    phone.keyboard.press("Enter")
    expect(phone.get_by_role("region", name="完成情况")).to_contain_text("新建 2 个点")
    assert phone.evaluate("document.documentElement.scrollWidth") <= 360
