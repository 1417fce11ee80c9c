"""The junction to other systems, each by its own resolution: DNS for OIDs, GS1 Digital Link, DID methods, another Handle root.

Nothing here asks anybody that the configuration does not name.
"""
