"""django-tenants' own name for `migrate`: the same command here, so that no way of migrating leaves stale digests."""

from tenants.management.commands.migrate import Command

__all__ = ["Command"]
