"""A name's journey, as a person sees it: the demo plant's points, and a whole country of nodes. Long, and so in the soak."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time

import pytest
from running import RunningPlatform

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]


def hulian(*arguments: str, cwd, **more) -> subprocess.CompletedProcess:
    environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "200"}
    command = [sys.executable, "-m", "hulian", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, timeout=400, **more)


def test_every_demo_point_resolves_from_the_root_data_alone(tmp_path, ports):
    plant = tmp_path / "plant.toml"
    plant.write_text(f"[opcua]\nport = {ports()}\n[modbus]\nport = {ports()}\n[service]\nport = {ports()}\n")
    with RunningPlatform(tmp_path, ports, arguments=("--demo", "--plant", str(plant)), identifiers=True) as platform:
        names: list[str] = []
        deadline = time.monotonic() + 120
        while len(names) < 90:
            assert time.monotonic() < deadline, f"{len(names)} points"
            time.sleep(1)
            names = [one.name for one in platform.sdk().points(limit=1000)]
        time.sleep(5)
        root = platform.data / "identifiers" / "root_info"
        for name in names:
            done = hulian("resolve", name, "--root", str(root), "--type", "HULIAN.DATA", cwd=tmp_path)
            assert done.returncode == 0, (name, done.stderr)
            assert "/api/v1/points/" in done.stdout


def test_the_demo_of_a_country_runs_to_its_end_twice(tmp_path, ports):
    for _ in range(2):
        done = hulian("identifiers", "demo", "--once", "--port", "26510", cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "holds 88.111.1/PUMP-000001" in done.stdout
        asked = re.findall(r"udp://127\.0\.0\.1:(\d+) +(\d+):", done.stdout)
        assert [code for _, code in asked[:4]] == ["303", "303", "1", "1"]
        assert "first   success" in done.stdout
        assert (tmp_path / "identifiers-demo" / "labels.pdf").read_bytes().startswith(b"%PDF")
