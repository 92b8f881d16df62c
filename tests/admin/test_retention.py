"""The pages about how long data is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tenants.models import AgendaItem, RetentionPeriod, RetentionState
from tests.admin.test_pages import page


def setting(kind: str) -> str:
    return page("tenants.retentionperiod", "set", kind)


def test_the_page_says_what_is_kept_and_what_was_removed(
    organization: Any, browser_of: Callable[[str], Client]
) -> None:
    from django.utils import timezone

    now = timezone.now()
    RetentionState.objects.create(
        schema=organization.schema_name,
        kind="messages",
        started_at=now,
        finished_at=now,
        removed=12,
        removed_total=3456,
    )
    RetentionState.objects.create(schema="t_other", kind="messages", started_at=now, removed=1, removed_total=77_777)

    html = browser_of("owner").get(page("tenants.retentionperiod", "changelist")).content.decode()

    assert "730 days" in html and "3,456" in html
    assert "77,777" not in html


def test_an_organisation_shortens_its_period_and_goes_back(
    organization: Any, browser_of: Callable[[str], Client]
) -> None:
    browser = browser_of("admin")

    answer = browser.post(setting("messages"), {"days": "100"}, follow=True)
    assert "100 days" in answer.content.decode()
    period = RetentionPeriod.objects.get()
    assert (period.organization_id, period.kind, period.set_by, period.days) == (
        organization.pk, "messages", "organization", 100,
    )  # fmt: skip
    assert AgendaItem.objects.filter(schema=organization.schema_name, kind="retention").count() == 1

    browser.post(setting("messages"), {"days": ""})
    assert not RetentionPeriod.objects.exists()


@pytest.mark.parametrize(
    ("days", "told"), [("731", "At most 730 days"), ("5", "From 30 to"), ("0", ""), ("-3", ""), ("abc", "")]
)
def test_a_period_that_is_not_granted_is_refused_at_its_field(
    days: str, told: str, browser_of: Callable[[str], Client]
) -> None:
    answer = browser_of("owner").post(setting("messages"), {"days": days})
    assert answer.status_code == 200
    assert "days" in answer.context["form"].errors
    assert told in str(answer.context["form"].errors["days"])
    assert not RetentionPeriod.objects.exists()


@pytest.mark.parametrize("role", ["manager", "sender", "viewer"])
def test_others_neither_see_nor_change_it(role: str, browser_of: Callable[[str], Client]) -> None:
    assert browser_of(role).post(setting("messages"), {"days": "100"}).status_code == 403
    assert not RetentionPeriod.objects.exists()


@pytest.mark.parametrize("kind", ["inbound_bodies", "nothing"])
def test_what_is_not_the_organisation_s_is_404(kind: str, browser_of: Callable[[str], Client]) -> None:
    assert browser_of("owner").get(setting(kind)).status_code == 404


def test_a_super_admin_grants_longer_periods_and_takes_them_back(organization: Any, super_browser: Client) -> None:
    form = {"organization": organization.pk, "kind": "messages", "days": ""}
    assert super_browser.post("/admin/tenants/retentionperiod/add/", form).status_code == 302
    period = RetentionPeriod.objects.get()
    assert (period.set_by, period.days) == ("platform", None)
    assert "for ever" in super_browser.get("/admin/tenants/retentionperiod/").content.decode()

    super_browser.post(f"/admin/tenants/retentionperiod/{period.pk}/delete/", {"post": "yes"})
    assert not RetentionPeriod.objects.exists()


def test_a_super_admin_s_mistake_is_told_at_its_field(organization: Any, super_browser: Client) -> None:
    form = {"organization": organization.pk, "kind": "counters", "days": "3"}
    answer = super_browser.post("/admin/tenants/retentionperiod/add/", form)
    assert list(answer.context["form"].errors) == ["days"]
