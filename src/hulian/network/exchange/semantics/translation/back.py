"""The way back: what a document carries, with what was changed in the document since it was made.

The carried content is written again and read as the document was. Where a node says something else now than it would have
said then, somebody has changed it: its value, name and texts are taken over where the carried node said the same as the
node that was made of it; all other changes, and nodes that are new, are told.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from hulian.network.exchange.semantics.carried import Restored, carried_ids, restored
from hulian.network.exchange.semantics.contract import Content, Document, Format, Kind, Loss, Node, Source

__all__ = ["taken_back"]

_IN_MEMORY: Final = 16 << 20
_FIELDS: Final = {"nodeset": "extensions", "aml": "header"}
"""Where a format keeps, in `Node.extra`, the XML that only its writer knows."""


class _Said(NamedTuple):
    """What of a node is compared."""

    name: str
    value: str | None
    unit: str
    labels: tuple[tuple[str, str], ...]
    descriptions: tuple[tuple[str, str], ...]


def _said(node: Node) -> _Said:
    texts = tuple(sorted(node.labels.items())), tuple(sorted(node.descriptions.items()))
    return _Said(node.name, node.value, node.unit, *texts)


def taken_back(
    content: Content, form: Format, key: str, again: Callable[[Content, list[Loss]], Content], losses: list[Loss]
) -> Restored | None:
    """What ``content``, a document of ``form``, carries; None where it carries none.

    ``again`` gives the carried content as ``form`` writes it. The carried document is held in memory.
    """
    back = restored(_pieces(content, key))
    if back is None:
        return None
    before = {node.id: _said(node) for node in _read_again(back, content.document, form, again)}
    for node in content.nodes():
        was = before.pop(node.id, None)
        now = _said(node)
        if was is None:
            losses.append(
                Loss(node.id, f"{node.kind.name.lower()} {node.name!r}", "it was added since; it is of no node there")
            )
        elif was != now:
            _take_over(node, was, now, back, key, losses)
    why = "what it is part of brings it back"
    losses.extend(Loss(identity, f"that {said.name!r} was taken away", why) for identity, said in before.items())
    return back


def _pieces(content: Content, key: str) -> Iterator[str]:
    field = _FIELDS[key]
    yield from content.document.extra.get(key, {}).get(field, ())
    for node in content.nodes():
        yield from node.extra.get(key, {}).get(field, ())


def _read_again(
    back: Restored, document: Document, form: Format, again: Callable[[Content, list[Loss]], Content]
) -> Iterator[Node]:
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as file:
        form.write(again(back, []), file)  # type: ignore[arg-type]
        size = file.tell()
        file.seek(0)
        source = Source(name=document.name, size=size, open=lambda: _Part(file, size))  # type: ignore[arg-type,return-value]
        _, batches = form.read(source, document.name, [])
        for batch in batches:
            yield from batch.nodes


class _Part:
    """The file again from its begin; others read it at the same time."""

    def __init__(self, file: tempfile.SpooledTemporaryFile[bytes], size: int) -> None:
        self._file, self._size, self._at = file, size, 0

    def read(self, size: int = -1) -> bytes:
        self._file.seek(self._at)
        piece = self._file.read(size if size >= 0 else self._size - self._at)
        self._at += len(piece)
        return piece

    def close(self) -> None:
        """The file stays."""

    def __enter__(self) -> _Part:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _take_over(node: Node, was: _Said, now: _Said, back: Restored, key: str, losses: list[Loss]) -> None:
    """A change of a node that was made of exactly one, into that one."""
    packed = carried_ids(node.extra.get(key, {}).get(_FIELDS[key], ()))
    source = back.node(packed[0]) if len(packed) == 1 else None
    for name in was._fields:
        if getattr(was, name) == getattr(now, name):
            continue
        if source is not None and _alike(source, was, name):
            setattr(source, name, getattr(node, name))
            continue
        what = f"that its {name.removesuffix('s')} was changed to {str(getattr(node, name))[:100]!r}"
        losses.append(Loss(node.id, what, "what it was made of says that otherwise"))


def _alike(source: Node, was: _Said, name: str) -> bool:
    """Whether a node said a field as the node did that was made of it."""
    if name == "value":
        return source.kind is Kind.PROPERTY and source.value == was.value
    return name == "descriptions" and tuple(sorted(source.descriptions.items())) == was.descriptions
