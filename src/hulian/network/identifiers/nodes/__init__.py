"""The order of the links, for each tier: root, top level, second level, enterprise, recursive. They open no socket."""

from __future__ import annotations

from collections.abc import Sequence

from hulian.network.identifiers.chain.answer import Answer
from hulian.network.identifiers.chain.cache import Cache
from hulian.network.identifiers.chain.contract import Link
from hulian.network.identifiers.chain.follow import Ask, Follow
from hulian.network.identifiers.chain.guard import Guard
from hulian.network.identifiers.chain.refer import Refer
from hulian.network.identifiers.store import RecordStore
from hulian.network.identifiers.wire.values import Value

__all__ = ["delegating", "enterprise", "recursive"]


def delegating(store: RecordStore) -> Link:
    """Root, top-level and second-level nodes: they know who stands below them, and records of their own."""
    return Guard(Refer(store, Answer(store)))


def enterprise(store: RecordStore) -> Link:
    """An enterprise node: it answers for its prefixes, and nothing stands below it."""
    return Guard(Answer(store))


def recursive(root: Sequence[Value], ask: Ask) -> Link:
    """A recursive node: it keeps what it has found, and knows nothing but the root."""
    return Guard(Cache(Follow(root, ask)))
