"""POST /auth/register, GET and POST /auth/keys."""

from __future__ import annotations

import math
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from api.bodies import BodyInvalid, FieldProblem
from api.body_types import uuid_read
from api.endpoint import body_read
from api.gateway.auth import password_of
from api.gateway.documents import operation
from api.gateway.endpoint import Call, Endpoint, json_response
from api.gateway.inputs import KeyInput, RegisterInput
from api.gateway.outputs.accounts import KeyCreated, KeyList, KeyRow, Registered
from api.problems import Problem
from api.rate_limit import rate_take
from config.middleware import client_address
from tenants.errors import InvalidInput
from tenants.models import ApiKey, Organization, User
from tenants.services.keys import PREFIXES, SCOPES, api_key_create
from tenants.services.registration import account_by_password, account_register

SURFACE: Final = ApiKey.Surface.GATEWAY
KEYS_SHOWN: Final = 500
_HOUR: Final = 3600.0


class RegisterView(Endpoint):
    authentication_classes = []
    field_names = {"owner_email": "email", "owner_password": "password", "slug": "name"}

    @operation(
        id="register",
        tag="Account",
        summary="Register an account",
        description="Creates an account with its own data space and its first API key.",
        body=RegisterInput,
        answer=Registered,
        done="The account is ready to use.",
        status=201,
        errors=(
            "email_taken",
            "slug_taken",
            "invalid_owner",
            "invalid_organization",
            "registration_closed",
            "registration_limited",
        ),
        is_public=True,
    )
    def post(self, request: HttpRequest) -> HttpResponse:
        _registration_admit(request)
        given = body_read(request, RegisterInput)
        done = account_register(
            name=given.name, email=given.email, password=given.password, surface=SURFACE, scopes=SCOPES[SURFACE]
        )
        answer = Registered(
            success=True,
            message="Account created. Keep the key: it is shown only once.",
            accountId=str(done.organization.uuid),
            name=done.organization.name,
            email=done.email,
            apiKey=done.api_key,
        )
        return _secret(json_response(answer.json(), 201))

    def dispatch(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        """Nobody has a key here yet."""
        try:
            self._handler(request)
            response: HttpResponse = self.post(request)
            return response
        except Exception as error:
            return self.refuse(error, request)


class KeysView(Endpoint):
    scope = "keys"

    @operation(
        id="listKeys",
        tag="Account",
        scope=scope,
        summary="List the API keys",
        description="Every key of the account, the newest first, without its secret. Keys are revoked in the admin.",
        answer=KeyList,
        done="The keys.",
    )
    def get(self, call: Call) -> HttpResponse:
        rows = ApiKey.objects.filter(organization_id=call.credential.organization.id, surface=SURFACE)
        keys = [
            KeyRow(
                id=row.uuid,
                name=row.name,
                prefix=f"{PREFIXES[SURFACE]}_{row.mode}_{row.key_id}_…",
                mode="live" if row.mode == ApiKey.Mode.LIVE else "test",
                scopes=sorted(row.scopes),
                ratePerMinute=row.rate_per_minute,
                createdAt=row.created_at,
                lastUsedAt=row.last_used_at,
                expiresAt=row.expires_at,
                revokedAt=row.revoked_at,
            )
            for row in rows.order_by("-pk")[:KEYS_SHOWN]
        ]
        return json_response(KeyList(success=True, keys=keys).json())

    @operation(
        id="createKey",
        tag="Account",
        scope=scope,
        summary="Create an API key",
        description="Makes a key that may do at most what the calling key may. The account's owners and administrators "
        "can also call it with HTTP Basic (e-mail and password), for instance when the last key is lost.",
        body=KeyInput,
        answer=KeyCreated,
        done="The key, shown once.",
        status=201,
        errors=("login_failed", "login_locked", "key_creation_refused", "account_ambiguous", "api_key_invalid"),
    )
    def post(self, call: Call) -> HttpResponse:
        given = _key_input(call.request)
        mine = call.credential.scopes
        return self._create(
            organization=Organization.objects.get(pk=call.credential.organization.id),
            given=given,
            mode=call.credential.mode,
            allowed=sorted(mine),
            rate=call.credential.rate_per_minute,
        )

    def dispatch(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        """POST takes HTTP Basic as well."""
        if request.method == "POST" and request.META.get("HTTP_AUTHORIZATION", "")[:6].lower() == "basic ":
            try:
                return self._by_password(request)
            except Exception as error:
                return self.refuse(error, request)
        return super().dispatch(request, *args, **kwargs)

    def _by_password(self, request: HttpRequest) -> HttpResponse:
        found = password_of(request)
        assert found is not None
        given = _key_input(request)
        account = given.account_id or ""
        if account and uuid_read(account) is None:
            raise BodyInvalid([FieldProblem("accountId", "invalid_format", "This is not a UUID.")])
        try:
            user, organization = account_by_password(
                request=request, email=found[0], password=found[1], account_uuid=account
            )
        except InvalidInput as error:
            raise Problem(error.code, error.message, [FieldProblem("accountId", error.code, error.message)]) from error
        return self._create(
            organization=organization,
            given=given,
            mode=ApiKey.Mode.LIVE,
            allowed=sorted(SCOPES[SURFACE]),
            rate=600,
            created_by=user,
        )

    def _create(
        self,
        *,
        organization: Organization,
        given: KeyInput,
        mode: str,
        allowed: list[str],
        rate: int,
        created_by: User | None = None,
    ) -> HttpResponse:
        wanted = given.scopes or allowed
        more = sorted(set(wanted) - set(allowed))
        if more:
            text = f"More than the caller may do, or unknown: {', '.join(more)}. Possible: {', '.join(allowed)}."
            raise BodyInvalid([FieldProblem("scopes", "not_possible", text)])
        row, plain = api_key_create(
            organization=organization,
            surface=SURFACE,
            name=given.key_name,
            mode=mode,
            scopes=wanted,
            rate_per_minute=rate,
            created_by=created_by,
        )
        answer = KeyCreated(success=True, apiKey=plain, name=row.name, id=row.uuid, scopes=sorted(row.scopes))
        return _secret(json_response(answer.json(), 201))


def _key_input(request: HttpRequest) -> KeyInput:
    """The body is optional."""
    return body_read(request, KeyInput) if request.body.strip() else KeyInput()


def _registration_admit(request: HttpRequest) -> None:
    limit = settings.REGISTRATIONS_PER_HOUR
    if limit == 0:
        raise Problem("registration_closed", "Accounts are made by the people who run this site.")
    rate = rate_take(bucket=f"register:{client_address(request)}", limit=limit, period=_HOUR)
    if not rate.allowed:
        headers = {"Retry-After": str(max(1, math.ceil(rate.retry_after)))}
        raise Problem("registration_limited", f"At most {limit} registrations an hour are possible.", headers=headers)


def _secret(response: HttpResponse) -> HttpResponse:
    response["Cache-Control"] = "no-store"
    return response
