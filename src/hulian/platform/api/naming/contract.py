"""What the API needs to know of the identifier node of this installation; `hulian.assembly` hands it in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hulian.network.identifiers.wire.authentication.respond import Identity
    from hulian.network.identifiers.wire.values import Value

__all__ = ["IdentifierNode"]


@dataclass(frozen=True, kw_only=True)
class IdentifierNode:
    """The node beside this API, and the way to all others.

    ``root`` reads the root data that every walk begins with, ``identity`` the key that this installation administers its
    records with; both block and raise a `HulianError` while there is none. ``listing`` gives the records of the node (a
    `hulian.network.identifiers.store.Listing`); None for a recursive node, which has none. ``host`` and ``port`` are where the
    node listens, ``gs1_prefix`` is where the records of GS1 keys stand, empty where they are not resolved.
    """

    role: str
    host: str
    port: int
    prefixes: tuple[str, ...]
    root: Callable[[], Sequence[Value]]
    identity: Callable[[], Identity]
    listing: Callable[[], Any] | None = None
    gs1_prefix: str = ""
