"""What an organisation's plan allows: members, channels, contacts, and messages per month.

Messages are counted in Redis, because a row that every accepted message would update is a queue. The counter of a month
is seeded from the organisation's own hourly counters and lives for QUOTA_SECONDS: whatever a crash left wrong (a
reservation whose transaction never committed) is gone with the next seed. A month is the calendar month in the
organisation's time zone; where that begins inside a UTC hour (UTC+5:30), the whole hour belongs to the new month.
"""

from __future__ import annotations

import logging
import time
import zoneinfo
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, Protocol
from uuid import UUID

import redis
from django.conf import settings
from django.db import connection
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from redis.backoff import NoBackoff
from redis.retry import Retry

from tenants.errors import LimitReached
from tenants.models import Invitation, Membership, Subscription

log = logging.getLogger(__name__)

Countable = Literal["users", "channels", "contacts"]
PLAN_SECONDS: Final = 5.0
QUOTA_SECONDS: Final = 900
# Above this a table is counted only when PostgreSQL's estimate comes near the limit.
_ESTIMATE_FROM: Final = 20_000

# KEYS[1] counter; ARGV: wanted, limit, seed ("" = unknown), seconds to live.
# Answers {-1, 0}: needs a seed; {0, used}: refused; {1, used}: taken.
_TAKE: Final = """
local used = tonumber(redis.call('GET', KEYS[1]) or ARGV[3])
if used == nil then return {-1, 0} end
if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('SET', KEYS[1], used, 'EX', ARGV[4]) end
if used + tonumber(ARGV[1]) > tonumber(ARGV[2]) then return {0, used} end
return {1, redis.call('INCRBY', KEYS[1], ARGV[1])}
"""


class PlanOwner(Protocol):
    """What is needed of an organisation here: its row, or the snapshot that a checked API key carries."""

    @property
    def pk(self) -> int: ...
    @property
    def uuid(self) -> UUID: ...
    @property
    def schema_name(self) -> str: ...
    @property
    def time_zone(self) -> str: ...


@dataclass(frozen=True, slots=True)
class PlanLimits:
    """The limits of the current plan; None means no limit."""

    code: str
    name: str
    messages_per_month: int | None
    users: int | None
    channels: int | None
    contacts: int | None


_plans: dict[int, tuple[float, PlanLimits | None]] = {}
_redis: redis.Redis | None = None


def plan_current(*, organization_id: int) -> PlanLimits | None:
    """The plan of the newest subscription that has begun and not ended; None without one. At most PLAN_SECONDS old."""
    now = time.monotonic()
    known = _plans.get(organization_id)
    if known is not None and known[0] > now:
        return known[1]
    if len(_plans) > 10_000:
        _plans.clear()
    limits = _plan_read(organization_id)
    _plans[organization_id] = (now + PLAN_SECONDS, limits)
    return limits


def plan_forget(*, organization_id: int | None = None) -> None:
    """Drop this process's memory of one organisation's plan, or of all: a change is seen at once here."""
    if organization_id is None:
        _plans.clear()
    else:
        _plans.pop(organization_id, None)


def limit_check(*, organization: PlanOwner, what: Countable, adding: int = 1) -> None:
    """Refuse to add `adding` users, channels or contacts beyond the plan: LimitReached `plan_limit_reached`.

    Call it inside the transaction of the insert: a lock until its end keeps two callers from both taking the last
    place. Nothing is asked of the database beyond the cached plan when there is no limit.
    """
    found = _used_locked(organization, what)
    if found is None:
        return
    limit, used = found
    if used + adding > limit:
        raise LimitReached(
            "plan_limit_reached",
            _("The plan allows %(limit)s %(what)s; %(used)s are in use.")
            % {"limit": limit, "what": what, "used": used},
            {what: _("plan limit reached")},
        )


def limit_room(*, organization: PlanOwner, what: Countable) -> int | None:
    """How many more users, channels or contacts the plan has room for; None for no limit. Locks as `limit_check`."""
    found = _used_locked(organization, what)
    return None if found is None else max(0, found[0] - found[1])


def _used_locked(organization: PlanOwner, what: Countable) -> tuple[int, int] | None:
    """(limit, in use), with the lock on the last place taken; None without a limit."""
    limit = getattr(_plan_required(organization), what)
    if limit is None:
        return None
    if not connection.in_atomic_block:
        raise RuntimeError("limit_check counts for an insert in the same transaction: open it first")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"plan:{organization.pk}:{what}"])
    return limit, _COUNTERS[what](organization, limit)


def quota_take(*, organization: PlanOwner, count: int) -> None:
    """Reserve `count` messages of this month, all or none. LimitReached `plan_limit_reached` when they do not fit.

    Give them back with `quota_return` when the messages are not accepted after all. Without Redis the database is
    counted instead, which is exact but for messages being accepted at this moment.
    """
    limit = _plan_required(organization).messages_per_month
    if limit is None or count <= 0:
        return
    month = month_start(organization)
    try:
        taken, used = _take(organization, month, count, limit)
    except redis.RedisError as error:
        log.warning("quota counted in the database: Redis does not answer", extra={"error": type(error).__name__})
        used = messages_accepted_since(organization, month)
        taken = used + count <= limit
    if not taken:
        raise LimitReached(
            "plan_limit_reached",
            _("The plan allows %(limit)s messages per month; %(used)s are used and %(count)s more do not fit.")
            % {"limit": limit, "used": used, "count": count},
            retry_after=(_next_month(month) - timezone.now()).total_seconds(),
        )


def quota_return(*, organization: PlanOwner, count: int) -> None:
    """Give back what `quota_take` reserved. A counter that expired meanwhile was seeded without it: nothing to do."""
    limits = plan_current(organization_id=organization.pk)
    if limits is None or limits.messages_per_month is None or count <= 0:
        return
    try:
        key = _quota_key(organization, month_start(organization))
        # Only when it exists; and never below zero.
        script = (
            "local used = redis.call('GET', KEYS[1]) "
            "if used then redis.call('DECRBY', KEYS[1], math.min(tonumber(used), tonumber(ARGV[1]))) end"
        )
        _client().eval(script, 1, key, count)
    except redis.RedisError as error:
        log.warning("quota not returned: the next seed corrects it", extra={"error": type(error).__name__})


def messages_accepted_since(organization: PlanOwner, moment: datetime) -> int:
    """Messages that the organisation's channels accepted since the UTC hour of `moment`."""
    table = f"{connection.ops.quote_name(organization.schema_name)}.messaging_channelcount"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT coalesce(sum(count), 0) FROM {table} WHERE metric = 'accepted' AND hour >= %s",  # noqa: S608
            [moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)],
        )
        return int(cursor.fetchone()[0])


def month_start(organization: PlanOwner, now: datetime | None = None) -> datetime:
    """First moment of the current calendar month in the organisation's time zone."""
    local = (now or timezone.now()).astimezone(zoneinfo.ZoneInfo(organization.time_zone))
    return local.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _next_month(start: datetime) -> datetime:
    year, month = (start.year + 1, 1) if start.month == 12 else (start.year, start.month + 1)
    return start.replace(year=year, month=month)


def _take(organization: PlanOwner, month: datetime, count: int, limit: int) -> tuple[bool, int]:
    key = _quota_key(organization, month)
    state, used = _client().eval(_TAKE, 1, key, count, limit, "", QUOTA_SECONDS)
    if state == -1:
        seed = messages_accepted_since(organization, month)
        state, used = _client().eval(_TAKE, 1, key, count, limit, seed, QUOTA_SECONDS)
    return state == 1, int(used)


def _quota_key(organization: PlanOwner, month: datetime) -> str:
    return f"griot:quota:{organization.uuid}:{month:%Y-%m}"


def _client() -> redis.Redis:
    global _redis
    if _redis is None:
        # One retry at once for a connection that the server closed; more would hold up the caller for seconds.
        once = Retry(NoBackoff(), 1)
        _redis = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2, retry=once)
    return _redis


def _plan_read(organization_id: int) -> PlanLimits | None:
    now = timezone.now()
    subscription = (
        Subscription.objects.select_related("plan")
        .filter(Q(ends_at__isnull=True) | Q(ends_at__gt=now), organization_id=organization_id, starts_at__lte=now)
        .order_by("-starts_at", "-id")
        .first()
    )
    if subscription is None:
        return None
    plan = subscription.plan
    return PlanLimits(plan.code, plan.name, plan.messages_per_month, plan.users, plan.channels, plan.contacts)


def _plan_required(organization: PlanOwner) -> PlanLimits:
    limits = plan_current(organization_id=organization.pk)
    if limits is None:
        raise LimitReached("subscription_ended", _("The organisation has no plan at the moment."))
    return limits


def _users(organization: PlanOwner, limit: int) -> int:
    """Members who can log in, and invitations that are still open: each of them is a seat."""
    members = Membership.objects.filter(organization_id=organization.pk, is_suspended=False).count()
    open_invitations = Invitation.objects.filter(
        organization_id=organization.pk, accepted_at__isnull=True, expires_at__gt=timezone.now()
    )
    return members + open_invitations.count()


def _channels(organization: PlanOwner, limit: int) -> int:
    return _rows_up_to(organization, "messaging_channel", limit)


def _contacts(organization: PlanOwner, limit: int) -> int:
    return _rows_up_to(organization, "contacts_contact", limit)


_COUNTERS: Final[dict[str, Callable[[PlanOwner, int], int]]] = {
    "users": _users,
    "channels": _channels,
    "contacts": _contacts,
}


def _rows_up_to(organization: PlanOwner, table: str, limit: int) -> int:
    """Rows of the organisation's table, counted no further than the limit; estimated while far below a large one."""
    name = f"{connection.ops.quote_name(organization.schema_name)}.{table}"
    with connection.cursor() as cursor:
        if limit > _ESTIMATE_FROM:
            cursor.execute("SELECT reltuples FROM pg_class WHERE oid = %s::regclass", [name])
            estimate = int(cursor.fetchone()[0])
            # Autovacuum refreshes the estimate before a tenth of the table has changed; half of it is a safe distance.
            if 0 < estimate * 2 < limit:
                return estimate
        cursor.execute(f"SELECT count(*) FROM (SELECT 1 FROM {name} LIMIT %s) AS counted", [limit + 1])  # noqa: S608
        return int(cursor.fetchone()[0])
