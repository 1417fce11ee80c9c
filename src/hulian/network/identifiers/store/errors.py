"""Errors of the store of records. HL-ID-03xx."""

from __future__ import annotations

from hulian.kernel.errors import HulianError

__all__ = ["BrokenLogError", "RecordChangedError", "RecordExistsError", "RecordMissingError", "StoreError"]


class StoreError(HulianError):
    """A record cannot be kept."""

    code = "HL-ID-0300"


class RecordExistsError(StoreError):
    """There is a record of this identifier already."""

    code = "HL-ID-0301"
    default_hint = "modify it, or ask for it to be overwritten"


class RecordMissingError(StoreError):
    """There is no record of this identifier."""

    code = "HL-ID-0302"
    default_hint = "register it first; upper and lower case are the same"


class RecordChangedError(StoreError):
    """Somebody else has changed the record since it was read."""

    code = "HL-ID-0303"
    default_hint = "read it again, and decide anew"


class BrokenLogError(StoreError):
    """The log of changes is not the one that this node wrote."""

    code = "HL-ID-0304"
    default_hint = "somebody has changed the database by other means: compare it with a mirror, or with the last escrow"
