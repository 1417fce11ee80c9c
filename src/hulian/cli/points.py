"""``hulian points``: what to look for, or what to do with many of them. It is imported when it runs, as every command is."""

from __future__ import annotations

from cyclopts import App

from hulian.cli.plant import points

__all__ = ["app"]

app = App(name="points", help=points.__doc__)
app.default(points)
for _name in ("export", "import", "edit"):
    app.command(f"hulian.cli.taglists:points_{_name}", name=_name)
