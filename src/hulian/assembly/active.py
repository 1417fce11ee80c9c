"""Active carriers of an installation: the desk, the factory, and the way of reports into the platform."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import anyio
import anyio.to_thread
import msgspec
import structlog
from cryptography.hazmat.primitives import serialization

from hulian.assembly.local import api_url
from hulian.assembly.preparation import open_authority, open_secrets, open_trust
from hulian.kernel.configuration import resolve_secret
from hulian.kernel.errors import ConfigurationError, HulianError
from hulian.network.identifiers.active.carriers import Carriers
from hulian.network.identifiers.active.certificates import LIST_SECONDS, CarrierAuthority
from hulian.network.identifiers.active.contents import NodeSigner
from hulian.network.identifiers.active.desk import Desk
from hulian.network.identifiers.active.errors import DeliveryError, RefusedReportError
from hulian.network.identifiers.active.messages import Report
from hulian.network.identifiers.active.provision import Factory
from hulian.network.identifiers.chain.follow import Follow
from hulian.network.identifiers.nodes.active import ActiveService, NodeRecords
from hulian.network.identifiers.nodes.beginning import admin_value
from hulian.network.identifiers.transport.client import Client
from hulian.network.identifiers.wire.authentication import signer_for
from hulian.trust import machine_names, private_files

if TYPE_CHECKING:
    from collections.abc import Sequence

    import httpx
    from cryptography.hazmat.primitives.asymmetric import rsa

    from hulian.assembly.configuration import Configuration
    from hulian.network.identifiers.nodes.tiers import Inside
    from hulian.network.identifiers.wire.values import Reference, Value
    from hulian.registry import Registry

__all__ = ["PushSink", "attend", "factory", "keep_list", "served"]

_log = structlog.get_logger(__name__)

_SECONDS: Final = 30.0
_LOOK: Final = 0.5
_AGAIN: Final = frozenset((401, 403, 404, 408, 409, 425, 429))
"""Answers that a person or a while can change: everything else below 500 is about the report itself."""


def served(configuration: Configuration) -> bool:
    """Whether this node serves carriers in any way."""
    settings = configuration.identifiers.active
    return bool(settings.port or settings.coap_port or settings.mqtt)


def authority(configuration: Configuration) -> CarrierAuthority:
    """Who issues the certificates of carriers. Raises `ConfigurationError`."""
    path = Path(configuration.node.data) / "pki" / "carriers.pem"
    named = configuration.identifiers.active.authorities
    try:
        others = Path(named).read_bytes() if named else b""
        return CarrierAuthority(path, configuration.node.organisation, others)
    except (OSError, ValueError) as error:
        place = "identifiers.active.authorities" if named else str(path)
        raise ConfigurationError(f"the certificates of authorities cannot be read: {error}", place=place) from error


def trusted(key: rsa.RSAPrivateKey) -> str:
    """The public half of the node's key (PEM), which carriers believe contents of."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def factory(configuration: Configuration, registry: Registry, key: rsa.RSAPrivateKey, node: str = "") -> Factory:
    """What makes carriers for this node; ``node`` is the address (host:port) that they are to reach it at."""
    ca = open_authority(configuration).root_pem().decode()
    return Factory(Carriers(registry), authority(configuration), ca=ca, trust=[trusted(key)], node=node)


def attend(
    configuration: Configuration, registry: Registry, key: rsa.RSAPrivateKey, who: Reference, root: Sequence[Value]
) -> Callable[[Inside], Callable[[], Coroutine[Any, Any, None]]]:
    """Makes of a node behind its authentication the task that serves its carriers."""
    settings = configuration.identifiers.active
    stored = open_secrets(configuration).get
    names = machine_names(settings.host, also=[configuration.identifiers.address] if configuration.identifiers.address else [])
    sink = None
    if settings.push:
        token = resolve_secret(settings.push_token, stored) if settings.push_token else ""
        sink = PushSink(settings.push, token, settings.push_ca)
    password = resolve_secret(settings.mqtt_password, stored) if settings.mqtt_password else ""
    url, issuer = api_url(configuration), authority(configuration)
    trail = open_trust(configuration, registry).audit

    def certificate() -> tuple[Path, Path]:
        found = open_authority(configuration).server_certificate(names, "carriers")
        return found.certificate, found.key

    def made(inside: Inside) -> Callable[[], Coroutine[Any, Any, None]]:
        desk = Desk(
            Carriers(registry, most_waiting=settings.waiting),
            NodeRecords(inside, who),
            issuer,
            NodeSigner(signer_for(key)),
            [trusted(key)],
            admin_value(who),
            lambda identifier: f"{url}/api/v1/points?thing={quote(identifier, safe='')}",
            trail=trail,
        )
        follow = Follow(root, Client()) if root else None
        service = ActiveService(settings, desk, inside, follow, certificate, sink, password=password)

        async def run() -> None:
            async with anyio.create_task_group() as group:
                group.start_soon(service.run)
                group.start_soon(keep_list, Path(configuration.node.data) / "pki" / "carriers.crl", desk.carriers, issuer)

        return run

    return made


async def keep_list(path: Path, carriers: Carriers, issuer: CarrierAuthority) -> None:
    """Keeps the list of revoked certificates in ``path``, within a second of every change. Until cancelled."""
    written: tuple[int, int] | None = None
    due = 0.0
    while True:
        try:
            now = await anyio.to_thread.run_sync(carriers.revocations)
            if now != written or time.monotonic() >= due:
                await anyio.to_thread.run_sync(_write_list, path, carriers, issuer)
                written, due = now, time.monotonic() + LIST_SECONDS / 14
        except HulianError as error:
            _log.warning("the list of revoked carriers is behind", reason=str(error), place=str(path))
        await anyio.sleep(_LOOK)


def _write_list(path: Path, carriers: Carriers, issuer: CarrierAuthority) -> None:
    private_files.replace(path, issuer.revocation_list(carriers.revoked()), mode=0o644)


class PushSink:
    """`hulian.network.identifiers.active.outbox.ReportSink`: into an http-push connector of the edge.

    Each report is one request to the stream that is called like the identifier, under an idempotency key of its own: the
    connector stores it once, however often it comes (as long as it remembers keys: a day, 10,000 of them, unless configured).
    """

    def __init__(self, url: str, token: str, ca: str = "") -> None:
        self._url = url.rstrip("/")
        self._token = token
        self._ca = ca
        self._client: httpx.AsyncClient | None = None

    def __repr__(self) -> str:
        return f"PushSink({self._url!r})"

    async def deliver(self, identity: str, report: Report, received: int) -> None:
        """See `ReportSink`."""
        import httpx

        headers = {"Content-Type": "application/json", "Idempotency-Key": quote(identity, safe="/.-")}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        if self._client is None:
            self._client = httpx.AsyncClient(verify=_context(self._ca), timeout=_SECONDS, trust_env=False)
        body = msgspec.json.encode(samples_of(report, received))
        try:
            answer = await self._client.post(
                f"{self._url}/push/{quote(report.identifier, safe='')}", content=body, headers=headers
            )
        except httpx.HTTPError as error:
            raise DeliveryError(f"the connector cannot be reached: {error or type(error).__name__}", place=self._url) from error
        if answer.is_success:
            return
        said = f"the connector answered {answer.status_code}: {answer.text[:200]}"
        if answer.status_code in _AGAIN or answer.status_code >= 500:
            raise DeliveryError(said, place=self._url)
        raise RefusedReportError(said, place=self._url)


def samples_of(report: Report, received: int) -> list[dict[str, Any]]:
    """A report as the connector reads JSON: one object a moment, and within it the items by the parts of their names.

    Raises `RefusedReportError` for names that contradict each other.
    """
    moments: dict[int, dict[str, Any]] = {}
    for item in report.items:
        time = item.time or received
        *above, last = item.name.split(".")
        place = moments.setdefault(time, {"timestamp": time})
        for part in above:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise RefusedReportError(f"the item {item.name!r} lies below another one")
        if last in place:
            raise RefusedReportError(f"the item {item.name!r} comes twice at one time, or is called like the time")
        place[last] = item.value
    return list(moments.values())


def _context(ca: str) -> Any:
    import ssl

    try:
        return ssl.create_default_context(cafile=ca or None)
    except (OSError, ssl.SSLError) as error:
        raise DeliveryError(f"the authority cannot be read: {error}", place="identifiers.active.push_ca") from error
