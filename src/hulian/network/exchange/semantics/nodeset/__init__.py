"""OPC UA NodeSet2: every published companion specification read, NodeSets written that servers load, types matched to servers.

`reading` goes through a document twice (`survey` first) and yields its nodes as the model has them, parents first; `writing`
is the way back; `canonical` says when two NodeSets are the same; `bends` lists what is accepted beyond the schema; `standard`
knows the base namespace; `matching` finds instances of a type on a live server.
"""

from hulian.network.exchange.semantics.nodeset.format import FORMAT

__all__ = ["FORMAT"]
