"""The columns of a tag list: what each is called, how its cells are read and written, and what a blank one means.

A blank cell clears a text, a number or a list of texts; in the other columns it leaves what there is (or the usual, for a
new point). A column that is not in the list leaves everything as it is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from hulian.data.catalogue.errors import CellError, ListFormatError
from hulian.data.catalogue.naming import plant_path
from hulian.data.catalogue.taglist.grid import Grid, Row
from hulian.kernel.errors import HulianError
from hulian.kernel.identifier import PointName
from hulian.kernel.point import Kind, Point
from hulian.kernel.storage import StorageClass

__all__ = ["LEVELS", "Column", "Draft", "columns_for", "known", "parsed_titles", "read_row", "shown"]

LEVELS: Final = ("enterprise", "site", "area", "line", "cell")
"""The levels of a place in the plant (IEC 62264-1, equipment hierarchy): columns that may stand instead of ``path``. A line is
a work centre and a cell a work unit, as discrete plants call them."""

Draft = dict[str, Any]
"""What a row says of its point, by column key; columns that leave it as it is are missing."""


class Column(NamedTuple):
    """One column. ``parse`` raises `CellError`, ``show`` writes a point's cell; with ``keeps`` a blank cell changes nothing."""

    key: str
    parse: Callable[[str], Any]
    show: Callable[[Point], str]
    keeps: bool = False
    number: bool = False


_YES: Final = frozenset({"yes", "true", "1", "on", "y", "x", "是", "真"})
_NO: Final = frozenset({"no", "false", "0", "off", "n", "否", "假"})
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_LANGUAGE: Final = re.compile(r"(text|enumeration)\.([a-z]{2,8}(?:-[A-Za-z0-9]{1,8})*)", re.ASCII)
_STORAGES: Final = {"float": "double", "int": "integer", "bool": "boolean", "string": "text"}
_LONGEST: Final = {"tag": 200, "unit": 100, "address": 2000, "connector": 64, "text": 2000}


def number_text(value: float | None) -> str:
    """A number as a cell: shortest, and exact.

    >>> number_text(-5.0), number_text(0.1), number_text(None)
    ('-5', '0.1', '')
    """
    if value is None:
        return ""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))


def _number(text: str) -> float:
    if not _NUMBER.fullmatch(text) or not math.isfinite(value := float(text)):
        raise CellError(f"{text[:40]!r} is not a number", hint="write it as 12.5 or 1e-3, without thousands marks")
    return value


def _flag(text: str) -> bool:
    if (word := text.casefold()) in _YES | _NO:
        return word in _YES
    raise CellError(f"{text[:40]!r} is neither yes nor no", hint="write yes or no")


def _storage(text: str) -> StorageClass:
    word = text.casefold()
    try:
        return StorageClass(_STORAGES.get(word, word))
    except ValueError:
        raise CellError(f"{text[:40]!r} is no storage class", hint=", ".join(StorageClass)) from None


def _kind(text: str) -> Kind:
    try:
        return Kind(text.casefold())
    except ValueError:
        raise CellError(f"{text[:40]!r} is no kind of point", hint=", ".join(Kind)) from None


def _limited(key: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if len(text) > _LONGEST[key]:
            raise CellError(f"the {key} is longer than {_LONGEST[key]} characters")
        return text

    return parse


def _options(text: str) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError) as error:
        raise CellError(f"not a JSON object: {error}", hint='write the protocol\'s options as {"interval": 0.5}') from error
    if given := sorted({"scale", "offset"} & found.keys()):
        raise CellError(f"'{given[0]}' has a column of its own", hint=f"write it under '{given[0]}'")
    return found


def _texts_of_values(text: str) -> dict[str, str]:
    """``0=closed;1=open``; a semicolon, an equals sign or a backslash of a text stands behind a backslash."""
    found: dict[str, str] = {}
    for part in _split(text, ";"):
        pieces = _split(part, "=")
        if not part.strip():
            continue
        if len(pieces) != 2:
            raise CellError(f"{part[:60]!r} is not a value and its text", hint="write 0=closed;1=open")
        value, meaning = (_plain(piece).strip() for piece in pieces)
        if not value or not meaning or value in found:
            raise CellError(f"{part[:60]!r} repeats a value, or leaves one side empty", hint="write 0=closed;1=open")
        found[value] = meaning
    return found


def _split(text: str, mark: str) -> list[str]:
    pieces: list[str] = []
    current: list[str] = []
    escaped = False
    for character in text:
        if character == mark and not escaped:
            pieces.append("".join(current))
            current = []
            continue
        current.append(character)
        escaped = character == "\\" and not escaped
    return [*pieces, "".join(current)]


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def _marked(text: str) -> str:
    return re.sub(r"([\\;=])", r"\\\1", text)


def _show_enumeration(language: str) -> Callable[[Point], str]:
    def show(point: Point) -> str:
        given = ((value, texts.get(language, "")) for value, texts in point.enumeration.items())
        return ";".join(f"{_marked(value)}={_marked(text)}" for value, text in given if text)

    return show


def _show_options(point: Point) -> str:
    rest = {key: value for key, value in point.options.items() if key not in ("scale", "offset")}
    return msgspec.json.encode(rest, order="deterministic").decode() if rest else ""


def _show_option(key: str) -> Callable[[Point], str]:
    def show(point: Point) -> str:
        value = point.options.get(key)
        return number_text(value) if isinstance(value, int | float) else ""

    return show


def _field(key: str) -> Callable[[Point], str]:
    return lambda point: str(getattr(point, key))


def _ranged(key: str) -> Callable[[Point], str]:
    return lambda point: number_text(getattr(point, key))


def _flagged(key: str) -> Callable[[Point], str]:
    return lambda point: "yes" if getattr(point, key) else "no"


_FIXED: Final = {
    column.key: column
    for column in (
        Column("identifier", lambda text: str(PointName.parse(text)), lambda point: point.name),
        Column("tag", _limited("tag"), _field("tag")),
        Column("path", plant_path, _field("path")),
        Column("connector", _limited("connector"), _field("connector"), keeps=True),
        Column("address", _limited("address"), _field("address"), keeps=True),
        Column("storage", _storage, _field("storage"), keeps=True),
        Column("kind", _kind, _field("kind"), keeps=True),
        Column("unit", _limited("unit"), _field("unit")),
        *(Column(key, _number, _ranged(key), number=True) for key in ("low", "high", "raw_low", "raw_high")),
        *(Column(key, _number, _show_option(key), number=True) for key in ("scale", "offset")),
        Column("writable", _flag, _flagged("writable"), keeps=True),
        Column("enabled", _flag, _flagged("enabled"), keeps=True),
        Column("options", _options, _show_options),
    )
}
_ALIASES: Final = {
    "name": "identifier", "point": "identifier", "标识": "identifier", "标识符": "identifier", "点名": "identifier",
    "位号": "tag", "路径": "path", "位置": "path", "连接": "connector", "连接器": "connector", "地址": "address",
    "type": "storage", "类型": "storage", "数据类型": "storage", "特性": "kind", "单位": "unit", "engineering unit": "unit",
    "下限": "low", "量程下限": "low", "engineering low": "low", "上限": "high", "量程上限": "high", "engineering high": "high",
    "原始下限": "raw_low", "原始上限": "raw_high", "系数": "scale", "比例": "scale", "偏移": "offset", "可写": "writable",
    "启用": "enabled", "选项": "options", "description": "text.en", "text": "text.en", "描述": "text.zh", "说明": "text.zh",
    "enumeration": "enumeration.en", "枚举": "enumeration.zh", "枚举文本": "enumeration.zh",
    "企业": "enterprise", "厂区": "site", "区域": "area", "产线": "line", "单元": "cell",
}  # fmt: skip


def known(key: str) -> Column | None:
    """The column of this key, whichever language it ends with."""
    if (fixed := _FIXED.get(key)) is not None:
        return fixed
    if (found := _LANGUAGE.fullmatch(key)) is None:
        return None
    language = found[2]
    if found[1] == "text":
        return Column(key, _limited("text"), lambda point: point.texts.get(language, ""))
    return Column(key, _texts_of_values, _show_enumeration(language))


def columns_for(points: Iterable[Point]) -> list[Column]:
    """The columns of an exported list: all there are, with texts in each language of ``points``, in English and in Chinese."""
    languages = {"en", "zh"}
    for point in points:
        languages.update(point.texts, *point.enumeration.values())
    wanted = [f"{kind}.{language}" for kind in ("text", "enumeration") for language in sorted(languages)]
    found = [known(key) for key in (*_FIXED, *wanted)]
    return [column for column in found if column is not None]


def shown(point: Point, columns: Sequence[Column]) -> list[str]:
    """The cells of ``point``."""
    return [column.show(point) for column in columns]


def parsed_titles(titles: Sequence[str]) -> list[str]:
    """The key of each column, empty for one without a title. Raises `ListFormatError` for unknown, doubled or missing ones."""
    keys: list[str] = []
    for at, title in enumerate(titles, 1):
        word = title.strip().casefold()
        key = _ALIASES.get(word, word.replace(" ", "_"))
        if key and key not in LEVELS and known(key) is None:
            names = ", ".join([*_FIXED, "text.en", "enumeration.en", *LEVELS])
            raise ListFormatError(
                f"there is no column {title.strip()[:60]!r}", place=f"column {at}", hint=f"there are: {names}"
            )
        if key and key in keys:
            raise ListFormatError(f"the column '{key}' is there twice", place=f"column {at}")
        keys.append(key)
    if "identifier" not in keys:
        raise ListFormatError("the column 'identifier' is missing", place="row 1")
    if "path" in keys and (level := next((key for key in keys if key in LEVELS), "")):
        raise ListFormatError(f"the columns 'path' and '{level}' both say where a point is", place="row 1")
    return keys


def read_row(row: Row, keys: Sequence[str], grid: Grid, fault: Callable[[str, HulianError], None]) -> Draft:
    """What a row says. A cell that does not fit goes to ``fault`` with its column, and is left out."""
    draft: Draft = {}
    levels: dict[str, str] = {}
    for key, raw in zip(keys, row.cells, strict=False):
        text = raw.strip()
        if not key:
            continue
        if key in LEVELS:
            levels[key] = text
            continue
        _read_cell(draft, key, text, grid, fault)
    for key in keys[len(row.cells) :]:
        if key and key not in LEVELS:
            _read_cell(draft, key, "", grid, fault)
    if any(key in LEVELS for key in keys):
        parts = [levels.get(level, "") for level in LEVELS if level in keys]
        given = [bool(part) for part in parts]
        if given != sorted(given, reverse=True):
            level = LEVELS[given.index(False)]
            fault(level, CellError(f"the {level} is missing, and a lower level is given"))
        elif bad := next((part for part in parts if "/" in part), ""):
            fault(LEVELS[parts.index(bad)], CellError(f"{bad[:60]!r} holds a slash, which separates levels"))
        else:
            _read_cell(draft, "path", "/".join(filter(None, parts)), grid, fault)
    return draft


def _read_cell(draft: Draft, key: str, text: str, grid: Grid, fault: Callable[[str, HulianError], None]) -> None:
    column = known(key)
    assert column is not None  # noqa: S101 - `parsed_titles` has refused any other
    if not text:
        if not column.keeps:
            draft[key] = None
        return
    if column.number and grid.decimal_comma and "." not in text:
        text = text.replace(",", ".")
    try:
        draft[key] = column.parse(text)
    except HulianError as error:
        fault(key, error)
