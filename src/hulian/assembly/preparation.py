"""What has to be there before the first process starts: directories, registry, administrator, the spine's settings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec

from hulian.assembly.accounts import spine_users
from hulian.assembly.configuration import Configuration
from hulian.assembly.edge_node import node_of, prepare_node
from hulian.assembly.inputs import reads_listener, topics_of
from hulian.assembly.local import TOKEN_FILE
from hulian.assembly.tls import listener_certificates, spine_trust
from hulian.data.catalogue import Catalogue
from hulian.network.exchange.spine import server
from hulian.network.exchange.spine.configuration import SpineConfiguration
from hulian.network.exchange.spine.connection import Spine
from hulian.network.exchange.spine.mqtt_input import stored_subjects
from hulian.registry import Registry
from hulian.trust import CertificateAuthority, Trust
from hulian.trust.principals import Scope
from hulian.trust.secrets import NodeKey, SecretStore
from hulian.trust.spine_accounts import SpineAccounts

__all__ = ["admit_devices", "connect_spine", "open_authority", "open_registry", "open_secrets", "open_trust", "prepare"]


def open_registry(configuration: Configuration) -> Registry:
    """The node's registry, migrated."""
    target = configuration.node.database or Path(configuration.node.data) / "registry.db"
    return Registry.open(target, durability=configuration.node.durability.value)


def open_trust(configuration: Configuration, registry: Registry) -> Trust:
    """The node's users, keys and permissions."""
    return Trust.open(registry, Path(configuration.node.data), configuration.node.organisation)


def prepare(configuration: Configuration) -> dict[str, Any]:
    """Makes everything ready; safe to call at every start. Gives the administrator's password at the first."""
    node = node_of(configuration)
    if node is not None:
        return prepare_node(configuration, node)
    data = Path(configuration.node.data)
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    (data / "tmp").mkdir(exist_ok=True, mode=0o700)
    registry = open_registry(configuration)
    try:
        trust = open_trust(configuration, registry)
        password = trust.bootstrap()
        _command_line_token(trust, data)
        directory = data / "spine"
        return {
            "user": "admin",
            "password": password,
            "spine_command": server.prepare(spine_settings(configuration, trust.ca), spine_users(trust), directory),
            "spine_password": trust.spine.password("supervisor"),
            "mqtt_inputs": _mqtt_inputs(configuration, registry),
            "devices_admitted": not configuration.spine.mqtt_port or server.kept_devices(directory),
        }
    finally:
        registry.close()


def _mqtt_inputs(configuration: Configuration, registry: Registry) -> dict[str, list[str]]:
    """What each MQTT connector reads, so that its consumer is there before the first device."""
    found: dict[str, list[str]] = {}
    for record in Catalogue(registry, configuration.node.organisation).connectors():
        if record.protocol == "mqtt" and reads_listener(record.url):
            found[record.name] = stored_subjects(topics_of(record.settings))
    return found


def admit_devices(configuration: Configuration) -> None:
    """Lets MQTT devices in, once the streams that keep their messages are declared."""
    registry = open_registry(configuration)
    try:
        trust = open_trust(configuration, registry)
        server.admit(spine_settings(configuration, trust.ca), spine_users(trust), Path(configuration.node.data) / "spine")
    finally:
        registry.close()


def open_secrets(configuration: Configuration) -> SecretStore:
    """The node's secrets alone, for components that have no registry."""
    directory = Path(configuration.node.data) / "secrets"
    return SecretStore(directory, NodeKey(directory))


def open_authority(configuration: Configuration) -> CertificateAuthority:
    """The node's own certificate authority."""
    return CertificateAuthority(Path(configuration.node.data) / "pki" / "authority", configuration.node.organisation)


async def connect_spine(configuration: Configuration, component: str, *, seconds: float = 30.0) -> Spine:
    """The spine under the component's own credential. Raises `SpineDeniedError`, `SpineUnavailableError`."""
    accounts = SpineAccounts(Path(configuration.node.data) / "secrets", configuration.node.organisation)
    password, tls = accounts.password(component), spine_trust(configuration)
    return await Spine.connect(configuration.spine.url, component, password, component, tls=tls, timeout=seconds)


def spine_settings(configuration: Configuration, authority: CertificateAuthority) -> SpineConfiguration:
    """The spine's table with what the node's table decides, and the certificates of its listeners."""
    found = listener_certificates(configuration, authority)
    return msgspec.structs.replace(found, durability=configuration.node.durability.value)


def _command_line_token(trust: Trust, data: Path) -> None:
    """The command line of this machine gets a token of its own, readable by the node's owner only."""
    path = data / "secrets" / TOKEN_FILE
    if path.exists() and trust.tokens.resolve(path.read_text(encoding="ascii").strip()) is not None:
        return
    issued = trust.tokens.issue("admin", "command line of this machine", frozenset(Scope), by="first start")
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(issued.secret)
