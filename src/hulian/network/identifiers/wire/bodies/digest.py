"""The request digest: what an answer says it is the answer to (flag RD)."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

import msgspec

from hulian.network.identifiers.wire.codes import DigestAlgorithm, OpFlag
from hulian.network.identifiers.wire.errors import DigestError, EncodeError, FieldError
from hulian.network.identifiers.wire.frame import Message
from hulian.network.identifiers.wire.reader import Reader

__all__ = ["RequestDigest", "check_digest", "digest_of", "read_digest"]

_MAKERS: Final = {
    DigestAlgorithm.MD5.value: (hashlib.md5, 16),
    DigestAlgorithm.SHA1.value: (hashlib.sha1, 20),
    DigestAlgorithm.SHA256.value: (hashlib.sha256, 32),
}


class RequestDigest(msgspec.Struct, frozen=True):
    """A digest over the header and the body of a request: no envelope, no credential."""

    algorithm: int
    digest: bytes

    def packed(self) -> bytes:
        """As it stands in front of the body of an answer."""
        if self.algorithm not in _MAKERS or len(self.digest) != _MAKERS[self.algorithm][1]:
            raise EncodeError(f"a digest of {len(self.digest)} bytes for algorithm {self.algorithm}", place="a request digest")
        return bytes((self.algorithm,)) + self.digest


def digest_of(request: Message, algorithm: int = DigestAlgorithm.SHA256.value) -> RequestDigest:
    """The digest of ``request``. Raises `FieldError` for an algorithm that is no digest."""
    if algorithm not in _MAKERS:
        raise FieldError(f"digest algorithm {algorithm}", place="a request digest")
    return RequestDigest(algorithm, _MAKERS[algorithm][0](request.header_and_body()).digest())


def read_digest(reader: Reader) -> RequestDigest:
    """The digest in front of the body of an answer whose flag RD is set."""
    began = reader.at
    algorithm = reader.u8()
    if algorithm not in _MAKERS:
        reader.fail(FieldError, f"digest algorithm {algorithm}", at=began)
    return RequestDigest(algorithm, reader.raw(_MAKERS[algorithm][1]))


def check_digest(request: Message, answer: Message) -> None:
    """Raises `DigestError` unless ``answer`` carries the digest of exactly ``request``.

    MD5 and SHA-1 are taken where a peer of an old version uses them: a second preimage is what an attacker would need, and
    there are cheaper attacks. The comparison takes the same time whatever differs.
    """
    if not answer.has(OpFlag.RETURN_DIGEST):
        raise DigestError("an answer without the digest that was asked for", place="an answer")
    found = read_digest(Reader(answer.body, "the body of an answer"))
    if not hmac.compare_digest(found.digest, digest_of(request, found.algorithm).digest):
        raise DigestError("the answer carries the digest of another request", place="an answer")
