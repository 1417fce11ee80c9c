"""What the API needs to know of the identifier node of this installation; `hulian.assembly` hands it in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hulian.network.identifiers.statistics.kept import Kept
    from hulian.network.identifiers.transport.rest.asker import RestAsker
    from hulian.network.identifiers.wire.authentication.respond import Identity
    from hulian.network.identifiers.wire.authentication.signers import PrivateKey
    from hulian.network.identifiers.wire.values import Value

__all__ = ["IdentifierNode"]


@dataclass(frozen=True, kw_only=True)
class IdentifierNode:
    """The node beside this API, and the way to all others.

    ``root`` reads the root data that every walk begins with, ``identity`` the key that this installation administers its
    records with; both block and raise a `HulianError` while there is none. ``listing`` gives the records of the node (a
    `hulian.network.identifiers.store.Listing`); None for a recursive node, which has none. ``host`` and ``port`` are where the
    node listens, ``gs1_prefix`` is where the records of GS1 keys stand, empty where they are not resolved.

    ``office`` is the HTTP interface of the node, where applications are decided, and ``above`` that of the node above it; both
    give None where there is none. ``gives_out`` is whether prefixes are applied for here. ``private`` is the key that an
    application of this installation is signed with; it blocks and raises as ``identity`` does. ``figures`` are the node's
    statistics, and ``seals`` computes all seals of the history of applications; None where the node keeps none.
    """

    role: str
    host: str
    port: int
    prefixes: tuple[str, ...]
    root: Callable[[], Sequence[Value]]
    identity: Callable[[], Identity]
    listing: Callable[[], Any] | None = None
    gs1_prefix: str = ""
    office: Callable[[], RestAsker | None] = lambda: None
    above: Callable[[], RestAsker | None] = lambda: None
    gives_out: bool = False
    private: Callable[[], PrivateKey] | None = None
    figures: Callable[[], Kept] | None = None
    seals: Callable[[], int] | None = None
