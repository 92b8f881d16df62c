"""Errors of the gateway API: `{"success": false, "error": {code, message, fields}}`, one table of codes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import orjson
from django.http import HttpRequest, HttpResponse

from api.problems import Problem

# code -> (status, title). The codes are stable; the docs page lists this table.
PROBLEMS: Final[Mapping[str, tuple[int, str]]] = {
    "invalid_json": (400, "The body is not valid JSON"),
    "api_key_missing": (401, "The Authorization header with a Bearer key is missing"),
    "api_key_unknown": (401, "The API key is not known"),
    "api_key_expired": (401, "The API key has expired"),
    "api_key_revoked": (401, "The API key has been revoked"),
    "api_key_wrong_host": (401, "The API key belongs to another account than the host"),
    "organization_suspended": (401, "The account is suspended"),
    "login_failed": (401, "E-mail address or password are not right"),
    "insufficient_credits": (402, "Not enough credits"),
    "scope_missing": (403, "The API key lacks a scope"),
    "key_creation_refused": (403, "This person may not make API keys"),
    "registration_closed": (403, "Accounts cannot be registered here"),
    "not_found": (404, "There is nothing at this address"),
    "file_unknown": (404, "No such file"),
    "channel_not_found": (404, "No such channel"),
    "customer_not_found": (404, "No such customer"),
    "setup_link_not_found": (404, "No such setup link"),
    "template_not_found": (404, "No such template"),
    "webhook_not_found": (404, "No such webhook"),
    "delivery_not_found": (404, "No such delivery"),
    "replay_not_found": (404, "No such replay"),
    "method_not_allowed": (405, "The method is not possible here"),
    "channel_not_connected": (409, "The channel is not connected"),
    "channel_refused": (409, "The provider refuses the channel: its token, its permissions or its account"),
    "channel_taken": (409, "This number is connected already"),
    "reference_taken": (409, "Another channel has this id"),
    "external_id_taken": (409, "Another customer has this external id"),
    "email_taken": (409, "This e-mail address has an account already"),
    "slug_taken": (409, "No short name could be found for this name"),
    "template_exists": (409, "There is such a template in this language already"),
    "templates_not_supported": (409, "This channel has no templates"),
    "setup_link_closed": (409, "The setup link is used up, revoked or expired"),
    "signup_not_configured": (409, "Meta's sign-up is not configured on this installation"),
    "webhook_off": (409, "The webhook is switched off"),
    "delivery_waiting": (409, "The delivery still waits and goes out by itself"),
    "payload_removed": (409, "What was delivered is not kept any more"),
    "replay_running": (409, "A replay of this webhook is running already"),
    "secret_unchanged": (409, "That is the present secret"),
    "idempotency_in_progress": (409, "A request with this Idempotency-Key is still running"),
    "body_too_large": (413, "The body is too large"),
    "media_type_unsupported": (415, "The body must be application/json"),
    "validation_failed": (422, "Some fields are not valid"),
    "account_ambiguous": (422, "You belong to several accounts: name one"),
    "invalid_owner": (422, "The address or the password cannot be used"),
    "invalid_organization": (422, "The account cannot be created like this"),
    "api_key_invalid": (422, "The key cannot be created like this"),
    "invalid_reference": (422, "The id of the channel is not valid"),
    "address_missing": (422, "It is not clear which number is meant"),
    "token_refused": (422, "The provider refuses the token"),
    "sandbox_only": (422, "A test key connects sandbox channels only"),
    "network_not_supported": (422, "Channels of this type cannot be connected here"),
    "channel_type_mismatch": (422, "The channel is of another type"),
    "invalid_email": (422, "The e-mail address is not valid"),
    "invalid_redirect": (422, "The redirect URL is not allowed"),
    "idempotency_key_invalid": (422, "The Idempotency-Key is not valid"),
    "idempotency_key_reused": (422, "The Idempotency-Key was used for another request"),
    "invalid_phone": (422, "The phone number is not valid"),
    "invalid_recipient": (422, "The recipient is not valid for this type of channel"),
    "recipient_is_sender": (422, "The recipient is the channel's own number"),
    "invalid_content": (422, "The content breaks a rule of the provider"),
    "no_price": (422, "There is no price for this destination"),
    "suppressed": (422, "The recipient is blacklisted or has opted out"),
    "window_closed": (422, "The recipient has not written within the last 24 hours"),
    "media_type": (422, "There are no files of this type"),
    "media_refused": (422, "The file is not taken"),
    "url_not_allowed": (422, "The address must not be fetched"),
    "file_unreachable": (422, "The file cannot be fetched from its address"),
    "file_not_found": (422, "There is no such file"),
    "file_not_allowed": (422, "The channel does not take this file"),
    "template_invalid": (422, "The template breaks rules of the provider"),
    "template_unknown": (422, "There is no such template in this language"),
    "template_not_approved": (422, "The template is not approved"),
    "template_values_wrong": (422, "The values do not fit the template"),
    "provider_refused": (422, "The provider refuses the request"),
    "invalid_webhook": (422, "The webhook is not valid"),
    "invalid_secret": (422, "The secret cannot be used"),
    "invalid_period": (422, "The period is empty"),
    "too_many_webhooks": (429, "There are too many webhooks"),
    "rate_limited": (429, "Too many requests"),
    "login_locked": (429, "Too many wrong passwords from this address"),
    "registration_limited": (429, "Too many registrations from this address"),
    "plan_limit_reached": (429, "A limit of the plan is reached"),
    "internal_error": (500, "Something went wrong on our side"),
    "provider_unreachable": (503, "The provider does not answer"),
    "provider_busy": (503, "The provider is busy"),
    "temporarily_unavailable": (503, "The service is briefly not available"),
}
# What services say in other words than the document's.
RENAMED: Final[Mapping[str, tuple[str, str]]] = {}
FALLBACK_MESSAGE: Final = "The request cannot be accepted."


def problem_response(problem: Problem, request: HttpRequest) -> HttpResponse:
    """The problem as an answer. `fields` maps a field's path to what is wrong with it."""
    status, _title = PROBLEMS.get(problem.code, (problem.status or 422, ""))
    error = {
        "code": problem.code,
        "message": problem.detail or FALLBACK_MESSAGE,
        "fields": {item.field: item.message for item in problem.errors},
        **problem.extra,
    }
    document = {"success": False, "error": error, "requestId": getattr(request, "request_id", "")}
    return HttpResponse(orjson.dumps(document), status=status, content_type="application/json", headers=problem.headers)
