from registries import postgresql_server, postgresql_template, registry, sqlite_registry, sqlite_template

__all__ = ["postgresql_server", "postgresql_template", "registry", "sqlite_registry", "sqlite_template"]
