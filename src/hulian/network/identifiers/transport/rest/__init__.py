"""The HTTP face of a node: requests become messages for the node's own chain, answers become JSON and pages.

Nothing is decided here. Who asks is proved here; what they may do, and what is written down about it, is the chain's.
"""
