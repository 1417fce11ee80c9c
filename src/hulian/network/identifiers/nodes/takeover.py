"""Emergency takeover: a node answers for one below it while most probes see that one down, and steps back afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

import anyio
import anyio.to_thread
import msgspec
import structlog

from hulian.kernel.errors import HulianError
from hulian.network.identifiers.chain.contract import Link
from hulian.network.identifiers.chain.follow import Follow
from hulian.network.identifiers.nodes.tiers import enterprise_inside
from hulian.network.identifiers.statistics.events import FaultEvent
from hulian.network.identifiers.statistics.faults import Faults
from hulian.network.identifiers.statistics.votes import Poll, Verdict
from hulian.network.identifiers.store import RecordChangedError, RecordStore, key_of
from hulian.network.identifiers.wire.typed.site import Site
from hulian.network.identifiers.wire.values import Value, unpack_values

__all__ = ["INDEX", "TakeOver"]

INDEX: Final = 9_911
"""Of the HS_SITE that stands in the record of a prefix while somebody else answers for it."""

TTL: Final = 60
_LOOK: Final = 1.0
_BY: Final = "takeover"
_log = structlog.get_logger(__name__)


class TakeOver:
    """Watches ``poll`` for each prefix of ``copies``: what is held of its records, kept up to date by a mirror.

    When most see the prefix's node down, what ``site`` gives then is put beside its own in the prefix's record in ``store``, as
    a site that is not primary and is believed for a minute: askers who get no answer at one go to the other. `copy_of` is then
    what answers.
    When most have seen it up for ``hold`` seconds without a break, the site is taken out again. Where there is no majority
    nothing changes. Both are changes in the log of ``store``; a node that is restarted goes on where it was.
    """

    def __init__(
        self,
        store: RecordStore,
        copies: Mapping[str, RecordStore],
        site: Callable[[], Site],
        poll: Poll,
        follow: Follow | None = None,
        *,
        hold: float = 60.0,
        seconds: float = _LOOK,
    ) -> None:
        self._store = store
        self._copies = dict(copies)
        self._links: dict[bytes, Link] = {
            key_of(prefix): enterprise_inside(copy, (), follow, None).answering for prefix, copy in copies.items()
        }
        self._site = site
        self.poll = poll
        self._hold, self._seconds = hold, seconds
        self._up_since: dict[str, float] = {}
        self._taken = {key_of(prefix) for prefix in copies if self._emergency(prefix)}

    def copy_of(self, prefix: bytes) -> Link | None:
        """What answers for ``prefix`` (a key) now; None while its own node does."""
        return self._links.get(prefix) if prefix in self._taken else None

    def taken(self, prefix: str) -> bool:
        """Whether this node answers for ``prefix``."""
        return key_of(prefix) in self._taken

    async def run(self, faults: Faults) -> None:
        """Until cancelled."""
        for prefix in self._copies:
            if self.taken(prefix):
                faults.began(FaultEvent.TAKEN_OVER, prefix, "its node was down before this one was restarted")
        while True:
            for prefix in self._copies:
                try:
                    await self._look(prefix, faults)
                except (HulianError, ValueError) as error:  # the next look tries again
                    _log.warning("a takeover is not possible", prefix=prefix, reason=str(error))
            await anyio.sleep(self._seconds)

    async def _look(self, prefix: str, faults: Faults) -> None:
        verdict = self.poll.verdict(prefix)
        if verdict is not Verdict.UP:
            self._up_since.pop(prefix, None)
        if verdict is Verdict.DOWN and not self.taken(prefix):
            await anyio.to_thread.run_sync(self._change, prefix, True)
            self._taken.add(key_of(prefix))
            votes = self.poll.fresh(prefix).values()
            down = [vote for vote in votes if not vote.up]
            told = f"{len(down)} of {len(votes)} probes see it down: {down[0].reason or 'no reason was given'}"
            faults.began(FaultEvent.TAKEN_OVER, prefix, told)
        elif verdict is Verdict.UP and self.taken(prefix):
            since = self._up_since.setdefault(prefix, time.monotonic())
            if time.monotonic() - since >= self._hold:
                await anyio.to_thread.run_sync(self._change, prefix, False)
                self._taken.discard(key_of(prefix))
                del self._up_since[prefix]
                faults.ended(FaultEvent.TAKEN_OVER, prefix)

    def _emergency(self, prefix: str) -> bool:
        packed = self._store.packed(key_of(f"0.NA/{prefix}"))
        return packed is not None and any(value.index == INDEX for value in unpack_values(packed))

    def _change(self, prefix: str, standing: bool) -> None:
        """The record of the prefix with our site in it, or without. Raises `RecordChangedError` where others write as well."""
        handle = f"0.NA/{prefix}"
        packed = self._store.packed(key_of(handle))
        if packed is None:
            raise RecordChangedError(f"{handle} is not delegated from here")
        before = unpack_values(packed)
        after = [value for value in before if value.index != INDEX]
        if standing:
            now, site = int(time.time()), msgspec.structs.replace(self._site(), flags=0)
            after.append(Value(index=INDEX, type="HS_SITE", data=site.pack(), ttl=TTL, timestamp=now))
        self._store.swap(handle, packed, after, by=_BY)
