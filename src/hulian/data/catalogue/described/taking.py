"""The step from a described plant to a running one: what the model's documents say becomes connectors and points.

What was taken over last is remembered with the version of the document, so that at the next one a field that a person has set
since is known from one that only follows the description.
"""

from __future__ import annotations

from typing import Final

from hulian.data.catalogue.described.planning import Plan, Planning
from hulian.data.catalogue.described.records import Applied, CheckConnector, CheckOptions, Preview, Wish
from hulian.data.catalogue.errors import ListChangedError, NothingDescribedError
from hulian.data.catalogue.store import Catalogue
from hulian.network.exchange.semantics.model import Model, Note, Version
from hulian.network.exchange.semantics.proposals import Proposal, propose

__all__ = ["Described"]

_EVERYTHING: Final = Wish()
_NOTED: Final = 250
"""Notes of one transaction: other writers of the registry wait for about a second at most."""


class Described:
    """What documents of ``model`` mean for ``catalogue``. Thread-safe; blocking.

    ``prefix`` begins the identifiers of things that the description names none for. ``check_connector`` and ``check_options``
    judge what only the protocols know.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        model: Model,
        *,
        prefix: str,
        check_connector: CheckConnector = lambda protocol, url, settings: None,
        check_options: CheckOptions = lambda protocol, options: None,
    ) -> None:
        self._catalogue, self._model, self._prefix = catalogue, model, prefix
        self._check_connector, self._check_options = check_connector, check_options

    def proposal(self, document: str, version: int | None = None) -> Proposal:
        """What a version of a document (the current one) can be live of. Raises `ModelError` where there is none."""
        content = self._model.content(document, version)
        if content.document.format == "iml":
            from hulian.network.exchange.protocols.instrument.proposing import propose_instruments

            return propose_instruments(content, self._notes())
        return propose(content, self._notes())

    def preview(self, document: str, wish: Wish = _EVERYTHING) -> Preview:
        """What taking the current version over would change; nothing is changed. Raises `ModelError`."""
        version, taken = self._versions(document)
        proposal, before = self._proposals(document, version, taken)
        with self._catalogue.reading() as connection:
            plan = self._plan(connection, proposal, before, wish)
        bound = self._unbound(plan)
        return Preview(
            document=document,
            version=version.key,
            taken=taken.key if taken is not None else None,
            digest=plan.digest,
            connectors=plan.connectors,
            points=plan.points,
            bound=len(bound),
            gone=plan.gone,
            missing=proposal.missing,
            kept=_kept(plan),
            **{name: sum(1 for one in plan.points if one.change == name) for name in ("added", "changed", "same", "left")},
        )

    def apply(self, document: str, who: str, wish: Wish = _EVERYTHING, *, digest: str = "") -> Applied:
        """Takes the current version over: connectors and points in one transaction, then each node is bound to its point.

        Doing it again changes nothing. Raises `ModelError`, `NothingDescribedError`; `ListChangedError` where ``digest`` is
        not that of what would happen now; and what the catalogue raises, then nothing was changed.
        """
        version, taken = self._versions(document)
        proposal, before = self._proposals(document, version, taken)
        if not proposal.points:
            raise NothingDescribedError("the document names nothing that is live", place=document)
        with self._catalogue.writing() as (connection, written):
            plan = self._plan(connection, proposal, before, wish)
            if digest and digest != plan.digest:
                raise ListChangedError("the catalogue or the document changed since the preview", place=document)
            for record in plan.added:
                self._catalogue.put_connector(connection, record)
            for record in plan.changed:
                self._catalogue.replace_connector(connection, record)
            written.connectors.update(record.name for record in (*plan.added, *plan.changed))
            if plan.put:
                self._catalogue.put_points(connection, plan.put, written)
            counts, connectors = written.counts, tuple(sorted(written.connectors - {""}))
        bound = self._unbound(plan)
        notes = [Note(node, "point", name, who) for node, name in bound.items()]
        for begin in range(0, len(notes), _NOTED):
            self._model.note(notes[begin : begin + _NOTED])
        if wish.points is None:
            self._model.mark_taken(version.key)
        return Applied(
            document=document,
            version=version.key,
            points=counts,
            connectors_added=tuple(record.name for record in plan.added),
            connectors_changed=tuple(record.name for record in plan.changed),
            connectors=connectors,
            bound=len(bound),
            kept=_kept(plan),
            left=sum(1 for one in plan.points if one.change == "left"),
        )

    # -- parts ---------------------------------------------------------------------------------------------------------

    def _notes(self) -> dict[tuple[str, str], str]:
        return {(note.node, note.field): note.value for note in self._model.notes()}

    def _versions(self, document: str) -> tuple[Version, Version | None]:
        """The current version, and the one that was taken over last, as far as it is kept."""
        current = next((one for one in self._model.documents() if one.document.name == document), None)
        if current is None:
            self._model.content(document)  # it says what there is
            raise NothingDescribedError("there is no such document", place=document)
        marked = [(made, one) for one in self._model.history(document) if (made := one.taken) is not None]
        return current, max(marked, key=lambda pair: pair[0])[1] if marked else None

    def _proposals(self, document: str, version: Version, taken: Version | None) -> tuple[Proposal, Proposal | None]:
        proposal = self.proposal(document, version.key)
        if taken is None:
            return proposal, None
        return proposal, proposal if taken.key == version.key else self.proposal(document, taken.key)

    def _plan(self, connection: object, proposal: Proposal, before: Proposal | None, wish: Wish) -> Plan:
        planning = Planning(
            connection,  # type: ignore[arg-type]
            proposal, before, wish, prefix=self._prefix,
            check_connector=self._check_connector, check_options=self._check_options,
        )  # fmt: skip
        return planning.plan()

    def _unbound(self, plan: Plan) -> dict[str, str]:
        """What is not noted on its node yet."""
        noted = {note.node: note.value for note in self._model.notes("point")}
        return {node: name for node, name in plan.bound.items() if noted.get(node) != name}


def _kept(plan: Plan) -> int:
    return sum(1 for one in plan.points if one.kept)
