"""Admin pages of channels, messages, templates, and a vendor's customers."""

from messaging.admin import channels, customers, messages, templates

__all__ = ["channels", "customers", "messages", "templates"]
