"""XML as it is written: a stream of text, indented, every sign that XML does not carry as itself escaped."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, BinaryIO, Final

from lxml import etree

__all__ = ["XmlText"]

_ATTRIBUTE: Final = {38: "&amp;", 60: "&lt;", 62: "&gt;", 34: "&quot;", 9: "&#9;", 10: "&#10;", 13: "&#13;"}
_TEXT: Final = {38: "&amp;", 60: "&lt;", 62: "&gt;", 13: "&#13;"}
_ILLEGAL: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_PIECES: Final = 4096
_SPECIAL: Final = re.compile('[&<>"\t\n\r\x00-\x1f\ud800-\udfff\ufffe\uffff]').search


class XmlText:
    """Elements one after another; an element without content closes itself. ``replaced`` counts signs that XML cannot hold."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._pieces: list[str] = ['<?xml version="1.0" encoding="utf-8"?>\n']
        self._tags: list[str] = []
        self._begun = False
        self.replaced = 0

    @property
    def depth(self) -> int:
        """Elements that are open."""
        return len(self._tags)

    def begin(self, tag: str, attributes: Iterable[tuple[str, str | None]]) -> None:
        """Opens an element; attributes without a value are left out."""
        self._close()
        self._pieces.append(f"{'  ' * len(self._tags)}<{tag}{self._attributes(attributes)}")
        self._tags.append(tag)
        self._begun = True

    def end(self) -> None:
        """Closes the element that was opened last."""
        tag = self._tags.pop()
        if self._begun:
            self._pieces.append("/>\n")
            self._begun = False
        else:
            self._pieces.append(f"{'  ' * len(self._tags)}</{tag}>\n")
        if len(self._pieces) > _PIECES:
            self.flush()

    def leaf(self, tag: str, attributes: Iterable[tuple[str, str | None]], text: str | None) -> None:
        """An element that holds a text; without one it closes itself."""
        self._close()
        inner = f">{self._escape(text, _TEXT)}</{tag}>\n" if text else "/>\n"
        self._pieces.append(f"{'  ' * len(self._tags)}<{tag}{self._attributes(attributes)}{inner}")

    def element(self, element: Any) -> None:
        """An element of a tree, as it is."""
        self._close()
        self._pieces.append(f"{'  ' * len(self._tags)}{etree.tostring(element, encoding='unicode', with_tail=False)}\n")

    def flush(self) -> None:
        """Hands over what was written so far."""
        self._out.write("".join(self._pieces).encode("utf-8"))
        self._pieces.clear()

    def _close(self) -> None:
        if self._begun:
            self._pieces.append(">\n")
            self._begun = False

    def _attributes(self, attributes: Iterable[tuple[str, str | None]]) -> str:
        return "".join(f' {key}="{self._escape(text, _ATTRIBUTE)}"' for key, text in attributes if text is not None)

    def _escape(self, text: str, table: dict[int, str]) -> str:
        if not _SPECIAL(text):
            return text
        clean, count = _ILLEGAL.subn("\ufffd", text)
        self.replaced += count
        return clean.translate(table)
