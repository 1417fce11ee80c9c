"""Sessions whose key the client chooses and seals to a key of the server's (mode 2 of opcode 400, then opcode 402).

The server's key is made for this alone when the first client asks for one, lives as long as the process, and is vouched for by
the signature of the answer that carries it. What does not open becomes a key that nobody knows: whoever sent it learns from
the answer no more than from one that opened, and no message of his is ever believed.
"""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import anyio
import anyio.to_thread
from cryptography.hazmat.primitives.asymmetric import rsa

from hulian.network.identifiers.chain.session_table import SessionTable
from hulian.network.identifiers.wire.authentication import SessionKey, open_session_key
from hulian.network.identifiers.wire.authentication.exchange import AES
from hulian.network.identifiers.wire.errors import WireError
from hulian.network.identifiers.wire.typed.keys import PublicKey

__all__ = ["SealedKeys"]

SECONDS: Final = 60.0
"""How long a client may take to choose a key."""

_MOST: Final = 1_024
_MOST_OF_ONE: Final = 4
_BITS: Final = 2_048


class SealedKeys:
    """The sessions of ``table`` that wait for their key. At most 1,024 wait, four of one connection; the oldest go."""

    def __init__(self, table: SessionTable, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._table = table
        self._clock = clock
        self._key: rsa.RSAPrivateKey | None = None
        self._making = anyio.Lock()
        self._waiting: OrderedDict[int, tuple[int, float, float]] = OrderedDict()

    async def begin(self, connection: int, seconds: float) -> tuple[int, bytes]:
        """The number of a session that will live for ``seconds``, and the packed HS_PUBKEY that its key is sealed to."""
        async with self._making:
            if self._key is None:
                self._key = await anyio.to_thread.run_sync(rsa.generate_private_key, 65537, _BITS)
        own = [number for number, one in self._waiting.items() if one[0] == connection]
        if len(own) >= _MOST_OF_ONE:
            del self._waiting[own[0]]
        while len(self._waiting) >= _MOST:
            self._waiting.popitem(last=False)
        number = 0
        while not number or number in self._waiting or number in self._table:
            number = secrets.randbelow(0x7FFFFFFE) + 1
        self._waiting[number] = (connection, self._clock() + SECONDS, seconds)
        return number, PublicKey.of(self._key.public_key()).pack()

    async def take(self, number: int, connection: int, sealed: bytes) -> bool:
        """Begins the session ``number`` of ``connection`` with the key in ``sealed``; False where none of it waits for one."""
        waiting = self._waiting.get(number)
        if waiting is None or waiting[0] != connection or self._key is None:
            return False
        del self._waiting[number]
        if waiting[1] <= self._clock():
            return False
        key = await anyio.to_thread.run_sync(_opened, sealed, self._key)
        self._table.begin(connection, key=key, who=None, seconds=waiting[2], number=number)
        return True


def _opened(sealed: bytes, own: rsa.RSAPrivateKey) -> SessionKey:
    """The key in ``sealed``, or one that nobody knows."""
    unknown = SessionKey.generate()
    try:
        key = open_session_key(sealed, own)
    except WireError:
        return unknown
    return key if key.algorithm == AES else unknown
