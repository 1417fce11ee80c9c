"""The HTTP API of Asset Administration Shells (IDTA 01002-3.0 and 3.1), without HTTP: a request in, an answer out."""
