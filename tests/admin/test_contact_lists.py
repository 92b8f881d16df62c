"""The list of contacts: filters, exports, actions on all that match; another organisation's rows are not there."""

from __future__ import annotations

from io import BytesIO

from django.urls import reverse
from django_tenants.utils import tenant_context

from contacts.models import Contact, ContactJob
from contacts.services.contacts import contact_create
from contacts.services.imports import import_create


def page(name: str, *arguments: object) -> str:
    return reverse(f"admin:contacts_{name}", args=arguments, urlconf="config.urls_tenant")


def test_filters_exports_and_actions_mean_the_same_contacts(organization, other_organization, browser_of):
    with tenant_context(organization):
        contact_create(organization=organization, phone="+22996123456", name="Ada", tags=["vip"], group="Best")
        contact_create(organization=organization, phone="+22996123457", name="Grace", status="inactive")
    with tenant_context(other_organization):
        contact_create(organization=other_organization, phone="+22996123458", name="Stranger", tags=["vip"])
        foreign = import_create(organization=other_organization, source=BytesIO(b"phone\n1\n"), filename="x.csv")
    browser = browser_of("manager")

    for query in ("tag=vip", "status=active", "q=Ada"):
        answer = browser.get(f"{page('contact_changelist')}?{query}").content.decode()
        assert ("Ada" in answer, "Grace" in answer, "Stranger" in answer) == (True, False, False), query
    exported = b"".join(browser.get(f"{page('contact_export', 'csv')}?tag=vip").streaming_content).decode()
    assert [line.split(",")[0] for line in exported.splitlines()[1:]] == ["Ada"]
    workbook = browser.get(page("contact_export", "xlsx"))
    assert (workbook.status_code, b"".join(workbook.streaming_content)[:2]) == (200, b"PK")
    # Closing the answer itself would end the test's database connection, as it does a request's.
    for close in workbook._resource_closers:
        close()

    given = {"kind": "status_set", "status": "inactive", "group": ""}
    assert browser.post(f"{page('contact_all')}?tag=vip", given).status_code == 302
    with tenant_context(organization):
        job = ContactJob.objects.get()
        assert (job.filter, job.value, Contact.objects.count()) == ({"tag": "vip"}, {"status": "inactive"}, 2)
    for name in ("change", "columns_choose", "csv", "remove"):
        assert browser.get(page(f"contactimport_{name}", foreign.pk)).status_code == 404, name
