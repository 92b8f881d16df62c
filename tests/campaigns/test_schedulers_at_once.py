"""Schedulers that fire one occurrence at the very same moment: one run, one message for each recipient."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection, connections
from django_tenants.utils import tenant_context

from campaigns.models import Run, Schedule
from campaigns.services.campaigns import audience_set, campaign_create
from campaigns.services.runs import run_work
from campaigns.services.schedules import schedule_fire, schedule_set
from messaging.models import Message

SCHEDULERS = 8


def at_once(work: Any) -> list[BaseException]:
    """Run `work` in so many threads, which begin together, each on a connection of its own."""
    begin, errors = threading.Barrier(SCHEDULERS), []

    def run() -> None:
        try:
            begin.wait()
            work()
        except Exception as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(SCHEDULERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def test_many_schedulers_and_workers_at_once_make_one_run_and_one_message_each(committed, make_channel):
    organization, _other = committed
    now = datetime.now(UTC).replace(microsecond=0)
    with tenant_context(organization):
        channel = make_channel(organization)
        campaign = campaign_create(
            organization=organization,
            name="Spring",
            channel_id=channel.pk,
            content={"type": "text", "text": {"body": "Hi"}},
            zone="UTC",
            category="utility",
        )
        phones = [f"+2296100{number:04d}" for number in range(300)]
        audience_set(organization=organization, campaign_id=campaign.pk, kind="list", phones=phones)
        schedule_set(
            campaign_id=campaign.pk,
            frequency="daily",
            time=(now + timedelta(minutes=1)).time().replace(second=0),
            start_date=(now + timedelta(minutes=1)).date(),
        )
        Schedule.objects.update(next_at=now)

    def fire() -> None:
        with tenant_context(organization):
            schedule_fire(connection.schema_name, str(campaign.pk))

    assert at_once(fire) == []
    with tenant_context(organization):
        run = Run.objects.get()
        assert run.occurrence_at == now

    def send() -> None:
        with tenant_context(organization):
            run_work(connection.schema_name, str(run.pk))

    # Those that come too late for the run's lock find nothing to do, or wait for it: nobody is queued twice.
    assert at_once(send) == []
    with tenant_context(organization):
        run_work(connection.schema_name, str(run.pk))
        assert Message.objects.filter(campaign_run_id=run.pk).count() == 300
        assert Message.objects.values("address").distinct().count() == 300
