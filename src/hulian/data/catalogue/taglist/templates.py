"""Templates: what the points of a type of machine look like, instantiated once for each row of a table of parameters.

A template is a tag list whose cells are patterns. The names in them are its parameters; each instance gives every one a
value, or takes its default. `number` is always there: which instance it is, from 1.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Row as Record

from hulian.data.catalogue import tables
from hulian.data.catalogue.errors import (
    ListFormatError,
    ListLimitError,
    PatternError,
    TemplateError,
    UnknownTemplateError,
    VersionError,
)
from hulian.data.catalogue.store import Catalogue
from hulian.data.catalogue.taglist.columns import parsed_titles, read_row
from hulian.data.catalogue.taglist.grid import MOST_COLUMNS, MOST_ROWS, Budget, Faults, Grid, Row
from hulian.data.catalogue.taglist.patterns import LONGEST_PATTERN, Pattern, names_in
from hulian.data.catalogue.taglist.planning import Wanted
from hulian.kernel.errors import HulianError
from hulian.kernel.point import Point

__all__ = ["NUMBER", "Parameter", "Template", "Templates", "instances_of", "instantiated", "template_of"]

Says = msgspec.Meta
NUMBER: Final = "number"
"""The placeholder that every template has: which instance it is, from 1."""

_MOST_POINTS: Final = 5_000
_MOST_PARAMETERS: Final = 50
_MOST_TEMPLATES: Final = 1_000
_LONGEST_VALUE: Final = 1_000

Cell = Annotated[str, Says(max_length=LONGEST_PATTERN)]


class Parameter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What differs from one machine to the next. Without ``default`` every instance has to give it."""

    name: Annotated[str, Says(min_length=1, max_length=60)]
    default: Annotated[str, Says(max_length=_LONGEST_VALUE)] | None = None
    text: Annotated[str, Says(max_length=500)] = ""


class Template(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A type of machine: ``rows`` of patterns under ``columns``, those of a tag list. ``version`` guards the next change."""

    name: Annotated[str, Says(min_length=1, max_length=100)]
    text: Annotated[str, Says(max_length=2000)] = ""
    parameters: Annotated[list[Parameter], Says(max_length=_MOST_PARAMETERS)] = []
    columns: Annotated[list[str], Says(min_length=1, max_length=MOST_COLUMNS)]
    rows: Annotated[list[Annotated[list[Cell], Says(max_length=MOST_COLUMNS)]], Says(min_length=1, max_length=_MOST_POINTS)]
    version: int = 0

    def checked(self) -> Template:
        """With a parameter for every name in its cells. Raises `TemplateError`, `PatternError`, `ListFormatError`."""
        if self.name != self.name.strip() or not self.name.isprintable():
            raise TemplateError(f"{self.name!r} cannot be a template's name", hint="no white space at its ends")
        parsed_titles(self.columns)
        given = [parameter.name for parameter in self.parameters]
        if doubled := sorted({name for name in given if given.count(name) > 1}):
            raise TemplateError(f"the parameter '{doubled[0]}' is there twice", place=self.name)
        if NUMBER in given:
            raise TemplateError(f"'{NUMBER}' is always there: which instance it is, from 1", place=self.name)
        missing = [name for name in names_in(_patterns(self)) if name not in (*given, NUMBER)]
        if len(given) + len(missing) > _MOST_PARAMETERS:
            raise TemplateError(f"there are more than {_MOST_PARAMETERS} parameters", place=self.name)
        found = [*self.parameters, *(Parameter(name=name) for name in missing)]
        return msgspec.structs.replace(self, parameters=found)


def _patterns(template: Template) -> list[Pattern]:
    found: list[Pattern] = []
    for number, row in enumerate(template.rows, 1):
        for title, cell in zip(template.columns, row, strict=False):
            try:
                found.append(Pattern(cell))
            except PatternError as error:
                raise PatternError(error.message, place=f"{template.name}, row {number}, {title}") from error
        if len(row) > len(template.columns):
            raise TemplateError("the row has more cells than there are columns", place=f"{template.name}, row {number}")
    return found


def template_of(name: str, points: Sequence[Point], columns: Sequence[Any]) -> Template:
    """A template after one machine: its ``points`` with the thing's identifier replaced by ``{machine}`` and the connector by
    ``{connector}``, ready to be edited. Raises `TemplateError` where they belong to more than one thing."""
    things = {point.thing for point in points}
    if len(things) != 1:
        raise TemplateError("a template is made after the points of one thing")
    (thing,) = things
    prefix, _, suffix = thing.partition("/")
    shown = [[column.show(point) for column in columns] for point in points]
    used = [at for at, column in enumerate(columns) if column.keeps or any(row[at] for row in shown)]

    def cell(key: str, text: str) -> str:
        text = text.replace("{", "{{").replace("}", "}}")
        if key == "identifier":
            return f"{prefix}/{{machine}}{text[len(thing.replace('{', '{{').replace('}', '}}')) :]}"
        return "{connector}" if key == "connector" and text else text

    connectors = {point.connector for point in points if point.connector}
    given = [Parameter(name="machine", text=f"{suffix} in the model")]
    given += [Parameter(name="connector", default=min(connectors))] if connectors else []
    return Template(
        name=name,
        parameters=given,
        columns=[columns[at].key for at in used],
        rows=[[cell(columns[at].key, row[at]) for at in used] for row in shown],
    ).checked()


def instances_of(grid: Grid, template: Template) -> list[dict[str, str]]:
    """The rows of a table of parameters. Raises `TemplateError` for columns that are no parameter, or doubled."""
    titles = [title.strip() for title in grid.titles]
    known = {parameter.name for parameter in template.parameters}
    if wrong := next((title for title in titles if title and title not in known), ""):
        raise TemplateError(
            f"'{wrong[:60]}' is no parameter of '{template.name}'", hint=f"there are: {', '.join(sorted(known))}"
        )
    if len(set(titles)) < len(titles):
        raise TemplateError("a column is there twice")
    return [{title: cell.strip() for title, cell in zip(titles, row.cells, strict=False) if title} for row in grid.rows]


def instantiated(template: Template, instances: Sequence[Mapping[str, str]]) -> tuple[list[Wanted], list[str], Faults]:
    """The rows that ``template`` makes of ``instances``. A row's number is that of its instance, from 1.

    Raises `ListLimitError` where they are too many, `TemplateError` for a parameter that is unknown, and `ListFormatError`.
    """
    if len(instances) * len(template.rows) > MOST_ROWS:
        raise ListLimitError(f"{len(instances)} instances of {len(template.rows)} points are more than {MOST_ROWS} points")
    keys = parsed_titles(template.columns)
    patterns = [[Pattern(cell) for cell in row] for row in template.rows]
    known = {parameter.name for parameter in template.parameters}
    usual = {parameter.name: parameter.default for parameter in template.parameters if parameter.default is not None}
    faults = Faults()
    budget = Budget()
    rows: list[Wanted] = []
    for number, instance in enumerate(instances, 1):
        if wrong := next((name for name in instance if name not in known), ""):
            raise TemplateError(f"'{wrong[:60]}' is no parameter of '{template.name}'", place=f"instance {number}")
        if long := next((name for name, value in instance.items() if len(value) > _LONGEST_VALUE), ""):
            raise ListLimitError(f"'{long}' is longer than {_LONGEST_VALUE} characters", place=f"instance {number}")
        values = usual | {name: value for name, value in instance.items() if value} | {NUMBER: str(number)}
        if missing := [name for name in known if name not in values]:
            for name in missing:
                faults.add(number, name, TemplateError(f"the parameter '{name}' is not given"))
            continue
        rows += _rows(number, keys, patterns, values, faults, budget)
    return rows, [key for key in keys if key], faults


def _rows(
    number: int,
    keys: Sequence[str],
    patterns: Sequence[Sequence[Pattern]],
    values: Mapping[str, str],
    faults: Faults,
    budget: Budget,
) -> list[Wanted]:
    rows: list[Wanted] = []
    for line in patterns:
        cells: list[str] = []
        for key, pattern in zip(keys, line, strict=False):
            try:
                cells.append(pattern.fill(values))
                budget.spend(cells[-1])
            except PatternError as error:
                faults.add(number, key, error)
                cells.append("")

        def fault(column: str, error: HulianError) -> None:
            faults.add(number, column, error)

        draft = read_row(Row(number, cells), keys, Grid((), ()), fault)
        if name := draft.pop("identifier", None):
            rows.append(Wanted(number, name, draft))
        elif number not in faults.rows:
            faults.add(number, "identifier", ListFormatError("the identifier is empty"))
    return rows


class Templates:
    """The templates of one catalogue, kept in the registry beside it."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def all(self) -> list[Template]:
        """By name."""
        with self._catalogue.reading() as connection:
            return [_template(row) for row in connection.execute(sa.select(tables.template).order_by(tables.template.c.name))]

    def get(self, name: str) -> Template:
        """Raises `UnknownTemplateError`."""
        with self._catalogue.reading() as connection:
            row = connection.execute(sa.select(tables.template).where(tables.template.c.name == name)).first()
        if row is None:
            raise UnknownTemplateError(f"there is no template '{name[:80]}'")
        return _template(row)

    def put(self, template: Template) -> Template:
        """Adds the template (``version`` 0), or changes the one at ``version``. Raises as `checked`, and `VersionError`."""
        wanted = template.checked()
        values = msgspec.to_builtins(wanted) | {"version": wanted.version + 1, "changed": time.time_ns()}
        with self._catalogue.writing() as (connection, _):
            table = tables.template
            found = connection.execute(sa.select(table.c.version).where(table.c.name == wanted.name)).scalar()
            if (found or 0) != wanted.version:
                raise VersionError(f"the template '{wanted.name}' is at version {found or 0}, not {wanted.version}")
            if found is None:
                if connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one() >= _MOST_TEMPLATES:
                    raise ListLimitError(f"there are {_MOST_TEMPLATES} templates already", hint="remove one that is not used")
                connection.execute(table.insert().values(**values))
            else:
                connection.execute(table.update().where(table.c.name == wanted.name).values(**values))
        return msgspec.structs.replace(wanted, version=wanted.version + 1)

    def remove(self, name: str) -> None:
        """Forgets the template; the points that were made of it stay. Raises `UnknownTemplateError`."""
        with self._catalogue.writing() as (connection, _):
            if not connection.execute(tables.template.delete().where(tables.template.c.name == name)).rowcount:
                raise UnknownTemplateError(f"there is no template '{name[:80]}'")


def _template(row: Record[Any]) -> Template:
    fields = {key: getattr(row, key) for key in ("name", "text", "parameters", "columns", "rows", "version")}
    return msgspec.convert(fields, Template)
