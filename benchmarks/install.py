"""``make run`` on a new clone until the console answers: environment, libraries, console, first start, demo plant."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

from free_ports import free_port

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 1800.0


def run() -> list[dict]:
    with tempfile.TemporaryDirectory(prefix="hulian-install-") as directory:
        clone, port = Path(directory) / "clone", free_port()
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        (clone / "hulian.toml").write_text(
            f"[api]\nport = {port}\n[spine]\nport = {free_port()}\nmqtt_port = {free_port()}\n"
            f"[identifiers]\nport = {free_port()}\nrest_port = {free_port()}\n"
        )
        environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
        began = time.monotonic()
        process = subprocess.Popen(
            ["make", "run"], cwd=clone, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        try:
            while not answers(port):
                if process.poll() is not None or time.monotonic() - began > PATIENCE:
                    raise RuntimeError("'make run' did not come to an answer")
                time.sleep(0.1)
            seconds = time.monotonic() - began
        finally:
            os.killpg(process.pid, signal.SIGINT)
            process.wait(60)
    return [
        {
            "name": "install_s",
            "value": seconds,
            "unit": "s",
            "reference": None,
            "reference_value": None,
            "ratio": None,
            "conditions": "make run on a new clone to the console answering; packages from the registries this machine uses",
        }
    ]


def answers(port: int) -> bool:
    """Whether the console's page comes."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=1) as response:
            return response.status == 200
    except OSError:
        return False
