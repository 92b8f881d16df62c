"""The audit log in the admin: filled by what people do there, checkable, and closed to changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.test import Client
from django.urls import reverse
from django_tenants.utils import tenant_context

from audit.models import AuditEntry
from audit.services.sealing import entries_seal
from contacts.models import Contact, Suppression


def page(name: str, *arguments: Any) -> str:
    return reverse(f"admin:{name}", args=arguments, urlconf="config.urls_tenant")


def test_what_is_saved_in_a_form_is_recorded_with_both_values_and_the_person(
    organization: Any, browser_of: Callable[[str], Client]
) -> None:
    with tenant_context(organization):
        blocked = Suppression.objects.create(address="22997000001", reason="blacklist", note="old note")
    browser = browser_of("manager")
    answer = browser.post(
        page("contacts_suppression_change", blocked.pk),
        {"address": "+22997000001", "reason": "blacklist", "scope": "all", "note": "new note"},
        HTTP_USER_AGENT="browser/1",
    )
    assert answer.status_code == 302
    browser.post(page("contacts_suppression_delete", blocked.pk), {"post": "yes"})
    with tenant_context(organization):
        changed, deleted = AuditEntry.objects.order_by("id")
    assert (changed.action, changed.object_id) == ("suppression.updated", str(blocked.pk))
    assert changed.old_values["note"] == "old note"
    assert changed.new_values["note"] == "new note"
    assert (changed.actor_kind, changed.actor_label) == ("user", f"manager@{organization.slug}.example")
    assert (changed.membership_id is not None, changed.address, changed.agent) == (True, "127.0.0.1", "browser/1")
    assert (deleted.action, deleted.old_values["address"]) == ("suppression.deleted", "22997000001")


def test_a_form_that_changes_nothing_leaves_no_entry(organization: Any, browser_of: Callable[[str], Client]) -> None:
    with tenant_context(organization):
        contact = Contact.objects.create(name="Ada", phone="22997000001")
    fields = {"name": "Ada", "email": "", "identities-TOTAL_FORMS": "0", "identities-INITIAL_FORMS": "0"}
    assert browser_of("manager").post(page("contacts_contact_change", contact.pk), fields).status_code == 302
    with tenant_context(organization):
        assert not AuditEntry.objects.filter(object_id=str(contact.pk)).exists()


def test_the_chain_is_checked_on_a_page_and_a_break_is_named(
    organization: Any, browser_of: Callable[[str], Client]
) -> None:
    with tenant_context(organization):
        AuditEntry.objects.create(action="contact.updated", object_type="contacts.contact", actor_kind="system")
        entries_seal()
    browser = browser_of("admin")
    address = page("audit_auditentry_changelist") + "verify/"
    assert "No entry has been altered" in browser.post(address, follow=True).content.decode()
    with tenant_context(organization):
        AuditEntry.objects.update(action="contact.deleted")
    assert "broken at place 1" in browser.post(address, follow=True).content.decode()
    assert browser_of("manager").post(address).status_code == 403


def test_entries_are_filtered_searched_and_never_changed(
    organization: Any, browser_of: Callable[[str], Client]
) -> None:
    with tenant_context(organization):
        for action, number in (("contact.updated", 1), ("contact.deleted", 2)):
            entry = AuditEntry.objects.create(
                action=action, object_type="contacts.contact", object_id=number, object_label=f"Row {number}",
                actor_kind="system", new_values={"name": "<script>alert(1)</script>"},
            )  # fmt: skip
    browser = browser_of("owner")
    for query in ("?action=contact.deleted", "?q=contact.deleted", "?q=contacts.contact+2"):
        text = browser.get(page("audit_auditentry_changelist") + query).content.decode()
        assert ("Row 2" in text, "Row 1" in text) == (True, False)
    text = browser.get(page("audit_auditentry_change", entry.pk)).content.decode()
    assert "<script>alert(1)" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert browser.post(page("audit_auditentry_change", entry.pk), {"action": "x"}).status_code == 403
    assert browser.post(page("audit_auditentry_delete", entry.pk), {"post": "yes"}).status_code == 403


def test_the_platforms_own_log_is_on_the_public_site(super_browser: Client, organization: Any) -> None:
    AuditEntry.objects.create(
        action="organization.purged", object_type="tenants.organization", object_label="Gone", actor_kind="user"
    )
    public = reverse("admin:audit_auditentry_changelist", urlconf="config.urls_public")
    assert "Gone" in super_browser.get(public).content.decode()
    with tenant_context(organization):
        assert AuditEntry.objects.count() == 0
