"""HTTP push: line protocol, JSON, Arrow and CloudEvents to columns."""

from hulian.network.exchange.protocols.http.protocol import HttpProtocol

__all__ = ["protocol"]

protocol = HttpProtocol()
