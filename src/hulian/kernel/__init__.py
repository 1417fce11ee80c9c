"""The shared nouns: identifier, point, sample batch, event, command, quality, errors, configuration, lifecycle.

Nothing flows here and nothing is read or written: every other room speaks in these words, and this room imports none.
"""
