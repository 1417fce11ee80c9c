"""Which endpoint to take, whom to believe, and how to log in: decisions only, no socket.

By default only encrypted endpoints with policies that nobody has broken are taken, and only from a server whose
certificate a person has approved. Nothing weaker is chosen silently.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from asyncua import ua
from asyncua.crypto import security_policies
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from hulian.network.exchange.protocols.contract import Credentials, PeerTrust
from hulian.network.exchange.protocols.opcua.config import POLICIES, OpcuaConfiguration
from hulian.network.exchange.protocols.opcua.errors import (
    ExpiredError,
    LoginError,
    PlainPasswordError,
    SecurityError,
    SettingsError,
    UnapprovedError,
    UnencryptedError,
)

__all__ = [
    "Login",
    "authority",
    "check_certificate",
    "choose",
    "choose_token",
    "describe",
    "load_login",
    "reachable_url",
    "thumbprint",
]

_CLASSES: Final[dict[str, type[security_policies.SecurityPolicy]]] = {
    "": security_policies.SecurityPolicyNone,
    "Basic128Rsa15": security_policies.SecurityPolicyBasic128Rsa15,
    "Basic256": security_policies.SecurityPolicyBasic256,
    "Basic256Sha256": security_policies.SecurityPolicyBasic256Sha256,
    "Aes128Sha256RsaOaep": security_policies.SecurityPolicyAes128Sha256RsaOaep,
    "Aes256Sha256RsaPss": security_policies.SecurityPolicyAes256Sha256RsaPss,
}
_NAMES: Final = {policy.URI: name for name, policy in _CLASSES.items()}
_BROKEN: Final = frozenset({"Basic256", "Basic128Rsa15"})
_SOON: Final = timedelta(days=21)


@dataclass(frozen=True)
class Login:
    """How we log in: nobody in particular, a user with a password, or a user with a certificate."""

    user: str = ""
    password: str = ""
    certificate: x509.Certificate | None = None
    key: RSAPrivateKey | None = None

    @property
    def kind(self) -> ua.UserTokenType:
        if self.certificate is not None:
            return ua.UserTokenType.Certificate
        return ua.UserTokenType.UserName if self.user else ua.UserTokenType.Anonymous

    def __repr__(self) -> str:
        return f"Login({self.kind.name}, user={self.user!r})"


def load_login(configuration: OpcuaConfiguration, credentials: Credentials) -> Login:
    """The login that settings and credentials describe.

    Raises `SettingsError` where the user certificate cannot be used, or is not the one of the key: told before a server is.
    """
    text = configuration.user_certificate.strip()
    if not text:
        if credentials.key:
            raise SettingsError(
                "there is a private key and no certificate", hint="set user_certificate to the certificate (PEM)"
            )
        return Login(credentials.user, credentials.password)
    if "PRIVATE KEY" in text:
        raise SettingsError(
            "user_certificate holds a private key, and settings are shown",
            hint="keep the key as a secret and name it among the credentials: key = secret:NAME. Consider this key as lost",
        )
    try:
        certificate = x509.load_pem_x509_certificate(text.encode())
    except ValueError as error:
        raise SettingsError(
            "user_certificate is not a certificate", hint="it is the text of a PEM file: -----BEGIN CERTIFICATE-----…"
        ) from error
    if not credentials.key:
        raise SettingsError(
            "the key of user_certificate is missing",
            hint="keep it with 'hulian secret set NAME < key.pem', then name it among the credentials: key = secret:NAME",
        )
    try:
        key = load_pem_private_key(credentials.key.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # The cause is left away: it may hold a part of the key.
        raise SettingsError(
            "the key of user_certificate is not an unencrypted private key (PEM)",
            hint="take off its password before you keep it as a secret: openssl pkey -in key.pem",
        ) from None
    if not isinstance(key, RSAPrivateKey):
        raise SettingsError(
            "the key of user_certificate is not an RSA key", hint="the policies of OPC UA that we speak need RSA"
        )
    if key.public_key() != certificate.public_key():
        raise SettingsError("user_certificate and its key do not belong together", hint="give both of the same user")
    return Login(credentials.user, "", certificate, key)


def thumbprint(certificate: x509.Certificate) -> str:
    """SHA-1 of the certificate, as OPC UA names certificates (OPC 10000-4, 7.16)."""
    return certificate.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303 - a name, not a proof


def authority(url: str) -> tuple[str, int]:
    """(host, port) of ``opc.tcp://host[:port][/path]``. Raises `SettingsError`."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise SettingsError(f"{url!r} is not an address: {error}", hint="write it as opc.tcp://host:4840/path") from error
    if parts.scheme != "opc.tcp" or not host:
        raise SettingsError(f"{url!r} is not the address of an OPC UA server", hint="write it as opc.tcp://host:4840/path")
    if parts.username or parts.password:
        raise SettingsError("the address holds a user or a password", hint="give them as credentials, by reference")
    return host, port or 4840


def reachable_url(configured: str, announced: str, *, follow: bool) -> str:
    """The URL to connect to: the announced path at the configured host and port.

    Servers often announce a host name that only they can resolve (a container's, a machine behind NAT).

    >>> reachable_url("opc.tcp://10.0.0.7:4840", "opc.tcp://PLC-17:4840/server", follow=False)
    'opc.tcp://10.0.0.7:4840/server'
    """
    if follow:
        return announced
    ours, theirs = urlsplit(configured), urlsplit(announced)
    host, port = authority(configured)
    netloc = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return urlunsplit((ours.scheme, netloc, theirs.path or ours.path, "", ""))


def policy_class(endpoint: ua.EndpointDescription) -> type[security_policies.SecurityPolicy]:
    """The implementation of the endpoint's security policy."""
    return _CLASSES[_NAMES[endpoint.SecurityPolicyUri]]


def describe(endpoint: ua.EndpointDescription) -> str:
    """``Basic256Sha256 SignAndEncrypt``, ``unencrypted``."""
    name = _NAMES.get(endpoint.SecurityPolicyUri, endpoint.SecurityPolicyUri.rpartition("#")[2])
    return f"{name} {endpoint.SecurityMode.name}" if name else "unencrypted"


def choose(
    endpoints: Sequence[ua.EndpointDescription], configuration: OpcuaConfiguration, *, place: str
) -> ua.EndpointDescription:
    """The best endpoint that the settings accept.

    Raises `UnencryptedError` where the server has nothing but unencrypted ones, `SecurityError` where what it has is not
    what is asked for; both say what the server offers.
    """
    usable = [
        endpoint
        for endpoint in endpoints
        if endpoint.EndpointUrl.lower().startswith("opc.tcp:") and endpoint.SecurityPolicyUri in _NAMES
    ]
    none = ua.MessageSecurityMode.None_
    if configuration.security == "none":
        plain = [endpoint for endpoint in usable if endpoint.SecurityMode == none]
        if plain:
            return plain[0]
    offered = ", ".join(sorted({describe(endpoint) for endpoint in endpoints})) or "nothing"
    modes = [ua.MessageSecurityMode.SignAndEncrypt]
    if configuration.security == "sign":
        modes.append(ua.MessageSecurityMode.Sign)
    names: list[str] = [configuration.policy] if configuration.policy else [name for name in POLICIES if name not in _BROKEN]
    if configuration.security != "none":
        fitting = [
            endpoint for endpoint in usable if endpoint.SecurityMode in modes and _NAMES[endpoint.SecurityPolicyUri] in names
        ]
        if fitting:
            return min(
                fitting,
                key=lambda endpoint: (modes.index(endpoint.SecurityMode), names.index(_NAMES[endpoint.SecurityPolicyUri])),
            )
        if usable and all(endpoint.SecurityMode == none for endpoint in usable):
            raise UnencryptedError("the server offers only unencrypted connections", place=place)
        signed = any(endpoint.SecurityMode == ua.MessageSecurityMode.Sign for endpoint in usable)
        hint = 'accept signed connections with security = "sign"' if signed and configuration.security == "best" else ""
        raise SecurityError(f"no endpoint of the server fits the settings; it offers {offered}", place=place, hint=hint)
    raise SecurityError(
        f"the server has no unencrypted endpoint; it offers {offered}",
        place=place,
        hint="leave 'security' away: the best encrypted endpoint is then taken",
    )


def leaf(certificate: bytes) -> bytes:
    """The first certificate of a chain in DER, which is how servers send theirs (OPC 10000-6, section 6.2.6)."""
    if len(certificate) < 4 or certificate[0] != 0x30 or certificate[1] != 0x82:
        return certificate
    return certificate[: int.from_bytes(certificate[2:4], "big") + 4]


def check_certificate(certificate: bytes, trust: PeerTrust, peer: str, place: str, now: datetime | None = None) -> str:
    """Believes ``certificate`` or raises `ExpiredError` or `UnapprovedError`; returns a warning where it soon expires."""
    try:
        parsed = x509.load_der_x509_certificate(certificate)
    except ValueError as error:
        raise SecurityError("the server's certificate is not one", place=place) from error
    now = now or datetime.now(UTC)
    thumbprint = hashlib.sha1(certificate).hexdigest().upper()  # noqa: S324 - how OPC UA names certificates
    if now > parsed.not_valid_after_utc:
        raise ExpiredError(f"the server's certificate expired on {parsed.not_valid_after_utc:%Y-%m-%d %H:%M} UTC", place=place)
    if now < parsed.not_valid_before_utc:
        raise ExpiredError(
            f"the server's certificate is not valid before {parsed.not_valid_before_utc:%Y-%m-%d %H:%M} UTC",
            place=place,
            hint="check the clocks of the server and of this machine",
        )
    if not trust.check(certificate, peer=peer):
        raise UnapprovedError(
            f"the server's certificate {thumbprint} ({parsed.subject.rfc4514_string()}) waits for approval",
            place=place,
            certificate=certificate,
            peer=peer,
        )
    if parsed.not_valid_after_utc - now < _SOON:
        return f"the server's certificate {thumbprint} expires on {parsed.not_valid_after_utc:%Y-%m-%d}"
    return ""


def choose_token(
    endpoint: ua.EndpointDescription,
    login: Login,
    *,
    configuration: OpcuaConfiguration,
    place: str,
) -> ua.UserTokenPolicy:
    """The way to log in that protects the secret best, with its policy URI filled in.

    Raises `LoginError` where the server has no way for this login, `PlainPasswordError` where a password would travel
    readable and the settings do not accept that.
    """
    tokens = endpoint.UserIdentityTokens
    fitting: list[tuple[int, ua.UserTokenPolicy]] = []
    for token in tokens or []:
        uri = token.SecurityPolicyUri or endpoint.SecurityPolicyUri
        if token.TokenType != login.kind or uri not in _NAMES:
            continue
        name = _NAMES[uri]
        rank = POLICIES.index(name) if name else len(POLICIES)
        fitting.append((rank, ua.UserTokenPolicy(PolicyId=token.PolicyId, TokenType=token.TokenType, SecurityPolicyUri=uri)))
    if not fitting:
        offered = ", ".join(sorted({token.TokenType.name for token in tokens or []})) or "none"
        raise LoginError(f"the server has no {login.kind.name} login; it offers: {offered}", place=place)
    rank, best = min(fitting, key=lambda item: item[0])
    encrypted = endpoint.SecurityMode == ua.MessageSecurityMode.SignAndEncrypt
    readable = rank == len(POLICIES) and not encrypted
    if login.kind == ua.UserTokenType.UserName and readable and not configuration.plain_password:
        raise PlainPasswordError("the password would travel readable", place=place)
    return best
