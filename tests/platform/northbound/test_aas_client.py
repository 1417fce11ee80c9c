"""An AAS client that others wrote (basyx-client) works with the interface as with any server."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from aas_documents import SUBMODEL

PEER = Path(__file__).resolve().parents[2] / "peers" / "basyx"


def test_basyx_client_reads_writes_and_finds(plant):
    python = PEER / ".venv" / "bin" / "python"
    if not list((PEER / ".venv").glob("lib/*/site-packages/basyx_client")):
        pytest.skip("basyx-client is not installed: run tests/peers/install.sh")
    address, token = f"{plant.url}/aas/api/v3.0", plant.token("read", "configure")
    done = subprocess.run([python, PEER / "ask.py", address, token], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "shells": ["https://example.org/aas/pump"],
        "submodels": [SUBMODEL],
        "concepts": ["0173-1#02-AAY812#001"],
        "value": 2.5,
        "element": "m",
        "whole": ["Level", "Unit"],
        "references": ["https://example.org/sm/by-a-client"],
        "asset": "https://example.org/asset/tank",
        "descriptor": "https://example.org/sm/by-a-client",
        "found": ["https://example.org/aas/by-a-client"],
        "again": "ConflictError",
        "missing": "ResourceNotFoundError",
        "gone": "ResourceNotFoundError",
        "stranger": "UnauthorizedError",
    }
    assert len(plant.open_semantics().model.documents()) == 1
