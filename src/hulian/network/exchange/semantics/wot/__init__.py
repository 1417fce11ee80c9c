"""W3C Web of Things: Thing Descriptions 1.0 and 1.1 and Thing Models, read and written."""

from hulian.network.exchange.semantics.wot.format import FORMAT

__all__ = ["FORMAT"]
