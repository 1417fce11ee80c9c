"""Many points at once: tag lists, bulk edits, templates, copies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from hulian.kernel.identifier import escape
from hulian.sdk import records, taglists
from hulian.sdk.calls.asking import SLOW, given, items
from hulian.sdk.flow import Flow, Request, read

__all__ = [
    "apply_points",
    "copy_connector",
    "edit_points",
    "keep_template",
    "make_instances",
    "point_list",
    "preview_edit",
    "preview_instances",
    "preview_points",
    "remove_template",
    "template",
    "template_of",
    "templates",
]


def point_list(
    form: str = "csv",
    search: str = "",
    *,
    connector: str | None = None,
    thing: str | None = None,
    path: str | None = None,
) -> Flow[bytes]:
    """The tag list of the points that match, as the bytes of a ``csv`` or ``xlsx`` file."""
    query = given(search=search or None, connector=connector, thing=thing, path=path)
    return (yield Request("GET", f"/points/list.{form}", query=query, accept="*/*", seconds=SLOW)).body


def preview_points(content: bytes, *, remove: bool = False) -> Flow[taglists.ListPreview]:
    """What a tag list (CSV or XLSX) would change, cell by cell; nothing is. ``remove``: also what it does not name, of the
    connectors that it names."""
    query = {"remove": str(remove).lower()}
    reply = yield Request("POST", "/points/list/preview", query=query, content=content, seconds=SLOW)
    return read(reply, taglists.ListPreview)


def apply_points(content: bytes, digest: str, *, remove: bool = False, name: str = "") -> Flow[taglists.ListApplied]:
    """Applies the list whose preview had this digest: all of it, or nothing where something else would happen now."""
    query = {"digest": digest, "remove": str(remove).lower(), "name": name}
    reply = yield Request("POST", "/points/list", query=query, content=content, seconds=SLOW)
    return read(reply, taglists.ListApplied)


def preview_edit(points: Mapping[str, Any], edit: Mapping[str, Any]) -> Flow[taglists.ListPreview]:
    """What an edit would do to the chosen points: ``{"names": [...]}`` or ``{"search": ..., "path": ...}``; ``edit`` is
    ``{"set": {column: pattern}, "replace": [{"column", "find", "put"}]}``."""
    body = {"points": dict(points), "edit": dict(edit)}
    return read((yield Request("POST", "/points/edit/preview", body=body, seconds=SLOW)), taglists.ListPreview)


def edit_points(points: Mapping[str, Any], edit: Mapping[str, Any], digest: str) -> Flow[taglists.ListApplied]:
    """Does the edit whose preview had this digest."""
    body = {"points": dict(points), "edit": dict(edit), "digest": digest}
    return read((yield Request("POST", "/points/edit", body=body, seconds=SLOW)), taglists.ListApplied)


def templates() -> Flow[list[taglists.Template]]:
    """The templates of machines."""
    return items((yield Request("GET", "/templates")), taglists.Template)


def template(name: str) -> Flow[taglists.Template]:
    """One template."""
    return read((yield Request("GET", f"/templates/{escape(name)}")), taglists.Template)


def template_of(thing: str, *, name: str = "") -> Flow[taglists.Template]:
    """What a machine would be as a template; nothing is kept."""
    return read((yield Request("GET", "/template-of", query={"thing": thing, "name": name})), taglists.Template)


def keep_template(template: taglists.Template) -> Flow[taglists.Template]:
    """Keeps a new template (version 0), or changes the one at its version."""
    path = f"/templates/{escape(template.name)}"
    return read((yield Request("PUT", path, body=msgspec.to_builtins(template))), taglists.Template)


def remove_template(name: str) -> Flow[None]:
    """Forgets a template; the points that were made of it stay."""
    yield Request("DELETE", f"/templates/{escape(name)}")


def preview_instances(name: str, instances: Iterable[Mapping[str, str]] = (), *, table: str = "") -> Flow[taglists.ListPreview]:
    """What instances of a template would add, each a value a parameter, or all as delimited text with a line of titles."""
    body = {"instances": [dict(one) for one in instances], "table": table}
    reply = yield Request("POST", f"/templates/{escape(name)}/preview", body=body, seconds=SLOW)
    return read(reply, taglists.ListPreview)


def make_instances(
    name: str, instances: Iterable[Mapping[str, str]] = (), *, digest: str, table: str = ""
) -> Flow[taglists.ListApplied]:
    """Makes the instances whose preview had this digest."""
    body = {"instances": [dict(one) for one in instances], "table": table, "digest": digest}
    reply = yield Request("POST", f"/templates/{escape(name)}/instances", body=body, seconds=SLOW)
    return read(reply, taglists.ListApplied)


def copy_connector(
    name: str,
    copy: str,
    url: str,
    *,
    replace: Mapping[str, str] | None = None,
    enabled: bool = False,
    dry_run: bool = False,
) -> Flow[list[records.PointInfo]]:
    """Makes ``copy`` of a connector for the device at ``url``; its points. ``replace``: what becomes what in their names."""
    pairs = [{"find": find, "put": put} for find, put in (replace or {}).items()]
    body = {"name": copy, "url": url, "replace": pairs, "enabled": enabled, "dry_run": dry_run}
    reply = yield Request("POST", f"/connectors/{escape(name)}/copy", body=body, seconds=SLOW)
    return read(reply, records.ConnectorCopy).points
