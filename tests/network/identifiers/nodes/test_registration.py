"""Records are made and changed over the protocol by those who may, and by nobody else; every change is in the log."""

from __future__ import annotations

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from identifier_nodes import ADMINISTRATOR, NODE_KEY, admin, asked, identity, private_key, public_key, question, text

from hulian.network.identifiers.chain.contract import Asker
from hulian.network.identifiers.chain.errors import NoServiceError, RefusedError
from hulian.network.identifiers.chain.sites import Target
from hulian.network.identifiers.store import BrokenLogError, RecordStore, What, key_of
from hulian.network.identifiers.store.tables import change
from hulian.network.identifiers.transport.connection import connection
from hulian.network.identifiers.wire import sm2
from hulian.network.identifiers.wire.authentication import SecretIdentity
from hulian.network.identifiers.wire.authentication.respond import respond
from hulian.network.identifiers.wire.bodies import ResolveRequest, Values, login_request, request
from hulian.network.identifiers.wire.codes import AdminPermission, OpCode, OpFlag, ResponseCode, Transport
from hulian.network.identifiers.wire.typed.references import ValueList
from hulian.network.identifiers.wire.typed.secret import SecretKey
from hulian.network.identifiers.wire.values import Reference, unpack_values

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]
URL = text("URL", "https://example.com/pump")


def stored(plant, handle: str, node: str = "enterprise"):
    packed = plant.stores[node].packed(key_of(handle))
    return None if packed is None else unpack_values(packed)


async def refused(code: ResponseCode, awaitable) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        await awaitable
    assert caught.value.response_code == code, caught.value
    return caught.value


async def test_a_record_lives_and_dies(plant):
    async with plant.administer(identity()) as by:
        assert await by.create("88.111.1/pump", [URL, admin(ADMINISTRATOR)]) == "88.111.1/pump"
        found = await plant.client().resolve(ResolveRequest("88.111.1/PUMP", types=("URL",)))
        assert found.values[0].data == URL.data
        assert found.values[0].timestamp > 1_700_000_000, "the server's clock stamps a value"
        await by.add("88.111.1/pump", [text("DESC", "a pump", 2)])
        await by.modify("88.111.1/pump", [text("DESC", "a good pump", 2)])
        assert {value.index: value.data for value in await by.read("88.111.1/pump", (2,))} == {2: b"a good pump"}
        await by.remove("88.111.1/pump", [1])
        assert [value.index for value in stored(plant, "88.111.1/pump")] == [100, 2]
        await by.delete("88.111.1/pump")
    assert stored(plant, "88.111.1/pump") is None
    log = plant.stores["enterprise"].log
    done = [(found.what, found.by) for found in log.read() if found.handle == "88.111.1/pump"]
    steps = [What.CREATE, What.UPDATE, What.UPDATE, What.UPDATE, What.DELETE]
    assert done == [(what, str(ADMINISTRATOR)) for what in steps]
    assert log.verify() == log.last


async def test_a_prefix_is_registered_at_the_node_above_and_homed_below(plant):
    """The second level registers an enterprise, and its node begins to answer for it."""
    port = plant.ports["enterprise"]
    new = [*unpack_values(plant.stores["second"].packed(b"0.NA/88.111.1"))]
    async with plant.administer(identity(NODE_KEY)) as second_level:
        with pytest.raises(NoServiceError):
            await second_level.create("88.111.2/x", [URL])
        await second_level.create("0.NA/88.111.2", new)
        await second_level.home("88.111.2", Target("127.0.0.1", port, Transport.TCP))
        assert "0.NA/88.111.2" in await second_level.homed(Target("127.0.0.1", port, Transport.TCP))
        assert await second_level.derived("88.111") == ["0.NA/88.111.1", "0.NA/88.111.2"]
    async with plant.administer(identity()) as enterprise:
        await enterprise.create("88.111.2/x", [URL])
        await refused(ResponseCode.INVALID_ADMIN, enterprise.home("88.111.3", Target("127.0.0.1", port, Transport.TCP)))
    assert (await plant.client().resolve(ResolveRequest("88.111.2/x"))).code == ResponseCode.SUCCESS


async def test_what_cannot_be_is_refused_by_its_code(plant):
    async with plant.administer(identity()) as by:
        await by.create("88.111.1/a", [URL])
        await refused(ResponseCode.HANDLE_EXISTS, by.create("88.111.1/A", [URL]))
        await by.create("88.111.1/a", [text("URL", "https://example.com/2")], overwrite=True)
        assert stored(plant, "88.111.1/a")[0].data == b"https://example.com/2"
        await refused(ResponseCode.VALUE_EXISTS, by.add("88.111.1/a", [URL]))
        await by.add("88.111.1/a", [URL], overwrite=True)
        await refused(ResponseCode.VALUES_NOT_FOUND, by.modify("88.111.1/a", [text("URL", "x", 9)]))
        await refused(ResponseCode.VALUES_NOT_FOUND, by.remove("88.111.1/a", [9]))
        await refused(ResponseCode.HANDLE_NOT_FOUND, by.delete("88.111.1/nothing"))
        await refused(ResponseCode.INVALID_VALUE, by.add("88.111.1/a", [text("HS_ADMIN", b"\0", 3)]))
        await refused(ResponseCode.INVALID_VALUE, by.add("88.111.1/a", [text("URL", "x", 0)]))
        await refused(ResponseCode.INVALID_VALUE, by.add("88.111.1/a", [text("URL", "x", 3), text("URL", "y", 3)]))
        await refused(ResponseCode.INVALID_HANDLE, by.delete("88.111.1/"))
        await by.add("88.111.1/a", [text("NOTE", "fixed", 4, permissions=10)])
        await refused(ResponseCode.NOT_PERMITTED, by.remove("88.111.1/a", [4]))
        await refused(ResponseCode.NOT_PERMITTED, by.create("88.111.1/a", [URL], overwrite=True))
    assert stored(plant, "88.111.1/a")[-1].data == b"fixed"


async def test_values_are_put_and_removed_at_once_or_not_at_all(plant):
    handle = "88.111.1/both"
    async with plant.administer(identity()) as by:
        await by.create(
            handle, [URL, text("NOTE", "old", 2), text("NOTE", "gone", 3), text("NOTE", "fixed", 4, permissions=10)]
        )
        before, log = stored(plant, handle), plant.stores["enterprise"].log
        last = log.last
        new = [text("NOTE", "new", 2), text("NOTE", "more", 5)]
        await refused(ResponseCode.NOT_PERMITTED, by.change(handle, new, [3, 4]))
        await refused(ResponseCode.INVALID_VALUE, by.change(handle, new, [2]))
        await refused(ResponseCode.INVALID_VALUE, by.change(handle, [*new, text("HS_ADMIN", b"\0", 6)], [3]))
        await refused(ResponseCode.VALUES_NOT_FOUND, by.change(handle, [], [9]))
        await refused(ResponseCode.HANDLE_NOT_FOUND, by.change("88.111.1/nothing", new))
        assert (stored(plant, handle), log.last) == (before, last)
        await by.change(handle, new, [3, 9])
        assert [(value.index, value.data) for value in stored(plant, handle)] == [
            (1, URL.data),
            (2, b"new"),
            (4, b"fixed"),
            (5, b"more"),
        ]
        assert [one.what for one in log.read(last)] == [What.UPDATE]
        await by.change(handle, [], [5])
        assert [value.index for value in stored(plant, handle)] == [1, 2, 4]


async def test_a_prefix_that_belongs_below_is_not_registered_above(plant):
    """The administrator of 88.111 may derive from it where it is kept, at the second level, and not at the top."""
    target = Target("127.0.0.1", plant.ports["top"], Transport.TCP)
    async with connection(target) as exchange:
        asked_for = request(OpCode.CREATE, Values("0.NA/88.111.7", (URL,)), request_id=0, expiration=2_000_000_000)
        assert [answer.response_code for answer in await exchange(asked_for)] == [ResponseCode.PREFIX_REFERRAL]
    async with plant.administer(identity(NODE_KEY)) as by:
        await by.create("0.NA/88.111.7", [URL])
    assert stored(plant, "0.NA/88.111.7", "top") is None
    assert stored(plant, "0.NA/88.111.7", "second")


async def test_suffixes_are_minted(plant):
    async with plant.administer(identity()) as by:
        made = {await by.create("88.111.1/PUMP-", [URL], mint=True) for _ in range(20)}
        assert len(made) == 20
        assert set(await by.handles("88.111.1")) >= made
    assert all(handle.startswith("88.111.1/PUMP-") and len(handle) == 46 for handle in made)


async def test_long_lists_come_in_parts(plant):
    plant.stores["enterprise"].create_many((f"88.111.1/n{number:05}", [URL]) for number in range(2_500))
    async with plant.administer(identity()) as by:
        listed = await by.handles("88.111.1")
    assert [handle for handle in listed if "/n" in handle] == [f"88.111.1/n{number:05}" for number in range(2_500)]


@pytest.mark.parametrize("kind", ["rsa", "dsa", "ec", "sm2", "secret"])
async def test_every_kind_of_key_proves_who_somebody_is(plant, kind):
    who = Reference("88.111.1/users/li", 301)
    if kind == "secret":
        secret = SecretKey(b"correct horse battery")
        keys, by = [text("HS_SECKEY", secret.reveal(), 301, permissions=12)], SecretIdentity(who.handle, 301, secret)
        wrong = SecretIdentity(who.handle, 301, SecretKey(b"another one entirely"))
    else:
        made = {
            "rsa": lambda: rsa.generate_private_key(65537, 2048),
            "dsa": lambda: dsa.generate_private_key(2048),
            "ec": lambda: ec.generate_private_key(ec.SECP256R1()),
            "sm2": sm2.PrivateKey.generate,
        }[kind]
        key = made()
        keys, by = [public_key(key, 301)], msgspec.structs.replace(identity(who, key), dsa=kind == "dsa")
        wrong = msgspec.structs.replace(identity(who, made()), dsa=kind == "dsa")
    plant.stores["enterprise"].create(who.handle, keys)
    plant.stores["enterprise"].create("88.111.1/owned", [URL, admin(who)])
    async with plant.administer(by) as someone:
        await someone.modify("88.111.1/owned", [URL])
    async with plant.administer(wrong) as somebody_else:
        await refused(ResponseCode.AUTHENTICATION_FAILED, somebody_else.delete("88.111.1/owned"))
    nobody = msgspec.structs.replace(by, handle="88.111.1/users/nobody")
    async with plant.administer(nobody) as unknown:
        await refused(ResponseCode.INVALID_ADMIN, unknown.delete("88.111.1/owned"))


async def test_a_secret_of_another_node_is_proved_there(plant):
    """The server that is asked never sees the secret: it asks the one that keeps it (opcode 201)."""
    who = Reference("88.111.1/users/wang", 1)
    secret = SecretKey(b"correct horse battery")
    plant.stores["enterprise"].create(who.handle, [text("HS_SECKEY", secret.reveal(), 1, permissions=12)])
    plant.stores["second"].create("0.NA/88.111.5", [admin(who), URL])
    for known, code in ((secret, None), (SecretKey(b"something else"), ResponseCode.AUTHENTICATION_FAILED)):
        async with plant.administer(SecretIdentity(who.handle, 1, known)) as by:
            if code is None:
                await by.modify("0.NA/88.111.5", [URL])
            else:
                await refused(code, by.modify("0.NA/88.111.5", [URL]))


async def test_groups_give_what_their_members_may_and_circles_of_them_end(plant):
    who = Reference("88.111.1/users/li", 301)
    key = rsa.generate_private_key(65537, 2048)
    group = text("HS_VLIST", ValueList((Reference("88.111.1/groups", 2), Reference("88.111.1/none", 1))).pack(), 1)
    inner = text("HS_VLIST", ValueList((Reference("88.111.1/groups", 1), who)).pack(), 2)
    plant.stores["enterprise"].create("88.111.1/groups", [group, inner])
    plant.stores["enterprise"].create(who.handle, [public_key(key, 301)])
    plant.stores["enterprise"].create("88.111.1/owned", [URL, admin(Reference("88.111.1/groups", 1))])
    async with plant.administer(identity(who, key)) as by:
        await by.modify("88.111.1/owned", [URL])
        plant.stores["enterprise"].replace("88.111.1/groups", [group])
        await refused(ResponseCode.INVALID_ADMIN, by.modify("88.111.1/owned", [URL]))


A = AdminPermission
OPERATIONS = {
    "create": (A.ADD_HANDLE, lambda by: by.create("88.111.1/new", [URL])),
    "overwrite": (A.ADD_HANDLE | A.DELETE_HANDLE, lambda by: by.create("88.111.1/t", [URL], overwrite=True)),
    "delete": (A.DELETE_HANDLE, lambda by: by.delete("88.111.1/t")),
    "add": (A.ADD_VALUE, lambda by: by.add("88.111.1/t", [text("NOTE", "x", 7)])),
    "add over": (A.ADD_VALUE | A.MODIFY_VALUE, lambda by: by.add("88.111.1/t", [URL], overwrite=True)),
    "add an administrator": (A.ADD_ADMIN, lambda by: by.add("88.111.1/t", [admin(ADMINISTRATOR, index=8)])),
    "modify": (A.MODIFY_VALUE, lambda by: by.modify("88.111.1/t", [URL])),
    "modify an administrator": (A.MODIFY_ADMIN, lambda by: by.modify("88.111.1/t", [admin(ADMINISTRATOR)])),
    "become an administrator": (
        A.MODIFY_ADMIN | A.MODIFY_VALUE,
        lambda by: by.modify("88.111.1/t", [admin(ADMINISTRATOR, index=1)]),
    ),
    "remove": (A.REMOVE_VALUE, lambda by: by.remove("88.111.1/t", [1])),
    "remove an administrator": (A.REMOVE_ADMIN, lambda by: by.remove("88.111.1/t", [100])),
    "remove both": (A.REMOVE_VALUE | A.REMOVE_ADMIN, lambda by: by.remove("88.111.1/t", [1, 100])),
    "change": (
        A.ADD_VALUE | A.MODIFY_VALUE | A.REMOVE_VALUE,
        lambda by: by.change("88.111.1/t", [text("URL", "y"), text("NOTE", "x", 7)], [2]),
    ),
    "change by adding": (A.ADD_VALUE, lambda by: by.change("88.111.1/t", [text("NOTE", "x", 7)])),
    "change administrators": (
        A.MODIFY_VALUE | A.REMOVE_ADMIN,
        lambda by: by.change("88.111.1/t", [text("URL", "y")], [100]),
    ),
    "read": (A.READ_VALUE, lambda by: by.read("88.111.1/t", (2,))),
    "list": (A.LIST_HANDLES, lambda by: by.handles("88.111.1")),
    "list derived": (A.LIST_DERIVED_PREFIXES, lambda by: by.derived("88.111.1")),
}


@pytest.mark.parametrize("name", sorted(OPERATIONS))
async def test_every_operation_takes_exactly_its_permissions(plant, name):
    """Every operation with every single permission missing, with those it takes and nothing else, and with none."""
    needed, operation = OPERATIONS[name]
    who = Reference("88.111.1/users/li", 301)
    store = plant.stores["enterprise"]
    store.create(who.handle, [public_key(index=301)])
    private = text("NOTE", "private", 2, permissions=12)
    everything = A.ALL | A.LIST_DERIVED_PREFIXES
    grants = [needed, everything, *(everything & ~one for one in A if one and one.bit_count() == 1), A(0)]
    for granted in grants:
        prefix = [*stored(plant, "0.NA/88.111.1", "second")]
        prefix = [value for value in prefix if value.index != 101] + [admin(who, granted, 101)]
        # The grant of the prefix is what counts for it all; the record itself names somebody else.
        plant.stores["second"].replace("0.NA/88.111.1", prefix)
        store.create("88.111.1/t", [URL, private, admin(ADMINISTRATOR)], overwrite=True)
        if store.packed(b"88.111.1/NEW") is not None:
            store.delete("88.111.1/new")
        before = store.log.last
        plant.forget()
        async with plant.administer(identity(who)) as by:
            if needed & ~granted:
                error = await refused(ResponseCode.NOT_PERMITTED if granted else ResponseCode.INVALID_ADMIN, operation(by))
                assert store.log.last == before, (name, granted)
                assert not granted or "lacks the permission" in str(error) or name == "read"
            else:
                await operation(by)


async def test_the_owner_of_a_record_is_not_that_of_its_neighbour(plant):
    who = Reference("88.111.1/users/li", 301)
    plant.stores["enterprise"].create(who.handle, [public_key(index=301)])
    plant.stores["enterprise"].create("88.111.1/mine", [URL, admin(who)])
    plant.stores["enterprise"].create("88.111.1/yours", [URL, admin(Reference("88.111.1/users/other", 1))])
    async with plant.administer(identity(who)) as by:
        await by.modify("88.111.1/mine", [URL])
        await refused(ResponseCode.INVALID_ADMIN, by.modify("88.111.1/yours", [URL]))
        await refused(ResponseCode.INVALID_ADMIN, by.create("88.111.1/new", [URL]))
        await refused(ResponseCode.INVALID_ADMIN, by.handles("88.111.1"))


async def test_a_challenge_is_good_once_and_for_who_was_challenged(plant):
    target = Target("127.0.0.1", plant.ports["enterprise"], Transport.TCP)
    body = Values("88.111.1/new", (URL,))
    wanted = request(OpCode.CREATE, body, request_id=1, expiration=2_000_000_000, flags=OpFlag.RETURN_DIGEST.value)

    def proof(challenge):
        answer = respond(identity(), wanted, challenge)
        more = {"request_id": 2, "expiration": 2_000_000_000, "session_id": challenge.session_id}
        return request(OpCode.CHALLENGE_RESPONSE, answer, **more)

    late = ResponseCode.AUTHENTICATION_TIMEOUT
    async with connection(target) as first, connection(target) as second:
        (challenge,) = await first(wanted)
        assert challenge.response_code == ResponseCode.AUTHENTICATION_NEEDED
        assert [answer.response_code for answer in await second(proof(challenge))] == [late], "overheard by another"
        assert [answer.response_code for answer in await first(proof(challenge))] == [1]
        assert [answer.response_code for answer in await first(proof(challenge))] == [late], "sent again"
        other = msgspec.structs.replace(proof(challenge), session_id=99)
        assert [answer.response_code for answer in await first(other)] == [late]
    assert len([found for found in plant.stores["enterprise"].log.read() if found.handle == "88.111.1/new"]) == 1


async def test_challenges_that_nobody_answers_are_bounded(plant):
    """One source pushes out its own, and not the challenge of another."""
    link = plant.links["enterprise"]
    pending = link._next._next._next._pending
    create = request(OpCode.CREATE, Values("88.111.1/new", (URL,)), request_id=1, expiration=2_000_000_000)
    await link.answer(create, Asker(address="192.0.2.1"))
    (other,) = pending
    for _ in range(1_000):
        await link.answer(create, Asker(address="192.0.2.2"))
    assert len(pending) == 257
    assert other in pending


async def test_a_login_of_the_chinese_dialect_lasts_as_long_as_its_connection(plant):
    target = Target("127.0.0.1", plant.ports["enterprise"], Transport.TCP)
    login = login_request(ADMINISTRATOR.handle, 300, request_id=0, expiration=2_000_000_000)
    async with connection(target) as here, connection(target) as elsewhere:
        (challenge,) = await here(login)
        answer = respond(identity(), login, challenge)
        more = {"request_id": 0, "expiration": 2_000_000_000, "version": (2, 10), "session_id": challenge.session_id}
        (logged_in,) = await here(request(OpCode.CHALLENGE_RESPONSE, answer, **more))
        assert (logged_in.op_code, logged_in.response_code) == (OpCode.LOGIN, 1)
        create = request(OpCode.CREATE, Values("88.111.1/one", (URL,)), **(more | {"session_id": logged_in.session_id}))
        assert [one.response_code for one in await here(create)] == [1]
        again = request(OpCode.CREATE, Values("88.111.1/two", (URL,)), **(more | {"session_id": logged_in.session_id}))
        assert [one.response_code for one in await elsewhere(again)] == [ResponseCode.AUTHENTICATION_NEEDED]
    assert (await asked(plant, "enterprise", question("88.111.1/one"))).response_code == 1
    over_udp = await asked(plant, "enterprise", login)
    assert over_udp.response_code == ResponseCode.AUTHENTICATION_NEEDED


async def test_a_log_that_was_changed_by_other_means_is_told(plant):
    store: RecordStore = plant.stores["enterprise"]
    assert store.log.verify() == store.log.last > 3
    registry = store._registry
    store.create_many((f"88.111.1/many{number}", [URL]) for number in range(600))
    with registry.read() as connection_:
        kept = connection_.execute(change.select().order_by(change.c.number)).mappings().all()
    numbers = [row["number"] for row in kept]
    segment = next(row for row in kept if row["changes"] == 512)
    assert numbers[-1] == store.log.last
    for broken in (
        change.update().where(change.c.number == numbers[0]).values(by="somebody"),
        change.delete().where(change.c.number == numbers[1]),
        change.delete().where(change.c.number == store.log.last),
        change.update()
        .where(change.c.number == segment["number"])
        .values(content=segment["content"].replace(b"many99", b"many98")),
        change.update().where(change.c.number == segment["number"]).values(content=segment["content"][:-1]),
        change.update().where(change.c.number == segment["number"]).values(changes=511),
        change.update().where(change.c.number == segment["number"]).values(changes=1),
    ):
        with registry.write() as connection_:
            assert connection_.execute(broken).rowcount == 1
        with pytest.raises(BrokenLogError):
            store.log.verify()
        with registry.write() as connection_:
            connection_.execute(change.delete())
            connection_.execute(change.insert(), [dict(row) for row in kept])
    assert store.log.verify() == store.log.last


async def test_nobody_changes_anything_without_a_key(plant):
    target = Target("127.0.0.1", plant.ports["enterprise"], Transport.TCP)
    before = plant.stores["enterprise"].log.last
    async with connection(target) as exchange:
        for code, body in (
            (OpCode.CREATE, Values("88.111.1/new", (URL,))),
            (OpCode.ADD_VALUES, Values("88.111.1/item7", (URL,))),
            (OpCode.MODIFY_VALUES, Values("88.111.1/item7", (URL,))),
        ):
            (answer,) = await exchange(request(code, body, request_id=0, expiration=2_000_000_000))
            assert answer.response_code == ResponseCode.AUTHENTICATION_NEEDED
    assert plant.stores["enterprise"].log.last == before
    assert private_key().key_size == 2048
