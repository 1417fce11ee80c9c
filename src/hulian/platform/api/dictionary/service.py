"""Everything that the routes of dictionaries ask, loaded when somebody first does."""

from __future__ import annotations

from hulian.data.catalogue import Catalogue
from hulian.network.exchange.semantics.together import Semantics
from hulian.platform.api.dictionary.importing import Importing
from hulian.platform.api.dictionary.library import Library
from hulian.platform.api.dictionary.matching import Matching

__all__ = ["Dictionary"]


class Dictionary:
    """One for each application: matching remembers where the live points stand, importing which jobs run."""

    def __init__(self, catalogue: Catalogue, semantics: Semantics) -> None:
        self.library = Library(semantics)
        self.matching = Matching(catalogue, semantics)
        self.importing = Importing(semantics.dictionaries)
