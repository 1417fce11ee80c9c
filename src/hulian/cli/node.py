"""``hulian up``, ``status``, ``config``: the node itself."""

from __future__ import annotations

import os
import signal
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import anyio
from cyclopts import Parameter

from hulian.cli.errors import CommandError
from hulian.cli.local import ConfigFile, Json, read_configuration

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hulian.assembly.configuration import Configuration
    from hulian.assembly.teller import Teller
    from hulian.platform.infrastructure.forking import ForkServer
    from hulian.platform.infrastructure.supervisor import ComponentStatus, Stage

__all__ = ["config_check", "config_sample", "prepare", "run_supervised", "status", "up"]


def up(
    component: Annotated[
        Literal["all", "spine", "historian", "edge", "api", "identifiers"],
        Parameter(help="one component alone, in the foreground"),
    ] = "all",
    /,
    *,
    demo: Annotated[bool, Parameter(help="start the demo plant as well, and connect it", negative="")] = False,
    plant: Annotated[
        Path | None, Parameter(name="--plant", help="TOML file with the demo plant's settings, its ports among them")
    ] = None,
    config: ConfigFile = None,
) -> int:
    """Start the platform, and keep it running until Ctrl-C.

    At the first start it makes the data directory, the certificates and the administrator, and prints the password once.
    In the data directory of an edge node ('hulian edge join') it starts that node.

    Examples:

        hulian up
        hulian up --demo
        hulian up --config plant.toml
        hulian up historian --config plant.toml
        hulian up edge
    """
    configuration = read_configuration(config)
    from hulian.assembly.node import EDGE_NODE

    enrolled = (Path(configuration.node.data) / EDGE_NODE).exists()
    if component != "all" and not (component == "edge" and enrolled and "HULIAN_NOTIFY" not in os.environ):
        from hulian.assembly.components import run_component

        return run_component(component, configuration, config)
    from hulian.cli.preloading import fork_server

    # First of all: it loads while this process does.
    with fork_server() as forks:
        return _up(configuration, config, plant, forks, demo=demo, enrolled=enrolled)


def _up(
    configuration: Configuration,
    config: Path | None,
    plant: Path | None,
    forks: ForkServer | None,
    *,
    demo: bool,
    enrolled: bool,
) -> int:
    from hulian.assembly.logging import configure_logging

    configure_logging("supervisor")
    from hulian.assembly.node import first_start, make_teller, stages

    if demo and enrolled:
        raise CommandError("an edge node has no demo plant", hint="start it at the centre: 'hulian up --demo'")
    if demo:
        from hulian.cli.demo import check_ports

        check_ports(configuration, plant)
    preparation = first_start(configuration, config, forks)
    data, chosen = Path(configuration.node.data), stages(configuration, config, preparation, forks)
    welcome, teller = preparation.welcome(configuration), make_teller(configuration, preparation)
    if enrolled:
        return run_supervised(data, chosen, welcome, forks=forks)
    if not demo:
        return run_supervised(data, chosen, welcome, teller=teller, forks=forks)
    from hulian.cli.demo import connect_plant, demo_stage

    return run_supervised(
        data,
        (*chosen, demo_stage(configuration, config, plant)),
        welcome,
        afterwards=partial(connect_plant, configuration, config, plant),
        teller=teller,
        forks=forks,
    )


def prepare(*, config: ConfigFile = None, admit: bool = False) -> None:
    """Make the data directory, migrate the registry, write the spine's settings; for the supervisor."""
    from hulian.assembly.preparation import admit_devices
    from hulian.assembly.preparation import prepare as make_ready
    from hulian.cli.output import emit

    configuration = read_configuration(config)
    if admit:
        admit_devices(configuration)
    else:
        emit(make_ready(configuration))


def run_supervised(
    data: Path,
    node_stages: Sequence[Stage],
    welcome: Sequence[str],
    *,
    afterwards: Callable[[], object] | None = None,
    teller: Teller | None = None,
    forks: ForkServer | None = None,
) -> int:
    """Runs the stages with progress on the terminal until Ctrl-C or SIGTERM; 0 for a clean end."""
    from hulian.platform.infrastructure.supervisor import Supervisor, lock_directory

    lock_directory(data)
    began: dict[str, float] = {}

    def progress(status: ComponentStatus) -> None:
        now = time.monotonic()
        match status.state:
            case "starting":
                began[status.name] = now
            case "running":
                print(f"  ✓ {status.name:<11} ready in {now - began.get(status.name, now):.1f} s", flush=True)
            case "restarting":
                began[status.name] = now
                print(f"  ! {status.name:<11} {status.detail}; starting it again", flush=True)

    async def run() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(_stop_on_signal, group.cancel_scope)

            def started() -> None:
                print("\n".join(welcome), flush=True)
                if afterwards is not None:
                    group.start_soon(anyio.to_thread.run_sync, afterwards)

            if teller is None:
                await Supervisor(data, node_stages, progress, forks=forks).run(started)
            else:
                group.start_soon(teller.run)
                await Supervisor(data, node_stages, progress, teller.tell, forks=forks).run(started)

    print("Hulian starts", flush=True)
    anyio.run(run)
    print("Hulian has stopped", flush=True)
    return 0


async def _stop_on_signal(scope: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            print("\nstopping …", flush=True)
            scope.cancel()
            return


def status(*, config: ConfigFile = None, json: Json = False) -> int:
    """Show the components of this node: state, memory, restarts.

    Examples:

        hulian status
        hulian status --json
    """
    from hulian.cli.output import emit, table
    from hulian.platform.infrastructure.supervisor import read_components

    components = read_components(Path(read_configuration(config).node.data))
    if json:
        emit(components)
    else:
        rows = [
            {
                "component": item.name,
                "state": item.state,
                "since": time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(item.since)),
                "restarts": item.restarts,
                "memory MB": item.memory_mb,
                "cpu %": item.cpu_percent,
            }
            for item in components
        ]
        table(rows, list(rows[0]) if rows else [], empty="Nothing has run here yet. Start the platform with 'hulian up'.")
    return 0 if components and all(item.state == "running" for item in components) else 1


def config_sample() -> None:
    """Print a commented hulian.toml with every key at its default.

    Example:

        hulian config sample > hulian.toml
    """
    from hulian.assembly.configuration import Configuration
    from hulian.kernel.configuration import sample

    sys.stdout.write(sample(Configuration))


def config_check(*, config: ConfigFile = None) -> None:
    """Check the configuration; a mistake is told with its line and the nearest known key.

    Example:

        hulian config check --config plant.toml
    """
    read_configuration(config)
    print("the configuration is fine")
