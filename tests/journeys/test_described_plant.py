"""From a description to a running plant, as a person does it: import, values flow, and things are found by what they mean."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
from running import RunningPlatform

pytestmark = pytest.mark.timeout(600)
PRESSURE = "99.118.8/reactor#pressure"
MEANT = ("hulian:pressure", "--of", "Reactor", "--unit", "bar")


def until(found, what, seconds=150):
    """The first answer of ``found`` that is true."""
    deadline = time.monotonic() + seconds
    while not (answer := found()):
        assert time.monotonic() < deadline, what
        time.sleep(0.2)
    return answer


def settings(tmp_path, ports):
    plant = tmp_path / "plant.toml"
    plant.write_text(f"[opcua]\nport = {ports()}\n[modbus]\nport = {ports()}\n[service]\nport = {ports()}\n")
    return plant


@contextmanager
def demo_plant(platform, plant):
    """The plant alone, as a process that knows nothing of the platform."""
    environment = {**os.environ, "HULIAN_CONFIG": str(platform.config), "NO_COLOR": "1"}
    command = [sys.executable, "-m", "hulian", "demo", "--plant", str(plant)]
    with (platform.directory / "plant.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        try:
            yield
        finally:
            process.terminate()
            process.wait(60)


def good(sdk, name):
    """Whether the point has a good value."""
    (last,) = sdk.last([name])
    return last if last.time_ms and last.status == 0 else None


def test_a_fresh_platform_runs_a_plant_from_its_description_alone(tmp_path, ports):
    plant = settings(tmp_path, ports)
    with RunningPlatform(tmp_path, ports) as platform, demo_plant(platform, plant):
        platform.cli("demo", "describe", str(tmp_path / "described"), "--plant", str(plant))
        files = [str(tmp_path / "described" / name) for name in ("tennessee-eastman.aml", "gas-chromatograph.iml")]
        done = json.loads(platform.cli("model", "import", *files, "--points", "--json").stdout)
        assert [one["points"]["connectors_added"] for one in done] == [
            ["reactor-separator", "stripper", "analysers"],
            ["gas-chromatograph"],
        ]
        with platform.sdk() as sdk:
            read = (PRESSURE, "99.118.8/stripper#level", "99.118.8/gas-chromatograph#product.g")
            for name in read:
                until(lambda name=name: good(sdk, name), f"a value of {name}")
            found = json.loads(platform.cli("model", "find", *MEANT, "--json").stdout)
            (node,) = found["nodes"]
            assert node["point"] == PRESSURE
            value = good(sdk, node["point"]).number * node["factor"] + node["offset"]
            assert 20 < value < 32  # the reactor is held at 2705 kPa: 27 bar
            until(lambda: len(sdk.history(node["point"], last="1h")) > 2, "history of what was found by meaning")
            point = sdk.point("99.118.8/stripper#plant.state")
            assert (point.unit, point.texts["zh"]) == ("", "装置状态：0运行，1停车")
            assert sdk.point(PRESSURE).unit == "kPa"
        again = json.loads(platform.cli("model", "points", "tennessee-eastman", "--json").stdout)
        assert (again["points"], again["connectors"], again["bound"]) == (
            {"added": 0, "changed": 0, "unchanged": 0, "reopened": 0}, [], 0,
        )  # fmt: skip


def test_the_demo_platform_takes_its_plant_from_the_plants_own_descriptions(tmp_path, ports):
    plant = settings(tmp_path, ports)
    platform = RunningPlatform(tmp_path, ports, arguments=("--demo", "--plant", str(plant)))
    with platform, platform.sdk() as sdk:
        names = ("reactor-separator", "stripper", "analysers", "gas-chromatograph")
        until(lambda: {one.name for one in sdk.connectors()} == set(names), platform.terminal())
        read = ("stripper#level", "analysers#product.g", "gas-chromatograph#state.running")
        for name in (PRESSURE, *(f"99.118.8/{one}" for one in read)):
            until(lambda name=name: good(sdk, name), f"a value of {name}: {platform.terminal()}")
        assert sdk.connector("stripper").settings["interval"] == 1.0
        assert "connected  stripper: 19 points" in platform.terminal()
        found = json.loads(platform.cli("model", "find", "hulian:level", "--in", "Process", "--json").stdout)
        bound = {node["point"] for node in found["nodes"] if node["point"]}
        assert {"99.118.8/reactor#level", "99.118.8/separator#level", "99.118.8/stripper#level"} <= bound
        sdk.change_point(PRESSURE, texts={"en": "What the operators call it", "zh": "压力"})
        sdk.remove_connector("gas-chromatograph")
    with platform, platform.sdk() as sdk:
        until(lambda: "gas-chromatograph" in {one.name for one in sdk.connectors()}, platform.terminal())
        assert sdk.point(PRESSURE).texts["en"] == "What the operators call it"
        assert len(sdk.model_versions("tennessee-eastman")) == 1
