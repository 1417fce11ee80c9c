"""The node's key in a PKCS#11 token: it is named by a URI (RFC 7512), signs there, and never comes out."""

from __future__ import annotations

import contextlib
import importlib
import threading
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key

from hulian.network.identifiers.nodes.errors import TokenError
from hulian.network.identifiers.wire.errors import AlgorithmError

__all__ = ["KeyUri", "TokenSigner", "open_token"]

_SCHEME: Final = "pkcs11:"
_PLACES: Final = ("token", "serial", "object", "id", "type")
_QUERIES: Final = ("module-path",)
_CURVES: Final = ("secp256r1", "secp384r1", "secp521r1")
_DIGESTS: Final = {"SHA-256": hashes.SHA256, "SHA1": hashes.SHA1}


class KeyUri(msgspec.Struct, frozen=True, kw_only=True):
    """A key in a token: the library, the token by label or serial number, and the key by label or id."""

    module: str
    token: str = ""
    serial: str = ""
    label: str = ""
    id: bytes = b""

    def __str__(self) -> str:
        return f"{_SCHEME}token={self.token or self.serial};object={self.label or self.id.hex()}"

    @classmethod
    def parse(cls, text: str) -> KeyUri:
        """From a URI with ``module-path``, a token and a key. Raises `TokenError`.

        >>> KeyUri.parse("pkcs11:token=plant;object=node?module-path=/usr/lib/softhsm/libsofthsm2.so").label
        'node'
        """
        if not text.startswith(_SCHEME):
            raise TokenError("a key in a token is named by a pkcs11: URI")
        path, _, query = text.removeprefix(_SCHEME).partition("?")
        found: dict[str, bytes] = {}
        for parts, known in ((path.split(";"), _PLACES), (query.split("&") if query else [], _QUERIES)):
            for part in parts:
                name, equals, value = part.partition("=")
                if name.startswith("pin-"):
                    raise TokenError("a PIN does not belong in the URI", hint="identifiers.key_pin refers to it: secret:pin")
                if not equals or name not in known or name in found:
                    raise TokenError(f"'{name[:40]}' is none of {', '.join(known)}, or comes twice")
                found[name] = unquote_to_bytes(value)
        if found.get("type", b"private") != b"private":
            raise TokenError("the key is a private one: type=private")
        try:
            texts = {name: found.get(name, b"").decode() for name in ("module-path", "token", "serial", "object")}
        except UnicodeDecodeError:
            raise TokenError("the URI is not UTF-8") from None
        if not texts["module-path"] or not (texts["token"] or texts["serial"]) or not (texts["object"] or found.get("id")):
            raise TokenError("the URI names no library (module-path), no token (token, serial) or no key (object, id)")
        return cls(
            module=texts["module-path"],
            token=texts["token"],
            serial=texts["serial"],
            label=texts["object"],
            id=found.get("id", b""),
        )


class TokenSigner:
    """A `hulian.network.identifiers.wire.authentication.Signer` whose key stays in its token; ``public`` is the other half.

    One signature at a time is made. A session that has ended is opened again, once for each signature; `AlgorithmError` where
    the token does not sign even then.
    """

    def __init__(self, uri: KeyUri, pin: str) -> None:
        self._uri = uri
        self._pin = pin
        self._lock = threading.Lock()
        self._library = _library(uri)
        self._session: Any = None
        self._key: Any = None
        with self._lock:
            self.public: rsa.RSAPublicKey | ec.EllipticCurvePublicKey = self._opened()
        self.digests: tuple[str, ...] = ("SHA-256", "SHA1")

    def __repr__(self) -> str:
        return f"TokenSigner({self._uri})"

    def sign(self, data: bytes, digest: str, user: bytes) -> bytes:
        """See `Signer`. PKCS #1 v1.5 by an RSA key, the DER of X9.62 by one of an elliptic curve."""
        with self._lock:
            failed: Exception | None = None
            for _ in range(2):  # the token may have been taken out and put in again
                try:
                    if self._key is None:
                        self._opened()
                    return self._signed(data, digest)
                except (self._library.PKCS11Error, TokenError) as error:
                    failed = error
                    self._closed()
        reason = str(failed) or type(failed).__name__
        raise AlgorithmError(f"the token does not sign: {reason}", place=str(self._uri)) from failed

    def close(self) -> None:
        """Ends the session with the token."""
        with self._lock:
            self._closed()

    def _signed(self, data: bytes, digest: str) -> bytes:
        mechanism = self._library.Mechanism
        if isinstance(self.public, rsa.RSAPublicKey):
            by = {"SHA-256": mechanism.SHA256_RSA_PKCS, "SHA1": mechanism.SHA1_RSA_PKCS}[digest]
            return bytes(self._key.sign(data, mechanism=by))
        hashed = hashes.Hash(_DIGESTS[digest]())
        hashed.update(data)
        pair = bytes(self._key.sign(hashed.finalize(), mechanism=mechanism.ECDSA))
        half = len(pair) // 2
        return encode_dss_signature(int.from_bytes(pair[:half], "big"), int.from_bytes(pair[half:], "big"))

    def _closed(self) -> None:
        session, self._session, self._key = self._session, None, None
        if session is not None:
            with contextlib.suppress(self._library.PKCS11Error):  # it may have ended already
                session.close()

    def _opened(self) -> rsa.RSAPublicKey | ec.EllipticCurvePublicKey:
        """A new session, and the key in it. Raises `TokenError`."""
        library, uri = self._library, self._uri
        self._closed()
        wanted = {"token_label": uri.token} if uri.token else {"token_serial": uri.serial.encode()}
        try:
            token = library.lib(uri.module).get_token(**wanted)
            try:
                self._session = token.open(user_pin=self._pin)
            except library.UserAlreadyLoggedIn:  # as whom a process has logged in holds for all its sessions
                self._session = token.open()
            named = {"label": uri.label} if uri.label else {"id": uri.id}
            self._key = self._session.get_key(object_class=library.ObjectClass.PRIVATE_KEY, **named)
            return _public(library, self._session.get_key(object_class=library.ObjectClass.PUBLIC_KEY, **named))
        except library.PKCS11Error as error:
            self._closed()
            reason = f"{type(error).__name__} {error}".strip()
            raise TokenError(f"the key in the token cannot be used: {reason}", place=str(uri)) from error


def _library(uri: KeyUri) -> Any:
    try:
        return importlib.import_module("pkcs11")
    except ModuleNotFoundError as error:
        raise TokenError(
            "the library for tokens is not installed", place=str(uri), hint="pip install 'hulian[pkcs11]'"
        ) from error


def _public(library: Any, key: Any) -> rsa.RSAPublicKey | ec.EllipticCurvePublicKey:
    """The public key in the token, read. Raises `TokenError` for a kind that is not used."""
    attribute = library.Attribute
    if key.key_type is library.KeyType.RSA:
        exponent, modulus = key[attribute.PUBLIC_EXPONENT], key[attribute.MODULUS]
        return rsa.RSAPublicNumbers(int.from_bytes(exponent, "big"), int.from_bytes(modulus, "big")).public_key()
    if key.key_type is library.KeyType.EC:
        found = load_der_public_key(importlib.import_module("pkcs11.util.ec").encode_ec_public_key(key))
        if isinstance(found, ec.EllipticCurvePublicKey) and found.curve.name in _CURVES:
            return found
    raise TokenError("a kind of key that is not used here", hint="RSA from 2048 bits, or EC on the curves of NIST")


_open: dict[KeyUri, TokenSigner] = {}
_opening = threading.Lock()


def open_token(uri: KeyUri, pin: str) -> TokenSigner:
    """The signer of ``uri``; one in a process, because a process logs in to a token once. Raises `TokenError`."""
    with _opening:
        found = _open.get(uri)
        if found is None:
            found = _open[uri] = TokenSigner(uri, pin)
        return found
