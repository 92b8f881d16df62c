"""How long one-time passwords (their keyed hashes) are kept (see `settings.RETENTION_DAYS`)."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from otp.models import OneTimePassword
from tenants.services.retention_rules import RowsRule, retention_register

retention_register(
    # The limits against pumping look back one hour, codes live for minutes: a day is always enough.
    RowsRule(
        kind="otp",
        label=_("one-time passwords"),
        text=_("Which number was sent a code when, and whether it was entered. The code itself is never kept."),
        order=30,
        model=OneTimePassword,
        age="created_at",
        key="created_at",
    )
)
