"""The page of the edge nodes in a real Chromium, with a real node that joins, runs a connection, and is shut out."""

from __future__ import annotations

import re

import pytest
from free_ports import free_port
from modbus_device import modbus_device
from opcua_device import secure_opcua_device
from playwright.sync_api import Locator, Page, expect
from running import RunningPlatform
from running_edge import RunningEdge

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
NODE = "press"


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    """A platform that edge nodes can reach."""
    directory = tmp_path_factory.mktemp("centre")
    with RunningPlatform(directory, free_port, settings=f"leaf_port = {free_port()}\n") as running:
        yield running


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """The machine beside the press; stopped with the module."""
    with RunningEdge(tmp_path_factory.mktemp("machine") / "edge", NODE) as edge:
        yield edge


@pytest.fixture
def node(platform, machine) -> RunningEdge:
    """The same machine, running as an approved node: since an earlier test, or from now on."""
    with platform.sdk() as sdk:
        if not sdk.edges():
            joining = machine.join(platform.url, sdk.invite_edge("press hall").secret)
            sdk.decide_edge(NODE, "approve", fingerprint=machine.fingerprint())
            assert joining.wait(30) == 0, machine.log.read_text()
        elif sdk.edges()[0].state != "approved":
            sdk.decide_edge(NODE, "approve")
    if machine.process is None:
        machine.start()
    return machine


def row(page: Page) -> Locator:
    return page.locator("tbody tr", has_text=NODE)


def invite(page: Page, label: str) -> str:
    """Makes an invitation and gives the command that the page shows, this once."""
    page.goto("/edges")
    page.get_by_role("button", name="Invite a node").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("For which machine").fill(label)
    dialog.get_by_label("Can be used for").select_option("8")
    dialog.get_by_role("button", name="Make the invitation").click()
    dialog.get_by_label("Name of the node").fill(NODE)
    command = dialog.locator("[data-command]").inner_text()
    secret = dialog.locator("[data-secret]").inner_text()
    assert command.endswith(f" --name {NODE} --invitation {secret}")
    dialog.get_by_role("button", name="I have kept it").click()
    expect(dialog).to_have_count(0)
    assert secret not in page.content()
    return command


def invitations(page: Page) -> Locator:
    return page.locator("section", has=page.get_by_role("heading", name="Open invitations")).locator("li")


def look_at(page: Page, url: str) -> None:
    """Begins a new connection on the node."""
    page.goto("/connectors/add")
    page.get_by_label("Address of the device").fill(url)
    page.get_by_label("Runs on").select_option(NODE)
    page.get_by_role("button", name="Look at the device").click()


def test_a_node_joins_by_the_shown_command_and_is_approved_by_its_fingerprint(page, platform, machine):
    page.goto("/edges")
    expect(page.get_by_role("heading", name="No edge nodes yet")).to_be_visible()
    command = invite(page, "Press hall")
    expect(invitations(page)).to_contain_text("Press hall")
    assert command.startswith(f"hulian edge join {platform.url} ")

    joining = machine.types(command)
    shown = machine.fingerprint()
    card = page.get_by_role("region", name=f"{NODE} asks to come in")
    expect(card).to_be_visible()
    assert "-".join(card.locator("[data-fingerprint] code").all_inner_texts()) == shown
    expect(invitations(page)).to_have_count(0)
    with page.expect_request("**/api/v1/edges/press") as sent:
        card.get_by_role("button", name="They are the same: approve").click()
    assert sent.value.post_data_json == {"decision": "approve", "fingerprint": shown}
    assert joining.wait(30) == 0, machine.log.read_text()
    expect(row(page)).to_contain_text("Approved, silent")
    machine.start()
    expect(row(page).get_by_text("Approved", exact=True)).to_be_visible()
    expect(row(page)).to_contain_text("ago")
    expect(row(page)).to_contain_text(re.compile(r"20\d\d-\d\d-\d\d"))


def test_a_connection_runs_on_the_node_and_a_revoked_node_is_cut_off(page, platform, node, ports):
    with modbus_device(ports()) as url, platform.sdk() as sdk:
        look_at(page, url)
        expect(page.get_by_role("tree", name="What the device shows").locator(".node").first).to_be_visible()
        page.get_by_role("button", name="Enter addresses by hand").click()
        page.get_by_label("Address", exact=True).first.fill("holding@0:uint16")
        page.get_by_label("Name", exact=True).first.fill("level")
        page.get_by_label("Type").first.select_option("integer")
        page.get_by_label("Name of the connection").fill("tank")
        page.get_by_label("Thing").fill("tank")
        page.get_by_role("button", name="Name the points").click()
        page.get_by_role("button", name="Create with 1 points").click()
        expect(page.get_by_role("heading", name="tank", level=1)).to_be_visible()
        expect(page.locator(".facts")).to_contain_text("Connected")
        expect(page.locator(".pagehead").get_by_role("link", name=NODE)).to_be_visible()
        expect(page.locator(".columns li", has_text="level")).to_contain_text(re.compile(r"[1-9]"))
        page.goto("/connectors")
        expect(page.locator("li.card", has_text="tank")).to_contain_text(NODE)

        page.goto("/edges")
        expect(row(page).get_by_role("link", name="tank")).to_be_visible()
        expect(row(page)).to_contain_text(re.compile(r"order \d+ runs$|order \d+ runs\b(?!;)"))
        row(page).get_by_role("button", name="Revoke").click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("cut off within seconds")
        dialog.get_by_role("button", name="Revoke").click()
        expect(row(page).get_by_text("Revoked", exact=True)).to_be_visible()
        page.goto("/connectors/tank")
        expect(page.locator(".facts")).to_contain_text("No status yet")

        page.goto("/edges")
        row(page).get_by_role("button", name="Remove press?").click()
        expect(dialog).to_contain_text("move or delete them first")
        dialog.get_by_role("button", name="Remove").click()
        expect(page.get_by_text("move or remove them first")).to_be_visible()
        dialog.get_by_role("button", name="Cancel").click()

        row(page).get_by_role("button", name="Approve again").click()
        print_ = "-".join(dialog.locator("[data-fingerprint] code").all_inner_texts())
        assert print_ == sdk.edges()[0].fingerprint
        dialog.get_by_role("button", name="They are the same: approve").click()
        expect(row(page).get_by_text("Approved", exact=True)).to_be_visible()
        page.goto("/connectors/tank")
        expect(page.locator(".facts")).to_contain_text("Connected")
        sdk.remove_connector("tank")


def test_a_certificate_that_the_node_met_is_approved_under_the_nodes_name(page, node, ports):
    with secure_opcua_device(ports(), 365) as url:
        look_at(page, url)
        dialog = page.get_by_role("dialog")
        expect(dialog.locator("dl")).to_contain_text(url)
        expect(dialog.locator("dl")).to_contain_text(re.compile(rf"Edge node\s*{NODE}"))
        dialog.get_by_role("button", name="Close").click()
        page.goto("/connectors")
        expect(page.get_by_role("status").filter(has_text="waits for your approval")).to_contain_text(
            f"seen by the edge node {NODE}"
        )
        look_at(page, url)
        dialog.get_by_role("button", name="Approve").click()
        expect(page.get_by_role("tree", name="What the device shows").locator(".node").first).to_be_visible()


def test_an_invitation_is_withdrawn(page, node):
    invite(page, "never used")
    invitations(page).get_by_role("button", name="Withdraw").click()
    page.get_by_role("dialog").get_by_role("button", name="Withdraw").click()
    expect(page.get_by_text("Invitation withdrawn")).to_be_visible()
    expect(invitations(page)).to_have_count(0)


def test_the_page_fits_a_telephone_and_speaks_chinese(phone, node, platform):
    with platform.sdk() as sdk:
        sdk.invite_edge("a long label of a machine that stands in the hall behind the other hall")
    phone.goto("/edges")
    expect(row(phone)).to_be_visible()
    assert phone.evaluate("document.documentElement.scrollWidth") <= 360
    assert phone.evaluate(
        "document.querySelector('.tablewrap').scrollWidth <= document.querySelector('.tablewrap').clientWidth"
    )
    phone.get_by_role("button", name="Invite a node").click()
    dialog = phone.get_by_role("dialog")
    dialog.get_by_label("For which machine").fill("hall 4")
    dialog.get_by_role("button", name="Make the invitation").click()
    expect(dialog.locator("[data-command]")).to_be_visible()
    assert phone.evaluate("document.querySelector('dialog').scrollWidth") <= 360
    phone.goto("/settings")
    phone.get_by_role("button", name="中文").click()
    phone.goto("/edges")
    expect(phone.get_by_role("heading", name="边缘节点", level=1)).to_be_visible()
    expect(row(phone)).to_contain_text("已批准")
    assert phone.evaluate("document.documentElement.scrollWidth") <= 360
