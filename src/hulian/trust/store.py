"""Everything of this room, opened together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec

from hulian.registry import Registry
from hulian.trust.audit import Audit
from hulian.trust.authority import Authority
from hulian.trust.certificates import CertificateAuthority
from hulian.trust.deployment import Signer
from hulian.trust.devices import Devices
from hulian.trust.edges import Edges
from hulian.trust.passwords import Passwords, PasswordSettings
from hulian.trust.peers import Peers
from hulian.trust.secrets import NodeKey, SecretStore
from hulian.trust.sessions import Sessions, SessionSettings
from hulian.trust.spine_accounts import SpineAccounts
from hulian.trust.throttle import Throttle
from hulian.trust.tokens import Tokens
from hulian.trust.users import Users

__all__ = ["Trust", "TrustSettings"]


class TrustSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Passwords and logins."""

    password: PasswordSettings = PasswordSettings()
    session: SessionSettings = SessionSettings()
    change_first_password: Annotated[
        bool, msgspec.Meta(description="whether the first administrator must change the printed password at the first login")
    ] = False


class Trust:
    """People, programs, devices and peers of one installation, and the one `authority` that decides about them.

    ``directory`` is the data directory: keys and secrets go to ``secrets``, certificates to ``pki`` (both mode 0700), the
    rest into the registry.
    """

    def __init__(self, registry: Registry, directory: Path, organisation: str, settings: TrustSettings) -> None:
        key = NodeKey(directory / "secrets")
        self._settings = settings
        passwords = Passwords(settings.password)
        throttle = Throttle(registry, key.derive("throttle"))
        self.audit = Audit(registry, key.derive("audit"), directory / "secrets" / "audit.head")
        self.authority = Authority(self.audit)
        self.users = Users(registry, self.audit, passwords, throttle)
        self.sessions = Sessions(registry, self.audit, passwords, throttle, self.users, settings.session)
        self.tokens = Tokens(registry, self.audit)
        self.devices = Devices(registry, self.audit)
        self.secrets = SecretStore(directory / "secrets", key)
        self.ca = CertificateAuthority(directory / "pki" / "authority", organisation)
        self.peers = Peers(directory / "pki" / "peers", self.audit)
        self.edges = Edges(registry, self.audit, throttle, self.ca, organisation)
        self.orders = Signer(directory / "pki" / "orders")
        self.spine = SpineAccounts(directory / "secrets", organisation, self.devices.spine_users, self.edges.spine_users)

    @classmethod
    def open(cls, registry: Registry, directory: Path, organisation: str, *, settings: TrustSettings | None = None) -> Trust:
        """Opens what is there and makes what is missing. Raises `KeyStoreError` where the directory cannot be used."""
        return cls(registry, directory, organisation, settings or TrustSettings())

    def bootstrap(self) -> str | None:
        """At the very first start: the random password of the administrator ``admin``, to be shown this once; else None."""
        return self.users.bootstrap(must_change_password=self._settings.change_first_password)
