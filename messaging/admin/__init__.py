"""Admin pages of channels and messages."""

from messaging.admin import channels, messages

__all__ = ["channels", "messages"]
