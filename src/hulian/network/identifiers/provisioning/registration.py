"""What is applied for: a prefix, for whom, with which key, and the node that will answer for it."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from enum import StrEnum
from typing import Annotated, Any, Final

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from msgspec import Meta

from hulian.kernel.unreadable import UNREADABLE
from hulian.network.identifiers.provisioning.errors import ProofError, RegistrationError
from hulian.network.identifiers.provisioning.organisation import Organisation
from hulian.network.identifiers.schemes.errors import SchemeError
from hulian.network.identifiers.schemes.handle import NATIONAL, NationalPrefix
from hulian.network.identifiers.wire import sm2
from hulian.network.identifiers.wire.authentication.signers import PrivateKey, signer_for, verify
from hulian.network.identifiers.wire.errors import WireError
from hulian.network.identifiers.wire.typed.keys import DhPublicKey, PublicKey, UsableKey

__all__ = [
    "DOMAIN",
    "LONGEST",
    "CodeType",
    "Proposal",
    "Registration",
    "ServerAt",
    "Tier",
    "fingerprint",
    "key_of_pem",
    "pem_of",
]

LONGEST: Final = 65_536
"""Bytes of the text of a registration."""

DOMAIN: Final = b"HULIAN PREFIX APPLICATION 1\n"
"""What stands in front of the text where it is signed, so that the signature is good for nothing else."""

_PREFIX: Final = re.compile(r"[0-9A-Za-z_-]+(?:\.[0-9A-Za-z_-]+)*")
_MOST_SERVERS: Final = 16
_SMALLEST_RSA: Final = 2_048
_LONGEST_PREFIX: Final = 200
_LONGEST_SIGNATURE: Final = 4_096

Port = Annotated[int, Meta(ge=0, le=65_535)]


class Tier(StrEnum):
    """What the prefix is for. A second-level node gives out prefixes below its own, and is referred to for all of them."""

    SECOND_LEVEL = "second-level"
    ENTERPRISE = "enterprise"


class CodeType(StrEnum):
    """Which codes will be resolved there, as the top node's data model names them."""

    HANDLE = "Handle"
    OID = "OID"
    BID = "DID:BID"
    VAA = "VAA"
    ECODE = "Ecode"
    GS1 = "GS1"


class ServerAt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One server of the node: an IP address, and its ports (0: that protocol is not spoken)."""

    address: str
    udp: Port = 0
    tcp: Port = 2641
    http: Port = 0
    https: Port = 0


class Registration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The data of one application. ``public_key`` is PEM (RSA of 2048 bits or more, EC, or SM2); ``reference`` is the
    applicant's own word for it, which makes a second application with the same data another one."""

    prefix: Annotated[str, Meta(min_length=1, max_length=_LONGEST_PREFIX)]
    organisation: Organisation
    purpose: Annotated[str, Meta(min_length=1, max_length=2_000)]
    public_key: Annotated[str, Meta(min_length=1, max_length=16_384)]
    servers: Annotated[tuple[ServerAt, ...], Meta(min_length=1, max_length=_MOST_SERVERS)]
    tier: Tier = Tier.ENTERPRISE
    code_types: Annotated[tuple[CodeType, ...], Meta(min_length=1, max_length=6)] = (CodeType.HANDLE,)
    reference: Annotated[str, Meta(max_length=100)] = ""

    @classmethod
    def parse(cls, text: str | bytes) -> Registration:
        """Raises `RegistrationError`, which names the field."""
        if len(text) > LONGEST:
            raise RegistrationError(f"a registration of more than {LONGEST} bytes")
        try:
            found = msgspec.json.decode(text, type=cls)
        except UNREADABLE as error:
            raise RegistrationError(str(error)) from None
        found.check()
        return found

    def check(self) -> None:
        """Raises `RegistrationError` for the first field that breaks its rule."""
        _check_prefix(self.prefix)
        self.organisation.check()
        key_of_pem(self.public_key)
        for place, server in enumerate(self.servers):
            _check_server(server, f"$.servers[{place}]")

    @property
    def parent(self) -> str:
        """The prefix that this one is derived from; ``0.NA`` for one without dots."""
        return self.prefix.rpartition(".")[0] or "0.NA"

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a reviewer should look at: no rule is broken, but something is unusual."""
        found = []
        for server in self.servers:
            address = ipaddress.ip_address(server.address)
            if not address.is_global:
                found.append(f"{server.address} is not reachable from everywhere")
        parts = self.prefix.split(".")
        if parts[0] in NATIONAL and (len(parts) == 2) != (self.tier is Tier.SECOND_LEVEL):
            found.append(f"{self.prefix} has the form of another tier than {self.tier}")
        return tuple(found)


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """A registration as it was sent: ``text`` is what its key signed, behind `DOMAIN`."""

    text: str
    signature: bytes

    def prove(self) -> Registration:
        """The registration, where its own key has signed it. Raises `RegistrationError` and `ProofError`."""
        found = Registration.parse(self.text)
        key = key_of_pem(found.public_key)
        name = "SM3" if isinstance(key, sm2.PublicKey) else "SHA-256"
        if len(self.signature) > _LONGEST_SIGNATURE:
            raise ProofError(f"a signature of {len(self.signature)} bytes")
        try:
            held = verify(key, name, self.signature, DOMAIN + self.text.encode(), found.prefix.encode())
        except WireError as error:
            raise ProofError(error.message) from error
        if not held:
            raise ProofError("the signature is not of the public_key over this text", place="signature")
        return found

    @classmethod
    def sign(cls, text: str, key: PrivateKey) -> Proposal:
        """``text`` signed with the private half of its public_key."""
        prefix = Registration.parse(text).prefix
        name = "SM3" if isinstance(key, sm2.PrivateKey) else "SHA-256"
        return cls(text=text, signature=signer_for(key).sign(DOMAIN + text.encode(), name, prefix.encode()))

    @classmethod
    def of(cls, document: dict[str, Any], key: PrivateKey) -> Proposal:
        """The data of ``document``, with the public half of ``key`` where they name no public_key, signed with ``key``."""
        found = document if "public_key" in document else {**document, "public_key": pem_of(key)}
        return cls.sign(msgspec.json.encode(found).decode(), key)

    @property
    def identity(self) -> str:
        """What the application is called: the same text is the same application, however often it comes."""
        return hashlib.sha256(DOMAIN + self.text.encode()).hexdigest()[:32]


def pem_of(key: PrivateKey) -> str:
    """The public half of ``key``, as registrations have it."""
    if isinstance(key, sm2.PrivateKey):
        return key.public.to_pem().decode()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def key_of_pem(pem: str) -> UsableKey:
    """The key, of a kind and size that may be registered. Raises `RegistrationError`."""
    place = "$.public_key"
    try:
        found = PublicKey("X509", (pem.encode(),)).usable()
    except (WireError, ValueError) as error:
        raise RegistrationError(f"no public key in PEM: {getattr(error, 'message', error)}", place=place) from None
    if isinstance(found, DhPublicKey | dsa.DSAPublicKey):
        raise RegistrationError("a key for prefixes is RSA, EC or SM2", place=place)
    if isinstance(found, rsa.RSAPublicKey) and found.key_size < _SMALLEST_RSA:
        raise RegistrationError(f"an RSA key of {found.key_size} bits; {_SMALLEST_RSA} are needed", place=place)
    if isinstance(found, ec.EllipticCurvePublicKey) and found.curve.key_size < 256:
        raise RegistrationError(f"a curve of {found.curve.key_size} bits; 256 are needed", place=place)
    return found


def fingerprint(pem: str) -> str:
    """SHA-256 over the key as HS_PUBKEY holds it: one key is one key, however its PEM is written."""
    return hashlib.sha256(PublicKey.of(key_of_pem(pem)).pack()).hexdigest()


def _check_prefix(prefix: str) -> None:
    place = "$.prefix"
    if not _PREFIX.fullmatch(prefix) or prefix.partition(".")[0] == "0":
        raise RegistrationError("a prefix is letters and digits in parts between dots, such as 88.111.1", place=place)
    try:
        if prefix.partition(".")[0] in NATIONAL:
            NationalPrefix.parse(prefix)
    except SchemeError as error:
        raise RegistrationError(f"{error.message} ({error.code})", place=place) from None


def _check_server(server: ServerAt, place: str) -> None:
    try:
        address = ipaddress.ip_address(server.address)
    except ValueError:
        raise RegistrationError("an IPv4 or IPv6 address belongs here", place=f"{place}.address") from None
    if address.is_unspecified or address.is_multicast or getattr(address, "scope_id", None):
        raise RegistrationError("an address that no server can be asked at", place=f"{place}.address")
    if not (server.udp or server.tcp):
        raise RegistrationError("a node answers over UDP or TCP: one of the ports must be given", place=place)
