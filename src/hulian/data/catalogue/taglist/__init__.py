"""Tag lists: points as the rows of a table, out and in again, with every difference shown before it is made.

`read_list` and `write_list` know the forms (CSV, XLSX); `preview` and `apply` know the catalogue. Bulk edits (`edited`)
and templates (`Template`) make rows of the same kind.
"""

from __future__ import annotations

from hulian.data.catalogue.taglist.bulk import MOST_EDITED, Edit, Replacement, edited
from hulian.data.catalogue.taglist.columns import LEVELS, columns_for
from hulian.data.catalogue.taglist.grid import Fault, Faults, Grid, Row
from hulian.data.catalogue.taglist.planning import (
    Applied,
    CellChange,
    CheckOptions,
    Preview,
    RowChange,
    Wanted,
    apply,
    preview,
    wanted_rows,
)
from hulian.data.catalogue.taglist.reading import Form, read_list, write_list
from hulian.data.catalogue.taglist.templates import (
    Parameter,
    Template,
    Templates,
    instances_of,
    instantiated,
    template_of,
)

__all__ = [
    "LEVELS",
    "MOST_EDITED",
    "Applied",
    "CellChange",
    "CheckOptions",
    "Edit",
    "Fault",
    "Faults",
    "Form",
    "Grid",
    "Parameter",
    "Preview",
    "Replacement",
    "Row",
    "RowChange",
    "Template",
    "Templates",
    "Wanted",
    "apply",
    "columns_for",
    "edited",
    "instances_of",
    "instantiated",
    "preview",
    "read_list",
    "template_of",
    "wanted_rows",
    "write_list",
]
