"""kill -9 while a node is exported or restored: nothing half is taken for whole, and it is begun again."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from escrow_exports import agent_key, custodian, fill, held, made, new_store, node_key, value

from hulian.network.identifiers.escrow import restore
from hulian.network.identifiers.escrow.errors import NotEmptyError, UnfinishedRestoreError
from hulian.network.identifiers.escrow.restore import check_finished
from hulian.network.identifiers.store import RecordStore
from hulian.registry import Registry

pytestmark = pytest.mark.timeout(180)

PROGRAM = """
import sys
from pathlib import Path
from cryptography.hazmat.primitives import serialization
from hulian.network.identifiers.escrow import Custodian, restore
from hulian.network.identifiers.store import RecordStore
from hulian.registry import Registry
sys.modules["hulian.network.identifiers.escrow.restore"]._MOST_RECORDS = 300
registry, signer, key, *folders = map(Path, sys.argv[1:])
custodian = Custodian(
    serialization.load_pem_public_key(signer.read_bytes()), [serialization.load_pem_private_key(key.read_bytes(), None)]
)
def tell(what, done, total):
    if what == "writing records":
        print(done, total, flush=True)
        sys.stdin.readline()
restore(RecordStore(Registry.open(registry)), folders, custodian, tell)
"""


def test_a_restore_that_is_killed_goes_on(tmp_path):
    store = fill(new_store(tmp_path / "node.db"), 700)
    full, manifest = made(store, tmp_path, volume_bytes=1 << 20)
    store.delete("88.111.1/n7")
    store.replace("88.111.1/n8", [value("new")])
    differential, _ = made(store, tmp_path, after=manifest.at)
    pem, info = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    (tmp_path / "node.pem").write_bytes(node_key().public_key().public_bytes(pem, info))
    (tmp_path / "agent.pem").write_bytes(
        agent_key().private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    new_store(tmp_path / "empty.db")._registry.close()
    arguments = [tmp_path / "empty.db", tmp_path / "node.pem", tmp_path / "agent.pem", full, differential]
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[4] / "src")},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().split()[0] == b"300"
        process.send_signal(signal.SIGKILL)
    registry = Registry.open(tmp_path / "empty.db")
    half = RecordStore(registry)
    assert len(half) == 300
    assert half.prefixes() == [], "it answers for nothing yet"
    with pytest.raises(UnfinishedRestoreError):
        check_finished(half)
    with pytest.raises(NotEmptyError, match="other exports"):
        restore(half, [full], custodian())
    done = restore(half, [full, differential], custodian())
    assert held(half) == held(store)
    assert half.prefixes() == store.prefixes()
    # What was there already is not written again, but for what the differential had not yet made of it.
    assert done.written == manifest.content.items - 300 + 2
    check_finished(half)
    again = restore(half, [full, differential], custodian())
    assert (again.records, half.log.verify()) == (len(store), half.log.last)
    half.create("88.111.1/own", [value("x")])
    with pytest.raises(NotEmptyError, match="node has changed records since"):
        restore(half, [full, differential], custodian())
    registry.close()
    store._registry.close()


def test_an_export_that_is_killed_leaves_nothing_that_looks_like_one(tmp_path):
    store = fill(new_store(tmp_path / "node.db"), 10)
    child = os.fork()
    if not child:
        from escrow_exports import NODE, signing_key

        from hulian.network.identifiers.escrow import Order, export

        with contextlib.suppress(BaseException):
            order = Order(node=NODE, recipients=[agent_key().public_key()], volume_bytes=1_024)
            export(
                Registry.open(tmp_path / "node.db"),
                tmp_path / "out",
                order,
                signing_key(),
                lambda done, total: os.kill(os.getpid(), signal.SIGKILL) if done == total else None,
            )
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    found = list((tmp_path / "out").iterdir())
    assert found
    assert all(path.name.startswith(".") for path in found)
    assert not list((tmp_path / "out").glob("*/manifest.json"))
    store._registry.close()
