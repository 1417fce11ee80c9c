"""Every mistake a person makes gets one clear message: a code, the place, a hint; exit status not 0, no traceback."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys

import pytest

CODE = re.compile(r"HL-[A-Z]+-\d{4}")


def hulian(*arguments, directory, expect=None, **environment):
    done = subprocess.run(
        [sys.executable, "-m", "hulian", *map(str, arguments)],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=90,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "NO_COLOR": "1", **environment},
    )
    assert done.returncode != 0
    assert "Traceback" not in done.stderr + done.stdout
    assert CODE.search(done.stderr), done.stderr
    assert len(done.stderr.strip().splitlines()) <= 6, done.stderr
    return done.stderr


def write(directory, text):
    (directory / "hulian.toml").write_text(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[api]\nprot = 8080\n", ["HL-CONFIG-0002", "hulian.toml:2", "api.prot", "did you mean 'port'"]),
        ("[api]\nport = 'many'\n", ["HL-CONFIG-0001", "hulian.toml:2", "api.port", "int"]),
        ("[api]\nport = 99999\n", ["HL-CONFIG-0001", "hulian.toml:2", "65535"]),
        ("[api\nport = 1\n", ["HL-CONFIG-0001", "hulian.toml", "not TOML", "line 1"]),
        ("[historian.retention]\nraw_dayz = 3\n", ["HL-CONFIG-0002", "raw_days", "hulian.toml:2"]),
        ("[nodes]\n", ["HL-CONFIG-0002", "did you mean 'node'"]),
        ("[edge]\nbuffer_policy = 'drop-all'\n", ["HL-CONFIG-0001", "buffer_policy", "drop-all"]),
    ],
)
def test_a_mistake_in_the_configuration_is_told_with_its_line(tmp_path, text, expected):
    write(tmp_path, text)
    for command in (("up",), ("config", "check")):
        said = hulian(*command, directory=tmp_path)
        for part in expected:
            assert part in said


def test_a_missing_configuration_is_told(tmp_path):
    assert "nowhere.toml" in hulian("up", "--config", "nowhere.toml", directory=tmp_path)
    assert "folder" in hulian("up", "--config", tmp_path, directory=tmp_path)


def test_a_taken_port_is_told_with_its_key(tmp_path, ports):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        write(tmp_path, f"[api]\nport = {port}\n")
        said = hulian("up", directory=tmp_path)
    assert "HL-INFRA-0002" in said
    assert str(port) in said
    assert "api.port" in said


def test_a_platform_that_is_not_there_is_told(tmp_path, ports):
    write(tmp_path, f"[api]\nport = {ports()}\n")
    said = hulian("connectors", directory=tmp_path)
    assert "127.0.0.1" in said


def test_a_secret_on_the_command_line_is_refused_and_not_repeated(tmp_path):
    """Everybody on the machine sees a command line: passwords and keys come by reference, as the help says."""
    for option in ("--password", "--key"):
        told = hulian("connect", "opc.tcp://plc:4840", "--user", "u", option, "open-Secret-17", directory=tmp_path)
        assert "not a reference" in told
        assert "open-Secret-17" not in told
        assert "PLC_SECRET is not set" in hulian("connect", "opc.tcp://plc", option, "env:PLC_SECRET", directory=tmp_path)


def test_what_the_platform_is_told_of_a_reference(tmp_path, monkeypatch):
    from hulian.cli.plant import _credentials

    monkeypatch.setenv("PLC_PASSWORD", "from the environment")
    (tmp_path / "key.pem").write_text("the key")
    assert _credentials("u", "env:PLC_PASSWORD", f"file:{tmp_path / 'key.pem'}") == {
        "user": "u",
        "password": "from the environment",
        "key": "the key",
    }
    assert _credentials("", "secret:plc", "secret:plc-key") == {"reference": "secret:plc", "key_reference": "secret:plc-key"}
    assert _credentials("", "", "") == {}


def test_json_errors_are_json(tmp_path):
    write(tmp_path, "[api]\nprot = 1\n")
    done = subprocess.run(
        [sys.executable, "-m", "hulian", "connectors", "--json"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert json.loads(done.stderr)["error"]["code"] == "HL-CONFIG-0002"


def test_a_data_directory_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    write(tmp_path, "[node]\ndata = 'file/data'\n")
    assert "HL-INFRA-0004" in hulian("up", directory=tmp_path)


def test_a_backup_that_is_none_is_told(tmp_path):
    (tmp_path / "x.hulian").write_bytes(b"no backup" * 200)
    write(tmp_path, "")
    assert "HL-INFRA-0005" in hulian("restore", "x.hulian", directory=tmp_path)


def test_the_sample_configuration_is_valid_and_complete(tmp_path):
    done = subprocess.run([sys.executable, "-m", "hulian", "config", "sample"], capture_output=True, text=True, check=True)
    active = re.sub(r"^# (\w+ = |\[)", r"\1", done.stdout, flags=re.MULTILINE)
    write(tmp_path, active)
    checked = subprocess.run([sys.executable, "-m", "hulian", "config", "check"], cwd=tmp_path, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    assert "fine" in checked.stdout
