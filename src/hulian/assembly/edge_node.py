"""A node beside the machines: how it enrols at a centre, and what it is made of afterwards.

Everything lies in the data directory: ``edge-node.json`` says whose node it is, ``pki/node`` holds its key and
certificates, ``edge`` the journals, ``orders`` the orders. The key and the password are made here and never leave.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import bcrypt
import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hulian.assembly.configuration import Configuration
from hulian.assembly.edge_orders import unpacked
from hulian.assembly.leaf_spine import LeafSpine
from hulian.platform.edge.plans import Order, PlanStore
from hulian.trust import EnrolmentError, EnvelopeError, edge_account, open_envelope, private_files
from hulian.trust.passwords import random_password

__all__ = [
    "Applicant",
    "EdgeNode",
    "OrderedTrust",
    "adopt",
    "node_of",
    "prepare_node",
    "spine_of",
    "store_of",
    "trusted_authority",
]

_FILE: Final = "edge-node.json"
_MOST_PENDING: Final = 20
_ROUNDS: Final = 5


class EdgeNode(msgspec.Struct, frozen=True, kw_only=True):
    """Whose node this is. ``orders`` is the centre's public key for orders, in hexadecimal; ``leaf`` ``host:port``."""

    name: str
    organisation: str
    centre: str
    leaf: str
    orders: str


def node_of(configuration: Configuration) -> EdgeNode | None:
    """The enrolment of this data directory; None for a platform of its own."""
    content = private_files.read(Path(configuration.node.data) / _FILE)
    return None if content is None else msgspec.json.decode(content, type=EdgeNode)


class Applicant:
    """An edge node on its way in: makes its key and password, and keeps what the centre gives it."""

    def __init__(self, data: Path, name: str) -> None:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        if private_files.read(data / _FILE) is not None:
            raise EnrolmentError("this data directory belongs to an edge node already", hint="use another one", place=str(data))
        if (data / "registry.db").exists():
            raise EnrolmentError("this data directory belongs to a platform", hint="use another one", place=str(data))
        self._data, self._name = data, name
        self._pki = private_files.private_directory(data / "pki" / "node")
        self._secrets = private_files.private_directory(data / "secrets")

    def request(self) -> tuple[str, str]:
        """A request for a certificate (PEM) and the hash of the password; the same ones when it is asked again."""
        key = _key(self._pki)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, edge_account(self._name))])
        made = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
        password = private_files.create_once(self._secrets / "centre.password", random_password(32).encode())
        return made.public_bytes(serialization.Encoding.PEM).decode(), bcrypt.hashpw(password, bcrypt.gensalt(_ROUNDS)).decode()

    def admitted(self, centre: str, admission: Any) -> EdgeNode:
        """Keeps what an approved enrolment gives, an `hulian.sdk.records.Admission`: from now on this is an edge node."""
        host = urlsplit(centre).hostname or "127.0.0.1"
        shown = f"[{host}]" if ":" in host else host
        private_files.replace(self._pki / "certificate.pem", admission.certificate.encode())
        private_files.replace(self._pki / "authority.pem", admission.authority.encode())
        node = EdgeNode(
            name=self._name,
            organisation=admission.organisation,
            centre=centre,
            leaf=f"{shown}:{admission.leaf_port}",
            orders=admission.orders,
        )
        private_files.replace(self._data / _FILE, msgspec.json.encode(node))
        return node


def trusted_authority(invitation: str, pem: bytes) -> bool:
    """Whether ``pem`` is the authority that the invitation names."""
    try:
        digest = x509.load_pem_x509_certificate(pem).fingerprint(hashes.SHA256()).hex()
    except ValueError:
        return False
    return invitation.partition(".")[2] == digest


def spine_of(configuration: Configuration, node: EdgeNode) -> LeafSpine:
    """The node's own spine."""
    return LeafSpine(configuration, name=node.name, organisation=node.organisation, leaf=node.leaf)


def prepare_node(configuration: Configuration, node: EdgeNode) -> dict[str, Any]:
    """Makes the node ready to start: its spine is a leaf of the centre's. Safe to call at every start."""
    spine = spine_of(configuration, node)
    return {
        "user": "",
        "password": None,
        "spine_command": spine.prepare(),
        "spine_password": spine.accounts.password("supervisor"),
        "devices_admitted": True,
        "edge": node.name,
        "centre": node.centre,
    }


def store_of(configuration: Configuration, node: EdgeNode) -> PlanStore:
    """The orders that this node keeps."""
    key = _key(Path(configuration.node.data) / "pki" / "node")
    signer = bytes.fromhex(node.orders)

    def open_(sealed: bytes) -> tuple[int, bytes]:
        version, document = open_envelope(sealed, edge=node.name, signer=signer, key=key)
        try:
            return version, unpacked(document)
        except ValueError as error:
            raise EnvelopeError(f"the order cannot be unpacked: {error}") from error

    return PlanStore(Path(configuration.node.data) / "orders", open_)


def adopt(configuration: Configuration, node: EdgeNode, order: Order) -> None:
    """Takes over what ``order`` says of the node itself: whom its listener lets in, and the certificate that it shows the
    centre from the next connection on, where that lasts longer than the one before. Does nothing where that is so already.

    Raises `EnrolmentError` for a certificate that is not this node's, `SpineError`.
    """
    spine = spine_of(configuration, node)
    if spine.plain.mqtt_port:
        spine.admit(order.devices)
    pki = Path(configuration.node.data) / "pki" / "node"
    before = private_files.read(pki / "certificate.pem")
    if not order.certificate or before == order.certificate.encode():
        return
    try:
        *_, root = chain = x509.load_pem_x509_certificates(order.certificate.encode())
        old = x509.load_pem_x509_certificates(before or b"")[0].not_valid_after_utc if before else None
    except ValueError as error:
        raise EnrolmentError(f"the centre's new certificate cannot be read: {error}", place=str(pki)) from error
    if chain[0].public_key() != _key(pki).public_key():
        raise EnrolmentError("the centre's new certificate is for another key", hint="enrol again in another directory")
    if old is not None and chain[0].not_valid_after_utc <= old:
        return  # an order that was taken back brings an older one
    spine.show_certificate(order.certificate, root.public_bytes(serialization.Encoding.PEM))


class OrderedTrust:
    """`hulian.network.exchange.protocols.contract.PeerTrust` of an edge node: a person at the centre decides.

    What is unknown is shown to the centre with the next question for orders; at most 20 wait at a time.
    """

    def __init__(self, trusted: Callable[[], Iterable[str]], own: Callable[[str], tuple[bytes, bytes]]) -> None:
        self._trusted = trusted
        self.own = own
        self._pending: dict[str, dict[str, Any]] = {}

    def check(self, certificate: bytes, *, peer: str) -> bool:
        """See `PeerTrust`."""
        thumbprint = hashlib.sha256(certificate).hexdigest()
        if thumbprint in self._trusted():
            self._pending.pop(thumbprint, None)
            return True
        if len(self._pending) < _MOST_PENDING:
            self._pending[thumbprint] = {"certificate": base64.b64encode(certificate).decode(), "peer": peer}
        return False

    def pending(self) -> list[dict[str, Any]]:
        """What a person has to look at."""
        return list(self._pending.values())


def _key(directory: Path) -> ec.EllipticCurvePrivateKey:
    path = private_files.private_directory(directory) / "key.pem"
    content = private_files.read(path)
    if content is None:
        made = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        content = private_files.create_once(path, made)
    key = serialization.load_pem_private_key(content, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise EnrolmentError("the node's key is of another kind", place=str(path), hint="enrol again in another directory")
    return key
