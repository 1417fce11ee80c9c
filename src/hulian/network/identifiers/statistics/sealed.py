"""Messages between nodes and probes that carry their own proof: a document, who says it, when, and a signature.

What is signed is the text ``hulian``, a space, the kind, a newline, and the SHA-256 of when (8 bytes, big-endian ns), who and
the document, each of both behind its length in 4 bytes: what the protocol has signed for a challenge, with the text in the
place of the nonce. So the same piece judges it (`hulian.network.identifiers.chain.proofs.Proofs`), with every kind of key.
"""

from __future__ import annotations

import hashlib
import time
from typing import Final

import msgspec

from hulian.kernel.unreadable import UNREADABLE
from hulian.network.identifiers.statistics.errors import AgeError, SealError
from hulian.network.identifiers.wire import fields
from hulian.network.identifiers.wire.authentication.respond import KeyIdentity
from hulian.network.identifiers.wire.bodies import ChallengeResponse, RequestDigest
from hulian.network.identifiers.wire.codes import DigestAlgorithm
from hulian.network.identifiers.wire.limits import MAX_HANDLE
from hulian.network.identifiers.wire.values import Reference

__all__ = ["AGE", "MAX_SEALED", "Sealed", "open_sealed", "seal"]

AGE: Final = 300.0
"""Seconds that a message may be old, or of the future."""

MAX_SEALED: Final = 1 << 20


class Sealed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A signed message as it is sent, in JSON; bytes are Base64. Nothing of it is believed before `proof` is judged."""

    kind: str
    who: str
    at: int
    document: bytes
    algorithm: str
    signature: bytes

    @property
    def reference(self) -> Reference:
        """The key that it says to be signed with."""
        return Reference.parse(self.who)

    def proof(self) -> tuple[ChallengeResponse, bytes, RequestDigest]:
        """What `Proofs.of_response` takes."""
        who = self.reference
        response = fields.text(self.algorithm) + fields.binary(self.signature)
        return (
            ChallengeResponse("HS_PUBKEY", who.handle, who.index, response),
            _label(self.kind),
            RequestDigest(DigestAlgorithm.SHA256.value, _digest(self.at, self.who, self.document)),
        )


def seal(kind: str, document: bytes, identity: KeyIdentity, *, at: int | None = None) -> bytes:
    """``document`` signed by ``identity`` at ``at`` (UTC ns; now where it is not given)."""
    who, now = str(Reference(identity.handle, identity.index)), time.time_ns() if at is None else at
    name = identity.signer.digests[0]
    signature = identity.signer.sign(_label(kind) + _digest(now, who, document), name, identity.handle.encode())
    made = Sealed(kind=kind, who=who, at=now, document=document, algorithm=name, signature=signature)
    return msgspec.json.encode(made)


def open_sealed(data: bytes, kind: str, *, now: float | None = None) -> Sealed:
    """Raises `SealError` for what is no message of ``kind``, `AgeError` for one that is not of these minutes."""
    try:
        found = msgspec.json.decode(data, type=Sealed)
        who = found.reference
        who_is_short = 0 < who.index <= 0x7FFFFFFF and 0 < len(who.handle.encode()) <= MAX_HANDLE
    except UNREADABLE as error:
        raise SealError(f"no signed message: {error}") from None
    except ValueError:
        who_is_short = False
    if not who_is_short or found.kind != kind or not 0 <= found.at < 1 << 63:
        raise SealError(f"no signed message of the kind '{kind}'")
    if abs(found.at / 1e9 - (time.time() if now is None else now)) > AGE:
        raise AgeError("the message was signed too long ago, or will be")
    return found


def _label(kind: str) -> bytes:
    return f"hulian {kind}\n".encode()


def _digest(at: int, who: str, document: bytes) -> bytes:
    return hashlib.sha256(at.to_bytes(8) + fields.text(who) + fields.binary(document)).digest()
