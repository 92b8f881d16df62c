"""The organisation's admin of webhooks."""

from webhooks_app.admin import deliveries, endpoints

__all__ = ["deliveries", "endpoints"]
