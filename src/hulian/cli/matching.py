"""The live points of the catalogue, suggested for and confirmed on the command line: for ``hulian dictionary``."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hulian.cli.errors import CommandError
from hulian.cli.local import read_configuration
from hulian.cli.output import emit
from hulian.cli.trail import record

if TYPE_CHECKING:
    from hulian.network.exchange.semantics.dictionary.suggesting import Suggestion
    from hulian.platform.api.dictionary.matching import Matching
    from hulian.platform.api.dictionary.views import Confirm, SuggestionView

_TOLD: Final = 50
"""Of what is confirmed together, the trail names so many and counts the rest."""

__all__ = ["confirm_point", "confirm_sure", "shown", "suggest_live"]


@contextmanager
def _matching(config: Path | None) -> Iterator[tuple[Matching, Callable[..., None]]]:
    """And what keeps in the trail what was said of a point."""
    from hulian.assembly.preparation import open_registry
    from hulian.data.catalogue import Catalogue
    from hulian.network.exchange.semantics.together import Semantics
    from hulian.platform.api.dictionary.matching import Matching

    configuration = read_configuration(config)
    Path(configuration.node.data).mkdir(parents=True, exist_ok=True, mode=0o700)
    registry = open_registry(configuration)
    semantics = Semantics(registry)

    def told(point: str, did: str, **details: object) -> None:
        record(configuration, registry, "MODEL_WRITE", f"point:{point}", did, **details)

    try:
        yield Matching(Catalogue(registry, configuration.node.organisation), semantics), told
    finally:
        semantics.close()
        registry.close()


def shown(one: Suggestion | SuggestionView) -> str:
    """A suggestion as a line."""
    sure = "confirmed" if one.confirmed else f"{one.score:.2f}"
    return f"  {one.aspect:<9} {one.concept:<28} {one.name:<24} {sure:<9} {'; '.join(one.reasons)}".rstrip()


def suggest_live(
    config: Path | None, *, connector: str, thing: str, every: bool, language: str, limit: int, json: bool
) -> None:
    """Prints what points of the catalogue may mean: those without a meaning, or with ``every`` all."""
    with _matching(config) as (matching, _):
        found = matching.suggestions(
            connector=connector or None, thing=thing or None, unconfirmed=not every, language=language, limit=limit, most=1
        )
    if json:
        emit(found)
        return
    for item in found.items:
        print(f"{item.point.name}  {item.point.tag}  {item.point.unit}".rstrip())
        for one in item.suggestions:
            print(shown(one))
        if any(one.aspect == "none" for one in item.said):
            print("  none of what is known")
    print(f"{found.matched} of {found.total} points have a meaning{'; there are more' if found.next else ''}")


def confirm_point(config: Path | None, point: str, concept: str, *, none: bool) -> None:
    """Says what a live point means, takes it back where ``concept`` is empty, or says that nothing fits."""
    from hulian.platform.api.dictionary.views import Confirm

    wanted = Confirm(point=point, concept=None if none else concept or None, retract=not concept and not none)
    with _matching(config) as (matching, told):
        done = matching.confirm([wanted], by=getpass.getuser())[0]
        told(point, "taken back" if wanted.retract else "confirmed", concept="none" if none else concept)
    if wanted.retract and not done.before:
        raise CommandError("nothing was confirmed of it", place=point, hint="look with 'hulian dictionary suggest --all'")
    if wanted.retract:
        print(f"{point}: what was confirmed is taken back")
    elif none:
        print(f"{point}: it means none of what is known")
    else:
        print(f"{point} means {concept}; 'hulian model find {concept}' finds it")


def confirm_sure(config: Path | None, *, connector: str, thing: str, score: float, dry_run: bool, json: bool) -> None:
    """Confirms the best quantity or property of each point that has one of at least ``score``, and its role with it."""
    wanted: list[Confirm] = []
    with _matching(config) as (matching, told):
        cursor: str | None = None
        while True:
            page = matching.suggestions(connector=connector or None, thing=thing or None, cursor=cursor, limit=200, most=1)
            wanted += [one for item in page.items for one in matching.sure(item, score)]
            cursor = page.next
            if cursor is None:
                break
        if not dry_run:
            matching.confirm_many(wanted, by=getpass.getuser())
            told("*", "meanings confirmed", count=len(wanted), said=[f"{one.point}: {one.concept}" for one in wanted[:_TOLD]])
    if json:
        emit({"confirmed": [] if dry_run else wanted, "would": wanted if dry_run else []})
        return
    for one in wanted:
        print(f"{one.point}  {one.concept}")
    points = len({one.point for one in wanted})
    print(f"{points} points {'would be' if dry_run else 'are'} confirmed")
