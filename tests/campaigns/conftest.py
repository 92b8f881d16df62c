"""Contacts, campaigns and a way to do their background work at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection

TEXT = {"type": "text", "text": {"body": "Bonjour {prenom|client}!"}}


@pytest.fixture(autouse=True)
def no_wake_ups(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Wake-ups of lanes, noted instead of sent."""
    woken: list[tuple[str, int]] = []

    def note(schema: str, channel_id: int) -> None:
        woken.append((schema, channel_id))

    for module in ("launch", "moves"):
        monkeypatch.setattr(f"campaigns.services.{module}.lane_wake", note)
    return woken


@pytest.fixture
def make_contacts() -> Callable[..., list[int]]:
    """`make_contacts(count, **fields)`: contacts 22961000000 and on, named "Ada N Sample"; returns their ids."""

    def make(count: int, start: int = 0, **fields: Any) -> list[int]:
        from contacts.models import Contact
        from contacts.services.identities import contacts_save

        phones = [f"2296{1000000 + start + index}" for index in range(count)]
        ids = contacts_save(phones=phones)
        for index, phone in enumerate(phones):
            Contact.objects.filter(phone=phone).update(**({"name": f"Ada{start + index} Sample"} | fields))
        return [ids[phone] for phone in phones]

    return make


@pytest.fixture
def make_campaign(channel: Any, in_schema: Any) -> Callable[..., Any]:
    """`make_campaign(**fields)`: a draft on the fixture channel."""
    from campaigns.services.campaigns import campaign_create

    def make(**fields: Any) -> Any:
        return campaign_create(
            organization=in_schema,
            **({"name": "Spring sale", "channel_id": channel.pk, "content": TEXT, "zone": "UTC"} | fields),
        )

    return make


@pytest.fixture
def work() -> Callable[..., None]:
    """`work()`: do what the agenda has for campaigns until nothing is due; `work(run)` looks at one run once."""
    from campaigns.services.runs import run_work
    from campaigns.services.schedules import schedule_fire

    handlers = {"campaign_run": run_work, "campaign_schedule": schedule_fire}

    def do(most: int = 50) -> None:
        from tenants.models import AgendaItem

        schema = connection.schema_name
        for _ in range(most):
            due = AgendaItem.objects.filter(schema=schema, kind__in=handlers, due_at__lte=datetime.now(UTC))
            item = due.order_by("due_at").first()
            if item is None:
                return
            following = handlers[item.kind](schema, item.key)
            if following is None:
                AgendaItem.objects.filter(pk=item.pk).delete()
            else:
                AgendaItem.objects.filter(pk=item.pk).update(due_at=following)
        raise AssertionError("the campaigns' work does not end")

    return do


def totals(run: Any) -> dict[str, Any]:
    """The run's counters without zeros."""
    from campaigns.reports import Totals, run_totals

    found = run_totals(run_ids=[run.pk]).get(run.pk, Totals())
    numbers = {name: getattr(found, name) for name in Totals.__dataclass_fields__ if name != "skipped"}
    return {name: number for name, number in numbers.items() if number} | dict(found.skipped)
