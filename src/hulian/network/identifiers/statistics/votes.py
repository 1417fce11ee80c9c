"""What probes say of a node, and when most of them are believed: no probe alone decides, and no old word counts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Final

import msgspec

from hulian.kernel.unreadable import UNREADABLE
from hulian.network.identifiers.statistics.errors import AgeError, SealError, SenderError
from hulian.network.identifiers.statistics.sealed import Sealed
from hulian.network.identifiers.wire.names import key_of
from hulian.network.identifiers.wire.values import Reference

__all__ = ["QUORUM", "SHARE", "Poll", "Verdict", "Vote"]

QUORUM: Final = 3
"""Fresh votes without which nothing is said."""

SHARE: Final = 0.51
"""Of the fresh votes, for either verdict: what the national system asks for an emergency takeover."""


class Verdict(StrEnum):
    """What most probes say of a node."""

    UP = "up"
    DOWN = "down"
    UNKNOWN = "unknown"


class Vote(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one probe saw of the node of ``prefix``: whether it resolves and registers, and how long resolving took (ms)."""

    prefix: str
    resolves: bool
    registers: bool
    latency_ms: float | None = None
    reason: str = ""

    @property
    def up(self) -> bool:
        """A node that does only one of both is down."""
        return self.resolves and self.registers


class _Cast(msgspec.Struct, frozen=True):
    vote: Vote
    at: int
    received: float


class Poll:
    """The last vote of each of ``probes`` about each of ``prefixes``; nobody else has one.

    A vote counts for ``fresh`` seconds from when it was received. One that was signed before the last one of its probe is
    refused, so that none can be used twice. There are never more votes than probes times prefixes.
    """

    def __init__(
        self,
        probes: Iterable[Reference],
        prefixes: Iterable[str],
        *,
        fresh: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._probes = {_name(probe) for probe in probes}
        self._prefixes = {_compared(prefix) for prefix in prefixes}
        self._fresh = fresh
        self._clock = clock
        self._cast: dict[str, dict[str, _Cast]] = {prefix: {} for prefix in self._prefixes}

    @property
    def prefixes(self) -> list[str]:
        """What is voted about, in upper case."""
        return sorted(self._prefixes)

    def knows(self, who: Reference) -> bool:
        """Whether ``who`` is one of the probes: to be asked before any signature is looked at."""
        return _name(who) in self._probes

    def cast(self, who: Reference, sealed: Sealed) -> Vote:
        """Takes the vote in ``sealed``, which ``who`` has proved to have signed.

        Raises `SenderError`, `SealError` for what is no vote, `AgeError` for one that is not newer than the last.
        """
        if not self.knows(who):
            raise SenderError(f"{who} is no probe of this node")
        try:
            vote = msgspec.json.decode(sealed.document, type=Vote)
        except UNREADABLE as error:
            raise SealError(f"no vote: {error}") from None
        about = self._cast.get(_compared(vote.prefix))
        if about is None:
            raise SenderError(f"nobody votes about {vote.prefix[:80]} here")
        before = about.get(_name(who))
        if before is not None and before.at >= sealed.at:
            raise AgeError("a later vote of this probe was received before")
        about[_name(who)] = _Cast(vote, sealed.at, self._clock())
        return vote

    def fresh(self, prefix: str) -> dict[str, Vote]:
        """The votes about ``prefix`` that count now, by probe."""
        since = self._clock() - self._fresh
        return {who: one.vote for who, one in self._cast.get(_compared(prefix), {}).items() if one.received >= since}

    def verdict(self, prefix: str) -> Verdict:
        """What at least `SHARE` of at least `QUORUM` fresh votes say; unknown where there is no such majority."""
        votes = list(self.fresh(prefix).values())
        if len(votes) < QUORUM:
            return Verdict.UNKNOWN
        up = sum(vote.up for vote in votes)
        if up >= SHARE * len(votes):
            return Verdict.UP
        return Verdict.DOWN if len(votes) - up >= SHARE * len(votes) else Verdict.UNKNOWN


def _name(who: Reference) -> str:
    return f"{who.index}:{_compared(who.handle)}"


def _compared(handle: str) -> str:
    return key_of(handle).decode()
