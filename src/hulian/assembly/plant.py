"""The registry's connectors in the edge's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hulian.assembly.processing import described, knowing
from hulian.data.catalogue import Catalogue, ConnectorRecord
from hulian.kernel.configuration import resolve_secret
from hulian.kernel.errors import SecretError
from hulian.network.exchange.protocols.contract import Credentials
from hulian.platform.edge.contract import ConnectorPlan
from hulian.platform.edge.processing.plan import PROTOCOL
from hulian.trust import Trust

__all__ = ["CataloguePlant"]


class CataloguePlant:
    """`hulian.platform.edge.contract.PlantSource` over the catalogue; references to secrets are resolved here.

    ``edge`` chooses the connectors of one edge node; empty: those that the platform itself runs.
    """

    def __init__(self, catalogue: Catalogue, trust: Trust, edge: str = "") -> None:
        self._catalogue = catalogue
        self._trust = trust
        self._edge = edge

    def plans(self) -> Sequence[ConnectorPlan]:
        return [self._plan(record) for record in self._catalogue.connectors() if record.edge == self._edge]

    def _plan(self, record: ConnectorRecord) -> ConnectorPlan:
        credentials, problem = Credentials(), None
        try:
            credentials = self.credentials(record.credentials)
        except SecretError as error:
            problem = error.as_dict()
        bindings = described(self._catalogue, self._catalogue.bindings(record.name))
        settings = record.settings
        if record.protocol == PROTOCOL:
            settings = knowing(self._catalogue, self._trust, record, bindings)
        return ConnectorPlan(
            name=record.name,
            protocol=record.protocol,
            url=record.url,
            settings=settings,
            credentials=credentials,
            enabled=record.enabled,
            bindings=bindings,
            problem=problem,
        )

    def credentials(self, given: Mapping[str, str]) -> Credentials:
        """User, password and key, with the references of the last two resolved. Raises `SecretError`."""

        def behind(reference: str) -> str:
            return resolve_secret(reference, self._trust.secrets.get) if reference else ""

        password, key = behind(given.get("password", "")), behind(given.get("key", ""))
        return Credentials(user=given.get("user", ""), password=password, key=key)
