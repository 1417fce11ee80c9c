"""What the ingest tells."""

from __future__ import annotations

from hulian.kernel.event import EventCode

__all__ = ["IngestEvent"]


class IngestEvent(EventCode):
    """Codes and meanings; see `EventCode`."""

    GAP = "HL-INGEST-0101", "Samples of a source are missing; over when they have come, or the edge has declared them dropped."
    UNDECODABLE = "HL-INGEST-0102", "Messages of a source are no sample batches; they are kept as dead letters."
    NEW_EPOCH = "HL-INGEST-0103", "A source began to count anew: its journal was lost or replaced."
    STREAM_REPLACED = "HL-INGEST-0104", "A stream was made anew or lost its end; it is read again."
    EXPIRED = "HL-INGEST-0105", "Messages left the stream, by age or size, before they were stored."
    HISTORIAN_REFUSES = "HL-INGEST-0106", "The historian takes no samples; the spine and then the edges keep them."
    MISCOUNTED = "HL-INGEST-0107", "A source counts its samples wrongly: they are stored, its counts are not exact."
