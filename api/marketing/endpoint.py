"""The marketing API's own part of a request: tokens, its rates, its language, errors in its own form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import orjson
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import translation
from rest_framework.views import APIView

from api.endpoint import SurfaceCall, SurfaceEndpoint, json_response, rate_headers, rate_problem
from api.marketing.auth import TokenAuthentication, bearer_of
from api.marketing.errors import problem_response
from api.marketing.language import language_of
from api.marketing.throttles import OTHERS, address_rate, stranger_rate, token_rate
from api.problems import Problem
from api.rate_limit import RateState
from tenants.services.tokens import Bearer

Call = SurfaceCall[Bearer]
# Times as the document shows them: UTC, whole seconds, Z.
_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS


def answer_bytes(data: Any = None, *, message: str = "", meta: Any = None, **more: Any) -> bytes:
    """`{"message", "data", "meta"}`, each where it is given, as JSON."""
    document: dict[str, Any] = {"message": str(message)} if message else {}
    if data is not None:
        document["data"] = data
    if meta is not None:
        document["meta"] = meta
    return orjson.dumps(document | more, option=_OPTIONS)


def answer(data: Any = None, *, message: str = "", meta: Any = None, status: int = 200, **more: Any) -> HttpResponse:
    """The same as an answer."""
    return json_response(answer_bytes(data, message=message, meta=meta, **more), status)


class Endpoint(SurfaceEndpoint[Bearer]):
    """Base of this surface's views. `scopes`: method -> what the member must be allowed, where methods differ."""

    authentication_classes = [TokenAuthentication]
    scope: ClassVar[str] = ""
    scopes: ClassVar[Mapping[str, str]] = {}
    # (bucket, requests per minute)
    rate: ClassVar[tuple[str, int]] = OTHERS

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """In the caller's language, which the answer names."""
        response = super().dispatch(request, *args, **kwargs)
        response["Content-Language"] = language_of(request)
        return response

    def language_of(self, request: HttpRequest) -> str:
        return language_of(request)

    def stranger_rate(self, request: HttpRequest) -> RateState | None:
        return stranger_rate(request)

    def credential_of(self, request: HttpRequest) -> Bearer:
        return bearer_of(request)

    def rate_of(self, credential: Bearer, request: HttpRequest) -> RateState:
        return token_rate(credential, self.rate)

    def scope_of(self, request: HttpRequest) -> str:
        method = "GET" if request.method == "HEAD" else str(request.method)
        return self.scopes.get(method) or self.scope

    def problem_response(self, problem: Problem, request: HttpRequest) -> HttpResponse:
        return problem_response(problem, request)


class PublicEndpoint(Endpoint):
    """For people who have no token yet: one POST, counted by address."""

    authentication_classes = []

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        language = language_of(request)
        with translation.override(language):
            rate = address_rate(request)
            try:
                if request.method != "POST":
                    raise Problem("method_not_allowed", "Use POST.", headers={"Allow": "POST"})
                if not rate.allowed:
                    raise rate_problem(rate)
                response: HttpResponse = self.public(request)
            except Exception as error:
                response = self.refuse(error, request)
        rate_headers(response, rate)
        response["Content-Language"] = language
        response["Cache-Control"] = "no-store"
        return response

    def public(self, request: HttpRequest) -> HttpResponse:
        """Answer the POST."""
        raise NotImplementedError


class NotFoundEndpoint(APIView):
    """Every other address below the API's root."""

    authentication_classes = []
    permission_classes = []
    schema = None

    def dispatch(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        language = language_of(request)
        rate = stranger_rate(request)
        problem = Problem("not_found", "") if rate.allowed else rate_problem(rate)
        with translation.override(language):
            response = problem_response(problem, request)
        rate_headers(response, rate)
        response["Content-Language"] = language
        return response
