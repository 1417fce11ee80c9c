"""Who asks: Basic, a client certificate, or a Handle session. What they may do is nobody's business here."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final
from urllib.parse import unquote_to_bytes

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID

from hulian.network.identifiers.chain.proofs import Proofs
from hulian.network.identifiers.transport.rest.attempts import Attempts
from hulian.network.identifiers.transport.rest.errors import LoginError, PlainHttpError, RequestError
from hulian.network.identifiers.transport.rest.requests import Request
from hulian.network.identifiers.transport.rest.sessions import Session, Sessions
from hulian.network.identifiers.wire import fields
from hulian.network.identifiers.wire.bodies import ChallengeResponse, RequestDigest
from hulian.network.identifiers.wire.codes import DigestAlgorithm
from hulian.network.identifiers.wire.limits import MAX_HANDLE
from hulian.network.identifiers.wire.values import Reference

__all__ = ["Prover"]

_LONGEST: Final = 16_384
_SMALLEST_NONCE: Final = 8
_LARGEST_NONCE: Final = 256
_PARAMETER: Final = re.compile(r'\s*([A-Za-z]{1,32})\s*=\s*(?:"([^"]*)"|([^\s",]*))\s*(?:,|$)')
_SECRET_FORMS: Final = {
    "SHA1": DigestAlgorithm.SHA1,
    "SHA-1": DigestAlgorithm.SHA1,
    "SHA256": DigestAlgorithm.SHA256,
    "SHA-256": DigestAlgorithm.SHA256,
    "HMAC-SHA1": DigestAlgorithm.HMAC_SHA1,
    "HMAC-SHA256": DigestAlgorithm.HMAC_SHA256,
}
_NO: Final = "the proof does not hold"


class Prover:
    """Finds out who sent a request. A proof that fails counts against its source; nothing says which part of it was wrong."""

    def __init__(
        self, proofs: Proofs | None, sessions: Sessions, attempts: Attempts | None = None, *, signs_each: bool = False
    ) -> None:
        """``signs_each``: a session alone proves nobody, each request brings its signature."""
        self._proofs = proofs
        self._signs_each = signs_each
        self._sessions = sessions
        self._attempts = attempts or Attempts()

    async def who(self, request: Request) -> Reference | None:
        """Who has proved to send ``request``; None where nobody tries to.

        Raises `PlainHttpError` where others could read the proof, `AttemptsError`, and `LoginError` where it does not hold.
        """
        given = request.headers.get("authorization", "")
        if not given:
            return None
        scheme, rest = self._scheme(request, given)
        if scheme == "basic":
            return await self._basic(request, rest)
        found = _parameters(rest)
        if found.get("clientcert", "").lower() == "true":
            return await self._certificate(request)
        session = self._session(request, found)
        if "signature" in found:
            await self._sign(request, session, found)
        elif self._signs_each:
            raise LoginError("here each request is signed", place="Authorization")
        if session.who is None:
            raise LoginError("nobody has proved this session yet", place="Authorization")
        return session.who

    async def session(self, request: Request) -> Session:
        """The session that ``request`` names, proved by it or not. Raises the errors of `who`, and `LoginError` for none."""
        scheme, rest = self._scheme(request, request.headers.get("authorization", ""))
        found = _parameters(rest) if scheme == "handle" else {}
        session = self._session(request, found)
        if "signature" in found:
            await self._sign(request, session, found)
        return session

    def _scheme(self, request: Request, given: str) -> tuple[str, str]:
        scheme, _, rest = given.partition(" ")
        if scheme.lower() not in ("basic", "handle") or len(given) > _LONGEST:
            raise LoginError("a proof that is not taken here", place="Authorization")
        if not request.secure:
            raise PlainHttpError("a proof of who asks came over a connection that others can read", place="Authorization")
        self._attempts.check(request.source)
        return scheme.lower(), rest.strip()

    # -- the three ways ------------------------------------------------------------------------------------------------

    async def _basic(self, request: Request, rest: str) -> Reference:
        """``index%3Ahandle:secret``; user and secret may be percent-encoded, because the user holds a colon."""
        try:
            name, colon, secret = base64.b64decode(rest, validate=True).partition(b":")
            who = _reference(unquote_to_bytes(name).decode())
        except (binascii.Error, ValueError):
            name = colon = b""
            secret, who = b"", None
        if who is None or not colon:
            raise self._failed(request, "Basic takes index%3Ahandle, a colon, and the secret")
        return await self._known(request, who, secret)

    async def _known(self, request: Request, who: Reference, secret: bytes) -> Reference:
        if self._proofs is not None:
            found = await self._proofs.of_secret(who, secret)
            if isinstance(found, Reference):
                return found
        raise self._failed(request, _NO)

    async def _certificate(self, request: Request) -> Reference:
        """The names UID and CN may say ``index:handle``; the key must be that of the value."""
        if request.certificate is None:
            raise LoginError("no client certificate came with this connection", place="Authorization")
        try:
            shown = x509.load_der_x509_certificate(request.certificate)
            key = shown.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
            names = [
                attribute.value if isinstance(attribute.value, str) else attribute.value.decode()
                for kind in (NameOID.USER_ID, NameOID.COMMON_NAME)
                for attribute in shown.subject.get_attributes_for_oid(kind)
            ]
        except ValueError:
            names, key = [], b""
        for name in names[:4]:
            who = _reference(name)
            if who is not None and self._proofs is not None:
                found = await self._proofs.of_public_key(who, key)
                if isinstance(found, Reference):
                    return found
        raise self._failed(request, "UID or CN of the certificate must be index:handle, and its key that of the value")

    def _session(self, request: Request, found: dict[str, str]) -> Session:
        session = self._sessions.find(found.get("sessionid", ""))
        if session is None:
            raise self._failed(request, "there is no such session, or it is over")
        return session

    async def _sign(self, request: Request, session: Session, found: dict[str, str]) -> None:
        """Proves ``session`` by a signature (or a code with a secret key) over its nonce and the client's."""
        who = _reference(found.get("id", ""))
        kind = found.get("type", "").upper()
        try:
            cnonce = base64.b64decode(found.get("cnonce", ""), validate=True)
            signature = base64.b64decode(found["signature"], validate=True)
        except (binascii.Error, ValueError):
            cnonce = signature = b""
        if who is None or not _SMALLEST_NONCE <= len(cnonce) <= _LARGEST_NONCE or not signature:
            raise self._failed(request, "a proof takes id, type, cnonce (8 to 256 bytes, Base64), alg and signature")
        name = found.get("alg", "SHA256")
        if kind == "HS_SECKEY":
            form = _SECRET_FORMS.get(name.upper())
            response = b"" if form is None else bytes((form,)) + signature
        else:
            response = fields.text(name) + fields.binary(signature)
        # The chain's proofs are over a nonce and a digest; here the client's nonce stands in the place of the digest.
        proof = ChallengeResponse(kind, who.handle, who.index, response)
        digest = RequestDigest(DigestAlgorithm.SHA256.value, cnonce)
        known = None
        if self._proofs is not None and response:
            known = await self._proofs.of_response(proof, session.nonce, digest)
        if not isinstance(known, Reference):
            raise self._failed(request, _NO)
        self._sessions.prove(session, known)

    def _failed(self, request: Request, message: str) -> LoginError:
        self._attempts.failed(request.source)
        return LoginError(message, place="Authorization")


def _reference(text: str) -> Reference | None:
    """``index:handle``, with any index that a key can have."""
    found = Reference.parse(text)
    if not 0 < found.index <= 0x7FFFFFFF or not found.handle or len(text.encode()) > MAX_HANDLE:
        return None
    return found


def _parameters(text: str) -> dict[str, str]:
    """``name="value", name=value``, names in lower case. Raises `RequestError`."""
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        part = _PARAMETER.match(text, at)
        if part is None or part.end() == at or part[1].lower() in found or len(found) > 16:
            raise RequestError('names and values belong here: name="value", …', place="Authorization")
        found[part[1].lower()] = part[2] if part[2] is not None else part[3]
        at = part.end()
    return found
