"""Actions on all contacts that match: bounded steps by the agenda, each one with its place in one transaction."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.actor import Actor, actor_bound, actor_current
from audit.services.recording import Change, changes_record
from contacts.filters import ContactFilter, contact_ids_after
from contacts.models import Contact, ContactJob, Group
from contacts.services.contacts import contact_payload, contacts_delete
from contacts.services.groups import group_members_add, group_members_remove
from tenants.agenda import agenda_handler, agenda_put
from tenants.connection import connection
from tenants.errors import Conflict, InvalidInput, NotFound, ServiceError
from tenants.models import Organization
from webhooks_app.models import Endpoint
from webhooks_app.services.events import NewEvent, events_publish

JOB_KIND: Final = "contact_job"
SLICE_SECONDS: Final = 5.0
BATCH: Final = 5_000
# Deleting reads the contacts and what hangs on them.
DELETE_BATCH: Final = 500
_WHILE_SUSPENDED: Final = timedelta(minutes=1)
Kind = ContactJob.Kind


def job_start(*, kind: str, filter: ContactFilter, group_id: int | None = None, status: str = "") -> ContactJob:
    """Have the workers do `kind` to everybody who matches now. `group_id` or `status` as the kind needs it.

    Raises `InvalidInput` naming kind, group or status; `NotFound` for a segment of the filter that is gone.
    """
    value = _value(kind, group_id, status)
    filter.contacts()
    last_id = Contact.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    with transaction.atomic():
        job = ContactJob.objects.create(
            kind=kind, filter=filter.as_json(), value=value, last_id=last_id, actor=asdict(actor_current())
        )
        agenda_put(schema=connection.schema_name, kind=JOB_KIND, key=str(job.pk), due_at=datetime.now(UTC))
    return job


def job_cancel(*, job_id: int) -> None:
    """Stop it behind the step that is being done; what is done stays. Raises `NotFound`, `Conflict` job_ended."""
    job = ContactJob.objects.filter(pk=job_id).first()
    if job is None:
        raise NotFound("job_not_found", _("There is no such action."))
    if not _end(job, ContactJob.Status.CANCELLED, ""):
        raise Conflict("job_ended", _("The action does not run."))


@agenda_handler(JOB_KIND)
def job_work(schema: str, key: str) -> datetime | None:
    """One slice of a job; returns when it wants to go on."""
    organization = Organization.objects.filter(schema_name=schema).first()
    job = ContactJob.objects.filter(pk=int(key), status=ContactJob.Status.RUNNING).first()
    if organization is None or job is None:
        return None
    if organization.status != Organization.Status.ACTIVE:
        return datetime.now(UTC) + _WHILE_SUSPENDED
    end = time.monotonic() + SLICE_SECONDS
    try:
        with actor_bound(Actor(**job.actor)):
            while time.monotonic() < end:
                if not _step(job):
                    return None
    except ServiceError as error:
        _end(job, ContactJob.Status.FAILED, error.message)
        return None
    return datetime.now(UTC)


def _step(job: ContactJob) -> bool:
    """Do the next contacts; False when the job has ended."""
    limit = DELETE_BATCH if job.kind == Kind.DELETE else BATCH
    with transaction.atomic():
        current = ContactJob.objects.filter(pk=job.pk, status=ContactJob.Status.RUNNING, cursor=job.cursor)
        if current.select_for_update().first() is None:
            return False
        found = ContactFilter.from_json(job.filter).contacts()
        ids = contact_ids_after(found, after=job.cursor, until=job.last_id, limit=limit)
        if ids:
            changed = _apply(job, ids)
            current.update(cursor=ids[-1], looked_at=F("looked_at") + len(ids), changed=F("changed") + changed)
            job.cursor = ids[-1]
    if not ids:
        _end(job, ContactJob.Status.COMPLETED, "")
    return bool(ids)


def _apply(job: ContactJob, ids: Sequence[int]) -> int:
    if job.kind == Kind.GROUP_ADD:
        return group_members_add(group_id=job.value["group_id"], contact_ids=ids)
    if job.kind == Kind.GROUP_REMOVE:
        return group_members_remove(group_id=job.value["group_id"], contact_ids=ids)
    if job.kind == Kind.DELETE:
        return contacts_delete(contact_ids=ids)
    return _status_set(ids, job.value["status"])


def _status_set(ids: Sequence[int], status: str) -> int:
    others = Contact.objects.select_for_update(no_key=True).filter(pk__in=ids).exclude(status=status).order_by("pk")
    changed = list(others.values_list("pk", flat=True))
    Contact.objects.filter(pk__in=changed).update(status=status, updated_at=timezone.now())
    if changed and Endpoint.objects.filter(is_active=True, types__contains=["contact.updated"]).exists():
        contacts = Contact.objects.select_related("primary_group").filter(pk__in=changed).order_by("pk")
        events = [
            NewEvent(
                "contact.updated", {"contact": contact_payload(contact), "changed": ["status"]}, key=str(contact.uuid)
            )
            for contact in contacts
        ]
        events_publish(events=events)
    return len(changed)


def _end(job: ContactJob, status: str, reason: str) -> bool:
    """End a running job: one entry in the audit log with its numbers."""
    with transaction.atomic():
        running = ContactJob.objects.filter(pk=job.pk, status=ContactJob.Status.RUNNING)
        if not running.update(status=status, reason=reason[:300], finished_at=datetime.now(UTC)):
            return False
        job.refresh_from_db()
        new: dict[str, Any] = {
            "action": job.kind,
            "filter": job.filter,
            **job.value,
            "status": status,
            "looked_at": job.looked_at,
            "changed": job.changed,
        }
        change = Change("contacts.changed", job._meta.label_lower, job.pk, str(job), None, new)
        changes_record(changes=[change], actor=Actor(**job.actor))
    return True


def _value(kind: str, group_id: int | None, status: str) -> dict[str, Any]:
    if kind in (Kind.GROUP_ADD, Kind.GROUP_REMOVE):
        if group_id is None or not Group.objects.filter(pk=group_id).exists():
            raise InvalidInput("invalid_job", _("There is no such group."), {"group": _("does not exist")})
        return {"group_id": group_id}
    if kind == Kind.STATUS_SET:
        if status not in Contact.Status.values:
            raise InvalidInput(
                "invalid_job", _("There is no such status."), {"status": _("must be active or inactive")}
            )
        return {"status": status}
    if kind != Kind.DELETE:
        raise InvalidInput(
            "invalid_job",
            _("There is no such action."),
            {"kind": _("must be one of %(choices)s") % {"choices": ", ".join(Kind.values)}},
        )
    return {}
