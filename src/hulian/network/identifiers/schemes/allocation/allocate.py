"""Giving out suffixes: the cursor goes on, the suffixes are made while they are read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from itertools import product
from typing import Final

from hulian.network.identifiers.schemes.allocation.cursor import Cursor
from hulian.network.identifiers.schemes.allocation.permutation import MAXIMUM_BITS, Permutation
from hulian.network.identifiers.schemes.allocation.policy import DIGITS, Policy
from hulian.network.identifiers.schemes.errors import CursorError, ExhaustedError, PolicyError

__all__ = ["Allocation", "allocate", "remaining"]

_BATCH: Final = 4096
_SHORTEST_KEY: Final = 16
_LARGEST_TABLE: Final = 40_000


@dataclass(frozen=True)
class Allocation:
    """``count`` suffixes that nobody else gets, and the cursor behind them. May be iterated again, with the same suffixes.

    Nothing is computed before the iteration, and then one batch at a time.
    """

    policy: Policy
    begin: int
    count: int
    day: date | None
    after: Cursor
    """Where the next call goes on. Keep it before any suffix leaves the program."""
    _key: bytes = field(default=b"", repr=False)

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[str]:
        for batch in self.batches():
            yield from batch

    def batches(self, size: int = _BATCH) -> Iterator[list[str]]:
        """The suffixes in lists of ``size``, the last one shorter."""
        finish = self.policy.finisher(self.day)
        write = _writer(self.policy.alphabet, self.policy.counter.width)
        numbers = self._numbers()
        for begin in range(self.begin, self.begin + self.count, size):
            yield [finish(write(number)) for number in numbers(range(begin, min(begin + size, self.begin + self.count)))]

    def _numbers(self) -> Callable[[range], list[int]]:
        if not self.policy.is_random:
            first = self.policy.first
            return lambda indices: list(range(first + indices.start, first + indices.stop))
        permutation = Permutation(self._key, self.policy.last + 1, f"{self.policy.digest} {self.policy.scope(self.day)}")
        return lambda indices: permutation.apply(list(indices))


def allocate(policy: Policy, cursor: Cursor | None, count: int, *, day: date | None = None, key: bytes = b"") -> Allocation:
    """The next ``count`` suffixes behind ``cursor``; None begins a policy that has never given one.

    ``day`` is needed where the template holds a date, and may not go back where numbers begin anew with it. ``key``, of at
    least 16 octets, is needed for random characters: always the same, kept as a secret. Raises `ExhaustedError` where
    fewer are left, `CursorError` for a cursor of another policy or key, `PolicyError` for what the policy needs.

    >>> given = allocate(Policy.of("P{serial:3}", first=7), None, 2)
    >>> list(given), list(allocate(given.policy, given.after, 1))
    (['P007', 'P008'], ['P009'])
    """
    if count < 0:
        raise PolicyError("less than none is asked for", rule="allocation.count")
    if policy.has_date and day is None:
        raise PolicyError("the template holds a date: give one", rule="allocation.date")
    if policy.is_random and policy.last.bit_length() > MAXIMUM_BITS - 1:
        raise PolicyError(f"so many random characters are more than {MAXIMUM_BITS - 1} bits", rule="allocation.template")
    fingerprint = _fingerprint(policy, key)
    begin = _given(policy, cursor, fingerprint, day)
    left = policy.capacity - begin
    if count > left:
        raise ExhaustedError(f"{count} suffixes are asked for, {left} are left", left=left)
    after = Cursor(policy.digest, fingerprint, policy.scope(day), begin + count)
    return Allocation(policy, begin, count, day, after, key)


def remaining(policy: Policy, cursor: Cursor | None, *, day: date | None = None) -> int:
    """How many `allocate` could still give."""
    return policy.capacity - _given(policy, cursor, cursor.key if cursor else "", day)


def _given(policy: Policy, cursor: Cursor | None, fingerprint: str, day: date | None) -> int:
    scope = policy.scope(day)
    if cursor is None:
        return 0
    if cursor.policy != policy.digest:
        raise CursorError("the cursor belongs to another policy", rule="allocation.cursor")
    if cursor.key != fingerprint:
        raise CursorError(
            "the cursor was made with another key", rule="allocation.key", hint="give the key that the policy began with"
        )
    if cursor.given > policy.capacity:
        raise CursorError("the cursor is beyond the end of its policy", rule="allocation.cursor")
    if scope < cursor.scope:
        raise CursorError(
            f"the date goes back: suffixes were given for {cursor.scope} already",
            rule="allocation.date",
            hint="check the clock",
        )
    return cursor.given if scope == cursor.scope else 0


def _fingerprint(policy: Policy, key: bytes) -> str:
    if not policy.is_random:
        if key:
            raise PolicyError("a policy without random characters takes no key", rule="allocation.key")
        return ""
    if len(key) < _SHORTEST_KEY:
        raise PolicyError(f"random characters need a key of {_SHORTEST_KEY} octets or more", rule="allocation.key")
    return hashlib.blake2b(
        policy.digest.encode(), digest_size=8, key=hashlib.sha256(key).digest(), person=b"hulian-key"
    ).hexdigest()


def _writer(alphabet: str, width: int) -> Callable[[int], str]:
    """What writes a number in this alphabet, filled up to ``width``; several characters a step."""
    if alphabet == DIGITS:
        return (lambda number: f"{number:0{width}d}") if width else str
    step = 1
    while len(alphabet) ** (step + 1) <= _LARGEST_TABLE and step < width:
        step += 1
    table, base = ["".join(found) for found in product(alphabet, repeat=step)], len(alphabet) ** step

    def write(number: int) -> str:
        text = ""
        for _ in range(0, width, step):
            number, digit = divmod(number, base)
            text = table[digit] + text
        return text[-width:]

    return write
