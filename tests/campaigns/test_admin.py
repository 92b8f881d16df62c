"""Campaigns in the admin: compose, plan, send, watch, results; refusals at their fields."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.urls import reverse
from django_tenants.utils import tenant_context

from campaigns.models import Campaign, Run, Schedule
from contacts.models import Contact
from messaging.models import Message
from tests.admin.conftest import (  # noqa: F401  fixtures
    browser_of,
    collected_static,
    login,
    make_member,
    public_site_row,
)


def url(name: str, *arguments: Any) -> str:
    return reverse(f"admin:campaigns_campaign_{name}", args=arguments, urlconf="config.urls_tenant")


@pytest.fixture
def shop(organization: Any, make_channel: Any) -> Any:
    """(organisation, its channel), with two contacts."""
    channel = make_channel(organization)
    with tenant_context(organization):
        Contact.objects.create(phone="22961000001", name="Ada Sample")
        Contact.objects.create(phone="22961000002", name="<b>Bo</b>", status="inactive")
    return organization, channel


def filled(channel: Any, **fields: Any) -> dict[str, Any]:
    return {
        "name": "Spring sale", "channel": channel.pk, "category": "marketing", "text": "Hello {prenom}",
        "audience_kind": "all", "zone": "Africa/Porto-Novo", "grace_minutes": 60, "interval": 1,
    } | fields  # fmt: skip


def test_a_campaign_with_versions_and_a_schedule_is_composed_planned_and_sent(shop, browser_of):  # noqa: F811
    organization, channel = shop
    browser = browser_of("manager")
    answer = browser.post(
        url("add"),
        filled(
            channel, text_b="Hi {nom}", percent_b=30, frequency="weekly", weekdays=[1, 3], time="09:00",
            start_date="2030-01-01",
        ),
    )  # fmt: skip
    with tenant_context(organization):
        campaign = Campaign.objects.get()
        assert [(v.name, v.percentage) for v in campaign.variants.all()] == [("A", 70), ("B", 30)]
        assert (campaign.status, Schedule.objects.get().weekdays) == ("scheduled", [1, 3])
    assert answer["Location"] == url("change", campaign.pk)
    plan = browser.get(url("launch", campaign.pk)).content.decode()
    assert "The contact is inactive" in plan
    page = browser.get(url("change", campaign.pk)).content.decode()
    assert "Next times" in page
    assert browser.post(url("launch", campaign.pk)).status_code == 302
    with tenant_context(organization):
        assert Run.objects.get().status == "preparing"
        from campaigns.services.runs import run_work

        run_work(organization.schema_name, str(Run.objects.get().pk))
        run = Run.objects.get()
        assert Message.objects.get().content["text"]["body"] in {"Hello Ada", "Hi Ada Sample"}
    assert "Being sent" in browser.get(url("change", campaign.pk) + "?part=1").content.decode()
    results = browser.get(url("results", campaign.pk, run.pk)).content.decode()
    assert "22961000001" in results
    assert "22961000002" in browser.get(url("results", campaign.pk, run.pk) + "?status=skipped").content.decode()
    lines = b"".join(browser.get(url("csv", campaign.pk, run.pk)).streaming_content).decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(lines)))
    assert [row[:3] for row in rows[1:]] == [["22961000001", "Ada Sample", "Queued"], ["22961000002", "", "skipped"]]


def test_refusals_appear_at_their_fields_and_nothing_is_saved(shop, browser_of):  # noqa: F811
    organization, channel = shop
    browser = browser_of("manager")
    for fields, text in (
        ({"text": ""}, "Write a text or choose a template."),
        ({"text": "Hello {pronom}"}, "is no variable"),
        ({"text_b": "Hi"}, "A version needs a text and its percentage."),
        ({"audience_kind": "groups"}, "must name existing groups"),
        ({"quiet_from": "21:00"}, "quiet hours need a beginning and an end"),
        ({"frequency": "daily"}, "A schedule needs a first day and a time."),
        ({"frequency": "once", "time": "09:00", "start_date": "2020-01-01"}, "lies in the past"),
    ):
        answer = browser.post(url("add"), filled(channel, **fields))
        assert (answer.status_code, text in answer.content.decode()) == (200, True), text
    with tenant_context(organization):
        assert Campaign.objects.count() == 0


def test_the_preview_escapes_what_contacts_are_called(shop, browser_of):  # noqa: F811
    organization, _channel = shop
    html = browser_of("manager").post(
        url("preview"),
        {"text": "<i>{nom}</i> {pronom}", "frequency": "daily", "time": "09:00", "start_date": "2030-01-01"},
    ).content.decode()  # fmt: skip
    assert "&lt;i&gt;&lt;b&gt;Bo&lt;/b&gt;&lt;/i&gt;" in html
    assert "{pronom}" in html
    assert html.count("<li>") == 10
    odd = browser_of("admin").post(url("preview"), {"frequency": "daily", "time": "9", "start_date": "x"})
    assert odd.status_code == 200


def test_those_who_only_look_may_not_preview_launch_or_cancel(shop, browser_of):  # noqa: F811
    organization, channel = shop
    browser_of("manager").post(url("add"), filled(channel))
    with tenant_context(organization):
        campaign = Campaign.objects.get()
    viewer = browser_of("sender")
    for name in ("launch", "pause", "resume", "cancel", "retry_failed", "duplicate", "edit", "test_send", "remove"):
        assert (name, viewer.post(url(name, campaign.pk)).status_code) == (name, 403)
    assert viewer.post(url("preview"), {}).status_code == 403
    assert viewer.get(url("change", campaign.pk)).status_code == 200
    with tenant_context(organization):
        assert Run.objects.count() == 0


def test_results_of_another_organisations_run_are_404(shop, other_organization, make_channel, browser_of):  # noqa: F811
    organization, channel = shop
    browser = browser_of("manager")
    browser.post(url("add"), filled(channel))
    with tenant_context(organization):
        mine = Campaign.objects.get()
    for name in ("results", "csv"):
        assert browser.get(url(name, mine.pk, 1)).status_code == 404
        assert browser.get(url(name, 999_999, 1)).status_code == 404
    assert browser.get(url("change", 999_999) + "?part=1").status_code == 404


def test_pause_needs_a_reason_which_others_then_read(shop, browser_of):  # noqa: F811
    organization, channel = shop
    browser = browser_of("manager")
    browser.post(url("add"), filled(channel))
    with tenant_context(organization):
        campaign = Campaign.objects.get()
    browser.post(url("launch", campaign.pk))
    assert browser.post(url("pause", campaign.pk), {"reason": ""}).status_code == 200
    assert browser.post(url("pause", campaign.pk), {"reason": "Wrong price"}).status_code == 302
    assert "Wrong price" in browser.get(url("change", campaign.pk)).content.decode()
    assert browser.post(url("resume", campaign.pk)).status_code == 302
    assert browser.post(url("cancel", campaign.pk)).status_code == 302
    with tenant_context(organization):
        assert Campaign.objects.get().status == "cancelled"
