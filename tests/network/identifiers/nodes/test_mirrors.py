"""Mirrors have what the primary site has, a moment later, whatever was cut or killed between; and the log proves it."""

from __future__ import annotations

import contextlib

import anyio
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from identifier_nodes import ADMINISTRATOR, asked, identity, private_key, public_key, question, site, text

from hulian.network.identifiers.chain.errors import RefusedError
from hulian.network.identifiers.chain.sites import Target
from hulian.network.identifiers.nodes.mirror import Mirror
from hulian.network.identifiers.nodes.tiers import enterprise
from hulian.network.identifiers.store import RecordStore, key_of
from hulian.network.identifiers.transport.connection import connection
from hulian.network.identifiers.wire.authentication import signer_for
from hulian.network.identifiers.wire.bodies import (
    HandleOnly,
    NextTransaction,
    ResolveRequest,
    TransactionLogRequest,
    read_body,
    request,
)
from hulian.network.identifiers.wire.codes import OpCode, ResponseCode, Transport
from hulian.network.identifiers.wire.typed.keys import PublicKey
from hulian.network.identifiers.wire.values import Reference, unpack_values

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]
MIRROR = Reference("88.111.1/SITE2", 300)
MIRROR_KEY = rsa.generate_private_key(65537, 2048)
URL = text("URL", "https://example.com/1")


def mirror_of(plant, store: RecordStore, key=MIRROR_KEY) -> Mirror:
    return Mirror(store, plant.client(), "88.111.1", MIRROR, lambda: key, seconds=0.05)


@contextlib.asynccontextmanager
async def mirrored(plant):
    """The enterprise node with a second site: its store, the mirror, and a way to stop and start it."""
    primary = plant.stores["enterprise"]
    link = enterprise(primary, [ADMINISTRATOR], plant.client(), signer_for(private_key()), [MIRROR])
    primary.create(MIRROR.handle, [public_key(MIRROR_KEY)])
    store = plant.store("enterprise2")
    async with anyio.create_task_group() as group:
        await plant.stop("enterprise")
        await plant.serve(group, "enterprise", link)
        await plant.serve(group, "enterprise2", enterprise(store, [], plant.client(), None, None))
        key = PublicKey.of(private_key().public_key()).pack()
        sites = [site(plant.ports["enterprise"], key=key), site(plant.ports["enterprise2"], index=2, flags=0)]
        others = [value for value in unpack_values(plant.stores["second"].packed(b"0.NA/88.111.1")) if value.index > 2]
        plant.stores["second"].replace("0.NA/88.111.1", [*sites, *others])
        plant.forget()
        yield primary, store
        group.cancel_scope.cancel()


async def until(condition) -> None:
    with anyio.fail_after(60):
        while not condition():
            await anyio.sleep(0.01)


def same(primary: RecordStore, mirror: RecordStore) -> bool:
    return primary.log.last == mirror.log.last


async def test_what_the_primary_has_the_mirror_has(plant):
    async with mirrored(plant) as (primary, copy), anyio.create_task_group() as group:
        group.start_soon(mirror_of(plant, copy).run)
        await until(lambda: same(primary, copy))
        async with plant.administer(identity()) as by:
            await by.create("88.111.1/a", [URL])
            await by.create("88.111.1/b", [text("HS_SECKEY", b"secret", 300, permissions=12)])
            await by.modify("88.111.1/a", [text("URL", "https://example.com/2")])
            await by.delete("88.111.1/alias")
        await until(lambda: same(primary, copy))
        assert dict(copy.index.items()) == dict(primary.index.items())
        assert copy.prefixes() == primary.prefixes()
        assert copy.log.verify() == primary.log.last
        assert copy.log.seal == primary.log.seal
        found = await asked(plant, "enterprise2", question("88.111.1/a"))
        assert read_body(found).values[0].data == b"https://example.com/2"
        again = RecordStore(copy._registry)
        assert dict(again.index.items()) == dict(primary.index.items())
        group.cancel_scope.cancel()


async def test_names_resolve_while_the_primary_is_gone_and_changes_wait_for_it(plant):
    async with mirrored(plant) as (primary, copy), anyio.create_task_group() as group:
        mirror = mirror_of(plant, copy)
        group.start_soon(mirror.run)
        await until(lambda: same(primary, copy))
        await plant.stop("enterprise")
        follow = plant.client()
        assert (await follow.resolve(ResolveRequest("88.111.1/item7"))).code == ResponseCode.SUCCESS
        await until(lambda: mirror.trouble)
        assert "HL-ID-0401" in mirror.trouble
        only = Target("127.0.0.1", plant.ports["enterprise2"], Transport.TCP)
        async with plant.administer(identity()) as by:
            with pytest.raises(RefusedError) as refused:
                await by._at(only, OpCode.DELETE, HandleOnly("88.111.1/item7"))
        assert refused.value.response_code == ResponseCode.SERVER_READ_ONLY
        group.cancel_scope.cancel()


async def test_a_mirror_that_was_cut_off_catches_up(plant):
    async with mirrored(plant) as (primary, copy):
        async with anyio.create_task_group() as group:
            group.start_soon(mirror_of(plant, copy).run)
            await until(lambda: same(primary, copy))
            group.cancel_scope.cancel()
        # Many more than one answer holds, and some of them changed again: their first values are nowhere any more.
        primary.create_many((f"88.111.1/n{number}", [URL, text("NOTE", "x" * 900, 2)]) for number in range(1_500))
        for number in range(300):
            primary.replace(f"88.111.1/n{number}", [text("URL", f"https://example.com/{number}")])
        primary.delete("88.111.1/n7")
        async with anyio.create_task_group() as group:
            mirror = mirror_of(plant, copy)
            group.start_soon(mirror.run)
            await until(lambda: same(primary, copy))
            await until(lambda: mirror.behind == 0)  # it is told a moment after the last part was written
            group.cancel_scope.cancel()
        assert dict(copy.index.items()) == dict(primary.index.items())
        assert copy.packed(key_of("88.111.1/n7")) is None
        assert copy.log.verify() == primary.log.last


async def test_a_mirror_with_another_history_is_refused_and_left_as_it_is(plant):
    async with mirrored(plant) as (_primary, copy), anyio.create_task_group() as group:
        copy.create("88.111.1/own", [URL])
        before = copy.log.last
        mirror = mirror_of(plant, copy)
        group.start_soon(mirror.run)
        await until(lambda: mirror.trouble)
        assert "change 1 of this mirror is not that of the primary" in mirror.trouble
        assert (copy.log.last, copy.packed(key_of("88.111.1/own")) is not None) == (before, True)
        group.cancel_scope.cancel()


async def test_nobody_else_copies_and_never_in_the_open(plant):
    async with mirrored(plant) as (_, copy), anyio.create_task_group() as group:
        mirror = mirror_of(plant, copy, key=rsa.generate_private_key(65537, 2048))
        group.start_soon(mirror.run)
        await until(lambda: mirror.trouble)
        assert "HL-ID-0406" in mirror.trouble
        assert copy.log.last == 0
        group.cancel_scope.cancel()
        pull = request(
            OpCode.RETRIEVE_TRANSACTIONS, TransactionLogRequest(state='{"hulian":1}'), request_id=0, expiration=2_000_000_000
        )
        target = Target("127.0.0.1", plant.ports["enterprise"], Transport.TCP)
        async with connection(target) as by:
            assert [one.response_code for one in await by(pull)] == [ResponseCode.AUTHENTICATION_NEEDED]
        stranger = Reference("88.111.1/users/li", 300)
        plant.stores["enterprise"].create(stranger.handle, [public_key()])
        async with connection(target) as by:
            await by.secure(stranger, private_key(), private_key().public_key())
            assert [one.response_code for one in await by(pull)] == [ResponseCode.INVALID_ADMIN]
        async with plant.administer(identity()) as by:
            with pytest.raises(RefusedError) as refused:
                await by._at(target, OpCode.RETRIEVE_TRANSACTIONS, read_body(pull))
            assert refused.value.response_code == ResponseCode.NOT_PERMITTED
        async with connection(target) as by:
            await by.secure(MIRROR, MIRROR_KEY, private_key().public_key())
            following = request(OpCode.NEXT_TRANSACTION, HandleOnly("/"), request_id=0, expiration=2_000_000_000)
            (answer,) = await by(following)
            assert read_body(answer) == NextTransaction(plant.stores["enterprise"].log.last + 1)
            for state in ('{"hulian":2}', "nothing", '{"after":-1}'):
                broken = request(
                    OpCode.RETRIEVE_TRANSACTIONS, TransactionLogRequest(state=state), request_id=0, expiration=2_000_000_000
                )
                assert [one.response_code for one in await by(broken)] == [ResponseCode.NOT_SUPPORTED]
