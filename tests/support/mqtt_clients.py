"""Clients of ours for tests, what they heard, and certificates for brokers."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import anyio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from mqtt_peers import Mosquitto

from hulian.network.exchange.protocols.contract import Credentials
from hulian.network.exchange.protocols.mqtt.client import Client, Place
from hulian.network.exchange.protocols.mqtt.codec import Publishes
from hulian.network.exchange.protocols.mqtt.config import BrokerSettings


class Approvals:
    """A person who approves what was seen, when asked to."""

    def __init__(self) -> None:
        self.approved: set[bytes] = set()
        self.seen: list[tuple[bytes, str]] = []

    def check(self, certificate: bytes, *, peer: str) -> bool:
        self.seen.append((certificate, peer))
        return certificate in self.approved

    def own(self, application_uri: str) -> tuple[bytes, bytes]:
        return self.identity


class Heard:
    """What a client received; each message acknowledged at once, unless ``hold``."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, bytes, int]] = []
        self.runs: list[Publishes] = []
        self.hold = False
        self.client: Client

    def __call__(self, run: Publishes) -> None:
        self.runs.append(run)
        for packet in run.packets():
            self.messages.append((packet.topic, packet.payload, packet.qos))
        if not self.hold:
            self.acknowledge(run)

    def acknowledge(self, run: Publishes) -> None:
        ones = [packet.identifier for packet in run.packets() if packet.qos == 1]
        twos = [packet.identifier for packet in run.packets() if packet.qos == 2]
        self.client.acknowledge(ones, 0, twos)


def make(url: str, name: str = "test", trust=None, user: str = "", password: str = "", inbox=None, **settings):
    heard = Heard()
    credentials = Credentials(user=user, password=password)
    client = Client(Place.of(url), BrokerSettings(**settings), credentials, trust, client_id=name, inbox=inbox, deliver=heard)
    heard.client = client
    return client, heard


@asynccontextmanager
async def connected(url: str, name: str = "test", **settings):
    client, heard = make(url, name, **settings)
    await client.connect()
    try:
        yield client, heard
    finally:
        await client.close()


async def until(condition, seconds: float = 60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s"
        await anyio.sleep(0.005)


def certificate(name: str, issuer=None, *, days: int = 30, host: str = "127.0.0.1"):
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    signer, signing_key = issuer or (None, key)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer.subject if signer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=60))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=signer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))]), critical=False)
        .sign(signing_key, hashes.SHA256())
    )
    return built, key


def pem(directory, name: str, pair) -> tuple[str, str]:
    directory.mkdir(parents=True, exist_ok=True)
    built, key = pair
    paths = directory / f"{name}.crt", directory / f"{name}.key"
    paths[0].write_bytes(built.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(key_bytes(key))
    return str(paths[0]), str(paths[1])


def key_bytes(key) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def secured(tmp_path, *lines: str, **options) -> tuple[Mosquitto, tuple, str]:
    authority = certificate("authority")
    server = certificate("broker", authority, **options)
    authority_file, _ = pem(tmp_path / "m", "authority", authority)
    crt, key = pem(tmp_path / "m", "server", server)
    broker = Mosquitto(tmp_path / "m", f"cafile {authority_file}", f"certfile {crt}", f"keyfile {key}", *lines, tls=True)
    return broker, authority, authority_file
