"""HTTP and Server-Sent Events: who may ask what; serves the built console.

`application` makes the ASGI application from `contract.Dependencies`; `service` serves it. The calls stand in `routes`,
who is let in is decided in `access`, and nowhere else. Nothing is imported here: whoever reads the configuration reads
`configuration` alone and stays small.
"""
