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


def preview(browser, **fields):
    return browser.post(url("preview"), fields).content.decode()


def test_a_campaign_goes_to_contacts_that_were_chosen_by_their_lines(shop, browser_of):  # noqa: F811
    organization, channel = shop
    with tenant_context(organization):
        faceless = Contact.objects.create(name="No Phone")
        for phone in ("22961000001", "22961000002"):
            contact = Contact.objects.get(phone=phone)
            contact.identities.get_or_create(kind="phone", value=phone)
    browser = browser_of("manager")
    refused = browser.post(url("add"), filled(channel, audience_kind="contacts"))
    assert refused.context["form"].errors == {"contacts": ["is required"]}
    refused = browser.post(url("add"), filled(channel, audience_kind="contacts", contacts="61009999 · Nobody"))
    assert refused.context["form"].errors == {"contacts": ["These are no contacts: 61009999 · Nobody."]}
    lines = f"+22961000001 · Ada Sample\n#{faceless.pk} · No Phone"
    made = browser.post(url("add"), filled(channel, audience_kind="contacts", contacts=lines))
    assert made.status_code == 302
    with tenant_context(organization):
        campaign = Campaign.objects.get()
        chosen = set(campaign.entries.values_list("contact_id", flat=True))
        assert chosen == {Contact.objects.get(phone="22961000001").pk, faceless.pk}
    form = browser.get(url("edit", campaign.pk)).context["form"]
    assert form["contacts"].value().splitlines() == lines.splitlines()
    assert "Chosen contacts: 2" in browser.get(url("change", campaign.pk)).content.decode()


def test_a_text_template_is_copied_into_the_campaign_and_its_use_counted(shop, browser_of):  # noqa: F811
    from campaigns.models import MarketingTemplate
    from campaigns.services.text_templates import text_template_create

    organization, channel = shop
    with tenant_context(organization):
        kind = MarketingTemplate.Category.values[0]
        public = text_template_create(name="Offer", content="Only today, {prenom}", category=kind, is_public=True)
        private = text_template_create(name="Mine", content="Secret", category=kind)
    browser = browser_of("manager")
    assert browser.get(url("text", public.pk)).json() == {"text": "Only today, {prenom}"}
    assert browser.get(url("text", private.pk)).status_code == 404
    refused = browser.post(url("add"), filled(channel, text="", saved_text=private.pk))
    assert "saved_text" in refused.context["form"].errors
    assert browser.post(url("add"), filled(channel, text="", saved_text=public.pk)).status_code == 302
    with tenant_context(organization):
        assert Campaign.objects.get().content["text"]["body"] == "Only today, {prenom}"
        public.refresh_from_db()
        assert public.usage_count == 1


def test_what_the_composer_looks_up_needs_the_right_to_compose(shop, browser_of):  # noqa: F811
    for role in ("viewer", "sender"):
        browser = browser_of(role)
        assert browser.get(url("contacts"), {"q": "Ada"}).status_code == 403
        assert browser.get(url("text", 1)).status_code == 403
    manager = browser_of("manager")
    assert manager.get(url("contacts"), {"q": "Ada"}).json() == {"lines": ["+22961000001 · Ada Sample"]}
    assert manager.get(url("contacts"), {"q": "+22961000001"}).json() == {"lines": ["+22961000001 · Ada Sample"]}
    assert manager.get(url("contacts"), {"q": "\x00"}).json() == {"lines": []}


def test_the_next_times_are_shown_on_the_clock_of_the_campaigns_zone(shop, browser_of):  # noqa: F811
    organization, channel = shop
    browser = browser_of("manager")
    schedule = {"frequency": "daily", "time": "09:00", "start_date": "2031-01-06", "zone": "Asia/Tokyo"}
    assert "Mon 6 Jan 2031 09:00" in preview(browser, text="Hi", **schedule)
    browser.post(url("add"), filled(channel, **schedule))
    with tenant_context(organization):
        campaign = Campaign.objects.get()
    assert "Mon 6 Jan 2031 09:00" in browser.get(url("change", campaign.pk)).content.decode()


def test_the_composer_says_how_many_are_meant(shop, browser_of):  # noqa: F811
    from contacts.services.groups import group_create, group_members_add
    from contacts.services.segments import segment_save

    organization, _channel = shop
    with tenant_context(organization):
        group = group_create(name="Clients")
        group_members_add(group_id=group.pk, contact_ids=list(Contact.objects.values_list("pk", flat=True)))
        segment = segment_save(name="Active", rules={"field": "status", "op": "is", "value": "active"})
    browser = browser_of("manager")
    assert "2 recipients" in preview(browser, audience_kind="all")
    assert "2 recipients" in preview(browser, audience_kind="groups", groups=[group.pk])
    assert "1 recipient<" in preview(browser, audience_kind="segment", segment=segment.pk)
    assert "At most 3 recipients" in preview(browser, audience_kind="list", phones="1\n2\n\n3")
    assert "0 recipients" in preview(browser, audience_kind="groups", groups=["x", "9" * 30])
    assert "There is no such segment." in preview(browser, audience_kind="segment", segment="999")
    assert "preview-recipients" not in preview(browser, audience_kind="segment", segment="9" * 30)


def test_versions_may_be_templates(shop, browser_of):  # noqa: F811
    from messaging.models import MessageTemplate

    organization, channel = shop
    with tenant_context(organization):
        for name in ("spring", "autumn"):
            MessageTemplate.objects.create(
                kind=channel.kind, account_id=channel.account_id, name=name, language="en", category="MARKETING",
                status="APPROVED", components=[{"type": "BODY", "text": f"{name} for {{{{1}}}}"}],
            )  # fmt: skip
    browser = browser_of("manager")
    given = {
        "text": "", "template": "spring|en", "parameters": "{prenom}", "percent_b": 40, "template_b": "autumn|en",
        "parameters_b": "{nom}",
    }  # fmt: skip
    shown = preview(browser, channel=channel.pk, **given)
    assert "spring for &lt;b&gt;Bo&lt;/b&gt;" in shown
    assert "autumn for &lt;b&gt;Bo&lt;/b&gt;" in shown
    made = browser.post(url("add"), filled(channel, **given))
    assert made.status_code == 302, made.context["form"].errors
    with tenant_context(organization):
        campaign = Campaign.objects.get()
        second = campaign.variants.all()[1]
        assert (second.percentage, second.content["template"]["name"]) == (40, "autumn")
    form = browser.get(url("edit", campaign.pk)).context["form"]
    assert (form["template_b"].value(), form["parameters_b"].value()) == ("autumn|en", "{nom}")
    assert "autumn (en)" in browser.get(url("change", campaign.pk)).content.decode()


def test_the_page_tells_when_its_buttons_are_others_by_the_state_of_its_part(shop, browser_of):  # noqa: F811
    organization, channel = shop
    browser = browser_of("manager")
    browser.post(url("add"), filled(channel))
    with tenant_context(organization):
        campaign = Campaign.objects.get()
    page = url("change", campaign.pk)
    assert 'data-live-state="draft 0"' in browser.get(page).content.decode()
    assert 'data-live-state="draft 0"' in browser.get(f"{page}?part=1").content.decode()
    browser.post(url("launch", campaign.pk))
    assert 'data-live-state="running 0"' in browser.get(f"{page}?part=1").content.decode()


def test_a_copy_is_opened_and_the_number_of_a_test_remembered(shop, browser_of):  # noqa: F811
    organization, channel = shop
    browser = browser_of("manager")
    browser.post(url("add"), filled(channel))
    with tenant_context(organization):
        campaign = Campaign.objects.get()
    copied = browser.post(url("duplicate", campaign.pk), {"name": "Again"})
    with tenant_context(organization):
        copy = Campaign.objects.exclude(pk=campaign.pk).get()
    assert (copied["Location"], copy.name) == (url("change", copy.pk), "Again")
    assert browser.post(url("test_send", campaign.pk), {"to": "+229 61 00 00 01"}).status_code == 302
    assert browser.get(url("test_send", campaign.pk)).context["form"]["to"].value() == "+229 61 00 00 01"


def test_reasons_are_said_in_the_readers_language(monkeypatch) -> None:
    from config import reasons

    french = {
        "is required": "est nécessaire",
        "%(names)s is no variable": "%(names)s n'est pas une variable",
        "must have %(least)s to %(most)s characters": "doit avoir de %(least)s à %(most)s caractères",
    }
    monkeypatch.setattr(reasons, "gettext", lambda text: french.get(text, text))
    monkeypatch.setattr(reasons, "get_language", lambda: "fr")
    assert reasons.reason_said("{nope} is no variable") == "{nope} n'est pas une variable"
    assert reasons.reason_said("must have 1 to 80 characters") == "doit avoir de 1 à 80 caractères"
    assert reasons.reason_said("Nom is required; is required") == "Nom est nécessaire; est nécessaire"
    assert reasons.reason_said("quite another") == "quite another"


def test_recipients_in_a_rare_state_are_found_piece_by_piece(shop, browser_of, monkeypatch):  # noqa: F811
    from campaigns.admin import results

    organization, channel = shop
    browser = browser_of("manager")
    browser.post(url("add"), filled(channel))
    with tenant_context(organization):
        campaign = Campaign.objects.get()
        run = Run.objects.create(campaign=campaign, occurrence_at="2030-01-01T00:00Z")
        Message.objects.bulk_create(
            Message(
                channel=channel, direction="out", address=f"2296100{number:04d}", type="text", content={},
                origin="campaign", campaign_run_id=run.pk,
                status={7: "cancelled", 93: "cancelled", 40: "failed"}.get(number, "sent"),
            )
            for number in range(100)
        )  # fmt: skip
        monkeypatch.setattr(results, "_LOOKED_AT", 10)
        rows, after = results.results_found(run=run, status="cancelled", after="")
        assert ([row.address for row in rows], after) == (["22961000007", "22961000093"], "")
        # Out of time after the first piece: what was found is a page, and the next one goes on behind it.
        monkeypatch.setattr(results, "_SECONDS", -1.0)
        rows, after = results.results_found(run=run, status="cancelled", after="")
        assert ([row.address for row in rows], after) == (["22961000007"], "22961000009")
        rows, after = results.results_found(run=run, status="cancelled", after=after)
        assert (rows, after) == ([], "22961000019")
        rows, after = results.results_found(run=run, status="failed", after="")
        assert ([row.address for row in rows], after) == (["22961000040"], "")
        rows, after = results.results_found(run=run, status="sent", after="22961000094")
        assert ([row.address for row in rows], after) == ([f"2296100{number:04d}" for number in range(95, 100)], "")
    page = url("results", campaign.pk, run.pk)
    assert "go on with the next page" in browser.get(page, {"status": "queued"}).content.decode()
    assert browser.get(page).content.decode().count("/messaging/message/") >= 50
