"""Nodes of every tier: which links they are made of, how they begin, and how they are run as a component."""
