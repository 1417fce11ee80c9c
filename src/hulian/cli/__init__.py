"""The ``hulian`` command. Each command is a thin call into a room; modules are imported when their command runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from cyclopts import App

from hulian.kernel.version import VERSION

__all__ = ["app", "main"]

app = App(
    name="hulian",
    help="""Hulian (互联): connect the devices of a plant, name every point, keep and see every sample.

Start with `hulian up --demo` (a whole plant to try) or `hulian up` (your own), then `hulian connect URL`.
Every command takes `--json` where a program reads it, and `--help` with examples.""",
    version=VERSION,
    help_format="markdown",
)

_LISTING = sys.argv[1:2] in ([], ["--help"], ["-h"])
"""Whether only the list of commands is asked for: then no command's module is imported for its own text."""

_PLANT, _DATA, _NODE, _SECURITY, _IDENTIFIERS = "Plant", "Data", "Node", "Security", "Identifiers"

for _name, _target, _group, _help in (
    ("up", "node:up", _NODE, "Start the platform and keep it running."),
    ("demo", "describing:app", _NODE, "Serve a plant to try things on."),
    ("status", "node:status", _NODE, "Show the components of this node."),
    ("backup", "backup:backup", _NODE, "Save everything, while running."),
    ("restore", "backup:restore", _NODE, "Restore a backup into a new data directory."),
    ("browse", "plant:browse", _PLANT, "List what a device shows."),
    ("connect", "plant:connect", _PLANT, "Browse a device, propose points, write the configuration, start."),
    ("connectors", "plant:connectors", _PLANT, "List the connectors: state, points, errors and what to do."),
    ("write", "plant:write", _PLANT, "Write a value to a device."),
    ("last", "data:last", _DATA, "Show the last values of points."),
    ("history", "data:history", _DATA, "Print recorded values, raw or in steps."),
    ("live", "data:live", _DATA, "Print values as they arrive."),
    ("ledger", "data:ledger", _DATA, "Show what was sent, stored, duplicated, missing."),
    ("events", "data:events", _DATA, "Show what happened, newest first."),
    ("export", "data:export", _DATA, "Write recorded values to CSV or Parquet."),
    ("import", "data:import_", _DATA, "Bring recorded values from CSV or Parquet."),
    ("resolve", "resolving:resolve", _IDENTIFIERS, "Resolve an identifier, from the root down."),
    ("trace", "tracing:trace", _IDENTIFIERS, "Trace what a thing is made of, or became part of."),
    ("register", "registering:register", _IDENTIFIERS, "Register an identifier, or change its record."),
    ("unregister", "registering:unregister", _IDENTIFIERS, "Take an identifier out of the register."),
    ("allocate", "registering:allocate", _IDENTIFIERS, "Give out identifiers, never one twice."),
    ("label", "labelling:label", _IDENTIFIERS, "Print identifiers as barcodes: labels and sheets."),
    ("scan", "labelling:scan", _IDENTIFIERS, "Read the barcodes in images."),
    ("ca", "security:ca", _SECURITY, "Write the certificate of this installation's authority."),
):
    app.command(f"hulian.cli.{_target}", name=_name, group=_group, help=_help if _LISTING else None)

_config = App(name="config", help="The configuration: `hulian.toml`.", group=_NODE)
_config.command("hulian.cli.node:config_sample", name="sample")
_config.command("hulian.cli.node:config_check", name="check")
app.command(_config)

_POINTS = "List points with their last values; export, import and edit many at once."
app.command("hulian.cli.points:app", name="points", group=_PLANT, help=_POINTS if _LISTING else None)

_template = App(name="template", help="Templates of machines: make, list, apply, export, save, remove.", group=_PLANT)
for _name in ("make", "list", "apply", "export", "save", "remove"):
    _template.command(f"hulian.cli.taglists:template_{_name}", name=_name)
app.command(_template)

_model = App(
    name="model", help="What the plant is: import, export, compare and ask its documents, make points of them.", group=_PLANT
)
for _name in ("import", "validate", "export", "documents", "diff", "find", "sparql", "bind", "remove"):
    _model.command(f"hulian.cli.models:model_{_name}", name=_name)
_model.command("hulian.cli.instances:model_match", name="match")
_model.command("hulian.cli.described:model_points", name="points")
app.command(_model)

_DICTIONARY = "What words and tags mean: dictionaries of concepts, suggestions, units."
_dictionary = App(name="dictionary", help=_DICTIONARY, group=_PLANT)
for _name in ("import", "list", "search", "show", "suggest", "confirm", "diff", "remove", "units"):
    _dictionary.command(f"hulian.cli.dictionaries:dictionary_{_name}", name=_name)
app.command(_dictionary)

_connector = App(name="connector", help="Change or copy one connector.", group=_PLANT)
_connector.command("hulian.cli.taglists:connector_copy", name="copy")
for _name in ("enable", "disable", "restart", "remove"):
    _connector.command(f"hulian.cli.plant:connector_{_name}", name=_name)
app.command(_connector)

_active = App(name="active", help="Active carriers: provision, list, show, update, revoke, simulate.", group=_IDENTIFIERS)
for _name in ("provision", "list", "show", "update", "revoke", "revoked", "simulate"):
    _active.command(f"hulian.cli.active:active_{_name}", name=_name)
app.command(_active)

_catalogue = App(name="catalogue", help="Connectors and points as one TOML file: dump, apply.", group=_PLANT)
for _name in ("dump", "apply"):
    _catalogue.command(f"hulian.cli.catalogue:catalogue_{_name}", name=_name)
app.command(_catalogue)

_IDENTIFIER_NODES = "Identifier nodes of every tier: status, load, query, probe, escrow, rollover, demo, and prefixes."
_identifiers = App(name="identifiers", help=_IDENTIFIER_NODES, group=_IDENTIFIERS)
for _name in ("status", "probe", "demo"):
    _identifiers.command(f"hulian.cli.identifiers:identifiers_{_name}", name=_name)
_identifiers.command("hulian.cli.loading:identifiers_load", name="load")
_identifiers.command("hulian.cli.querying:identifiers_query", name="query")
for _name in (
    "apply",
    "applications",
    "amend",
    "withdraw",
    "review",
    "ask",
    "approve",
    "reject",
    "suspend",
    "resume",
    "revoke",
):
    _identifiers.command(f"hulian.cli.provisioning:identifiers_{_name}", name=_name)
_identifiers.command("hulian.cli.provisioning:identifiers_transfer", name="transfer")
for _name in ("login", "logins"):
    _identifiers.command(f"hulian.cli.logins:identifiers_{_name}", name=_name)
_escrow = App(name="escrow", help="Records for others to keep, signed and encrypted: export, verify, restore, schema.")
for _name in ("export", "verify", "restore", "schema"):
    _escrow.command(f"hulian.cli.escrow:escrow_{_name}", name=_name)
_identifiers.command(_escrow)
_rollover = App(name="rollover", help="A new key for this machine's node, without an outage: begin, finish, status.")
for _name in ("begin", "finish", "status"):
    _rollover.command(f"hulian.cli.rollover:rollover_{_name}", name=_name)
_identifiers.command(_rollover)
app.command(_identifiers)

_edge = App(name="edge", help="Edge nodes: invite, join, list, approve, revoke, remove; try what they compute.", group=_NODE)
for _name in ("invite", "invitations", "withdraw", "join", "list", "approve", "revoke", "remove", "dry-run"):
    _edge.command(f"hulian.cli.edges:edge_{_name.replace('-', '_')}", name=_name)
app.command(_edge)

_certificate = App(name="certificate", help="Certificates of devices: list, approve, reject.", group=_SECURITY)
for _name in ("list", "approve", "reject"):
    _certificate.command(f"hulian.cli.security:certificate_{_name}", name=_name)
app.command(_certificate)

_user = App(name="user", help="Users: list, add, remove, reset a password.", group=_SECURITY)
for _name in ("list", "add", "remove", "reset"):
    _user.command(f"hulian.cli.security:user_{_name}", name=_name)
app.command(_user)

_token = App(name="token", help="API tokens: list, create, revoke.", group=_SECURITY)
for _name in ("list", "create", "revoke"):
    _token.command(f"hulian.cli.security:token_{_name}", name=_name)
app.command(_token)

_device = App(name="device", help="Credentials of MQTT devices: list, add, remove.", group=_SECURITY)
for _name in ("list", "add", "remove"):
    _device.command(f"hulian.cli.security:device_{_name}", name=_name)
app.command(_device)

_secret = App(name="secret", help="Secrets that the configuration refers to: list, set, remove.", group=_SECURITY)
for _name in ("list", "set", "remove"):
    _secret.command(f"hulian.cli.security:secret_{_name}", name=_name)
app.command(_secret)

app.command("hulian.cli.reference:reference", name="reference", show=False)
app.command("hulian.cli.node:prepare", name="prepare", show=False)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one command and ends the process: 0, or 1 with one clear message, its code and its hint."""
    from hulian.cli.output import complain

    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        result = app(given, exit_on_error=True)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 - the last place: what is ours is told plainly, the rest is a defect
        sys.exit(complain(error, as_json="--json" in given))
    sys.exit(result if isinstance(result, int) else 0)
