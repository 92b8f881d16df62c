"""Problem details (RFC 9457) of the transactional API: one table of codes, one place that turns errors into answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Final

import orjson
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from api.problems import Problem

CONTENT_TYPE: Final = "application/problem+json"

# code -> (status, title). The codes are stable; the docs page lists this table.
PROBLEMS: Final[Mapping[str, tuple[int, str]]] = {
    "invalid_json": (400, "The body is not valid JSON"),
    "api_key_missing": (401, "The X-API-Key header is missing"),
    "api_key_unknown": (401, "The API key is not known"),
    "api_key_expired": (401, "The API key has expired"),
    "api_key_revoked": (401, "The API key has been revoked"),
    "api_key_wrong_host": (401, "The API key belongs to another organisation than the host"),
    "organization_suspended": (401, "The organisation is suspended"),
    "insufficient_credits": (402, "Not enough credits"),
    "scope_missing": (403, "The API key lacks a scope"),
    "not_found": (404, "There is nothing at this address"),
    "provider_not_found": (404, "No such provider"),
    "message_not_found": (404, "No such message"),
    "otp_not_found": (404, "No such one-time password"),
    "method_not_allowed": (405, "The method is not possible here"),
    "provider_not_connected": (409, "The provider is not connected"),
    "idempotency_in_progress": (409, "A request with this Idempotency-Key is still running"),
    "body_too_large": (413, "The body is too large"),
    "media_type_unsupported": (415, "The body must be application/json"),
    "validation_failed": (422, "Some fields are not valid"),
    "idempotency_key_invalid": (422, "The Idempotency-Key is not valid"),
    "idempotency_key_reused": (422, "The Idempotency-Key was used for another request"),
    "invalid_phone": (422, "The phone number is not valid"),
    "recipient_is_sender": (422, "The recipient is the provider's own number"),
    "variable_missing": (422, "A variable of the text has no value"),
    "invalid_content": (422, "The content breaks a rule of the provider"),
    "no_price": (422, "There is no price for this destination"),
    "suppressed": (422, "The recipient is blacklisted or has opted out"),
    "window_closed": (422, "The recipient has not written within the last 24 hours"),
    "template_invalid": (422, "The text of the one-time password is not valid"),
    "rate_limited": (429, "Too many requests"),
    "otp_rate_limited": (429, "Too many one-time passwords"),
    "plan_limit_reached": (429, "The plan's messages of this month are used up"),
    "internal_error": (500, "Something went wrong on our side"),
    "temporarily_unavailable": (503, "The service is briefly not available"),
}
# What the services say of channels, in the words of this API.
RENAMED: Final[Mapping[str, tuple[str, str]]] = {
    "channel_not_connected": ("provider_not_connected", "The provider is not connected: it cannot send now."),
    "channel_not_found": ("provider_not_found", "There is no provider with this id."),
}
_TITLE_OF_STATUS: Final[Mapping[int, str]] = {
    402: "Not enough credits",
    403: "This is not allowed",
    404: "There is no such thing",
    409: "The state does not allow it",
    422: "The request cannot be accepted",
    429: "A limit is reached",
}


def problem_response(problem: Problem, request: HttpRequest) -> HttpResponse:
    """The problem as an answer."""
    status, title = PROBLEMS.get(problem.code, (problem.status, _TITLE_OF_STATUS.get(problem.status, "")))
    document = {
        "type": f"{settings.PUBLIC_BASE_URL}/docs/transactional/#{problem.code}",
        "title": title,
        "status": status,
        "detail": problem.detail,
        "code": problem.code,
        "instance": request.path,
        "request_id": getattr(request, "request_id", ""),
        "errors": [asdict(item) for item in problem.errors],
        **problem.extra,
    }
    return HttpResponse(orjson.dumps(document), status=status, content_type=CONTENT_TYPE, headers=problem.headers)
