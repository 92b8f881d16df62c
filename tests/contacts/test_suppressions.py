"""The blacklist: added once, told once, removed, asked."""

from __future__ import annotations

import pytest

from contacts.models import Suppression
from contacts.services.suppressions import blacklist_add, blacklist_check, blacklist_remove
from tenants.errors import InvalidInput, NotFound


def test_a_number_is_blacklisted_once_and_told_once(in_schema, told, audited):
    entry = blacklist_add(phone="+241 62 00 00 00", country="BJ", note="Requested opt-out")
    again = blacklist_add(phone="24162000000", country="BJ")
    assert (again.pk, again.note) == (entry.pk, "Requested opt-out")
    assert told() == [
        (
            "blacklist.added",
            {
                "blacklist": {
                    "number": entry.pk,
                    "phone_number": "+24162000000",
                    "reason": "Requested opt-out",
                    "added_at": entry.created_at.isoformat(),
                }
            },
        )
    ]
    assert audited() == ["blacklist.added"]
    assert blacklist_check(phone="+24162000000", country="BJ")
    assert not blacklist_check(phone="+24162000001", country="BJ")
    blacklist_remove(suppression_id=entry.pk)
    assert not blacklist_check(phone="+24162000000", country="BJ")
    assert audited() == ["blacklist.added", "blacklist.removed"]
    with pytest.raises(NotFound):
        blacklist_remove(suppression_id=entry.pk)


def test_who_opted_out_of_everything_can_be_blacklisted_too(in_schema, told):
    Suppression.objects.create(address="24162000000", reason="opt_out", scope="all")
    assert blacklist_add(phone="+24162000000", country="BJ").reason == "blacklist"
    assert [kind for kind, _ in told()] == ["blacklist.added"]


def test_an_opt_out_is_no_entry_of_the_blacklist(in_schema):
    entry = Suppression.objects.create(address="24162000000", reason="opt_out", scope="marketing")
    with pytest.raises(NotFound):
        blacklist_remove(suppression_id=entry.pk)
    assert not blacklist_check(phone="+24162000000", country="BJ")


def test_what_is_no_number_is_refused_with_its_field(in_schema):
    with pytest.raises(InvalidInput) as refusal:
        blacklist_add(phone="hello", country="BJ")
    assert (refusal.value.code, list(refusal.value.fields)) == ("invalid_phone", ["phone_number"])
