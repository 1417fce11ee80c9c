"""An edge node beside a running platform, brought in as two people do it."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

from free_ports import free_port
from plant import until
from running import RunningPlatform


class RunningEdge:
    """``hulian edge join`` and ``hulian up`` in a directory of its own, as a person types them."""

    def __init__(self, directory: Path, name: str = "press") -> None:
        directory.mkdir()
        self.name, self.directory = name, directory
        self.config = directory / "hulian.toml"
        self.mqtt_port = free_port()
        spine = f"[spine]\nport = {free_port()}\nmqtt_port = {self.mqtt_port}\n"
        self.config.write_text(f"[node]\ndata = '{directory / 'data'}'\n{spine}[edge]\ntrial_s = 8\n")
        self.log = directory / "terminal.log"
        self.process: subprocess.Popen | None = None

    def _hulian(self, *arguments: str, **more) -> subprocess.Popen:
        line = [sys.executable, "-m", "hulian", *arguments, "--config", str(self.config)]
        with self.log.open("ab") as log:
            return subprocess.Popen(line, stdout=log, stderr=log, start_new_session=True, **more)

    def join(self, centre: str, invitation: str) -> subprocess.Popen:
        return self._hulian("edge", "join", centre, "--name", self.name, "--invitation", invitation)

    def types(self, command: str) -> subprocess.Popen:
        """The command as the console shows it, in this node's directory."""
        program, *arguments = shlex.split(command)
        assert program == "hulian"
        return self._hulian(*arguments)

    def fingerprint(self) -> str:
        return until(lambda: re.search(r"fingerprint\s+(\S+)", self.log.read_text()), 30, "no fingerprint is shown")[1]

    def start(self) -> None:
        self.process = self._hulian("up")
        until(lambda: f"edge node {self.name} runs" in self.log.read_text(), 60, "the node does not start")

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(30)

    def __enter__(self) -> RunningEdge:
        return self

    def __exit__(self, *error) -> None:
        self.stop()


def invited(centre: RunningPlatform) -> str:
    with centre.sdk() as sdk:
        return sdk.invite_edge("press hall").secret


def joined(centre: RunningPlatform, edge: RunningEdge) -> None:
    joining = edge.join(centre.url, invited(centre))
    shown = edge.fingerprint()
    with centre.sdk() as sdk:
        (waiting,) = sdk.edges()
        assert (waiting.name, waiting.state, waiting.fingerprint) == (edge.name, "waiting", shown)
        sdk.decide_edge(edge.name, "approve", fingerprint=shown)
    assert joining.wait(30) == 0, edge.log.read_text()
