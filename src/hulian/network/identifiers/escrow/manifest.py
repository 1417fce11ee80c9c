"""The manifest of an export: what it holds, who can open it, and the node's signature over all of that."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Final, Literal

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa

from hulian.kernel.unreadable import UNREADABLE
from hulian.network.identifiers.escrow.errors import EscrowSignatureError, ManifestError
from hulian.network.identifiers.wire import sm2
from hulian.network.identifiers.wire.authentication import Signer
from hulian.network.identifiers.wire.authentication.signers import verify as verify_signature
from hulian.network.identifiers.wire.errors import WireError
from hulian.network.identifiers.wire.typed.keys import DhPublicKey, UsableKey

__all__ = [
    "MANIFEST",
    "SIGNATURE",
    "Content",
    "Encryption",
    "Manifest",
    "Position",
    "Recipient",
    "Signature",
    "SigningKey",
    "Volume",
    "fingerprint",
    "peek_manifest",
    "read_manifest",
]

MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "manifest.sig"
_LARGEST: Final = 16 << 20
_MOST_VOLUMES: Final = 100_000
_VOLUME: Final = re.compile(r"volume-\d{4,6}\.bin")
_HEX: Final = re.compile(r"[0-9a-f]+")


class Position(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A place in the node's log: the number of a change, and its seal in hexadecimal, which stands for all before it."""

    number: int
    seal: str


class Volume(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file: its name, size, and SHA-256 in hexadecimal."""

    name: str
    bytes: int
    sha256: str


class Recipient(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who can open it: the fingerprint of a public key, and the content key sealed to it (Base64)."""

    key: str
    algorithm: Literal["RSA-OAEP-SHA256", "SM2"]
    sealed: str


class Encryption(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the volumes are encrypted: an AEAD over chunks of ``chunk_bytes``."""

    cipher: Literal["AES-256-GCM", "SM4-GCM"]
    chunk_bytes: int
    recipients: tuple[Recipient, ...]


class Content(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is in the zip: the document's name, size and SHA-256, and how many records or changes it has."""

    name: str
    bytes: int
    sha256: str
    items: int


class Signature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who signs the manifest (index:handle), with which key (fingerprint), and how; the signature itself stands beside it."""

    by: str
    key: str
    digest: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``at`` is the position of the log that the export is of; a differential holds what came ``after`` another one."""

    format: Literal["hulian-escrow-1"] = "hulian-escrow-1"
    id: str
    kind: Literal["full", "differential"]
    node: str
    taken: str
    at: Position
    after: Position | None
    content: Content
    encryption: Encryption
    volumes: tuple[Volume, ...]
    signature: Signature


class SigningKey(msgspec.Struct, frozen=True):
    """The node's key: who it is (index:handle), what signs for it, and the public half."""

    by: str
    signer: Signer
    public: UsableKey

    @property
    def named(self) -> Signature:
        """How the manifest names it."""
        return Signature(self.by, fingerprint(self.public), self.signer.digests[0])

    def sign(self, data: bytes) -> bytes:
        """The signature over the bytes of a manifest: RSA PKCS #1 v1.5 over SHA-256, or SM2 over the SM3 digest."""
        return self.signer.sign(data, self.signer.digests[0], sm2.DEFAULT_ID)


def fingerprint(key: UsableKey) -> str:
    """SHA-256 over the SubjectPublicKeyInfo of ``key``, in hexadecimal. `EscrowSignatureError` where it has none (bare DH)."""
    if isinstance(key, sm2.PublicKey):
        spki = sm2.der.from_pem(key.to_pem())[1]
    elif isinstance(key, rsa.RSAPublicKey | dsa.DSAPublicKey | ec.EllipticCurvePublicKey):
        spki = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    else:
        raise EscrowSignatureError(f"a key of kind {DhPublicKey.__name__} cannot sign")
    return hashlib.sha256(spki).hexdigest()


def read_manifest(directory: Path, signer: UsableKey) -> Manifest:
    """The manifest of the export in ``directory``, which ``signer`` signed. Nothing of it is read before the signature holds.

    Raises `ManifestError` and `EscrowSignatureError`.
    """
    content, signature = _bounded(directory / MANIFEST), _bounded(directory / SIGNATURE)
    digest = "SM3" if isinstance(signer, sm2.PublicKey) else "SHA-256"
    try:
        held = verify_signature(signer, digest, signature, content, sm2.DEFAULT_ID)
    except WireError as error:
        raise EscrowSignatureError(error.message, place=str(directory / SIGNATURE)) from error
    if not held:
        raise EscrowSignatureError(
            f"the signature is not of the key {fingerprint(signer)[:16]}… over this manifest", place=str(directory / SIGNATURE)
        )
    return _read(content, directory / MANIFEST)


def peek_manifest(path: Path) -> Manifest:
    """What the file says, whoever wrote it: for exports in a folder of one's own. Raises `ManifestError`."""
    return _read(_bounded(path), path)


def _read(content: bytes, path: Path) -> Manifest:
    try:
        found = msgspec.json.decode(content, type=Manifest)
    except UNREADABLE as error:
        raise ManifestError(f"it cannot be read: {error}", place=str(path)) from error
    names = [volume.name for volume in found.volumes]
    broken = (
        "no volumes, or too many"
        if not 0 < len(names) <= _MOST_VOLUMES
        else "names of volumes that are none, or come twice"
        if len(set(names)) != len(names) or not all(map(_VOLUME.fullmatch, names))
        else "a size that is none"
        if any(volume.bytes <= 0 for volume in found.volumes) or found.content.bytes <= 0 or found.content.items < 0
        else "chunks that are none"
        if not 1_024 <= found.encryption.chunk_bytes <= 1 << 20
        else "an identification or a seal that is none"
        if not all(_is_hex(text, size) for text, size in _numbers(found))
        else "a differential without the place it begins at, or a full export with one"
        if (found.kind == "differential") is (found.after is None)
        else ""
    )
    if broken:
        raise ManifestError(f"it names {broken}", place=str(path))
    return found


def _numbers(found: Manifest) -> list[tuple[str, int]]:
    positions = [found.at] if found.after is None else [found.at, found.after]
    digests = [found.content.sha256, *[position.seal for position in positions], *[one.sha256 for one in found.volumes]]
    return [(found.id, 32), *[(text, 64) for text in digests]]


def _is_hex(text: str, size: int) -> bool:
    return len(text) == size and _HEX.fullmatch(text) is not None


def _bounded(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise ManifestError(f"it cannot be read: {error.strerror}", place=str(path)) from error
    if len(content) > _LARGEST:
        raise ManifestError(f"more than {_LARGEST >> 20} MiB", place=str(path))
    return content
