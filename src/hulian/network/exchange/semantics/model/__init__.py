"""The graph: documents in versions, notes of people, questions."""

from hulian.network.exchange.semantics.model.around import Edge, Graph
from hulian.network.exchange.semantics.model.browse import Linked, Seen
from hulian.network.exchange.semantics.model.check import Finding
from hulian.network.exchange.semantics.model.differences import Change, Differences
from hulian.network.exchange.semantics.model.find import Answer, Found, Meanings, Question
from hulian.network.exchange.semantics.model.notes import Note
from hulian.network.exchange.semantics.model.service import Import, Model
from hulian.network.exchange.semantics.model.versions import Version

__all__ = [
    "Answer",
    "Change",
    "Differences",
    "Edge",
    "Finding",
    "Found",
    "Graph",
    "Import",
    "Linked",
    "Meanings",
    "Model",
    "Note",
    "Question",
    "Seen",
    "Version",
]
