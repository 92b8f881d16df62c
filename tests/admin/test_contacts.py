"""Contacts and blocked numbers in the admin: recorded and told like those of the APIs."""

from __future__ import annotations

from django.urls import reverse
from django_tenants.utils import tenant_context

from audit.models import AuditEntry
from contacts.models import Contact, Group, Suppression
from contacts.services.groups import group_create, group_members_add
from webhooks_app.models import Event
from webhooks_app.services.endpoints import endpoint_create


def page(name: str, *arguments: int) -> str:
    return reverse(f"admin:contacts_{name}", args=arguments, urlconf="config.urls_tenant")


def test_contacts_are_created_changed_and_deleted_with_events_audit_and_counts(organization, browser_of):
    with tenant_context(organization):
        endpoint_create(surface="transactional", url="http://127.0.0.1:9/hook", events=["*"])
    browser = browser_of("manager")
    browser.post(page("contact_add"), {"phone": "+229 97 00 00 01", "name": "Ada", "email": ""})
    with tenant_context(organization):
        contact = Contact.objects.get()
        group = group_create(name="Clients")
        group_members_add(group_id=group.pk, contact_ids=[contact.pk])
    given = {"phone": "+22997000001", "name": "Ada Doe", "email": "ada@example.com", "group": group.pk}
    assert browser.post(page("contact_edit", contact.pk), given).status_code == 302
    browser.post(page("contact_delete", contact.pk), {"post": "yes"})
    with tenant_context(organization):
        told = list(Event.objects.order_by("id").values_list("type", flat=True))
        entries = AuditEntry.objects.filter(action__startswith="contact.").order_by("id")
        audited = list(entries.values_list("action", flat=True))
        assert (Contact.objects.count(), Group.objects.get().member_count) == (0, 0)
    assert told == audited == ["contact.created", "contact.updated", "contact.deleted"]


def test_a_number_blocked_by_hand_is_told(organization, browser_of):
    with tenant_context(organization):
        endpoint_create(surface="transactional", url="http://127.0.0.1:9/hook", events=["*"])
    given = {"address": "+229 97 12 34 56", "reason": "blacklist", "scope": "all", "note": "Fraud"}
    browser_of("manager").post(page("suppression_add"), given)
    with tenant_context(organization):
        blocked = Suppression.objects.get()
        [(kind, data)] = Event.objects.values_list("type", "data")
    assert (kind, data["blacklist"]["number"]) == ("blacklist.added", blocked.pk)
    assert (data["blacklist"]["phone_number"], data["blacklist"]["reason"]) == ("+22997123456", "Fraud")
