"""Applications for prefixes, and the interfaces of the national system, over HTTP. Loaded when the first request comes."""
