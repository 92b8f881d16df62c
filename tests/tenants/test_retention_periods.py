"""Retention: which periods count, when runs take place, and the report of what would go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from django_tenants.utils import tenant_context

from config import env
from config.heartbeat import monitor_redis
from messaging.models import IdempotencyRecord, Message
from tenants.agenda import agenda_put
from tenants.checks import retention_check
from tenants.errors import InvalidInput
from tenants.fields import uuid7
from tenants.models import AgendaItem, RetentionPeriod
from tenants.services import retention
from tenants.services.retention import night_after, retention_periods, retention_plan, retention_set
from tenants.services.retention_rules import RowsRule, retention_rules
from tests.tenants.aging import run, texts


def days_of(organization: Any, kind: str = "messages") -> int | None:
    periods = retention_periods(organization_id=organization.pk)
    return next(period.days for period in periods if period.rule.kind == kind)


def test_the_smaller_of_what_is_granted_and_chosen_counts(organization, other_organization):
    assert days_of(organization) == 730
    retention_set(organization=organization, kind="messages", set_by="organization", days=100)
    assert (days_of(organization), days_of(other_organization)) == (100, 730)
    retention_set(organization=organization, kind="messages", set_by="platform", days=60)
    assert days_of(organization) == 60
    retention_set(organization=organization, kind="messages", set_by="platform", days=None)
    assert days_of(organization) == 100
    retention.retention_reset(organization=organization, kind="messages", set_by="organization")
    assert days_of(organization) is None


@pytest.mark.parametrize(
    ("kind", "set_by", "days", "code", "field"),
    [
        ("nothing", "platform", 5, "unknown_kind", "kind"),
        ("messages", "platform", 29, "invalid_days", "days"),
        ("messages", "platform", 36_501, "invalid_days", "days"),
        ("counters", "organization", 61, "invalid_days", "days"),
        ("messages", "organization", 731, "days_not_granted", "days"),
        ("messages", "organization", None, "days_not_granted", "days"),
        ("inbound_bodies", "platform", 5, "unknown_kind", "kind"),
    ],
)
def test_a_period_outside_its_limits_is_refused(organization, kind, set_by, days, code, field):
    with pytest.raises(InvalidInput) as refused:
        retention_set(organization=organization, kind=kind, set_by=set_by, days=days)
    assert (refused.value.code, set(refused.value.fields)) == (code, {field})
    assert not RetentionPeriod.objects.exists()


def test_data_that_is_kept_for_ever_is_not_looked_at(organization, channel, make_message):
    make_message(5000)
    for kind in ("messages", "message_bodies"):
        retention_set(organization=organization, kind=kind, set_by="platform", days=None)
    assert run().removed == 0
    assert texts() == [True]


def test_a_shorter_period_removes_from_the_next_run_on(organization, channel, make_message):
    make_message(200), make_message(100)
    run()
    assert texts() == [True, True]
    retention_set(organization=organization, kind="message_bodies", set_by="organization", days=150)
    run()
    assert texts() == [False, True]


def test_the_platform_s_defaults_come_from_one_variable(monkeypatch):
    monkeypatch.setenv("PERIODS", "messages=keep, otp=7")
    assert env.days("PERIODS", {"messages": 1, "otp": 30, "history": 5}) == {"messages": None, "otp": 7, "history": 5}
    for wrong in ("nothing=5", "otp=0", "otp", "otp=-1", "otp=36501", "otp=forever"):
        monkeypatch.setenv("PERIODS", wrong)
        with pytest.raises(ImproperlyConfigured, match="PERIODS"):
            env.days("PERIODS", {"messages": 1, "otp": 30})


def test_rules_fit_the_models_and_the_settings(settings):
    assert retention_check(None) == []
    settings.RETENTION_DAYS = settings.RETENTION_DAYS | {"nothing": 4, "counters": 5}
    assert sorted(problem.id for problem in retention_check(None)) == ["tenants.E001", "tenants.E002"]


def test_a_rule_for_rows_that_others_hold_on_to_is_refused():
    from messaging.models import Channel

    rule = RowsRule(kind="x", label="", text="", order=1, model=Channel, age="created_at", key="id")
    with pytest.raises(ImproperlyConfigured, match="keeps rows from being deleted"):
        rule.children()


# -- when ------------------------------------------------------------------------------------------------------------


def planned() -> set[str]:
    return set(AgendaItem.objects.filter(kind="retention").values_list("schema", flat=True))


def test_only_organisations_with_data_are_put_on_the_agenda(committed):
    organization, other = committed
    with tenant_context(organization):
        IdempotencyRecord.objects.create(api_key_id=1, key="k", request_hash="x", response_status=200, response_body={})
    with connection.cursor() as cursor:
        # Empty pages of other tests, in any table of a rule: what is rolled back stays in the file.
        tables = ", ".join(f"{other.schema_name}.{rule.table}" for rule in retention_rules(public=False))
        cursor.execute(f"TRUNCATE {tables} CASCADE")
    connection.set_schema_to_public()

    retention_plan()
    assert organization.schema_name in planned()
    assert other.schema_name not in planned()
    assert retention_plan() == 0


def test_a_run_comes_back_in_the_night_after_the_oldest_row_is_too_old_or_not_at_all(organization, channel):
    with tenant_context(organization):
        assert run().next_at is None
        IdempotencyRecord.objects.create(api_key_id=1, key="k", request_hash="x", response_status=200, response_body={})
        next_at = run().next_at
    assert timezone.now() + timedelta(days=1) < next_at < timezone.now() + timedelta(days=2)


@pytest.mark.parametrize("zone", ["Africa/Porto-Novo", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])
def test_the_night_is_the_organisation_s_own(zone):
    moment = datetime(2026, 3, 28, 12, tzinfo=UTC)
    times = [night_after(moment, zone=zone, seed=f"t_{n}").astimezone(ZoneInfo(zone)) for n in range(50)]
    assert {time.hour for time in times} == {1, 2, 3}
    assert all(moment < time <= moment + timedelta(days=1) for time in times)
    assert len(set(times)) > 40


def test_the_agenda_runs_it_in_its_schema_and_moves_it_to_the_next_time(organization, channel, make_message):
    make_message(900), make_message(1)
    connection.set_schema_to_public()
    agenda_put(schema=organization.schema_name, kind="retention", key="", due_at=timezone.now() - timedelta(minutes=1))
    from tenants import agenda

    [lease] = [lease for lease in agenda._items_lease(100) if lease.kind == "retention"]
    agenda.run_item(lease.item_id, lease.schema, lease.kind, lease.key, lease.fence)

    item = AgendaItem.objects.get(kind="retention")
    assert (item.last_error, item.leased_until) == ("", None)
    assert item.due_at > timezone.now() + timedelta(days=300)
    with tenant_context(organization):
        assert Message.objects.count() == 1


def test_only_one_slice_runs_at_a_time(organization):
    monitor_redis().set(retention._LOCK, "somebody", ex=30)
    try:
        again = retention.retention_when_due(organization.schema_name, "")
        assert timedelta(seconds=5) < again - timezone.now() < timedelta(seconds=20)
        assert monitor_redis().get(retention._LOCK) == "somebody"
    finally:
        monitor_redis().delete(retention._LOCK)
    retention.retention_when_due("public", "")
    assert monitor_redis().get(retention._LOCK) is None


def test_a_deleted_organisation_is_left_to_its_purge(organization, channel, make_message):
    make_message(900)
    organization.status = "deleted"
    organization.save(update_fields=["status"])
    assert run() == retention.Slice(0, True, None)


# -- the report ------------------------------------------------------------------------------------------------------


def test_the_report_says_what_would_go_and_changes_nothing(organization, channel, make_message):
    make_message(900), make_message(400), make_message(1)
    connection.set_schema_to_public()
    out = StringIO()
    call_command("retention_report", organization=organization.slug, stdout=out)
    lines = {line.split()[0]: line.split() for line in out.getvalue().splitlines()}
    assert (lines["messages"][1], lines["messages"][4]) == ("730", "1")
    assert lines["message_bodies"][4] == "2"
    assert "none planned" in out.getvalue()
    with tenant_context(organization):
        assert Message.objects.count() == 3
        assert texts() == [True] * 3


def test_the_report_of_the_platform_and_of_nobody(db):
    out = StringIO()
    call_command("retention_report", platform=True, stdout=out)
    assert "inbound_bodies" in out.getvalue() and "messages" not in out.getvalue()
    with pytest.raises(CommandError, match="no organisation"):
        call_command("retention_report", organization="nobody")
    assert uuid7()
