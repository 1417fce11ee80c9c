"""The storage classes: what a value is made of, and so which table and which batch carry it."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["StorageClass"]


class StorageClass(StrEnum):
    """One storage class is one Arrow value type, one batch and one table.

    ===========  =============  ==================================================
    class        Arrow          holds
    ===========  =============  ==================================================
    double       float64        floating point of any width, scaled integers
    integer      int64          signed integers, unsigned up to 63 bits, enumerations
    boolean      bool           on and off
    text         string         strings, localized texts, GUIDs, times as RFC 3339
    bytes        binary         byte strings
    structure    string (JSON)  structures, arrays, unsigned integers of 64 bits
    ===========  =============  ==================================================
    """

    DOUBLE = "double"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    TEXT = "text"
    BYTES = "bytes"
    STRUCTURE = "structure"
