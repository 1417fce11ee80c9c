"""When two Thing Descriptions say the same.

The canonical form is that of JSON itself: keys sorted, no white space, numbers as numbers (``1.0`` is ``1``), texts
as they are, lists in their order. Nothing else is forgiven: a term that is null and one that is missing are two things. The
only difference that writing may make is a secret that is left out, and that is in the loss list.
"""

from __future__ import annotations

from typing import Any

import msgspec

from hulian.network.exchange.semantics.contract import Source
from hulian.network.exchange.semantics.documents import read_json

__all__ = ["canonical"]


def canonical(source: Source) -> bytes:
    """The canonical form of a document; raises `DocumentError`."""
    return msgspec.json.encode(_plain(read_json(source)), order="sorted")


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return value
