"""What people do in the admin: send, cancel, block, pause, manage members, enter as support."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django_tenants.utils import tenant_context

from tests.admin.test_pages import page

Browsers = Callable[[str], Client]


def said(answer: Any) -> list[str]:
    """The notices on a page."""
    return [str(notice) for notice in answer.context["messages"]]


def test_a_message_sent_by_hand_is_queued_for_the_channel(
    organization: Any, browser_of: Browsers, make_channel: Callable[..., Any]
) -> None:
    from messaging.models import Message

    channel = make_channel(organization)
    form = {"channel": channel.pk, "to": "+229 97 12 34 56", "text": "Your order is ready.", "save_contact": "on"}

    answer = browser_of("sender").post(page("messaging.message", "add"), form)

    with tenant_context(organization):
        message = Message.objects.select_related("contact").get()
    assert answer["Location"] == page("messaging.message", "change", message.pk)
    assert (message.address, message.status, message.origin) == ("22997123456", "queued", "admin")
    assert message.content == {"type": "text", "text": {"body": "Your order is ready."}}
    assert message.contact is not None and message.contact.phone == "22997123456"


@pytest.mark.parametrize(("field", "value"), [("to", "not a number"), ("to", "12"), ("text", ""), ("channel", "0")])
def test_a_mistake_in_a_message_is_shown_at_its_field_and_nothing_is_sent(
    field: str, value: str, organization: Any, browser_of: Browsers, make_channel: Callable[..., Any]
) -> None:
    from messaging.models import Message

    form = {"channel": make_channel(organization).pk, "to": "+22997123456", "text": "Hello", field: value}

    answer = browser_of("sender").post(page("messaging.message", "add"), form)

    assert list(answer.context["form"].errors) == [field]
    with tenant_context(organization):
        assert Message.objects.count() == 0


def test_a_blocked_number_cannot_be_written_to_however_it_was_typed(
    organization: Any, browser_of: Browsers, make_channel: Callable[..., Any]
) -> None:
    from contacts.models import Suppression

    browser, channel = browser_of("manager"), make_channel(organization)
    browser.post(
        page("contacts.suppression", "add"), {"address": "+229 97-12-34-56", "reason": "blacklist", "scope": "all"}
    )

    answer = browser.post(page("messaging.message", "add"), {"channel": channel.pk, "to": "97123456", "text": "Hello"})

    with tenant_context(organization):
        assert Suppression.objects.values_list("address", flat=True).get() == "22997123456"
    assert "to" in answer.context["form"].errors


def test_selected_messages_are_cancelled_after_a_question_and_each_refusal_is_told(
    organization: Any, browser_of: Browsers, make_channel: Callable[..., Any]
) -> None:
    from messaging.models import Message

    channel = make_channel(organization)
    with tenant_context(organization):
        common = {"channel": channel, "direction": "out", "type": "text", "content": {}, "origin": "api"}
        waiting = Message.objects.create(**common, address="22997120001", status="queued")
        gone = Message.objects.create(**common, address="22997120002", status="delivered")
    form = {"action": "cancel_selected", "_selected_action": [waiting.pk, gone.pk]}
    browser, url = browser_of("manager"), page("messaging.message", "changelist")

    asked = browser.post(url, form)
    with tenant_context(organization):
        assert Message.objects.get(pk=waiting.pk).status == "queued"
    done = browser.post(url, {**form, "confirmed": "yes"}, follow=True)

    assert asked.context["subjects"] == ["+22997120002: Delivered", "+22997120001: Queued"]
    with tenant_context(organization):
        assert Message.objects.get(pk=waiting.pk).status == "cancelled"
        assert Message.objects.get(pk=gone.pk).status == "delivered"
    notices = said(done)
    assert notices[0] == "1 cancelled."
    assert len(notices) == 2 and notices[1].startswith("+22997120002: ")


def test_a_viewer_cannot_cancel_by_a_made_up_request(
    organization: Any, browser_of: Browsers, fill: Callable[..., dict[str, Any]]
) -> None:
    from messaging.models import Message

    made = fill(organization, "here")
    form = {"action": "retry_selected", "_selected_action": [made["messaging.message"]], "confirmed": "yes"}

    browser_of("viewer").post(page("messaging.message", "changelist"), form)

    with tenant_context(organization):
        assert Message.objects.get(pk=made["messaging.message"]).status == "failed"


def test_a_failed_message_says_what_happened_and_what_to_do(
    organization: Any, browser_of: Browsers, fill: Callable[..., dict[str, Any]]
) -> None:
    made = fill(organization, "here")

    answer = browser_of("viewer").get(page("messaging.message", "change", made["messaging.message"]))

    assert [step.title for step in answer.context["story"]] == ["Accepted", "Failed"]
    assert answer.context["story"][1].text == "here reason"
    assert answer.context["advice"].startswith("Correct what the reason names.")


def test_pausing_and_resuming_a_channel_keeps_the_reason(
    organization: Any, browser_of: Browsers, make_channel: Callable[..., Any]
) -> None:
    from messaging.models import Channel

    channel, browser = make_channel(organization), browser_of("manager")

    def state() -> tuple[str, str]:
        with tenant_context(organization):
            row = Channel.objects.get(pk=channel.pk)
            return row.status, row.status_reason

    browser.post(page("messaging.channel", "pause", channel.pk), {"reason": "New SIM card"})
    assert state() == ("paused", "New SIM card")
    browser.post(page("messaging.channel", "resume", channel.pk))
    assert state() == ("connected", "")


def test_a_new_channel_gets_its_routes_and_its_number_in_one_form(organization: Any, browser_of: Browsers) -> None:
    from messaging.models import Channel
    from tenants.models import InboundRoute

    form = {
        "name": "Shop",
        "address": "+229 97 00 00 77",
        "external_id": "106540352242922",
        "account_id": "102290129340398",
        "is_sandbox": "on",
        "secret_access_token": "sandbox-token-1",
    }

    browser_of("admin").post(page("messaging.channel", "add"), form)

    with tenant_context(organization):
        channel = Channel.objects.get()
    assert (channel.address, channel.is_sandbox, channel.status) == ("22997000077", True, "connected")
    routes = InboundRoute.objects.filter(organization=organization).values_list("kind", "external_id")
    assert set(routes) == {("whatsapp_phone", "106540352242922"), ("whatsapp_account", "102290129340398")}


def test_the_same_number_twice_is_refused_at_its_field(
    organization: Any, other_organization: Any, browser_of: Browsers, make_channel: Callable[..., Any]
) -> None:
    make_channel(other_organization, external_id="106540352242922")
    form = {"name": "Shop", "address": "+22997000077", "external_id": "106540352242922", "secret_access_token": "x"}

    answer = browser_of("admin").post(page("messaging.channel", "add"), form)

    assert list(answer.context["form"].errors) == ["external_id"]


@pytest.mark.parametrize("action", ["suspend", "remove"])
def test_the_last_owner_cannot_be_suspended_or_removed(
    action: str, organization: Any, login: Callable[..., Client]
) -> None:
    from tenants.models import Membership

    owner = Membership.objects.select_related("user").get(organization=organization, role="owner")

    answer = login(owner.user, organization).post(page("tenants.membership", action, owner.pk))

    reason = "This is the organisation's last owner: make somebody else an owner first."
    assert answer.context["form"].non_field_errors() == [reason]
    assert Membership.objects.get(pk=owner.pk).is_suspended is False


def test_the_last_owner_cannot_step_down(organization: Any, login: Callable[..., Client]) -> None:
    from tenants.models import Membership

    owner = Membership.objects.select_related("user").get(organization=organization, role="owner")

    login(owner.user, organization).post(page("tenants.membership", "change_role", owner.pk), {"role": "viewer"})

    assert Membership.objects.get(pk=owner.pk).role == "owner"


def test_an_administrator_cannot_make_an_owner(
    organization: Any, browser_of: Browsers, make_member: Callable[..., Any]
) -> None:
    from tenants.models import Invitation

    member, browser = make_member(organization, "viewer"), browser_of("admin")

    changed = browser.post(page("tenants.membership", "change_role", member.pk), {"role": "owner"})
    browser.post(page("tenants.invitation", "add"), {"email": "boss@invited.example", "role": "owner"})

    assert list(changed.context["form"].errors) == ["role"]
    member.refresh_from_db()
    assert member.role == "viewer"
    assert Invitation.objects.count() == 0


def test_an_invitation_is_mailed_and_listed(
    organization: Any, browser_of: Browsers, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        browser_of("admin").post(page("tenants.invitation", "add"), {"email": "new@invited.example", "role": "sender"})

    assert [letter.to for letter in mail.outbox] == [["new@invited.example"]]


def test_the_profile_changes_only_what_it_shows(organization: Any, browser_of: Browsers) -> None:
    from tenants.models import Organization

    form = {
        "name": "Demo Shop 2",
        "default_country": "FR",
        "time_zone": "Europe/Paris",
        "language": "fr",
        "status": "deleted",
    }

    browser_of("owner").post(page("tenants.organization", "change", organization.pk), form)

    row = Organization.objects.get(pk=organization.pk)
    assert (row.name, row.default_country, row.time_zone, row.language) == ("Demo Shop 2", "FR", "Europe/Paris", "fr")
    assert row.status == "active"


def test_login_binds_the_session_to_the_host_and_leads_to_the_overview(organization: Any) -> None:
    browser = Client(HTTP_HOST=organization.host)
    form = {"username": f"Owner@{organization.slug}.test", "password": "a-long-test-password"}

    answer = browser.post("/admin/login/", form)

    assert (answer.status_code, answer["Location"]) == (302, "/admin/")
    assert browser.session["tenant_schema"] == organization.schema_name
    assert browser.get("/admin/").status_code == 200


def test_a_wrong_login_names_neither_the_account_nor_the_reason(organization: Any) -> None:
    browser = Client(HTTP_HOST=organization.host)

    answers = [
        browser.post("/admin/login/", {"username": name, "password": "wrong-password"})
        for name in (f"owner@{organization.slug}.test", "nobody@griot.example")
    ]

    errors = {tuple(answer.context["form"].non_field_errors()) for answer in answers}
    assert errors == {("This e-mail address and password do not open this site.",)}
    assert organization.name in answers[0].content.decode()


def test_support_enters_with_a_reason_sees_the_banner_and_leaves(organization: Any, super_browser: Client) -> None:
    from tenants.models import SupportAccess

    enter = f"/admin/tenants/organization/{organization.pk}/enter/"

    refused = super_browser.post(enter, {"reason": ""})
    address = super_browser.post(enter, {"reason": "Ticket 12"})["Location"]
    visitor = Client(HTTP_HOST=organization.host)
    visitor.get(address[address.index("/support/") :])
    html = visitor.get("/admin/").content.decode()
    visitor.post("/admin/logout/")

    assert list(refused.context["form"].errors) == ["reason"]
    assert "Ticket 12" in html and "super@griot.example" in html
    visit = SupportAccess.objects.get()
    assert (visit.reason, visit.entered_at is not None) == ("Ticket 12", True)
    assert visitor.get("/admin/").status_code == 302


def test_a_super_admin_creates_suspends_and_resumes_an_organisation(super_browser: Client, db: None) -> None:
    from tenants.models import Organization, Plan

    form = {
        "name": "Third Shop",
        "slug": "third",
        "owner_email": "owner@third.example",
        "owner_password": "a-very-long-one-1",
        "plan": Plan.objects.get(code="unlimited").pk,
        "default_country": "BJ",
        "time_zone": "UTC",
        "language": "fr",
    }

    super_browser.post("/admin/tenants/organization/add/", form)
    made = Organization.objects.get(slug="third")
    super_browser.post(f"/admin/tenants/organization/{made.pk}/suspend/", {"reason": "Unpaid"})
    suspended = Organization.objects.get(pk=made.pk)
    super_browser.post(f"/admin/tenants/organization/{made.pk}/resume/")

    assert made.memberships.get().role == "owner"
    assert (suspended.status, suspended.status_reason) == ("suspended", "Unpaid")
    assert Organization.objects.get(pk=made.pk).status == "active"


def test_a_taken_short_name_is_refused_at_its_field(organization: Any, super_browser: Client) -> None:
    from tenants.models import Plan

    form = {
        "name": "Copy",
        "slug": organization.slug,
        "owner_email": "a@b.example",
        "plan": Plan.objects.first().pk,
        "default_country": "BJ",
        "time_zone": "UTC",
        "language": "en",
    }

    answer = super_browser.post("/admin/tenants/organization/add/", form)

    assert list(answer.context["form"].errors) == ["slug"]


def test_the_language_of_the_reader_is_used(browser_of: Browsers) -> None:
    browser = browser_of("owner")

    browser.post("/i18n/setlang/", {"language": "fr"})

    assert "Envoyer un message" in browser.get(page("messaging.message", "changelist")).content.decode()
