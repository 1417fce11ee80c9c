"""Configuration: one ``hulian.toml``, one frozen documented type a component, every mistake with its place.

A configuration type is a frozen `msgspec.Struct` with ``kw_only=True, forbid_unknown_fields=True`` whose fields carry a
`msgspec.Meta` description; `sample` writes the commented example from it, so that the example cannot lie. A field that is set
in another place and handed to the component (``Meta(extra={GIVEN_BY: "node.durability"})``) is no key: it is in no example,
and whoever writes it is told where it belongs.
"""

from __future__ import annotations

import difflib
import functools
import json
import os
import re
import tomllib
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from hulian.kernel.errors import ConfigurationError, MovedKeyError, SecretError, UnknownKeyError

__all__ = ["GIVEN_BY", "OPTIONAL_TABLE", "convert", "describe", "load", "resolve_secret", "sample", "secrets_of", "shown"]

T = TypeVar("T")

GIVEN_BY = "given by"
"""In the ``extra`` of a field's `msgspec.Meta`: the dotted key by which a person sets it."""

_MISSING_OR_WRONG = re.compile(r"(?P<what>.*?)(?: - at `(?P<path>[^`]*)`)?\Z", re.DOTALL)


def load(path: Path, kind: type[T]) -> T:
    """The configuration in ``path`` as ``kind``.

    Raises `ConfigurationError` (with file, line and key) for a file that cannot be read, is not TOML, or does not fit,
    `UnknownKeyError` with the nearest known key for a key that does not exist.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"cannot read the configuration: {error.strerror}", place=str(path)) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError("the configuration is not UTF-8", place=f"{path}, byte {error.start}") from error
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"not TOML: {error}", place=str(path)) from error
    return convert(document, kind, place=str(path), text=text)


def convert(document: Any, kind: type[T], *, place: str, text: str = "") -> T:
    """``document`` as ``kind``; ``place`` names its origin and ``text`` its TOML source, for line numbers."""
    _refuse_unknown(document, kind, (), place, text)
    try:
        return msgspec.convert(document, kind, strict=True)
    except msgspec.ValidationError as error:
        found = _MISSING_OR_WRONG.match(str(error))
        what, path = (found["what"], found["path"] or "$") if found else (str(error), "$")
        keys = tuple(re.findall(r"[^.$\[\]]+", path))
        raise ConfigurationError(what, place=_place(keys, place, text)) from error


def _refuse_unknown(document: Any, kind: Any, keys: tuple[str, ...], place: str, text: str) -> None:
    """Walks document and type together, because msgspec names an unknown field but not its neighbours."""
    struct = _struct_of(kind)
    if struct is None:
        if isinstance(document, list):
            (item,) = get_args(_plain(kind))[:1] or (Any,)
            for position, element in enumerate(document):
                _refuse_unknown(element, item, (*keys, str(position)), place, text)
        elif isinstance(document, dict) and len(get_args(_plain(kind))) == 2:
            for key, element in document.items():
                _refuse_unknown(element, get_args(_plain(kind))[1], (*keys, key), place, text)
        return
    if not isinstance(document, dict):
        return
    hints = _hints(struct)
    known = dict(zip(struct.__struct_encode_fields__, struct.__struct_fields__, strict=True))
    tag = struct.__struct_config__.tag_field
    for key, value in document.items():
        if key == tag:
            continue
        if key not in known:
            keyed = sorted(name for name, field in known.items() if not _given_by(hints[field]))
            near = difflib.get_close_matches(key, keyed, n=1, cutoff=0.5)
            hint = f"did you mean '{near[0]}'?" if near else f"known keys here: {', '.join(keyed)}"
            raise UnknownKeyError(f"unknown key '{key}'", place=_place((*keys, key), place, text), hint=hint)
        if given := _given_by(hints[known[key]]):
            table, _, name = given.rpartition(".")
            raise MovedKeyError(
                f"'{key}' is not set here but once for all, by {given}",
                place=_place((*keys, key), place, text),
                hint=f"remove this line and write {name} = {shown(value)} below [{table}]",
            )
        _refuse_unknown(value, hints[known[key]], (*keys, key), place, text)


@functools.cache
def _hints(struct: type[msgspec.Struct]) -> dict[str, Any]:
    """What each field is; the options of thousands of points are checked against one type."""
    return get_type_hints(struct, include_extras=True)


def _given_by(annotation: Any) -> str:
    metas = [item for item in get_args(annotation)[1:] if isinstance(item, msgspec.Meta)]
    return next((str(item.extra[GIVEN_BY]) for item in metas if item.extra and GIVEN_BY in item.extra), "")


def _plain(kind: Any) -> Any:
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def _struct_of(kind: Any) -> type[msgspec.Struct] | None:
    kind = _plain(kind)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind
    if get_origin(kind) in (Union, types.UnionType):
        found = [struct for struct in map(_struct_of, get_args(kind)) if struct is not None]
        return found[0] if len(found) == 1 else None
    return None


def _place(keys: tuple[str, ...], origin: str, text: str) -> str:
    dotted = ".".join(keys)
    line = _line_of(keys, text) if text else None
    return f"{origin}:{line}: {dotted}" if line else f"{origin}: {dotted}" if dotted else origin


def _line_of(keys: tuple[str, ...], text: str) -> int | None:
    """The line of the deepest of ``keys`` that is written in ``text``: its table header, then its assignment."""
    table: tuple[str, ...] = ()
    seen: dict[tuple[str, ...], int] = {}
    best, depth = None, 0
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[(\[?)\s*([^\[\]]+?)\s*\]", line):
            table = _opened([part.strip().strip("'\"") for part in header[2].split(".")], bool(header[1]), seen)
            here = table
        elif assignment := re.match(r"\s*([A-Za-z0-9_\-.'\"]+)\s*=", line):
            here = (*table, *(part.strip("'\"") for part in assignment[1].split(".")))
        else:
            continue
        if here == keys[: len(here)] and len(here) > depth:
            best, depth = number, len(here)
    return best


def _opened(parts: list[str], array: bool, seen: dict[tuple[str, ...], int]) -> tuple[str, ...]:
    """The keys that lead to the table of a header; ``seen`` counts the tables of each array so far."""
    path: tuple[str, ...] = ()
    for position, part in enumerate(parts, 1):
        path = (*path, part)
        if array and position == len(parts):
            seen[path] = seen.get(path, -1) + 1
        if path in seen:
            path = (*path, str(seen[path]))
    return path


def resolve_secret(reference: str, stored: Callable[[str], str | None] | None = None) -> str:
    """The secret behind ``env:NAME``, ``file:PATH`` or ``secret:NAME`` (kept by ``hulian secret set``, read by ``stored``).

    Raises `SecretError`; the message holds the reference, never the secret.
    """
    scheme, _, name = reference.partition(":")
    if scheme == "env" and name:
        if (value := os.environ.get(name)) is None:
            raise SecretError(f"the environment variable {name} is not set", place=reference)
        return value
    if scheme == "file" and name:
        try:
            return Path(name).expanduser().read_text(encoding="utf-8").rstrip("\r\n")
        except OSError as error:
            raise SecretError(f"cannot read the secret's file: {error.strerror}", place=reference) from error
        except UnicodeDecodeError:
            raise SecretError("the secret's file is not UTF-8", place=reference) from None  # the cause would show its bytes
    if scheme == "secret" and name and stored is not None:
        if (value := stored(name)) is None:
            raise SecretError("there is no secret of this name", place=reference, hint=f"run 'hulian secret set {name}'")
        return value
    raise SecretError("not a reference to a secret", place=f"{scheme}:…" if scheme in ("env", "file", "secret") else "…")


def secrets_of(value: object) -> Iterator[str]:
    """The names of the kept secrets (``secret:NAME``) that a configuration, or a part of one, refers to."""
    if isinstance(value, msgspec.Struct):
        value = [getattr(value, name) for name in value.__struct_fields__]
    elif isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, str):
        if value.startswith("secret:"):
            yield value.removeprefix("secret:")
    elif isinstance(value, list | tuple | set | frozenset):
        for part in value:
            yield from secrets_of(part)


OPTIONAL_TABLE: Final = "optional table"
"""The type of a table that need not be there."""


def describe(kind: type[msgspec.Struct]) -> Iterator[tuple[str, str, Any, str]]:
    """Each key of ``kind`` as (dotted key, type, default, description), nested tables included, in order.

    A table that need not be there is a key too, of the type `OPTIONAL_TABLE`: that it is there is a setting.
    """
    yield from _describe(kind, ())


def _describe(kind: type[msgspec.Struct], above: tuple[str, ...]) -> Iterator[tuple[str, str, Any, str]]:
    hints = get_type_hints(kind, include_extras=True)
    tables: list[tuple[str, type[msgspec.Struct]]] = []
    for field in msgspec.structs.fields(kind):
        annotation = hints[field.name]
        if _given_by(annotation):
            continue
        meta = [item for item in get_args(annotation)[1:] if isinstance(item, msgspec.Meta)]
        text = next((item.description for item in meta if item.description), "")
        nested = _struct_of(annotation)
        if nested is not None:
            tables.append((field.encode_name, nested))  # after the keys of this one: a table cannot be taken up again
            if get_origin(_plain(annotation)) is not None:
                yield ".".join((*above, field.encode_name)), OPTIONAL_TABLE, None, text or ""
            continue
        if field.default is not msgspec.NODEFAULT:
            default = field.default
        elif field.default_factory is not msgspec.NODEFAULT:
            default = field.default_factory()
        else:
            default = msgspec.NODEFAULT
        plain = _plain(annotation)
        name = plain.__name__ if isinstance(plain, type) and not get_args(plain) else str(plain).replace("typing.", "")
        yield ".".join((*above, field.encode_name)), name, default, text or ""
    for name, table in tables:
        yield from _describe(table, (*above, name))


def sample(kind: type[msgspec.Struct]) -> str:
    """A commented ``hulian.toml`` with every key of ``kind`` at its default."""
    lines = ["# hulian.toml - every key, at its default. Remove the '#' before a key to set it.", ""]
    table: str | None = None
    optional: dict[str, str] = {}
    for dotted, kind_name, default, text in describe(kind):
        above, _, key = dotted.rpartition(".")
        if kind_name == OPTIONAL_TABLE:
            optional[dotted] = text
            continue
        if above != (table or ""):
            table = above
            lines += ["", f"# {optional[table]}", f"# [{table}]"] if table in optional else ["", f"[{table}]"]
        lines += [f"# {text} ({kind_name})"] if text else [f"# ({kind_name})"]
        lines.append(f"# {key} = {shown(default)}".rstrip())
    return "\n".join(lines) + "\n"


def shown(value: Any) -> str:
    """A default as one writes it in TOML; nothing for a key that has none."""
    if value is msgspec.NODEFAULT or value is None:
        return ""
    match msgspec.to_builtins(value):
        case bool() as flag:
            return "true" if flag else "false"
        case str() as text:
            return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
        case list() | tuple() as items:
            return "[" + ", ".join(shown(item) for item in items) + "]"
        case dict() as items:
            return "{ " + ", ".join(f"{shown(key)} = {shown(item)}" for key, item in items.items()) + " }" if items else "{}"
        case other:
            return str(other)
