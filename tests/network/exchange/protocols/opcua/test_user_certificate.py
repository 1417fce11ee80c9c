"""Logging in with a user certificate (OPC 10000-4, 7.41.5), at a real server that lets exactly one in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from asyncua import Server, ua
from asyncua.crypto.permission_rules import SimpleRoleRuleset
from asyncua.server.user_managers import CertificateUserManager
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from hulian.network.exchange.protocols.contract import Credentials
from hulian.network.exchange.protocols.opcua import security
from hulian.network.exchange.protocols.opcua.config import OpcuaConfiguration
from hulian.network.exchange.protocols.opcua.errors import LoginError, SettingsError
from hulian.network.exchange.protocols.opcua.session import Session

pytestmark = pytest.mark.anyio


def person(name: str, *, key: Any = None, days: int = 30) -> SimpleNamespace:
    """A certificate and its key (PEM), as a plant's own authority would give them to a user."""
    key = key or rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    begin = datetime.now(UTC) - timedelta(days=60)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(datetime.now(UTC) + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
    return SimpleNamespace(certificate=pem, key=private, parsed=certificate, thumbprint=security.thumbprint(certificate))


ADA = person("ada")
EVE = person("eve")


@asynccontextmanager
async def server(directory: Any, policies: list[ua.SecurityPolicyType]) -> AsyncIterator[Any]:
    """An asyncua server that knows Ada's certificate and nobody else, and no password; gives its address."""
    own = person("server")
    for name, text in (("server.pem", own.certificate), ("server-key.pem", own.key), ("ada.pem", ADA.certificate)):
        (directory / name).write_text(text)
    users = CertificateUserManager()
    await users.add_user(directory / "ada.pem", name="ada")
    made = Server(user_manager=users)
    await made.init()
    made.set_endpoint("opc.tcp://127.0.0.1:0/plant")
    made.set_security_policy(policies, permission_ruleset=SimpleRoleRuleset())
    made.set_identity_tokens([ua.X509IdentityToken])
    await made.load_certificate(str(directory / "server.pem"))
    await made.load_private_key(str(directory / "server-key.pem"))
    async with made:
        port = made.bserver._server.sockets[0].getsockname()[1]
        yield f"opc.tcp://127.0.0.1:{port}/plant"


ENCRYPTED = [ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt]


async def log_in(url: str, environment: Any, certificate: str, key: str, **settings: Any) -> str:
    """Opens a session, and reads the server's clock with it."""
    configuration = OpcuaConfiguration(user_certificate=certificate, **settings)
    login = security.load_login(configuration, Credentials(key=key))
    around = environment(SimpleNamespace(credentials=Credentials(), extras={}))
    session = await Session.open(url, configuration, around, login)
    try:
        (value,) = await session.read([ua.NodeId(ua.ObjectIds.Server_ServerStatus_CurrentTime)])
        return str(value.StatusCode.name)
    finally:
        await session.close()


async def test_the_one_the_server_knows_comes_in_under_every_policy(tmp_path: Any, environment: Any) -> None:
    names = ("Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss")
    policies = [ua.SecurityPolicyType[f"{name}_SignAndEncrypt"] for name in names]
    async with server(tmp_path, policies) as url:
        for name in names:
            assert await log_in(url, environment, ADA.certificate, ADA.key, policy=name) == "Good"


async def test_another_is_refused_with_a_code_and_what_to_do(tmp_path: Any, environment: Any) -> None:
    async with server(tmp_path, ENCRYPTED) as url:
        with pytest.raises(LoginError) as refused:
            await log_in(url, environment, EVE.certificate, EVE.key)
        assert refused.value.code == "HL-OPCUA-0020"
        assert "CN=eve" in refused.value.message
        assert EVE.thumbprint in refused.value.hint
        assert refused.value.place == url
        assert await log_in(url, environment, ADA.certificate, ADA.key) == "Good", "the server serves on"


async def test_who_has_the_certificate_without_its_key_is_refused_by_the_server(
    tmp_path: Any, environment: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Certificates are public: it is the signature that proves who we are."""
    stolen = security.load_login(OpcuaConfiguration(user_certificate=EVE.certificate), Credentials(key=EVE.key))
    stolen = security.Login(certificate=ADA.parsed, key=stolen.key)
    monkeypatch.setattr(security, "load_login", lambda *_: stolen)
    async with server(tmp_path, ENCRYPTED) as url:
        with pytest.raises(LoginError):
            await log_in(url, environment, ADA.certificate, EVE.key)


async def test_nobody_in_particular_and_a_password_are_told_what_the_server_wants(tmp_path: Any, environment: Any) -> None:
    async with server(tmp_path, ENCRYPTED) as url:
        for login in (security.Login(), security.Login("ada", "password")):
            around = environment(SimpleNamespace(credentials=Credentials(), extras={}))
            with pytest.raises(LoginError, match="it offers: Certificate"):
                await Session.open(url, OpcuaConfiguration(), around, login)


async def test_a_connector_reads_with_it(tmp_path: Any, environment: Any, running: Any, sink: Any) -> None:
    """The whole way: settings and credentials as the edge hands them over, samples as it takes them."""
    from hulian.kernel.storage import StorageClass
    from hulian.network.exchange.protocols.contract import Binding, ConnectorState
    from hulian.network.exchange.protocols.opcua import protocol

    binding = Binding(series=7, address="i=2258", storage=StorageClass.TEXT)
    async with server(tmp_path, ENCRYPTED) as url:
        for who, code, state in ((EVE, "HL-OPCUA-0020", None), (ADA, "", ConnectorState.CONNECTED)):
            chosen = OpcuaConfiguration(user_certificate=who.certificate, retry_first=0.1)
            around = environment(SimpleNamespace(credentials=Credentials(key=who.key), extras={}))
            async with running(protocol.connector(url, chosen, (binding,), around), sink):
                await sink.until(lambda code=code: sink.statuses[-1:] and sink.statuses[-1].error_code == code, "its answer")
                if state:
                    await sink.until(lambda state=state: sink.statuses[-1].state == state and sink.of(7), "samples")
                else:
                    assert who.thumbprint in sink.statuses[-1].hint
                    assert not sink.of(7)
            told = f"{sink.statuses} {sink.events}"
            assert who.key.splitlines()[1] not in told


ELLIPTIC = person("elliptic", key=ec.generate_private_key(ec.SECP256R1()))
LOCKED = serialization.load_pem_private_key(ADA.key.encode(), None).private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"secret")
)


@pytest.mark.parametrize(
    ("certificate", "key", "words"),
    [
        (ADA.certificate, "", "key of user_certificate is missing"),
        ("", ADA.key, "no certificate"),
        ("/etc/passwd", ADA.key, "not a certificate"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", ADA.key, "not a certificate"),
        (ADA.certificate, "garbage", "not an unencrypted private key"),
        (ADA.certificate, LOCKED.decode(), "not an unencrypted private key"),
        (ADA.certificate, EVE.key, "do not belong together"),
        (ELLIPTIC.certificate, ELLIPTIC.key, "not an RSA key"),
        (ADA.certificate + ADA.key, ADA.key, "settings are shown"),
    ],
    ids=["no key", "no certificate", "a path", "damaged", "garbage", "locked", "of another", "elliptic", "key in the settings"],
)
async def test_what_can_never_work_is_told_before_a_server_is(certificate: str, key: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words) as refused:
        security.load_login(OpcuaConfiguration(user_certificate=certificate), Credentials(key=key))
    assert refused.value.code == "HL-OPCUA-0002"
    assert refused.value.hint
    for shown in (refused.value.message, refused.value.hint, refused.value.place):
        assert not key or len(key) < 100 or key.splitlines()[1] not in shown
    assert refused.value.__cause__ is None or "PRIVATE" not in str(refused.value.__cause__)


def test_the_key_is_never_shown() -> None:
    credentials = Credentials(user="u", password="hidden", key=ADA.key)
    login = security.load_login(OpcuaConfiguration(user_certificate=ADA.certificate), credentials)
    for shown in (repr(credentials), repr(login), str(login)):
        assert "hidden" not in shown
        assert "PRIVATE" not in shown
