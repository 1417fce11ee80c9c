"""Applications, their history and the records they make: together, or not at all."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading

import provisioning_node
import pytest
import sqlalchemy as sa
from applicants import applicant_key, proposal
from cryptography.hazmat.primitives.asymmetric import ec

from hulian.network.identifiers.provisioning import Action, Desk, Proposal, Role, State
from hulian.network.identifiers.provisioning import desk as desk_module
from hulian.network.identifiers.provisioning.errors import (
    BrokenHistoryError,
    CrowdedError,
    OutdatedError,
    ProofError,
    ProvisioningError,
    RegistrationError,
    StateError,
    TakenError,
    UnknownApplicationError,
)
from hulian.network.identifiers.provisioning.logins import Logins
from hulian.network.identifiers.provisioning.record import SUSPENDED
from hulian.network.identifiers.provisioning.tables import event
from hulian.network.identifiers.store import RecordChangedError, RecordStore, key_of
from hulian.network.identifiers.wire.typed.admin import Admin
from hulian.network.identifiers.wire.typed.keys import PublicKey
from hulian.network.identifiers.wire.typed.site import Site
from hulian.network.identifiers.wire.values import Reference, Value, unpack_values
from hulian.trust.passwords import Passwords, PasswordSettings

WHO = "300:0.NA/88.111"
REVIEWER, APPLICANT = {Role.REVIEWER}, {Role.APPLICANT}


def values(store: RecordStore, prefix: str = "88.111.7") -> dict[str, Value]:
    packed = store.packed(key_of(f"0.NA/{prefix}"))
    return {} if packed is None else {value.type: value for value in unpack_values(packed)}


def approved(desk: Desk, *more, **others):
    made, _ = desk.apply(proposal(*more, **others), "test")
    return desk.act(made.id, Action.APPROVE, WHO, REVIEWER)


def test_an_approved_prefix_has_the_record_of_its_owner(store):
    desk = Desk(store, 10)
    made = approved(
        desk, servers=[{"address": "192.0.2.7", "udp": 2641, "tcp": 2642, "https": 8443}, {"address": "2001:db8::7"}]
    )
    assert (made.state, made.revision) == (State.APPROVED, 2)
    found = values(store)
    assert set(found) == {"HS_SITE", "HS_ADMIN", "HS_PUBKEY"}
    site = Site.unpack(found["HS_SITE"].data)
    assert [str(server.address) for server in site.servers] == ["192.0.2.7", "2001:db8::7"]
    assert [(one.kind, one.transport, one.port) for one in site.servers[0].interfaces] == [
        (2, 0, 2641),
        (3, 1, 2642),
        (3, 3, 8443),
    ]
    assert PublicKey.unpack(found["HS_PUBKEY"].data).usable() == applicant_key().public_key()
    assert site.servers[1].public_key == found["HS_PUBKEY"].data
    owner = Admin.unpack(found["HS_ADMIN"].data)
    assert (owner.handle, owner.index, owner.permissions & 0xC) == ("0.NA/88.111.7", 300, 0), "an enterprise derives nothing"
    assert desk.holder("88.111.7").id == made.id
    assert [(one.what.name, one.handle, one.by) for one in store.log.read()][-1] == ("CREATE", "0.NA/88.111.7", WHO)


def test_a_second_level_node_is_referred_to(store):
    store.home("88")
    approved(Desk(store, 10), "88.222", tier="second-level")
    found = values(store, "88.222")
    assert found["HS_SITE.PREFIX"].data == found["HS_SITE"].data
    assert Admin.unpack(found["HS_ADMIN"].data).permissions == 0x1FFF


def test_the_same_application_is_one_and_its_whole_life_is_told(store):
    desk = Desk(store, 10)
    sent = proposal()
    first, new = desk.apply(sent, "a")
    again, newer = desk.apply(sent, "b")
    assert (first, new, newer) == (again, True, False)
    steps = [
        (Action.REVIEW, REVIEWER, "who is Li Hua?", {}),
        (Action.ASK, REVIEWER, "name the parts", {}),
        (Action.AMEND, APPLICANT, "", {"proposal": proposal(purpose="pumps, motors, seals")}),
        (Action.APPROVE, REVIEWER, "", {}),
        (Action.SUSPEND, REVIEWER, "the bill is not paid", {}),
        (Action.RESUME, REVIEWER, "it is", {}),
        (Action.REVOKE, REVIEWER, "the enterprise is wound up", {}),
    ]
    for action, roles, reason, more in steps:
        desk.act(first.id, action, WHO if roles is REVIEWER else str(first.applicant), roles, reason=reason, **more)
    told = desk.history(first.id)
    assert [(one.action, one.after, one.reason) for one in told[1:]] == [
        (action.value, after, reason)
        for (action, _, reason, _), after in zip(
            steps,
            ["in review", "incomplete", "submitted", "approved", "suspended", "approved", "revoked"],
            strict=True,
        )
    ]
    assert [bool(one.registration) for one in told] == [True, False, False, True, False, False, False, False]
    assert all(before.at <= after.at for before, after in itertools.pairwise(told))
    assert desk.find(first.id).registration.purpose == "pumps, motors, seals"
    assert values(store) == {}
    assert desk.verify() == 8
    assert desk.apply(sent, "c")[0].state is State.REVOKED, "an ended application does not rise again"
    assert desk.apply(proposal(reference="second attempt"), "c")[1]


def test_a_suspended_prefix_keeps_nothing_but_its_keys_and_comes_back_as_it_was(store):
    desk = Desk(store, 10)
    made = approved(desk)
    own = Value(index=7, type="DESC", data=b"changed by its owner")
    store.replace("0.NA/88.111.7", [*unpack_values(store.packed(b"0.NA/88.111.7")), own])
    before = store.packed(b"0.NA/88.111.7")
    desk.act(made.id, Action.SUSPEND, WHO, REVIEWER, reason="no contact")
    assert set(values(store)) == {SUSPENDED, "HS_PUBKEY"}
    assert RecordStore(store.registry).packed(b"0.NA/88.111.7") == store.packed(b"0.NA/88.111.7")
    desk.act(made.id, Action.RESUME, WHO, REVIEWER)
    assert store.packed(b"0.NA/88.111.7") == before
    store.delete("0.NA/88.111.7")
    desk.act(made.id, Action.SUSPEND, WHO, REVIEWER, reason="again")
    assert values(store) == {}, "what its owner has deleted is not made anew by a suspension"
    desk.act(made.id, Action.RESUME, WHO, REVIEWER)
    assert "HS_SITE" in values(store)


def test_a_transferred_prefix_is_the_new_owners_alone(store):
    desk = Desk(store, 10)
    made = approved(desk)
    rest = [value for value in unpack_values(store.packed(b"0.NA/88.111.7")) if value.type != "HS_PUBKEY"]
    friend = Value(index=101, type="HS_ADMIN", data=Admin("88.111.1/FRIEND", 300, 0xFFF).pack())
    store.replace("0.NA/88.111.7", [*rest, friend, Value(index=301, type="HS_SECKEY", data=b"old")])
    other = applicant_key("valves")
    with pytest.raises(RegistrationError, match="takes a registration"):
        desk.act(made.id, Action.TRANSFER, WHO, REVIEWER, reason="sold")
    with pytest.raises(RegistrationError, match="key of their own"):
        desk.act(made.id, Action.TRANSFER, WHO, REVIEWER, reason="sold", proposal=proposal(purpose="same key"))
    with pytest.raises(RegistrationError, match="the application is for"):
        desk.act(made.id, Action.TRANSFER, WHO, REVIEWER, reason="sold", proposal=proposal("88.111.8", other))
    stolen = Proposal(text=proposal(key=other).text, signature=proposal().signature)
    with pytest.raises(ProofError):
        desk.act(made.id, Action.TRANSFER, WHO, REVIEWER, reason="sold", proposal=stolen)
    new = proposal(key=other, servers=[{"address": "192.0.2.8"}])
    desk.act(made.id, Action.TRANSFER, WHO, REVIEWER, reason="sold", proposal=new)
    found = unpack_values(store.packed(b"0.NA/88.111.7"))
    assert sorted(value.type for value in found) == ["HS_ADMIN", "HS_PUBKEY", "HS_SITE"]
    assert PublicKey.unpack(values(store)["HS_PUBKEY"].data).usable() == other.public_key()
    assert str(Site.unpack(values(store)["HS_SITE"].data).servers[0].address) == "192.0.2.8"
    assert desk.history(made.id)[-1].registration == new.text.encode()


def test_what_is_somebodys_is_not_given_twice(store):
    desk = Desk(store, 10)
    for prefix in ("88.111", "88.222.7", "77"):
        with pytest.raises(TakenError):
            desk.apply(proposal(prefix), "")
    one, _ = desk.apply(proposal(), "")
    two, _ = desk.apply(proposal(key=applicant_key("valves")), "")
    outcomes: list[object] = []
    together = threading.Barrier(2)

    def approve(identity: str) -> None:
        together.wait()
        try:
            outcomes.append(desk.act(identity, Action.APPROVE, WHO, REVIEWER).state)
        except ProvisioningError as error:
            outcomes.append(type(error))

    threads = [threading.Thread(target=approve, args=(made.id,)) for made in (one, two)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, outcomes)) == sorted(map(str, [State.APPROVED, TakenError]))
    owner = desk.holder("88.111.7")
    assert (
        PublicKey.unpack(values(store)["HS_PUBKEY"].data).usable()
        == applicant_key("pumps" if owner.id == one.id else "valves").public_key()
    )
    with pytest.raises(TakenError):
        desk.apply(proposal(key=applicant_key("seals")), "")
    assert len(store.log.read()) == 2, "homing, and one record"


def test_one_of_two_who_decide_at_once_is_told(store):
    desk = Desk(store, 10)
    made, _ = desk.apply(proposal(), "")
    desk.act(made.id, Action.REVIEW, WHO, REVIEWER, revision=1)
    with pytest.raises(OutdatedError):
        desk.act(made.id, Action.REJECT, WHO, REVIEWER, reason="no", revision=1)
    with pytest.raises(StateError, match="needs a reason"):
        desk.act(made.id, Action.REJECT, WHO, REVIEWER, reason=" ")
    with pytest.raises(RegistrationError, match="reason is text"):
        desk.act(made.id, Action.REJECT, WHO, REVIEWER, reason="a\0b")
    with pytest.raises(RegistrationError, match="characters"):
        desk.act(made.id, Action.REJECT, WHO, REVIEWER, reason="x" * 2_001)
    with pytest.raises(UnknownApplicationError):
        desk.act("0" * 32, Action.REJECT, WHO, REVIEWER, reason="no")
    assert len(desk.history(made.id)) == 2


def test_no_more_wait_than_are_kept(store, monkeypatch):
    desk = Desk(store, 3)
    made = [desk.apply(proposal(f"88.111.{number}"), f"192.0.2.{number}")[0] for number in range(3)]
    with pytest.raises(CrowdedError, match="here"):
        desk.apply(proposal("88.111.9"), "x")
    desk.act(made[0].id, Action.REJECT, WHO, REVIEWER, reason="no")
    desk.apply(proposal("88.111.9"), "x")
    wide = Desk(store, 100)
    monkeypatch.setattr(desk_module, "MOST_OF_A_KEY", 3)
    with pytest.raises(CrowdedError, match="of this key"):
        wide.apply(proposal("88.111.10"), "y")
    monkeypatch.setattr(desk_module, "MOST_OF_A_SOURCE", 1)
    with pytest.raises(CrowdedError, match="from this network"):
        wide.apply(proposal("88.111.10", applicant_key("valves")), "x")
    monkeypatch.setattr(desk_module, "MOST_EVENTS", 20)
    for number in range(1):
        wide.act(made[1].id, Action.AMEND, "a", APPLICANT, proposal=proposal("88.111.1", reference=str(number)))
    with pytest.raises(CrowdedError, match="steps"):
        wide.act(made[1].id, Action.AMEND, "a", APPLICANT, proposal=proposal("88.111.1", reference="more"))
    for _ in range(18):
        wide.act(made[1].id, Action.REVIEW, WHO, REVIEWER)
    with pytest.raises(CrowdedError, match="steps"):
        wide.act(made[1].id, Action.REVIEW, WHO, REVIEWER)
    assert wide.act(made[1].id, Action.REJECT, WHO, REVIEWER, reason="enough").state is State.REJECTED


def test_what_was_altered_by_other_means_is_seen(store):
    desk = Desk(store, 10)
    approved(desk)
    assert desk.verify() == 2
    for change in ({"reason": "because"}, {"by": "somebody"}, {"at": 1}, {"registration": b"x"}):
        with store.registry.write() as connection:
            connection.execute(sa.update(event).where(event.c.number == 2).values(**change))
        with pytest.raises(BrokenHistoryError, match="event 2"):
            desk.verify()
    with store.registry.write() as connection:
        connection.execute(sa.delete(event).where(event.c.number == 1))
    with pytest.raises(BrokenHistoryError, match="event 1"):
        desk.verify()


def test_pages_follow_each_other_and_hold_what_was_asked_for(store):
    desk = Desk(store, 100)
    made = [desk.apply(proposal(f"88.111.{number}"), str(number))[0] for number in range(7)]
    desk.act(made[3].id, Action.REJECT, WHO, REVIEWER, reason="no")
    seen, after = [], 0
    while page := desk.page(["88.111"], None, after, 3):
        seen += [one.prefix for one in page]
        after = page[-1].number
    assert seen == [f"88.111.{number}" for number in range(7)]
    assert [one.prefix for one in desk.page(["88.111"], State.REJECTED)] == ["88.111.3"]
    assert desk.page(["88", "88.112"]) == []


def test_what_its_owner_changes_meanwhile_is_kept_by_a_suspension(store):
    desk = Desk(store, 10)
    made = approved(desk)
    begun, wrote = threading.Event(), []

    def owner() -> None:
        for number in range(10_000):
            before = store.packed(b"0.NA/88.111.7")
            if SUSPENDED in {value.type for value in unpack_values(before)}:
                return  # what it finds then is no longer its own record
            rest = [value for value in unpack_values(before) if value.type != "DESC"]
            note = Value(index=7, type="DESC", data=b"%d" % number)
            try:
                store.swap("0.NA/88.111.7", before, [*rest, note])
            except RecordChangedError:
                return
            wrote.append(note.data)
            if number == 5:
                begun.set()

    thread = threading.Thread(target=owner)
    thread.start()
    assert begun.wait(20)
    while True:
        try:
            desk.act(made.id, Action.SUSPEND, WHO, REVIEWER, reason="a test")
            break
        except OutdatedError:
            continue  # five times in a row the owner was quicker: the reviewer is told so, and the owner ends some time
    thread.join()
    kept = unpack_values(desk.find(made.id).kept)
    assert [value.data for value in kept if value.type == "DESC"] == [wrote[-1]]
    assert set(values(store)) == {SUSPENDED, "HS_PUBKEY"}


def test_it_is_the_same_on_either_database(registry):
    store = RecordStore(registry)
    store.home("88.111")
    desk, logins = Desk(store, 10), Logins(registry, Passwords(PasswordSettings(memory_kib=8192, passes=1)))
    made = approved(desk)
    desk.act(made.id, Action.SUSPEND, WHO, REVIEWER, reason="没有联系")
    assert desk.find(made.id).kept is not None
    desk.act(made.id, Action.RESUME, WHO, REVIEWER)
    desk.act(made.id, Action.TRANSFER, WHO, REVIEWER, reason="sold", proposal=proposal(key=applicant_key("valves")))
    with pytest.raises(TakenError):
        desk.apply(proposal(reference="again"), "")
    other, _ = desk.apply(proposal("88.111.8"), "x")
    with pytest.raises(OutdatedError):
        desk.act(other.id, Action.APPROVE, WHO, REVIEWER, revision=7)
    assert [one.prefix for one in desk.page(["88.111"], State.APPROVED)] == ["88.111.7"]
    assert desk.holder("88.111.7").revision == 5
    desk.act(made.id, Action.REVOKE, WHO, REVIEWER, reason="wound up")
    assert desk.apply(proposal(reference="again"), "")[1]
    assert (desk.verify(), store.log.verify()) == (8, 6)
    assert RecordStore(registry).packed(b"0.NA/88.111.7") is None
    logins.set("li", Reference("88.111/ADMIN", 300), "three grey herons")
    assert [one.name for one in logins.all()] == ["li"]
    assert logins.verify("li", "three grey herons").who == Reference("88.111/ADMIN", 300)


@pytest.mark.parametrize(
    ("action", "earlier"),
    [
        (Action.APPROVE, ()),
        (Action.SUSPEND, (Action.APPROVE,)),
        (Action.RESUME, (Action.APPROVE, Action.SUSPEND)),
        (Action.REVOKE, (Action.APPROVE,)),
    ],
)
def test_a_step_whose_history_cannot_be_written_changes_no_record(store, monkeypatch, action, earlier):
    """The record, the application and the history are one transaction: its last statement fails, and none of it is there."""
    desk = Desk(store, 10)
    made, _ = desk.apply(proposal(), "")
    for before in earlier:
        desk.act(made.id, before, WHO, REVIEWER, reason="a test")

    def state() -> object:
        there = RecordStore(store.registry)
        return desk.find(made.id), store.packed(b"0.NA/88.111.7"), there.packed(b"0.NA/88.111.7"), there.log.last, desk.verify()

    as_it_was = state()
    with monkeypatch.context() as broken:
        broken.setattr(desk_module.history, "append", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            desk.act(made.id, action, WHO, REVIEWER, reason="a test")
    assert state() == as_it_was
    desk.act(made.id, action, WHO, REVIEWER, reason="a test")
    assert state()[3] == as_it_was[3] + 1
    store.log.verify()


@pytest.mark.timeout(180)
def test_killed_at_any_moment_it_has_done_each_step_whole(store, tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())
    with (tmp_path / "proposals.json").open("w") as file:
        for number in range(40):
            made = proposal(f"88.111.{number}", key)
            file.write(json.dumps([made.text, made.signature.hex()]) + "\n")
    said: dict[str, str] = {}
    command = [sys.executable, provisioning_node.__file__, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for count, line in enumerate(process.stdout):
            if count == 12:
                process.kill()
            prefix, _, state = line.strip().partition(" ")
            if state:
                said[prefix] = state
    fresh = RecordStore(store.registry)
    desk = Desk(fresh, 1_000)
    rank = {"submitted": 0, "approved": 1, "suspended": 2, "revoked": 3}
    told = desk.page(["88.111"])
    assert 3 < len(told) < 40, "it was killed before its end"
    for one in told:
        record = set(values(fresh, one.prefix))
        assert ("HS_SITE" in record) == (one.state is State.APPROVED), one
        assert (SUSPENDED in record) == (one.state is State.SUSPENDED), one
        assert one.revision == len(desk.history(one.id)) == rank[one.state] + 1
        assert rank[one.state] >= rank[said.get(one.prefix, "submitted")], "what was said is durable"
    assert desk.verify() == sum(one.revision for one in told)
    fresh.log.verify()
