"""A backup is whole or refused, and writes nothing outside its target."""

import io
import tarfile

import msgspec
import pytest

from hulian.platform.infrastructure.archive import read_manifest, unpack, write_archive
from hulian.platform.infrastructure.errors import BackupError


def quiet(name, done, total):
    assert 0 <= done <= total


@pytest.fixture
def packed(tmp_path):
    source = tmp_path / "source"
    (source / "deep" / "er").mkdir(parents=True)
    (source / "registry.db").write_bytes(b"registry" * 1000)
    (source / "deep" / "er" / "x").write_bytes(b"")
    write_archive(source, tmp_path / "b.tar", version="1", organisation="plant", progress=quiet)
    return tmp_path / "b.tar"


def test_what_went_in_comes_out(packed, tmp_path):
    assert packed.stat().st_mode & 0o077 == 0
    manifest = unpack(packed, tmp_path / "out", progress=quiet)
    assert manifest == read_manifest(packed)
    assert (tmp_path / "out" / "registry.db").read_bytes() == b"registry" * 1000
    assert (tmp_path / "out" / "deep" / "er" / "x").read_bytes() == b""


@pytest.mark.parametrize("place", [300, 2000, 9000])
def test_a_changed_byte_is_found_and_nothing_is_left(packed, tmp_path, place):
    raw = bytearray(packed.read_bytes())
    raw[place] ^= 1
    packed.write_bytes(raw)
    if place == 300:
        raw[place] ^= 1
        packed.write_bytes(raw[:6000])
    with pytest.raises(BackupError):
        unpack(packed, tmp_path / "out", progress=quiet)
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob("*.restoring"))


def test_an_existing_place_is_never_overwritten(packed, tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(BackupError, match="not empty"):
        unpack(packed, tmp_path / "out", progress=quiet)


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil-hulian", "a/../../evil"])
def test_a_hostile_backup_cannot_leave_its_target(tmp_path, name):
    body = b"x"
    manifest = {
        "format": 1,
        "version": "1",
        "organisation": "o",
        "created": 0,
        "entries": [[name, 1, __import__("hashlib").sha256(body).hexdigest()]],
    }
    manifest["entries"] = [{"path": e[0], "size": e[1], "sha256": e[2]} for e in manifest["entries"]]
    with tarfile.open(tmp_path / "b.tar", "w") as archive:
        for member, data in (("hulian-backup.json", msgspec.json.encode(manifest)), (name, body)):
            information = tarfile.TarInfo(member)
            information.size = len(data)
            archive.addfile(information, io.BytesIO(data))
    with pytest.raises(BackupError):
        unpack(tmp_path / "b.tar", tmp_path / "deep" / "out", progress=quiet)
    assert not (tmp_path / "evil").exists()
    assert not (tmp_path / "deep" / "evil").exists()


def test_a_file_that_is_no_backup_is_told(tmp_path):
    (tmp_path / "b.tar").write_bytes(b"hello" * 500)
    with pytest.raises(BackupError, match="not a backup"):
        read_manifest(tmp_path / "b.tar")
    with pytest.raises(BackupError):
        read_manifest(tmp_path / "missing.tar")
