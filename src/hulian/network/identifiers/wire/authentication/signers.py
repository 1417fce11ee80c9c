"""Signatures by RSA, DSA, EC and SM2 keys, named by their digest as the protocol names them."""

from __future__ import annotations

from typing import Final, Protocol, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, rsa

from hulian.network.identifiers.wire import sm2
from hulian.network.identifiers.wire.errors import AlgorithmError
from hulian.network.identifiers.wire.frame import Version
from hulian.network.identifiers.wire.typed.keys import UsableKey

__all__ = ["PrivateKey", "Signer", "digest_name", "signer_for", "verify"]

PrivateKey: TypeAlias = rsa.RSAPrivateKey | dsa.DSAPrivateKey | ec.EllipticCurvePrivateKey | sm2.PrivateKey

_NAMES: Final = {
    "SHA-256": "SHA-256",
    "SHA256": "SHA-256",
    "\3": "SHA-256",
    "SHA1": "SHA1",
    "SHA-1": "SHA1",
    "\2": "SHA1",
    "SM3": "SM3",
}
"""What peers call a digest: by name, or as one byte. MD5 is not taken."""
_HASHES: Final[dict[str, hashes.HashAlgorithm]] = {"SHA-256": hashes.SHA256(), "SHA1": hashes.SHA1()}  # noqa: S303 - old peers
_SMALLEST_RSA: Final = 1_024


class Signer(Protocol):
    """Who can sign: a key in memory, or one that never leaves its token. Called to answer a challenge or to sign a message.

    ``digests`` are the names of the digests that it can use, best first. `sign` may raise `AlgorithmError`.
    """

    @property
    def digests(self) -> tuple[str, ...]: ...

    def sign(self, data: bytes, digest: str, user: bytes) -> bytes:
        """The signature over ``data``; ``user`` is the identity that SM2 mixes in, which the others do not use."""
        ...


class _Keyed:
    def __init__(self, key: PrivateKey) -> None:
        self._key = key
        self.digests: tuple[str, ...] = ("SM3",) if isinstance(key, sm2.PrivateKey) else ("SHA-256", "SHA1")

    def __repr__(self) -> str:
        return f"Signer({type(self._key).__name__.strip('_')})"

    def sign(self, data: bytes, digest: str, user: bytes) -> bytes:
        key = self._key
        if isinstance(key, sm2.PrivateKey):
            return key.sign(sm2.sm3(data), user)
        algorithm = _HASHES[digest]
        if isinstance(key, rsa.RSAPrivateKey):
            return key.sign(data, padding.PKCS1v15(), algorithm)
        if isinstance(key, dsa.DSAPrivateKey):
            return key.sign(data, algorithm)
        return key.sign(data, ec.ECDSA(algorithm))


def signer_for(key: PrivateKey) -> Signer:
    """A signer with a key in memory."""
    return _Keyed(key)


def digest_name(signer: Signer, version: Version, *, dsa_key: bool = False) -> str:
    """Which digest a peer of ``version`` expects: SHA-1 before 2.7, and of a DSA key before 2.11; SM3 always for SM2."""
    if signer.digests == ("SM3",):
        return "SM3"
    old = version < (2, 7) or (dsa_key and version < (2, 11))
    return "SHA1" if old and "SHA1" in signer.digests else signer.digests[0]


def verify(key: UsableKey, name: str, signature: bytes, data: bytes, user: bytes) -> bool:
    """Whether ``signature`` is of ``key`` over ``data``, by the digest that the peer calls ``name``.

    Raises `AlgorithmError` for a digest that is unknown or broken, and for a key that is too short or cannot sign. SHA-1 is
    taken, because what it covers begins with a nonce or a counter of the verifier: a collision would not help who has no key.
    """
    digest = _NAMES.get(name)
    if digest is None:
        raise AlgorithmError("a digest that is not known here, or is broken", place="a signature")
    try:
        if isinstance(key, sm2.PublicKey):
            return digest == "SM3" and key.verify(signature, sm2.sm3(data), user)
        if digest == "SM3":
            return False
        algorithm = _HASHES[digest]
        if isinstance(key, rsa.RSAPublicKey):
            if key.key_size < _SMALLEST_RSA:
                raise AlgorithmError(f"an RSA key of {key.key_size} bits", place="a signature")
            key.verify(signature, data, padding.PKCS1v15(), algorithm)
        elif isinstance(key, dsa.DSAPublicKey):
            key.verify(signature, data, algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, data, ec.ECDSA(algorithm))
        else:
            raise AlgorithmError("a key that cannot sign", place="a signature")
    except InvalidSignature:
        return False
    return True
