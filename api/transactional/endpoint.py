"""The transactional API's own part of a request: its key in X-API-Key, its errors as problem documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.views import APIView

from api.endpoint import SurfaceCall, SurfaceEndpoint, json_response, key_rate
from api.problems import Problem
from api.rate_limit import RateState
from api.transactional.auth import ApiKeyAuthentication, credential_of
from api.transactional.errors import RENAMED, problem_response
from tenants.services.keys import Credential

__all__ = ["Call", "Endpoint", "NotFoundEndpoint", "json_response"]


Call = SurfaceCall[Credential]


class Endpoint(SurfaceEndpoint[Credential]):
    """Base of this surface's views."""

    authentication_classes = [ApiKeyAuthentication]
    renamed: ClassVar[Mapping[str, tuple[str, str]]] = RENAMED

    def credential_of(self, request: HttpRequest) -> Credential:
        return credential_of(request)

    def rate_of(self, credential: Credential, request: HttpRequest) -> RateState:
        return key_rate(credential)

    def problem_response(self, problem: Problem, request: HttpRequest) -> HttpResponse:
        return problem_response(problem, request)


class NotFoundEndpoint(APIView):
    """Every other address below the API's root."""

    authentication_classes = []
    permission_classes = []
    schema = None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return problem_response(Problem("not_found", "The documentation is at /docs/transactional/."), request)
