"""The same committed organisations and feeding as the inbound tests."""

from tests.messaging.inbound.conftest import feed, fresh_caches, live

__all__ = ["feed", "fresh_caches", "live"]
