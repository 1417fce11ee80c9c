"""What the centre hands to an edge node: signed, so that nobody else can give orders; sealed, so that nobody else can read.

Signing is Ed25519 (RFC 8032). Sealing is an ephemeral P-256 key agreement with the node's own key, HKDF-SHA256 (RFC 5869)
and AES-256-GCM, with what the envelope says of itself bound in.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hulian.trust import private_files
from hulian.trust.errors import EnvelopeError

__all__ = ["Envelope", "Signer", "open_envelope"]

LARGEST: Final = 64 * 2**20
"""Bytes of an envelope."""


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """A document for one ``edge``; ``version`` only grows. `open_envelope` gives the document back."""

    edge: str
    version: int
    ephemeral: bytes
    nonce: bytes
    sealed: bytes
    signature: bytes = b""


class Signer:
    """The centre's key for orders to its edge nodes, made once below ``directory`` (mode 0600)."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def public(self) -> bytes:
        """The raw public key, 32 bytes: an edge node gets it when it is approved."""
        return self._key().public_key().public_bytes_raw()

    def envelope(self, edge: str, version: int, public_key: str, document: bytes) -> bytes:
        """``document`` for the holder of the P-256 ``public_key`` (PEM) only."""
        receiver = serialization.load_pem_public_key(public_key.encode())
        if not isinstance(receiver, ec.EllipticCurvePublicKey):
            raise EnvelopeError("the edge node's key is of another kind", place=edge)
        ephemeral = ec.generate_private_key(ec.SECP256R1())
        point = ephemeral.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
        nonce = os.urandom(12)
        key = _agreed(ephemeral.exchange(ec.ECDH(), receiver), point)
        sealed = AESGCM(key).encrypt(nonce, document, _bound(edge, version))
        open_ = Envelope(edge=edge, version=version, ephemeral=point, nonce=nonce, sealed=sealed)
        signature = self._key().sign(msgspec.msgpack.encode(open_))
        return msgspec.msgpack.encode(msgspec.structs.replace(open_, signature=signature))

    def _key(self) -> ed25519.Ed25519PrivateKey:
        directory = private_files.private_directory(self._directory)
        path = directory / "orders.key"
        content = private_files.read(path)
        if content is None:
            content = private_files.create_once(path, ed25519.Ed25519PrivateKey.generate().private_bytes_raw())
        return ed25519.Ed25519PrivateKey.from_private_bytes(content)


def open_envelope(payload: bytes, *, edge: str, signer: bytes, key: ec.EllipticCurvePrivateKey) -> tuple[int, bytes]:
    """Version and document of an envelope for ``edge``. Raises `EnvelopeError` for one that is not whole, not for it, or
    not from ``signer``; the signature is looked at before anything else is."""
    if len(payload) > LARGEST:
        raise EnvelopeError(f"an envelope of {len(payload)} bytes is longer than {LARGEST}")
    try:
        envelope = msgspec.msgpack.decode(payload, type=Envelope)
        unsigned = msgspec.msgpack.encode(msgspec.structs.replace(envelope, signature=b""))
        ed25519.Ed25519PublicKey.from_public_bytes(signer).verify(envelope.signature, unsigned)
        if envelope.edge != edge:
            raise EnvelopeError(f"the envelope is for the edge node {envelope.edge[:80]!r}")
        sender = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), envelope.ephemeral)
        shared = _agreed(key.exchange(ec.ECDH(), sender), envelope.ephemeral)
        return envelope.version, AESGCM(shared).decrypt(envelope.nonce, envelope.sealed, _bound(edge, envelope.version))
    except (msgspec.MsgspecError, InvalidSignature, InvalidTag, ValueError) as error:
        raise EnvelopeError("the envelope is damaged, or not from the centre this node enrolled at") from error


def _agreed(shared: bytes, point: bytes) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt=None, info=b"hulian order" + point).derive(shared)


def _bound(edge: str, version: int) -> bytes:
    return f"{edge}\0{version}".encode()
