"""What people and programs see: tables, JSON, and errors in one form."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from hulian.kernel.errors import HulianError

__all__ = ["complain", "emit", "only_error", "table"]


def only_error(error: BaseException) -> BaseException:
    """The one error that a person should read: the first `HulianError` inside nested exception groups."""
    leaves = list(_leaves(error))
    return next((leaf for leaf in leaves if isinstance(leaf, HulianError)), leaves[0])


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def complain(error: BaseException, *, as_json: bool = False) -> int:
    """Prints the error on stderr and returns the exit status: 78 for what a restart cannot mend, else 1."""
    from hulian.kernel.errors import ConfigurationError

    found = only_error(error)
    if isinstance(found, KeyboardInterrupt):
        return 130
    if not isinstance(found, HulianError):
        traceback.print_exception(found)
        print("\nThis is a defect of Hulian: please report the lines above.", file=sys.stderr)
        return 70
    if as_json:
        print(msgspec.json.encode({"error": found.as_dict()}).decode(), file=sys.stderr)
    else:
        print(f"{found}", file=sys.stderr)
        if found.hint:
            print(f"  → {found.hint}", file=sys.stderr)
    return 78 if isinstance(found, ConfigurationError) else 1


def emit(value: Any) -> None:
    """``value`` as JSON on stdout."""
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
    sys.stdout.flush()


def table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str | tuple[str, str]], *, empty: str) -> None:
    """``rows`` as a table; a column is a key, or (key, title). ``empty`` says what to do when there is none."""
    from rich.console import Console
    from rich.table import Table

    shown = list(rows)
    console = Console(soft_wrap=False)
    if not shown:
        console.print(empty)
        return
    view = Table(box=None, pad_edge=False, header_style="bold")
    keys = [(column, column.replace("_", " ")) if isinstance(column, str) else column for column in columns]
    for _, title in keys:
        view.add_column(title, overflow="fold")
    for row in shown:
        view.add_row(*(_text(row.get(key)) for key, _ in keys))
    console.print(view)


def _text(value: Any) -> str:
    from rich.markup import escape

    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.6g}"
        case _:
            return escape(str(value))
