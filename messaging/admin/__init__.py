"""Admin pages of channels, messages, templates, and a vendor's customers."""

from messaging.admin import channels, customers, messages, operators, templates

__all__ = ["channels", "customers", "messages", "operators", "templates"]
