"""The tables of connectors, points, series and templates. A column `search` holds the case-folded words a point is found by."""

from __future__ import annotations

import sqlalchemy as sa

from hulian.registry.tables import Ordered, Unsigned64, metadata

__all__ = ["connector", "plan", "point", "series", "span", "state", "template"]

state = sa.Table(
    "catalogue_state",
    metadata,
    sa.Column("one", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
)

connector = sa.Table(
    "catalogue_connector",
    metadata,
    sa.Column("name", Ordered(), primary_key=True),
    sa.Column("protocol", sa.String, nullable=False),
    sa.Column("url", sa.String, nullable=False),
    sa.Column("settings", sa.JSON, nullable=False),
    sa.Column("credentials", sa.JSON, nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("edge", sa.String, nullable=False, server_default=""),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("changed", sa.BigInteger, nullable=False),
)

plan = sa.Table(
    "catalogue_plan",
    metadata,
    sa.Column("edge", Ordered(), primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("made", sa.BigInteger, nullable=False),
)

series = sa.Table(
    "catalogue_series",
    metadata,
    sa.Column("series", Unsigned64, primary_key=True, autoincrement=False),
    sa.Column("organisation", sa.String, nullable=False),
    sa.Column("source", sa.String, nullable=False),
    sa.Column("address", sa.String, nullable=False),
    sa.Column("storage", sa.String, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
)

point = sa.Table(
    "catalogue_point",
    metadata,
    sa.Column("identity", sa.Integer, primary_key=True),
    sa.Column("name", Ordered(), nullable=False, unique=True),
    sa.Column("thing", Ordered(), nullable=False),
    sa.Column("series", Unsigned64, nullable=False, index=True),
    sa.Column("storage", sa.String, nullable=False),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("tag", Ordered(), nullable=False),
    sa.Column("path", Ordered(), nullable=False),
    sa.Column("unit", sa.String, nullable=False),
    sa.Column("low", sa.Float),
    sa.Column("high", sa.Float),
    sa.Column("raw_low", sa.Float),
    sa.Column("raw_high", sa.Float),
    sa.Column("texts", sa.JSON, nullable=False),
    sa.Column("enumeration", sa.JSON, nullable=False, server_default="{}"),
    sa.Column("connector", Ordered(), nullable=False),
    sa.Column("address", sa.String, nullable=False),
    sa.Column("writable", sa.Boolean, nullable=False),
    sa.Column("options", sa.JSON, nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("changed", sa.BigInteger, nullable=False),
    sa.Column("search", Ordered(), nullable=False),
    sa.Index("ix_catalogue_point_thing", "thing", "name"),
    sa.Index("ix_catalogue_point_path", "path", "thing"),
    sa.Index("ix_catalogue_point_connector", "connector", "name"),
    sa.Index("ix_catalogue_point_search", "name", "search"),
)

span = sa.Table(
    "catalogue_span",
    metadata,
    sa.Column("point", sa.Integer, sa.ForeignKey("catalogue_point.identity", ondelete="CASCADE"), primary_key=True),
    sa.Column("since", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("until", sa.BigInteger),
    sa.Column("series", Unsigned64, sa.ForeignKey("catalogue_series.series"), nullable=False, index=True),
)

template = sa.Table(
    "catalogue_template",
    metadata,
    sa.Column("name", Ordered(), primary_key=True),
    sa.Column("text", sa.String, nullable=False),
    sa.Column("parameters", sa.JSON, nullable=False),
    sa.Column("columns", sa.JSON, nullable=False),
    sa.Column("rows", sa.JSON, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("changed", sa.BigInteger, nullable=False),
)
