"""What can go wrong between the spine and the historian.

    IngestError                     HL-INGEST-0000
    ├── LedgerError                 HL-INGEST-0001   ingest.db cannot be used
    ├── LedgerVersionError          HL-INGEST-0002   ingest.db was written by a newer Hulian
    ├── BusyError                   HL-INGEST-0003   more queries wait than configured
    ├── AskError                    HL-INGEST-0004   a request that cannot be read
    └── AnswerError                 HL-INGEST-0005   an answer broke off, or carries an error of an unknown kind

Events of this room: 0101 samples are missing, 0102 a message is no sample batch, 0103 a source began anew, 0104 the
stream began anew, 0105 messages left the stream before they were stored, 0106 the historian takes no samples, 0107 a source
counts wrongly, 0108 a query was ended because its asker went away too slowly.
"""

from __future__ import annotations

from hulian.kernel.errors import HulianError

__all__ = ["AnswerError", "AskError", "BusyError", "IngestError", "LedgerError", "LedgerVersionError"]


class IngestError(HulianError):
    """Root of this room's errors."""

    code = "HL-INGEST-0000"


class LedgerError(IngestError):
    """The ledger's database cannot be opened or written."""

    code = "HL-INGEST-0001"
    default_hint = "check that the data directory is writable and its disk has room"


class LedgerVersionError(IngestError):
    """The ledger's database was written by a newer Hulian; nothing was touched."""

    code = "HL-INGEST-0002"
    default_hint = "upgrade Hulian, or restore a backup of the older version"


class BusyError(IngestError):
    """More queries wait than configured."""

    code = "HL-INGEST-0003"
    default_hint = "try again in a moment, or raise ingest.queries_waiting"


class AskError(IngestError):
    """A request that cannot be read; nothing was done."""

    code = "HL-INGEST-0004"


class AnswerError(IngestError):
    """An answer broke off, or carries an error of an unknown kind."""

    code = "HL-INGEST-0005"
