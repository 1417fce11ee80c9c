"""``hulian resolve`` beside nodes that run: a process of its own that knows the root data alone."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import anyio
import pytest
from identifier_nodes import URL

from hulian.network.identifiers.wire.root_info import pack_root_info

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(240)]


@pytest.fixture
def root(plant, tmp_path: Path) -> Path:
    path = tmp_path / "root_info"
    path.write_bytes(pack_root_info(plant.root))
    return path


async def hulian(*arguments: str | Path, root: Path) -> tuple[int, str, str]:
    environment = {**os.environ, "HULIAN_ROOT": str(root), "NO_COLOR": "1", "COLUMNS": "200"}
    command = [sys.executable, "-m", "hulian", "resolve", *map(str, arguments)]
    done = await anyio.run_process(command, check=False, env=environment)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


async def test_it_shows_the_values_and_the_path(plant, root):
    code, out, _ = await hulian("88.111.1/item7", "--trace", root=root)
    assert code == 0
    assert URL in out
    assert "secret" not in out
    asked = [line for line in out.splitlines() if "udp://127.0.0.1:" in line]
    assert [line.split()[1].rpartition(":")[2] for line in asked] == [
        str(plant.ports[name]) for name in ("root", "top", "second", "enterprise")
    ]


async def test_programs_get_json_and_scanned_forms_are_understood(plant, root):
    code, out, _ = await hulian("https://hdl.handle.net/88.111.1/ITEM7", "--json", "--type", "URL", root=root)
    assert code == 0
    found = json.loads(out)
    assert (found["responseCode"], found["handle"]) == (1, "88.111.1/ITEM7")
    assert found["values"][0]["data"] == {"format": "string", "value": URL}


async def test_a_prefix_shows_its_service(plant, root):
    code, out, _ = await hulian("88.111.1", root=root)
    assert code == 0
    assert "HS_SITE" in out
    assert str(plant.ports["enterprise"]) in out


async def test_what_fails_is_said_with_a_code_and_a_hint(plant, root):
    code, _, err = await hulian("88.111.1/nothing", root=root)
    assert code == 1
    assert "there is no such handle" in err
    await plant.stop("top")
    code, _, err = await hulian("88.111.1/item7", root=root)
    assert code == 1
    assert "HL-ID-0401" in err
    assert str(plant.ports["top"]) in err
    root.write_bytes(b"x")
    code, _, err = await hulian("88.111.1/item7", root=root)
    assert code == 1
    assert "HL-ID-02" in err
    assert "Traceback" not in err
    code, _, err = await hulian("88.111.1/item7", "--root", root.parent / "nowhere", root=root)
    assert code == 78
    assert "nowhere" in err
