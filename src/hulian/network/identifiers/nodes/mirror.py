"""A mirror: pulls the log of its service's primary site, again and again, and has the same records a moment later."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import anyio
import anyio.to_thread
import msgspec
import structlog
from cryptography.hazmat.primitives.asymmetric import rsa

from hulian.kernel.errors import HulianError
from hulian.network.identifiers.chain.errors import FollowError, NoServiceError, RefusedError
from hulian.network.identifiers.chain.follow import Follow
from hulian.network.identifiers.chain.replicate import State
from hulian.network.identifiers.chain.sites import Target, administration
from hulian.network.identifiers.store import Change, RecordStore, What
from hulian.network.identifiers.transport.connection import Connection, connection
from hulian.network.identifiers.wire import sm2
from hulian.network.identifiers.wire.bodies import (
    Failure,
    TransactionLogAnswer,
    TransactionLogRequest,
    read_answer,
    request,
)
from hulian.network.identifiers.wire.codes import OpCode, OpFlag, response_text
from hulian.network.identifiers.wire.errors import WireError
from hulian.network.identifiers.wire.typed.keys import PublicKey, UsableKey
from hulian.network.identifiers.wire.typed.site import Site
from hulian.network.identifiers.wire.values import Reference

__all__ = ["Mirror"]

_LONGEST_PAUSE: Final = 60.0
_log = structlog.get_logger(__name__)


class Mirror:
    """Keeps ``store`` like the primary site of ``prefix``, which ``follow`` finds; ``who`` is known there by what ``key``
    gives, which is asked anew (in a worker thread) for each connection.

    The primary proves the key that its site record names, and everything is encrypted. What cannot be had is tried again,
    later each time, for ever; a log that does not follow on the own one is refused, and said in the log.
    """

    def __init__(
        self,
        store: RecordStore,
        follow: Follow,
        prefix: str,
        who: Reference,
        key: Callable[[], rsa.RSAPrivateKey | sm2.PrivateKey],
        *,
        seconds: float = 5.0,
    ) -> None:
        self._store = store
        self._follow = follow
        self._prefix = prefix
        self._who, self._key = who, key
        self._seconds = seconds
        self.behind = -1
        """Changes that the primary has and this mirror has not; -1 before the first answer."""
        self.trouble = ""
        """Why the last try failed; empty where it did not."""

    async def run(self) -> None:
        """Until cancelled."""
        pause = self._seconds
        while True:
            try:
                await self._pulled()
            except HulianError as error:
                self._follow.forget(self._prefix)  # where the primary is, or its key, may have changed
                pause = min(pause * 2, _LONGEST_PAUSE)
                if self.trouble != str(error):
                    _log.warning("the primary site cannot be copied", reason=str(error), again_in=pause)
                self.trouble = str(error)
            else:
                pause = self._seconds
            await anyio.sleep(pause)

    async def _pulled(self) -> None:
        """One connection, for as long as it lasts."""
        target, server = await self._primary()
        async with connection(target) as exchange:
            key = await anyio.to_thread.run_sync(self._key)
            await exchange.secure(self._who, key, server, serial=target.serial)
            while True:
                while await self._part(exchange, target):
                    pass
                if self.trouble:
                    _log.info("the primary site is copied again", changes=self._store.log.last)
                self.trouble = ""
                await anyio.sleep(self._seconds)

    async def _primary(self) -> tuple[Target, UsableKey]:
        sites = [site for site in await self._follow.sites_of(self._prefix) if site.primary]
        found = administration(sites, self._prefix)
        if not found:
            raise NoServiceError(f"{self._prefix} has no primary site that can be copied from")
        return found[0], _server_key(sites, found[0])

    async def _part(self, exchange: Connection, target: Target) -> bool:
        """Asks for what comes next; whether there is more."""
        log = self._store.log
        state = State(after=log.last, seal=log.seal.hex())
        body = TransactionLogRequest(state=msgspec.json.encode(state).decode())
        flags = (OpFlag.RETURN_DIGEST | OpFlag.KEEP_CONNECTION).value
        asked = request(OpCode.RETRIEVE_TRANSACTIONS, body, request_id=0, expiration=int(time.time()) + 60, flags=flags)
        (answer,) = await exchange(asked)
        try:
            found, _ = read_answer(answer)
        except WireError as error:
            raise FollowError(f"its answer cannot be read: {error.message}", place=str(target)) from error
        if not isinstance(found, TransactionLogAnswer):
            said = found.message if isinstance(found, Failure) and found.message else response_text(answer.response_code)
            raise RefusedError(said, response_code=answer.response_code, place=str(target))
        changes = [
            (
                Change(
                    number=one.number,
                    at=one.at,
                    what=What(one.what),
                    handle=one.handle,
                    by=one.by,
                    content=one.content,
                    seal=one.seal,
                ),
                one.values,
            )
            for one in found.transactions
            if one.what in _KNOWN
        ]
        if changes:
            await anyio.to_thread.run_sync(self._store.copy, changes)
        self.behind = found.last - self._store.log.last
        return bool(changes) and self.behind > 0


_KNOWN: Final = frozenset(what.value for what in What)


def _server_key(sites: list[Site], target: Target) -> UsableKey:
    for site in sites:
        for server in site.servers:
            if str(server.address) == target.address and server.public_key:
                return PublicKey.unpack(server.public_key).usable()
    raise NoServiceError("the site record of the primary names no key: it could be anybody", place=str(target))
