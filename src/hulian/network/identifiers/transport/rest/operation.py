"""``/api/statistics``: what the node counts, for those who run it. ``/api/votes``: what probes say of nodes below.

``/api/reports``: what those nodes report themselves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import anyio
import anyio.to_thread
import msgspec

from hulian.network.identifiers.statistics.collect import Statistics
from hulian.network.identifiers.statistics.errors import ReportError, SealError, SenderError, StatisticsError
from hulian.network.identifiers.statistics.report import Inbox, read_report
from hulian.network.identifiers.statistics.sealed import MAX_SEALED, Sealed, open_sealed
from hulian.network.identifiers.statistics.shown import PROMETHEUS, document, prometheus, rfc3339
from hulian.network.identifiers.store import key_of
from hulian.network.identifiers.transport.rest.answers import Answer, json_answer
from hulian.network.identifiers.transport.rest.attempts import Attempts
from hulian.network.identifiers.transport.rest.contract import Node
from hulian.network.identifiers.transport.rest.errors import ForbiddenError, JobError, LoginError, PathError, PlainHttpError
from hulian.network.identifiers.transport.rest.proving import Prover
from hulian.network.identifiers.transport.rest.requests import Request, read_body
from hulian.network.identifiers.transport.rest.resolver.negotiation import best_type
from hulian.network.identifiers.wire.values import Reference

__all__ = ["Operation"]

_MOST_DAYS: Final = 1_100
_MOST_MINUTES: Final = 2_880
_MOST: Final = 10_000
_MOST_REPORTS: Final = 1_000
_ZERO_NA: Final = b"0.NA/"
_TEXT: Final = ("application/json", "text/plain", "application/openmetrics-text")


class Operation:
    """What only those who run a node may see, and what only nodes and probes that it knows may tell it."""

    def __init__(self, node: Node, prover: Prover) -> None:
        self._node = node
        self._prover = prover
        self._attempts = Attempts()

    def routes(self, path: str) -> Mapping[str, Callable[[Request], Awaitable[Answer]]]:
        """The methods of ``path``."""
        if path == "/api/statistics":
            return {"GET": self.statistics}
        if path == "/api/votes" and self._node.poll is not None:
            return {"GET": self.votes, "POST": self.vote}
        if path == "/api/reports" and self._node.inbox is not None:
            return {"GET": self.reports, "POST": self.report}
        raise PathError(f"there is nothing at {path!r}")

    async def statistics(self, request: Request) -> Answer:
        """``GET``: JSON, or the text form of Prometheus for who likes that better."""
        statistics = await self._administered(request)
        await statistics.collect()
        kind = best_type(request.headers.get("accept", ""), _TEXT)
        if kind in _TEXT[1:]:
            return Answer(body=prometheus(statistics), media_type=PROMETHEUS, headers=_NOT_KEPT)
        days, minutes = request.number("days", 7, _MOST_DAYS), request.number("minutes", 0, _MOST_MINUTES)
        sources, faults = request.number("sources", 100, _MOST), request.number("faults", 100, _MOST)
        # Today is told with the last minute in it.
        await statistics.write()
        found = await anyio.to_thread.run_sync(
            lambda: document(statistics, days=days, minutes=minutes, sources=sources, faults=faults)
        )
        return json_answer(request, found, headers=_NOT_KEPT)

    async def votes(self, request: Request) -> Answer:
        """``GET``: the votes that count now, and what most of them say."""
        await self._runs(request)
        poll = self._node.poll
        if poll is None:
            raise PathError("nobody votes here")
        found = {prefix: {"verdict": poll.verdict(prefix).value, "votes": poll.fresh(prefix)} for prefix in poll.prefixes}
        return json_answer(request, {"prefixes": found}, headers=_NOT_KEPT)

    async def vote(self, request: Request) -> Answer:
        """``POST``: the signed vote of a probe."""
        poll = self._node.poll
        if poll is None:
            raise PathError("nobody votes here")

        def known(sealed: Sealed) -> None:
            if not poll.knows(sealed.reference):
                raise SenderError(f"{sealed.who[:200]} is no probe of this node")

        who, sealed = await self._sealed(request, "vote", known)
        vote = poll.cast(who, sealed)
        return json_answer(request, {"responseCode": 1, "prefix": vote.prefix, "verdict": poll.verdict(vote.prefix).value})

    async def reports(self, request: Request) -> Answer:
        """``GET``: which nodes have reported; with ``prefix`` the reports of one, of one ``kind`` where that is given."""
        await self._runs(request)
        inbox = self._inbox()
        prefix, kind = request.text("prefix"), request.text("kind")
        most = request.number("most", 100, _MOST_REPORTS)
        if not prefix:
            rows = await anyio.to_thread.run_sync(inbox.prefixes)
            told = [{"prefix": name, "reports": count, "last": rfc3339(at / 1e9)} for name, count, at in rows]
            return json_answer(request, {"prefixes": told}, headers=_NOT_KEPT)
        found = await anyio.to_thread.run_sync(inbox.of, prefix, kind, most)
        listed = [{"received": rfc3339(one.at / 1e9), "report": one.report} for one in found]
        return json_answer(request, {"prefix": prefix, "reports": listed}, headers=_NOT_KEPT)

    async def report(self, request: Request) -> Answer:
        """``POST``: a signed report of a node whose prefix is delegated from here: its key stands in the record of that."""
        inbox, store = self._inbox(), self._node.store

        def known(sealed: Sealed) -> None:
            key = key_of(sealed.reference.handle)
            if store is None or not key.startswith(_ZERO_NA) or store.packed(key) is None:
                raise SenderError(f"{sealed.who[:200]} stands in no prefix that is delegated from here")

        who, sealed = await self._sealed(request, "report", known)
        report = read_report(sealed.document)
        if key_of(f"0.NA/{report.prefix}") != key_of(who.handle):
            raise ForbiddenError(f"{who} does not report for {report.prefix[:200]} ({SenderError.code})")
        content = msgspec.json.encode(sealed)
        try:
            new = await anyio.to_thread.run_sync(inbox.take, report, sealed.document, content)
        except ReportError as error:
            raise JobError(f"{error.message} ({error.code})", hint=error.hint) from error
        return json_answer(request, {"responseCode": 1, "new": new}, status=201 if new else 200)

    def _inbox(self) -> Inbox:
        if self._node.inbox is None:
            raise PathError("no reports are taken here")
        return self._node.inbox

    async def _sealed(self, request: Request, kind: str, known: Callable[[Sealed], None]) -> tuple[Reference, Sealed]:
        """A signed message, and who has proved to have signed it. ``known`` raises for whom nobody here knows, before a key is
        looked for; what does not hold counts against its source."""
        if not request.secure:
            raise PlainHttpError("messages of nodes and probes are taken over https only")
        self._attempts.check(request.source)
        try:
            sealed = open_sealed(await read_body(request, MAX_SEALED), kind)
            known(sealed)
            who = None if self._node.proofs is None else await self._node.proofs.of_response(*sealed.proof())
        except SenderError as error:
            self._attempts.failed(request.source)
            raise ForbiddenError(f"{error.message} ({error.code})", hint=error.hint) from error
        except StatisticsError:
            self._attempts.failed(request.source)
            raise
        if not isinstance(who, Reference):
            self._attempts.failed(request.source)
            raise ForbiddenError(f"the signature does not hold ({SealError.code})", hint=SealError.default_hint)
        return who, sealed

    async def _administered(self, request: Request) -> Statistics:
        if self._node.statistics is None:
            raise PathError("this node tells no statistics")
        await self._runs(request)
        return self._node.statistics

    async def _runs(self, request: Request) -> None:
        """Raises unless somebody who runs the node has proved to ask."""
        if self._node.authority is None:
            raise PathError("nobody can prove here to run this node")
        who = await self._prover.who(request)
        if who is None:
            raise LoginError("this is for those who run the node")
        if not self._node.authority.runs_the_node(who):
            raise ForbiddenError(f"{who} does not run this node", hint="identifiers.administrators names those who do")


_NOT_KEPT: Final = (("cache-control", "no-store"),)
