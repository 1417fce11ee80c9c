"""How far a processing has read: the slot that counts, and what a power cut may take."""

from __future__ import annotations

import os
import stat

import pytest

from hulian.platform.edge.processing.checkpoint import Checkpoint, Mark


def mark(number: int, *, bare: bool = False) -> Mark:
    return Mark(number=number, bare=bare, read={"tank": (1, number * 10)})


def test_the_newest_slot_counts_whose_group_the_journal_has(tmp_path):
    checkpoint = Checkpoint(tmp_path)
    assert checkpoint.load(None) is None
    checkpoint.keep(mark(1))
    checkpoint.keep(mark(2))
    assert Checkpoint(tmp_path).load(2) == mark(2)
    assert Checkpoint(tmp_path).load(1) == mark(1), "the group of the second was lost with a kill -9"
    checkpoint.keep(mark(3, bare=True))
    assert Checkpoint(tmp_path).load(2) == mark(3, bare=True)


def test_a_damaged_slot_is_none(tmp_path):
    checkpoint = Checkpoint(tmp_path)
    checkpoint.keep(mark(1))
    checkpoint.keep(mark(2))
    path = tmp_path / "mark-1"
    content = path.read_bytes()
    for damaged in (b"", content[:-1], content[:-1] + b"\xff", b"HLP2" + content[4:]):
        path.write_bytes(damaged)
        assert Checkpoint(tmp_path).load(2) == mark(1)


@pytest.mark.parametrize("power", [False, True])
def test_with_power_file_and_name_are_past_the_disks_cache(tmp_path, monkeypatch, power):
    synced: list[bool] = []
    sync = os.fsync

    def noted(number: int) -> None:
        synced.append(stat.S_ISDIR(os.fstat(number).st_mode))
        sync(number)

    monkeypatch.setattr(os, "fsync", noted)
    Checkpoint(tmp_path, power=power).keep(mark(1))
    assert synced == ([False, True] if power else [])
