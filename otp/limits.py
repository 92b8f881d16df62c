"""Limits on sending one-time passwords: against flooding a person, and against pumping fraud that runs through ranges.

Exact under concurrency: sends to one number queue behind an advisory lock. The limits of a range and of the whole
organisation take their lock only when they are nearly reached, so that sends do not queue for each other day in, day
out: while more than `MARGIN` are left, no number of requests that can run at once reaches the limit.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import QuerySet

from otp.models import OneTimePassword, OtpPolicy
from tenants.connection import connection
from tenants.errors import LimitReached

WINDOW: Final = timedelta(hours=1)
# More than the database connections of an installation, each of which runs one transaction.
MARGIN: Final = 500
# A range is 10,000 consecutive numbers: pumping runs through such blocks, ordinary customers are spread over many.
RANGE_DIGITS: Final = 4


@dataclass(eq=False)
class OtpLimitReached(LimitReached):
    """`limit` names which one: resend, number, range or organization."""

    limit: str = ""


def prefix_of(phone: str) -> str:
    """The range that a number (E.164 digits) belongs to: its digits without the last four, at most 12."""
    return phone[:-RANGE_DIGITS][:12]


def limits_check(*, phone: str, policy: OtpPolicy, now: datetime) -> None:
    """Refuse when a limit is used up. Call within the transaction that then inserts the password.

    Raises `OtpLimitReached` (`otp_rate_limited`) with the seconds to wait.
    """
    _lock(f"phone:{phone}")
    recent = OneTimePassword.objects.filter(created_at__gt=now - WINDOW).order_by("-created_at")
    _resend_check(phone, policy, now)
    prefix = prefix_of(phone)
    _window_check(recent.filter(phone=phone), "number", policy.per_number_per_hour, now, "this number")
    _shared_check(recent.filter(prefix=prefix), f"prefix:{prefix}", "range", policy.per_prefix_per_hour, now)
    _shared_check(recent, "organization", "organization", policy.per_organization_per_hour, now)


def _resend_check(phone: str, policy: OtpPolicy, now: datetime) -> None:
    if not policy.resend_after_seconds:
        return
    interval = timedelta(seconds=policy.resend_after_seconds)
    latest = (
        OneTimePassword.objects.filter(phone=phone, created_at__gt=now - interval)
        .order_by("-created_at")
        .values_list("created_at", flat=True)
        .first()
    )
    if latest is not None:
        text = f"A code was sent to this number less than {policy.resend_after_seconds} s ago."
        raise _reached("resend", text, latest + interval - now)


def _shared_check(rows: QuerySet[OneTimePassword], lock: str, limit: str, most: int, now: datetime) -> None:
    if most > MARGIN and _nth(rows, most - MARGIN) is None:
        return
    _lock(lock)
    what = "numbers of this range" if limit == "range" else "this organisation"
    _window_check(rows, limit, most, now, what)


def _window_check(rows: QuerySet[OneTimePassword], limit: str, most: int, now: datetime, what: str) -> None:
    decisive = _nth(rows, most)
    if decisive is not None:
        raise _reached(limit, f"The limit of {most} codes per hour for {what} is reached.", decisive + WINDOW - now)


def _nth(rows: QuerySet[OneTimePassword], n: int) -> datetime | None:
    """When the n-th newest was made: if it is within the window, n are; it is also the one that must leave first."""
    return rows.values_list("created_at", flat=True)[n - 1 : n].first()


def _reached(limit: str, text: str, wait: timedelta) -> OtpLimitReached:
    return OtpLimitReached("otp_rate_limited", text, {"phoneNumber": text}, max(1.0, wait.total_seconds()), limit)


def _lock(name: str) -> None:
    """Wait for the transaction's advisory lock on `name` in this organisation."""
    digest = hashlib.sha256(f"otp:{connection.schema_name}:{name}".encode()).digest()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [int.from_bytes(digest[:8], "big", signed=True)])
