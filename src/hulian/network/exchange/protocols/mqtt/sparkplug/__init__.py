"""Sparkplug B: payloads, the memory of edge nodes that a host application keeps, and the host application's own STATE.

`messages` writes topics and payloads, `metrics` and `definitions` read and write values, `session` follows births, data and
deaths of what `nodes` describes, `order` holds back what came out of order, `bulk` and `slots` turn plain data messages into
columns by the batch, `host` is our own STATE.
"""
