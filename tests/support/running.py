"""A whole platform, started the way a person starts it, on free ports and in a directory of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

CREDENTIALS = re.compile(r"password\s+(\S+)")


class RunningPlatform:
    """``hulian up`` as a process; ``url``, ``user`` and ``password`` as a person reads them from the terminal."""

    def __init__(
        self,
        directory: Path,
        ports,
        *,
        settings: str = "",
        api: str = "",
        arguments: tuple[str, ...] = (),
        identifiers: bool = False,
        naming: str = "",
    ) -> None:
        self.directory = directory
        self.arguments = arguments
        directory.mkdir(parents=True, exist_ok=True)
        self.port, self.spine_port, self.mqtt_port = ports(), ports(), ports()
        self.identifiers_port = ports() if identifiers else 0
        self.rest_port = ports() if identifiers else 0
        self.url = f"{'https' if 'tls = true' in api else 'http'}://127.0.0.1:{self.port}"
        self.user, self.password = "admin", ""
        self.config = directory / "hulian.toml"
        self.config.write_text(
            f"[node]\ndata = '{directory / 'data'}'\n[api]\nport = {self.port}\n{api}\n"
            f"[identifiers]\nport = {self.identifiers_port}\nrest_port = {self.rest_port}\n{naming}\n"
            f"[spine]\nport = {self.spine_port}\nmqtt_port = {self.mqtt_port}\n{settings}"
        )
        self.log = directory / "terminal.log"
        self.process: subprocess.Popen | None = None

    @property
    def data(self) -> Path:
        return self.directory / "data"

    def start(self, seconds: float = 150.0) -> RunningPlatform:
        before = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "hulian", "up", *self.arguments, "--config", str(self.config)],
                stdout=output,
                stderr=output,
                start_new_session=True,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        deadline = time.monotonic() + seconds
        while "Ctrl-C ends everything" not in (text := self.terminal()[before:]):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise AssertionError(f"the platform did not start:\n{text}")
            time.sleep(0.05)
        if found := CREDENTIALS.search(text):
            self.password = found[1]
        return self

    def terminal(self) -> str:
        return self.log.read_text(errors="replace")

    def token(self) -> str:
        return (self.data / "secrets" / "command-line.token").read_text()

    def sdk(self):
        from hulian.sdk import Platform

        secure = self.url.startswith("https")
        return Platform(self.url, token=self.token(), verify=self.data / "pki" / "authority" / "root.pem" if secure else None)

    def components(self) -> dict[str, dict]:
        return {item["name"]: item for item in json.loads((self.data / "run" / "components.json").read_bytes())}

    def kill(self, component: str) -> int:
        """kill -9 of one component; gives the process id that it had."""
        pid = self.components()[component]["pid"]
        os.kill(pid, signal.SIGKILL)
        return pid

    def wait_running(self, component: str, other_than: int, seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while True:
            found = self.components()[component]
            if found["state"] == "running" and found["pid"] not in (None, other_than):
                return
            if time.monotonic() > deadline:
                raise AssertionError(f"{component} did not come back: {found}\n{self.terminal()}")
            time.sleep(0.1)

    def stop(self) -> int:
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(45)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"the platform did not stop:\n{self.terminal()}") from None
        return self.process.returncode

    def cli(self, *arguments: str, expect: int = 0, **options) -> subprocess.CompletedProcess:
        done = subprocess.run(
            [sys.executable, "-m", "hulian", *arguments],
            capture_output=True,
            text=True,
            env={**os.environ, "HULIAN_CONFIG": str(self.config), "NO_COLOR": "1", "COLUMNS": "200"},
            timeout=120,
            **options,
        )
        assert done.returncode == expect, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def __enter__(self) -> RunningPlatform:
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()


class opcua_server:
    """The example's OPC UA server in a process of its own; gives its address."""

    def __init__(self, port: int = 0, period: float = 0.2) -> None:
        script = Path(__file__).resolve().parents[2] / "examples" / "opcua_server.py"
        self.command = [sys.executable, str(script), "--port", str(port), "--period", str(period)]

    def __enter__(self) -> str:
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        address = self.process.stdout.readline().strip()
        if not address:
            raise AssertionError("the OPC UA server did not start")
        return address

    def __exit__(self, *error: object) -> None:
        self.process.terminate()
        self.process.wait(20)
        self.process.stdout.close()
