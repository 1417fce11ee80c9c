"""Electronic product codes: URIs, tags, and the GS1 keys that they carry."""
