"""One request of the transactional API from header to answer.

The views are Django REST framework's for the OpenAPI schema, with a dispatch of their own: no content negotiation (all
answers are JSON), no second request object. On the path of a single send that is a fifth of the whole cost.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, TypeVar

import orjson
import structlog
from django.core.signals import got_request_exception
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.views import APIView

from api.bodies import Body
from api.outputs import Output
from api.rate_limit import RateState, rate_take
from api.transactional.auth import ApiKeyAuthentication, credential_of
from api.transactional.errors import Problem, problem_of, problem_response
from messaging.services.idempotency import idempotent_run
from tenants.services.keys import Credential

log = structlog.get_logger(__name__)
BodyT = TypeVar("BodyT", bound=Body)
_JSON: Final = "application/json"


class Call:
    """One authenticated request: credential and body."""

    def __init__(self, request: HttpRequest, credential: Credential) -> None:
        self.request = request
        self.credential = credential

    def body(self, kind: type[BodyT]) -> BodyT:
        """The request's JSON body. Raises `Problem` (400, 415) or `BodyInvalid`."""
        given = self.request.META.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
        if given not in ("", _JSON) and not given.endswith("+json"):
            raise Problem("media_type_unsupported", f"Content-Type is {given}, send application/json.")
        try:
            data = orjson.loads(self.request.body)
        except orjson.JSONDecodeError as error:
            text = f"The body is not valid JSON: {error.msg} (line {error.lineno}, column {error.colno})."
            raise Problem("invalid_json", text) from error
        return kind.read(data)

    def answer_once(self, effect: Callable[[], Output], *, status: int) -> HttpResponse:
        """Answer with `effect`; with an Idempotency-Key at most once, later calls get the first answer."""
        key = self.request.META.get("HTTP_IDEMPOTENCY_KEY")
        if key is None:
            return json_response(effect().json(), status)
        answer = idempotent_run(
            api_key_id=self.credential.api_key_id,
            key=key,
            request_hash=self._request_hash(),
            effect=lambda: (status, orjson.loads(effect().json())),
        )
        response = json_response(orjson.dumps(answer.body), answer.status)
        if answer.replayed:
            response["Idempotent-Replayed"] = "true"
        return response

    def _request_hash(self) -> str:
        """SHA-256 over the path and the body; the order of members and white space make no difference."""
        body = self.request.body
        try:
            body = orjson.dumps(orjson.loads(body), option=orjson.OPT_SORT_KEYS)
        except orjson.JSONEncodeError:
            # Nested more deeply than can be written again: such a body counts as its bytes.
            log.info("idempotency: the body counts as its bytes", path=self.request.path)
        return hashlib.sha256(self.request.path.encode() + b"\n" + body).hexdigest()


class Endpoint(APIView):
    """Base of the views: handlers are named `get` or `post` and take a `Call`. `scope`: what the key must have.

    `field_names`: what the fields that services complain about are called in this operation's body.
    """

    authentication_classes = [ApiKeyAuthentication]
    permission_classes = []
    scope: ClassVar[str]
    field_names: ClassVar[Mapping[str, str]] = {}

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Authenticate, count, check the scope, run the handler, translate errors."""
        rate: RateState | None = None
        try:
            handler = self._handler(request)
            credential = credential_of(request)
            rate = rate_take(bucket=f"key:{credential.key_id}", limit=credential.rate_per_minute)
            _admit(credential, rate, self.scope)
            response: HttpResponse = handler(Call(request, credential), **kwargs)
        except Exception as error:
            response = self._refuse(error, request)
        if rate is not None:
            _rate_headers(response, rate)
        return response

    def _handler(self, request: HttpRequest) -> Callable[..., HttpResponse]:
        handler = (
            getattr(self, (request.method or "").lower(), None) if request.method in ("GET", "POST", "HEAD") else None
        )
        if handler is None:
            allowed = [name for name in ("GET", "HEAD", "POST") if hasattr(self, name.lower())]
            raise Problem("method_not_allowed", f"Use {' or '.join(allowed)}.", headers={"Allow": ", ".join(allowed)})
        found: Callable[..., HttpResponse] = handler
        return found

    def _refuse(self, error: Exception, request: HttpRequest) -> HttpResponse:
        problem = problem_of(error, self.field_names)
        if problem.code in ("internal_error", "temporarily_unavailable"):
            log.exception("the request failed", path=request.path)
            # What Django itself does before it answers 500: error trackers and the test client listen to it.
            got_request_exception.send(sender=type(self), request=request)
        return problem_response(problem, request)


class NotFoundEndpoint(APIView):
    """Every other address below the API's root."""

    authentication_classes = []
    permission_classes = []
    schema = None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return problem_response(Problem("not_found", "The documentation is at /docs/transactional/."), request)


def json_response(body: bytes, status: int = 200) -> HttpResponse:
    """`body` as a JSON answer."""
    return HttpResponse(body, status=status, content_type=_JSON)


def _admit(credential: Credential, rate: RateState, scope: str) -> None:
    if not rate.allowed:
        detail = f"This API key may send {rate.limit} requests per minute."
        raise Problem("rate_limited", detail, headers={"Retry-After": str(max(1, math.ceil(rate.retry_after)))})
    if scope not in credential.scopes:
        raise Problem("scope_missing", f"This API key lacks the scope {scope}.", extra={"scope": scope})


def _rate_headers(response: HttpResponse, rate: RateState) -> None:
    """Limit and what is left of it; Reset is the Unix time at which all of it is there again."""
    response["X-RateLimit-Limit"] = str(rate.limit)
    response["X-RateLimit-Remaining"] = str(rate.remaining)
    response["X-RateLimit-Reset"] = str(math.ceil(time.time() + rate.full_in))
