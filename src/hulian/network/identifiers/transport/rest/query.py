"""``GET /api/query``: records by attribute, by words, by what they refer to."""

from __future__ import annotations

from typing import Any, Final

from hulian.network.identifiers.chain.search import MOST, Search
from hulian.network.identifiers.metadata.query import Question
from hulian.network.identifiers.transport.rest.answers import Answer, json_answer
from hulian.network.identifiers.transport.rest.contract import Node
from hulian.network.identifiers.transport.rest.errors import PathError, RequestError
from hulian.network.identifiers.transport.rest.proving import Prover
from hulian.network.identifiers.transport.rest.requests import Request
from hulian.network.identifiers.wire.json_form import values_to_json

__all__ = ["Query"]

USUAL: Final = 100
_PARAMETERS: Final = frozenset(("where", "text", "relation", "template", "type", "limit", "cursor", "pretty", "callback"))


class Query:
    """Answers questions about the node's records. Raises `RestError` and its kinds, and `MetadataError`."""

    def __init__(self, node: Node, prover: Prover) -> None:
        self._node = node
        self._prover = prover

    async def read(self, request: Request) -> Answer:
        """One page. Who has proved nothing is answered from what everybody may read."""
        search = self._search()
        if unknown := sorted(request.query.keys() - _PARAMETERS):
            raise RequestError(
                "nothing of this name is asked here", place=f"?{unknown[0][:60]}", hint=", ".join(sorted(_PARAMETERS))
            )
        who = await self._prover.who(request)
        if who is not None and request.text("callback"):
            raise RequestError("a callback is for what everybody may read", place="?callback")
        question = Question(
            where=tuple(request.texts("where")),
            text=request.text("text"),
            relations=tuple(_relation(text) for text in request.texts("relation")),
            template=request.text("template"),
        )
        most = request.number("limit", USUAL, MOST)
        if not most:
            raise RequestError("a page has one record at least", place="?limit")
        page = await search.page(question, who, cursor=request.text("cursor"), most=most)
        types = frozenset(text.upper() for text in request.texts("type"))
        records = [
            {"handle": one.handle, "values": values_to_json([v for v in one.values if not types or v.type.upper() in types])}
            for one in page.records
        ]
        document: dict[str, Any] = {"responseCode": 1, "records": records}
        if page.cursor:
            document["cursor"] = page.cursor
        return json_answer(request, document, headers=() if who is None else (("cache-control", "no-store"),))

    def _search(self) -> Search:
        if self._node.search is None:
            raise PathError("this node keeps no records of its own")
        return self._node.search


def _relation(text: str) -> tuple[str, str]:
    """``made_of:88.111.1/steel``; without a colon before the first slash any relation."""
    kind, colon, handle = text.partition(":")
    return (kind, handle) if colon and "/" not in kind else ("", text)
