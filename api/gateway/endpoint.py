"""The gateway API's own part of a request: Bearer keys, and errors in its own form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.views import APIView

from api.bodies import FieldProblem
from api.endpoint import SurfaceCall, SurfaceEndpoint, json_response, key_rate
from api.gateway.auth import BearerAuthentication, credential_of
from api.gateway.errors import RENAMED, problem_response
from api.problems import Problem
from api.rate_limit import RateState
from messaging.models import Channel
from messaging.services.channels import ChannelSnapshot, channel_by_public_id
from tenants.errors import NotFound
from tenants.services.keys import Credential

__all__ = ["Call", "Endpoint", "NotFoundEndpoint", "channel_of", "channel_row_of", "json_response"]
_ID_LENGTH: Final = 64
_NOTHING: Final = "There is nothing at this address. What there is, is listed at /docs/gateway/."


Call = SurfaceCall[Credential]


class Endpoint(SurfaceEndpoint[Credential]):
    """Base of this surface's views. `scopes`: method -> scope, where an address reads and writes."""

    authentication_classes = [BearerAuthentication]
    renamed: ClassVar[Mapping[str, tuple[str, str]]] = RENAMED
    scopes: ClassVar[Mapping[str, str]] = {}

    def credential_of(self, request: HttpRequest) -> Credential:
        return credential_of(request)

    def rate_of(self, credential: Credential, request: HttpRequest) -> RateState:
        return key_rate(credential)

    def scope_of(self, request: HttpRequest) -> str:
        method = "GET" if request.method == "HEAD" else str(request.method)
        return self.scopes.get(method) or self.scope

    def problem_response(self, problem: Problem, request: HttpRequest) -> HttpResponse:
        return problem_response(problem, request)


class NotFoundEndpoint(APIView):
    """Every other address below the API's root."""

    authentication_classes = []
    permission_classes = []
    schema = None

    def dispatch(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        return problem_response(Problem("not_found", _NOTHING), request)


def channel_of(credential: Credential, public_id: str) -> ChannelSnapshot:
    """The channel with this id. A test key does not see that live channels exist. Raises `Problem`."""
    if not 1 <= len(public_id) <= _ID_LENGTH or "\0" in public_id:
        raise _no_channel()
    try:
        channel = channel_by_public_id(schema=credential.organization.schema_name, public_id=public_id)
    except NotFound as error:
        raise _no_channel() from error
    if credential.is_test and not channel.is_sandbox:
        raise _no_channel()
    return channel


def channel_row_of(credential: Credential, public_id: str) -> Channel:
    """The same as a row, for calls to the provider."""
    return Channel.objects.get(pk=channel_of(credential, public_id).id)


def _no_channel() -> Problem:
    text = "There is no channel with this id."
    return Problem("channel_not_found", text, [FieldProblem("channelId", "channel_not_found", text)])
