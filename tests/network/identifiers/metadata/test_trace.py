"""Traces through three enterprises on three nodes: down, up, round, with nodes that are away, lie, or say nothing."""

from __future__ import annotations

import anyio
import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from identifier_nodes import asked, question, text
from metadata_nodes import grant, key, owner

from hulian.cli.tracing import drawn
from hulian.kernel.errors import HulianError
from hulian.network.identifiers.metadata.trace import AT_ONCE, Direction, State, trace
from hulian.network.identifiers.wire.bodies import read_answer
from hulian.network.identifiers.wire.codes import OpFlag, ResponseCode, Transport
from hulian.network.identifiers.wire.root_info import pack_root_info
from hulian.network.identifiers.wire.values import Reference

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]
MILL, FOUNDRY, MAKER = "88.111.3", "88.111.2", "88.111.1"


def refer(kind: str, handle: str, index: int, **more):
    return text(f"HULIAN.{kind}", handle, index, **more)


@pytest.fixture(scope="module")
async def chain(country):
    """A mill rolls steel, a foundry makes a housing of it, a maker builds it into pumps: each keeps its own records."""
    async with country.administer(owner(MILL)) as by:
        await by.create("88.111.3/furnace-2", [text("URL", "x")])
        await by.create(
            "88.111.3/steel-4711",
            [
                refer("PRODUCED_BY", "88.111.3/furnace-2", 1),
                # Whoever refers to it from elsewhere may say so.
                grant([Reference("88.111.2/owner")], 60, edit=["HULIAN.REFERRED_BY.MADE_OF"]),
            ],
        )
    async with country.administer(owner(FOUNDRY)) as by:
        await by.create("88.111.2/batch-9", [refer("MADE_OF", "88.111.3/STEEL-4711", 1), refer("MADE_OF", "88.111.3/sand", 2)])
        await by.create("88.111.2/housing-1", [refer("PART_OF_BATCH", "88.111.2/batch-9", 1)])
        await by.create("88.111.2/housing-2", [refer("PART_OF_BATCH", "88.111.2/batch-9", 1)])
        await by.add("88.111.3/steel-4711", [refer("REFERRED_BY.MADE_OF", "88.111.2/batch-9", 500)])
    async with country.administer(owner(MAKER)) as by:
        await by.create(
            "88.111.1/pump-17",
            [
                refer("CONTAINS", "88.111.2/housing-1", 1),
                refer("CONTAINS", "88.111.1/motor", 2),
                refer("MADE_OF", "88.111.1/secret-recipe", 3, permissions=12),
            ],
        )
        await by.create("88.111.1/motor", [refer("PART_OF_BATCH", "88.111.1/pump-17", 1)])
    async with country.administer(owner(FOUNDRY)) as by:
        own = [refer("REFERRED_BY.CONTAINS", "88.111.1/pump-17", 500), refer("REFERRED_BY.CONTAINS", "88.111.1/boast", 501)]
        await by.add("88.111.2/housing-1", own)
    async with country.administer(owner(MAKER)) as by:
        await by.create("88.111.1/boast", [text("URL", "x")])
    return country


def lines(step) -> list[str]:
    return list(drawn(step))


DOWN = """\
88.111.1/pump-17
├── contains 88.111.2/housing-1
│   └── part of batch 88.111.2/batch-9
│       ├── made of 88.111.3/STEEL-4711
│       │   └── produced by 88.111.3/furnace-2
│       └── made of 88.111.3/sand  (missing)
└── contains 88.111.1/motor
    └── part of batch 88.111.1/pump-17  (see above)"""
UP = """\
88.111.3/furnace-2
└── produced by 88.111.3/steel-4711
    └── made of 88.111.2/batch-9
        ├── part of batch 88.111.2/housing-1
        │   ├── contains 88.111.1/pump-17
        │   │   └── part of batch 88.111.1/motor
        │   │       └── contains 88.111.1/pump-17  (see above)
        │   └── contains 88.111.1/boast  (unconfirmed)
        └── part of batch 88.111.2/housing-2"""


async def test_down_and_up_across_three_enterprises(chain):
    follow = chain.plant.client()
    assert "\n".join(lines(await trace(follow.values_of, "88.111.1/pump-17", Direction.DOWN))) == DOWN
    assert "\n".join(lines(await trace(follow.values_of, "88.111.3/furnace-2", Direction.UP))) == UP


async def test_by_the_command(chain, tmp_path, capsys):
    from hulian.cli import app

    root, held = tmp_path / "root_info", tmp_path / "key.pem"
    root.write_bytes(pack_root_info(chain.plant.root))
    pem = key().private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    held.write_bytes(pem)

    def run(*arguments: str) -> str:
        app(["trace", *arguments, "--root", str(root)], result_action="return_value")
        return capsys.readouterr().out

    run_ = anyio.to_thread.run_sync
    assert (await run_(run, "88.111.1/pump-17")).strip() == DOWN
    assert (await run_(run, "88.111.3/furnace-2", "--up")).strip() == UP
    short = await run_(run, "88.111.3/furnace-2", "--up", "--depth", "1")
    assert short.splitlines()[1] == "└── produced by 88.111.3/steel-4711  (not asked further)"
    told = msgspec.json.decode(await run_(run, "88.111.1/pump-17", "--json"))
    assert [one["handle"] for one in told["steps"]] == ["88.111.2/housing-1", "88.111.1/motor"]
    assert told["steps"][0]["kind"] == "HULIAN.CONTAINS"
    mine = await run_(lambda: run("88.111.1/pump-17", "--as", str(owner(MAKER)), "--key", str(held)))
    assert "└── made of 88.111.1/secret-recipe  (missing)" in mine


async def test_partners_are_asked_who_of_theirs_refers_to_what_knows_nothing_of_it(chain, tmp_path, capsys):
    from hulian.cli import app, main

    steel = "88.111.3/steel-5000"
    async with chain.administer(owner(MILL)) as by:
        await by.create(steel, [text("URL", "x")])
    async with chain.administer(owner(FOUNDRY)) as by:
        await by.create("88.111.2/beam-1", [refer("MADE_OF", "88.111.3/STEEL-5000", 1)])
        await by.create("88.111.2/beam-2", [refer("MADE_OF", steel, 1, permissions=12)])
    async with chain.administer(owner(MAKER)) as by:
        await by.create("88.111.1/bridge", [refer("CONTAINS", "88.111.2/beam-1", 1)])
    follow = chain.plant.client()
    assert lines(await trace(follow.values_of, steel, Direction.UP)) == [steel], "nobody has told its node"
    root, held = tmp_path / "root_info", tmp_path / "key.pem"
    root.write_bytes(pack_root_info(chain.plant.root))
    pem = key().private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    held.write_bytes(pem)

    def run(*arguments: str) -> str:
        app(["trace", steel, "--up", *arguments, "--root", str(root)], result_action="return_value")
        return capsys.readouterr().out.strip()

    run_ = anyio.to_thread.run_sync
    assert await run_(run, "--partner", FOUNDRY) == f"{steel}\n└── made of 88.111.2/beam-1"
    public = f"{steel}\n└── made of 88.111.2/beam-1\n    └── contains 88.111.1/bridge"
    assert await run_(run, "--partner", FOUNDRY, "--partner", MAKER, "--partner", MILL) == public
    private = "└── made of 88.111.2/beam-2"
    assert private in await run_(run, "--partner", FOUNDRY, "--as", str(owner(FOUNDRY)), "--key", str(held))
    assert private not in await run_(run, "--partner", FOUNDRY, "--as", str(owner(MAKER)), "--key", str(held))
    # Who is no enterprise, or does not answer, is named.
    away = await run_(run, "--partner", "88.111.9")
    assert away == f"{steel}  (not told by 88.111.9; some are left out)"
    with pytest.raises(SystemExit):
        await run_(main, ["trace", steel, "--partner", FOUNDRY])
    assert "--up" in capsys.readouterr().err


async def test_a_partner_that_lies_is_unconfirmed_and_its_own_things_are_asked_once(chain):
    follow = chain.plant.client()
    asked = []

    async def liar(handle: str, types: tuple[str, ...]):
        asked.append(handle)
        return 1, (refer("REFERRED_BY.CONTAINS", "88.111.1/motor", 1), refer("REFERRED_BY.MORE", "", 2))

    found = await trace(follow.values_of, "88.111.3/sulphur", Direction.UP, partners={MAKER: liar})
    assert (found.state, asked) == (State.MISSING, [])
    async with chain.administer(owner(MILL)) as by:
        await by.create("88.111.3/sulphur", [text("URL", "x")])
    found = await trace(follow.values_of, "88.111.3/sulphur", Direction.UP, partners={MAKER: liar})
    assert [(one.handle, one.state) for one in found.steps] == [("88.111.1/motor", State.UNCONFIRMED)]
    assert (found.more, asked) == (True, ["88.111.3/sulphur"])


async def test_a_node_tells_who_of_its_own_refers_to_a_thing_of_another_only_where_it_is_asked_so(chain):
    handle, types = "88.111.3/steel-4711", ("HULIAN.REFERRED_BY.",)
    flags = (OpFlag.PUBLIC_ONLY | OpFlag.DO_NOT_REFER).value
    for message, code in (
        (question(handle, flags, types=types), ResponseCode.SUCCESS),
        (question(handle, types=types), ResponseCode.NOT_RESPONSIBLE),
        (question(handle, flags), ResponseCode.NOT_RESPONSIBLE),
        (question(handle, flags, types=(*types, "URL")), ResponseCode.NOT_RESPONSIBLE),
        (question(handle, flags, types=types, indexes=(1,)), ResponseCode.NOT_RESPONSIBLE),
        (question("88.111.3/nobody-uses-it", flags, types=types), ResponseCode.VALUES_NOT_FOUND),
    ):
        for transport in (Transport.UDP, Transport.TCP):
            answer = await asked(chain.plant, FOUNDRY, message, transport)
            assert (answer.response_code, answer.has(OpFlag.AUTHORITATIVE)) == (code, False)
    (value,) = read_answer(await asked(chain.plant, FOUNDRY, question(handle, flags, types=types)))[0].values
    assert (value.type, value.data) == ("HULIAN.REFERRED_BY.MADE_OF", b"88.111.2/batch-9")


async def test_bounds_of_depth_and_number(chain):
    follow = chain.plant.client()
    found = await trace(follow.values_of, "88.111.1/pump-17", Direction.DOWN, depth=2)
    assert [(one.handle, one.state) for one in found.all()][1:] == [
        ("88.111.2/housing-1", State.FOLLOWED),
        ("88.111.2/batch-9", State.DEEPER),
        ("88.111.1/motor", State.FOLLOWED),
        ("88.111.1/pump-17", State.SEEN),
    ]
    found = await trace(follow.values_of, "88.111.1/pump-17", Direction.DOWN, most=3)
    assert len({one.handle for one in found.all()}) == 3
    assert [one.handle for one in found.all() if one.more] == ["88.111.2/housing-1"]


async def test_a_node_that_is_away_is_named_and_the_rest_is_told(chain):
    plant = chain.plant
    await plant.stop(MILL)
    found = await trace(plant.client().values_of, "88.111.1/pump-17", Direction.DOWN)
    away = [one for one in found.all() if one.state is State.UNREACHABLE]
    assert [one.handle for one in away] == ["88.111.3/STEEL-4711", "88.111.3/sand"]
    assert all("HL-ID-0401" in one.said for one in away)
    assert {one.handle for one in found.all() if one.state is State.FOLLOWED} >= {"88.111.2/batch-9", "88.111.1/motor"}


async def test_a_wide_and_circular_world_is_asked_once_each_and_never_more_than_eight_at_once():
    asked: list[str] = []
    now = most = 0

    async def resolve(handle: str, types: tuple[str, ...]):
        nonlocal now, most
        now += 1
        most = max(most, now)
        asked.append(handle)
        await anyio.lowlevel.checkpoint()
        now -= 1
        number = int(handle.rpartition("-")[2])
        if number == 13:
            raise HulianError("away")
        return 1, tuple(refer("CONTAINS", f"88.1/x-{(number * 7 + one) % 500}", one + 1) for one in range(20))

    found = await trace(resolve, "88.1/x-0", Direction.DOWN, depth=64, most=500)
    assert len(list(found.all())) <= 2_001, "what comes again takes room as well"
    assert any(one.more for one in found.all())
    asked.clear()
    found = await trace(resolve, "88.1/x-0", Direction.DOWN, depth=64, most=10_000)
    assert sorted(asked) == sorted(set(asked))
    assert len(asked) == 500
    assert most == AT_ONCE
    assert [one.handle for one in found.all() if one.state is State.UNREACHABLE] == ["88.1/x-13"]
