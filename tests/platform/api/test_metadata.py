"""Metadata templates and statistics as the console has them, against a real enterprise node."""

from __future__ import annotations

import time
from typing import Any

import pytest
from identifier_nodes import NODE_KEY, hierarchy, identity, text

from hulian.network.identifiers.chain.errors import RefusedError
from hulian.network.identifiers.metadata.errors import TemplateError, TemplateMissingError
from hulian.network.identifiers.statistics.counts import Counts, Kind, Latency
from hulian.network.identifiers.statistics.events import Cause, FaultEvent
from hulian.network.identifiers.statistics.faults import Fault
from hulian.network.identifiers.statistics.kept import DAY, Kept, begin_of
from hulian.network.identifiers.store import Listing
from hulian.platform.api.errors import ConflictError, NotFoundError, RequestError
from hulian.platform.api.naming import templates
from hulian.platform.api.naming.contract import IdentifierNode
from hulian.platform.api.naming.service import Naming
from hulian.platform.api.refusals import status_of

pytestmark = pytest.mark.anyio

PUMP = "88.111.1/types/pump"
MAKER = {"name": "maker", "type": "text", "index": 2000, "visibility": "public", "required": True}
POWER = {"name": "power", "type": "number", "index": 2001, "unit": "kW", "low": 0, "visibility": "public"}
PRICE = {"name": "price", "type": "number", "index": 2002, "required": True}


@pytest.fixture(scope="module")
def anyio_backend():
    return "asyncio"


@pytest.fixture(scope="module")
async def plant(tmp_path_factory):
    async with hierarchy(tmp_path_factory.mktemp("nodes")) as made:
        yield made


@pytest.fixture(scope="module")
async def naming(plant) -> Naming:
    registry = plant.stores["enterprise"].registry
    made = Naming(
        IdentifierNode(
            role="enterprise",
            host="127.0.0.1",
            port=plant.ports["enterprise"],
            prefixes=("88.111.1",),
            root=lambda: plant.root,
            identity=lambda: identity(NODE_KEY),
            listing=lambda: Listing(registry),
            figures=lambda: Kept(registry),
        )
    )
    await made.templates.publish(PUMP, {"title": {"en": "Pump"}, "attributes": [MAKER, POWER, PRICE]}, 1, new=True)
    return made


def record(handle: str, *values: tuple[int, str, str], template: str = f"1:{PUMP}") -> tuple[str, list[Any]]:
    named = [text("HULIAN.RECORD", template)] if template else []
    return f"88.111.1/{handle}", [*named, *(text(kind, data, index) for index, kind, data in values)]


async def test_versions_are_published_one_behind_the_other_and_stay(naming):
    with pytest.raises(RefusedError) as there:
        await naming.templates.publish(PUMP, {"attributes": [MAKER]}, 1, new=True)
    assert status_of(there.value) == 409
    with pytest.raises(ConflictError, match="version 1 of") as caught:
        await naming.templates.publish(PUMP, {"attributes": [MAKER]}, 1, new=False)
    assert "version 2" in caught.value.hint
    second = {"title": {"en": "Pump"}, "attributes": [MAKER, {**POWER, "unit": "W"}]}
    await naming.templates.publish(PUMP, second, 2, new=False)
    shown = await naming.templates.read(PUMP, whole=False)
    assert [one.version for one in shown.versions] == [2, 1]
    assert [one.template["attributes"][1]["unit"] for one in shown.versions] == ["W", "kW"]
    with pytest.raises(NotFoundError):
        await naming.templates.read("88.111.1/ITEM7", whole=True)


async def test_a_template_that_breaks_a_rule_is_refused_with_its_place(naming):
    with pytest.raises(TemplateError, match="has a unit, and is no number") as caught:
        await naming.templates.publish("88.111.1/types/x", {"attributes": [POWER, {**MAKER, "unit": "kg"}]}, 1, new=True)
    assert (caught.value.code, caught.value.place) == ("HL-ID-0701", "$.template.attributes[1]")
    with pytest.raises(TemplateError):
        await naming.templates.publish("88.111.1/types/x", {"attributes": []}, 1, new=True)


async def test_templates_are_listed_with_the_records_that_name_them(naming, plant, monkeypatch):
    store = plant.stores["enterprise"]
    for number in (1, 2):
        store.create(*record(f"listed-{number}", (2000, "maker", "ACME"), (2002, "price", "1")))
    (found,) = (await naming.templates.page("88.111.1/types/", "", 50, whole=False)).items
    assert (found.handle, found.title, found.versions, found.attributes) == (PUMP, {"en": "Pump"}, [1, 2], 2)
    assert found.records == 2
    shown = await naming.templates.read(PUMP, whole=True)
    assert shown.records == ["88.111.1/listed-1", "88.111.1/listed-2"]
    draft = [text("HULIAN.TEMPLATE.DRAFT", '{"attributes":[{"index":1,"name":"a","type":"text"}]}', 1, permissions=12)]
    store.create("88.111.1/types/secret", draft)
    everybody = await naming.templates.page("", "", 50, whole=False)
    whole = await naming.templates.page("", "", 50, whole=True)
    assert [len(one.items) for one in (everybody, whole)] == [1, 2], "what only administrators read is listed to them alone"
    # A page looks at so many records, and the next one goes on behind them.
    monkeypatch.setattr(templates, "SCANNED", 2)
    monkeypatch.setattr(templates, "_PART", 2)
    handles, after = [], ""
    while after is not None:
        page = await naming.templates.page("", after, 50, whole=True)
        handles += [one.handle for one in page.items]
        after = page.next
    assert handles == [one.handle for one in whole.items]


async def test_a_record_is_checked_and_every_broken_rule_is_told_by_attribute(naming, plant):
    """Written into the store itself, where nothing is checked: over the protocol such a record is refused."""
    store = plant.stores["enterprise"]
    store.create(*record("good", (2000, "maker", "ACME"), (2001, "power", "7.5"), (2002, "price", "9")))
    assert (await naming.templates.check("88.111.1/good", "", whole=True)).findings == 0
    values = (2001, "power", "-1"), (2005, "maker", "ACME"), (2009, "colour", "red")
    store.create(*record("bad", *values))
    found = await naming.templates.check("88.111.1/bad", "", whole=True)
    by_name = {one.name: [each.rule for each in one.findings] for one in found.attributes}
    assert by_name == {"maker": ["index", "required"], "power": ["low"], "price": ["required"]}
    assert [(one.attribute, one.rule, one.index) for one in found.others] == [("colour", "closed", 2009)]
    assert found.findings == 5
    assert next(one for one in found.attributes if one.name == "power").values == ["-1"]
    other = await naming.templates.check("88.111.1/good", f"2:{PUMP}", whole=True)
    assert [(one.attribute, one.rule) for one in other.others] == [("price", "closed")]


async def test_who_may_only_read_is_told_nothing_of_private_attributes(naming, plant):
    _, values = record("private", (2000, "maker", "ACME"))
    plant.stores["enterprise"].create("88.111.1/private", [*values, text("price", "9", 2002, permissions=12)])
    shown = await naming.templates.check("88.111.1/private", "", whole=False)
    assert (shown.whole, shown.findings) == (False, 0)
    assert next(one for one in shown.attributes if one.name == "price").values == []


async def test_a_template_that_is_missing_is_an_error_that_says_so(naming, plant):
    store = plant.stores["enterprise"]
    store.create(*record("lost", (2000, "maker", "ACME"), template="9:88.111.1/types/pump"))
    for handle, template in (("88.111.1/lost", ""), ("88.111.1/ITEM7", ""), ("88.111.1/ITEM7", f"7:{PUMP}")):
        with pytest.raises(TemplateMissingError):
            await naming.templates.check(handle, template, whole=True)
    with pytest.raises(RequestError):
        await naming.templates.check("88.111.1/ITEM7", "nonsense", whole=True)
    with pytest.raises(NotFoundError):
        await naming.templates.check("88.111.1/nowhere", "", whole=True)


async def test_statistics_are_hours_of_minutes_and_days(naming, plant):
    kept = Kept(plant.stores["enterprise"].registry)
    now = begin_of(60, time.time())
    hour, other = begin_of(3_600, now), begin_of(3_600, now) - 3 * 3_600

    def counted(successes: int, most: int, peak: int) -> Counts:
        latency = Latency(count=successes + 1, total=most * (successes + 1), least=1_000_000, most=most, least_at=1, most_at=2)
        return Counts(
            answers={Kind.RESOLVE: {1: successes, 100: 1}},
            latency={Kind.RESOLVE: latency},
            dropped=1,
            peak=peak,
            peak_at=now,
            created=2,
            registered=5,
        )

    fault = Fault(at=1, over=None, cause=Cause.NETWORK, code=FaultEvent.UPSTREAM_UNREACHABLE, subject="88.111", message="gone")
    kept.write(other, counted(3, 4_000_000, 7), {}, 0, [fault])
    kept.write(now, counted(1, 2_000_000, 9), {}, 0)
    found = await naming.figures.read("hour")
    assert (found.by, len(found.spans), found.complete) == ("hour", 48, False)
    busy = {one.begin: (one.requests, one.successes, one.peak) for one in found.spans if one.requests}
    assert list(busy.values()) == [(5, 3, 7), (3, 1, 9)]
    assert [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)) for at in (other, hour)] == list(busy)
    whole = found.whole
    assert (whole.requests, whole.successes, whole.dropped, whole.peak, whole.created, whole.registered) == (8, 4, 2, 9, 4, 5)
    resolve = whole.latency["resolve"]
    assert (resolve.count, resolve.min_ms, resolve.max_ms) == (6, 1.0, 4.0)
    assert [(one.kind, one.code, one.count) for one in found.answers] == [("resolve", 1, 4), ("resolve", 100, 2)]
    assert [(one.cause, one.over, one.subject) for one in found.faults] == [(1, None, "88.111")]
    days = await naming.figures.read("day")
    assert (days.by, len(days.spans)) == ("day", 30)
    assert sum(one.requests for one in days.spans) == 8
    # It may have become another day meanwhile.
    today = time.strftime("%Y-%m-%dT00:00:00Z", time.gmtime(begin_of(DAY, now)))
    assert today in [one.begin for one in days.spans[-2:]]
    blind = Naming(IdentifierNode(**{**vars(naming.figures._node), "figures": None}))
    with pytest.raises(NotFoundError):
        await blind.figures.read("hour")
