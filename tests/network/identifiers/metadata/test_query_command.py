"""``hulian identifiers query`` against nodes with records that not everybody may read."""

from __future__ import annotations

import anyio
import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from free_ports import free_port
from identifier_nodes import text
from metadata_nodes import follows, grant, key, owner, template

from hulian.cli import main
from hulian.network.identifiers.wire.values import Reference

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]
BUYER = Reference("88.111.2/buyer", 300)


@pytest.fixture(scope="module")
async def plates(country):
    """2,300 plates with a number, whose price a buyer of another enterprise may read."""
    country.people("88.111.2", "buyer")
    number = {"name": "number", "type": "integer", "index": 2000, "visibility": "public"}
    price = {"name": "price", "type": "number", "index": 2001}
    store = country.stores["88.111.1"]
    store.create("88.111.1/types/plate", [template(number, price)])
    granted = grant([BUYER], read=["price"])
    store.create_many(
        (
            f"88.111.1/plate-{count:04}",
            [
                follows("88.111.1/types/plate"),
                text("number", str(count), 2000),
                text("price", str(count), 2001, permissions=12),
                granted,
            ],
        )
        for count in range(2_300)
    )
    store.create(
        "88.111.1/plate-odd", [follows("88.111.1/types/plate"), text("number", "-1", 2000), text("NOTE\x1b[31m", "x", 3)]
    )
    return country


@pytest.fixture
def run(plates, capsys, tmp_path):
    pem = key().private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "key.pem").write_bytes(pem)
    (tmp_path / "secret").write_bytes(b"secret")

    def command(*arguments: str, to: str = "") -> tuple[object, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["identifiers", "query", *arguments, "--to", to or plates.urls["88.111.1"]])
        told = capsys.readouterr()
        return ended.value.code, told.out, told.err

    async def asked(*arguments: str, **more: str) -> tuple[object, str, str]:
        return await anyio.to_thread.run_sync(lambda: command(*arguments, **more))

    return asked


async def test_records_are_found_page_by_page_and_shown(run):
    code, out, _ = await run("number<3", "number>=1", "--type", "number")
    assert (code, [line.split() for line in out.splitlines()]) == (
        0,
        [["handle", "values"], ["88.111.1/plate-0001", "number=1"], ["88.111.1/plate-0002", "number=2"]],
    )
    code, out, _ = await run("number>=0", "--most", "2250", "--json", "--type", "number")
    told = msgspec.json.decode(out)
    assert (code, len(told["records"]), bool(told["cursor"])) == (0, 2_250, True)
    code, out, _ = await run("number>=0", "--cursor", told["cursor"], "--json", "--type", "number")
    rest = msgspec.json.decode(out)
    assert (code, len(rest["records"]), "cursor" in rest) == (0, 50, False)
    assert len({one["handle"] for one in told["records"] + rest["records"]}) == 2_300
    code, out, _ = await run("number>=0", "--most", "1")
    assert "--cursor " in out
    _, out, _ = await run("--template", "88.111.1/types/plate", "number<0")
    assert "\x1b[31m" not in out
    assert "plate-odd" in out


async def test_who_may_read_more_finds_more(run, tmp_path):
    assert await run("price>2298") == (0, "No record that you may read fulfils that.\n", "")
    proof = ("--as", str(BUYER), "--key", str(tmp_path / "key.pem"))
    code, out, _ = await run("price>2298", *proof, "--json", "--type", "price")
    assert code == 0
    assert [one["handle"] for one in msgspec.json.decode(out)["records"]] == ["88.111.1/plate-2299"]
    code, _, told = await run("price>2298", "--as", str(owner("88.111.3")), "--key", str(tmp_path / "none.pem"))
    assert (code, "cannot read the file" in told) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "said", "hint"),
    [
        ((), "nothing is asked for", "--text"),
        (("power",), "compares nothing", "power>=5"),
        (("--relation", "eats:88.111.1/steel"), "is no relation", "made_of"),
        (("a=1", "--most", "0"), "0 records", "from 1 to"),
        (("a=1", "--cursor", "nonsense"), "cursor", "→"),
        (("a=1", "--as", "300:88.111.2/buyer", "--key", "SECRET"), "private key", "PEM"),
    ],
)
async def test_what_cannot_be_asked_is_said_with_a_hint(run, tmp_path, arguments, said, hint):
    arguments = tuple(str(tmp_path / "secret") if one == "SECRET" else one for one in arguments)
    code, out, told = await run(*arguments)
    assert (code, out) == (1, "")
    assert said in told
    assert hint in told
    assert "Traceback" not in told


async def test_a_node_that_is_away_is_an_error_with_a_hint(run):
    code, _, told = await run("a=1", to=f"http://127.0.0.1:{free_port()}")
    assert (code, "it cannot be reached" in told, "--to names another one" in told) == (1, True, True)
    code, _, told = await run("a=1", to="http://partner.example")
    assert (code, "https only" in told) == (1, True)
