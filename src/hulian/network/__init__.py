"""网络体系, the foundation: identifiers name, exchange moves samples and meaning, interconnection links."""
