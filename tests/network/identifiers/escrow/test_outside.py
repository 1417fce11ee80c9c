"""Others open an export by its description alone: OpenSSL's command, Python's zipfile and ElementTree."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import zipfile
from xml.etree import ElementTree

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from escrow_exports import HARD, SM2_AGENT, SM2_KEY, agent_key, fill, made, new_store, node_key

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl"),
]
PEM, PKCS8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A full and a differential export by an RSA node, and a full one by an SM2 node, sealed to RSA and SM2 keys."""
    place = tmp_path_factory.mktemp("outside")
    store = fill(new_store(place / "node.db"), 20)
    both = [agent_key().public_key(), SM2_AGENT.public]
    full, manifest = made(store, place, recipients=both)
    store.delete("88.111.1/n1")
    differential, _ = made(store, place, after=manifest.at, recipients=both)
    chinese, _ = made(store, place, recipients=both, key=SM2_KEY)
    (place / "node.pub").write_bytes(node_key().public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
    (place / "agent.pem").write_bytes(agent_key().private_bytes(PEM, PKCS8, serialization.NoEncryption()))
    (place / "sm2.pub").write_bytes(SM2_KEY.public.to_pem())
    (place / "sm2agent.pem").write_bytes(SM2_AGENT.to_pem())
    yield place, full, differential, chinese, store
    store._registry.close()


def openssl(place, *arguments, check=True) -> subprocess.CompletedProcess:
    return subprocess.run(["openssl", *map(str, arguments)], cwd=place, capture_output=True, check=check, timeout=30)


def sm2_or_skip(place) -> None:
    if openssl(place, "pkey", "-in", "sm2agent.pem", "-noout", "-check", check=False).returncode:
        pytest.skip("this openssl has no SM2")


def document(place, folder, key: bytes) -> ElementTree.Element:
    """By the description, with other programs' means: chunks by number, zip, XML."""
    manifest = json.loads((folder / "manifest.json").read_bytes())
    stream = b"".join((folder / volume["name"]).read_bytes() for volume in manifest["volumes"])
    part = manifest["encryption"]["chunk_bytes"] + 16
    chunks = [stream[at : at + part] for at in range(0, len(stream), part)]
    with (place / "content.zip").open("wb") as file:
        for number, chunk in enumerate(chunks):
            nonce = bytes(3) + number.to_bytes(8, "big") + bytes([number == len(chunks) - 1])
            file.write(AESGCM(key).decrypt(nonce, chunk, bytes.fromhex(manifest["id"])))
    with zipfile.ZipFile(place / "content.zip") as packed:
        assert packed.testzip() is None
        (entry,) = packed.infolist()
        assert (entry.filename, entry.file_size, entry.compress_type) == ("escrow.xml", manifest["content"]["bytes"], 8)
        with packed.open(entry) as file:
            return ElementTree.parse(file).getroot()


def sealed_key(place, folder, place_of: int):
    recipient = json.loads((folder / "manifest.json").read_bytes())["encryption"]["recipients"][place_of]
    (place / "sealed").write_bytes(base64.b64decode(recipient["sealed"]))
    return recipient["algorithm"]


def test_openssl_verifies_the_manifest(exported):
    place, full, *_ = exported
    done = openssl(place, "dgst", "-sha256", "-verify", "node.pub", "-signature", full / "manifest.sig", full / "manifest.json")
    assert b"Verified OK" in done.stdout


def test_openssl_verifies_a_manifest_that_sm2_signed(exported):
    place, _, _, chinese, _ = exported
    sm2_or_skip(place)
    openssl(place, "dgst", "-sm3", "-binary", "-out", "digest", chinese / "manifest.json")
    options = ("-pubin", "-inkey", "sm2.pub", "-rawin", "-digest", "sm3", "-pkeyopt", "distid:1234567812345678")
    done = openssl(place, "pkeyutl", "-verify", *options, "-in", "digest", "-sigfile", chinese / "manifest.sig")
    assert b"Verified Successfully" in done.stdout


def test_openssl_opens_the_keys_and_python_reads_the_rest(exported):
    place, full, differential, _, store = exported
    assert sealed_key(place, full, 0) == "RSA-OAEP-SHA256"
    options = ("rsa_padding_mode:oaep", "rsa_oaep_md:sha256", "rsa_mgf1_md:sha256")
    more = [part for option in options for part in ("-pkeyopt", option)]
    key = openssl(place, "pkeyutl", "-decrypt", "-inkey", "agent.pem", "-in", "sealed", *more).stdout
    root = document(place, full, key)
    x = "{urn:hulian:escrow}"
    assert (root.tag, root.get("kind"), root.get("node")) == (f"{x}escrow", "full", "88.111.1")
    assert [prefix.get("name") for prefix in root.iter(f"{x}prefix")] == ["88.111.1", "88.111.2"]
    found = {}
    for record in root.iter(f"{x}record"):
        handle = record.get("handle") or base64.b64decode(record.get("handle-base64")).decode()
        texts = [one.find(f"{x}text") for one in record.iter(f"{x}value")]
        binary = [one.find(f"{x}base64") for one in record.iter(f"{x}value")]
        found[handle] = [
            (text.text or "").encode() if text is not None else base64.b64decode(coded.text)
            for text, coded in zip(texts, binary, strict=True)
        ]
    assert len(found) == len(store) + 1
    for handle, values in HARD.items():
        assert found[handle] == [value.data for value in values]
    sealed_key(place, differential, 0)
    key = openssl(place, "pkeyutl", "-decrypt", "-inkey", "agent.pem", "-in", "sealed", *more).stdout
    (change,) = document(place, differential, key)
    assert (change.tag, change.get("what"), change.get("handle"), len(change)) == (f"{x}change", "delete", "88.111.1/n1", 0)
    assert change.get("seal") == store.log.seal.hex()


def test_openssl_opens_the_key_that_is_sealed_to_sm2(exported):
    place, full, *_ = exported
    sm2_or_skip(place)
    assert sealed_key(place, full, 1) == "SM2"
    key = openssl(place, "pkeyutl", "-decrypt", "-inkey", "sm2agent.pem", "-in", "sealed").stdout
    assert document(place, full, key).get("kind") == "full"
