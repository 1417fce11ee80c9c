"""``hulian demo`` serves the demo plant; ``hulian up --demo`` also connects it, through the public API, as a person would."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import anyio
import msgspec
from cyclopts import Parameter

from hulian.cli.local import ConfigFile, Remote, open_platform, read_configuration

if TYPE_CHECKING:
    from hulian.assembly.configuration import Configuration
    from hulian.demo import DemoConfiguration, PlannedConnection
    from hulian.platform.infrastructure.supervisor import Stage
    from hulian.sdk import Platform

__all__ = ["DEVICE", "PlantFile", "check_ports", "connect_plant", "demo", "demo_stage", "plant_configuration"]

PlantFile = Annotated[
    Path | None, Parameter(name="--plant", help="TOML file with the demo plant's settings, its ports among them")
]

DEVICE: Final = "demo-analysers"
"""The MQTT credential of the demo's analysers, and the name under which its password is kept."""


def demo(
    *,
    speed: Annotated[float | None, Parameter(help="seconds of the process in one second; 60 where nothing is said")] = None,
    seed: Annotated[int | None, Parameter(help="the same seed gives the same noise")] = None,
    mqtt_user: Annotated[str, Parameter(help="device credential of the analysers; without one they do not publish")] = "",
    mqtt_password: Annotated[str, Parameter(help="reference to its password: env:NAME, file:PATH or secret:NAME")] = "",
    plant: PlantFile = None,
    config: ConfigFile = None,
) -> int:
    """Serve a plant to try things on: the Tennessee Eastman process, simulated live.

    Reactor and separator are on OPC UA (port 4841), the stripper on Modbus TCP (5020), the analysers publish Sparkplug B. It
    is a plant like any other: `hulian up --demo` starts the platform and connects it.

    Examples:

        hulian demo
        hulian demo --speed 600
        hulian browse opc.tcp://127.0.0.1:4841 --set security=none
    """
    from hulian.assembly.logging import configure_logging
    from hulian.assembly.preparation import open_secrets
    from hulian.demo import DemoPlant

    configure_logging("demo")
    node = read_configuration(config)
    settings = plant_configuration(node, plant, user=mqtt_user, password=mqtt_password)
    changes = {name: value for name, value in (("speed", speed), ("seed", seed)) if value is not None}
    settings = msgspec.structs.replace(settings, **changes)
    stored = open_secrets(node).get if mqtt_password.startswith("secret:") else None
    anyio.run(_serve, DemoPlant(settings, stored=stored))
    return 0


def plant_configuration(node: Configuration, plant: Path | None, *, user: str, password: str = "") -> DemoConfiguration:
    """The demo plant as its file says (or by default), with its analysers pointed at this node's MQTT listener."""
    from hulian.demo import DemoConfiguration
    from hulian.demo.configuration import MqttDevice
    from hulian.kernel.configuration import load

    given = load(plant, DemoConfiguration) if plant is not None else DemoConfiguration()
    analysers = msgspec.structs.replace(given.mqtt, user=user, password=password) if user else given.mqtt
    if given.mqtt == MqttDevice():
        analysers = msgspec.structs.replace(analysers, port=node.spine.mqtt_port or 1883)
    return msgspec.structs.replace(given, mqtt=analysers, state=given.state or str(Path(node.node.data) / "demo"))


async def _serve(plant: object) -> None:
    from hulian.demo import DemoPlant
    from hulian.platform.infrastructure.process import tell_ready

    assert isinstance(plant, DemoPlant)  # noqa: S101 - anyio.run takes plain arguments
    async with anyio.create_task_group() as group:
        await group.start(plant.run)
        tell_ready()
        if sys.stderr.isatty():
            print("the demo plant runs; Ctrl-C ends it", flush=True)
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for _ in signals:
                group.cancel_scope.cancel()
                return


def check_ports(configuration: Configuration, plant: Path | None) -> None:
    """Raises `PortInUseError` before anything is started where the demo plant could not listen."""
    from hulian.platform.infrastructure.supervisor import check_port

    settings = plant_configuration(configuration, plant, user=DEVICE)
    check_port(settings.host, settings.opcua.port, what="the demo plant's OPC UA server", key="opcua.port (--plant FILE)")
    check_port(settings.host, settings.modbus.port, what="the demo plant's Modbus server", key="modbus.port (--plant FILE)")


def demo_stage(configuration: Configuration, configuration_file: Path | None, plant: Path | None) -> Stage:
    """The demo plant as one more process of the node, behind the platform that gives it its credential."""
    from hulian.assembly.node import command
    from hulian.platform.infrastructure.process import ProcessSpec
    from hulian.platform.infrastructure.supervisor import Stage

    line = command(
        "demo",
        "--mqtt-user",
        DEVICE,
        "--mqtt-password",
        f"secret:{DEVICE}",
        *(("--plant", str(plant)) if plant is not None else ()),
        configuration_file=configuration_file,
    )

    async def before() -> None:
        await anyio.to_thread.run_sync(_credential, configuration, configuration_file, plant)

    return Stage(processes=(ProcessSpec(name="demo", command=line),), before=before)


def _credential(configuration: Configuration, configuration_file: Path | None, plant: Path | None) -> None:
    """The analysers' credential, made once; its password is kept as a secret of this node."""
    from hulian.assembly.preparation import open_secrets

    secrets = open_secrets(configuration)
    with open_platform(Remote(config=configuration_file)) as platform:
        known = {device.name for device in platform.devices()}
        if DEVICE in known and secrets.get(DEVICE):
            return
        if DEVICE in known:
            platform.remove_device(DEVICE)
        group = plant_configuration(configuration, plant, user=DEVICE).mqtt.group
        made = platform.create_device(DEVICE, [f"spBv1.0/{group}/#"], subscribe=[f"spBv1.0/{group}/NCMD/#", "spBv1.0/STATE/#"])
        secrets.set(DEVICE, made.password)


def connect_plant(configuration: Configuration, configuration_file: Path | None, plant: Path | None) -> None:
    """Connects what is not connected yet: browse, propose, create. What fails is told and can be done by hand."""
    from hulian.cli.output import complain
    from hulian.demo import plan
    from hulian.kernel.errors import HulianError

    settings = plant_configuration(configuration, plant, user=DEVICE)
    with open_platform(Remote(config=configuration_file)) as platform:
        known = {connector.name for connector in platform.connectors()}
        for connection in plan(settings):
            if connection.name in known:
                continue
            try:
                count = _connect(platform, connection)
                print(f"  ✓ connected  {connection.name}: {count} points from {connection.url}", flush=True)
            except HulianError as error:
                complain(error)


def _connect(platform: Platform, connection: PlannedConnection, seconds: float = 20.0) -> int:
    """Looks at the device until it shows everything that the plan selects, at most ``seconds``; then takes what is planned."""
    from hulian.kernel.errors import HulianError

    deadline = time.monotonic() + seconds
    settings = msgspec.to_builtins(connection.settings)
    wanted = {point.address for point in connection.points}
    nodes: list[object] = []
    while True:
        try:
            nodes = [
                node
                for node in platform.browse(connection.url, protocol=connection.protocol, settings=settings, depth=0).nodes
                if node.leaf and node.address in wanted
            ]
        except HulianError:
            if time.monotonic() > deadline and connection.protocol != "mqtt":
                raise
        if len(nodes) == len(wanted) or time.monotonic() > deadline:
            break
        time.sleep(0.5)
    points = []
    for thing in connection.things:
        of_thing = [point for point in connection.points if point.thing == thing]
        seen = {getattr(node, "address", "") for node in nodes}
        listed = [node for node in nodes if getattr(node, "address", "") in {point.address for point in of_thing}]
        # What a device has not shown yet (an analyser that measures every quarter of an hour) is entered by hand.
        listed += [point.node() for point in of_thing if point.address not in seen]
        points += connection.select(platform.propose(connection.name, listed, thing=thing))  # type: ignore[arg-type]
    platform.create_connector(
        connection.name,
        connection.url,
        protocol=connection.protocol,
        settings=settings,
        user=connection.credentials.get("user"),
        password=connection.credentials.get("password"),
        points=points,
    )
    return len(points)
