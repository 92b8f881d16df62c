"""/contacts: list, add, change, delete."""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpResponse
from django.utils.translation import gettext as _

from api.marketing.documents import data_of, operation
from api.marketing.endpoint import Call, Endpoint, answer
from api.marketing.inputs.contacts import ContactChange, ContactInput, ContactsQuery
from api.marketing.outputs.answers import Nothing
from api.marketing.outputs.contacts import ContactRow
from api.marketing.pagination import page_of
from contacts.models import Contact, Group
from contacts.services.contacts import contact_create, contact_delete, contact_get, contact_update

ContactList = data_of("ContactList", list[ContactRow], meta=True)
ContactAnswer = data_of("ContactAnswer", ContactRow)
ContactSaved = data_of("ContactSaved", ContactRow, message=True)
_FIELDS: Final = ("name", "phone", "email", "group", "status", "custom_fields", "tags", "language", "timezone")


class ContactsView(Endpoint):
    scopes = {"GET": "view_contacts", "POST": "manage_contacts"}

    @operation(
        id="listContacts",
        tag="Contacts",
        summary="List contacts",
        description="The newest first.",
        query=ContactsQuery,
        answer=ContactList,
        done="A page of contacts.",
        errors=("validation_failed",),
    )
    def get(self, call: Call) -> HttpResponse:
        asked = call.query(ContactsQuery)
        rows = Contact.objects.select_related("primary_group").order_by("-id").searched(asked.search or "")
        if asked.status:
            rows = rows.with_status(asked.status)
        if asked.tag:
            rows = rows.tagged(asked.tag)
        if asked.group_id:
            rows = rows.in_group(asked.group_id)
        if asked.group:
            group = Group.objects.filter(name__iexact=asked.group).values_list("pk", flat=True).first()
            rows = rows.in_group(group or 0)
        page, meta = page_of(rows, asked)
        return answer([contact_row(contact) for contact in page], meta=meta)

    @operation(
        id="createContact",
        tag="Contacts",
        summary="Add a contact",
        description="A number can be one contact's only. Triggers `contact.created`.",
        body=ContactInput,
        answer=ContactSaved,
        done="Added.",
        status=201,
    )
    def post(self, call: Call) -> HttpResponse:
        contact = contact_create(organization=call.credential.organization, **_values(call.body(ContactInput)))
        return answer(contact_row(contact), message=_("Contact created"), status=201)


class ContactView(Endpoint):
    scopes = {"GET": "view_contacts", "PUT": "manage_contacts", "DELETE": "manage_contacts"}

    @operation(
        id="getContact",
        tag="Contacts",
        summary="Show a contact",
        description="One contact.",
        answer=ContactAnswer,
        done="The contact.",
        errors=("contact_not_found",),
        path={"id": "The contact's id."},
    )
    def get(self, call: Call, id: int) -> HttpResponse:
        return answer(contact_row(contact_get(contact_id=id)))

    @operation(
        id="updateContact",
        tag="Contacts",
        summary="Change a contact",
        description="Changes what is given. Triggers `contact.updated`.",
        body=ContactChange,
        answer=ContactSaved,
        done="Changed.",
        errors=("contact_not_found",),
        path={"id": "The contact's id."},
    )
    def put(self, call: Call, id: int) -> HttpResponse:
        values = _values(call.body(ContactChange))
        contact = contact_update(organization=call.credential.organization, contact_id=id, **values)
        return answer(contact_row(contact), message=_("Contact updated"))

    @operation(
        id="deleteContact",
        tag="Contacts",
        summary="Delete a contact",
        description="Its messages stay without it. Triggers `contact.deleted`.",
        answer=Nothing,
        done="Deleted.",
        status=204,
        errors=("contact_not_found",),
        path={"id": "The contact's id."},
    )
    def delete(self, call: Call, id: int) -> HttpResponse:
        contact_delete(contact_id=id)
        return HttpResponse(status=204)


def contact_row(contact: Contact) -> ContactRow:
    """A contact as this API shows it."""
    group = contact.primary_group
    return ContactRow(
        id=contact.pk,
        name=contact.name,
        email=contact.email or None,
        phone=f"+{contact.phone}" if contact.phone else None,
        group=group.name if group is not None else None,
        status="active" if contact.status == Contact.Status.ACTIVE else "inactive",
        custom_fields=contact.custom,
        tags=contact.tags,
        language=contact.language or None,
        timezone=contact.timezone or None,
        created_at=contact.created_at,
        updated_at=contact.updated_at,
    )


def _values(given: ContactInput | ContactChange) -> Any:
    """What was said of the contact; what was not stays as it is."""
    return {name: value for name in _FIELDS if (value := getattr(given, name)) is not None}
