"""Active identifiers: carriers that enrol, authenticate, report and resolve by themselves (the node's side).

The carrier's side is `hulian.network.identifiers.active.device`, which needs nothing of Hulian.
"""
