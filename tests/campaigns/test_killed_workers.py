"""Two schedulers, workers killed with SIGKILL while a campaign is queued and sent: nobody lost, nobody twice."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from typing import Any

import psycopg
import pytest
import requests

from config.stack.paths import ROOT

CONTACTS = 4000
KILLS = 3

# One campaign that is launched at once, and one whose schedule is due at this moment.
_PREPARE = """
import os, django
django.setup()
from datetime import timedelta
from django.db import connection
from django.utils import timezone
from django_tenants.utils import tenant_context
from campaigns.models import Schedule
from campaigns.services.campaigns import audience_set, campaign_create
from campaigns.services.control import campaign_launch
from campaigns.services.schedules import schedule_set
from contacts.services.identities import contacts_save
from messaging.models import Channel
from tenants.agenda import agenda_put
from tenants.models import Organization
organization = Organization.objects.get(slug={slug!r})
with tenant_context(organization):
    channel = Channel.objects.order_by("id").first()
    # What was claimed when its worker died, and never left, is sent again after the window.
    Channel.objects.filter(pk=channel.pk).update(rate_per_second=0, in_doubt_policy="requeue")
    phones = [f"22963{{n // 90:04d}}{{n % 90:02d}}" for n in range({count})]
    for start in range(0, len(phones), 1000):
        contacts_save(phones=phones[start:start + 1000])
    made = []
    for name, chosen in (("now", phones[: {count} // 2]), ("scheduled", phones[{count} // 2 :])):
        campaign = campaign_create(organization=organization, name=name, channel_id=channel.pk,
                                   content={{"type": "text", "text": {{"body": "Hello {{prenom|you}}"}}}})
        audience_set(organization=organization, campaign_id=campaign.pk, kind="list", phones=chosen)
        made.append(campaign.pk)
    now = timezone.now()
    schedule_set(campaign_id=made[1], frequency="daily", time=now.time().replace(second=0, microsecond=0),
                 start_date=now.date())
    Schedule.objects.filter(campaign_id=made[1]).update(next_at=now)
    agenda_put(schema=organization.schema_name, kind="campaign_schedule", key=str(made[1]), due_at=now)
    campaign_launch(campaign_id=made[0])
print(organization.schema_name, *made)
"""


def asked(stack: Any, sql: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(stack.env["DATABASE_URL"]) as connection:
        return connection.execute(sql).fetchall()


def accepted(stack: Any, number_id: str, uuids: list[str]) -> dict[str, Any]:
    """How often the provider accepted each of these messages of a number."""
    body = {"phone_number_id": number_id, "opaque": uuids}
    answer = requests.post(f"{stack.sandbox_url}/_control/ledger/check", json=body, timeout=30)
    return json.loads(answer.content)


@pytest.mark.timeout(420)
def test_killed_workers_and_two_schedulers_lose_nobody_and_send_nothing_twice(live_stack):
    stack = live_stack
    stack.start("beat", as_name="beat-two")
    requests.put(f"{stack.sandbox_url}/_control/switches", json={"latency_ms": 40}, timeout=10).raise_for_status()
    code = _PREPARE.format(slug=stack.demo["organization"]["slug"], count=CONTACTS)
    environment = stack.env | {"DJANGO_SETTINGS_MODULE": "config.settings"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    schema, now, scheduled = done.stdout.split()[-3:]
    dice = random.Random(5)
    for _ in range(KILLS):
        for name in ("worker", "dispatch"):
            time.sleep(dice.uniform(0.1, 0.7))
            stack.kill(name)
            stack.start(name)
    runs = f'SELECT campaign_id, status FROM "{schema}".campaigns_run WHERE campaign_id IN ({now}, {scheduled})'
    deadline = time.monotonic() + 330
    while sorted(asked(stack, runs)) != [(int(now), "completed"), (int(scheduled), "completed")]:
        assert time.monotonic() < deadline, (asked(stack, runs), stack.log_tail())
        time.sleep(1)
    stack.kill("beat-two")
    requests.put(f"{stack.sandbox_url}/_control/switches", json={"latency_ms": 0}, timeout=10).raise_for_status()
    # The platform is shared with other tests: only what these two campaigns sent counts.
    own = f'(SELECT id FROM "{schema}".campaigns_run WHERE campaign_id IN ({now}, {scheduled}))'
    messages = f'"{schema}".messaging_message WHERE campaign_run_id IN {own}'
    assert asked(stack, f"SELECT count(*), count(DISTINCT address) FROM {messages}") == [(CONTACTS, CONTACTS)]
    states = {status for (status,) in asked(stack, f"SELECT DISTINCT status FROM {messages}")}
    assert states <= {"sent", "delivered", "read"}
    uuids = [str(uuid) for (uuid,) in asked(stack, f"SELECT uuid FROM {messages}")]
    ((number_id,),) = asked(
        stack, f'SELECT external_id FROM "{schema}".messaging_channel WHERE id IN (SELECT channel_id FROM {messages})'
    )
    assert accepted(stack, number_id, uuids) == {"once": CONTACTS, "missing": [], "repeated": {}}
    counted = f'SELECT metric, sum(count)::int FROM "{schema}".messaging_runcount WHERE run_id IN {own} GROUP BY metric'
    counters = dict(asked(stack, counted))
    assert (counters["accepted"], counters["done"], counters["sent"]) == (CONTACTS, CONTACTS, CONTACTS)
