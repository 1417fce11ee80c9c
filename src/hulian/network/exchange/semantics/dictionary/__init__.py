"""Dictionaries of concepts (IEC 61360): ECLASS, IEC CDD, one's own, and what raw tag names may mean."""

from __future__ import annotations

from hulian.network.exchange.semantics.dictionary.entry import Entry, Header, Kind, Link
from hulian.network.exchange.semantics.dictionary.records import Difference, Found, Taken
from hulian.network.exchange.semantics.dictionary.store import Dictionaries

__all__ = ["Dictionaries", "Difference", "Entry", "Found", "Header", "Kind", "Link", "Taken"]
