"""The order of the links, for each tier: root, top level, second level, enterprise, recursive. They open no socket.

``administrators`` run the node; ``signer`` signs answers for who asks for a signature; ``follow`` finds the keys,
administrators and groups that other nodes keep: without it only those count that are kept here. ``mirrors`` may copy the node;
None makes it a mirror itself. ``site`` is what it says of itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Final

import msgspec

from hulian.network.identifiers.chain.administer import Converse
from hulian.network.identifiers.chain.answer import Answer
from hulian.network.identifiers.chain.authenticate import Authenticate
from hulian.network.identifiers.chain.authority import Authority
from hulian.network.identifiers.chain.cache import Cache
from hulian.network.identifiers.chain.certify import Certify
from hulian.network.identifiers.chain.contract import Link
from hulian.network.identifiers.chain.follow import Ask, Follow
from hulian.network.identifiers.chain.forward import Forward
from hulian.network.identifiers.chain.guard import Guard
from hulian.network.identifiers.chain.introduce import Introduce
from hulian.network.identifiers.chain.lookup import Lookup
from hulian.network.identifiers.chain.onward import Onward, OtherRegistry
from hulian.network.identifiers.chain.proofs import Proofs
from hulian.network.identifiers.chain.refer import Refer
from hulian.network.identifiers.chain.register import OPERATIONS, Register
from hulian.network.identifiers.chain.replicate import REPLICATION, Replicate
from hulian.network.identifiers.chain.search import Search
from hulian.network.identifiers.chain.server_keys import ServerKeys
from hulian.network.identifiers.chain.session_table import SessionTable
from hulian.network.identifiers.chain.sessions import Sessions
from hulian.network.identifiers.metadata.templates import Kept, Templates
from hulian.network.identifiers.store import RecordStore
from hulian.network.identifiers.wire.authentication import Signer
from hulian.network.identifiers.wire.codes import OpCode
from hulian.network.identifiers.wire.typed.site import Site
from hulian.network.identifiers.wire.values import Reference, Value

__all__ = ["Inside", "delegating", "delegating_inside", "enterprise", "enterprise_inside", "outside", "recursive"]

_SERVED: Final = (
    OPERATIONS
    | REPLICATION
    | {
        OpCode.RESOLVE,
        OpCode.GET_SITE,
        OpCode.CHALLENGE_RESPONSE,
        OpCode.VERIFY_RESPONSE,
        OpCode.LOGIN,
        OpCode.SESSION_SETUP,
        OpCode.SESSION_EXCHANGE_KEY,
        OpCode.SESSION_TERMINATE,
    }
)


class Inside(msgspec.Struct, frozen=True, kw_only=True):
    """A node behind its authentication: ``answering`` believes who its askers say they are.

    Only what runs in this process and has proved them, by ``proofs``, may ask it. Listeners ask what `outside` puts in front.
    """

    answering: Link
    lookup: Lookup
    proofs: Proofs
    authority: Authority
    search: Search
    read_only: bool = False


def delegating_inside(
    store: RecordStore,
    administrators: Iterable[Reference] = (),
    follow: Follow | None = None,
    mirrors: Iterable[Reference] | None = (),
    site: Site | ServerKeys | None = None,
    other: OtherRegistry | None = None,
) -> Inside:
    """Root, top-level and second-level nodes: they know who stands below them, and records of their own.

    A root refers to the root of an ``other`` registry too.
    """
    search = Search(store, _authority(store, administrators, follow))
    answering: Link = Refer(store, _keeping(store, search, mirrors))
    if other is not None:
        answering = Onward(store, other, answering)
    return _inside(answering, search, follow, mirrors is None, site)


def enterprise_inside(
    store: RecordStore,
    administrators: Iterable[Reference] = (),
    follow: Follow | None = None,
    mirrors: Iterable[Reference] | None = (),
    site: Site | ServerKeys | None = None,
) -> Inside:
    """An enterprise node: it answers for its prefixes, and nothing stands below it."""
    search = Search(store, _authority(store, administrators, follow))
    return _inside(_keeping(store, search, mirrors), search, follow, mirrors is None, site)


def outside(inside: Inside, signer: Signer | ServerKeys | None = None, *, serves: Collection[OpCode] = ()) -> Link:
    """What listeners ask: it finds out itself who their askers are. ``serves`` are operations beyond those of every node."""
    table = SessionTable()
    known = Authenticate(inside.answering, inside.lookup, table, inside.proofs)
    return Guard(Certify(Sessions(known, table, inside.lookup), signer, table), serves=_SERVED | frozenset(serves))


def delegating(
    store: RecordStore,
    administrators: Iterable[Reference] = (),
    follow: Follow | None = None,
    signer: Signer | ServerKeys | None = None,
    mirrors: Iterable[Reference] | None = (),
    other: OtherRegistry | None = None,
) -> Link:
    """See `delegating_inside`; for listeners."""
    return outside(delegating_inside(store, administrators, follow, mirrors, other=other), signer)


def enterprise(
    store: RecordStore,
    administrators: Iterable[Reference] = (),
    follow: Follow | None = None,
    signer: Signer | ServerKeys | None = None,
    mirrors: Iterable[Reference] | None = (),
) -> Link:
    """See `enterprise_inside`; for listeners."""
    return outside(enterprise_inside(store, administrators, follow, mirrors), signer)


def recursive(root: Sequence[Value], ask: Ask, converse: Converse | None = None) -> Link:
    """A recursive node: it keeps what it has found, and knows nothing but the root.

    With ``converse`` it carries the proofs of users to the responsible nodes, who ask for that by a flag.
    """
    follow = Follow(root, ask)
    if converse is None:
        return Guard(Cache(follow))
    return Guard(Forward(follow, converse, Cache(follow)), serves={OpCode.RESOLVE, OpCode.CHALLENGE_RESPONSE})


def _authority(store: RecordStore, administrators: Iterable[Reference], follow: Follow | None) -> Authority:
    lookup = Lookup(store, follow.values_of if follow else None)
    return Authority(lookup, administrators, Templates(lookup, Kept(store.registry)))


def _keeping(store: RecordStore, search: Search, mirrors: Iterable[Reference] | None) -> Link:
    """A primary site takes changes and tells its mirrors; a mirror (None) does neither."""
    authority = search.authority
    answer = Answer(store, authority, search)
    if mirrors is None:
        return Register(store, authority, answer, read_only=True)
    return Register(store, authority, Replicate(store, authority, answer, mirrors))


def _inside(answering: Link, search: Search, follow: Follow | None, read_only: bool, site: Site | ServerKeys | None) -> Inside:
    lookup = search.authority.lookup
    return Inside(
        answering=answering if site is None else Introduce(site, answering),
        lookup=lookup,
        proofs=Proofs(lookup, follow.holds if follow else None),
        authority=search.authority,
        search=search,
        read_only=read_only,
    )
