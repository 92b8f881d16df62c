"""How fast a campaign to a million contacts is queued, how soon its first message leaves, and with how much memory."""

from __future__ import annotations

import threading
import time
from typing import Any

from bench.engine import channel_make
from bench.platform_access import control, resident_mib, wait_for
from bench.table import Row
from config.stack.instance import Instance

# Numbers in plain order with unlike endings; those that end in the sandbox's magic digits only behave as they do.
_CONTACTS = """
INSERT INTO contacts_contact (uuid, name, phone, email, custom, created_at)
SELECT uuidv7(), 'First' || i || ' Last', '2296' || lpad(i::text, 7, '0'), 'a' || i || '@example.com',
       jsonb_build_object('company', 'Shop ' || i %% 1000), now()
FROM generate_series(%s, %s) AS i ON CONFLICT (phone) DO NOTHING
"""
_TEXT = "Hello {prenom|customer} of {custom.company}, the sale begins today."
_STEP = 100_000


def contacts_fill(organization: Any, count: int) -> int:
    """Make sure of `count` contacts; returns how many contacts the organisation has now."""
    from django.db import connection
    from django_tenants.utils import tenant_context

    with tenant_context(organization), connection.cursor() as cursor:
        for start in range(0, count, _STEP):
            cursor.execute(_CONTACTS, [start, min(start + _STEP, count) - 1])
        cursor.execute("ANALYZE contacts_contact")
        cursor.execute("SELECT count(*) FROM contacts_contact")
        return int(cursor.fetchone()[0])


class Memory:
    """The most memory that a process took, sampled while the block runs."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.before = self.most = resident_mib(pid)

    def _watch(self) -> None:
        while not self._over.wait(0.5):
            self.most = max(self.most, resident_mib(self._pid))

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def rows_launch(instance: Instance, organization: Any, *, contacts: int) -> list[Row]:
    """Launch a campaign to all contacts through a channel of the usual 80/s; then cancel it."""
    from django_tenants.utils import tenant_context

    from campaigns.services.campaigns import campaign_create
    from campaigns.services.control import campaign_cancel, campaign_launch
    from campaigns.services.plan import campaign_plan

    control(instance, "PUT", "switches", {"latency_ms": 50, "webhooks": False})
    audience = contacts_fill(organization, contacts)
    channel = channel_make(organization)
    with tenant_context(organization):
        content = {"type": "text", "text": {"body": _TEXT}}
        campaign = campaign_create(
            organization=organization, name="Bench", channel_id=channel.pk, content=content, grace_minutes=60
        )
        planned_at = time.monotonic()
        plan = campaign_plan(campaign_id=campaign.pk, seconds=120)
        planning = time.monotonic() - planned_at
        with Memory(instance.pid("worker")) as memory:
            started = time.time()
            run = campaign_launch(campaign_id=campaign.pk)
            wait_for(lambda: _has_left(instance, channel), seconds=60, every=0.05)
            wait_for(lambda: _is_queued(run), seconds=600, every=0.2)
        run.refresh_from_db()
        queued = run.queued_at.timestamp() - started if run.queued_at else float("inf")
        first = _first_departure(instance, channel) - started
        campaign_cancel(campaign_id=campaign.pk)
        wait_for(lambda: _has_no_job(run), seconds=600, every=0.5)
    control(instance, "PUT", "switches", {"latency_ms": 0, "webhooks": True})
    exact = "exact" if plan.is_exact and plan.recipients + plan.skipped_total == audience else "NOT EXACT"
    million = contacts >= 1_000_000
    return [
        Row(f"launch to {audience:,} contacts: first message left after", f"{first:.1f} s", "< 5 s", first < 5),
        Row(
            f"launch to {audience:,} contacts: all queued after",
            f"{queued:.0f} s = {plan.recipients / queued:,.0f}/s",
            "< 60 s" if million else "< 60 s per million",
            queued * 1_000_000 / max(contacts, 1) < 60,
            f"workers {memory.before:.0f} -> at most {memory.most:.0f} MiB",
        ),
        Row(f"planner over {audience:,} contacts", f"{planning:.1f} s", note=exact),
    ]


def _has_left(instance: Instance, channel: Any) -> bool:
    return bool(control(instance, "GET", "ledger/summary")["by_number"].get(channel.external_id, 0))


def _first_departure(instance: Instance, channel: Any) -> float:
    sends = control(instance, "GET", f"ledger?phone_number_id={channel.external_id}&limit=100000")["sends"]
    return min(float(send["at"]) for send in sends)


def _is_queued(run: Any) -> bool:
    run.refresh_from_db()
    if run.status in ("failed", "paused", "missed"):
        raise RuntimeError(f"the run is {run.status}: {run.status_reason}")
    return run.queued_at is not None


def _has_no_job(run: Any) -> bool:
    run.refresh_from_db()
    return not run.job
