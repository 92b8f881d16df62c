"""The caches of routes and secrets are fresh for each sample."""

from tests.messaging.inbound.conftest import fresh_caches

__all__ = ["fresh_caches"]
