"""Who must not be written to: opt-outs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import connection

from contacts.models import Suppression


def marketing_stop(*, addresses: Iterable[str], at: datetime, note: str) -> None:
    """These people want no marketing any more, since `at`; a blacklisting by staff stays one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO contacts_suppression AS known (address, reason, scope, note, created_at)"
            " SELECT address, 'opt_out', 'marketing', %s, %s FROM unnest(%s::text[]) AS row(address) ORDER BY address"
            " ON CONFLICT (address, scope) DO UPDATE SET created_at = GREATEST(known.created_at, excluded.created_at)"
            " WHERE known.reason = 'opt_out'",
            [note[:200], at, sorted(set(addresses))],
        )


def marketing_resume(*, addresses: Iterable[str], at: datetime) -> int:
    """These people want marketing again, since `at`; a later stop and a blacklisting stay. Returns how many changed."""
    return Suppression.objects.filter(
        address__in=set(addresses),
        scope=Suppression.Scope.MARKETING,
        reason=Suppression.Reason.OPT_OUT,
        created_at__lte=at,
    ).delete()[0]
