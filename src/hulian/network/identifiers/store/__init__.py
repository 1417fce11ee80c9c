"""What a node knows by itself: records in the registry, and in memory as the bytes that answers are made of."""

from hulian.network.identifiers.store.errors import RecordExistsError, RecordMissingError, StoreError
from hulian.network.identifiers.store.records import RecordStore, key_of, zero_na

__all__ = ["RecordExistsError", "RecordMissingError", "RecordStore", "StoreError", "key_of", "zero_na"]
