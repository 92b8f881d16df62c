"""Groups: members, kept counts, names."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection
from django_tenants.utils import schema_context

from contacts.merging import contacts_merge
from contacts.models import Contact, Group, GroupMember
from contacts.services.groups import (
    contact_primary_group_set,
    group_create,
    group_delete,
    group_ensure,
    group_members_add,
    group_members_remove,
    group_update,
    groups_leave,
)
from tenants.errors import Conflict, InvalidInput, NotFound


def people(count: int) -> list[int]:
    rows = [Contact(phone=f"2299700{number:04}") for number in range(count)]
    return [contact.pk for contact in Contact.objects.bulk_create(rows)]


def members(group: Group) -> int:
    group.refresh_from_db()
    assert group.member_count == GroupMember.objects.filter(group=group).count()
    return group.member_count


def test_members_are_added_once_and_unknown_ids_are_passed_over(in_schema):
    group = group_create(name="Clients")
    ids = people(3)
    assert group_members_add(group_id=group.pk, contact_ids=[*ids[:2], ids[0], 10**12]) == 2
    assert group_members_add(group_id=group.pk, contact_ids=ids) == 1
    assert members(group) == 3


def test_removing_members_lowers_the_count_and_forgets_the_main_group(in_schema):
    group = group_create(name="Clients")
    ids = people(3)
    contact_primary_group_set(contact_id=ids[0], group_id=group.pk)
    group_members_add(group_id=group.pk, contact_ids=ids)
    assert group_members_remove(group_id=group.pk, contact_ids=[ids[0], 10**12]) == 1
    assert members(group) == 2
    assert Contact.objects.get(pk=ids[0]).primary_group_id is None


def test_a_new_main_group_replaces_the_former_one(in_schema):
    [contact] = people(1)
    first, second = group_create(name="Clients"), group_create(name="Partners")
    contact_primary_group_set(contact_id=contact, group_id=first.pk)
    contact_primary_group_set(contact_id=contact, group_id=second.pk)
    assert (members(first), members(second)) == (0, 1)


def test_merging_two_contacts_of_one_group_counts_one_member(in_schema):
    both, one = group_create(name="Both"), group_create(name="One")
    keep, drop = people(2)
    group_members_add(group_id=both.pk, contact_ids=[keep, drop])
    group_members_add(group_id=one.pk, contact_ids=[drop])
    contacts_merge(keep_id=keep, drop_id=drop)
    assert (members(both), members(one)) == (1, 1)


def test_contacts_that_are_deleted_leave_their_groups(in_schema):
    group = group_create(name="Clients")
    ids = people(3)
    group_members_add(group_id=group.pk, contact_ids=ids)
    groups_leave(contact_ids=ids[:2])
    Contact.objects.filter(pk__in=ids[:2]).delete()
    assert members(group) == 1


def test_a_name_is_used_once_whatever_its_case(in_schema):
    group = group_create(name="  Very   Important ")
    assert group.name == "Very Important"
    with pytest.raises(Conflict):
        group_create(name="very important")
    other = group_create(name="Other")
    with pytest.raises(Conflict):
        group_update(group_id=other.pk, name="VERY IMPORTANT")
    assert group_ensure(name="VERY important") == group.pk
    with pytest.raises(InvalidInput):
        group_create(name=" ")


def test_a_group_that_does_not_exist_is_named(in_schema):
    for call in (
        lambda: group_members_add(group_id=404, contact_ids=[1]),
        lambda: group_members_remove(group_id=404, contact_ids=[1]),
        lambda: group_delete(group_id=404),
        lambda: group_update(group_id=404, name="x"),
    ):
        with pytest.raises(NotFound):
            call()


def test_many_at_once_add_and_remove_and_the_count_stays_true(committed: tuple[Any, Any]):
    organization, _ = committed
    with schema_context(organization.schema_name):
        group = group_create(name="Clients")
        ids = people(40)
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            with schema_context(organization.schema_name):
                change = group_members_remove if number % 3 == 2 else group_members_add
                for _ in range(5):
                    change(group_id=group.pk, contact_ids=ids[number : number + 20][:: 1 if number % 2 else -1])
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with schema_context(organization.schema_name):
        assert members(group) > 0
