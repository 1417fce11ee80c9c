"""The console's pages of applications, templates and statistics in a real Chromium, at a node that gives prefixes out.

The node is the root of a hierarchy of its own and answers for 88.111; what is decided on a page is looked up in its records.
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterator

import httpx
import pytest
from applicants import applicant_key, proposal
from free_ports import free_port
from playwright.sync_api import Page, expect
from running import RunningPlatform

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

PUMP = {
    "title": {"en": "Pump", "zh": "泵"},
    "attributes": [
        {"name": "maker", "type": "text", "index": 2000, "visibility": "public", "required": True},
        {"name": "power", "type": "number", "index": 2001, "unit": "kW", "visibility": "public"},
    ],
}
PAGES = ("applications", "applications/new", "templates", "templates/new", "statistics")


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    naming = 'role = "root"\nprefixes = ["88.111"]'
    with RunningPlatform(tmp_path_factory.mktemp("office"), free_port, identifiers=True, naming=naming) as running:
        yield running


@pytest.fixture(scope="module")
def api(platform):
    """The API for a program that may do everything, with a template and a record that follows it."""
    with httpx.Client(
        base_url=f"{platform.url}/api/v1", headers={"Authorization": f"Bearer {platform.token()}"}, timeout=30
    ) as client:
        deadline = time.monotonic() + 60
        while client.get("/identifiers/nodes").status_code != 200:  # the resolver starts last, and nobody waits for it
            assert time.monotonic() < deadline
            time.sleep(0.2)
        reply = client.post("/identifiers/templates", json={"handle": "88.111/types/valve", "template": PUMP})
        assert reply.status_code == 201, reply.text
        follows = {"index": 1, "type": "HULIAN.RECORD", "data": "1:88.111/types/valve"}
        values = [follows, {"index": 2000, "type": "maker", "data": "ACME"}]
        reply = client.post("/identifiers/records", json={"handle": "88.111/valve-1", "values": values})
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
def page(administrator, api) -> Iterator[Page]:
    yield administrator.page
    assert administrator.errors == []


@pytest.fixture
def phone(administrator, visiting, api) -> Iterator[Page]:
    telephone = {"viewport": {"width": 360, "height": 760}, "device_scale_factor": 2, "has_touch": True, "is_mobile": True}
    visit = visiting(**telephone, storage_state=administrator.context.storage_state())
    yield visit.page
    visit.context.close()
    assert visit.errors == []


def signed(prefix: str, name: str, key: str = "pumps") -> dict[str, str]:
    made = proposal(prefix, applicant_key(key), organisation={"name": name})
    return {"registration": made.text, "signature": base64.b64encode(made.signature).decode()}


def fill(page: Page, prefix: str, number: str = "91350100M000100Y43") -> None:
    page.locator(".field.prefix input").fill(prefix)
    page.get_by_label("What it is for").fill("identifiers of pumps")
    page.get_by_label("Name", exact=True).fill("Example Pumps Ltd.")
    page.get_by_label("Number in the register").fill(number)
    page.get_by_label("Industry").fill("C3441")
    page.get_by_role("textbox", name="Contact").fill("Li Hua")
    page.get_by_label("Mail").fill("li.hua@pumps.example")
    page.get_by_label("IP address").fill("192.0.2.7")


def take(page: Page, step: str, reason: str = "") -> None:
    """One step, as it is offered on the page of an application."""
    page.get_by_role("region", name="What can be done now").get_by_role("button", name=step, exact=True).click()
    dialog = page.get_by_role("dialog")
    if reason:
        dialog.locator("textarea").fill(reason)
    dialog.get_by_role("button", name=step, exact=True).click()
    expect(dialog).to_have_count(0)


def offered(page: Page) -> list[str]:
    return page.get_by_role("region", name="What can be done now").get_by_role("button").all_text_contents()


def stands(page: Page, state: str) -> None:
    expect(page.locator(".title .mark")).to_have_text(state)


def test_a_prefix_is_applied_for_decided_and_its_history_is_sealed(page, api):
    page.goto("/identifiers/applications")
    page.get_by_role("link", name="New application").click()
    fill(page, "88.111.7", number="91350100M000100Y44")
    page.get_by_role("button", name="Sign and apply").click()
    refused = page.get_by_role("alert")
    expect(refused.locator("code")).to_have_text("HL-ID-0801")
    expect(refused).to_contain_text("would be 3")
    expect(page.get_by_label("Number in the register")).to_be_focused()
    page.get_by_label("Number in the register").fill("91350100M000100Y43")
    page.get_by_role("button", name="Sign and apply").click()
    stands(page, "Submitted")
    assert offered(page) == ["Approve", "Review", "Ask for more", "Amend the data", "Withdraw", "Reject"]
    expect(page.get_by_text("192.0.2.7 is not reachable from everywhere")).to_be_visible()
    take(page, "Review", "the register knows them")
    stands(page, "In review")
    take(page, "Approve")
    stands(page, "Approved")
    assert offered(page) == ["Transfer", "Suspend", "Revoke"]
    assert [one["type"] for one in record(api, "0.NA/88.111.7")] == ["HS_SITE", "HS_ADMIN", "HS_PUBKEY"]
    suspend = page.get_by_role("button", name="Suspend", exact=True)
    suspend.click()
    expect(page.get_by_role("dialog").get_by_role("button", name="Suspend", exact=True)).to_be_disabled()
    page.keyboard.press("Escape")
    take(page, "Suspend", "the contact cannot be reached")
    stands(page, "Suspended")
    assert "HS_SITE" not in [one["type"] for one in record(api, "0.NA/88.111.7")]
    take(page, "Resume")
    stands(page, "Approved")
    take(page, "Revoke", "wound up")
    stands(page, "Revoked")
    expect(page.get_by_role("region", name="What can be done now")).to_have_count(0)
    assert api.get("/identifiers/records/0~2ENA~2F88~2E111~2E7").status_code == 404
    history = page.get_by_role("region", name="History").get_by_role("listitem")
    expect(history).to_have_count(6)
    expect(history.nth(0)).to_contain_text("wound up")
    expect(history.nth(5)).to_contain_text("Applied")
    page.get_by_role("link", name="All applications").click()
    page.get_by_label("State").select_option("approved")
    expect(page.get_by_text("No applications in this state")).to_be_visible()
    page.get_by_label("State").select_option("revoked")
    expect(page.get_by_role("link", name=re.compile("^88.111.7"))).to_contain_text("Revoked")
    page.get_by_role("button", name="Check the seals").click()
    expect(page.get_by_role("region", name="Seals of the history")).to_contain_text("All seals hold")
    steps = [entry["details"]["do"] for entry in trail(api) if entry["resource"].startswith("application:")]
    assert {"apply", "review", "approve", "suspend", "resume", "revoke"} <= set(steps)


def record(api, handle: str) -> list[dict]:
    return api.get(f"/identifiers/resolve?text={handle}&fresh=true").json()["values"]


def trail(api) -> list[dict]:
    answer = api.get("/audit", params={"limit": 200}).json()
    return [
        {**one, "details": json.loads(one["details"]) if isinstance(one.get("details"), str) else one.get("details") or {}}
        for one in (answer if isinstance(answer, list) else answer["items"])
    ]


def test_who_was_slower_is_told_and_sees_what_the_other_has_done(page, api):
    made = api.post("/identifiers/applications", json={"signed": signed("88.111.8", "Valves Ltd.")}).json()
    page.goto(f"/identifiers/applications/{made['id']}")
    stands(page, "Submitted")
    assert offered(page) == ["Approve", "Review", "Ask for more", "Reject"], "what its applicant alone may do is not offered"
    page.get_by_role("button", name="Approve", exact=True).click()
    reply = api.post(f"/identifiers/applications/{made['id']}/reject", json={"reason": "another company's number"})
    assert reply.status_code == 200
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Approve", exact=True).click()
    expect(dialog.get_by_role("alert").locator("code")).to_have_text("HL-ID-0808")
    expect(dialog.get_by_role("alert")).to_contain_text("read it again, and decide anew")
    dialog.get_by_role("button", name="Cancel").click()
    stands(page, "Rejected")
    expect(page.get_by_role("region", name="What can be done now")).to_have_count(0)


def test_files_are_handed_over_and_taken_in_and_a_prefix_changes_hands(page, api, tmp_path):
    page.goto("/identifiers/applications/new")
    fill(page, "88.111.9")
    page.get_by_role("radio", name="A file to hand over").check()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Sign and save the file").click()
    assert saved.value.suggested_filename == "88.111.9.signed.json"
    handed = tmp_path / "handed.json"
    handed.write_bytes(saved.value.path().read_bytes())
    page.get_by_role("link", name="Cancel").click()
    nothing = tmp_path / "nothing.json"
    nothing.write_text("{}")
    page.get_by_label("From a signed file").set_input_files(nothing)
    expect(page.get_by_text("This file holds no signed registration.")).to_be_visible()
    page.get_by_label("From a signed file").set_input_files(handed)
    stands(page, "Submitted")
    take(page, "Approve")
    stands(page, "Approved")
    consent = tmp_path / "consent.json"
    consent.write_text(json.dumps(signed("88.111.9", "Valves Ltd.", "valves")))
    page.get_by_role("button", name="Transfer", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Signed registration of the new owner").set_input_files(consent)
    expect(dialog).to_contain_text("88.111.9 goes to Valves Ltd.")
    dialog.get_by_role("textbox", name="Reason").fill("the product line is sold")
    dialog.get_by_role("button", name="Transfer", exact=True).click()
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("region", name="Registration")).to_contain_text("Valves Ltd.")


def test_more_is_asked_for_and_the_applicant_amends(page, api):
    page.goto("/identifiers/applications/new")
    fill(page, "88.111.10")
    page.get_by_role("button", name="Sign and apply").click()
    stands(page, "Submitted")
    take(page, "Ask for more", "which parts are meant?")
    stands(page, "Incomplete")
    assert offered(page) == ["Amend the data", "Withdraw", "Reject"]
    page.get_by_role("button", name="Amend the data").click()
    expect(page.locator(".field.prefix input")).not_to_be_editable()
    page.get_by_label("What it is for").fill("pumps and their bearings")
    page.get_by_role("button", name="Sign and send").click()
    stands(page, "Submitted")
    expect(page.get_by_role("region", name="Registration")).to_contain_text("pumps and their bearings")
    take(page, "Withdraw")
    stands(page, "Withdrawn")


def test_templates_are_published_compared_and_records_checked(page, api):
    page.goto("/identifiers/templates")
    page.get_by_role("link", name="New template").click()
    page.get_by_label("Identifier of the template").fill("88.111/types/pump")
    page.get_by_label("Title (English)").first.fill("Pump")
    first = page.locator("fieldset").nth(0)
    first.get_by_label("Attribute", exact=True).fill("maker")
    first.get_by_label("A record must have it").check()
    page.get_by_role("button", name="Add an attribute").click()
    second = page.locator("fieldset").nth(1)
    second.get_by_label("Attribute", exact=True).fill("maker")
    second.get_by_label("Type").select_option("number")
    second.get_by_label("Unit").fill("kW")
    page.get_by_role("button", name="Publish version 1").click()
    expect(second.get_by_role("alert")).to_contain_text("two attributes are named maker")
    expect(second.get_by_role("alert").locator("code")).to_have_text("HL-ID-0701")
    second.get_by_label("Attribute", exact=True).fill("power")
    page.get_by_role("button", name="Publish version 1").click()
    attributes = page.get_by_role("region", name="Attributes")
    expect(attributes).to_contain_text("kW")
    page.get_by_role("button", name="New version").click()
    row = page.locator("fieldset[data-attribute=power]")
    row.get_by_label("Unit").fill("W")
    row.get_by_label("At least").fill("0")
    page.get_by_role("button", name="Publish version 2").click()
    changes = page.get_by_role("region", name="What is different").get_by_role("listitem")
    expect(changes).to_have_count(1)
    expect(changes).to_contain_text("power")
    expect(changes.locator("del")).to_have_text("kW")
    expect(changes.locator("ins")).to_have_text(["W", "0"])
    attributes.get_by_role("button", name="Version 1").click()
    expect(attributes).to_contain_text("kW")
    expect(page.get_by_role("region", name="What is different")).to_have_count(0)
    follows = {"index": 1, "type": "HULIAN.RECORD", "data": "1:88.111/types/pump"}
    values = [follows, {"index": 2000, "type": "maker", "data": "ACME"}, {"index": 2001, "type": "power", "data": "-7.5"}]
    assert api.post("/identifiers/records", json={"handle": "88.111/pump-17", "values": values}).status_code == 201
    page.get_by_label("Identifier of the record").fill("88.111/pump-17")
    check = page.get_by_role("region", name="Does a record follow it?")
    check.get_by_role("button", name="Check").click()
    expect(check.get_by_role("status")).to_contain_text("The record follows its template")
    attributes.get_by_role("button", name="Version 2").click()
    expect(check.get_by_role("status")).to_contain_text("Rules broken: 1")
    expect(check.locator("li.wrong")).to_contain_text("Too small: -7.5 is below 0")
    page.goto("/identifiers/records/88~2E111~2Fpump-17")
    page.get_by_role("button", name="Check").click()
    expect(page.get_by_role("status").filter(has_text="The record follows")).to_be_visible()


def test_statistics_are_tiles_a_chart_and_a_table(page, api):
    for _ in range(3):
        assert api.get("/identifiers/resolve", params={"text": "88.111/valve-1"}).json()["outcome"] == "found"
    assert api.get("/identifiers/resolve", params={"text": "88.111/none"}).json()["outcome"] == "nothing"
    told = api.get("/identifiers/statistics").json()
    assert told["complete"], "the node was asked to write what it has counted"
    page.goto("/identifiers/statistics")
    for name in ("Questions", "Successes", "Resolve, mean", "Register, mean", "Peak", "Records", "Faults"):
        expect(page.locator("dt", has_text=name)).to_have_count(1)
    answers = page.get_by_role("region", name="Answers")
    expect(answers.get_by_role("row", name=re.compile("Resolve there is no such handle"))).to_be_visible()
    chart = page.get_by_role("region", name="Questions")
    expect(chart.locator("svg g")).to_have_count(48)
    chart.get_by_text("As a table").click()
    expect(chart.get_by_role("row")).not_to_have_count(1)
    faults = page.get_by_role("region", name="Faults")
    expect(faults).to_contain_text("The identifier node was started.")
    expect(faults).to_contain_text("HL-ID-0951")
    page.get_by_role("button", name="30 days").click()
    expect(chart.locator("svg g")).to_have_count(30)
    expect(page).to_have_url(re.compile(r"by=day"))


def test_who_may_only_read_sees_no_contact_and_decides_nothing(api, platform):
    made = api.post("/identifiers/applications", json={"signed": signed("88.111.30", "Motors plc")}).json()
    issued = api.post("/tokens", json={"label": "reader", "scopes": ["read"]}).json()
    with httpx.Client(base_url=api.base_url, headers={"Authorization": f"Bearer {issued['secret']}"}, timeout=30) as reader:
        shown = reader.get(f"/identifiers/applications/{made['id']}").json()
        assert ("contact" in shown["registration"]["organisation"], shown["actions"]) == (False, [])
        assert [one["prefix"] for one in reader.get("/identifiers/applications?state=submitted").json()["items"]]
        assert reader.get("/identifiers/records/88~2E111~2Fvalve-1/check").json()["findings"] == 0
        for path, body in (
            ("/identifiers/applications", {"signed": signed("88.111.31", "x")}),
            (f"/identifiers/applications/{made['id']}/approve", {}),
            ("/identifiers/registrations", {"registration": {}}),
            ("/identifiers/templates", {"handle": "88.111/t", "template": PUMP}),
            ("/identifiers/templates/88~2E111~2Ftypes~2Fvalve", {"template": PUMP, "version": 2}),
        ):
            refused = reader.post(path, json=body)
            assert (refused.status_code, refused.json()["code"]) == (403, "HL-TRUST-0002"), path


def test_pages_fit_a_telephone_in_both_languages_and_states_have_words(phone, api):
    made = api.post(
        "/identifiers/applications", json={"signed": signed("88.111.40", "一家名称很长的示例泵业有限责任公司")}
    ).json()
    paths = [*PAGES, f"applications/{made['id']}", "templates/88~2E111~2Ftypes~2Fvalve"]
    for language, word in (("English", "Submitted"), ("中文", "已提交")):
        phone.goto("/settings")
        phone.get_by_role("button", name=language).click()
        expect(phone.locator("html")).to_have_attribute("lang", "en" if language == "English" else "zh-CN")
        for path in paths:
            phone.goto(f"/identifiers/{path}")
            expect(phone.locator(".skeleton")).to_have_count(0)
            expect(phone.locator("main h2, main dl, main ul").first).to_be_visible()
            wide = phone.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert wide <= 0, f"{path} in {language} is {wide} pixels too wide"
            cut = phone.evaluate(
                "[...document.querySelectorAll('main .segments a, main .segments button')]"
                ".filter(one => one.getBoundingClientRect().right > innerWidth).length"
            )
            assert cut == 0, path
        phone.goto(f"/identifiers/applications/{made['id']}")
        stands(phone, word)
        phone.goto("/identifiers/applications")
        expect(phone.get_by_role("link", name=re.compile(r"^88\.111\.40"))).to_contain_text(word)


def test_a_private_node_says_what_to_do_next(tmp_path, visiting):
    """What the page of a plant that is registered nowhere leads on with: a file to hand over."""
    with RunningPlatform(tmp_path / "private", free_port, identifiers=True) as running:
        visit = visiting.func(visiting.args[0], running.url)
        page = visit.login(running.user, running.password)
        page.goto("/identifiers/applications")
        expect(page.get_by_role("heading", name="This node gives out no prefixes")).to_be_visible()
        expect(page.get_by_text("identifiers.report_to")).to_be_visible()
        page.get_by_role("link", name="Fill in a registration").click()
        expect(page.get_by_role("radio", name="A file to hand over")).to_be_checked()
        expect(page.get_by_role("radio")).to_have_count(1)
        visit.context.close()
        assert visit.errors == []


def test_a_plant_applies_at_the_node_above_and_follows_its_application(tmp_path, visiting, platform, api):
    root = platform.data / "identifiers" / "root_info"
    naming = (
        f'role = "enterprise"\nprefixes = ["88.111.50"]\nroot = "{root}"\nreport_to = "http://127.0.0.1:{platform.rest_port}"'
    )
    with RunningPlatform(tmp_path / "plant", free_port, identifiers=True, naming=naming) as running:
        visit = visiting.func(visiting.args[0], running.url)
        page = visit.login(running.user, running.password)
        page.goto("/identifiers/applications")
        above = page.get_by_role("region", name="At the node above")
        expect(above).to_contain_text("No applications were made from this browser")
        above.get_by_role("link", name="New application").click()
        expect(page.get_by_role("radio", name=re.compile("The node above"))).to_be_checked()
        fill(page, "88.111.50")
        page.get_by_role("button", name="Sign and apply").click()
        stands(page, "Submitted")
        assert offered(page) == ["Amend the data", "Withdraw"]
        identity = page.url.rpartition("/")[2].partition("?")[0]
        reply = api.post(f"/identifiers/applications/{identity}/ask", json={"reason": "which parts are meant?"})
        assert reply.status_code == 200, reply.text
        page.get_by_role("link", name="All applications").click()
        above.get_by_role("link", name=re.compile(r"^88\.111\.50")).click()
        stands(page, "Incomplete")
        expect(page.get_by_role("region", name="History")).to_contain_text("which parts are meant?")
        visit.context.close()
        assert visit.errors == []
