"""What the HTTP face needs of its node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec
from cryptography.hazmat.primitives.asymmetric import rsa

from hulian.network.identifiers.chain.authority import Authority
from hulian.network.identifiers.chain.contract import Link
from hulian.network.identifiers.chain.proofs import Proofs
from hulian.network.identifiers.chain.search import Search
from hulian.network.identifiers.statistics.collect import Statistics
from hulian.network.identifiers.statistics.report import Inbox
from hulian.network.identifiers.statistics.votes import Poll
from hulian.network.identifiers.store import RecordStore
from hulian.network.identifiers.wire.authentication import Signer
from hulian.network.identifiers.wire.typed.site import Site
from hulian.network.identifiers.wire.values import Value

__all__ = ["Elsewhere", "Node", "Signing", "Told"]


class Told(Protocol):
    """What another system says of ``identifier``: a response code of the Handle protocol, and values where it is a success."""

    @property
    def identifier(self) -> str: ...
    @property
    def system(self) -> str: ...
    @property
    def code(self) -> int: ...
    @property
    def values(self) -> Sequence[Value]: ...
    @property
    def message(self) -> str: ...
    @property
    def seconds(self) -> float: ...


class Elsewhere(Protocol):
    """Resolves by other systems what this one does not know. The HTTP face asks it, for whoever asks."""

    def serves(self, text: str) -> bool:
        """Whether strangers may have ``text`` resolved by another system."""
        ...

    async def resolve(self, text: str) -> Told:
        """What ``text`` stands for. Raises `HulianError` with a code for whatever stands in the way: the asker is told it."""
        ...


class Signing(msgspec.Struct, frozen=True, kw_only=True):
    """The key of the node itself: what signs by it, its public half, and that as an HS_PUBKEY holds it."""

    signer: Signer
    public: rsa.RSAPublicKey
    packed: bytes


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A node as its HTTP face sees it.

    ``answering`` is the chain behind authentication: it believes `Asker.who`, which only `Prover` sets here. A node without
    records of its own (a recursive one) has neither ``store`` nor ``search``: it is read only, and its ``proofs`` and
    ``authority`` know those who run it alone. A mirror has no ``store``. ``gs1_prefix`` is where GS1 keys are registered, empty
    where none are.
    ``applications`` is how many applications for prefixes may wait for a decision; 0 where none are taken. ``interfaces`` are
    the ones of the national system that are switched on, by their names in the configuration; that of an enterprise takes
    ``signing``. ``statistics`` counts what is asked over HTTP too, and tells; ``poll`` takes the votes of probes,
    ``inbox`` the reports of nodes below; ``elsewhere`` asks other systems, where that is open to
    strangers.
    """

    answering: Link
    proofs: Proofs | None = None
    authority: Authority | None = None
    store: RecordStore | None = None
    search: Search | None = None
    site: Site | None = None
    gs1_prefix: str = ""
    applications: int = 0
    interfaces: frozenset[str] = frozenset()
    signing: Signing | None = None
    statistics: Statistics | None = None
    poll: Poll | None = None
    inbox: Inbox | None = None
    elsewhere: Elsewhere | None = None
