"""Units of measure: one hub (QUDT) between the codes of UNECE, IEC 62720, UCUM and OPC UA, symbols, and what plants write.

Values travel in their own unit; they are converted when somebody asks for another one.
"""

from __future__ import annotations

from hulian.network.exchange.semantics.units.conversion import Conversion, conversion, convert
from hulian.network.exchange.semantics.units.errors import AmbiguousUnitError, NoFactorError, ReferencePointError
from hulian.network.exchange.semantics.units.finding import candidates, find, of_unit_id
from hulian.network.exchange.semantics.units.table import table
from hulian.network.exchange.semantics.units.unit import CODES_NAMESPACE, Unit, code_of, unit_id

__all__ = [
    "CODES_NAMESPACE",
    "AmbiguousUnitError",
    "Conversion",
    "NoFactorError",
    "ReferencePointError",
    "Unit",
    "candidates",
    "code_of",
    "conversion",
    "convert",
    "find",
    "of_unit_id",
    "table",
    "unit_id",
]
