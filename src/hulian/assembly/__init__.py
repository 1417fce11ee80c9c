"""Reads the configuration, builds this node's components, hands each what it needs. Only the command line imports it."""
