"""Value types of our own that say what a thing is and what it belongs to; every other node carries them as they are."""

from __future__ import annotations

from typing import Final

__all__ = ["DRAFT", "GOVERNED", "GRANT", "RECORD", "REFERRED_BY", "RELATIONS", "TEMPLATE"]

RECORD: Final = "HULIAN.RECORD"
"""Names the template of the record that holds it, as ``version:handle``."""

TEMPLATE: Final = "HULIAN.TEMPLATE"
"""One version of a template, whose number is the index of the value: published, and fixed for ever."""

DRAFT: Final = "HULIAN.TEMPLATE.DRAFT"
"""A template that no record can name yet."""

GRANT: Final = "HULIAN.GRANT"
"""Lets somebody read or edit values of the record that holds it."""

RELATIONS: Final = ("HULIAN.CONTAINS", "HULIAN.MADE_OF", "HULIAN.PART_OF_BATCH", "HULIAN.PRODUCED_BY")
"""References: the data are the handle of another thing."""

REFERRED_BY: Final = "HULIAN.REFERRED_BY."
"""Before the rest of a relation's name: that another thing refers to this one. The data are the handle of that thing."""

GOVERNED: Final = frozenset(
    (RECORD, TEMPLATE, DRAFT, GRANT, *RELATIONS, *(REFERRED_BY + one.removeprefix("HULIAN.") for one in RELATIONS))
)
"""Types whose data a node checks."""
