"""The parser of the link: the same messages however the bytes are cut."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.errors import ProtocolError

from hulian.network.exchange.spine.connection import _Client, status_of


def _frames(messages: list[tuple[bytes, bytes, bytes]]) -> bytes:
    out = b""
    for reply, headers, payload in messages:
        to = reply + b" " if reply else b""
        if headers:
            out += b"HMSG a.b 7 %s%d %d\r\n" % (to, len(headers), len(headers) + len(payload)) + headers + payload + b"\r\n"
        else:
            out += b"MSG a.b 7 %s%d\r\n" % (to, len(payload)) + payload + b"\r\n"
        out += b"PONG\r\n"
    return out


@pytest.mark.fuzz
@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"", b"_INBOX.x"]),
            st.sampled_from([b"", b"NATS/1.0\r\n\r\n", b"NATS/1.0 404 No\r\n\r\n"]),
            st.binary(max_size=60) | st.sampled_from([b"\r\n", b"MSG a 7 5\r\n", b"PING\r\n"]),
        ),
        max_size=8,
    ),
    st.lists(st.integers(1, 30), min_size=1, max_size=40),
)
def test_messages_survive_any_cut(messages: list[tuple[bytes, bytes, bytes]], cuts: list[int]) -> None:
    async def run() -> list[tuple[bytes, bytes, bytes]]:
        client = _Client()
        got: list[tuple[bytes, bytes, bytes]] = []
        client.fast.sinks[b"7"] = lambda subject, reply, headers, payload: got.append((reply, headers, payload))
        raw, turn = _frames(messages), 0
        while raw:
            size = cuts[turn % len(cuts)]
            turn += 1
            await client.fast.parse(raw[:size])
            raw = raw[size:]
        return got

    assert asyncio.run(run()) == messages


def test_what_is_no_protocol_ends_the_connection() -> None:
    async def run() -> None:
        await _Client().fast.parse(b"HELLO WORLD\r\n")

    with pytest.raises(ProtocolError):
        asyncio.run(run())


def test_status() -> None:
    assert status_of(b"NATS/1.0 503 No Responders\r\n\r\n") == 503
    assert status_of(b"NATS/1.0\r\nA: 1\r\n\r\n") == 0
    assert status_of(b"") == 0
