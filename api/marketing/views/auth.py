"""POST /auth/register, /auth/login, /auth/logout; GET /auth/me."""

from __future__ import annotations

import math
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from phonenumbers import SUPPORTED_REGIONS

from api.bodies import BodyInvalid, FieldProblem
from api.endpoint import body_read
from api.marketing.documents import data_of, operation
from api.marketing.endpoint import Call, Endpoint, PublicEndpoint, answer
from api.marketing.inputs.accounts import LoginInput, RegisterInput
from api.marketing.outputs.accounts import LoginData, MeData, UserRow
from api.marketing.outputs.answers import Done
from api.problems import Problem
from api.rate_limit import rate_take
from config.middleware import client_address
from messaging.services.trying import sandbox_sms_channel
from tenants.models import Membership
from tenants.roles import PERMISSIONS, permissions_of
from tenants.services.registration import membership_by_password, person_register
from tenants.services.tokens import token_create, token_revoke

# The document's numbers are Gabon's.
COUNTRY: Final = "GA"
_HOUR: Final = 3600.0
LoginAnswer = data_of("LoginAnswer", LoginData, message=True)
MeAnswer = data_of("MeAnswer", MeData)


class RegisterView(PublicEndpoint):
    field_names = {"owner_email": "email", "owner_password": "password", "slug": "name"}

    @operation(
        id="register",
        tag="Authentication",
        summary="Register",
        description="Makes an account with an organisation of its own and logs in.",
        body=RegisterInput,
        answer=LoginAnswer,
        done="The account is ready to use.",
        status=201,
        errors=("registration_closed", "registration_limited"),
        is_public=True,
    )
    def post(self, request: HttpRequest) -> HttpResponse:
        return self.public(request)

    def public(self, request: HttpRequest) -> HttpResponse:
        given = body_read(request, RegisterInput)
        _registration_check(given)
        _registration_admit(request)
        membership, token = person_register(
            name=given.name, email=given.email, password=given.password, country=(given.country or COUNTRY).upper()
        )
        if settings.REGISTRATION_SANDBOX_CHANNEL:
            sandbox_sms_channel(organization=membership.organization)
        return answer(_login(membership, token), message=_("Registration successful"), status=201)


class LoginView(PublicEndpoint):
    @operation(
        id="login",
        tag="Authentication",
        summary="Log in",
        description="Gives a token. Members of several organisations name one with `organization` (its short name); "
        "otherwise it is the one they joined last.",
        body=LoginInput,
        answer=LoginAnswer,
        done="Logged in.",
        errors=("login_failed", "login_locked"),
        is_public=True,
    )
    def post(self, request: HttpRequest) -> HttpResponse:
        return self.public(request)

    def public(self, request: HttpRequest) -> HttpResponse:
        given = body_read(request, LoginInput)
        membership = membership_by_password(
            request=request, email=given.email, password=given.password, slug=given.organization or ""
        )
        token = token_create(membership=membership)
        return answer(_login(membership, token), message=_("Login successful"))


class MeView(Endpoint):
    @operation(
        id="me",
        tag="Authentication",
        summary="Who is logged in",
        description="The person, their organisation, role and permissions.",
        answer=MeAnswer,
        done="The person.",
    )
    def get(self, call: Call) -> HttpResponse:
        bearer = call.credential
        user = UserRow(bearer.user_id, bearer.name, bearer.email)
        data = MeData(
            id=user.id,
            name=user.name,
            email=user.email,
            user=user,
            organization=bearer.organization.slug,
            organization_name=bearer.organization.name,
            sub_account_id=bearer.membership_id,
            role=bearer.role,
            permissions=[name for name in PERMISSIONS if name in bearer.scopes],
            time_zone=bearer.organization.time_zone,
            country=bearer.organization.default_country,
        )
        return answer(data)


class LogoutView(Endpoint):
    @operation(
        id="logout",
        tag="Authentication",
        summary="Log out",
        description="The token of this request stops working at once.",
        answer=Done,
        done="Logged out.",
    )
    def post(self, call: Call) -> HttpResponse:
        token_revoke(token_id=call.credential.token_id)
        return answer(message=_("Logout successful"))


def _login(membership: Membership, token: str) -> LoginData:
    user = membership.user
    held = permissions_of(role=membership.role, own=membership.permissions)
    return LoginData(
        user=UserRow(user.pk, user.name, user.email),
        token=token,
        organization=membership.organization.slug,
        role=membership.role,
        permissions=[name for name in PERMISSIONS if name in held],
    )


def _registration_check(given: RegisterInput) -> None:
    problems = []
    if given.password != given.password_confirmation:
        problems.append(FieldProblem("password", "confirmed", "The confirmation does not match."))
    if given.country is not None and given.country.upper() not in SUPPORTED_REGIONS:
        problems.append(FieldProblem("country", "not_possible", "This is not a country."))
    if problems:
        raise BodyInvalid(problems)


def _registration_admit(request: HttpRequest) -> None:
    limit = settings.REGISTRATIONS_PER_HOUR
    if limit == 0:
        raise Problem("registration_closed", "")
    rate = rate_take(bucket=f"register:{client_address(request)}", limit=limit, period=_HOUR)
    if not rate.allowed:
        headers = {"Retry-After": str(max(1, math.ceil(rate.retry_after)))}
        raise Problem("registration_limited", "", headers=headers)
