"""What a driver says of content that cannot be sent, in the reader's language and as a refusal of a service."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.translation import gettext

from messaging.drivers.base import ContentError
from messaging.drivers.problems import Reason
from tenants.errors import InvalidInput


def content_refused(error: ContentError, *, code: str = "invalid_content", message: str = "") -> InvalidInput:
    """The refusal that stands for `error`: its fields, and all of them in one line unless there is a `message`."""
    fields = reasons_said(error)
    return InvalidInput(code, message or "; ".join(f"{name}: {text}" for name, text in fields.items()), fields)


def reasons_said(error: ContentError) -> Mapping[str, str]:
    """Dotted path -> what is wrong there, in the active language."""
    return {name: _said(reason) for name, reason in error.fields.items()}


def _said(reason: str) -> str:
    if isinstance(reason, Reason):
        return gettext(reason.pattern) % reason.values if reason.values else gettext(reason.pattern)
    return gettext(reason) if reason else reason
