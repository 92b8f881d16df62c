from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from django.db import connection, transaction
from django.utils import timezone
from django_tenants.utils import schema_context

from contacts.models import Contact
from messaging.models import ChannelCount
from tenants.errors import LimitReached
from tenants.models import Invitation, Membership, Organization, Plan, Subscription, User
from tenants.services import plans
from tenants.services.plans import limit_check, month_start, plan_current, plan_forget, quota_return, quota_take


@pytest.fixture(autouse=True)
def fresh_counters() -> Iterator[None]:
    client = plans._client()

    def forget() -> None:
        plan_forget()
        for key in client.scan_iter("griot:quota:*"):
            client.delete(key)

    forget()
    yield
    forget()


def make_plan(organization: Organization, **limits: int) -> None:
    plan = Plan.objects.create(code=f"plan-{organization.pk}", name="Test", **limits)
    Subscription.objects.create(organization=organization, plan=plan, starts_at=timezone.now())
    plan_forget()


def count_accepted(organization: Organization, channel: Any, count: int, hour: datetime) -> None:
    with schema_context(organization.schema_name):
        ChannelCount.objects.create(channel_id=channel.pk, hour=hour, metric="accepted", count=count)


def test_the_newest_subscription_that_runs_counts(organization: Organization) -> None:
    now = timezone.now()
    for code, start, end in (
        ("past", now - timedelta(days=9), now - timedelta(days=1)),
        ("running", now - timedelta(days=2), None),
        ("future", now + timedelta(days=1), None),
    ):
        plan = Plan.objects.create(code=code, name=code, users=1)
        Subscription.objects.create(organization=organization, plan=plan, starts_at=start, ends_at=end)
    Subscription.objects.filter(organization=organization, plan__code="unlimited").update(
        starts_at=now - timedelta(days=5)
    )
    plan_forget()
    current = plan_current(organization_id=organization.pk)
    assert current is not None and current.code == "running"


def test_without_a_running_subscription_nothing_is_allowed(organization: Organization) -> None:
    Subscription.objects.filter(organization=organization).delete()
    plan_forget()
    for refused in (
        lambda: quota_take(organization=organization, count=1),
        lambda: limit_check(organization=organization, what="users"),
    ):
        with pytest.raises(LimitReached) as raised:
            refused()
        assert raised.value.code == "subscription_ended"


def test_an_unlimited_plan_asks_neither_database_nor_redis(
    organization: Organization, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    plan_current(organization_id=organization.pk)
    monkeypatch.setattr(plans, "_client", lambda: pytest.fail("Redis was asked"))
    with django_assert_num_queries(0):
        quota_take(organization=organization, count=1_000_000)
        limit_check(organization=organization, what="contacts", adding=1_000_000)


def test_a_plan_is_read_once_in_five_seconds(organization: Organization, django_assert_num_queries: Any) -> None:
    plan_forget()
    with django_assert_num_queries(1):
        plan_current(organization_id=organization.pk)
        plan_current(organization_id=organization.pk)


def test_members_and_open_invitations_take_seats(organization: Organization) -> None:
    make_plan(organization, users=3)
    limit_check(organization=organization, what="users", adding=2)
    user = User.objects.create_user("second@demo.test")
    Membership.objects.create(organization=organization, user=user, role="viewer")
    Invitation.objects.create(
        organization=organization, email="a@b.test", token_hash="1", expires_at=timezone.now() + timedelta(days=1)
    )
    Invitation.objects.create(
        organization=organization, email="late@b.test", token_hash="2", expires_at=timezone.now() - timedelta(days=1)
    )
    with pytest.raises(LimitReached) as refused:
        limit_check(organization=organization, what="users")
    assert (refused.value.code, dict(refused.value.fields)) == ("plan_limit_reached", {"users": "plan limit reached"})
    Membership.objects.filter(user=user).update(is_suspended=True)
    limit_check(organization=organization, what="users")


def test_channels_and_contacts_are_counted_in_the_organisation_s_own_schema(
    organization: Organization, other_organization: Organization, make_channel: Any
) -> None:
    make_plan(organization, channels=1, contacts=2)
    make_channel(other_organization)
    with schema_context(other_organization.schema_name):
        Contact.objects.bulk_create([Contact(phone=str(22997000000 + n)) for n in range(5)])
    limit_check(organization=organization, what="channels")
    limit_check(organization=organization, what="contacts", adding=2)
    with schema_context(organization.schema_name):
        Contact.objects.create(phone="22997000001")
    with pytest.raises(LimitReached):
        limit_check(organization=organization, what="contacts", adding=2)
    limit_check(organization=organization, what="contacts")


def test_a_large_limit_trusts_the_estimate_only_from_far_away(organization: Organization) -> None:
    with schema_context(organization.schema_name):
        Contact.objects.bulk_create([Contact(phone=str(22997000000 + n)) for n in range(100)])
    table = f'"{organization.schema_name}".contacts_contact'
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {table}")
        cursor.execute("UPDATE pg_class SET reltuples = 14000 WHERE oid = %s::regclass", [table])
    assert plans._contacts(organization, 1_000_000) == 14_000
    # 14,000 may be more than half of 27,999 by now: counted for real.
    assert plans._contacts(organization, 27_999) == 100


def test_two_at_once_do_not_both_take_the_last_place(committed: tuple[Organization, Organization]) -> None:
    organization = committed[0]
    make_plan(organization, users=2)

    def join(number: int) -> bool:
        try:
            with transaction.atomic():
                limit_check(organization=organization, what="users")
                user = User.objects.create_user(f"racer{number}@demo.test")
                Membership.objects.create(organization=organization, user=user, role="viewer")
        except LimitReached:
            return False
        finally:
            connection.close()
        return True

    try:
        with ThreadPoolExecutor(8) as pool:
            assert sorted(pool.map(join, range(8))) == [False] * 7 + [True]
        assert Membership.objects.filter(organization=organization).count() == 2
    finally:
        User.objects.filter(email__startswith="racer").delete()
        Subscription.objects.filter(plan__code=f"plan-{organization.pk}").delete()
        Plan.objects.filter(code=f"plan-{organization.pk}").delete()


def test_checking_a_limit_outside_of_a_transaction_is_a_programming_error(committed: Any) -> None:
    organization = committed[0]
    make_plan(organization, users=5)
    try:
        with pytest.raises(RuntimeError, match="same transaction"):
            limit_check(organization=organization, what="users")
    finally:
        Subscription.objects.filter(plan__code=f"plan-{organization.pk}").delete()
        Plan.objects.filter(code=f"plan-{organization.pk}").delete()


def test_the_quota_starts_from_what_this_month_accepted(organization: Organization, make_channel: Any) -> None:
    channel = make_channel(organization)
    make_plan(organization, messages_per_month=100)
    start = month_start(organization)
    count_accepted(organization, channel, 60, start)
    count_accepted(organization, channel, 30, start)
    count_accepted(organization, channel, 999, start - timedelta(hours=1))

    with pytest.raises(LimitReached) as refused:
        quota_take(organization=organization, count=11)
    assert refused.value.code == "plan_limit_reached"
    assert "100 messages per month; 90 are used" in refused.value.message
    assert refused.value.retry_after is not None
    assert 0 < refused.value.retry_after <= 31 * 86_400

    quota_take(organization=organization, count=10)
    with pytest.raises(LimitReached):
        quota_take(organization=organization, count=1)
    quota_return(organization=organization, count=4)
    quota_take(organization=organization, count=4)


def test_parallel_takers_never_exceed_the_quota(committed: tuple[Organization, Organization]) -> None:
    organization = committed[0]
    make_plan(organization, messages_per_month=500)

    def take(_: int) -> int:
        try:
            quota_take(organization=organization, count=7)
        except LimitReached:
            return 0
        finally:
            connection.close()
        return 7

    try:
        with ThreadPoolExecutor(16) as pool:
            assert sum(pool.map(take, range(200))) == 497
    finally:
        Subscription.objects.filter(plan__code=f"plan-{organization.pk}").delete()
        Plan.objects.filter(code=f"plan-{organization.pk}").delete()


def test_an_expired_counter_is_seeded_again_from_what_was_committed(
    organization: Organization, make_channel: Any
) -> None:
    channel = make_channel(organization)
    make_plan(organization, messages_per_month=10)
    # Taken by a process that died before its transaction: nothing was accepted.
    quota_take(organization=organization, count=10)
    key = plans._quota_key(organization, month_start(organization))
    assert 0 < plans._client().ttl(key) <= 900
    plans._client().delete(key)
    count_accepted(organization, channel, 3, month_start(organization))
    quota_take(organization=organization, count=7)
    with pytest.raises(LimitReached):
        quota_take(organization=organization, count=1)


def test_without_redis_the_database_is_counted(
    organization: Organization, make_channel: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = make_channel(organization)
    make_plan(organization, messages_per_month=10)
    count_accepted(organization, channel, 8, month_start(organization))
    monkeypatch.setattr(plans, "_redis", redis.Redis(port=1, socket_connect_timeout=1, retry=None))
    quota_take(organization=organization, count=2)
    with pytest.raises(LimitReached):
        quota_take(organization=organization, count=3)
    quota_return(organization=organization, count=3)


@pytest.mark.parametrize(
    ("zone", "now", "start"),
    [
        ("UTC", "2026-03-31T23:30:00+00:00", "2026-03-01T00:00:00+00:00"),
        ("Africa/Porto-Novo", "2026-03-31T23:30:00+00:00", "2026-03-31T23:00:00+00:00"),
        ("America/New_York", "2026-04-01T03:59:00+00:00", "2026-03-01T05:00:00+00:00"),
        # The clocks go forward on 8 March: the month began in winter time all the same.
        ("America/New_York", "2026-03-20T12:00:00+00:00", "2026-03-01T05:00:00+00:00"),
    ],
)
def test_a_month_begins_at_midnight_where_the_organisation_is(zone: str, now: str, start: str) -> None:
    organization = Organization(time_zone=zone)
    found = month_start(organization, datetime.fromisoformat(now))
    assert found.astimezone(UTC) == datetime.fromisoformat(start)
