"""The tables of active carriers. Times are UTC ns."""

from __future__ import annotations

import sqlalchemy as sa

from hulian.registry.tables import Ordered, metadata

__all__ = ["carrier", "certificate", "report"]

carrier = sa.Table(
    "identifier_carrier",
    metadata,
    sa.Column("serial", Ordered(), primary_key=True),
    sa.Column("reservation", sa.String, nullable=False),
    sa.Column("identifier", Ordered(), nullable=False),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("fingerprint", sa.LargeBinary, nullable=False),
    sa.Column("about", sa.String, nullable=False),
    sa.Column("key", sa.LargeBinary, nullable=False),
    sa.Column("certificate", sa.String, nullable=False),
    sa.Column("settings", sa.String, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("installed", sa.BigInteger, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("published", sa.BigInteger, nullable=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("missing", sa.BigInteger, nullable=False),
    sa.Column("address", sa.String, nullable=False),
    sa.Column("enrolled", sa.BigInteger, nullable=False),
    sa.Column("seen", sa.BigInteger, nullable=False),
    sa.Column("changed", sa.BigInteger, nullable=False),
    sa.Index("uq_identifier_carrier_identifier", "identifier", unique=True),
)
"""``revision`` counts changes that the identifier's record has to show, ``published`` says which of them it shows."""

certificate = sa.Table(
    "identifier_carrier_certificate",
    metadata,
    sa.Column("number", sa.String, primary_key=True),
    sa.Column("serial", Ordered(), nullable=False),
    sa.Column("issued", sa.BigInteger, nullable=False),
    sa.Column("revoked", sa.BigInteger, nullable=False),
    sa.Column("reason", sa.String, nullable=False),
    sa.Index("ix_identifier_carrier_certificate_serial", "serial"),
)
"""Certificates of carriers by their X.509 serial numbers (hexadecimal); ``revoked`` is when, 0 for those that are good."""

report = sa.Table(
    "identifier_carrier_report",
    metadata,
    sa.Column("serial", Ordered(), primary_key=True),
    sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("received", sa.BigInteger, nullable=False),
    sa.Column("error", sa.String, nullable=False),
)
"""Reports that are acknowledged to their carriers and not delivered yet; with an ``error``, never to be delivered."""
