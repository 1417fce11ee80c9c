"""Client certificates and Handle sessions: who asks is proved by a key, and by nothing else."""

from __future__ import annotations

import base64
import datetime
import os
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID
from identifier_nodes import private_key
from rest_nodes import SECRET, USER, basic, face

from hulian.network.identifiers.store import key_of
from hulian.network.identifiers.transport.rest.attempts import Attempts
from hulian.network.identifiers.transport.rest.errors import AttemptsError, BusyError
from hulian.network.identifiers.transport.rest.sessions import Sessions
from hulian.network.identifiers.wire.values import Reference

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]
URL = {"index": 1, "type": "URL", "data": "https://example.com/pump"}
KEY = Reference(USER.handle, 300)
CERTIFICATE = {"Authorization": 'Handle clientCert="true"'}


def shown(directory, name: str, key, kind=NameOID.COMMON_NAME) -> tuple[str, str]:
    """A self-signed certificate for ``name``, as users of the Handle System make them."""
    subject = x509.Name([x509.NameAttribute(kind, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    stem = f"{abs(hash((name, key.private_numbers().p, kind.dotted_string)))}"
    chain, private = directory / f"{stem}.pem", directory / f"{stem}.key"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return str(chain), str(private)


async def test_a_client_certificate_names_who_holds_the_key_of_the_record(plant, tmp_path):
    other = rsa.generate_private_key(65537, 2048)
    good, by_uid = shown(tmp_path, str(KEY), private_key()), shown(tmp_path, str(KEY), private_key(), NameOID.USER_ID)
    stolen_name = shown(tmp_path, str(KEY), other)
    nobody = shown(tmp_path, "plant manager", private_key())
    clients = tmp_path / "clients.pem"
    clients.write_text("".join(Path(one[0]).read_text() for one in (good, by_uid, stolen_name, nobody)))
    unknown = shown(tmp_path, "300:88.111.1/OTHER", other)
    async with face(plant, tmp_path, clients=str(clients)) as served:
        for number, pair in enumerate((good, by_uid)):
            async with served.client(cert=pair) as client:
                assert (await client.put(f"/api/handles/88.111.1/c{number}", json=[URL])).status_code == 401, "a page's form"
                made = await client.put(f"/api/handles/88.111.1/c{number}", json=[URL], headers=CERTIFICATE)
                assert made.status_code == 201
        for pair in (stolen_name, nobody):
            async with served.client(cert=pair) as client:
                assert (await client.put("/api/handles/88.111.1/no", json=[URL], headers=CERTIFICATE)).status_code == 401
        async with served.client(cert=unknown) as client:
            with pytest.raises(httpx.TransportError):
                await client.get("/api/handles/88.111.1/ITEM7")
        async with served.client() as client:
            assert (await client.put("/api/handles/88.111.1/no", json=[URL], headers=CERTIFICATE)).status_code == 401
            assert (await client.get("/api/handles/88.111.1/ITEM7")).status_code == 200
    log = plant.stores["enterprise"].log
    assert {one.by for one in log.read() if one.handle.startswith("88.111.1/c")} == {str(KEY)}
    assert plant.stores["enterprise"].packed(key_of("88.111.1/no")) is None


def signed(nonce: str, cnonce: bytes, key=None) -> str:
    data = base64.b64decode(nonce) + cnonce
    return base64.b64encode((key or private_key()).sign(data, padding.PKCS1v15(), hashes.SHA256())).decode()


async def test_a_session_is_proved_by_a_signature_over_both_nonces(plant, tmp_path):
    async with face(plant, tmp_path) as served, served.client() as client:
        begun = await client.post("/api/sessions")
        session = begun.json()
        assert (begun.status_code, session["authenticated"]) == (201, False)
        assert len(base64.b64decode(session["nonce"])) == 16
        named = {"Authorization": f'Handle sessionId="{session["sessionId"]}"'}
        assert (await client.put("/api/handles/88.111.1/s", json=[URL], headers=named)).status_code == 401
        cnonce = os.urandom(16)

        def proof(signature: str, who=KEY, kind="HS_PUBKEY") -> dict[str, str]:
            text = (
                f'Handle sessionID="{session["sessionId"]}",id="{who}",type="{kind}",'
                f'cnonce="{base64.b64encode(cnonce).decode()}",alg="SHA256",signature="{signature}"'
            )
            return {"Authorization": text}

        wrong = proof(signed(session["nonce"], os.urandom(16)))
        assert (await client.put("/api/sessions/this", headers=wrong)).status_code == 401
        strange = proof(signed(session["nonce"], cnonce, rsa.generate_private_key(65537, 2048)))
        assert (await client.put("/api/sessions/this", headers=strange)).status_code == 401
        proved = await client.put("/api/sessions/this", headers=proof(signed(session["nonce"], cnonce)))
        assert (proved.status_code, proved.json()["authenticated"], proved.json()["id"]) == (200, True, str(KEY))
        assert (await client.put("/api/handles/88.111.1/s", json=[URL], headers=named)).status_code == 201
        again = await client.get("/api/sessions/this", headers=named)
        assert again.json()["id"] == str(KEY)
        assert (await client.delete("/api/sessions/this", headers=named)).status_code == 204
        assert (await client.get("/api/sessions/this", headers=named)).status_code == 401
        assert (await client.put("/api/handles/88.111.1/s2", json=[URL], headers=named)).status_code == 401
    assert [one.by for one in plant.stores["enterprise"].log.read() if one.handle == "88.111.1/s"] == [str(KEY)]


async def test_a_session_is_proved_by_a_secret_key_and_by_basic(plant, tmp_path):
    import hashlib
    import hmac

    async with face(plant, tmp_path) as served, served.client() as client:
        session = (await client.post("/api/sessions")).json()
        cnonce = os.urandom(16)
        data = base64.b64decode(session["nonce"]) + cnonce
        code = hmac.digest(SECRET.encode(), data, hashlib.sha256)
        text = (
            f'Handle sessionId="{session["sessionId"]}", id="{USER}", type="HS_SECKEY", '
            f'cnonce="{base64.b64encode(cnonce).decode()}", alg="HMAC-SHA256", signature="{base64.b64encode(code).decode()}"'
        )
        proved = await client.put("/api/sessions/this", headers={"Authorization": text})
        assert proved.json()["id"] == str(USER)
        by_basic = (await client.post("/api/sessions", auth=basic())).json()
        assert by_basic["authenticated"]
        named = {"Authorization": f"Handle sessionId={by_basic['sessionId']}"}
        assert (await client.put("/api/handles/88.111.1/s", json=[URL], headers=named)).status_code == 201


@pytest.mark.parametrize("header", ["Handle", "Handle =", 'Handle a="b', "Handle a=b,a=c", "Basic", "Basic !", "Bearer x", "x"])
async def test_broken_proofs_are_refused(plant, tmp_path, header):
    async with face(plant, tmp_path) as served, served.client() as client:
        answer = await client.get("/api/handles/88.111.1/ITEM7", headers={"Authorization": header})
        assert answer.status_code in (400, 401)


async def test_prefixes_and_the_site(plant, tmp_path):
    async with face(plant, tmp_path) as served, served.client() as client:
        assert (await client.get("/api/prefixes")).status_code == 401
        assert (await client.get("/api/prefixes", auth=basic())).status_code == 403, "the administrator of the prefix only"
        site = (await client.get("/api/site")).json()
        assert site["data"]["value"]["servers"][0]["interfaces"][0]["port"] == plant.ports["enterprise"]
        packed = await client.get("/api/site", headers={"Accept": "application/octet-stream"})
        assert packed.content == served.node.site.pack()
        plant.stores["enterprise"].create("88.111.1/NODE", [])
        served.node.authority._administrators = (USER,)
        assert (await client.get("/api/prefixes", auth=basic())).json()["prefixes"] == ["88.111.1"]
        assert (await client.put("/api/prefixes/88.111.7", auth=basic())).status_code == 200
        assert (await client.get("/api/prefixes", auth=basic())).json()["prefixes"] == ["88.111.1", "88.111.7"]
        assert (await client.delete("/api/prefixes/88.111.7", auth=basic())).status_code == 200
        assert plant.stores["enterprise"].prefixes() == [b"0.NA/88.111.1"]


def test_attempts_are_forgiven_with_time():
    now = [0.0]
    attempts = Attempts(lambda: now[0])
    for _ in range(10):
        attempts.check("2001:db8::1")
        attempts.failed("2001:db8::1")
    with pytest.raises(AttemptsError) as caught:
        attempts.check("2001:db8::2")
    attempts.check("2001:db8:1::2")
    now[0] += caught.value.retry_after
    attempts.check("2001:db8::1")


def test_sessions_are_bounded_and_end():
    now = [0.0]
    sessions = Sessions(lambda: now[0])
    made = [sessions.begin("a") for _ in range(64)]
    with pytest.raises(BusyError):
        sessions.begin("a")
    sessions.prove(made[0], USER)
    assert sessions.begin("b").key != sessions.begin("a").key
    now[0] += 61
    assert sessions.find(made[1].key) is None
    assert sessions.find(made[0].key).who == USER
    now[0] += 1801
    assert sessions.find(made[0].key) is None
