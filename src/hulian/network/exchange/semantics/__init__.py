"""Meaning: one information model, and the languages of the field that a plant may be described in.

`contract` holds the nouns, `documents` opens what comes from outside, `units` and `concepts` know what is measured and meant,
`model` keeps the graph; each format (`automationml`, `instrumentml`, `nodeset`, `aas`, `wot`) is a pair of functions between
its documents and the nouns.
"""
