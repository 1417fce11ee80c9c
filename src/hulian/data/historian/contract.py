"""The historian's interface: append and query time series. Two engines implement it: embedded (chdb) and server.

Every request is a message type of its own, so that it travels as it is: `Request` is a tagged union, JSON on the wire.
Times are UTC ns, ranges are half open ``[start, end)``. Series ids are uint64. Results are Arrow, in chunks; a series that the
store does not know gives no rows.

**Repeated instants.** A series has one valid sample an instant. Where an instant was stored more than once (a device sent it
again, history was imported twice, a person corrected it) the version stored last is valid, in every query and every roll-up;
within one block it is the later row. Earlier versions stay readable by `Versions`. Samples may come late and in any order.

**Usable** is a sample with a value that is neither NaN nor of bad status; uncertain ones are usable.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import msgspec
import pyarrow as pa

from hulian.kernel.event import Event
from hulian.kernel.sample import Columns
from hulian.kernel.storage import StorageClass

__all__ = [
    "AGGREGATES",
    "DEFAULT_LIMITS",
    "Aggregate",
    "Aligned",
    "Annotate",
    "Annotations",
    "Cancellation",
    "Correct",
    "Downsample",
    "Events",
    "Historian",
    "Instants",
    "LastValues",
    "Limits",
    "RawWindow",
    "Request",
    "Size",
    "TimeInState",
    "Versions",
]

AGGREGATES = (
    "mean",
    "min",
    "max",
    "count",
    "sum",
    "first",
    "last",
    "stddev",
    "time_weighted_mean",
    "p01",
    "p05",
    "p25",
    "p50",
    "p75",
    "p95",
    "p99",
)
"""What `Aggregate.functions` may hold. Any ``pNN`` from p01 to p99 is a percentile."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The bound of one query; what passes it ends with `QueryLimitError`, which names the bound."""

    memory: int = 256 * 2**20
    seconds: float = 30.0
    threads: int = 1
    rows: int = 5_000_000


DEFAULT_LIMITS = Limits()


class Cancellation:
    """How whoever asked ends a query from another thread; a query that was not begun yet does not begin."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cancelled = False
        self._calls: list[Callable[[], None]] = []

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._cancelled

    def cancel(self) -> None:
        """Ends the query; it raises `QueryCancelledError` where it runs. More calls do nothing."""
        with self._lock:
            self._cancelled = True
            calls, self._calls = self._calls, []
        for call in calls:
            call()

    def register(self, call: Callable[[], None]) -> Callable[[], None]:
        """For engines: ``call`` ends what runs now. Returns what forgets it."""
        with self._lock:
            if not self._cancelled:
                self._calls.append(call)
                return lambda: self._forget(call)
        call()
        return lambda: None

    def _forget(self, call: Callable[[], None]) -> None:
        with self._lock:
            if call in self._calls:
                self._calls.remove(call)


class LastValues(msgspec.Struct, frozen=True, kw_only=True, tag="last"):
    """The newest sample of each series: (series, time, value, status, storage); ``value`` as text, ``number`` as float64
    where it is a number. All series where the list is empty."""

    series: Sequence[int] = ()


class RawWindow(msgspec.Struct, frozen=True, kw_only=True, tag="raw"):
    """Every sample of the series in the window, in (series, time) order: (series, time, value, status). One storage class.

    ``bounds`` adds, per series, the last sample before ``start`` and the first at or after ``end``, so that a trend has no
    open ends. A ``limit`` cuts and says so: the schema of the last batch has the metadata ``truncated``."""

    series: Sequence[int]
    start: int
    end: int
    storage: StorageClass = StorageClass.DOUBLE
    bounds: bool = False
    limit: int = 1_000_000


class Aggregate(msgspec.Struct, frozen=True, kw_only=True, tag="aggregate"):
    """One row a series and step that holds samples: (series, time = start of the step, a column a function, ``good`` =
    share of good samples). Steps are counted from ``start``. Samples that are not usable count only in ``count`` and
    ``good``; a function of no usable samples is null, and so is ``stddev`` (of the sample, n - 1) of one.
    ``time_weighted_mean`` lets each value hold until the next sample, from before the step and up to ``end``; stretches that
    are not usable do not weigh. Roll-ups are used where they give the exact answer (the metadata ``resolution`` says which):
    ``start`` and ``step`` are then whole minutes or hours, so ask with a ``start`` on the grid of the step."""

    series: Sequence[int]
    start: int
    end: int
    step: int
    functions: Sequence[str] = ("mean",)
    storage: StorageClass = StorageClass.DOUBLE


class TimeInState(msgspec.Struct, frozen=True, kw_only=True, tag="states"):
    """How long each value held: (series, value as text, seconds, changes), for integer, boolean, text and structure series.

    ``changes`` counts how often it was entered within the window. What is bad or has no value stands under null."""

    series: Sequence[int]
    start: int
    end: int
    storage: StorageClass = StorageClass.INTEGER


class Instants(msgspec.Struct, frozen=True, kw_only=True, tag="instants"):
    """Values at given instants: (series, time, value, status). ``linear`` interpolates doubles between good neighbours; else
    the last value holds. Where there is no sample before, the value is null and the status BAD_NO_DATA. Instants come back
    in order, each once."""

    series: Sequence[int]
    instants: Sequence[int]
    linear: bool = False
    storage: StorageClass = StorageClass.DOUBLE


class Downsample(msgspec.Struct, frozen=True, kw_only=True, tag="downsample"):
    """At most about ``points`` samples a series that draw the same line, extremes kept (MinMaxLTTB): (series, time, value,
    status), each a sample that was stored. Taken from raw samples or from the roll-ups of minutes or hours, whichever is
    enough; ``resolution`` in the metadata says which. A sample without a value marks where the line breaks. Integers and
    booleans are drawn as doubles."""

    series: Sequence[int]
    start: int
    end: int
    points: int = 2000


class Aligned(msgspec.Struct, frozen=True, kw_only=True, tag="aligned"):
    """Several series on one time axis: one row a step, time, then one column a known numeric series (named by its id) with
    the mean of each step; with ``fill`` the last value holds over empty steps."""

    series: Sequence[int]
    start: int
    end: int
    step: int
    fill: bool = False


class Events(msgspec.Struct, frozen=True, kw_only=True, tag="events"):
    """Events, newest first: time, code, severity, component, subject, message, hint, active, details (JSON)."""

    start: int = 0
    end: int = 2**62
    severities: Sequence[str] = ()
    subject: str = ""
    limit: int = 500


class Annotations(msgspec.Struct, frozen=True, kw_only=True, tag="annotations"):
    """Annotations that touch the window: id, series (0: all), start, end, author, text, created."""

    series: Sequence[int] = ()
    start: int = 0
    end: int = 2**62


class Versions(msgspec.Struct, frozen=True, kw_only=True, tag="versions"):
    """Every version of every sample, corrected ones included, in (series, time, version) order: (series, time, value, status,
    version, author, reason, created); the last three are null where the sample came from its source."""

    series: Sequence[int]
    start: int
    end: int
    storage: StorageClass = StorageClass.DOUBLE


Request = LastValues | RawWindow | Aggregate | TimeInState | Instants | Downsample | Aligned | Events | Annotations | Versions


class Annotate(msgspec.Struct, frozen=True, kw_only=True):
    """A note of a person at a time or over a span; the same ``id`` again replaces it, an empty text removes it."""

    id: str
    series: int
    start: int
    end: int
    author: str
    text: str
    created: int


class Correct(msgspec.Struct, frozen=True, kw_only=True):
    """A person replaces values: the new samples are valid from now on, the old ones stay readable by `Versions`, with author
    and reason. Roll-ups follow."""

    columns: Columns
    author: str
    reason: str


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """What a table holds and takes on disk."""

    rows: int
    bytes: int
    oldest: int
    newest: int


class Historian(Protocol):
    """One store, owned by one process. All calls block and may come from several threads; inserts from one at a time.

    `insert` is all or nothing: after it returns, the samples survive ``kill -9`` (``power``: a power cut). The same ``token``
    with the same columns again changes nothing, in the raw tables and in every roll-up, whatever happened in between.
    """

    def insert(self, columns: Sequence[Columns], token: str) -> None: ...

    def insert_events(self, events: Sequence[Event], token: str) -> None: ...

    def query(
        self, request: Request, limits: Limits = DEFAULT_LIMITS, cancellation: Cancellation | None = None
    ) -> Iterator[pa.RecordBatch]: ...

    def correct(self, correction: Correct) -> None: ...

    def annotate(self, annotation: Annotate) -> None: ...

    def sizes(self) -> Mapping[str, Size]: ...

    def enforce_retention(self) -> Iterable[Event]:
        """Drops what is older or more than configured; an event names what went. Also settles the roll-ups of hours in which
        instants repeat, so call it every few minutes."""
        ...

    def backup(self, directory: str) -> Mapping[str, Any]:
        """A consistent copy into ``directory`` while inserts wait as shortly as the engine allows; `restore` reads it."""
        ...

    def close(self) -> None: ...
