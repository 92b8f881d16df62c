"""Admin pages of channels, messages, templates, and a vendor's customers."""

from messaging.admin import channels, customers, media_files, messages, operators, templates

__all__ = ["channels", "customers", "media_files", "messages", "operators", "templates"]
