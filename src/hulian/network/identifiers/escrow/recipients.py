"""The content key, sealed to those who may open an export: by RSA-OAEP with SHA-256, or SM2 as GM/T 0009 writes it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from hulian.network.identifiers.escrow.errors import RecipientError
from hulian.network.identifiers.escrow.manifest import Encryption, Recipient, fingerprint
from hulian.network.identifiers.wire import sm2
from hulian.network.identifiers.wire.errors import WireError
from hulian.network.identifiers.wire.typed.keys import PublicKey, UsableKey

__all__ = ["CipherName", "OpeningKey", "RecipientKey", "cipher_for", "open_key", "recipient_key", "seal_key"]

CipherName: TypeAlias = Literal["AES-256-GCM", "SM4-GCM"]
RecipientKey: TypeAlias = rsa.RSAPublicKey | sm2.PublicKey
OpeningKey: TypeAlias = rsa.RSAPrivateKey | sm2.PrivateKey

_SMALLEST_RSA: Final = 2_048
_MOST: Final = 64
_SEALED: Final = 4_096


def recipient_key(pem: bytes, place: str) -> RecipientKey:
    """A public key or a certificate in PEM that an export can be sealed to. Raises `RecipientError`."""
    try:
        key = PublicKey("X509", (pem,)).usable()
    except WireError as error:
        raise RecipientError(f"no public key: {error.message}", place=place) from error
    return _usable(key, place)


def _usable(key: UsableKey, place: str) -> RecipientKey:
    if isinstance(key, sm2.PublicKey) or (isinstance(key, rsa.RSAPublicKey) and key.key_size >= _SMALLEST_RSA):
        return key
    raise RecipientError("a key that nothing can be sealed to: it is another kind, or too short", place=place)


def cipher_for(recipients: Sequence[RecipientKey]) -> CipherName:
    """SM4 where every recipient has an SM2 key, otherwise AES."""
    return "SM4-GCM" if all(isinstance(key, sm2.PublicKey) for key in recipients) else "AES-256-GCM"


def seal_key(content_key: bytes, recipients: Sequence[RecipientKey]) -> tuple[Recipient, ...]:
    """The content key, once for each recipient. Raises `RecipientError` for none, for too many, and for short keys."""
    if not 0 < len(recipients) <= _MOST:
        raise RecipientError(f"{len(recipients)} recipients, where 1 to {_MOST} are possible", hint="name their public keys")
    found = []
    for key in recipients:
        _usable(key, "a recipient")
        if isinstance(key, sm2.PublicKey):
            found.append(Recipient(fingerprint(key), "SM2", _text(key.encrypt_der(content_key))))
        else:
            found.append(Recipient(fingerprint(key), "RSA-OAEP-SHA256", _text(key.encrypt(content_key, _oaep()))))
    return tuple(found)


def open_key(encryption: Encryption, keys: Sequence[OpeningKey], place: str) -> bytes:
    """The content key, by whichever of ``keys`` is a recipient's. Raises `RecipientError`."""
    held = {fingerprint(_public(key)): key for key in keys}
    for recipient in encryption.recipients[:_MOST]:
        key = held.get(recipient.key)
        if key is None:
            continue
        try:
            sealed = base64.b64decode(recipient.sealed[:_SEALED], validate=True)
            if isinstance(key, sm2.PrivateKey):
                return key.decrypt(sealed)
            return key.decrypt(sealed, _oaep())
        except (ValueError, binascii.Error, WireError):
            raise RecipientError(f"what is sealed to the key {recipient.key[:16]}… does not open", place=place) from None
    wanted = ", ".join(f"{recipient.key[:16]}…" for recipient in encryption.recipients[:_MOST])
    raise RecipientError(f"no key was given that opens it: it is sealed to {wanted}", place=place)


def _public(key: OpeningKey) -> RecipientKey:
    return key.public if isinstance(key, sm2.PrivateKey) else key.public_key()


def _oaep() -> padding.OAEP:
    return padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
