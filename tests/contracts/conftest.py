"""What the contract suites share: every protocol that is installed, its simulator, and the edge's side of a connector.

A protocol offers its peer as ``Simulator`` in its module ``simulator``:

* ``async with Simulator() as simulator`` starts a real peer; ``simulator.url``, ``.configuration`` (the protocol's settings
  that fit it), ``.credentials``, ``.extras`` (for `Environment.extras`), ``.bindings`` (good ones, of every storage class
  that the protocol has), ``.bad_binding`` (an address that does not exist);
* ``await simulator.stop()`` kills it as a power cut would, ``await simulator.start()`` starts it again at the same place;
* ``await simulator.set(address, value)`` changes a value in the peer and returns when that is done;
* ``Simulator.logins`` is true where ``Simulator(user=…, password=…)`` makes the peer ask for a login;
* ``Simulator.browses`` is false where the protocol has no directory to browse.
* ``Simulator.tcp`` is true where the protocol dials it over TCP; then the recovery law holds for it (`test_recovery`, which
  says what it asks of such a peer besides).
"""

from __future__ import annotations

import hashlib
import importlib
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib.metadata import entry_points
from typing import Any

import anyio
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from recovery_peers import SERVERS

from hulian.kernel.event import Event
from hulian.kernel.sample import Columns
from hulian.network.exchange.protocols.contract import ConnectorStatus, Credentials, Environment


def _protocols() -> dict[str, str]:
    """Name and package of every protocol: the entry points, and the packages beside the contract."""
    import pkgutil

    import hulian.network.exchange.protocols as home

    found = {module.name: f"{home.__name__}.{module.name}" for module in pkgutil.iter_modules(home.__path__) if module.ispkg}
    for point in entry_points(group="hulian.protocols"):
        if point.module not in found.values():
            found[point.name] = point.module
    return found


PROTOCOLS = _protocols()


class RecordingSink:
    """The edge's side: keeps what a connector hands over, and lets a test wait for it."""

    position: int | None = None
    fill = 0.0

    def __init__(self) -> None:
        self.columns: list[Columns] = []
        self.events: list[Event] = []
        self.statuses: list[ConnectorStatus] = []
        self.shown_at: list[int] = []
        """When each of them came, UTC ns."""
        self.commits: list[int | None] = []
        self._changed = anyio.Event()

    def _touch(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    def samples(self, columns: Columns) -> None:
        assert isinstance(columns, Columns)
        assert len(columns) > 0, "an empty batch was handed over"
        self.columns.append(columns)
        self._touch()

    def event(self, event: Event) -> None:
        assert event.code
        assert event.message
        self.events.append(event)
        self._touch()

    def status(self, status: ConnectorStatus) -> None:
        self.statuses.append(status)
        self.shown_at.append(time.time_ns())
        self._touch()

    async def commit(self, position: int | None = None) -> None:
        self.commits.append(position)
        self.position = position if position is not None else self.position
        self._touch()

    def of(self, series: int) -> list[tuple[int, Any, int]]:
        """(time, value, status) of every sample of ``series``, in the order in which they came."""
        rows = []
        for columns in self.columns:
            for place in (columns.series == series).nonzero()[0]:
                index = int(place)
                rows.append((int(columns.time[index]), columns.value[index].as_py(), int(columns.status[index])))
        return rows

    def last(self, series: int) -> tuple[int, Any, int] | None:
        """The newest sample of ``series`` by its own time, as the historian would answer."""
        rows = self.of(series)
        return max(rows, key=lambda row: row[0]) if rows else None

    async def until(self, condition: Callable[[], Any], what: str, seconds: float = 20.0) -> Any:
        """Waits until ``condition`` is true, at most ``seconds``, and returns what it gave."""
        with anyio.move_on_after(seconds):
            while True:
                if found := condition():
                    return found
                changed = self._changed
                with anyio.move_on_after(0.2):
                    await changed.wait()
        state = self.statuses[-1] if self.statuses else None
        pytest.fail(f"{what}: not within {seconds} s; status {state}; events {[event.code for event in self.events]}")


class MemoryTrust:
    """The approvals of a person, in memory; ``approve_all`` is a person who approves at once."""

    def __init__(self, *, approve_all: bool = False) -> None:
        self.approve_all = approve_all
        self.pending: dict[str, bytes] = {}
        self.approved: set[str] = set()
        self._own: dict[str, tuple[bytes, bytes]] = {}

    def check(self, certificate: bytes, *, peer: str) -> bool:
        thumbprint = hashlib.sha256(certificate).hexdigest()
        if self.approve_all or thumbprint in self.approved:
            return True
        self.pending[thumbprint] = certificate
        return False

    def approve(self) -> None:
        self.approved |= set(self.pending)
        self.pending.clear()

    def own(self, application_uri: str) -> tuple[bytes, bytes]:
        if application_uri not in self._own:
            key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Hulian test")])
            now = datetime.now(UTC)
            usage = x509.KeyUsage(
                digital_signature=True, content_commitment=True, key_encipherment=True, data_encipherment=True,
                key_agreement=False, key_cert_sign=True, crl_sign=False, encipher_only=False, decipher_only=False,
            )  # fmt: skip
            certificate = (
                x509.CertificateBuilder()
                .subject_name(name)
                .issuer_name(name)
                .public_key(key.public_key())
                .serial_number(x509.random_serial_number())
                .not_valid_before(now - timedelta(hours=1))
                .not_valid_after(now + timedelta(days=30))
                .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(application_uri)]), critical=False)
                .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
                .add_extension(usage, critical=True)
                .add_extension(
                    x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
                )
                .sign(key, hashes.SHA256())
            )
            self._own[application_uri] = (
                certificate.public_bytes(serialization.Encoding.DER),
                key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
            )
        return self._own[application_uri]


def environment_of(simulator: Any, trust: MemoryTrust | None = None, credentials: Credentials | None = None) -> Environment:
    return Environment(
        organisation="contract",
        connector="peer",
        credentials=credentials or simulator.credentials,
        trust=trust or MemoryTrust(approve_all=True),
        extras=simulator.extras,
    )


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=sorted(PROTOCOLS))
def protocol_module(request: pytest.FixtureRequest) -> Any:
    return importlib.import_module(PROTOCOLS[request.param])


def simulator_of(module: Any) -> Any:
    """The class ``Simulator`` of a protocol's module; None where it offers none."""
    name = f"{module.__name__}.simulator"
    try:
        return importlib.import_module(name).Simulator
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        return None


def _dialled() -> dict[str, tuple[Any, Any]]:
    """Every protocol that dials its peer over TCP, and the class of such a peer."""
    found = {}
    for name, place in sorted(PROTOCOLS.items()):
        module = importlib.import_module(place)
        own = simulator_of(module)
        peer = own if getattr(own, "tcp", False) else SERVERS.get(name)
        if peer is not None:
            found[name] = (module.protocol, peer)
    return found


DIALLED = _dialled()


@pytest.fixture(scope="module", params=list(DIALLED))
def dialled(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    """Each of `DIALLED`: the protocol and the class of its peer."""
    return DIALLED[request.param]


@pytest.fixture
def protocol(protocol_module: Any) -> Any:
    return protocol_module.protocol


@pytest.fixture
def simulator_class(protocol_module: Any) -> Any:
    found = simulator_of(protocol_module)
    if found is None:
        pytest.skip(f"{protocol_module.__name__} offers no simulator")
    return found


@pytest.fixture
def sink() -> RecordingSink:
    return RecordingSink()


@pytest.fixture
def trust() -> MemoryTrust:
    return MemoryTrust()


@pytest.fixture
def environment() -> Callable[..., Environment]:
    return environment_of
