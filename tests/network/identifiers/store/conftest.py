from __future__ import annotations

from registries import postgresql_server, postgresql_template, postgresql_url, registry, sqlite_registry, sqlite_template

__all__ = ["postgresql_server", "postgresql_template", "postgresql_url", "registry", "sqlite_registry", "sqlite_template"]
