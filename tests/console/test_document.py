"""The page on identifiers in the console: its examples run against a whole platform, and its calls are those of the API."""

from __future__ import annotations

import doctest
import re
import time
from pathlib import Path

import httpx
import pytest
from free_ports import free_port
from running import RunningPlatform

PAGE = Path(__file__).parents[2] / "docs" / "topics" / "identifiers-console.md"


@pytest.mark.timeout(240)
def test_the_examples_run(tmp_path):
    with RunningPlatform(tmp_path, free_port, identifiers=True, naming='role = "root"\nprefixes = ["88.111"]') as running:
        headers = {"Authorization": f"Bearer {running.token()}"}
        deadline = time.monotonic() + 60
        with httpx.Client(base_url=f"{running.url}/api/v1", headers=headers, timeout=30) as api:
            while api.get("/identifiers/nodes").status_code != 200:  # the node starts last
                assert time.monotonic() < deadline
                time.sleep(0.2)
            paths = api.get("/openapi.json").json()["paths"]
        text = PAGE.read_text()
        blocks = "\n".join(re.findall(r"```pycon\n(.*?)```", text, re.DOTALL))
        known = {"token": running.token()}
        shown = doctest.DocTestParser().get_doctest(
            blocks.replace("http://127.0.0.1:8080", running.url), known, PAGE.name, str(PAGE), 0
        )
        told: list[str] = []
        result = doctest.DocTestRunner(verbose=False).run(shown, out=told.append)
        assert (result.failed, result.attempted >= 35) == (0, True), "".join(told)
    named = set(re.findall(r"/api/v1(/identifiers/[a-z]+)", text))
    assert len(named) >= 7
    for path in named:
        assert any(one.removeprefix("/api/v1") == path for one in paths), path
