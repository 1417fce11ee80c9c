"""The link that signs answers for who asks for it (flag CT), with the key that the site record of this server names."""

from __future__ import annotations

import anyio.to_thread
import msgspec
import structlog

from hulian.network.identifiers.chain.contract import Asker, Link
from hulian.network.identifiers.chain.plain import Plain, plain_of
from hulian.network.identifiers.chain.server_keys import ServerKeys
from hulian.network.identifiers.chain.session_table import SessionTable
from hulian.network.identifiers.wire.authentication import Signer, sign_message
from hulian.network.identifiers.wire.codes import OpFlag
from hulian.network.identifiers.wire.errors import VersionError, WireError
from hulian.network.identifiers.wire.frame import Message

__all__ = ["Certify"]

_log = structlog.get_logger(__name__)
_CERTIFIED = OpFlag.CERTIFIED.value


class Certify:
    """Signs over TCP, where a signature cannot be drawn in somebody else's name; each costs this server a millisecond.

    Keys that roll over sign each answer with the one that its asker knows. An answer that is not signed does not say that it
    is. Answers within a session with a key carry that key's code instead.
    """

    def __init__(self, next_: Link, signer: Signer | ServerKeys | None, table: SessionTable) -> None:
        self._next = next_
        self._signer = signer
        self.sessions = table

    @property
    def plain(self) -> Plain | None:
        """Whoever wants a signature does not ask a plain question."""
        return plain_of(self._next)

    async def answer(self, request: Message, asker: Asker) -> Message:
        """See `Link`."""
        if not request.has(OpFlag.CERTIFIED):
            return await self._next.answer(request, asker)
        part = asker.part

        async def signed_part(message: Message) -> None:
            if part is not None:
                await part(await self._signed(message, request.site_serial, asker))

        known = asker if part is None else msgspec.structs.replace(asker, part=signed_part)
        return await self._signed(await self._next.answer(request, known), request.site_serial, asker)

    async def _signed(self, answer: Message, serial: int, asker: Asker) -> Message:
        signer = self._signer.signer(serial) if isinstance(self._signer, ServerKeys) else self._signer
        if signer is not None and asker.verified and not answer.credential:
            try:
                return await anyio.to_thread.run_sync(sign_message, answer, signer)
            except WireError as error:
                # A version whose signatures are not safe, or a token that does not sign: the answer says that it is not signed.
                if not isinstance(error, VersionError):
                    _log.warning("an answer is not signed", reason=str(error))
        return msgspec.structs.replace(answer, flags=answer.flags & ~_CERTIFIED)
