"""/sub-accounts: the members of the organisation."""

from __future__ import annotations

from typing import Final

from django.http import HttpResponse
from django.utils.translation import gettext as _

from api.marketing.amounts import credits_number
from api.marketing.documents import data_of, operation
from api.marketing.endpoint import Call, Endpoint, answer, answer_bytes
from api.marketing.inputs.sub_accounts import CreditsInput, PermissionsInput, SubAccountInput
from api.marketing.outputs.sub_accounts import CreditData, SubAccountRow
from api.marketing.pagination import PageQuery, page_of
from billing.services.credits import credits_add, credits_balances
from billing.services.sub_accounts import sub_account_create
from campaigns.services.members import member_suspend
from tenants.models import Membership, Organization
from tenants.roles import PERMISSIONS, permissions_of
from tenants.services.memberships import (
    membership_get,
    membership_resume,
    membership_set_permissions,
)

SubAccountList = data_of("SubAccountList", list[SubAccountRow], meta=True)
SubAccountAnswer = data_of("SubAccountAnswer", SubAccountRow)
SubAccountSaved = data_of("SubAccountSaved", SubAccountRow, message=True)
CreditsAdded = data_of("SubAccountCreditsAdded", CreditData, message=True)
_PATH: Final = {"id": "The sub-account's id."}


class SubAccountsView(Endpoint):
    scopes = {"GET": "view_members", "POST": "manage_members"}

    @operation(
        id="listSubAccounts",
        tag="Sub-accounts",
        summary="List sub-accounts",
        description="Everybody of the organisation but its owners, the newest first.",
        query=PageQuery,
        answer=SubAccountList,
        done="A page of sub-accounts.",
        errors=("validation_failed",),
    )
    def get(self, call: Call) -> HttpResponse:
        rows = (
            Membership.objects.filter(organization_id=call.credential.organization.id)
            .exclude(role=Membership.Role.OWNER)
            .select_related("user")
            .order_by("-id")
        )
        page, meta = page_of(rows, call.query(PageQuery))
        return answer(_rows(page), meta=meta)

    @operation(
        id="createSubAccount",
        tag="Sub-accounts",
        summary="Add a sub-account",
        description="Makes a login. People who have an account already are invited in the admin instead. Triggers "
        "`sub_account.created`.",
        body=SubAccountInput,
        answer=SubAccountSaved,
        done="Added.",
        status=201,
        errors=("plan_limit_reached", "insufficient_credits"),
    )
    def post(self, call: Call) -> HttpResponse:
        given = call.body(SubAccountInput)
        bearer = call.credential
        membership = sub_account_create(
            organization=Organization.objects.get(pk=bearer.organization.id),
            name=given.name,
            email=given.email,
            password=given.password,
            role=given.role,
            credit_limit=given.sms_credit_limit,
            permissions=given.permissions,
            actor_role=bearer.role,
        )
        return answer(_rows([membership])[0], message=_("Sub-account created"), status=201)


class SubAccountView(Endpoint):
    scope = "view_members"

    @operation(
        id="getSubAccount",
        tag="Sub-accounts",
        summary="Show a sub-account",
        description="One sub-account.",
        answer=SubAccountAnswer,
        done="The sub-account.",
        errors=("sub_account_not_found",),
        path=_PATH,
    )
    def get(self, call: Call, id: int) -> HttpResponse:
        return answer(_rows([_member(call, id)])[0])


class PermissionsView(Endpoint):
    scope = "manage_members"

    @operation(
        id="setSubAccountPermissions",
        tag="Sub-accounts",
        summary="Set permissions",
        description="They take the place of those of the role, from the next request on.",
        body=PermissionsInput,
        answer=SubAccountSaved,
        done="Changed.",
        errors=("sub_account_not_found", "owner_has_all"),
        path=_PATH,
    )
    def post(self, call: Call, id: int) -> HttpResponse:
        membership = membership_set_permissions(
            membership=_member(call, id),
            permissions=call.body(PermissionsInput).permissions,
            actor_role=call.credential.role,
        )
        return answer(_rows([membership])[0], message=_("Permissions updated"))


class SuspendView(Endpoint):
    scope = "manage_members"

    @operation(
        id="suspendSubAccount",
        tag="Sub-accounts",
        summary="Suspend a sub-account",
        description="It is refused from the next request on, in the admin too, and its campaigns are paused. "
        "Triggers `sub_account.suspended`.",
        answer=SubAccountSaved,
        done="Suspended.",
        errors=("sub_account_not_found", "last_owner"),
        path=_PATH,
    )
    def post(self, call: Call, id: int) -> HttpResponse:
        membership = member_suspend(membership=_member(call, id), actor_role=call.credential.role)
        return answer(_rows([membership])[0], message=_("Sub-account suspended"))


class ActivateView(Endpoint):
    scope = "manage_members"

    @operation(
        id="activateSubAccount",
        tag="Sub-accounts",
        summary="Activate a sub-account",
        description="Lets a suspended one in again.",
        answer=SubAccountSaved,
        done="Activated.",
        errors=("sub_account_not_found", "plan_limit_reached"),
        path=_PATH,
    )
    def post(self, call: Call, id: int) -> HttpResponse:
        membership = membership_resume(membership=_member(call, id), actor_role=call.credential.role)
        return answer(_rows([membership])[0], message=_("Sub-account activated"))


class CreditsView(Endpoint):
    scope = "manage_members"

    @operation(
        id="addSubAccountCredits",
        tag="Sub-accounts",
        summary="Add credits",
        description="Taken from the organisation's credits when those are counted. The sub-account then pays from its "
        "own. Send an Idempotency-Key to be able to repeat the request safely.",
        body=CreditsInput,
        answer=CreditsAdded,
        done="Added.",
        errors=("sub_account_not_found", "insufficient_credits"),
        path=_PATH,
        idempotent=True,
    )
    def post(self, call: Call, id: int) -> HttpResponse:
        member, given = _member(call, id), call.body(CreditsInput)

        def effect() -> bytes:
            balance = credits_add(membership=member, amount=given.amount)
            data = CreditData(member.pk, given.amount, credits_number(balance.available))
            return answer_bytes(data, message=_("Credits added"))

        return call.body_once(effect, status=200)


def _member(call: Call, id: int) -> Membership:
    return membership_get(organization_id=call.credential.organization.id, membership_id=id)


def _rows(members: list[Membership]) -> list[SubAccountRow]:
    balances = credits_balances(membership_ids=[member.pk for member in members])
    return [
        SubAccountRow(
            id=member.pk,
            user_id=member.user_id,
            name=member.user.name,
            email=member.user.email,
            role=member.role,
            status="suspended" if member.is_suspended else "active",
            permissions=_permissions(member),
            has_own_permissions=member.permissions is not None,
            sms_credit_limit=None if member.credit_limit is None else credits_number(member.credit_limit),
            credits=credits_number(balances[member.pk].available) if member.pk in balances else None,
            created_at=member.created_at,
        )
        for member in members
    ]


def _permissions(member: Membership) -> list[str]:
    held = permissions_of(role=member.role, own=member.permissions)
    return [name for name in PERMISSIONS if name in held]
