"""Creating, changing and deleting contacts: validated, recorded in the audit log, told to webhooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol, TypedDict, Unpack

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from audit.services.recording import Change, audit_record, changes_record, differences
from contacts.models import Contact, Identity
from contacts.phones import BadPhone, phone_normalise
from contacts.services.custom_fields import custom_normalise, fields_ensure
from contacts.services.groups import contact_primary_group_set, group_ensure, groups_leave
from contacts.values import email_clean, language_clean, name_clean, status_clean, tags_clean, timezone_clean
from tenants.errors import Conflict, InvalidInput, NotFound
from tenants.services.plans import PlanOwner, limit_check
from webhooks_app.services.events import NewEvent, event_publish, events_publish

# Contacts deleted by one call: their cascades are read into memory.
DELETE_MOST: Final = 1_000


class ContactOwner(PlanOwner, Protocol):
    """What contacts need of an organisation: its row, or the snapshot that a checked API key carries."""

    @property
    def default_country(self) -> str: ...


class ContactValues(TypedDict, total=False):
    """What can be said of a contact; a value that is left out is left as it is.

    `phone` as typed. `group`: the name of the main group, made when there is none; "" or None for no main group.
    `custom_fields`: merged into those that are stored, None or "" removes one; an unknown key becomes a text field.
    `tags` replaces them all. `status`: active or inactive.
    """

    name: str
    phone: str
    email: str
    group: str | None
    status: str
    custom_fields: Mapping[str, Any]
    tags: Sequence[str]
    language: str
    timezone: str


def contact_create(*, organization: ContactOwner, **values: Unpack[ContactValues]) -> Contact:
    """A new contact of the current schema; `phone` is required.

    Raises `InvalidInput` naming the fields, `Conflict` contact_exists (field phone), `LimitReached`.
    """
    clean = _cleaned({"phone": "", **values}, organization.default_country)
    with transaction.atomic():
        if Identity.objects.filter(kind=Identity.Kind.PHONE, value=clean["phone"]).exists():
            raise _taken()
        limit_check(organization=organization, what="contacts")
        contact = Contact(custom=_custom({}, values.get("custom_fields", {})), **clean)
        try:
            with transaction.atomic():
                contact.save(force_insert=True)
                Identity.objects.create(contact=contact, kind=Identity.Kind.PHONE, value=clean["phone"])
        except IntegrityError as error:
            raise _taken() from error
        _group_set(contact, values)
        payload = contact_payload(contact)
        audit_record(action="contact.created", subject=contact, new=_audited(contact))
        event_publish(type="contact.created", data={"contact": payload}, key=str(contact.uuid))
    return contact


def contact_update(*, organization: ContactOwner, contact_id: int, **values: Unpack[ContactValues]) -> Contact:
    """Change what is given. Nothing is recorded or told when nothing differs.

    A new phone takes the place of the old one. Raises `NotFound`, `InvalidInput` naming the fields, `Conflict`
    contact_exists (field phone).
    """
    clean = _cleaned(values, organization.default_country)
    with transaction.atomic():
        contact = _locked(contact_id)
        old = _audited(contact)
        former_phone = contact.phone
        for field, value in clean.items():
            setattr(contact, field, value)
        contact.custom = _custom(contact.custom, values.get("custom_fields", {}))
        try:
            with transaction.atomic():
                contact.save()
                if clean.get("phone", former_phone) != former_phone:
                    _phone_move(contact, former_phone, clean["phone"])
        except IntegrityError as error:
            raise _taken() from error
        _group_set(contact, values)
        before, after = differences(old, _audited(contact))
        if after:
            audit_record(action="contact.updated", subject=contact, old=before, new=after)
            data = {"contact": contact_payload(contact), "changed": sorted(after)}
            event_publish(type="contact.updated", data=data, key=str(contact.uuid))
    return contact


def contact_get(*, contact_id: int) -> Contact:
    """The contact with its main group; raises `NotFound`."""
    contact = Contact.objects.select_related("primary_group").filter(pk=contact_id).first()
    if contact is None:
        raise NotFound("contact_not_found", _("There is no such contact."))
    return contact


def contact_delete(*, contact_id: int) -> None:
    """Delete one contact; its messages stay without it. Raises `NotFound`."""
    if not contacts_delete(contact_ids=[contact_id]):
        raise NotFound("contact_not_found", _("There is no such contact."))


def contacts_delete(*, contact_ids: Sequence[int]) -> int:
    """Delete contacts, at most `DELETE_MOST` in one call; unknown ids are passed over. Returns how many there were."""
    if len(contact_ids) > DELETE_MOST:
        raise ValueError(f"at most {DELETE_MOST} contacts in one call")
    with transaction.atomic():
        contacts = list(Contact.objects.select_for_update().filter(pk__in=contact_ids).order_by("pk"))
        ids = [contact.pk for contact in contacts]
        groups_leave(contact_ids=ids)
        changes_record(
            changes=[
                Change("contact.deleted", Contact._meta.label_lower, contact.pk, str(contact), _audited(contact))
                for contact in contacts
            ]
        )
        events_publish(
            events=[
                NewEvent(
                    "contact.deleted",
                    {
                        "contact": {
                            "id": str(contact.uuid),
                            "number": contact.pk,
                            "name": contact.name,
                            "phone": contact.phone,
                        }
                    },
                    key=str(contact.uuid),
                )
                for contact in contacts
            ]
        )
        Contact.objects.filter(pk__in=ids).delete()
    return len(ids)


def contact_payload(contact: Contact) -> dict[str, Any]:
    """A contact as events tell of it: phone as E.164 digits, times in ISO 8601."""
    group = contact.primary_group
    return {
        "id": str(contact.uuid),
        "number": contact.pk,
        "name": contact.name,
        "phone": contact.phone,
        "email": contact.email,
        "group": group.name if group is not None else None,
        "status": contact.status,
        "custom_fields": contact.custom,
        "tags": contact.tags,
        "language": contact.language,
        "timezone": contact.timezone,
        "created_at": contact.created_at.isoformat(),
    }


def _audited(contact: Contact) -> dict[str, Any]:
    payload = contact_payload(contact)
    return {name: payload[name] for name in payload if name not in {"id", "number", "created_at"}}


_CLEANERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "name": name_clean,
    "email": email_clean,
    "status": status_clean,
    "tags": tags_clean,
    "language": language_clean,
    "timezone": timezone_clean,
}


def _cleaned(values: Mapping[str, Any], country: str) -> dict[str, Any]:
    """The contact's own columns among `values` as they are stored. Raises `InvalidInput` with every wrong field."""
    clean: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for field, cleaner in _CLEANERS.items():
        if field in values:
            try:
                clean[field] = cleaner(values[field])
            except ValueError as error:
                problems[field] = str(error)
    if "phone" in values:
        try:
            if not values["phone"].strip():
                raise BadPhone(_("is required"))
            clean["phone"] = phone_normalise(values["phone"], country)
        except BadPhone as error:
            problems["phone"] = str(error)
    if problems:
        raise InvalidInput("invalid_contact", _("The contact has a value that cannot be stored."), problems)
    return clean


def _custom(stored: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    if not given:
        return dict(stored)
    kept = {key: value for key, value in stored.items() if key not in given}
    return kept | custom_normalise(given, fields_ensure(keys=given))


def _group_set(contact: Contact, values: Mapping[str, Any]) -> None:
    if "group" not in values:
        return
    name = (values["group"] or "").strip()
    contact_primary_group_set(contact_id=contact.pk, group_id=group_ensure(name=name) if name else None)
    contact.refresh_from_db(fields=["primary_group"])


def _phone_move(contact: Contact, former: str | None, phone: str) -> None:
    if former is not None:
        Identity.objects.filter(contact=contact, kind=Identity.Kind.PHONE, value=former).delete()
    known = Identity.objects.filter(kind=Identity.Kind.PHONE, value=phone).first()
    if known is None:
        Identity.objects.create(contact=contact, kind=Identity.Kind.PHONE, value=phone)
    elif known.contact_id != contact.pk:
        raise _taken()


def _locked(contact_id: int) -> Contact:
    contact = Contact.objects.select_for_update(no_key=True).filter(pk=contact_id).first()
    if contact is None:
        raise NotFound("contact_not_found", _("There is no such contact."))
    return contact


def _taken() -> Conflict:
    return Conflict("contact_exists", _("There is a contact with this number already."), {"phone": _("is taken")})
