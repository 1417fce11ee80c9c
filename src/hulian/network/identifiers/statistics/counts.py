"""What was counted in a span of time. Two spans side by side make one: `Counts.add` is all that rolling up needs."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from hulian.network.identifiers.wire.codes import OpCode, ResponseCode

__all__ = ["Counts", "Kind", "Latency", "Taken", "kind_of"]


class Kind(StrEnum):
    """What a question was for."""

    RESOLVE = "resolve"
    REGISTER = "register"
    OTHER = "other"


_REGISTERS: Final = frozenset(
    (
        OpCode.CREATE,
        OpCode.DELETE,
        OpCode.ADD_VALUES,
        OpCode.REMOVE_VALUES,
        OpCode.MODIFY_VALUES,
        OpCode.CHANGE_VALUES,
    )
)


def kind_of(op_code: int) -> Kind:
    """What a message of ``op_code`` is for.

    >>> kind_of(1), kind_of(100), kind_of(2)
    (<Kind.RESOLVE: 'resolve'>, <Kind.REGISTER: 'register'>, <Kind.OTHER: 'other'>)
    """
    if op_code == OpCode.RESOLVE:
        return Kind.RESOLVE
    return Kind.REGISTER if op_code in _REGISTERS else Kind.OTHER


class Latency(msgspec.Struct):
    """Times of ``count`` answers: their sum, the least and the most in ns, and when those were, in Unix ms."""

    count: int = 0
    total: int = 0
    least: int = 0
    most: int = 0
    least_at: int = 0
    most_at: int = 0

    @property
    def mean(self) -> float:
        """In ns; 0 where there was none."""
        return self.total / self.count if self.count else 0.0

    def add(self, other: Latency) -> None:
        """Those of ``other`` as well; of equal ones the earlier counts."""
        if not other.count:
            return
        if not self.count or (other.least, other.least_at) < (self.least, self.least_at):
            self.least, self.least_at = other.least, other.least_at
        if not self.count or (-other.most, other.most_at) < (-self.most, self.most_at):
            self.most, self.most_at = other.most, other.most_at
        self.count += other.count
        self.total += other.total

    def took(self, count: int, at: int, nanoseconds: int) -> None:
        """``count`` answers at ``at`` (Unix ms), ``nanoseconds`` each."""
        if not self.count or nanoseconds < self.least:
            self.least, self.least_at = nanoseconds, at
        if not self.count or nanoseconds > self.most:
            self.most, self.most_at = nanoseconds, at
        self.count += count
        self.total += count * nanoseconds


class Taken(msgspec.Struct):
    """What a tally held since it was taken the last time.

    ``answers`` by kind and response code, ``latency`` by kind, ``seconds`` by Unix second. ``sources`` are questions by network
    (IPv6 form, 16 bytes); ``others`` are those of networks for which there was no room.
    """

    answers: dict[Kind, dict[int, int]]
    latency: dict[Kind, Latency]
    seconds: dict[int, int]
    sources: dict[bytes, int]
    others: int = 0

    @classmethod
    def nothing(cls) -> Taken:
        return cls({}, {}, {}, {})

    def add(self, other: Taken) -> None:
        """What ``other`` holds as well."""
        add_answers(self.answers, other.answers)
        for kind, latency in other.latency.items():
            self.latency.setdefault(kind, Latency()).add(latency)
        for second, count in other.seconds.items():
            self.seconds[second] = self.seconds.get(second, 0) + count
        for network, count in other.sources.items():
            self.sources[network] = self.sources.get(network, 0) + count
        self.others += other.others


class Counts(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A span of time of one node.

    ``answers`` by kind and response code; ``dropped`` were not answered, ``over_budget`` of them because their source had drawn
    its share. ``peak`` questions were answered in the Unix second ``peak_at``. ``created``, ``changed`` and ``deleted`` are
    records; ``registered`` is how many there were at the end, -1 where nobody knows.
    """

    answers: dict[Kind, dict[int, int]] = {}
    latency: dict[Kind, Latency] = {}
    dropped: int = 0
    over_budget: int = 0
    peak: int = 0
    peak_at: int = 0
    created: int = 0
    changed: int = 0
    deleted: int = 0
    registered: int = -1

    def answered(self, kind: Kind | None = None) -> int:
        """Questions of ``kind``, or of all, that were answered, whatever the answer said."""
        return sum(sum(codes.values()) for one, codes in self.answers.items() if kind in (None, one))

    def succeeded(self, kind: Kind | None = None) -> int:
        """Of them those with an answer of success."""
        return sum(codes.get(ResponseCode.SUCCESS.value, 0) for one, codes in self.answers.items() if kind in (None, one))

    @property
    def requests(self) -> int:
        """Everything that came, answered or not."""
        return self.answered() + self.dropped

    @property
    def empty(self) -> bool:
        """Whether nothing happened."""
        return not (self.answers or self.dropped or self.peak or self.created or self.changed or self.deleted)

    def take(self, taken: Taken) -> None:
        """What a tally held; its seconds are the collector's to look at, and its sources are kept apart."""
        add_answers(self.answers, taken.answers)
        for kind, latency in taken.latency.items():
            self.latency.setdefault(kind, Latency()).add(latency)

    def peaked(self, second: int, count: int) -> None:
        """``count`` questions were answered in ``second``."""
        if count > self.peak:
            self.peak, self.peak_at = count, second

    def add(self, later: Counts) -> None:
        """The span behind this one as well."""
        add_answers(self.answers, later.answers)
        for kind, latency in later.latency.items():
            self.latency.setdefault(kind, Latency()).add(latency)
        self.peaked(later.peak_at, later.peak)
        for name in ("dropped", "over_budget", "created", "changed", "deleted"):
            setattr(self, name, getattr(self, name) + getattr(later, name))
        if later.registered >= 0:
            self.registered = later.registered


def add_answers(to: dict[Kind, dict[int, int]], more: dict[Kind, dict[int, int]]) -> None:
    """Sums of two tables of answers."""
    for kind, codes in more.items():
        table = to.setdefault(kind, {})
        for code, count in codes.items():
            table[code] = table.get(code, 0) + count
