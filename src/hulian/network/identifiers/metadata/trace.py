"""Traces a thing through the records of every enterprise: down to what it is made of, up to what it became part of.

Down follows the references of records as they are written: HULIAN.CONTAINS, HULIAN.MADE_OF, HULIAN.PART_OF_BATCH and
HULIAN.PRODUCED_BY, each at whichever node answers for it. Up follows them backwards, and nobody keeps an index of the world:
the node of a thing knows which of its own records refer to it, and what its record was given as HULIAN.REFERRED_BY values by
who refers to it elsewhere. The nodes of partners can be asked what of theirs refers to it. Whatever is claimed is looked at: a
referrer whose own record does not refer to the thing is shown as unconfirmed, and not followed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Final, Protocol

import anyio
import msgspec

from hulian.kernel.errors import HulianError
from hulian.network.identifiers.metadata.attributes import is_handle
from hulian.network.identifiers.store import key_of, zero_na
from hulian.network.identifiers.store.kinds import REFERRED_BY, RELATIONS
from hulian.network.identifiers.wire.codes import ResponseCode, response_text
from hulian.network.identifiers.wire.values import Value

__all__ = ["DEEPEST", "MOST", "MOST_PARTNERS", "Direction", "Resolve", "State", "Step", "trace"]

DEEPEST: Final = 64
MOST: Final = 10_000
"""Things of one trace."""

MOST_PARTNERS: Final = 16
AT_ONCE: Final = 8
_PLACES: Final = 4
"""Places in the tree for each thing of its bound: one that was seen before takes a place, too."""


class Direction(StrEnum):
    """Which way references are followed."""

    DOWN = "down"
    UP = "up"


class State(StrEnum):
    """What is known of a thing on the path."""

    FOLLOWED = "followed"
    SEEN = "seen"
    """It stands elsewhere in the tree already, with what is behind it."""
    DEEPER = "deeper"
    """There may be more behind it: it was not asked, for its depth or the number of things."""
    MISSING = "missing"
    """There is no such record."""
    PRIVATE = "private"
    """Its node does not tell who asks."""
    UNREACHABLE = "unreachable"
    """No node that answers for it could be asked; ``said`` is why."""
    UNCONFIRMED = "unconfirmed"
    """It is said to refer to the thing before it, and its own record does not say so."""


class Step(msgspec.Struct, kw_only=True):
    """One thing: how the one before it is related to it (``kind``, empty for the first), and what is behind it.

    ``more`` where its node, or a bound, left out some of what is behind it.
    """

    handle: str
    kind: str = ""
    state: State = State.DEEPER
    said: str = ""
    more: bool = False
    steps: list[Step] = []

    def all(self) -> Iterator[Step]:
        """This and every one behind it, in the order of the tree."""
        waiting = [self]
        while waiting:
            one = waiting.pop()
            yield one
            waiting.extend(reversed(one.steps))


class Resolve(Protocol):
    """Values of a handle, of these types, at whichever node answers for it: the response code and the values.

    Raises `HulianError` where nobody could be asked; the trace goes on beside it.
    """

    async def __call__(self, handle: str, types: tuple[str, ...], /) -> tuple[int, tuple[Value, ...]]: ...


async def trace(
    resolve: Resolve,
    handle: str,
    direction: Direction,
    *,
    depth: int = 10,
    most: int = 1_000,
    partners: Mapping[str, Resolve] | None = None,
) -> Step:
    """The tree of what is behind ``handle``, at most ``depth`` steps deep and of ``most`` things.

    On the way up ``partners``, by their prefixes, are asked as well who of theirs refers to a thing of somebody else's
    (`MOST_PARTNERS` of them at most). What they say is looked at like every other claim.

    Things are asked level by level, eight at once, and each once. What cannot be had is a `Step` with its state: nothing of
    it fails the trace.
    """
    beside = dict(list((partners or {}).items())[:MOST_PARTNERS])
    return await _Trace(resolve, direction, min(depth, DEEPEST), min(most, MOST), beside).run(handle)


class _Trace:
    def __init__(self, resolve: Resolve, direction: Direction, depth: int, most: int, partners: Mapping[str, Resolve]) -> None:
        self._resolve = resolve
        self._up = direction is Direction.UP
        self._partners = {zero_na(prefix): (prefix, ask) for prefix, ask in partners.items()} if self._up else {}
        self._depth = depth
        self._most = most
        self._limit = anyio.CapacityLimiter(AT_ONCE)
        self._seen: set[bytes] = set()
        self._room = _PLACES * most

    async def run(self, handle: str) -> Step:
        first = Step(handle=handle)
        self._seen.add(key_of(handle))
        level: list[tuple[Step, Step | None]] = [(first, None)]
        for depth in range(self._depth + 1):
            last = depth == self._depth
            async with anyio.create_task_group() as group:
                for step, parent in level:
                    if not last or (self._up and parent):
                        group.start_soon(self._asked, step, parent, last)
            level = [found for step, _ in level for found in self._behind(step)]
            if not level:
                break
        return first

    async def _asked(self, step: Step, parent: Step | None, last: bool) -> None:
        """Fills in the state of ``step``, and what is behind it."""
        async with self._limit:
            try:
                code, values = await self._resolve(step.handle, (*RELATIONS, REFERRED_BY) if self._up else RELATIONS)
            except HulianError as error:
                step.state, step.said = State.UNREACHABLE, f"{error.message} ({error.code})"
                return
        if code not in (ResponseCode.SUCCESS, ResponseCode.VALUES_NOT_FOUND):
            missing = code == ResponseCode.HANDLE_NOT_FOUND
            private = code in (ResponseCode.NOT_PERMITTED, ResponseCode.INVALID_ADMIN, ResponseCode.AUTHENTICATION_NEEDED)
            step.state = State.MISSING if missing else State.PRIVATE if private else State.UNREACHABLE
            step.said = "" if missing else response_text(code)
            return
        if self._up and parent is not None and not _refers(values, step.kind, parent.handle):
            step.state = State.UNCONFIRMED
            return
        if self._up:
            values += await self._elsewhere(step)
        behind = _referrers(values) if self._up else _references(values)
        step.more |= any(value.type == f"{REFERRED_BY}MORE" for value in values) or len(behind) > self._room
        if last:
            step.state = State.DEEPER if behind else State.FOLLOWED
            return
        step.state = State.FOLLOWED
        step.steps = [Step(handle=handle, kind=kind) for kind, handle in behind[: self._room]]
        self._room -= len(step.steps)

    async def _elsewhere(self, step: Step) -> tuple[Value, ...]:
        """What partners say refers to ``step``. Who cannot be asked is named, and may know more."""
        found: list[Value] = []
        away = []
        for own, (prefix, ask) in self._partners.items():
            if own == zero_na(step.handle):
                continue  # its own node was asked
            try:
                async with self._limit:
                    code, values = await ask(step.handle, (REFERRED_BY,))
            except HulianError:
                away.append(prefix)
                continue
            if code == ResponseCode.SUCCESS:
                found += values
            elif code != ResponseCode.VALUES_NOT_FOUND:
                away.append(prefix)
        if away:
            step.more, step.said = True, f"not told by {', '.join(away)}"
        return tuple(found)

    def _behind(self, parent: Step) -> Iterator[tuple[Step, Step]]:
        """Those of the next level that have still to be asked."""
        for place, step in enumerate(parent.steps):
            key = key_of(step.handle)
            if key in self._seen:
                step.state = State.SEEN
            elif len(self._seen) >= self._most:
                parent.more = True
                del parent.steps[place:]
                return
            else:
                self._seen.add(key)
                yield step, parent


def _references(values: tuple[Value, ...]) -> list[tuple[str, str]]:
    """Kind and handle of each, once, in the order of the record."""
    found = ((value.type, value.data.decode(errors="replace")) for value in values if value.type in RELATIONS)
    return list(dict.fromkeys(one for one in found if is_handle(one[1])))


def _referrers(values: tuple[Value, ...]) -> list[tuple[str, str]]:
    kinds = {REFERRED_BY + kind.removeprefix("HULIAN."): kind for kind in RELATIONS}
    found: dict[tuple[str, bytes], tuple[str, str]] = {}
    for value in values:
        text = value.data.decode(errors="replace")
        if value.type in kinds and is_handle(text):
            found.setdefault((value.type, key_of(text)), (kinds[value.type], text))
    return list(found.values())


def _refers(values: tuple[Value, ...], kind: str, handle: str) -> bool:
    return any(value.type == kind and key_of(value.data) == key_of(handle) for value in values)
