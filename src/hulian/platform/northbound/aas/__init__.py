"""Asset Administration Shells over HTTP (IDTA 01002-3.0 and 3.1): repositories, registries and discovery over the model."""
