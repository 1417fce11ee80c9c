"""``hulian register``, ``unregister`` and ``allocate`` beside nodes that run."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import anyio
import pytest
from cryptography.hazmat.primitives import serialization
from identifier_nodes import private_key

from hulian.network.identifiers.store import key_of
from hulian.network.identifiers.wire.root_info import pack_root_info
from hulian.network.identifiers.wire.values import unpack_values

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(240)]


@pytest.fixture
def place(plant, tmp_path: Path) -> Path:
    (tmp_path / "root_info").write_bytes(pack_root_info(plant.root))
    pem = private_key().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    (tmp_path / "key.pem").write_bytes(pem)
    return tmp_path


async def hulian(place: Path, *arguments: str) -> tuple[int, str, str]:
    environment = {**os.environ, "HULIAN_ROOT": "root_info", "NO_COLOR": "1", "COLUMNS": "200"}
    done = await anyio.run_process([sys.executable, "-m", "hulian", *arguments], check=False, env=environment, cwd=place)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def stored(plant, handle: str) -> dict[int, tuple[str, bytes, int]]:
    packed = plant.stores["enterprise"].packed(key_of(handle)) or b"\0\0\0\0"
    return {value.index: (value.type, value.data, value.permissions) for value in unpack_values(packed)}


async def test_a_thing_is_registered_changed_and_taken_out(plant, place):
    me = ("--as", "300:0.NA/88.111.1", "--key", "key.pem")
    (place / "about.txt").write_text("一台泵", encoding="utf-8")
    thing = "88.111.1/pump-17"
    code, out, _ = await hulian(place, "register", thing, "URL=https://example.com/17", "7:DESC=@about.txt", *me, "--json")
    assert (code, json.loads(out)) == (0, {"handle": thing})
    assert stored(plant, thing) == {1: ("URL", b"https://example.com/17", 14), 7: ("DESC", "一台泵".encode(), 14)}
    code, _, error = await hulian(place, "register", thing, "URL=x", *me)
    assert (code, "101" in error, "--overwrite" in error or "overwrite" in error) == (1, True, True)
    (place / "values.json").write_text('[{"index": 9, "type": "NOTE", "data": "secret"}]')
    code, _, error = await hulian(place, "register", thing, "--values", "values.json", "--update", "--private", *me)
    assert (code, error) == (0, "")
    code, _, _ = await hulian(place, "unregister", thing, "--index", "7", *me)
    assert (code, sorted(stored(plant, thing))) == (0, [1, 9])
    code, _, _ = await hulian(place, "unregister", thing, *me)
    assert (code, stored(plant, thing)) == (0, {})


async def test_what_cannot_be_says_what_to_do(plant, place):
    me = ("--as", "300:0.NA/88.111.1", "--key", "key.pem")
    for arguments, told in (
        (("register", "88.111.1/x", "URL", *me), "TYPE=DATA"),
        (("register", "88.111.1/x", *me), "no value is given"),
        (("register", "88.111.1/x", "URL=y", "--as", "300:0.NA/88.111.1", "--key", "nowhere.pem"), "--key names the file"),
        (("register", "88.222.1/x", "URL=y", *me), "nobody has registered its prefix"),
        (("register", "88.111.1/x", "URL=y", "--as", "300:0.NA/88", "--key", "key.pem"), "400"),
        (("allocate", "88.111.1", "{wrong"), "HL-ID-"),
    ):
        code, out, error = await hulian(place, *arguments)
        assert (code, out) == (1, ""), arguments
        assert told in error, (arguments, error)
        assert "Traceback" not in error
    assert stored(plant, "88.111.1/x") == {}


async def test_identifiers_are_given_out_once(tmp_path):
    commands = [("allocate", "88.111.1", "P-{random:6}{check}", "--count", "300")] * 2
    given: list[str] = []

    async def allocated(arguments: tuple[str, ...]) -> None:
        code, out, _ = await hulian(tmp_path, *arguments)
        assert code == 0
        given.extend(out.splitlines())

    async with anyio.create_task_group() as group:
        for arguments in commands:
            group.start_soon(allocated, arguments)
    assert len(given) == len(set(given)) == 600
    assert all(line.startswith("88.111.1/P-") and len(line) == 18 for line in given)
