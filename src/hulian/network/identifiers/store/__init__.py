"""What a node knows by itself: records in the registry, and in memory as the bytes that answers are made of."""

from hulian.network.identifiers.store.changes import Change, ChangeLog, What
from hulian.network.identifiers.store.errors import (
    BrokenLogError,
    RecordChangedError,
    RecordExistsError,
    RecordMissingError,
    StoreError,
)
from hulian.network.identifiers.store.jobs import Job, Jobs
from hulian.network.identifiers.store.listing import Listed, Listing
from hulian.network.identifiers.store.records import NODE, RecordStore, key_of, responsible, zero_na
from hulian.network.identifiers.store.snapshot import Kept, Snapshot, snapshot

__all__ = [
    "NODE",
    "BrokenLogError",
    "Change",
    "ChangeLog",
    "Job",
    "Jobs",
    "Kept",
    "Listed",
    "Listing",
    "RecordChangedError",
    "RecordExistsError",
    "RecordMissingError",
    "RecordStore",
    "Snapshot",
    "StoreError",
    "What",
    "key_of",
    "responsible",
    "snapshot",
    "zero_na",
]
