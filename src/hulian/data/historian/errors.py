"""What can go wrong with the store of time series.

HistorianError                  HL-HISTORIAN-0000
├── StoreLockedError            HL-HISTORIAN-0001   another process owns the directory
├── StoreVersionError           HL-HISTORIAN-0002   written by a newer Hulian
├── RequestError                HL-HISTORIAN-0003   a request that makes no sense
├── QueryLimitError             HL-HISTORIAN-0004   a query passed its bound; ``bound`` names it
├── QueryCancelledError         HL-HISTORIAN-0005
├── StoreError                  HL-HISTORIAN-0006   the engine failed
│   └── StoreFullError          HL-HISTORIAN-0007   no room on the disk
├── ClosedError                 HL-HISTORIAN-0008   used after `close`
├── BackupError                 HL-HISTORIAN-0009
├── DataError                   HL-HISTORIAN-0010   a file to import that does not hold what it should
└── ServerError                 HL-HISTORIAN-0011   the ClickHouse server cannot be reached or used
"""

from __future__ import annotations

from hulian.kernel.errors import HulianError

__all__ = [
    "BackupError",
    "ClosedError",
    "DataError",
    "HistorianError",
    "QueryCancelledError",
    "QueryLimitError",
    "RequestError",
    "ServerError",
    "StoreError",
    "StoreFullError",
    "StoreLockedError",
    "StoreVersionError",
]


class HistorianError(HulianError):
    """The root of this room."""

    code = "HL-HISTORIAN-0000"


class StoreLockedError(HistorianError):
    """Another process owns the directory; nothing was opened."""

    code = "HL-HISTORIAN-0001"
    default_hint = "one process owns a historian: stop the other one, or ask it over the spine"


class StoreVersionError(HistorianError):
    """The store was written by a newer Hulian; nothing was touched."""

    code = "HL-HISTORIAN-0002"
    default_hint = "upgrade Hulian, or restore a backup of the older version into an empty directory"


class RequestError(HistorianError):
    """A request that makes no sense: an unknown function, an empty window, a step that is not positive."""

    code = "HL-HISTORIAN-0003"


class QueryLimitError(HistorianError):
    """A query passed its bound and was ended; ``bound`` is ``memory``, ``seconds``, ``rows`` or ``waiting``."""

    code = "HL-HISTORIAN-0004"

    def __init__(self, message: str, *, bound: str = "", place: str = "", hint: str = "") -> None:
        super().__init__(message, place=place or bound, hint=hint or "ask for a shorter window, fewer series or a larger step")
        self.bound = bound or place


class QueryCancelledError(HistorianError):
    """Whoever asked went away, and the query was ended."""

    code = "HL-HISTORIAN-0005"


class StoreError(HistorianError):
    """The engine failed. An insert that raises it may be repeated with the same token."""

    code = "HL-HISTORIAN-0006"
    default_hint = "the same call may be repeated; see the historian's log for the engine's words"


class StoreFullError(StoreError):
    """There is no room on the disk. Nothing acknowledged is lost; inserts succeed again once there is room."""

    code = "HL-HISTORIAN-0007"
    default_hint = "free space on the disk of the historian, or lower historian.retention"


class ClosedError(HistorianError):
    """The historian was closed."""

    code = "HL-HISTORIAN-0008"


class BackupError(HistorianError):
    """A backup or a restore that cannot be done; what was there before is as it was."""

    code = "HL-HISTORIAN-0009"


class DataError(HistorianError):
    """A file to import does not hold what it should; the place names its line and column."""

    code = "HL-HISTORIAN-0010"


class ServerError(HistorianError):
    """The ClickHouse server cannot be reached or refuses us."""

    code = "HL-HISTORIAN-0011"
    default_hint = "check historian.server: address, user, password and that the user may create tables"
