"""The dictionary that comes with Hulian: general quantities and roles, mapped to QUDT's quantity kinds.

It has identifiers of its own (``hulian:pressure``) and no licensed content, so that suggestions and queries by meaning work at
once. Its entries say in ``extra["tags"]`` how plants write them in tags: letters of ISA-5.1, words, abbreviations. An entry of
any other dictionary may say it, too.
"""

from __future__ import annotations

import functools
from importlib import resources

from hulian.network.exchange.semantics.dictionary.entry import Entry, Header
from hulian.network.exchange.semantics.dictionary.own import read_own
from hulian.network.exchange.semantics.documents import memory_source

__all__ = ["general"]


@functools.cache
def general() -> tuple[Header, tuple[Entry, ...]]:
    """Its header and its entries, for `Dictionaries.take`."""
    header = Header(name="")
    content = resources.files(__package__).joinpath("general.json").read_bytes()
    return header, tuple(read_own(memory_source("general.json", content), header, []))
