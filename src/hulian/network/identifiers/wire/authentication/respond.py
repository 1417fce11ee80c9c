"""Challenge-response (opcode 200): making the proof, and telling whether it holds.

What is proved over is the server's nonce followed by its digest of the request. The client compares that digest with its own
request first: nobody is made to sign a request that is not theirs.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Final, TypeAlias

import msgspec

from hulian.network.identifiers.wire import fields
from hulian.network.identifiers.wire.authentication.signers import Signer, digest_name, verify
from hulian.network.identifiers.wire.bodies import Challenge, ChallengeResponse, RequestDigest, check_digest, read_answer
from hulian.network.identifiers.wire.codes import DigestAlgorithm
from hulian.network.identifiers.wire.errors import AlgorithmError, DigestError
from hulian.network.identifiers.wire.frame import Message, lower_version
from hulian.network.identifiers.wire.reader import Reader
from hulian.network.identifiers.wire.typed.keys import UsableKey
from hulian.network.identifiers.wire.typed.secret import SecretKey

__all__ = [
    "Identity",
    "KeyIdentity",
    "SecretIdentity",
    "respond",
    "secret_proof",
    "verify_key_response",
    "verify_secret_response",
]

_ITERATIONS: Final = 10_000
_MOST_ITERATIONS: Final = 100_000
_LEAST_ITERATIONS: Final = 1_000
_KEY_BITS: Final = 160
_SMALLEST_NONCE: Final = 8


class KeyIdentity(msgspec.Struct, frozen=True):
    """Someone who proves themselves with a private key; ``dsa`` says that it is a DSA key, which old servers treat apart."""

    handle: str
    index: int
    signer: Signer
    dsa: bool = False


class SecretIdentity(msgspec.Struct, frozen=True):
    """Someone who proves themselves with a secret key."""

    handle: str
    index: int
    secret: SecretKey


Identity: TypeAlias = KeyIdentity | SecretIdentity


def respond(identity: Identity, request: Message, challenge: Message) -> ChallengeResponse:
    """The body that answers ``challenge`` (a 402) to ``request`` as ``identity``.

    Raises `DigestError` where the challenge is to another request, or has hardly a nonce.
    """
    check_digest(request, challenge)
    body, digest = read_answer(challenge)
    if not isinstance(body, Challenge) or digest is None:
        raise DigestError("an answer that is no challenge", place="a challenge")
    if len(body.nonce) < _SMALLEST_NONCE:
        raise DigestError(f"a nonce of {len(body.nonce)} bytes", place="a challenge")
    data = body.nonce + digest.digest
    version = lower_version(challenge)
    if isinstance(identity, SecretIdentity):
        proof = secret_proof(identity.secret.reveal(), data, old=version < (2, 7))
        return ChallengeResponse("HS_SECKEY", identity.handle, identity.index, proof)
    name = digest_name(identity.signer, version, dsa_key=identity.dsa)
    signature = identity.signer.sign(data, name, identity.handle.encode())
    return ChallengeResponse("HS_PUBKEY", identity.handle, identity.index, fields.text(name) + fields.binary(signature))


def verify_key_response(response: ChallengeResponse, key: UsableKey, nonce: bytes, digest: RequestDigest) -> bool:
    """Whether ``response`` proves ``key`` over the nonce and digest that we sent.

    Raises `AlgorithmError` for algorithms that are refused, and the errors of `Reader` for a proof that cannot be read. Whether
    ``key`` belongs to the handle and index that the response names is the caller's to know.
    """
    reader = Reader(response.response, "a challenge response")
    name, signature = reader.text(64), reader.binary(8_192)
    reader.done()
    return verify(key, name, signature, nonce + digest.digest, response.handle.encode())


def verify_secret_response(response: bytes, secret: SecretKey, nonce: bytes, digest: bytes) -> bool:
    """Whether ``response`` proves ``secret`` over ``nonce`` and ``digest``, in any form but MD5.

    The comparison takes the same time whatever differs. Raises `AlgorithmError` for a form that is unknown, broken, or asks
    for more work than is done for a stranger, and the errors of `Reader`.
    """
    reader = Reader(response, "a challenge response")
    form = reader.u8()
    key, data = secret.reveal(), nonce + digest
    if not key:
        raise AlgorithmError("an empty secret proves nothing", place="a challenge response")
    if form == DigestAlgorithm.PBKDF2_HMAC_SHA1:
        salt, iterations, bits, found = reader.binary(64), reader.i32(), reader.i32(), reader.binary(64)
        reader.done()
        if not _LEAST_ITERATIONS <= iterations <= _MOST_ITERATIONS or bits % 8 or not 128 <= bits <= 512 or len(salt) < 8:
            raise AlgorithmError("a derivation that is too weak, or too much work", place="a challenge response")
        wanted = _derived(key, data, salt, iterations, bits)
    else:
        found = reader.rest()
        wanted = _keyed(form, key, data)
    return hmac.compare_digest(found, wanted)


def secret_proof(key: bytes, data: bytes, *, old: bool = False) -> bytes:
    """What proves the secret ``key`` over ``data``, a nonce and a digest; ``old`` is the form of versions before 2.7.

    Raises `AlgorithmError` for an empty secret.
    """
    if not key:
        raise AlgorithmError("an empty secret proves nothing", place="a challenge response")
    if old:
        return bytes((DigestAlgorithm.SHA1,)) + _keyed(DigestAlgorithm.SHA1, key, data)
    salt = secrets.token_bytes(16)
    code = _derived(key, data, salt, _ITERATIONS, _KEY_BITS)
    packed = fields.binary(salt) + fields.i32(_ITERATIONS) + fields.i32(_KEY_BITS) + fields.binary(code)
    return bytes((DigestAlgorithm.PBKDF2_HMAC_SHA1,)) + packed


def _derived(key: bytes, data: bytes, salt: bytes, iterations: int, bits: int) -> bytes:
    """PBKDF2 over the secret as Java does it: each byte is a character, and the characters are taken as UTF-8."""
    password = key.decode("latin-1").encode()
    return hmac.digest(hashlib.pbkdf2_hmac("sha1", password, salt, iterations, bits // 8), data, "sha1")


def _keyed(form: int, key: bytes, data: bytes) -> bytes:
    if form == DigestAlgorithm.HMAC_SHA256:
        return hmac.digest(key, data, "sha256")
    if form == DigestAlgorithm.HMAC_SHA1:
        return hmac.digest(key, data, "sha1")
    if form == DigestAlgorithm.SHA256:
        return hashlib.sha256(key + data + key).digest()
    if form == DigestAlgorithm.SHA1:
        return hashlib.sha1(key + data + key).digest()  # noqa: S324 - the form of versions before 2.7
    raise AlgorithmError("a form of proof that is not known here, or is broken", place="a challenge response")
