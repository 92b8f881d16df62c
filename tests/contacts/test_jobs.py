"""Actions on everybody who matches, and exports of them."""

from __future__ import annotations

import pytest
from openpyxl import load_workbook

from audit.models import AuditEntry
from config.spreadsheets import csv_lines, sheet_file
from contacts.exports import export_header, export_rows
from contacts.filters import ContactFilter
from contacts.models import Contact, ContactJob, CustomField, Group
from contacts.services import jobs
from contacts.services.contacts import contact_create
from contacts.services.groups import group_create, group_members_add
from contacts.services.jobs import job_cancel, job_start, job_work
from contacts.services.segments import segment_save
from tenants.errors import Conflict, InvalidInput


@pytest.fixture
def people(in_schema):
    """Ten contacts; the even ones have the tag vip."""
    return [
        contact_create(
            organization=in_schema, phone=f"+229961234{number:02d}", name=f"N{number}", tags=["vip"] * (number % 2 == 0)
        )
        for number in range(10)
    ]


def run(organization, job):
    while job_work(organization.schema_name, str(job.pk)) is not None:
        pass
    job.refresh_from_db()
    return job


def test_all_that_match_are_added_to_a_group_in_steps(in_schema, people, monkeypatch):
    monkeypatch.setattr(jobs, "BATCH", 2)
    group = group_create(name="Best")
    group_members_add(group_id=group.pk, contact_ids=[people[0].pk])

    job = run(in_schema, job_start(kind="group_add", filter=ContactFilter(tag="vip"), group_id=group.pk))

    assert (job.status, job.looked_at, job.changed) == ("completed", 5, 4)
    group.refresh_from_db()
    assert group.member_count == 5
    entry = AuditEntry.objects.get(action="contacts.changed")
    assert (entry.new_values["looked_at"], entry.new_values["changed"]) == (5, 4)


def test_a_status_is_set_for_a_segment_and_told(in_schema, people, told):
    segment = segment_save(name="Odd", rules={"field": "tags", "op": "has_not", "value": "vip"})
    before = len(told())
    wanted = ContactFilter(segment_id=segment.pk)

    job = run(in_schema, job_start(kind="status_set", filter=wanted, status="inactive"))

    assert (job.status, job.changed) == ("completed", 5)
    assert Contact.objects.filter(status="inactive").exclude(tags__contains=["vip"]).count() == 5
    assert [(kind, data["changed"]) for kind, data in told()[before:]] == [("contact.updated", ["status"])] * 5


def test_deleting_all_that_match_spares_who_came_later(in_schema, people, monkeypatch):
    monkeypatch.setattr(jobs, "DELETE_BATCH", 2)
    group = group_create(name="Best")
    group_members_add(group_id=group.pk, contact_ids=[person.pk for person in people])
    job = job_start(kind="delete", filter=ContactFilter(search="N"))
    contact_create(organization=in_schema, phone="+22996123499", name="Newcomer")

    assert run(in_schema, job).changed == 10
    assert Contact.objects.get().name == "Newcomer"
    group.refresh_from_db()
    assert group.member_count == 0


def test_a_crash_in_the_middle_repeats_nothing_and_a_stopped_job_stays_stopped(in_schema, people, monkeypatch):
    monkeypatch.setattr(jobs, "BATCH", 4)
    group = group_create(name="Best")
    job = job_start(kind="group_add", filter=ContactFilter(), group_id=group.pk)
    apply, calls = jobs._apply, []

    def crashing(*arguments):
        calls.append(1)
        if len(calls) == 2:
            raise MemoryError
        return apply(*arguments)

    monkeypatch.setattr(jobs, "_apply", crashing)
    with pytest.raises(MemoryError):
        job_work(in_schema.schema_name, str(job.pk))
    job.refresh_from_db()
    assert (job.status, job.looked_at) == ("running", 4)
    assert run(in_schema, job).looked_at == 10

    other = job_start(kind="status_set", filter=ContactFilter(), status="inactive")
    job_cancel(job_id=other.pk)
    assert (run(in_schema, other).status, other.changed) == ("cancelled", 0)
    with pytest.raises(Conflict):
        job_cancel(job_id=other.pk)


def test_a_group_that_is_deleted_meanwhile_ends_the_job_with_the_reason(in_schema, people):
    group = group_create(name="Best")
    job = job_start(kind="group_add", filter=ContactFilter(), group_id=group.pk)
    Group.objects.filter(pk=group.pk).delete()

    job = run(in_schema, job)
    assert (job.status, job.reason) == ("failed", "There is no such group.")


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"kind": "group_add", "group_id": 999}, "group"),
        ({"kind": "status_set", "status": "gone"}, "status"),
        ({"kind": "explode"}, "kind"),
    ],
)
def test_what_cannot_be_done_is_named_and_not_started(in_schema, arguments, field):
    with pytest.raises(InvalidInput) as refusal:
        job_start(filter=ContactFilter(), **arguments)
    assert (list(refusal.value.fields), ContactJob.objects.count()) == ([field], 0)


def test_an_export_holds_every_field_and_no_formula(in_schema):
    CustomField.objects.create(key="visits", type="number")
    contact_create(
        organization=in_schema, phone="+22996123456", name="=1+1", email="a@example.com", group="Clients",
        tags=["b", "a"], language="fr", custom_fields={"visits": 3},
    )  # fmt: skip
    contact_create(organization=in_schema, phone="+22996123457", name="Ada", status="inactive")

    lines = "".join(csv_lines(export_header(), export_rows(ContactFilter(status="active"))))
    created = Contact.objects.get(phone="22996123456").created_at.isoformat(timespec="seconds")
    assert lines == (
        "\ufeffname,email,phone,group,status,tags,language,timezone,created_at,custom.visits\r\n"
        f"'=1+1,a@example.com,+22996123456,Clients,active,a;b,fr,,{created},3\r\n"
    )
    with sheet_file(export_header(), export_rows(ContactFilter()), title="Contacts") as target:
        rows = list(load_workbook(target).active.iter_rows(values_only=True))
    assert [row[:3] for row in rows[1:]] == [
        ("'=1+1", "a@example.com", "+22996123456"),
        ("Ada", None, "+22996123457"),
    ]
