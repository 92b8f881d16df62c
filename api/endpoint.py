"""One request of a published API from header to answer; each surface adds its credential and the form of its errors.

The views are Django REST framework's for the OpenAPI schema, with a dispatch of their own: no content negotiation (all
answers are JSON), no second request object. On the path of a single send that is a fifth of the whole cost.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, Generic, Protocol, TypeVar

import orjson
import structlog
from django.conf import settings
from django.core.signals import got_request_exception
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import translation
from rest_framework.views import APIView

from api.bodies import Body
from api.outputs import Output
from api.problems import Problem, problem_of
from api.rate_limit import RateState, rate_take
from messaging.services.idempotency import idempotent_run
from tenants.services.keys import Credential

log = structlog.get_logger(__name__)
BodyT = TypeVar("BodyT", bound=Body)
_JSON: Final = "application/json"
_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


class Caller(Protocol):
    """What every credential says: what it may do, and under which number its repeated requests are kept."""

    @property
    def scopes(self) -> frozenset[str]: ...
    @property
    def caller_id(self) -> int: ...


CallerT = TypeVar("CallerT", bound=Caller)


class SurfaceCall(Generic[CallerT]):
    """One authenticated request: credential, body, query."""

    def __init__(self, request: HttpRequest, credential: CallerT) -> None:
        self.request = request
        self.credential = credential

    def body(self, kind: type[BodyT]) -> BodyT:
        """The request's JSON body. Raises `Problem` (400, 415) or `BodyInvalid`."""
        return body_read(self.request, kind)

    def query(self, kind: type[BodyT]) -> BodyT:
        """The query parameters, read like a body of texts. Raises `BodyInvalid`."""
        return kind.read(self.request.GET.dict())

    def answer_once(self, effect: Callable[[], Output], *, status: int) -> HttpResponse:
        """Answer with `effect`; with an Idempotency-Key at most once, later calls get the first answer."""
        return self.body_once(lambda: effect().json(), status=status)

    def body_once(self, effect: Callable[[], bytes], *, status: int) -> HttpResponse:
        """The same with an answer that is JSON already."""
        key = self.request.META.get("HTTP_IDEMPOTENCY_KEY")
        if key is None:
            return json_response(effect(), status)
        answer = idempotent_run(
            caller_id=self.credential.caller_id,
            key=key,
            request_hash=self._request_hash(),
            effect=lambda: (status, orjson.loads(effect())),
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


class SurfaceEndpoint(APIView, Generic[CallerT]):
    """Base of the views of one surface: handlers are named like methods and take a `SurfaceCall`.

    `scope`: what the key must have. `field_names`: what the fields that services complain about are called in this
    operation's body. `renamed`: codes of services that this surface words in its own way.
    """

    permission_classes = []
    scope: ClassVar[str]
    field_names: ClassVar[Mapping[str, str]] = {}
    renamed: ClassVar[Mapping[str, tuple[str, str]]] = {}

    def credential_of(self, request: HttpRequest) -> CallerT:
        """Who calls, with the connection switched to the organisation. Raises `Problem` (401)."""
        raise NotImplementedError

    def rate_of(self, credential: CallerT, request: HttpRequest) -> RateState:
        """Count the request."""
        raise NotImplementedError

    def problem_response(self, problem: Problem, request: HttpRequest) -> HttpResponse:
        """The problem in the surface's form."""
        raise NotImplementedError

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Authenticate, count, check the scope, run the handler, translate errors."""
        with translation.override(self.language_of(request)):
            return self._answer(request, kwargs)

    def language_of(self, request: HttpRequest) -> str:
        """In which language the surface answers: that of its document, whatever the caller's browser prefers."""
        return settings.LANGUAGE_CODE

    def stranger_rate(self, request: HttpRequest) -> RateState | None:
        """Count a request that is refused before it is known who calls; None on surfaces that do not."""
        return None

    def _answer(self, request: HttpRequest, kwargs: dict[str, Any]) -> HttpResponse:
        rate: RateState | None = None
        try:
            handler = self._handler(request)
            credential = self.credential_of(request)
            rate = self.rate_of(credential, request)
            admit(credential, rate, self.scope_of(request))
            response: HttpResponse = handler(SurfaceCall(request, credential), **kwargs)
        except Exception as error:
            response = self.refuse(error, request)
            if rate is None and (rate := self.stranger_rate(request)) is not None and not rate.allowed:
                response = self.refuse(rate_problem(rate), request)
        if rate is not None:
            rate_headers(response, rate)
        return response

    def scope_of(self, request: HttpRequest) -> str:
        """The scope that this request needs."""
        return self.scope

    def refuse(self, error: Exception, request: HttpRequest) -> HttpResponse:
        """The answer that `error` becomes; what is our fault is logged."""
        problem = problem_of(error, names=self.field_names, renamed=self.renamed)
        if problem.code in ("internal_error", "temporarily_unavailable"):
            log.exception("the request failed", path=request.path)
            # What Django itself does before it answers 500: error trackers and the test client listen to it.
            got_request_exception.send(sender=type(self), request=request)
        return self.problem_response(problem, request)

    def _handler(self, request: HttpRequest) -> Callable[..., HttpResponse]:
        name = "GET" if request.method == "HEAD" else request.method
        handler = getattr(self, (name or "").lower(), None) if name in _METHODS else None
        if handler is None:
            allowed = [one for one in _METHODS if hasattr(self, one.lower())]
            if "GET" in allowed and "HEAD" not in allowed:
                allowed.insert(1, "HEAD")
            raise Problem("method_not_allowed", f"Use {' or '.join(allowed)}.", headers={"Allow": ", ".join(allowed)})
        found: Callable[..., HttpResponse] = handler
        return found


def body_read(request: HttpRequest, kind: type[BodyT]) -> BodyT:
    """The JSON body of `request`. Raises `Problem` (400, 415) or `BodyInvalid`."""
    given = request.META.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    if given not in ("", _JSON) and not given.endswith("+json"):
        raise Problem("media_type_unsupported", f"Content-Type is {given}, send application/json.")
    try:
        data = orjson.loads(request.body)
    except orjson.JSONDecodeError as error:
        text = f"The body is not valid JSON: {error.msg} (line {error.lineno}, column {error.colno})."
        raise Problem("invalid_json", text) from error
    return kind.read(data)


def json_response(body: bytes, status: int = 200) -> HttpResponse:
    """`body` as a JSON answer."""
    return HttpResponse(body, status=status, content_type=_JSON)


def key_rate(credential: Credential) -> RateState:
    """Count a request with an API key, which has a rate of its own."""
    return rate_take(bucket=f"key:{credential.key_id}", limit=credential.rate_per_minute)


def admit(credential: Caller, rate: RateState, scope: str) -> None:
    """Raises `Problem` when the rate is used up or `scope` ("" for none) is missing."""
    if not rate.allowed:
        raise rate_problem(rate)
    if scope and scope not in credential.scopes:
        raise Problem("scope_missing", f"The scope {scope} is missing.", extra={"scope": scope})


def rate_problem(rate: RateState) -> Problem:
    """The refusal of a request beyond its rate."""
    detail = f"At most {rate.limit} requests per minute are possible."
    return Problem("rate_limited", detail, headers={"Retry-After": str(max(1, math.ceil(rate.retry_after)))})


def rate_headers(response: HttpResponse, rate: RateState) -> None:
    """Tell the rate. Limit and what is left of it; Reset is the Unix time at which all of it is there again."""
    response["X-RateLimit-Limit"] = str(rate.limit)
    response["X-RateLimit-Remaining"] = str(rate.remaining)
    response["X-RateLimit-Reset"] = str(math.ceil(time.time() + rate.full_in))
