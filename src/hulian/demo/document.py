"""The tables of the demo plant's page, made from the same tables that its servers read.

``python -m hulian.demo.document docs/topics/demo-plant.md`` writes them into the page, between its markers.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path

from hulian.demo.chromatograph import COMMANDS
from hulian.demo.disturbances import DISTURBANCES
from hulian.demo.registers import REGISTERS
from hulian.demo.signals import ANALYSERS, REACTOR, SEPARATOR, Signal
from hulian.demo.variables import VARIABLES

__all__ = ["fill", "tables"]


def tables() -> dict[str, str]:
    """Every generated table by the name of its marker."""
    return {
        "disturbances": _table(
            ("variable", "what", "kind", "what one sees"),
            ((one.browse_name, f"{one.name}<br>{one.chinese}", str(one.kind), one.seen) for one in DISTURBANCES),
        ),
        "opcua": _table(
            ("node", "tag", "what", "unit", "range"),
            [
                *(
                    _opcua(group, signal)
                    for group, signals in (("Reactor", REACTOR), ("Separator", SEPARATOR))
                    for signal in signals
                ),
                *(
                    (
                        f"`{one.group}.{one.name}`" + (" (writable)" if one.apply else ""),
                        "",
                        f"{one.english}<br>{one.chinese}",
                        one.unit,
                        "" if one.low is None else f"{one.low:g} … {one.high:g}",
                    )
                    for one in VARIABLES
                    if one.group == "Plant"
                ),
            ],
        ),
        "registers": _table(
            ("table", "address", "type", "scale", "what", "unit", "range"),
            (
                (
                    f"{one.area}" + (" (writable)" if one.writable else ""),
                    f"{one.address}" if one.width == 1 else f"{one.address}, {one.address + 1}",
                    str(one.type),
                    f"{one.scale:g}" if one.scale != 1.0 else "",
                    f"{one.english}<br>{one.chinese}",
                    one.signal.unit.shown if one.signal else "",
                    f"{one.signal.low:g} … {one.signal.high:g}" if one.signal else "",
                )
                for one in REGISTERS
            ),
        ),
        "analysers": _table(
            ("device", "metrics", "sampled every", "dead time"),
            (
                (
                    device,
                    ", ".join(f"`{signal.metric}`" for signal in signals),
                    *(["0.25 h"] if device == "Product" else ["0.1 h"]) * 2,
                )
                for device, signals in ANALYSERS.items()
            ),
        ),
        "chromatograph": _table(
            ("line", "answer", "what"),
            (
                (
                    f"`{command.line}`",
                    f"`{command.head} {','.join(field.name for field in command.fields)}`".replace("` ", "`"),
                    command.text,
                )
                for command in COMMANDS
            ),
        ),
    }


def _opcua(group: str, signal: Signal) -> tuple[str, ...]:
    return (
        f"`{group}.{signal.browse_name}`" + (" (writable)" if signal.writable else ""),
        signal.tag,
        f"{signal.english}<br>{signal.chinese}",
        signal.unit.shown,
        f"{signal.low:g} … {signal.high:g}",
    )


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def fill(page: str) -> str:
    """``page`` with each table between ``<!-- table: NAME -->`` and ``<!-- end -->`` made anew."""
    made = tables()
    return re.sub(
        r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)",
        lambda found: found[1] + made[found[2]] + "\n" + found[3],
        page,
        flags=re.DOTALL,
    )


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_text(fill(target.read_text(encoding="utf-8")), encoding="utf-8")
