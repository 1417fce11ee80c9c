"""Whose key was proved: answers to challenges, secrets that are shown, keys that a handshake has proved already."""

from __future__ import annotations

import hmac
import secrets
from typing import Final, Protocol

from cryptography.hazmat.primitives import serialization

from hulian.network.identifiers.chain.errors import FollowError
from hulian.network.identifiers.wire import sm2
from hulian.network.identifiers.wire.authentication import verify_key_response, verify_secret_response
from hulian.network.identifiers.wire.authentication.respond import secret_proof
from hulian.network.identifiers.wire.bodies import ChallengeResponse, RequestDigest, VerifyRequest
from hulian.network.identifiers.wire.codes import DigestAlgorithm, ResponseCode
from hulian.network.identifiers.wire.errors import WireError
from hulian.network.identifiers.wire.typed.keys import DhPublicKey, PublicKey
from hulian.network.identifiers.wire.typed.secret import SecretKey
from hulian.network.identifiers.wire.values import Reference, Value

__all__ = ["Keys", "Proofs", "VerifyElsewhere"]

_MOST_KEYS: Final = 32
"""Keys of one handle that a proof without an index is tried with."""

_NONCE: Final = 16
_DIGEST: Final = 32


class Keys(Protocol):
    """Where keys are found: a `Lookup`, or whoever knows keys that stand in no record yet."""

    def here(self, handle: str) -> bool:
        """Whether ``handle`` is kept here, secrets among its values."""
        ...

    async def values(self, handle: str, types: tuple[str, ...]) -> tuple[Value, ...]:
        """The values of ``handle`` that are of one of ``types``; none where there are none."""
        ...


class VerifyElsewhere(Protocol):
    """Asks the server that holds a secret key whether a proof of it holds (opcode 201). Raises `FollowError`."""

    async def __call__(self, proof: VerifyRequest, /) -> bool: ...


class Proofs:
    """Compares proofs with the keys that stand in records: this node's own, and the public ones of every other.

    A secret key of another node is known to that node only, and so it is asked (opcode 201); the secret itself never leaves.
    """

    def __init__(self, lookup: Keys, verify: VerifyElsewhere | None = None) -> None:
        self._lookup = lookup
        self._verify = verify

    async def of_response(self, response: ChallengeResponse, nonce: bytes, digest: RequestDigest) -> Reference | ResponseCode:
        """Whose key ``response`` proves over ``nonce`` and ``digest``, or the response code that says why none was."""
        kind = response.kind.upper()
        if kind not in ("HS_PUBKEY", "HS_SECKEY"):
            return ResponseCode.INVALID_CREDENTIAL
        keys = await self._keys(response.handle, response.index, kind)
        try:
            if kind == "HS_PUBKEY":
                for value in keys:
                    if verify_key_response(response, PublicKey.unpack(value.data).usable(), nonce, digest):
                        return Reference(response.handle, value.index)
            elif self._lookup.here(response.handle):
                for value in keys:
                    if verify_secret_response(response.response, SecretKey(value.data), nonce, digest.digest):
                        return Reference(response.handle, value.index)
            elif self._verify is not None:
                asked = VerifyRequest(response.handle, response.index, nonce, digest.packed(), response.response)
                if await self._verify(asked):
                    return Reference(response.handle, response.index)
                return ResponseCode.AUTHENTICATION_FAILED
        except WireError:
            return ResponseCode.INVALID_CREDENTIAL
        except FollowError:
            return ResponseCode.INVALID_ADMIN
        return ResponseCode.AUTHENTICATION_FAILED if keys else ResponseCode.INVALID_ADMIN

    async def of_secret(self, who: Reference, secret: bytes) -> Reference | ResponseCode:
        """Whose HS_SECKEY ``secret`` is, where ``who`` says that it is theirs; the comparison takes the same time whatever
        differs. An empty one proves nothing."""
        if not secret:
            return ResponseCode.AUTHENTICATION_FAILED
        if not self._lookup.here(who.handle):
            return await self._secret_elsewhere(who, secret)
        keys = await self._keys(who.handle, who.index, "HS_SECKEY")
        for value in keys:
            if value.data and hmac.compare_digest(value.data, secret):
                return Reference(who.handle, value.index)
        return ResponseCode.AUTHENTICATION_FAILED if keys else ResponseCode.INVALID_ADMIN

    async def of_public_key(self, who: Reference, key: bytes) -> Reference | ResponseCode:
        """Whose HS_PUBKEY ``key`` (SubjectPublicKeyInfo, DER) is: a handshake has proved that they hold its private half."""
        keys = await self._keys(who.handle, who.index, "HS_PUBKEY")
        for value in keys:
            try:
                found = PublicKey.unpack(value.data).usable()
            except WireError:
                continue
            if isinstance(found, sm2.PublicKey | DhPublicKey):
                continue
            der = serialization.Encoding.DER
            if found.public_bytes(der, serialization.PublicFormat.SubjectPublicKeyInfo) == key:
                return Reference(who.handle, value.index)
        return ResponseCode.AUTHENTICATION_FAILED if keys else ResponseCode.INVALID_ADMIN

    async def _keys(self, handle: str, index: int, kind: str) -> list[Value]:
        found = await self._lookup.values(handle, (kind,))
        return [value for value in found if not index or value.index == index][:_MOST_KEYS]

    async def _secret_elsewhere(self, who: Reference, secret: bytes) -> Reference | ResponseCode:
        if self._verify is None:
            return ResponseCode.INVALID_ADMIN
        nonce, digest = secrets.token_bytes(_NONCE), RequestDigest(DigestAlgorithm.SHA256.value, secrets.token_bytes(_DIGEST))
        proof = secret_proof(secret, nonce + digest.digest)
        try:
            held = await self._verify(VerifyRequest(who.handle, who.index, nonce, digest.packed(), proof))
        except FollowError:
            return ResponseCode.INVALID_ADMIN
        return who if held else ResponseCode.AUTHENTICATION_FAILED
