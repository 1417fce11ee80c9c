"""The examples of the page about the AAS interface are run as they stand there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hulian.network.exchange.semantics.aas.api.contract import LIST_LIMIT, LIST_MOST, SERIALISED
from hulian.platform.northbound.aas import bounds

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "topics" / "northbound-aas.md").read_text(encoding="utf-8")


def example(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return found


@pytest.mark.parametrize("language", ["sh", "python"])
def test_the_examples_run(plant, language, tmp_path):
    command = [sys.executable, "-c"] if language == "python" else ["bash", "-euc"]
    environment = {**os.environ, "AAS": f"{plant.url}/aas/api/v3.1", "TOKEN": plant.token("read", "configure")}
    done = subprocess.run(
        [*command, example(language)], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    with plant.aas("read") as client:
        (submodel,) = client.get("/submodels").json()["result"]
    if language == "python":
        assert "4.25" in done.stdout
        assert submodel["idShort"] == "Pump"
    else:
        assert '"Pressure":4.25' in done.stdout
        assert "https://example.org/aas/pump" in done.stdout
        assert (tmp_path / "pump.aasx").read_bytes().startswith(b"PK")
        assert '"min":-30' in client_text(plant)


def client_text(plant) -> str:
    with plant.aas("read") as client:
        return client.get("/submodels/$value").text


def test_the_bounds_of_the_page_are_those_of_the_code():
    for text in (
        f"{LIST_LIMIT}, at most {LIST_MOST:,}",
        f"{bounds.PAGE_BYTES >> 20} MiB of JSON",
        f"{bounds.LOOKED_THROUGH:,} things",
        f"{bounds.BODY >> 20} MiB; 64; {bounds.FILE >> 20} MiB",
        f"{bounds.SUBMODEL_NODES:,} elements",
        f"{SERIALISED >> 20} MiB of JSON",
        f"{bounds.WORKERS}; {bounds.WAIT_SECONDS:.0f} s",
        f"{bounds.PATH >> 10} KiB; {bounds.QUERY_FIELDS}",
    ):
        assert text in PAGE, text
