from __future__ import annotations

from registries import postgresql_server, postgresql_url, registry

__all__ = ["postgresql_server", "postgresql_url", "registry"]
