"""Identifiers for people: resolved with their path, printed, kept in records, and the nodes that answer for them.

What is here loads the protocol's libraries, so `Naming` is imported when somebody first asks; `contract` and `views` are light.
"""
