"""Whatever was done to an export on its way: a named error, with the place and a hint, and nothing is written."""

from __future__ import annotations

import io
import json
import random
import shutil
import zipfile

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from escrow_exports import (
    SM2_AGENT,
    SM2_KEY,
    custodian,
    fill,
    made,
    new_store,
    resigned,
    value,
)
from hypothesis import given
from hypothesis import strategies as st

from hulian.network.identifiers.escrow import restore, verify
from hulian.network.identifiers.escrow.document import head_xml, tail_xml
from hulian.network.identifiers.escrow.errors import (
    DocumentError,
    EscrowSignatureError,
    HistoryError,
    ManifestError,
    RecipientError,
    SealError,
    VolumeError,
)
from hulian.network.identifiers.escrow.manifest import Position
from hulian.network.identifiers.escrow.reading import items
from hulian.network.identifiers.escrow.sealed import CHUNK, TAG, StreamWriter, opened
from hulian.network.identifiers.escrow.unpacking import inflated

pytestmark = pytest.mark.timeout(180)
KEY, ID = bytes(range(32)), bytes(16)


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    """A full export, another one of the same node, and a store to restore into, which stays empty."""
    place = tmp_path_factory.mktemp("exports")
    store, empty = fill(new_store(place / "node.db"), 50), new_store(place / "empty.db")
    full, manifest = made(store, place)
    store.delete("88.111.1/n1")
    again, _ = made(store, place)
    differential, _ = made(store, place, after=manifest.at)
    yield full, again, differential, empty
    store._registry.close()
    empty._registry.close()


def judged(exports, folders, error, match, keys=None) -> None:
    """Refused by `verify` and `restore` alike; the store is empty afterwards."""
    empty = exports[3]
    who = keys or custodian()
    for judge in (lambda: verify(folders, who), lambda: restore(empty, folders, who)):
        with pytest.raises(error, match=match) as raised:
            judge()
        assert raised.value.hint
        assert raised.value.place
    assert (len(empty), empty.log.last) == (0, 0)
    assert empty.jobs.find("escrow restore") is None


def copied(exports, tmp_path):
    return shutil.copytree(exports[0], tmp_path / "copy")


def damage(path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def test_volumes(exports, tmp_path):
    folder = copied(exports, tmp_path)
    first, second, third = (folder / f"volume-000{number}.bin" for number in (1, 2, 3))
    kept = first.read_bytes()
    damage(first, 1000)
    judged(exports, [folder], VolumeError, "volume 1 of .* damaged")
    first.write_bytes(kept[:-1])
    judged(exports, [folder], VolumeError, "40959 bytes, and had 40960")
    first.write_bytes((exports[1] / first.name).read_bytes())
    judged(exports, [folder], VolumeError, "another export")
    first.unlink()
    judged(exports, [folder], VolumeError, "No such file")
    second.rename(first)
    third.rename(second)
    first.rename(third)
    first.write_bytes(kept)
    judged(exports, [folder], VolumeError, "volume 2 of")


def test_manifests(exports, tmp_path):
    folder = copied(exports, tmp_path)
    path = folder / "manifest.json"
    kept = path.read_bytes()
    judged(exports, [folder], EscrowSignatureError, "not of the key", custodian(signer=SM2_KEY.public))
    stranger = rsa.generate_private_key(65537, 2048).public_key()
    judged(exports, [folder], EscrowSignatureError, "not of the key", custodian(signer=stranger))
    path.write_bytes(kept.replace(b'"88.111.1"', b'"88.111.2"'))
    judged(exports, [folder], EscrowSignatureError, "not of the key")
    path.write_bytes(kept + bytes(17 << 20))
    judged(exports, [folder], ManifestError, "more than 16 MiB")
    path.unlink()
    judged(exports, [folder], ManifestError, "No such file")
    path.write_bytes(kept)
    (folder / "manifest.sig").write_bytes(b"")
    judged(exports, [folder], EscrowSignatureError, "not of the key")


@pytest.mark.parametrize(
    "change",
    [
        lambda found: found["volumes"][0].update(name="../../etc/passwd"),
        lambda found: found["volumes"][1].update(name="volume-0001.bin"),
        lambda found: found.update(volumes=[]),
        lambda found: found["volumes"][0].update(bytes=-5),
        lambda found: found["encryption"].update(chunk_bytes=1 << 40),
        lambda found: found.update(id="xyz"),
        lambda found: found["at"].update(seal="00"),
        lambda found: found.update(kind="differential"),
        lambda found: found.update(more=1),
        lambda found: found.update(format="hulian-escrow-2"),
        lambda found: found["encryption"].update(cipher="ROT13"),
    ],
)
def test_manifests_that_are_signed_and_wrong(exports, tmp_path, change):
    folder = copied(exports, tmp_path)
    resigned(folder, change)
    judged(exports, [folder], ManifestError, "it names|cannot be read")


def test_seals(exports, tmp_path):
    """Someone who could make the node sign: the contents say themselves where they belong."""
    folder = copied(exports, tmp_path)
    judged(exports, [folder], RecipientError, "no key was given", custodian(SM2_AGENT))
    assert verify([folder], outside())
    last = sorted(folder.glob("volume-*"))[-1]
    cut = last.stat().st_size - 100
    content = last.read_bytes()[:cut]

    def shorter(found):
        import hashlib

        found["volumes"][-1].update(bytes=cut, sha256=hashlib.sha256(content).hexdigest())

    last.write_bytes(content)
    resigned(folder, shorter)
    judged(exports, [folder], SealError, "does not open|no sealed stream")
    folder = shutil.copytree(exports[0], tmp_path / "swapped")
    resigned(folder, lambda found: found["volumes"].reverse())
    judged(exports, [folder], SealError, "chunk 0 does not open")
    folder = shutil.copytree(exports[0], tmp_path / "named")
    resigned(folder, lambda found: found.update(id="00" * 16))
    judged(exports, [folder], SealError, "chunk 0 does not open")
    folder = shutil.copytree(exports[0], tmp_path / "foreign")
    other = json.loads((exports[1] / "manifest.json").read_text())
    resigned(folder, lambda found: found["encryption"].update(recipients=other["encryption"]["recipients"]))
    judged(exports, [folder], SealError, "chunk 0 does not open")
    for name, change in {
        "size": lambda found: found["content"].update(bytes=1000),
        "items": lambda found: found["content"].update(items=7),
        "digest": lambda found: found["content"].update(sha256="00" * 32),
        "at": lambda found: found["at"].update(number=7),
    }.items():
        folder = shutil.copytree(exports[0], tmp_path / name)
        resigned(folder, change)
        judged(exports, [folder], DocumentError, "announced|manifest")
    folder = shutil.copytree(exports[2], tmp_path / "differential")
    resigned(folder, lambda found: found["after"].update(number=found["after"]["number"] - 1))
    judged(exports, [exports[0], folder], HistoryError, "is missing")


def outside():
    from escrow_exports import node_key

    from hulian.network.identifiers.escrow import Custodian

    return Custodian(node_key().public_key())


class Bytes:
    def __init__(self, content: bytes) -> None:
        self.content, self.size = content, len(content)

    def read_at(self, at: int, size: int) -> bytes:
        return self.content[at : at + size]


def sealed(plain: bytes, cipher="AES-256-GCM") -> bytes:
    sink = io.BytesIO()
    writer = StreamWriter(sink, cipher, KEY if cipher == "AES-256-GCM" else KEY[:16], ID)
    writer.write(plain)
    writer.finish()
    return sink.getvalue()


@pytest.mark.parametrize("cipher", ["AES-256-GCM", "SM4-GCM"])
@pytest.mark.parametrize("size", [1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 7])
def test_chunks_are_in_their_place_or_do_not_open(cipher, size):
    plain = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    whole, key = sealed(plain, cipher), KEY if cipher == "AES-256-GCM" else KEY[:16]
    assert b"".join(opened(Bytes(whole), cipher, key, ID)) == plain
    part = CHUNK + TAG
    chunks = [whole[at : at + part] for at in range(0, len(whole), part)]
    wrong = [chunks[:-1], [*chunks, chunks[-1]], [*chunks[:-1], chunks[-1][:-1]], [bytes([chunks[0][0] ^ 1]) + chunks[0][1:]]]
    if len(chunks) > 2:
        wrong += [[chunks[1], chunks[0], *chunks[2:]], chunks[1:], [chunks[0], *chunks]]
    for other in wrong:
        with pytest.raises(SealError):
            list(opened(Bytes(b"".join(other)), cipher, key, ID))
    with pytest.raises(SealError):
        list(opened(Bytes(whole), cipher, key, b"another export.."))


def zipped(content: bytes, name="escrow.xml", method=zipfile.ZIP_DEFLATED, more=()) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as packed:
        packed.writestr(name, content)
        for other in more:
            packed.writestr(*other)
    return file.getvalue()


def pieces(content: bytes, size: int = 1000):
    return iter([content[at : at + size] for at in range(0, len(content), size)])


def test_bombs_and_other_zips():
    good = zipped(b"x" * 5000)
    for size in (7, 1000, 10**6):
        assert b"".join(inflated(pieces(good, size), "escrow.xml", 5000)) == b"x" * 5000
    bomb = zipped(bytes(4 << 20))
    found = inflated(pieces(bomb), "escrow.xml", 100_000)
    assert len(next(found)) == 65_536
    with pytest.raises(DocumentError, match="more than the 100000"):
        next(found)
    for wrong in (
        b"",
        b"PK",
        good[:60],
        zipped(b"x" * 5000, "other.xml"),
        zipped(b"x" * 5000, method=zipfile.ZIP_STORED),
        zipped(b"x" * 5000, more=[("second.xml", random.Random(7).randbytes(100_000))]),
        good[:40] + b"\xff" * 60 + good[100:],
        zipped(b"x" * 4999),
    ):
        with pytest.raises(DocumentError):
            list(inflated(pieces(wrong), "escrow.xml", 5000))


AT = Position(1, "ab" * 32)
HEAD, TAIL = head_xml("full", "n", AT, None), tail_xml()
DIGEST = "df3f619804a92fdb4057192dc43dd748ea778adc52bc498ce80524c014b81119"  # of no values at all
RECORD = f'<record handle="n/1" changed="1" digest="{DIGEST}">'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain text",
        HEAD,
        HEAD + TAIL + "<more/>",
        '<?xml version="1.0"?><!DOCTYPE escrow [<!ENTITY a "aaaa">]>' + HEAD.partition("\n")[2] + "&a;" + TAIL,
        '<?xml version="1.0"?><!DOCTYPE escrow SYSTEM "file:///etc/passwd">' + HEAD.partition("\n")[2] + TAIL,
        HEAD + "&xxe;" + TAIL,
        HEAD + "<?php?>" + TAIL,
        HEAD + "words" + TAIL,
        HEAD + "<other/>" + TAIL,
        HEAD + '<record xmlns="urn:other"/>' + TAIL,
        HEAD + "<record/>" + TAIL,
        HEAD + RECORD + "<record/></record>" + TAIL,
        HEAD + RECORD.replace("n/1", "n/1").replace(DIGEST, "0" * 64) + "</record>" + TAIL,
        HEAD + RECORD.replace('changed="1"', 'changed="one"') + "</record>" + TAIL,
        HEAD + RECORD.replace('changed="1"', 'changed="' + "9" * 5000 + '"') + "</record>" + TAIL,
        HEAD + RECORD.replace('handle="n/1"', 'handle-base64="!"') + "</record>" + TAIL,
        HEAD + RECORD.replace('handle="n/1"', 'handle-base64="/w=="') + "</record>" + TAIL,
        HEAD + RECORD + '<value index="1"><text>a</text></value></record>' + TAIL,
        HEAD + RECORD + "<value>a</value></record>" + TAIL,
        HEAD + RECORD + "<value><text>a</text><base64/></value></record>" + TAIL,
        HEAD + RECORD + "<value><text><text/></text></value></record>" + TAIL,
        HEAD + RECORD + "<value><text>" + "a" * 400_000 + "</text></value></record>" + TAIL,
        HEAD + "<record " + " ".join(f'a{number}="1"' for number in range(50)) + "/>" + TAIL,
        HEAD + '<change number="1" at="1" what="burn" handle="n/1" by="x" content="" seal=""/>' + TAIL,
        HEAD.replace('version="1" kind', 'version="2" kind') + TAIL,
        HEAD.replace("UTF-8", "nonsense") + TAIL,
    ],
)
def test_documents_that_are_none(text):
    assert list(items([HEAD.encode(), TAIL.encode()]))
    assert len(list(items([(HEAD + RECORD + "</record>" + TAIL).encode()]))) == 2
    with pytest.raises(DocumentError) as raised:
        list(items([text.encode()]))
    assert "byte" in raised.value.place


def test_a_tag_without_end_is_not_collected():
    fed = 0

    def endless():
        nonlocal fed
        yield (HEAD + '<record handle="').encode()
        while True:
            fed += 65_536
            yield b"a" * 65_536

    with pytest.raises(DocumentError, match="in one tag"):
        list(items(endless()))
    assert fed < 3 << 20


@pytest.mark.fuzz
@given(st.binary(max_size=200), st.integers(0, 3000), st.integers(1, 500))
def test_any_bytes_are_a_document_or_a_named_error(raw, at, step):
    content = (HEAD + RECORD + "</record>" + TAIL).encode()
    for attempt in (raw, content[:at] + raw + content[at:], zipped(content)[:at] + raw):
        for read in (items, lambda pieces: inflated(iter(pieces), "escrow.xml", 5000)):
            try:
                list(read([attempt[begin : begin + step] for begin in range(0, len(attempt), step)]))
            except DocumentError:
                continue


def test_a_node_with_records_of_its_own_is_left_alone(exports, tmp_path):
    from hulian.network.identifiers.escrow.errors import NotEmptyError

    store = new_store(tmp_path / "own.db")
    store.create("88.111.1/own", [value("x")])
    with pytest.raises(NotEmptyError, match="1 records and 1 changes"):
        restore(store, [exports[0]], custodian())
    assert len(store) == 1
    store._registry.close()
