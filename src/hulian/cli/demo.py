"""``hulian demo`` serves the demo plant; ``hulian up --demo`` also connects it, through the public API, as a person would."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import anyio
import msgspec
from cyclopts import Parameter

from hulian.cli.errors import CommandError
from hulian.cli.local import ConfigFile, Remote, open_platform, read_configuration
from hulian.kernel.configuration import resolve_secret

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
    service = settings.service.port
    check_port("127.0.0.1", service, what="the demo plant's chromatograph", key="service.port (--plant FILE)")


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
    """Imports what the plant says of itself, and makes connectors and points of it. What fails is told and can be done by hand.

    What was imported before and is still so is left alone, but for connectors that are gone.
    """
    from hulian.cli.output import complain
    from hulian.demo import plan
    from hulian.demo.describing import FILES
    from hulian.kernel.errors import HulianError

    settings = plant_configuration(configuration, plant, user=DEVICE)
    connections = plan(settings)
    with open_platform(Remote(config=configuration_file)) as platform:
        known = {connector.name for connector in platform.connectors()}
        missing = [connection for connection in connections if connection.name not in known]
        for name, make in FILES.items():
            document, _, form = name.rpartition(".")
            described = [one for one in missing if (one.protocol == "instrument") == (form == "iml")]
            try:
                if _import(platform, document, form, make(settings)) or described:
                    platform.apply_proposals(document, {one.name: _choice(one) for one in described})
                    for one in described:
                        print(f"  ✓ connected  {one.name}: {len(one.points)} points from {one.url}", flush=True)
            except HulianError as error:
                complain(error)


def _import(platform: Platform, document: str, form: str, text: str) -> bool:
    """Makes the document what it says now; whether it said something else before. Raises `CommandError` where it has errors."""
    found = platform.model_import(text.encode(), document, form)
    if found.errors or (found.replaces and found.unchanged):
        platform.model_discard(found.version.key)
    if found.errors:
        raise CommandError(f"the description has {found.errors} errors", place=document, hint="hulian demo describe writes it")
    if found.replaces and found.unchanged:
        return False
    platform.model_apply(found.version.key)
    return True


def _choice(connection: PlannedConnection) -> dict[str, object]:
    """What the description cannot say of a connector: how often, how securely, what may be written, and who we are there."""
    credentials = {field: connection.credentials[field] for field in ("user",) if connection.credentials.get(field)}
    reference = connection.credentials.get("password", "")
    if reference.startswith("secret:"):
        credentials["reference"] = reference
    elif reference:
        credentials["password"] = resolve_secret(reference)
    return {"settings": msgspec.to_builtins(connection.settings), "credentials": credentials}
