"""The link that says which site this server is of (opcode 2): what a client compares with the record that led it here."""

from __future__ import annotations

from hulian.network.identifiers.chain.contract import Asker, Link, reply
from hulian.network.identifiers.chain.plain import Plain, plain_of
from hulian.network.identifiers.chain.server_keys import ServerKeys
from hulian.network.identifiers.wire.bodies import SiteAnswer
from hulian.network.identifiers.wire.codes import OpCode, ResponseCode
from hulian.network.identifiers.wire.frame import Message
from hulian.network.identifiers.wire.typed.site import Site

__all__ = ["Introduce"]


class Introduce:
    """Answers with ``site``: its servers, their keys and where they are asked; of keys that roll over, with the newest."""

    def __init__(self, site: Site | ServerKeys, next_: Link) -> None:
        self._site = site
        self._next = next_

    @property
    def plain(self) -> Plain | None:
        """A plain question is about a record."""
        return plain_of(self._next)

    async def answer(self, request: Message, asker: Asker) -> Message:
        """See `Link`."""
        if request.op_code != OpCode.GET_SITE:
            return await self._next.answer(request, asker)
        site = self._site.site if isinstance(self._site, ServerKeys) else self._site
        return reply(request, ResponseCode.SUCCESS, SiteAnswer(site), authoritative=True)
