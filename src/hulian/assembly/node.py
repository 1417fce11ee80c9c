"""The processes of a node, for the supervisor. This module stays light: it runs in the supervisor's own process."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import anyio.to_thread
import msgspec

from hulian.assembly.configuration import Configuration
from hulian.assembly.exposure import plain_listeners
from hulian.assembly.local import api_url
from hulian.assembly.teller import Teller
from hulian.assembly.tls import spine_trust
from hulian.network.exchange.spine.connection import Spine
from hulian.network.exchange.spine.server import wait_ready
from hulian.network.exchange.spine.streams import MQTT, declare
from hulian.platform.infrastructure.errors import ComponentFailedError
from hulian.platform.infrastructure.forking import ForkServer
from hulian.platform.infrastructure.process import ITSELF, ProcessSpec
from hulian.platform.infrastructure.supervisor import Stage, check_port, lock_directory

__all__ = ["Preparation", "first_start", "make_teller", "stages"]


EDGE_NODE: Final = "edge-node.json"
"""The file that makes a data directory that of an edge node; see `hulian.assembly.edge_node`."""
SUPERVISOR: Final = "supervisor"
"""The supervisor's name on the spine."""


class Preparation(msgspec.Struct, frozen=True, kw_only=True):
    """What `prepare` found and made; ``password`` is there at the first start only."""

    user: str
    password: str | None
    spine_command: list[str]
    spine_password: str
    devices_admitted: bool
    edge: str = ""
    centre: str = ""
    mqtt_inputs: dict[str, list[str]] = {}

    def __repr__(self) -> str:
        return "Preparation(…)"

    def welcome(self, configuration: Configuration) -> list[str]:
        """What a person reads when the node runs: the address, and at the first start the credentials."""
        if self.edge:
            return ["", f"  The edge node {self.edge} runs; its centre is {self.centre}", "", "  Ctrl-C ends everything.", ""]
        text = ["", f"  Hulian runs:  {api_url(configuration)}"]
        if self.password:
            text += [
                "",
                f"  user          {self.user}",
                f"  password      {self.password}",
                "",
                "  Keep this password: it is shown only now and stored as a hash. 'hulian user reset' makes a new one.",
            ]
        for name, address, key in plain_listeners(configuration):
            text += ["", f"  ! The {name} listens on {address} without TLS: passwords and data travel readable. Set {key}."]
        return [*text, "", "  Ctrl-C ends everything.", ""]


def command(*arguments: str, configuration_file: Path | None) -> list[str]:
    """A command line of this very program."""
    named = ["--config", str(configuration_file)] if configuration_file is not None else []
    return [*ITSELF, *arguments, *named]


def first_start(configuration: Configuration, configuration_file: Path | None, forks: ForkServer | None = None) -> Preparation:
    """Checks the ports and makes the data directory ready, in a process of its own, so that this one stays small.

    Raises `PortInUseError`, `AlreadyRunningError`, `ComponentFailedError`.
    """
    lock = lock_directory(Path(configuration.node.data))
    try:
        spine, node = configuration.spine, Path(configuration.node.data) / EDGE_NODE
        check_port(spine.host, spine.port, what="the spine", key="spine.port")
        if not node.exists():
            check_port(configuration.api.host, configuration.api.port, what="the API", key="api.port")
        if spine.leaf_port and not node.exists():
            check_port(spine.leaf_host, spine.leaf_port, what="the listener for edge nodes", key="spine.leaf_port")
        if configuration.identifiers.port and not node.exists():
            check_port(
                configuration.identifiers.host, configuration.identifiers.port, what="the resolver", key="identifiers.port"
            )
        if spine.mqtt_port:
            check_port(spine.mqtt_host, spine.mqtt_port, what="the MQTT listener", key="spine.mqtt_port")
        answer = _run(command("prepare", configuration_file=configuration_file), configuration, forks)
    finally:
        os.close(lock)
    return msgspec.json.decode(answer, type=Preparation)


def _run(line: Sequence[str], configuration: Configuration, forks: ForkServer | None) -> bytes:
    """What a command printed. Raises `ComponentFailedError` with its complaint where it failed."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as complaint:
        status = _ended(line, output.fileno(), complaint.fileno(), forks)
        output.seek(0)
        complaint.seek(0)
        if status:
            words = complaint.read().decode("utf-8", "replace").strip()
            raise ComponentFailedError(f"the node cannot be made ready:\n{words}", place=configuration.node.data)
        return output.read()


def _ended(line: Sequence[str], output: int, complaint: int, forks: ForkServer | None) -> int:
    if forks is not None:
        try:
            pid = forks.spawn(line[len(ITSELF) :], stdout=output, stderr=complaint)
        except OSError:
            pass  # executed instead
        else:
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return subprocess.run(line, stdin=subprocess.DEVNULL, stdout=output, stderr=complaint, check=False).returncode


def stages(
    configuration: Configuration,
    configuration_file: Path | None,
    preparation: Preparation,
    forks: ForkServer | None = None,
) -> Sequence[Stage]:
    """Spine first, then the rest together: none of them needs another one to become ready, and most of it is loading.

    The resolver comes last, and nothing waits for it.
    """

    def component(name: str) -> ProcessSpec:
        return ProcessSpec(name=name, command=command("up", name, configuration_file=configuration_file))

    if preparation.edge:
        return _edge_stages(configuration, preparation, component("edge"))
    admitted = preparation.devices_admitted
    resolver = (component("identifiers"),) if configuration.identifiers.port else ()
    trust = spine_trust(configuration)

    async def spine_ready() -> None:
        nonlocal admitted
        url, password = configuration.spine.url, preparation.spine_password
        await wait_ready(url, SUPERVISOR, password, tls=trust)
        async with await Spine.connect(url, SUPERVISOR, password, SUPERVISOR, tls=trust) as spine:
            await declare(spine, configuration.spine, configuration.node.organisation, mqtt=preparation.mqtt_inputs)
        if not admitted:
            # Once only: a reload while devices come back from a restart can leave one of them without acknowledgements.
            admit = command("prepare", "--admit", configuration_file=configuration_file)
            await anyio.to_thread.run_sync(_run, admit, configuration, forks)
            admitted = True

    return (
        Stage(
            processes=(
                ProcessSpec(name="spine", command=preparation.spine_command, probe=spine_ready, anew_after_full_disk=True),
            )
        ),
        Stage(processes=(component("historian"), component("edge"), component("api"))),
        # No sample waits for a name: the first ones are stored while the resolver is still loading.
        Stage(processes=resolver, late=True),
    )


def _edge_stages(configuration: Configuration, preparation: Preparation, edge: ProcessSpec) -> Sequence[Stage]:
    async def spine_ready() -> None:
        url, password = msgspec.structs.replace(configuration.spine, tls=None).url, preparation.spine_password
        await wait_ready(url, SUPERVISOR, password)
        async with await Spine.connect(url, SUPERVISOR, password, SUPERVISOR) as spine:
            await declare(spine, configuration.spine, configuration.node.organisation, only=MQTT)

    spine = ProcessSpec(name="spine", command=preparation.spine_command, probe=spine_ready, anew_after_full_disk=True)
    return (Stage(processes=(spine,)), Stage(processes=(edge,)))


def make_teller(configuration: Configuration, preparation: Preparation) -> Teller:
    """The way of the supervisor's own events onto the spine."""
    url, organisation = configuration.spine.url, configuration.node.organisation
    return Teller(url, SUPERVISOR, preparation.spine_password, organisation, tls=spine_trust(configuration))
