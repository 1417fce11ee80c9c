"""A sample's journey under fire: kill -9 of each component in turn while data flow.

An MQTT device publishes numbered values with QoS 1 and remembers which ones the platform acknowledged. Afterwards every
acknowledged number is in the historian, none is there twice, and the ledger agrees. A Modbus device beside it shows that
neighbours go on.
"""

from __future__ import annotations

import json
import os

import pytest
from modbus_device import modbus_device
from plant import CountingDevice, check, connect_devices, good_values, until
from running import RunningPlatform

COMPONENTS = ("historian", "spine", "edge", "api")


@pytest.mark.timeout(400)
def test_kill_9_of_each_component_in_turn_loses_and_doubles_nothing(tmp_path, ports):
    rounds = int(os.environ.get("HULIAN_KILL_ROUNDS", "1"))
    with modbus_device(ports()) as modbus_url, RunningPlatform(tmp_path, ports) as platform:
        credential = connect_devices(platform, modbus_url)
        device = CountingDevice(platform.mqtt_port, credential.name, credential.password)
        try:
            until(lambda: len(device.acknowledged) > 100, 60, "nothing was acknowledged")
            for _ in range(rounds):
                for component in COMPONENTS:
                    before = len(device.acknowledged)
                    pid = platform.kill(component)
                    platform.wait_running(component, pid)
                    stuck = f"stuck after {component} was killed"
                    until(lambda before=before: len(device.acknowledged) > before + 100, 60, stuck)
        finally:
            device.stop()
        assert len(device.acknowledged) > 400
        check(platform, device)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_kill_9_ten_times_over(tmp_path, ports, monkeypatch):
    monkeypatch.setenv("HULIAN_KILL_ROUNDS", "10")
    test_kill_9_of_each_component_in_turn_loses_and_doubles_nothing(tmp_path, ports)


@pytest.mark.timeout(300)
def test_a_backup_of_a_running_plant_comes_back_whole(tmp_path, ports):
    archive = tmp_path / "plant.hulian"
    with modbus_device(ports()) as modbus_url:
        with RunningPlatform(tmp_path / "one", ports) as platform:
            credential = connect_devices(platform, modbus_url)
            device = CountingDevice(platform.mqtt_port, credential.name, credential.password, rate=100)
            try:
                until(lambda: len(device.acknowledged) > 200, 60, "nothing was acknowledged")
                before = set(device.acknowledged)
                (platform.data / "identifiers" / "copies").mkdir(parents=True)
                (platform.data / "identifiers" / "administrator.pem").write_bytes(b"the key of the node")
                (platform.data / "identifiers" / "copies" / "other.db").write_bytes(b"records of another node")
                told = json.loads(platform.cli("backup", str(archive), "--json").stdout)
                assert (told["file"], told["bytes"]) == (str(archive), archive.stat().st_size)
            finally:
                device.stop()
            assert archive.stat().st_mode & 0o077 == 0
        other = RunningPlatform(tmp_path / "two", ports)
        other.cli("restore", str(archive))
        with other as restored:
            assert (restored.data / "identifiers" / "administrator.pem").read_bytes() == b"the key of the node"
            assert not (restored.data / "identifiers" / "copies").exists()
            good = good_values(restored)
            assert before <= set(good)
            assert len(good) == len(set(good))
            with restored.sdk() as sdk:
                assert {item.name for item in sdk.connectors()} == {"line-7", "tank"}
                assert sdk.ledger().totals["missing"] == 0
            # The restored plant takes new values from the same device, with the same credential.
            device = CountingDevice(restored.mqtt_port, credential.name, credential.password, rate=100, first=100_001)
            until(lambda: len(device.acknowledged) > 100, 60, "the restored platform takes nothing")
            device.stop()
            check(restored, device)
