"""Databases: what is new in tables, to columns."""

from hulian.network.exchange.protocols.sql.protocol import SqlProtocol

__all__ = ["protocol"]

protocol = SqlProtocol()
