"""Secrets at rest: readable by their owner, by name only, and nowhere else."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hulian.kernel.configuration import resolve_secret
from hulian.kernel.errors import SecretError
from hulian.trust import KeyStoreError, NodeKey, SecretStore, private_files

TEXT = st.text(st.characters(exclude_categories=("Cs",)))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return SecretStore(tmp_path_factory.mktemp("secrets"))


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=TEXT.filter(lambda text: 0 < len(text.encode()) <= 80), value=TEXT)
def test_any_name_and_any_secret_come_back(store, name, value):
    store.set(name, value)
    assert store.get(name) == value
    assert name in store.names()
    assert store.delete(name)
    assert store.get(name) is None
    assert not store.delete(name)


def test_the_files_hold_no_secret_and_only_the_owner_reads_them(tmp_path):
    store = SecretStore(tmp_path / "secrets")
    store.set("plc-1", "tiger-secret")
    files = list((tmp_path / "secrets").iterdir())
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    assert all(b"tiger-secret" not in path.read_bytes() for path in files)
    assert "tiger-secret" not in repr(store)


def test_a_secret_is_bound_to_its_name_and_node(tmp_path):
    store = SecretStore(tmp_path / "a")
    store.set("one", "tiger-secret")
    (tmp_path / "a" / "one.secret").rename(tmp_path / "a" / "two.secret")
    with pytest.raises(KeyStoreError) as refused:
        store.get("two")
    assert "tiger" not in str(refused.value)
    other = SecretStore(tmp_path / "b")
    other.set("two", "x")
    (tmp_path / "a" / "two.secret").rename(tmp_path / "b" / "two.secret")
    with pytest.raises(KeyStoreError):
        other.get("two")


@pytest.mark.parametrize("change", [lambda raw: raw[:-1], lambda raw: raw[:5], lambda raw: b"", lambda raw: raw[:-1] + b"\0"])
def test_a_changed_file_is_refused(tmp_path, change):
    store = SecretStore(tmp_path)
    store.set("one", "tiger-secret")
    path = tmp_path / "one.secret"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(KeyStoreError):
        store.get("one")


@pytest.mark.parametrize("name", ["", "x" * 81, "压" * 27])
def test_names_that_are_none(tmp_path, name):
    with pytest.raises(KeyStoreError):
        SecretStore(tmp_path).set(name, "x")


def test_a_path_is_just_a_name(tmp_path):
    store = SecretStore(tmp_path / "secrets")
    store.set("../../outside", "x")
    assert store.get("../../outside") == "x"
    assert [path.name for path in tmp_path.iterdir()] == ["secrets"]


def test_references_lead_here(tmp_path):
    store = SecretStore(tmp_path)
    store.set("plc-1", "tiger-secret")
    assert resolve_secret("secret:plc-1", store.get) == "tiger-secret"
    with pytest.raises(SecretError, match="no secret of this name"):
        resolve_secret("secret:plc-2", store.get)


def test_keys_differ_by_purpose_and_are_the_same_after_a_restart(tmp_path):
    key = NodeKey(tmp_path)
    assert key.derive("audit") == NodeKey(tmp_path).derive("audit") != key.derive("secrets")
    assert len(key.derive("audit")) == 32
    assert repr(key) == "NodeKey(…)"
    (tmp_path / "node.key").write_bytes(b"short")
    with pytest.raises(KeyStoreError):
        NodeKey(tmp_path)


MAKE = """
import sys
from pathlib import Path
from hulian.trust.secrets import NodeKey
print(NodeKey(Path(sys.argv[1])).derive("x").hex())
"""


def test_processes_at_once_make_one_key(tmp_path):
    command = [sys.executable, "-c", MAKE, str(tmp_path)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert len({process.communicate(timeout=120)[0] for process in running}) == 1


def test_a_folder_that_cannot_be_used_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(KeyStoreError) as refused:
        SecretStore(tmp_path / "file")
    assert refused.value.hint


def test_a_replaced_file_is_never_seen_half(tmp_path, monkeypatch):
    path = tmp_path / "x"
    private_files.replace(path, b"a" * 1000)

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(KeyStoreError, match="No space"):
        private_files.replace(path, b"b" * 1000)
    assert path.read_bytes() == b"a" * 1000
    assert [found.name for found in tmp_path.iterdir()] == ["x"], "the half-written file is gone"
