from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.utils import timezone

from tenants.errors import Conflict, Forbidden, InvalidInput, LimitReached, ServiceError
from tenants.models import Invitation, Membership, Organization, Plan, Subscription, User
from tenants.services import memberships
from tenants.services.memberships import (
    invitation_accept,
    invitation_create,
    membership_change_role,
    membership_create,
    membership_remove,
    membership_resume,
    membership_suspend,
)
from tenants.services.plans import plan_forget

PASSWORD = "a-long-test-password"


def owner_of(organization: Organization) -> Membership:
    return Membership.objects.get(organization=organization, role="owner")


def make_member(organization: Organization, role: str = "viewer", email: str = "member@demo.test") -> Membership:
    return membership_create(organization=organization, user=User.objects.create_user(email, PASSWORD), role=role)


def invited(organization: Organization, callbacks: Any, **fields: Any) -> str:
    """Invite and return the token from the mail."""
    with callbacks(execute=True):
        invitation_create(
            **{"organization": organization, "email": "new@demo.test", "role": "sender", "invited_by": None} | fields
        )
    found = re.search(r"/invitation/([\w-]+)/", str(mail.outbox[-1].body))
    assert found is not None
    return found[1]


def test_a_person_is_a_member_once(organization: Organization) -> None:
    member = make_member(organization)
    with pytest.raises(Conflict) as refused:
        membership_create(organization=organization, user=member.user, role="admin")
    assert refused.value.code == "already_member"
    member.refresh_from_db()
    assert member.role == "viewer"


@pytest.mark.parametrize("act", ["demote", "suspend", "remove"])
def test_the_last_owner_stays(organization: Organization, act: str) -> None:
    owner = owner_of(organization)
    acts = {
        "demote": lambda: membership_change_role(membership=owner, role="admin"),
        "suspend": lambda: membership_suspend(membership=owner),
        "remove": lambda: membership_remove(membership=owner),
    }
    with pytest.raises(Conflict) as refused:
        acts[act]()
    assert refused.value.code == "last_owner"
    owner.refresh_from_db()
    assert (owner.role, owner.is_suspended) == ("owner", False)
    # A second owner who cannot log in does not count; one who can does.
    second = make_member(organization, "owner")
    Membership.objects.filter(pk=second.pk).update(is_suspended=True)
    with pytest.raises(Conflict):
        acts[act]()
    Membership.objects.filter(pk=second.pk).update(is_suspended=False)
    acts[act]()


def test_owners_who_demote_each_other_at_once_leave_one(
    committed: tuple[Organization, Organization], monkeypatch: pytest.MonkeyPatch
) -> None:
    organization = committed[0]
    check = memberships._keep_an_owner

    def slow_check(membership: Membership) -> None:
        """Leaves the others time to look before this one writes."""
        check(membership)
        time.sleep(0.2)

    monkeypatch.setattr(memberships, "_keep_an_owner", slow_check)
    extra = [make_member(organization, "owner", f"owner{number}@race.test") for number in range(3)]
    owners = list(Membership.objects.filter(organization=organization, role="owner"))
    assert len(owners) == 4

    def demote(member: Membership) -> bool:
        try:
            membership_change_role(membership=member, role="admin")
        except Conflict:
            return False
        finally:
            connection.close()
        return True

    try:
        with ThreadPoolExecutor(4) as pool:
            assert sorted(pool.map(demote, owners)) == [False, True, True, True]
        assert Membership.objects.filter(organization=organization, role="owner").count() == 1
    finally:
        Membership.objects.filter(pk=owners[0].pk, user__email__endswith="@demo.test").update(role="owner")
        Membership.objects.filter(organization=organization, user__email="owner@demo.test").update(role="owner")
        User.objects.filter(memberships__in=extra).delete()


@pytest.mark.parametrize("actor", ["viewer", "sender", "manager"])
def test_only_owners_and_administrators_manage_members(organization: Organization, actor: str) -> None:
    member = make_member(organization)
    for act in (
        lambda: membership_change_role(membership=member, role="sender", actor_role=actor),
        lambda: membership_suspend(membership=member, actor_role=actor),
        lambda: membership_resume(membership=member, actor_role=actor),
        lambda: membership_remove(membership=member, actor_role=actor),
        lambda: invitation_create(
            organization=organization, email="x@y.test", role="viewer", invited_by=None, actor_role=actor
        ),
    ):
        with pytest.raises(Forbidden):
            act()
    member.refresh_from_db()
    assert (member.role, member.is_suspended) == ("viewer", False)


def test_an_administrator_cannot_make_change_or_remove_an_owner(organization: Organization) -> None:
    member, owner = make_member(organization), make_member(organization, "owner", "second@demo.test")
    for act in (
        lambda: membership_change_role(membership=member, role="owner", actor_role="admin"),
        lambda: membership_change_role(membership=owner, role="viewer", actor_role="admin"),
        lambda: membership_suspend(membership=owner, actor_role="admin"),
        lambda: membership_remove(membership=owner, actor_role="admin"),
        lambda: invitation_create(
            organization=organization, email="x@y.test", role="owner", invited_by=None, actor_role="admin"
        ),
    ):
        with pytest.raises(Forbidden) as refused:
            act()
        assert refused.value.code == "owners_only"
    assert membership_change_role(membership=member, role="manager", actor_role="admin").role == "manager"


def test_a_role_that_does_not_exist_is_refused(organization: Organization) -> None:
    with pytest.raises(InvalidInput):
        make_member(organization, "king")


def test_a_seat_is_needed_to_join_to_be_invited_and_to_come_back(organization: Organization) -> None:
    member = make_member(organization)
    membership_suspend(membership=member)
    plan = Plan.objects.create(code="one", name="One", users=1)
    Subscription.objects.create(organization=organization, plan=plan, starts_at=timezone.now())
    plan_forget()
    try:
        for act in (
            lambda: make_member(organization, email="more@demo.test"),
            lambda: membership_resume(membership=member),
            lambda: invitation_create(organization=organization, email="x@y.test", role="viewer", invited_by=None),
        ):
            with pytest.raises(LimitReached):
                act()
    finally:
        plan_forget()
    member.refresh_from_db()
    assert member.is_suspended


def test_an_invitation_is_mailed_with_a_link_to_the_organisation_s_host(
    organization: Organization, django_capture_on_commit_callbacks: Any
) -> None:
    token = invited(organization, django_capture_on_commit_callbacks, email=" New@Demo.test ")
    assert mail.outbox[-1].to == ["new@demo.test"]
    assert f"http://demo.localhost:8000/invitation/{token}/" in mail.outbox[-1].body
    stored = Invitation.objects.get(organization=organization)
    assert token not in (stored.token_hash, str(stored))
    assert stored.expires_at - stored.created_at > timedelta(days=6)


def test_the_mail_is_in_the_organisation_s_language(
    organization: Organization, django_capture_on_commit_callbacks: Any
) -> None:
    invited(organization, django_capture_on_commit_callbacks)
    assert mail.outbox[-1].subject == "Invitation to Demo Shop"


def test_no_mail_leaves_when_the_transaction_fails(
    organization: Organization, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks() as callbacks:
        invitation_create(organization=organization, email="n@d.test", role="viewer", invited_by=None)
    assert callbacks
    assert mail.outbox == []


def test_a_person_without_an_account_accepts_with_a_password(
    organization: Organization, django_capture_on_commit_callbacks: Any
) -> None:
    token = invited(organization, django_capture_on_commit_callbacks)
    member = invitation_accept(token=token, organization=organization, name=" Ada ", password=PASSWORD)
    assert (member.organization, member.role) == (organization, "sender")
    assert (member.user.email, member.user.name) == ("new@demo.test", "Ada")
    assert member.user.check_password(PASSWORD)


def test_a_weak_password_leaves_the_invitation_open(
    organization: Organization, django_capture_on_commit_callbacks: Any
) -> None:
    token = invited(organization, django_capture_on_commit_callbacks)
    for weak in (None, "", "short", "password123456"[:11]):
        with pytest.raises(InvalidInput) as refused:
            invitation_accept(token=token, organization=organization, password=weak)
        assert refused.value.code == "invalid_password"
    assert not User.objects.filter(email="new@demo.test").exists()
    assert invitation_accept(token=token, organization=organization, password=PASSWORD).role == "sender"


def test_an_account_that_exists_keeps_its_password(
    organization: Organization, django_capture_on_commit_callbacks: Any
) -> None:
    user = User.objects.create_user("new@demo.test", PASSWORD)
    token = invited(organization, django_capture_on_commit_callbacks)
    assert invitation_accept(token=token, organization=organization, password="taken-over-by-me").user == user
    user.refresh_from_db()
    assert user.check_password(PASSWORD)


def test_an_invitation_works_once_in_time_and_in_its_organisation_only(
    organization: Organization, other_organization: Organization, django_capture_on_commit_callbacks: Any
) -> None:
    token = invited(organization, django_capture_on_commit_callbacks)

    def refused(where: Organization, given: str) -> str:
        with pytest.raises(ServiceError) as error:
            invitation_accept(token=given, organization=where, password=PASSWORD)
        return error.value.code

    assert refused(other_organization, token) == "invitation_invalid"
    assert refused(organization, token + "x") == "invitation_invalid"
    Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert refused(organization, token) == "invitation_invalid"
    Invitation.objects.update(expires_at=timezone.now() + timedelta(days=1))
    invitation_accept(token=token, organization=organization, password=PASSWORD)
    assert refused(organization, token) == "invitation_invalid"
    assert Membership.objects.filter(user__email="new@demo.test").count() == 1


def test_a_second_invitation_replaces_the_first(
    organization: Organization, django_capture_on_commit_callbacks: Any
) -> None:
    first = invited(organization, django_capture_on_commit_callbacks)
    second = invited(organization, django_capture_on_commit_callbacks, role="admin")
    with pytest.raises(InvalidInput):
        invitation_accept(token=first, organization=organization, password=PASSWORD)
    assert invitation_accept(token=second, organization=organization, password=PASSWORD).role == "admin"


def test_members_and_wrong_addresses_are_not_invited(organization: Organization) -> None:
    make_member(organization)
    for email, error in (("MEMBER@demo.test", Conflict), ("nobody", InvalidInput)):
        with pytest.raises(error):
            invitation_create(organization=organization, email=email, role="viewer", invited_by=None)


def test_an_invitation_taken_up_twice_at_once_makes_one_member(committed: tuple[Organization, Organization]) -> None:
    organization = committed[0]
    from tenants.services.memberships import _hash

    Invitation.objects.create(
        organization=organization,
        email="racer@demo.test",
        role="viewer",
        token_hash=_hash("the-token"),
        expires_at=timezone.now() + timedelta(days=1),
    )

    def accept(_: int) -> bool:
        try:
            invitation_accept(token="the-token", organization=organization, password=PASSWORD)
        except ServiceError:
            return False
        finally:
            connection.close()
        return True

    try:
        with ThreadPoolExecutor(6) as pool:
            assert sorted(pool.map(accept, range(6))) == [False] * 5 + [True]
        assert Membership.objects.filter(user__email="racer@demo.test").count() == 1
    finally:
        User.objects.filter(email="racer@demo.test").delete()
        Invitation.objects.filter(email="racer@demo.test").delete()
