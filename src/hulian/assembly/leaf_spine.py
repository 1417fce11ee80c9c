"""The spine of an edge node: a leaf of the centre's, with a listener for the devices that the centre lets in here.

Whom it admits stands in ``secrets/devices.json``, as the last order said; the node decides nothing about devices itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from hulian.assembly.accounts import convert
from hulian.assembly.configuration import Configuration
from hulian.assembly.tls import listener_certificates, spine_listener
from hulian.network.exchange.spine import server
from hulian.network.exchange.spine.configuration import SpineConfiguration, Tls
from hulian.trust import CertificateAuthority, EnrolmentError, edge_account, private_files
from hulian.trust.spine_accounts import SpineAccounts, SpineUser

if TYPE_CHECKING:
    from hulian.trust.renewal import Listener

__all__ = ["LeafSpine"]


class LeafSpine:
    """The node ``name``'s server: its settings, its users, and the way to the centre at ``leaf`` (``host:port``)."""

    def __init__(self, configuration: Configuration, *, name: str, organisation: str, leaf: str) -> None:
        data = Path(configuration.node.data)
        self._configuration = configuration
        self._name = name
        self._leaf = leaf
        self._directory = data / "spine"
        self._pki = data / "pki" / "node"
        self._secrets = private_files.private_directory(data / "secrets")
        self._certificates = CertificateAuthority(data / "pki" / "authority", configuration.node.organisation)
        self.accounts = SpineAccounts(self._secrets, organisation)

    @property
    def plain(self) -> SpineConfiguration:
        """What components need to reach it: it listens to them on loopback, and to no further nodes."""
        node, spine = self._configuration.node, self._configuration.spine
        return msgspec.structs.replace(spine, durability=node.durability.value, leaf_port=0, tls=None)

    def prepare(self) -> list[str]:
        """Writes its files; the command line that serves them. Call it before every start. Raises `EnrolmentError`."""
        return server.prepare(self._settings(), self._users(self._kept()), self._directory, remote=self._remote())

    def admit(self, devices: Sequence[SpineUser]) -> None:
        """Lets these devices in and all others out, over restarts, without one. Raises `SpineError`."""
        content = msgspec.json.encode(list(devices))
        if private_files.read(self._secrets / "devices.json") != content:
            private_files.replace(self._secrets / "devices.json", content)
        written = self._directory / "nats.conf"
        before = written.read_text(encoding="utf-8") if written.exists() else ""
        server.write(self._settings(), self._users(devices), self._directory.absolute(), devices=True, remote=self._remote())
        if written.read_text(encoding="utf-8") != before:
            server.reload(self._directory)

    def show_certificate(self, chain: str, root: bytes) -> None:
        """Shows the centre ``chain`` (PEM) from the next connection on, and believes ``root``. Raises `SpineError`."""
        private_files.replace(self._pki / "authority.pem", root)
        private_files.replace(self._pki / "certificate.pem", chain.encode())
        server.reload(self._directory)

    def watched_listeners(self) -> list[Listener]:
        """What `hulian.trust.renewal.CertificateWatch` looks after on this node: the listener for devices, with TLS."""
        spine = self.plain
        if spine.mqtt_tls is None or not spine.mqtt_port:
            return []
        return [
            spine_listener(
                f"MQTT listener of {self._name}",
                lambda: self._settings().mqtt_tls,
                spine.mqtt_host,
                spine.mqtt_port,
                self._directory,
                greeting=False,
                given=bool(spine.mqtt_tls.certificate),
                renew=self._certificates.renew,
            )
        ]

    def _kept(self) -> list[SpineUser]:
        content = private_files.read(self._secrets / "devices.json")
        return msgspec.json.decode(content, type=list[SpineUser]) if content else []

    def _users(self, devices: Sequence[SpineUser]) -> list[server.SpineUser]:
        return [convert(user) for user in self.accounts.edge_node_users(self._name, devices)]

    def _settings(self) -> SpineConfiguration:
        if self.plain.mqtt_tls is None:
            return self.plain
        without = msgspec.structs.replace(self._configuration, spine=self.plain)
        return listener_certificates(without, self._certificates)

    def _remote(self) -> server.LeafRemote:
        password = private_files.read(self._secrets / "centre.password")
        if password is None:
            raise EnrolmentError("the node's password is gone", place=str(self._secrets), hint="enrol again")
        certificate, key, authority = (str(self._pki / f"{name}.pem") for name in ("certificate", "key", "authority"))
        return server.LeafRemote(
            urls=[self._leaf],
            user=edge_account(self._name),
            password=password.decode(),
            tls=Tls(certificate=certificate, key=key, authority=authority),
            domain=f"edge-{self._name}",
        )
