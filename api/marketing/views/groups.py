"""/contact-groups: groups and their members."""

from __future__ import annotations

from django.http import HttpResponse
from django.utils.translation import gettext as _

from api.marketing.documents import data_of, operation
from api.marketing.endpoint import Call, Endpoint, answer
from api.marketing.inputs.contacts import GroupChangeInput, GroupInput, MembersInput
from api.marketing.outputs.answers import Nothing
from api.marketing.outputs.contacts import GroupChange, GroupRow
from api.marketing.pagination import PageQuery, page_of
from api.marketing.views.contacts import ContactList, contact_row
from contacts.models import Contact, Group
from contacts.services.groups import (
    group_create,
    group_delete,
    group_get,
    group_members_add,
    group_members_remove,
    group_update,
)

GroupList = data_of("ContactGroupList", list[GroupRow], meta=True)
GroupAnswer = data_of("ContactGroupAnswer", GroupRow)
GroupSaved = data_of("ContactGroupSaved", GroupRow, message=True)
GroupChanged = data_of("ContactGroupChanged", GroupChange, message=True)
_PATH = {"id": "The group's id."}


class GroupsView(Endpoint):
    scopes = {"GET": "view_contacts", "POST": "manage_groups"}

    @operation(
        id="listContactGroups",
        tag="Contact groups",
        summary="List groups",
        description="By name, with the number of their contacts.",
        query=PageQuery,
        answer=GroupList,
        done="A page of groups.",
        errors=("validation_failed",),
    )
    def get(self, call: Call) -> HttpResponse:
        page, meta = page_of(Group.objects.order_by("name", "id"), call.query(PageQuery))
        return answer([_row(group) for group in page], meta=meta)

    @operation(
        id="createContactGroup",
        tag="Contact groups",
        summary="Add a group",
        description="Names are unique, whatever their case.",
        body=GroupInput,
        answer=GroupSaved,
        done="Added.",
        status=201,
    )
    def post(self, call: Call) -> HttpResponse:
        given = call.body(GroupInput)
        group = group_create(name=given.name, description=given.description)
        return answer(_row(group), message=_("Group created"), status=201)


class GroupView(Endpoint):
    scopes = {"GET": "view_contacts", "PUT": "manage_groups", "DELETE": "manage_groups"}

    @operation(
        id="getContactGroup",
        tag="Contact groups",
        summary="Show a group",
        description="One group.",
        answer=GroupAnswer,
        done="The group.",
        errors=("group_not_found",),
        path=_PATH,
    )
    def get(self, call: Call, id: int) -> HttpResponse:
        return answer(_row(group_get(group_id=id)))

    @operation(
        id="updateContactGroup",
        tag="Contact groups",
        summary="Change a group",
        description="Changes what is given.",
        body=GroupChangeInput,
        answer=GroupSaved,
        done="Changed.",
        errors=("group_not_found",),
        path=_PATH,
    )
    def put(self, call: Call, id: int) -> HttpResponse:
        given = call.body(GroupChangeInput)
        group = group_update(group_id=id, name=given.name, description=given.description)
        return answer(_row(group), message=_("Group updated"))

    @operation(
        id="deleteContactGroup",
        tag="Contact groups",
        summary="Delete a group",
        description="Its contacts stay.",
        answer=Nothing,
        done="Deleted.",
        status=204,
        errors=("group_not_found",),
        path=_PATH,
    )
    def delete(self, call: Call, id: int) -> HttpResponse:
        group_delete(group_id=id)
        return HttpResponse(status=204)


class GroupContactsView(Endpoint):
    scope = "view_contacts"

    @operation(
        id="listGroupContacts",
        tag="Contact groups",
        summary="List the contacts of a group",
        description="The newest contacts first.",
        query=PageQuery,
        answer=ContactList,
        done="A page of contacts.",
        errors=("group_not_found", "validation_failed"),
        path=_PATH,
    )
    def get(self, call: Call, id: int) -> HttpResponse:
        asked = call.query(PageQuery)
        group = group_get(group_id=id)
        rows = Contact.objects.in_group(group.pk).select_related("primary_group").order_by("-id")
        page, meta = page_of(rows, asked)
        return answer([contact_row(contact) for contact in page], meta=meta)


class GroupAddView(Endpoint):
    scope = "manage_groups"

    @operation(
        id="addContactsToGroup",
        tag="Contact groups",
        summary="Add contacts to a group",
        description="Those that are in it already, and ids of no contact, are passed over.",
        body=MembersInput,
        answer=GroupChanged,
        done="How many were added.",
        errors=("group_not_found",),
        path=_PATH,
    )
    def post(self, call: Call, id: int) -> HttpResponse:
        changed = group_members_add(group_id=id, contact_ids=call.body(MembersInput).contact_ids)
        data = GroupChange(id, changed, group_get(group_id=id).member_count)
        return answer(data, message=_("Contacts added to the group"))


class GroupRemoveView(Endpoint):
    scope = "manage_groups"

    @operation(
        id="removeContactsFromGroup",
        tag="Contact groups",
        summary="Remove contacts from a group",
        description="The contacts themselves stay.",
        body=MembersInput,
        answer=GroupChanged,
        done="How many were removed.",
        errors=("group_not_found",),
        path=_PATH,
    )
    def post(self, call: Call, id: int) -> HttpResponse:
        changed = group_members_remove(group_id=id, contact_ids=call.body(MembersInput).contact_ids)
        data = GroupChange(id, changed, group_get(group_id=id).member_count)
        return answer(data, message=_("Contacts removed from the group"))


def _row(group: Group) -> GroupRow:
    return GroupRow(group.pk, group.name, group.description, group.member_count, group.created_at)
