"""What a recursive node remembers: given when nobody answers, within bounds, and asked anew before it ends."""

from __future__ import annotations

import anyio
import pytest
from identifier_nodes import question, text

from hulian.network.identifiers.chain.cache import RETRY_SECONDS, STALE_SECONDS, Cache
from hulian.network.identifiers.chain.contract import Asker, reply
from hulian.network.identifiers.wire.bodies import Values, read_body
from hulian.network.identifiers.wire.codes import ResponseCode

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]
ASKER = Asker(address="192.0.2.1")


class Authority:
    """Answers with a record of one value, or with ``failure``."""

    def __init__(self, ttl: int = 60) -> None:
        self.ttl, self.asked, self.failure = ttl, 0, None

    async def answer(self, request, asker):
        self.asked += 1
        if self.failure is not None:
            return reply(request, self.failure, "as it is")
        record = (text("URL", f"https://example.com/{self.asked}", ttl=self.ttl),)
        return reply(request, ResponseCode.SUCCESS, Values(read_body(request).handle, record))


class Clock:
    now = 1_900_000_000.0

    def __call__(self) -> float:
        return self.now


def told(answer) -> tuple[int, bytes, int]:
    body = read_body(answer)
    return answer.response_code, body.values[0].data, body.values[0].ttl


async def test_what_has_ended_is_given_marked_while_nobody_answers():
    authority, clock = Authority(), Clock()
    cache = Cache(authority, clock=clock, stale=3600)
    first = await cache.answer(question("one/a"), ASKER)
    assert told(first) == (1, b"https://example.com/1", 60)
    clock.now += 61
    authority.failure = ResponseCode.ERROR
    stale = await cache.answer(question("ONE/a"), ASKER)
    assert told(stale) == (1, b"https://example.com/1", STALE_SECONDS)
    assert read_body(stale).handle == "ONE/a"
    assert stale.expiration == int(clock.now) + STALE_SECONDS
    for _ in range(10):
        assert told(await cache.answer(question("one/a"), ASKER))[2] == STALE_SECONDS
    assert (authority.asked, cache.stale) == (2, 1), "who does not answer is not asked for every asker"
    clock.now += RETRY_SECONDS + 0.1
    await cache.answer(question("one/a"), ASKER)
    assert authority.asked == 3
    authority.failure = None
    clock.now += RETRY_SECONDS + 0.1
    assert told(await cache.answer(question("one/a"), ASKER)) == (1, b"https://example.com/4", 60)


async def test_staleness_has_an_end_however_often_it_is_given():
    authority, clock = Authority(), Clock()
    cache = Cache(authority, clock=clock, stale=100)
    await cache.answer(question("1/a"), ASKER)
    authority.failure = ResponseCode.ERROR
    codes = []
    for _ in range(30):
        clock.now += 7
        codes.append((await cache.answer(question("1/a"), ASKER)).response_code)
    # Good for 60 s, stale for 100 s more: the 22 questions up to 160 s, and one more within the retry of the last.
    assert codes[:22] == [1] * 22
    assert codes[24:] == [ResponseCode.ERROR] * 6


async def test_that_there_is_none_and_refusals_are_never_stale():
    authority, clock = Authority(), Clock()
    cache = Cache(authority, clock=clock)
    authority.failure = ResponseCode.HANDLE_NOT_FOUND
    await cache.answer(question("1/none"), ASKER)
    clock.now += 61
    authority.failure = ResponseCode.ERROR
    assert (await cache.answer(question("1/none"), ASKER)).response_code == ResponseCode.ERROR
    authority.failure = None
    await cache.answer(question("1/a"), ASKER)
    clock.now += 61
    authority.failure = ResponseCode.HANDLE_NOT_FOUND
    gone = await cache.answer(question("1/a"), ASKER)
    assert gone.response_code == ResponseCode.HANDLE_NOT_FOUND, "a record that was deleted is not kept alive"
    authority.failure = ResponseCode.ERROR
    clock.now += 61
    assert (await cache.answer(question("1/a"), ASKER)).response_code == ResponseCode.ERROR


async def test_what_is_asked_for_is_asked_anew_before_it_ends_and_the_rest_is_left():
    authority, clock = Authority(), Clock()
    cache = Cache(authority, clock=clock)
    for handle in ("1/popular", "1/seldom"):
        await cache.answer(question(handle), ASKER)
    async with anyio.create_task_group() as group:
        group.start_soon(cache.upkeep)
        plain = cache._index.exchange  # what the fast path does when it answers
        key = next(key for key in cache._kept if b"popular" in key)
        plain(key, 10, 1)
        await anyio.sleep(1.1)
        assert (authority.asked, cache.refreshed) == (2, 0), "too early"
        clock.now += 55
        with anyio.fail_after(60):
            while cache.refreshed < 1:
                await anyio.sleep(0.01)
        clock.now += 30
        assert told(await cache.answer(question("1/popular"), ASKER)) == (1, b"https://example.com/3", 60)
        assert authority.asked == 3
        await anyio.sleep(0.6)
        await cache.answer(question("1/seldom"), ASKER)
        assert (authority.asked, cache.refreshed) == (4, 1)
        group.cancel_scope.cancel()


async def test_a_refresh_that_fails_leaves_what_is_there():
    authority, clock = Authority(), Clock()
    cache = Cache(authority, clock=clock)
    await cache.answer(question("1/a"), ASKER)
    cache._index.exchange(next(iter(cache._kept)), 10, 1)
    authority.failure = ResponseCode.ERROR
    async with anyio.create_task_group() as group:
        group.start_soon(cache.upkeep)
        clock.now += 55
        with anyio.fail_after(60):
            while authority.asked < 2:
                await anyio.sleep(0.01)
        await anyio.sleep(0.05)
        assert told(await cache.answer(question("1/a"), ASKER)) == (1, b"https://example.com/1", 60)
        assert cache.refreshed == 0
        group.cancel_scope.cancel()
