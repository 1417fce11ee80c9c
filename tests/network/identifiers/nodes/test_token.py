"""A node whose key is in a PKCS#11 token: SoftHSM, from Debian."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import anyio
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from identifier_nodes import text

from hulian.assembly.configuration import Configuration
from hulian.assembly.escrow import signing_key
from hulian.assembly.identifiers import identifier_node, root_data, root_file
from hulian.assembly.preparation import open_registry
from hulian.assembly.rollover import begin
from hulian.cli.registering import Registrant, identity_of
from hulian.kernel.configuration import load
from hulian.kernel.errors import ConfigurationError, SecretError
from hulian.network.identifiers.chain.administer import Administer
from hulian.network.identifiers.chain.errors import SecurityError
from hulian.network.identifiers.chain.follow import Follow
from hulian.network.identifiers.escrow import Custodian, Order, export, verify
from hulian.network.identifiers.nodes import token as tokens
from hulian.network.identifiers.nodes.errors import RolloverError, TokenError
from hulian.network.identifiers.nodes.token import KeyUri, TokenSigner, open_token
from hulian.network.identifiers.store import key_of
from hulian.network.identifiers.transport.client import Client
from hulian.network.identifiers.transport.connection import connection
from hulian.network.identifiers.wire.authentication.signers import verify as verifies
from hulian.network.identifiers.wire.bodies import ResolveRequest
from hulian.network.identifiers.wire.errors import AlgorithmError

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]
LIBRARY = next(iter(map(str, [*Path("/usr/lib/softhsm").glob("*.so"), *Path("/usr/lib").glob("*/softhsm/libsofthsm2.so")])), "")
PIN = "4711-secret"


@pytest.fixture(scope="module")
def token(tmp_path_factory) -> str:
    """A token with an RSA and an EC key, and the path of the library."""
    pkcs11 = pytest.importorskip("pkcs11", reason="python-pkcs11 is not installed")
    if not LIBRARY or shutil.which("softhsm2-util") is None:
        pytest.skip("there is no SoftHSM: tests/peers/install.sh installs it")
    place = tmp_path_factory.mktemp("token")
    (place / "tokens").mkdir()
    (place / "softhsm2.conf").write_text(f"directories.tokendir = {place / 'tokens'}\nlog.level = ERROR\n")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SOFTHSM2_CONF", str(place / "softhsm2.conf"))
        command = ["softhsm2-util", "--init-token", "--free", "--label", "plant", "--pin", PIN, "--so-pin", "0000"]
        subprocess.run(command, check=True, capture_output=True, timeout=30)
        with pkcs11.lib(LIBRARY).get_token(token_label="plant").open(user_pin=PIN, rw=True) as session:
            session.generate_keypair(pkcs11.KeyType.RSA, 2048, store=True, label="node key", id=b"\1\2")
            curve = pkcs11.util.ec.encode_named_curve_parameters("secp256r1")
            made = session.create_domain_parameters(pkcs11.KeyType.EC, {pkcs11.Attribute.EC_PARAMS: curve}, local=True)
            made.generate_keypair(store=True, label="curve")
        yield LIBRARY
        for signer in tokens._open.values():
            signer.close()
        tokens._open.clear()


def uri(token: str, key: str = "object=node%20key") -> KeyUri:
    return KeyUri.parse(f"pkcs11:token=plant;{key};type=private?module-path={token}")


def test_uris():
    found = KeyUri.parse("pkcs11:serial=0f;id=%01%FF;object=%E6%B3%B5?module-path=/lib/x.so")
    assert found == KeyUri(module="/lib/x.so", serial="0f", id=b"\1\xff", label="泵")
    for wrong in (
        "file:/key.pem",
        "pkcs11:",
        "pkcs11:token=a;object=b",
        "pkcs11:token=a?module-path=/lib/x.so",
        "pkcs11:object=b?module-path=/lib/x.so",
        "pkcs11:token=a;object=b;color=red?module-path=/lib/x.so",
        "pkcs11:token=a;token=b;object=b?module-path=/lib/x.so",
        "pkcs11:token=%FF;object=b?module-path=/lib/x.so",
        "pkcs11:token=a;object=b;type=public?module-path=/lib/x.so",
    ):
        with pytest.raises(TokenError) as raised:
            KeyUri.parse(wrong)
        assert raised.value.hint
    with pytest.raises(TokenError, match="PIN") as raised:
        KeyUri.parse("pkcs11:token=a;object=b?module-path=/lib/x.so&pin-value=4711")
    assert "4711" not in str(raised.value)


KEYS = [("object=node%20key", rsa.RSAPublicKey), ("object=curve", ec.EllipticCurvePublicKey)]


@pytest.mark.parametrize(("key", "kind"), KEYS)
def test_a_token_signs_what_its_public_key_verifies(token, key, kind):
    signer = open_token(uri(token, key), PIN)
    assert isinstance(signer.public, kind)
    for digest in signer.digests:
        signature = signer.sign(b"message", digest, b"")
        assert verifies(signer.public, digest, signature, b"message", b"")
        assert not verifies(signer.public, digest, signature, b"massage", b"")
    assert PIN not in repr(signer)
    # A session that has ended is opened again.
    signer._session.close()
    assert verifies(signer.public, "SHA-256", signer.sign(b"again", "SHA-256", b""), b"again", b"")


def test_what_a_token_does_not_give(token, monkeypatch):
    for key in ("object=nobody", "id=%77"):
        with pytest.raises(TokenError, match="NoSuchKey"):
            open_token(uri(token, key), PIN)
    with pytest.raises(TokenError, match="NoSuchToken"):
        open_token(KeyUri(module=token, token="other", label="x"), PIN)
    with pytest.raises(TokenError, match="cannot be used"):
        open_token(KeyUri(module="/nonexistent.so", token="plant", label="x"), PIN)
    signer = open_token(uri(token, "id=%01%02"), PIN)
    monkeypatch.setattr(signer, "_uri", KeyUri(module=token, token="gone", label="x"))
    signer._session.close()
    with pytest.raises(AlgorithmError, match="does not sign"):
        signer.sign(b"message", "SHA-256", b"")
    monkeypatch.setattr(tokens.importlib, "import_module", _missing)
    with pytest.raises(TokenError, match="not installed") as raised:
        TokenSigner(uri(token), PIN)
    assert "hulian[pkcs11]" in raised.value.hint


def _missing(name: str) -> None:
    raise ModuleNotFoundError(name)


async def test_a_node_runs_with_a_key_in_a_token(token, tmp_path, ports, monkeypatch):
    monkeypatch.setenv("TOKEN_PIN", PIN)
    port = ports()
    (tmp_path / "node").mkdir()
    key = f'key = "pkcs11:token=plant;object=node%20key?module-path={token}"'
    lines = ["[node]", f'data = "{tmp_path / "node"}"', "[identifiers]", f"port = {port}", "rest_port = 0", key]
    (tmp_path / "bare.toml").write_text("\n".join(lines))
    (tmp_path / "node.toml").write_text("\n".join([*lines, 'key_pin = "env:TOKEN_PIN"', 'publish = "nothing"']))
    configuration = load(tmp_path / "node.toml", Configuration)
    registry = open_registry(configuration)
    with pytest.raises(SecretError):
        identifier_node(load(tmp_path / "bare.toml", Configuration), registry)
    node = identifier_node(configuration, registry)
    signer = open_token(uri(token), PIN)
    async with anyio.create_task_group() as group:
        await group.start(node.run)
        follow = Follow(root_data(root_file(configuration)), Client(), signed=True)
        async with Administer(follow, connection, identity_of(Registrant(), configuration)) as by:
            await by.create("99.118.8/pump-17", [text("URL", "https://example.com/17")])
        assert (await follow.resolve(ResolveRequest("99.118.8/pump-17"))).code == 1
        with pytest.raises(RolloverError, match="token"):
            await begin(configuration, follow)
        # A token that does not sign is not an outage of unsigned answers.
        with monkeypatch.context() as patched:
            patched.setattr(signer, "_uri", KeyUri(module=token, token="gone", label="x"))
            signer._session.close()
            plain = Follow(root_data(root_file(configuration)), Client())
            assert (await plain.resolve(ResolveRequest("99.118.8/pump-17"))).code == 1
            with pytest.raises(SecurityError):
                await follow.resolve(ResolveRequest("99.118.8/pump-17"))
        assert (await follow.resolve(ResolveRequest("99.118.8/pump-17"))).code == 1
        group.cancel_scope.cancel()
    assert node._store.packed(key_of("99.118.8/pump-17"))
    recipient = rsa.generate_private_key(65537, 2048).public_key()
    folder, _ = export(registry, tmp_path, Order(node="99.118.8", recipients=[recipient]), signing_key(configuration))
    assert verify([folder], Custodian(signer.public))
    registry.close()
    files = [path for path in (tmp_path / "node").rglob("*") if path.is_file()]
    assert not [path for path in files if re.search(b"PRIVATE KEY", path.read_bytes())]
    assert not [path for path in files if PIN.encode() in path.read_bytes()]
    from hulian.assembly.identifier_key import own_key

    with pytest.raises(ConfigurationError, match="in a token"):
        own_key(configuration)
