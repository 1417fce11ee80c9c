"""What a person sees of a document: its versions, what one changes, what is lost on the way, what is wrong with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from hulian.network.exchange.semantics.contract import Document, Loss
from hulian.network.exchange.semantics.model.check import Finding
from hulian.network.exchange.semantics.model.differences import Change, Differences
from hulian.network.exchange.semantics.model.versions import Version

__all__ = [
    "ChangeView",
    "DifferencesView",
    "FieldView",
    "FindingGroup",
    "LossGroup",
    "LossesView",
    "NoteView",
    "PreviewView",
    "RequiredView",
    "Shelf",
    "VersionView",
    "VersionsView",
    "changes_view",
    "finding_groups",
    "losses_view",
    "version_view",
]

_LONGEST: Final = 2_000
_FIELDS: Final = 40
_DEEPEST: Final = 4
_GROUPS: Final = 200
_EXAMPLES: Final = 50


class VersionView(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a document. ``waiting``: it was read, and nobody has applied or discarded it; ``lost`` and ``noticed``
    are its losses by number, as far as they are kept; ``made_ms`` is ms since 1970."""

    key: int
    name: str
    format: str
    form: str
    title: str
    file: str
    size: int
    digest: str
    nodes: int
    references: int
    lost: int
    noticed: int
    who: str
    made_ms: float
    current: bool
    waiting: bool


class VersionsView(msgspec.Struct, frozen=True, kw_only=True):
    """All that are kept, the newest first."""

    items: list[VersionView]


class Shelf(msgspec.Struct, frozen=True, kw_only=True):
    """The documents of the model, and what waits to become one."""

    documents: list[VersionView]
    waiting: list[VersionView]


class FieldView(msgspec.Struct, frozen=True, kw_only=True):
    """One field of a node, before and after: texts as they are, all else as JSON. A long value is cut and ends in ``…``."""

    field: str
    old: str | None
    new: str | None


class ChangeView(msgspec.Struct, frozen=True, kw_only=True):
    """A node that is ``added``, ``removed`` or ``changed``."""

    what: str
    node: str
    name: str
    fields: list[FieldView]


class DifferencesView(msgspec.Struct, frozen=True, kw_only=True):
    """All that differ, counted; the first of them, listed. ``fields`` counts the fields of those that are listed."""

    added: int
    removed: int
    changed: int
    same: int
    references_added: int
    references_removed: int
    fields: dict[str, int]
    first: list[ChangeView]
    more: bool


class LossGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Losses of one reason; ``first`` are some of them. ``lost`` is false for what was only noticed."""

    why: str
    lost: bool
    count: int
    first: list[Loss]


class LossesView(msgspec.Struct, frozen=True, kw_only=True):
    """What cannot be kept, by reason, the most frequent first."""

    lost: int
    noticed: int
    groups: list[LossGroup]
    bytes: int | None = None


class FindingGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Findings of one rule of the model. An ``error`` keeps the document out, a ``warning`` does not."""

    severity: str
    rule: str
    count: int
    first: list[Finding]


class RequiredView(msgspec.Struct, frozen=True, kw_only=True):
    """A document that this one stands on; ``document`` is the one of the model that brings it, empty where it is missing."""

    namespace: str
    document: str


class NoteView(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody noted on a node that would no longer be there."""

    node: str
    field: str
    value: str
    who: str


class PreviewView(msgspec.Struct, frozen=True, kw_only=True):
    """What would happen. ``replaces`` is the version that counts now, 0 where the document is new; ``unchanged``: the file is
    the same to the byte."""

    version: VersionView
    replaces: int
    unchanged: bool
    namespaces: list[str]
    requires: list[RequiredView]
    differences: DifferencesView
    losses: LossesView
    errors: int
    warnings: int
    findings: list[FindingGroup]
    notes_left: int
    notes: list[NoteView]


def version_view(version: Version, waiting: Iterable[int] = ()) -> VersionView:
    """``waiting`` are the keys of versions that nobody has decided on."""
    lost = sum(1 for loss in version.losses if loss.lost)
    return VersionView(
        key=version.key,
        name=version.document.name,
        format=version.document.format,
        form=version.document.version or version.document.format,
        title=version.document.title,
        file=version.file,
        size=version.size,
        digest=version.digest,
        nodes=version.nodes,
        references=version.references,
        lost=lost,
        noticed=len(version.losses) - lost,
        who=version.who,
        made_ms=version.made // 1000 / 1000,
        current=version.current,
        waiting=version.key in waiting and not version.current,
    )


def changes_view(found: Differences) -> DifferencesView:
    """With every field of every change that is listed, old and new."""
    listed = [_change(change) for change in found.first]
    return DifferencesView(
        added=found.added,
        removed=found.removed,
        changed=found.changed,
        same=found.same,
        references_added=found.references_added,
        references_removed=found.references_removed,
        fields=dict(Counter(field.field for change in listed for field in change.fields).most_common()),
        first=listed,
        more=len(listed) < found.added + found.removed + found.changed and bool(listed),
    )


def _change(change: Change) -> ChangeView:
    fields: list[FieldView] = []
    for name, (old, new) in change.fields.items():
        for path, was, now in _leaves(name, old, new, 0):
            if len(fields) == _FIELDS:
                break
            fields.append(FieldView(field=path, old=_text(was), new=_text(now)))
    return ChangeView(what=change.what, node=change.node, name=change.name, fields=fields)


def _leaves(path: str, old: Any, new: Any, depth: int) -> Iterator[tuple[str, Any, Any]]:
    """What differs, as deep as both sides have names for it: ``labels.zh``, not all labels."""
    old, new = _plain(old), _plain(new)
    if depth < _DEEPEST and isinstance(old, Mapping | None) and isinstance(new, Mapping | None) and (old or new):
        before, after = old or {}, new or {}
        for key in dict.fromkeys((*before, *after)):
            if before.get(key) != after.get(key):
                yield from _leaves(f"{path}.{key}" if key else path, before.get(key), after.get(key), depth + 1)
    elif old != new:
        yield path, old, new


def _plain(value: Any) -> Any:
    return msgspec.to_builtins(value) if isinstance(value, msgspec.Struct) else value


def _text(value: Any) -> str | None:
    if value is None or value in ("", [], (), {}):
        return None
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def losses_view(losses: Sequence[Loss], size: int | None = None) -> LossesView:
    """``size`` are the bytes of what was written, where something was."""
    groups: dict[tuple[bool, str], list[Loss]] = {}
    for loss in losses:
        groups.setdefault((loss.lost, loss.why), []).append(loss)
    ordered = sorted(groups.items(), key=lambda item: (not item[0][0], -len(item[1]), item[0][1]))
    lost = sum(1 for loss in losses if loss.lost)
    return LossesView(
        lost=lost,
        noticed=len(losses) - lost,
        groups=[
            LossGroup(why=why, lost=is_lost, count=len(found), first=found[:_EXAMPLES])
            for (is_lost, why), found in ordered[:_GROUPS]
        ],
        bytes=size,
    )


def finding_groups(findings: Sequence[Finding]) -> list[FindingGroup]:
    """By rule, the errors first."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.severity, finding.rule), []).append(finding)
    return [
        FindingGroup(severity=severity, rule=rule, count=len(found), first=found[:_EXAMPLES])
        for (severity, rule), found in sorted(groups.items())
    ]


def required(document: Document, brings: Mapping[str, str]) -> list[RequiredView]:
    """``brings`` has the document of the model that defines a namespace."""
    return [RequiredView(namespace=one, document=brings.get(one, "")) for one in document.requires]
