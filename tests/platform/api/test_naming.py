"""What the console shows of identifiers, against five real nodes: root, top level, second level, enterprise, recursive."""

from __future__ import annotations

import msgspec
import pypdfium2
import pytest
from identifier_nodes import NODE_KEY, URL, hierarchy, identity, site, text

from hulian.kernel.errors import ConfigurationError
from hulian.network.identifiers.carriers.symbols.read import read_image
from hulian.network.identifiers.chain.errors import RefusedError
from hulian.network.identifiers.schemes.errors import SchemeError
from hulian.network.identifiers.store import Listing
from hulian.network.identifiers.wire.values import unpack_values
from hulian.platform.api.errors import ConflictError, NotFoundError, RequestError, TooManyError, UnavailableError
from hulian.platform.api.naming import labels
from hulian.platform.api.naming.contract import IdentifierNode
from hulian.platform.api.naming.pace import Pace
from hulian.platform.api.naming.service import Naming
from hulian.platform.api.naming.views import LabelItem, LabelsBody, SheetBody
from hulian.platform.api.refusals import status_of

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend():
    return "asyncio"


@pytest.fixture(scope="module")
async def plant(tmp_path_factory):
    async with hierarchy(tmp_path_factory.mktemp("nodes")) as made:
        made.stores["enterprise"].create("88.111.1/01/09506000134352", [text("URL", "https://example.com/gtin")])
        made.stores["enterprise"].create("88.111.1/key", [text("HS_SECKEY", "a secret", 300), text("DESC", "shown", 1)])
        yield made


@pytest.fixture
async def naming(plant) -> Naming:
    return Naming(
        IdentifierNode(
            role="enterprise",
            host="127.0.0.1",
            port=plant.ports["enterprise"],
            prefixes=("88.111.1",),
            root=lambda: plant.root,
            identity=lambda: identity(NODE_KEY),
            listing=lambda: Listing(plant.registries[-1]),
            gs1_prefix="88.111.1",
        )
    )


async def test_a_name_is_followed_from_the_root_and_each_hop_is_told(naming, plant):
    found = await naming.resolving.resolve(" 88.111.1/item7 ")
    assert (found.outcome, found.scheme, found.handle) == ("found", "handle", "88.111.1/item7")
    assert [(hop.node, hop.asked, hop.code) for hop in found.path] == [
        ("root", "0.NA/88.111.1", 303),
        ("between", "0.NA/88.111.1", 303),
        ("between", "0.NA/88.111.1", 1),
        ("answer", "88.111.1/item7", 1),
    ]
    assert found.path[0].address == f"udp://127.0.0.1:{plant.ports['root']}"
    assert all(hop.ms > 0 for hop in found.path)
    # What only administrators may read is not among what everybody resolves.
    assert [value["data"]["value"] for value in found.values] == [URL]
    known = await naming.resolving.resolve("88.111.1/ITEM7")
    assert [hop.node for hop in known.path] == ["answer"], "the way is remembered"
    assert len((await naming.resolving.resolve("88.111.1/ITEM7", fresh=True)).path) == 4


async def test_what_was_scanned_is_read_by_its_scheme(naming):
    box = await naming.resolving.resolve("]C10109506000134352")
    assert (box.scheme, box.normal, box.handle) == ("gs1", "(01)09506000134352", "88.111.1/01/09506000134352")
    assert (box.outcome, box.parts) == ("found", {"01": "09506000134352"})
    link = await naming.resolving.resolve("https://id.example.com/01/09506000134352/10/ABC")
    assert (link.outcome, link.handle) == ("found", "88.111.1/01/09506000134352")
    named = await naming.resolving.resolve("did:web:example.com")
    assert (named.outcome, named.path, named.scheme) == ("nothing", [], "did")
    assert "systems of their own" in named.message
    with pytest.raises(SchemeError, match="check digit") as caught:
        await naming.resolving.resolve("9506000134353")
    assert caught.value.code == "HL-ID-0103"


async def test_nothing_and_failure_are_two_answers_and_a_failure_has_its_path(naming, plant):
    nothing = await naming.resolving.resolve("88.111.1/nowhere")
    assert (nothing.outcome, nothing.code, nothing.error) == ("nothing", 100, None)
    circle = await naming.resolving.resolve("88.111.1/round")
    assert (circle.outcome, circle.error.code) == ("failed", "HL-ID-0402")
    assert circle.path
    assert circle.error.hint
    assert [hop.node for hop in circle.path] == ["between"] * len(circle.path)
    plant.stores["second"].create("0.NA/88.111.8", [site(9, key=b"")])
    away = await naming.resolving.resolve("88.111.8/x")
    assert (away.outcome, away.error.code) == ("failed", "HL-ID-0401")
    assert away.path[-1].error
    assert away.path[-1].code == 0


async def test_without_root_data_no_walk_begins_and_new_ones_are_taken(naming, plant):
    node = naming.resolving._node
    broken = []

    def root():
        if broken:
            raise ConfigurationError("cannot read the root data", place="root_info")
        return plant.root

    changing = Naming(IdentifierNode(**{**vars(node), "root": root}))
    first = await changing.resolving.way()
    assert await changing.resolving.way() is first
    broken.append(1)
    with pytest.raises(UnavailableError, match="no walk can begin") as caught:
        await changing.resolving.resolve("88.111.1/item7")
    assert caught.value.place == "root_info"


async def test_the_tiers_are_shown_from_the_root_down_with_their_health(naming, plant):
    shown = await naming.tiers.overview()
    assert shown.own.ok
    assert shown.own.ms > 0
    assert [(one.prefix, one.more) for one in shown.own.prefixes] == [("88.111.1", False)]
    assert shown.own.prefixes[0].records >= 7
    assert [tier.prefix for tier in shown.tiers] == ["0.NA", "88", "88.111", "88.111.1"]
    ports = [plant.ports[name] for name in ("root", "top", "second", "enterprise")]
    for tier, port in zip(shown.tiers, ports, strict=True):
        (server,) = tier.sites[0].servers
        assert (server.ok, server.address) == (True, f"udp://127.0.0.1:{port}"), tier
    assert [tier.sites[0].own for tier in shown.tiers] == [False, False, False, True]
    plant.stores["second"].create("0.NA/88.111.7", [site(9, key=b"")])
    dead = await naming.tiers.tier("88.111.7")
    assert (dead.sites[0].servers[0].ok, dead.sites[0].servers[0].ms) == (False, None)
    assert dead.sites[0].servers[0].error
    assert (await naming.tiers.tier("77.1")).sites == []


async def test_how_far_a_mirror_is_behind_is_the_difference_of_two_logs(naming, plant):
    """The second level stands in for a mirror of the enterprise's service: both tell the node's key how long their log is."""
    store = plant.stores["second"]
    before = next(value for value in unpack_values(store.packed(b"0.NA/88.111.1")) if value.type == "HS_SITE")
    mirror = site(plant.ports["second"], index=9, flags=0)
    others = [value for value in unpack_values(store.packed(b"0.NA/88.111.1")) if value != before]
    store.replace("0.NA/88.111.1", [before, mirror, *others])
    tier = await naming.tiers.tier("88.111.1")
    store.replace("0.NA/88.111.1", [before, *others])
    primary, copy = sorted(tier.sites, key=lambda one: not one.primary)
    longer, shorter = plant.stores["enterprise"].log.last, store.log.last - 1
    assert (primary.changes, primary.behind) == (longer, None)
    assert (copy.changes, copy.behind) == (shorter, max(0, longer - shorter))


async def test_records_are_listed_in_pages_and_secrets_stay_secret(naming):
    first = await naming.records.page("88.111.1/", "", 3)
    assert len(first.items) == 3
    assert not first.more
    rest = await naming.records.page("88.111.1/", first.next, 500)
    names = [item.handle for item in first.items + rest.items]
    assert names == sorted(names, key=str.upper)
    assert len(set(names)) == first.total == len(names)
    assert rest.next is None
    item = (await naming.records.page("88.111.1/ITEM", "", 5)).items[0]
    assert item.types == ["URL"], "the type of what is not public is not told"
    assert (await naming.records.page("99", "", 5)).items == []
    key = await naming.records.read("88.111.1/key", whole=True)
    assert "a secret" not in msgspec.json.encode(key).decode()
    assert [value["data"]["format"] for value in key.values] == ["secret", "string"]
    with pytest.raises(NotFoundError):
        await naming.records.read("88.111.1/nowhere", whole=True)


async def test_a_record_is_made_changed_and_deleted_over_the_protocol(naming, plant):
    value = {"index": 1, "type": "URL", "data": {"format": "string", "value": "https://example.com/a"}}
    await naming.records.create("88.111.1/made", [value])
    with pytest.raises(RefusedError, match="exists") as caught:
        await naming.records.create("88.111.1/MADE", [value])
    assert status_of(caught.value) == 409
    note = {"index": 2, "type": "DESC", "data": "a pump"}
    private = {"index": 3, "type": "NOTE", "data": "for us", "permissions": "1100"}
    await naming.records.change("88.111.1/made", [note, private], [1])
    whole = await naming.records.read("88.111.1/made", whole=True)
    assert (whole.whole, [one["type"] for one in whole.values]) == (True, ["DESC", "NOTE"])
    public = await naming.records.read("88.111.1/made", whole=False)
    assert (public.whole, [one["type"] for one in public.values]) == (False, ["DESC"])
    log = plant.stores["enterprise"].log
    assert [change.handle for change in log.read(log.last - 3, 10)].count("88.111.1/made") == 3, (
        "the node's log has each change"
    )
    await naming.records.delete("88.111.1/made")
    with pytest.raises(NotFoundError):
        await naming.records.read("88.111.1/made", whole=True)
    with pytest.raises(ConflictError):
        await naming.records.delete("0.na/88.111.1")
    with pytest.raises(RequestError):
        await naming.records.change("88.111.1/made", [], [])
    with pytest.raises(RefusedError) as refused:
        await naming.records.create("88.111.1/made", [{"index": 1, "type": "HS_SITE", "data": "no site"}])
    assert status_of(refused.value) == 400


def body(**more) -> LabelsBody:
    listed = [LabelItem(identifier=f"88.111.1/P-{number}", lines=["泵"]) for number in range(1, 8)]
    return LabelsBody(**{"labels": listed, "sheet": SheetBody(across=2, down=2, margin=8), **more})


async def test_labels_are_pages_of_pictures_or_one_pdf():
    sheet = body()
    assert labels.page_count(sheet) == 2
    assert b"<svg" in (await labels.picture(body(number=2)))[:200]
    drawn = await labels.picture(
        body(form="png", number=2, labels=[LabelItem(identifier=f"88.111.1/P-{n}") for n in range(1, 8)])
    )
    assert sorted(found.text for found in read_image(drawn)) == ["88.111.1/P-5", "88.111.1/P-6", "88.111.1/P-7"]
    parts = [part async for part in labels.pdf(sheet)]
    assert len(parts) > 2, "it is sent while it is drawn"
    assert len(pypdfium2.PdfDocument(b"".join(parts))) == 2
    with pytest.raises(RequestError, match="2 pages"):
        await labels.picture(body(number=3))
    with pytest.raises(SchemeError) as caught:
        await anext(labels.pdf(body(labels=[LabelItem(identifier="88.111.1/a"), LabelItem(identifier="9506000134353")])))
    assert "$.labels[1]" in str(caught.value.place)


def test_a_person_asks_at_a_pace_and_others_are_not_held_up():
    now = [0.0]
    pace = Pace(2.0, 4.0, clock=lambda: now[0])
    for _ in range(4):
        pace.take("lina")
    with pytest.raises(TooManyError) as caught:
        pace.take("lina")
    assert caught.value.seconds >= 1
    pace.take("chen", 4.0)
    now[0] = 0.5
    pace.take("lina")
    with pytest.raises(TooManyError):
        pace.take("lina")
    for number in range(2_000):
        pace.take(f"user {number}")
    assert len(pace._left) == 1_000
