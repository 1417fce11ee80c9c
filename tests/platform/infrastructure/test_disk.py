"""A full disk is noticed, and so is who does not get over it."""

from __future__ import annotations

import shutil
from collections import namedtuple

import pytest

from hulian.platform.infrastructure.disk import DiskWatch, Refusals

Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize(("free", "full"), [([100, 15, 20, 31, 33], [False, True, True, True, False])])
def test_a_disk_is_full_until_there_is_twice_the_reserve(tmp_path, monkeypatch, free, full):
    watch, found = DiskWatch(tmp_path), []
    for megabytes in free:
        monkeypatch.setattr(shutil, "disk_usage", lambda path, left=megabytes: Usage(1, 1, left * 2**20))
        assert watch.look() == megabytes * 2**20
        found.append(watch.full)
    assert found == full


def test_a_complaint_is_heard_once_and_old_ones_are_not(tmp_path):
    log = tmp_path / "spine.log"
    log.write_bytes(b"[ERR] write: no space left on device\n")
    refusals = Refusals(log)
    assert not refusals.heard()
    with log.open("ab") as file:
        file.write(b"[ERR] JetStream failed to store a msg: write 1.blk: no space left on device\n")
    assert refusals.heard()
    assert not refusals.heard()
    log.write_bytes(b"no space left on device\n")
    assert refusals.heard(), "the log was cut meanwhile"
    log.unlink()
    assert not refusals.heard()
