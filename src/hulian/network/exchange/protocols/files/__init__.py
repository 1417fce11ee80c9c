"""Files: growing, finished or recorded tables to columns."""

from hulian.network.exchange.protocols.files.protocol import FilesProtocol

__all__ = ["protocol"]

protocol = FilesProtocol()
