"""``hulian points export|import|edit``, ``hulian template …``, ``hulian connector copy``: many points at once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from hulian.cli.errors import AbandonedError, NothingFoundError
from hulian.cli.local import DEFAULT_REMOTE, Json, Remote, open_platform
from hulian.cli.output import emit, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hulian.sdk.taglists import ListApplied, ListPreview

__all__ = [
    "connector_copy",
    "points_edit",
    "points_export",
    "points_import",
    "template_apply",
    "template_export",
    "template_list",
    "template_make",
    "template_remove",
    "template_save",
]

Yes = Annotated[bool, Parameter(name=["--yes", "-y"], help="do not ask", negative="")]
DryRun = Annotated[bool, Parameter(help="show every difference and mistake, and change nothing", negative="")]
Only = Annotated[str, Parameter(help="only points of this connector")]
Below = Annotated[str, Parameter(help="only points below this place of the plant")]
Search = Annotated[str, Parameter(help="only points in which these words occur")]


def points_export(
    target: Annotated[Path, Parameter(help="file to write: .csv or .xlsx")],
    /,
    *,
    search: Search = "",
    connector: Only = "",
    path: Below = "",
    remote: Remote = DEFAULT_REMOTE,
) -> None:
    """Write the tag list: one row a point, every column, as CSV or XLSX.

    Examples:

        hulian points export plant.xlsx
        hulian points export press.csv --connector press
    """
    with open_platform(remote) as platform:
        data = platform.point_list(_form(target), search, connector=connector or None, path=path or None)
    target.write_bytes(data)
    print(target)


def points_import(
    source: Annotated[Path, Parameter(help="a tag list: .csv or .xlsx")],
    /,
    *,
    remove: Annotated[
        bool, Parameter(help="remove what the list does not name, of the connectors that it names", negative="")
    ] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    remote: Remote = DEFAULT_REMOTE,
    json: Json = False,
) -> int:
    """Bring a tag list in: differences and mistakes by cell first, then all of it or nothing.

    Exit status 1 where there is a mistake.

    Examples:

        hulian points import plant.xlsx --dry-run
        hulian points import plant.xlsx --yes
    """
    data = _read(source)
    with open_platform(remote) as platform:
        found = platform.preview_points(data, remove=remove)
        if not _go_on(found, dry_run=dry_run, yes=yes, json=json):
            return 1 if found.faulty else 0
        _done(platform.apply_points(data, found.digest, remove=remove, name=source.name), json=json)
    return 0


def points_edit(
    *,
    points: Annotated[list[str] | None, Parameter(name="--point", help="names of points", negative="")] = None,
    search: Search = "",
    connector: Only = "",
    path: Below = "",
    settings: Annotated[
        list[str] | None, Parameter(name=["--set", "-s"], help="column=pattern, e.g. 'tag={thing}-{number:02}'", negative="")
    ] = None,
    replace: Annotated[
        list[str] | None, Parameter(help="column:old=new, literally, e.g. 'path:hall 1=hall 2'", negative="")
    ] = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    remote: Remote = DEFAULT_REMOTE,
    json: Json = False,
) -> int:
    """Make the same change to many points: differences first, then all of it or nothing.

    Examples:

        hulian points edit --connector press --set unit=bar --dry-run
        hulian points edit --search pump --set 'tag={thing}.{property}' --replace 'path:hall 1=hall 2' --yes
    """
    chosen = {key: value for key, value in {"search": search, "connector": connector, "path": path}.items() if value}
    selection = {"names": points} if points else chosen
    pairs = [_pair(item, "column=pattern") for item in settings or ()]
    replaced = []
    for item in replace or ():
        column, _, rest = item.partition(":")
        find, put = _pair(rest, "column:old=new")
        replaced.append({"column": column, "find": find, "put": put})
    edit = {"set": dict(pairs), "replace": replaced}
    with open_platform(remote) as platform:
        found = platform.preview_edit(selection, edit)
        if not _go_on(found, dry_run=dry_run, yes=yes, json=json):
            return 1 if found.faulty else 0
        _done(platform.edit_points(selection, edit, found.digest), json=json)
    return 0


def template_list(*, remote: Remote = DEFAULT_REMOTE, json: Json = False) -> None:
    """List the templates of machines, with their parameters.

    Example:

        hulian template list
    """
    with open_platform(remote) as platform:
        found = platform.templates()
    if json:
        emit(found)
        return
    rows = [
        {"name": one.name, "points": len(one.rows), "parameters": ", ".join(p.name for p in one.parameters), "text": one.text}
        for one in found
    ]
    table(rows, ["name", "points", "parameters", "text"], empty="There is no template. Make one: 'hulian template make THING'.")


def template_make(
    thing: Annotated[str, Parameter(help="identifier of a machine, e.g. 99.118.8/press-1")],
    /,
    *,
    name: Annotated[str, Parameter(help="name of the template")] = "",
    remote: Remote = DEFAULT_REMOTE,
    json: Json = False,
) -> None:
    """Make a template after a machine that is there, and keep it.

    Example:

        hulian template make 99.118.8/press-1 --name press
    """
    with open_platform(remote) as platform:
        kept = platform.keep_template(platform.template_of(thing, name=name))
    if json:
        emit(kept)
    else:
        print(f"{kept.name}: {len(kept.rows)} points, parameters {', '.join(p.name for p in kept.parameters)}")


def template_export(
    name: str, target: Annotated[Path, Parameter(help="file to write: .json")], /, *, remote: Remote = DEFAULT_REMOTE
) -> None:
    """Write a template to a file, to be edited or carried to another installation.

    Example:

        hulian template export press press.json
    """
    import msgspec

    with open_platform(remote) as platform:
        found = platform.template(name)
    target.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")
    print(target)


def template_save(
    source: Annotated[Path, Parameter(help="a file that 'hulian template export' wrote")], /, *, remote: Remote = DEFAULT_REMOTE
) -> None:
    """Keep the template of a file: a new one, or a change of the one that is there.

    Example:

        hulian template save press.json
    """
    import msgspec

    from hulian.sdk.errors import UnknownNameError
    from hulian.sdk.taglists import Template

    try:
        wanted = msgspec.json.decode(_read(source), type=Template)
    except msgspec.DecodeError as error:
        raise NothingFoundError(f"{source} is no template: {error}", hint="compare with 'hulian template export'") from error
    with open_platform(remote) as platform:
        try:
            version = platform.template(wanted.name).version
        except UnknownNameError:
            version = 0
        kept = platform.keep_template(msgspec.structs.replace(wanted, version=version))
    print(f"{kept.name}: {len(kept.rows)} points, version {kept.version}")


def template_remove(name: str, /, *, remote: Remote = DEFAULT_REMOTE) -> None:
    """Forget a template; the points that were made of it stay."""
    with open_platform(remote) as platform:
        platform.remove_template(name)
    print(f"{name} is removed")


def template_apply(
    name: str,
    source: Annotated[Path, Parameter(help="CSV with one row a machine and one column a parameter")],
    /,
    *,
    dry_run: DryRun = False,
    yes: Yes = False,
    remote: Remote = DEFAULT_REMOTE,
    json: Json = False,
) -> int:
    """Make one machine of a template for each row of a table: differences first, then all of it or nothing.

    Examples:

        hulian template apply press presses.csv --dry-run
        hulian template apply press presses.csv --yes
    """
    text = _read(source).decode("utf-8-sig")
    with open_platform(remote) as platform:
        found = platform.preview_instances(name, table=text)
        if not _go_on(found, dry_run=dry_run, yes=yes, json=json):
            return 1 if found.faulty else 0
        _done(platform.make_instances(name, table=text, digest=found.digest), json=json)
    return 0


def connector_copy(
    name: str,
    copy: Annotated[str, Parameter(help="name of the new connector")],
    url: Annotated[str, Parameter(help="address of its device")],
    /,
    *,
    replace: Annotated[
        list[str] | None, Parameter(help="old=new in identifiers, tags and places, e.g. press-1=press-2", negative="")
    ] = None,
    enable: Annotated[bool, Parameter(help="start it at once", negative="")] = False,
    dry_run: DryRun = False,
    remote: Remote = DEFAULT_REMOTE,
    json: Json = False,
) -> None:
    """Make a second connector with the same settings and points for another device.

    Example:

        hulian connector copy press-1 press-2 opc.tcp://plc-2:4840 --replace press-1=press-2
    """
    pairs = dict(_pair(item, "old=new") for item in replace or ())
    with open_platform(remote) as platform:
        found = platform.copy_connector(name, copy, url, replace=pairs, enabled=enable, dry_run=dry_run)
    if json:
        emit(found)
        return
    rows = [{"point": item.name, "tag": item.tag, "path": item.path, "address": item.address} for item in found[:40]]
    table(rows, ["point", "tag", "path", "address"], empty=f"{name} has no points.")
    if len(found) > len(rows):
        print(f"… and {len(found) - len(rows)} more")
    print(f"{copy}: {len(found)} points, " + ("nothing was changed" if dry_run else "made"))


# ---------------------------------------------------------------- parts


def _form(path: Path) -> str:
    form = path.suffix.lower().lstrip(".")
    if form not in ("csv", "xlsx"):
        raise NothingFoundError(f"{path.name} ends in neither .csv nor .xlsx", hint="name the file plant.csv or plant.xlsx")
    return form


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise NothingFoundError(f"cannot read {path}: {error.strerror or error}", hint="look at the file's name") from error


def _pair(text: str, form: str) -> tuple[str, str]:
    key, mark, value = text.partition("=")
    if not key or not mark:
        raise NothingFoundError(f"{text!r} cannot be read", hint=f"write it as {form}")
    return key, value


def _go_on(found: ListPreview, *, dry_run: bool, yes: bool, json: bool) -> bool:
    """Shows the preview; whether it is to be applied."""
    changes = found.added + found.changed + found.removed
    if json and (dry_run or found.faulty or not changes):
        emit(found)
    if not json:
        _show(found)
    if found.faulty or dry_run or not changes:
        return False
    if yes:
        return True
    if not sys.stdin.isatty():
        raise AbandonedError("nobody is there to answer", hint="add --yes to go on without asking")
    if input(f"Change {changes} points? [y/N] ").strip().lower() not in ("y", "yes", "j", "是"):
        raise AbandonedError("nothing was changed")
    return True


def _show(found: ListPreview, most: int = 60) -> None:
    marks = {"added": "+", "changed": "~", "removed": "-"}
    rows: list[dict[str, object]] = []
    for row in found.rows:
        lines: Sequence[dict[str, object]] = [
            {"column": cell.column, "old": cell.old, "new": cell.new} for cell in row.cells if row.change == "changed"
        ] or [{}]
        head = {"": marks.get(row.change, "?"), "row": row.row or None, "point": row.name}
        rows += [{**(head if at == 0 else {}), **line} for at, line in enumerate(lines)]
    if rows:
        table(rows[:most], ["", "row", "point", "column", "old", "new"], empty="")
    if len(rows) > most:
        print(f"… and more: {len(rows) - most} lines; --json shows them")
    if found.faults:
        faults = [
            {"row": item.row, "column": item.column, "code": item.code, "message": item.message, "hint": item.hint}
            for item in found.faults
        ]
        table(faults[:most], ["row", "column", "code", "message", "hint"], empty="")
    counts = {"added": found.added, "changed": found.changed, "removed": found.removed, "unchanged": found.unchanged}
    print(
        ", ".join(f"{count} {what}" for what, count in counts.items()) + (f"; {found.faulty} mistakes" if found.faulty else "")
    )


def _done(done: ListApplied, *, json: bool) -> None:
    if json:
        emit(done)
        return
    counts = {"added": done.points.added, "changed": done.points.changed, "removed": done.removed}
    print("done: " + ", ".join(f"{count} {what}" for what, count in counts.items()))
