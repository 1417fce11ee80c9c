"""What leaves a node comes back as it was: full exports and differentials, RSA and SM2, whatever the records hold."""

from __future__ import annotations

import pytest
from escrow_exports import (
    SM2_AGENT,
    SM2_KEY,
    agent_key,
    custodian,
    fill,
    held,
    made,
    new_store,
    value,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from hulian.network.identifiers.escrow import restore, verify
from hulian.network.identifiers.escrow.document import head_xml, record_xml, tail_xml
from hulian.network.identifiers.escrow.errors import HistoryError, RecipientError
from hulian.network.identifiers.escrow.manifest import Position
from hulian.network.identifiers.escrow.reading import items
from hulian.network.identifiers.store import Kept, RecordStore, snapshot
from hulian.network.identifiers.wire.values import Reference, Value, pack_values

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def store(tmp_path):
    found = fill(new_store(tmp_path / "node.db"))
    yield found
    found._registry.close()


@pytest.fixture
def empty(tmp_path):
    found = new_store(tmp_path / "empty.db")
    yield found
    found._registry.close()


def test_a_full_export_comes_back_as_it_was(store, empty, tmp_path):
    folder, manifest = made(store, tmp_path / "out")
    assert len(manifest.volumes) > 2
    assert [volume.bytes for volume in manifest.volumes[:-1]] == [40 << 10] * (len(manifest.volumes) - 1)
    assert not list((tmp_path / "out").glob(".*"))
    told = []
    done = restore(empty, [folder], custodian(), lambda *args: told.append(args))
    assert held(empty) == held(store)
    assert empty.prefixes() == store.prefixes()
    assert (done.at.number, bytes.fromhex(done.at.seal)) == (store.log.last, store.log.seal)
    assert (done.records, done.prefixes, done.written) == (len(store), 2, len(store))
    assert empty.log.verify() == len(store) + 2
    assert empty.log.read(0, 1)[0].by == f"escrow {store.log.last} {store.log.seal.hex()}"
    assert told[-1] == ("writing records", len(store), len(store))
    again = RecordStore(empty._registry)
    assert held(again) == held(store)


def test_differentials_bring_what_came_after_and_take_what_was_deleted(store, empty, tmp_path):
    full, first = made(store, tmp_path)
    store.delete("88.111.1/pump-17")
    store.replace("88.111.1/N5", [value("new")])
    store.create("88.111.3/x", [value("1")])
    store.replace("88.111.3/x", [value("2")])
    store.home("88.111.3")
    one, second = made(store, tmp_path, after=first.at)
    store.unhome("88.111.2")
    store.create("88.111.1/pump-17", [value("again")])
    store.delete("88.111.3/x")
    two, third = made(store, tmp_path, after=second.at)  # on the differential
    store.create("88.111.1/last", [value("z")])
    three, _ = made(store, tmp_path, after=first.at)  # on the full one, again
    nothing, fifth = made(store, tmp_path, after=Position(store.log.last, store.log.seal.hex()))
    assert (fifth.content.items, third.kind) == (0, "differential")
    done = restore(empty, [nothing, three, full, two, one], custodian())
    assert held(empty) == held(store)
    assert empty.prefixes() == store.prefixes()
    assert done.at.seal == store.log.seal.hex()
    assert [export.directory for export in verify([two, one, full], custodian())] == [full, one, two]


def test_it_is_of_one_moment_while_the_node_goes_on(store, empty, tmp_path):
    before = held(store)
    with snapshot(store._registry) as seen:
        store.delete("88.111.1/pump-17")
        store.create("88.111.1/new", [value("x")])
        assert {one.handle.encode().upper(): one.packed for one in seen.records()} == before
        assert seen.number == store.log.last - 2
    told = []

    def interfere(done: int, _total: int) -> None:
        if done == 0:
            store.create("88.111.1/while", [value("x")])
        told.append(done)

    from escrow_exports import NODE, signing_key

    from hulian.network.identifiers.escrow import Order, export

    before, last = held(store), store.log.last
    folder, manifest = export(
        store._registry, tmp_path, Order(node=NODE, recipients=[agent_key().public_key()]), signing_key(), interfere
    )
    assert (manifest.at.number, store.log.last) == (last, last + 1)
    restore(empty, [folder], custodian())
    assert held(empty) == before


@pytest.mark.parametrize("mixed", [False, True])
def test_sm2_seals_and_signs(store, empty, tmp_path, mixed):
    recipients = [SM2_AGENT.public, agent_key().public_key()] if mixed else [SM2_AGENT.public]
    folder, manifest = made(store, tmp_path, recipients=recipients, key=SM2_KEY)
    assert manifest.encryption.cipher == ("AES-256-GCM" if mixed else "SM4-GCM")
    restore(empty, [folder], custodian(SM2_AGENT, signer=SM2_KEY.public))
    assert held(empty) == held(store)
    if mixed:
        assert verify([folder], custodian(signer=SM2_KEY.public))


def test_another_history_is_refused(store, empty, tmp_path):
    other = fill(new_store(tmp_path / "other.db"))
    full, first = made(store, tmp_path)
    with pytest.raises(HistoryError, match="another history"):
        made(other, tmp_path, after=first.at)
    with pytest.raises(HistoryError, match="not come so far"):
        made(other, tmp_path, after=Position(10**6, "00" * 32))
    other_full, other_first = made(other, tmp_path)
    other.delete("88.111.1/n1")
    differs, _ = made(other, tmp_path, after=other_first.at)
    with pytest.raises(HistoryError, match="seals differ"):
        verify([full, differs], custodian())
    with pytest.raises(HistoryError, match="2 full"):
        verify([full, other_full], custodian())
    store.delete("88.111.1/n1")
    one, second = made(store, tmp_path, after=first.at)
    store.delete("88.111.1/n2")
    two, _ = made(store, tmp_path, after=second.at)
    with pytest.raises(HistoryError, match="one is missing"):
        restore(empty, [full, two], custodian())
    with pytest.raises(HistoryError, match="0 full"):
        verify([one, two], custodian())
    assert len(empty) == 0
    assert not list(tmp_path.glob(".8*")), "nothing is left of what was refused"
    other._registry.close()


def test_recipients_that_are_none(store, tmp_path):
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    from hulian.network.identifiers.escrow import Order, export
    from hulian.network.identifiers.escrow.recipients import recipient_key

    with pytest.raises(RecipientError):
        made(store, tmp_path, recipients=[rsa.generate_private_key(65537, 1024).public_key()])
    with pytest.raises(RecipientError):
        made(store, tmp_path, recipients=[ec.generate_private_key(ec.SECP256R1()).public_key()])
    from escrow_exports import signing_key

    with pytest.raises(RecipientError, match="0 recipients"):
        export(store._registry, tmp_path, Order(node="x", recipients=[]), signing_key())
    with pytest.raises(RecipientError):
        recipient_key(b"-----BEGIN nonsense", "key.pem")
    assert recipient_key(SM2_AGENT.public.to_pem(), "key.pem") == SM2_AGENT.public


_NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
_VALUES = st.builds(
    Value,
    index=st.integers(-(2**31), 2**31 - 1),
    type=_NAMES,
    data=st.binary(max_size=60) | _NAMES.map(str.encode),
    timestamp=st.integers(0, 2**32 - 1),
    ttl_type=st.just(0),
    ttl=st.integers(-(2**31), 2**31 - 1),
    permissions=st.integers(0, 255),
    references=st.lists(st.builds(Reference, _NAMES, st.integers(-(2**31), 2**31 - 1)), max_size=2).map(tuple),
)


@settings(max_examples=40)
@given(st.lists(st.tuples(_NAMES, st.lists(_VALUES, max_size=3)), max_size=3), st.integers(1, 50))
def test_any_record_survives_the_document(records, step):
    kept = [Kept(handle, pack_values(values), 5) for handle, values in records]
    text = head_xml("full", "n\0", Position(1, "ab" * 32), None) + "".join(map(record_xml, kept)) + tail_xml()
    content = text.encode()
    assert list(items(content[at : at + step] for at in range(0, len(content), step)))[1:] == kept
