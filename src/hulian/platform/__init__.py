"""平台体系, the hub: the edge runs connectors, infrastructure keeps components alive, the API answers."""
