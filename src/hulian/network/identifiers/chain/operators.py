"""Who runs a node that keeps no records: its own key, and those that its configuration names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hulian.network.identifiers.chain.authority import Authority
from hulian.network.identifiers.chain.follow import Follow
from hulian.network.identifiers.chain.lookup import Lookup
from hulian.network.identifiers.chain.proofs import Proofs
from hulian.network.identifiers.store import key_of
from hulian.network.identifiers.wire.bodies import VerifyRequest
from hulian.network.identifiers.wire.values import Reference, Value

__all__ = ["Operators"]


class Operators:
    """``proofs`` of the keys of ``administrators``, and ``authority``, which says that they run the node.

    Keys of ``own`` (by the handle that stands for the node) are known here; every other is found by ``follow``, and only for
    a handle that an administrator has: a stranger who says to be somebody else makes this node ask nobody.
    """

    def __init__(self, administrators: Iterable[Reference], follow: Follow, own: Mapping[str, Iterable[Value]]) -> None:
        named = tuple(administrators)
        lookup = Lookup(None, follow.values_of)
        self.authority = Authority(lookup, named)
        self.proofs = Proofs(_Keys(named, lookup, own), self._holds)
        self._follow = follow
        self._named = frozenset(key_of(one.handle) for one in named)

    async def _holds(self, proof: VerifyRequest) -> bool:
        """See `hulian.network.identifiers.chain.proofs.VerifyElsewhere`."""
        return key_of(proof.handle) in self._named and await self._follow.holds(proof)


class _Keys:
    """`hulian.network.identifiers.chain.proofs.Keys` of those who run the node, and of nobody else."""

    def __init__(self, named: Iterable[Reference], lookup: Lookup, own: Mapping[str, Iterable[Value]]) -> None:
        self._named = frozenset(key_of(one.handle) for one in named)
        self._lookup = lookup
        self._own = {key_of(handle): tuple(values) for handle, values in own.items()}

    def here(self, handle: str) -> bool:
        """See `Keys`. Of a key of its own a node knows the public half alone: that is no secret to compare with."""
        return False

    async def values(self, handle: str, types: tuple[str, ...]) -> tuple[Value, ...]:
        """See `Keys`."""
        key = key_of(handle)
        if key in self._own:
            return tuple(value for value in self._own[key] if value.type in types)
        return await self._lookup.values(handle, types) if key in self._named else ()
