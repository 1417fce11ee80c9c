"""What the tests of the console connect: a press that they find by browsing, and a dosing unit that takes set points."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

import pytest
from asyncua.sync import Client, ThreadLoop
from free_ports import free_port
from modbus_device import modbus_device
from playwright.sync_api import Page, expect
from running import opcua_server

PRESS = "press"
DOSING = "99.118.8/dosing"
SET_POINTS = {
    "rate": ("holding@2:int16", "integer"),
    "recipe": ("holding@20:string[8]", "text"),
    "pump": ("coil@0", "boolean"),
    "spare": ("holding@9000:int16", "integer"),
}


def connect(page: Page, url: str) -> None:
    """Adds the server by browsing it, as a person does."""
    page.goto("/connectors/add")
    page.get_by_label("Address of the device").fill(url)
    settings = page.get_by_text("Settings of the protocol")
    settings.click()
    security = page.locator("label.field", has_text="security").first.locator("select")
    if security.count() and "none" in security.locator("option").all_inner_texts():
        security.select_option("none")
    page.get_by_role("button", name="Look at the device").click()
    tree = page.get_by_role("tree", name="What the device shows")
    expect(tree).to_be_visible()
    tree.locator(".node", has_text="Press").first.get_by_role("checkbox").check()
    expect(page.get_by_text(re.compile(r"^[4-9] chosen$"))).to_be_visible()
    page.get_by_label("Name of the connection").fill(PRESS)
    page.get_by_label("Place in the plant").fill("Works/Hall 1")
    page.get_by_role("button", name="Name the points").click()
    expect(page.get_by_role("heading", name=re.compile("points proposed"))).to_be_visible()
    first = page.get_by_role("textbox", name="Tag").first
    first.fill("PT-900")
    page.get_by_role("button", name=re.compile("^Create with")).click()
    expect(page.get_by_role("heading", name=PRESS, level=1)).to_be_visible()


@pytest.fixture(scope="module")
def press() -> Iterator[str]:
    """The address of an OPC UA server that has a press."""
    with opcua_server() as url:
        yield url


@pytest.fixture
def connected(page, platform, press) -> Page:
    """The press is connected: by an earlier test or now."""
    with platform.sdk() as sdk:
        known = {connector.name for connector in sdk.connectors()}
    if PRESS not in known:
        connect(page, press)
    page.goto(f"/connectors/{PRESS}")
    expect(page.locator(".facts")).to_contain_text("Connected")
    return page


@pytest.fixture(scope="module")
def dosing(platform):
    """A Modbus device with writable points, one of which the device does not have, connected as `DOSING`."""
    with modbus_device(free_port()) as url, platform.sdk() as sdk:
        nodes = [
            {"address": address, "name": name, "path": [name], "leaf": True, "storage": storage}
            for name, (address, storage) in SET_POINTS.items()
        ]
        points = sdk.propose("dosing", nodes, thing=DOSING)
        for point in points:
            point["writable"] = True
            if point["name"].endswith("#rate"):
                point |= {"unit": "l/h", "low": -500, "high": 500}
        sdk.create_connector("dosing", url, protocol="modbus", settings={"interval": 0.2}, points=points)
        yield DOSING
        sdk.remove_connector("dosing")


def thumbprints(url: str) -> list[str]:
    """What the server at ``url`` itself shows: SHA-1 and SHA-256 of its certificate, in groups of four."""
    with ThreadLoop() as loop:
        certificate = Client(url, tloop=loop).connect_and_get_server_endpoints()[0].ServerCertificate
    found = [hashlib.new(name, certificate).hexdigest().upper() for name in ("sha1", "sha256")]
    return [" ".join(re.findall("....", one)) for one in found]
