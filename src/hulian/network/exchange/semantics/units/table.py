"""The table of units, read once and when first asked for."""

from __future__ import annotations

import functools
from importlib import resources
from typing import Final

from hulian.network.exchange.semantics.units.spellings import PRESSURE, product, tidy
from hulian.network.exchange.semantics.units.unit import IRDI_PREFIX, Unit

__all__ = ["Table", "table"]

_REFERENCES: Final = {"BAR_A": "absolute", "MilliBAR_A": "absolute", "KiloPA_A": "absolute", "MilliM_HGA": "absolute"}


class Table:
    """Every unit, by each of its names. What is not simple to find is indexed when first needed."""

    def __init__(self, text: str) -> None:
        self.by_name: dict[str, Unit] = {}
        self.by_irdi: dict[str, list[Unit]] = {}
        self.by_unece: dict[str, list[Unit]] = {}
        self.by_ucum: dict[str, list[Unit]] = {}
        self.by_symbol: dict[str, list[Unit]] = {}
        self.units = [_unit(line) for line in text.splitlines() if not line.startswith("#")]
        for unit in sorted(self.units, key=lambda unit: bool(unit.replaced_by)):
            self._add(unit)

    def _add(self, unit: Unit) -> None:
        if unit.name:
            self.by_name[unit.name] = unit
        for index, names in (
            (self.by_irdi, unit.irdi),
            (self.by_unece, unit.unece),
            (self.by_ucum, unit.ucum),
            (self.by_symbol, {tidy(name): None for name in (unit.symbol, *unit.spellings) if name}),
        ):
            for name in names:
                if not unit.replaced_by or name not in index:  # a unit out of use has only the codes that no other has
                    index.setdefault(name, []).append(unit)

    @functools.cached_property
    def by_product(self) -> dict[frozenset[tuple[str, int]], list[Unit]]:
        """By the powers that a symbol is the product of, in whatever order and spelling."""
        found: dict[frozenset[tuple[str, int]], list[Unit]] = {}
        for index in (self.by_symbol, self.by_ucum):
            for name, units in index.items():
                key = product(name)
                if key:
                    known = found.setdefault(key, [])
                    known += [unit for unit in units if unit not in known]
        return found

    @functools.cached_property
    def by_any_case(self) -> dict[str, list[Unit]]:
        """By every name, without regard to capitals."""
        found: dict[str, list[Unit]] = {}
        names = {unit.name: [unit] for unit in self.units if unit.name and not unit.replaced_by}
        for index in (self.by_symbol, self.by_ucum, names):
            for name, units in index.items():
                known = found.setdefault(name.casefold(), [])
                known += [unit for unit in units if unit not in known]
        return found


def _unit(line: str) -> Unit:
    name, dimension, factor, offset, symbol, unece, irdi, ucum, spellings, replaced = line.split("\t")
    return Unit(
        name=name,
        symbol=symbol,
        dimension=dimension if name and dimension != "-" else None,
        published=(factor, offset),
        unece=tuple(unece.split()),
        irdi=tuple([IRDI_PREFIX + code for code in irdi.split()]),
        ucum=tuple(ucum.split()),
        spellings=tuple(spellings.split("|")) if spellings else (),
        replaced_by=replaced,
        reference=_REFERENCES.get(name, "") if dimension == PRESSURE else "",
    )


@functools.cache
def table() -> Table:
    """The table of this version of Hulian: about 3,300 units, in some hundredths of a second."""
    return Table(resources.files(__package__).joinpath("units.tsv").read_text(encoding="utf-8"))
