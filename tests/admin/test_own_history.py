"""Senders see in the admin what they sent themselves, as in the marketing API; suspended members stop at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django_tenants.utils import tenant_context

from audit.models import AuditEntry
from campaigns.models import Campaign, Run
from campaigns.services.campaigns import audience_set, campaign_create
from campaigns.services.control import campaign_launch
from campaigns.services.runs import run_work
from contacts.models import Contact
from messaging.models import Message
from messaging.services.accept import Draft, messages_accept
from messaging.services.channels import channel_by_uuid
from tenants.models import Membership
from tests.admin.test_pages import page

MINE, THEIRS = "words of mine", "words of theirs"


@pytest.fixture
def channel(organization: Any, make_channel: Callable[..., Any]) -> Any:
    return make_channel(organization)


@pytest.fixture
def send(organization: Any, channel: Any) -> Callable[..., Message]:
    """`send(member, text)`: a message of this member to one contact; leaves the schema."""

    def accept(member: Any, text: str) -> Message:
        with tenant_context(organization):
            contact, _made = Contact.objects.get_or_create(phone="24162000001", defaults={"name": "Ama"})
            accepted = messages_accept(
                organization=organization,
                channel=channel_by_uuid(schema=organization.schema_name, uuid=channel.uuid),
                drafts=[Draft("+24162000001", {"type": "text", "text": {"body": text}})],
                origin="api",
                priority=10,
                membership_id=member.pk,
            )
            Message.objects.filter(uuid=accepted.accepted[0].uuid).update(contact=contact)
            return Message.objects.get(uuid=accepted.accepted[0].uuid)

    return accept


@pytest.fixture
def two(organization: Any, make_member: Any, send: Any) -> tuple[Any, Message, Message]:
    """(a sender, their message, the message of another sender)."""
    sender = make_member(organization, "sender")
    other = make_member(organization, "sender", email="other@people.test")
    return sender, send(sender, MINE), send(other, THEIRS)


def read(browser: Client, url: str) -> str:
    answer = browser.get(url)
    assert answer.status_code == 200, (url, answer.status_code)
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content  # type: ignore[arg-type]
    return body.decode()


def test_a_sender_finds_only_their_own_messages(organization: Any, two: Any, login: Any) -> None:
    sender, mine, theirs = two
    browser = login(sender.user, organization)
    listed = read(browser, page("messaging.message", "changelist"))
    assert MINE in listed and THEIRS not in listed
    for query in ("?q=24162000001", f"?q={theirs.uuid}", "?status=queued", f"?channel={theirs.channel_id}"):
        assert THEIRS not in read(browser, page("messaging.message", "changelist") + query), query
    assert MINE in read(browser, page("messaging.message", "change", mine.pk))
    for name in ("change", "cancel", "retry"):
        answer = browser.get(page("messaging.message", name, theirs.pk))
        assert answer.status_code in (302, 404) and THEIRS not in answer.content.decode(), name
    browser.post(page("messaging.message", "cancel", theirs.pk))
    chosen = {"action": "cancel_selected", "_selected_action": [theirs.pk], "confirmed": "yes"}
    browser.post(page("messaging.message", "changelist"), chosen)
    with tenant_context(organization):
        assert Message.objects.get(pk=theirs.pk).status == "queued"


def test_a_contacts_conversation_shows_a_sender_their_own_part(
    organization: Any, two: Any, login: Any, browser_of: Any
) -> None:
    sender, mine, _theirs = two
    url = page("contacts.contact", "change", mine.contact_id)
    shown = read(login(sender.user, organization), url)
    assert MINE in shown and THEIRS not in shown
    everything = read(browser_of("owner"), url)
    assert MINE in everything and THEIRS in everything


def test_the_start_page_counts_what_a_sender_sent(organization: Any, two: Any, login: Any, browser_of: Any) -> None:
    sender, _mine, _theirs = two
    own = login(sender.user, organization).get("/admin/").context
    assert (own["totals"].accepted, own["cards"]) == (1, [])
    assert browser_of("owner").get("/admin/").context["totals"]["accepted"] == 2


def test_files_of_messages_are_shown_to_nobody_who_sees_only_their_own(
    organization: Any, make_member: Any, login: Any, fill: Any
) -> None:
    file, sender = fill(organization, "here")["messaging.mediafile"], make_member(organization, "sender")
    listed, opened = page("messaging.mediafile", "changelist"), page("messaging.mediafile", "change", file)
    browser = login(sender.user, organization)
    assert [browser.get(url).status_code for url in (listed, opened)] == [403, 403]
    sender.permissions = ["view_history"]
    sender.save()
    browser = login(sender.user, organization)
    assert (browser.get(listed).status_code, browser.get(opened).status_code) == (200, 404)
    assert opened not in read(browser, listed)
    viewer = login(make_member(organization, "viewer").user, organization)
    assert opened in read(viewer, listed)


@pytest.fixture
def campaign_of(organization: Any, channel: Any) -> Callable[..., Campaign]:
    """`campaign_of(member, launched=True)`: a campaign that this member made, with all its messages queued."""

    def make(member: Any, phones: Any = ("+24162000001",)) -> Campaign:
        with tenant_context(organization):
            campaign = campaign_create(
                organization=organization,
                name="Sale",
                channel_id=channel.pk,
                content={"type": "text", "text": {"body": MINE}},
                created_by_id=member.user_id,
            )
            audience_set(organization=organization, campaign_id=campaign.pk, kind="list", phones=phones)
            run = campaign_launch(campaign_id=campaign.pk)
            while Run.objects.get(pk=run.pk).status == Run.Status.PREPARING:
                run_work(organization.schema_name, str(run.pk))
            campaign.refresh_from_db()
            campaign.run_id = run.pk  # type: ignore[attr-defined]
            return campaign

    return make


def test_the_messages_of_a_campaign_are_those_of_who_made_it(
    organization: Any, make_member: Any, campaign_of: Any
) -> None:
    manager = make_member(organization, "manager")
    campaign = campaign_of(manager)
    with tenant_context(organization):
        sent = Message.objects.filter(campaign_run_id=campaign.run_id)
        assert list(sent.values_list("membership_id", flat=True)) == [manager.pk]


def test_recipients_of_a_campaign_are_shown_and_exported_to_those_who_may(
    organization: Any, make_member: Any, login: Any, campaign_of: Any
) -> None:
    made = {role: make_member(organization, role) for role in ("owner", "viewer")}
    sender = make_member(organization, "sender")
    campaign = campaign_of(made["owner"])
    own = campaign_of(sender)

    def statuses(member: Any, one: Campaign) -> tuple[int, int]:
        browser, root = login(member.user, organization), f"/admin/campaigns/campaign/{one.pk}/runs/{one.run_id}/"  # type: ignore[attr-defined]
        return browser.get(root).status_code, browser.get(f"{root}csv/").status_code

    assert statuses(made["owner"], campaign) == (200, 200)
    assert statuses(made["viewer"], campaign) == (200, 403)
    assert statuses(sender, campaign) == (403, 403)
    assert statuses(sender, own) == (200, 403)
    sender.permissions = ["view_history", "view_analytics", "create_campaigns", "export_data"]
    sender.save()
    assert statuses(sender, own) == (200, 200)
    assert statuses(sender, campaign) == (403, 403)
    page_of_campaign = read(login(made["viewer"].user, organization), page("campaigns.campaign", "change", campaign.pk))
    assert "/runs/" in page_of_campaign and "/csv/" not in page_of_campaign


def test_contacts_are_exported_by_those_who_may_export(organization: Any, make_member: Any, login: Any) -> None:
    export = "/admin/contacts/contact/export/csv/"
    found = {
        role: login(make_member(organization, role).user, organization).get(export).status_code
        for role in ("owner", "manager", "sender", "viewer")
    }
    assert found == {"owner": 200, "manager": 200, "sender": 403, "viewer": 403}


def test_suspending_a_member_stops_their_session_and_their_campaigns(
    organization: Any, make_member: Any, login: Any, browser_of: Any, campaign_of: Any
) -> None:
    manager = make_member(organization, "manager")
    browser = login(manager.user, organization)
    assert browser.get("/admin/").status_code == 200
    campaign, other = campaign_of(manager), campaign_of(make_member(organization, "admin"))
    owner = browser_of("owner")
    suspend = page("tenants.membership", "suspend", manager.pk)
    assert owner.post(suspend, headers={"User-Agent": "a browser"}).status_code == 302
    assert browser.get("/admin/").status_code == 302
    with tenant_context(organization):
        campaign.refresh_from_db()
        other.refresh_from_db()
        assert (campaign.status, other.status) == ("paused", "running")
        recorded = AuditEntry.objects.filter(action__in=("sub_account.suspended", "campaign.paused")).order_by("id")
        assert [entry.action for entry in recorded] == ["sub_account.suspended", "campaign.paused"]
        owners = Membership.objects.filter(organization=organization, role="owner")
        boss = owners.select_related("user").latest("pk")
        for entry in recorded:
            assert (entry.actor_kind, entry.actor_label) == ("user", boss.user.email)
            assert (entry.membership_id, entry.address, entry.agent) == (boss.pk, "127.0.0.1", "a browser")
        assert campaign.status_reason == "manager@demo.example, who made the campaign, is suspended."
        waiting = dict(Message.objects.values_list("campaign_run_id", "status"))
    assert (waiting[campaign.run_id], waiting[other.run_id]) == ("scheduled", "queued")
