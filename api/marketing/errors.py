"""Errors of the marketing API: `{"message", "errors": {field: [texts]}}`, in the caller's language.

The document's texts are exactly those of the French catalogue. Which refusal it was is in the header `X-Error-Code`,
whose codes are stable.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from django.http import HttpRequest, HttpResponse
from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from api.bodies import FieldProblem
from api.problems import Problem

INVALID: Final = _("The given data was invalid.")
UNAUTHENTICATED: Final = _("Unauthenticated.")
FORBIDDEN: Final = _("This action is unauthorized.")
NOT_FOUND: Final = _("There is no such object.")
TOO_MANY: Final = _("Too Many Attempts.")
# code -> (status, message). The codes are stable; the docs page lists this table.
PROBLEMS: Final[Mapping[str, tuple[int, str | Promise]]] = {
    "invalid_json": (400, _("The body is not valid JSON.")),
    "media_type_unsupported": (400, _("Send the body as application/json.")),
    "invalid_form": (400, _("Send the file as multipart/form-data, in the field file.")),
    "import_ended": (400, _("The import has ended.")),
    "campaign_running": (400, _("The campaign is being sent.")),
    "campaign_paused": (400, _("The campaign is paused: resume it.")),
    "campaign_not_paused": (400, _("The campaign is not paused.")),
    "campaign_not_running": (400, _("Only a running or scheduled campaign can be paused.")),
    "campaign_ended": (400, _("The campaign has ended.")),
    "campaign_cancelled": (400, _("The campaign was cancelled: duplicate it.")),
    "campaign_has_runs": (400, _("A campaign that was sent is kept for its results.")),
    "campaign_busy": (400, _("The campaign is being changed: try again in a moment.")),
    "nothing_failed": (400, _("Nothing failed.")),
    "audience_empty": (400, _("Nobody would get the campaign.")),
    "channel_not_connected": (400, _("The channel is not connected.")),
    "last_owner": (400, _("The organisation needs an owner.")),
    "owner_has_all": (400, _("An owner always has all permissions.")),
    "token_missing": (401, UNAUTHENTICATED),
    "token_unknown": (401, UNAUTHENTICATED),
    "token_wrong_host": (401, UNAUTHENTICATED),
    "login_failed": (401, _("E-mail address or password are not right.")),
    "scope_missing": (403, FORBIDDEN),
    "not_allowed": (403, FORBIDDEN),
    "owners_only": (403, FORBIDDEN),
    "registration_closed": (403, _("Accounts cannot be registered here.")),
    "not_found": (404, NOT_FOUND),
    "contact_not_found": (404, NOT_FOUND),
    "group_not_found": (404, NOT_FOUND),
    "campaign_not_found": (404, NOT_FOUND),
    "message_not_found": (404, NOT_FOUND),
    "template_not_found": (404, NOT_FOUND),
    "sub_account_not_found": (404, NOT_FOUND),
    "webhook_not_found": (404, NOT_FOUND),
    "blacklist_not_found": (404, NOT_FOUND),
    "import_not_found": (404, NOT_FOUND),
    "entry_not_found": (404, NOT_FOUND),
    "run_not_found": (404, NOT_FOUND),
    "schedule_not_found": (404, NOT_FOUND),
    "method_not_allowed": (405, _("This method is not possible here.")),
    "idempotency_in_progress": (409, _("A request with this Idempotency-Key is still running.")),
    "body_too_large": (413, _("The body is too large.")),
    "validation_failed": (422, INVALID),
    "insufficient_credits": (422, _("There are not enough credits.")),
    "plan_limit_reached": (422, _("A limit of the plan is reached.")),
    "rate_limited": (429, TOO_MANY),
    "login_locked": (429, TOO_MANY),
    "registration_limited": (429, TOO_MANY),
    "internal_error": (500, _("Something went wrong on our side.")),
    "temporarily_unavailable": (503, _("The service is briefly not available: try again in a moment.")),
}
# code of a field's problem -> what is said; all take `field`.
FIELD_TEXTS: Final[Mapping[str, str | Promise]] = {
    "required": _("The %(field)s field is required."),
    "invalid_type": _("The %(field)s field has a value of the wrong kind."),
    "invalid_format": _("The %(field)s format is invalid."),
    "invalid_phone": _("The %(field)s format is invalid."),
    "invalid_email": _("The %(field)s format is invalid."),
    "invalid_characters": _("The %(field)s field has characters that are not possible."),
    "blank": _("The %(field)s field is required."),
    "too_short": _("The %(field)s field is too short."),
    "too_long": _("The %(field)s field is too long."),
    "too_deep": _("The %(field)s field is nested too deeply."),
    "out_of_range": _("The %(field)s field is out of range."),
    "not_possible": _("The selected %(field)s is invalid."),
    "confirmed": _("The %(field)s confirmation does not match."),
    "email_taken": _("The %(field)s has already been taken."),
    "contact_exists": _("The %(field)s has already been taken."),
    "group_exists": _("The %(field)s has already been taken."),
}
# What services say of a value, where it is the same as one of the above.
_SAME: Final[Sequence[tuple[str | Promise, str]]] = (
    (_("is required"), "required"),
    (_("is not an e-mail address"), "invalid_email"),
    (_("is not a phone number"), "invalid_phone"),
    (_("does not have the length of a number of its country"), "invalid_phone"),
    (_("has an unknown country code"), "invalid_phone"),
    (_("is too short"), "invalid_phone"),
    (_("is too long"), "invalid_phone"),
    (_("must have 8 to 20 characters"), "invalid_phone"),
)
# Answers whose words do not say which value it was.
_DETAILED: Final = frozenset({"invalid_type", "too_short", "too_long", "out_of_range", "not_possible"})
_INDEX: Final = re.compile(r"\[(\d+)\]")


def status_of(problem: Problem) -> int:
    """The status of a problem: a documented one wherever the document has one that fits."""
    known = PROBLEMS.get(problem.code)
    if known is not None:
        return known[0]
    if problem.status == 409:
        return 422 if problem.errors else 400
    return 422 if problem.status in (0, 429) else problem.status


def problem_response(problem: Problem, request: HttpRequest) -> HttpResponse:
    """The problem as an answer."""
    status = status_of(problem)
    document: dict[str, Any] = {"message": _message(problem, status)}
    if problem.errors:
        document["errors"] = _errors(problem.errors)
    elif status == 422:
        document["errors"] = {}
    headers = {"X-Error-Code": problem.code, **problem.headers}
    return HttpResponse(orjson.dumps(document), status=status, content_type="application/json", headers=headers)


def _message(problem: Problem, status: int) -> str:
    known = PROBLEMS.get(problem.code)
    if known is not None:
        return str(known[1])
    if status == 404:
        return str(NOT_FOUND)
    if status == 403:
        return str(FORBIDDEN)
    if problem.errors:
        return str(INVALID)
    return problem.detail or str(INVALID)


def _errors(problems: list[FieldProblem]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for problem in problems:
        # Laravel's way of naming places in lists: recipients.3
        field = _INDEX.sub(r".\1", problem.field)
        found.setdefault(field, []).append(_field_text(field, problem))
    return found


def _field_text(field: str, problem: FieldProblem) -> str:
    code = next((same for reason, same in _SAME if problem.message == str(reason)), problem.code)
    text = FIELD_TEXTS.get(code)
    if text is None:
        # A reason of a service; some are whole sentences, others follow the field's name.
        return problem.message if problem.message[:1].isupper() else f"{field}: {problem.message}"
    said = str(text) % {"field": field}
    is_english = (get_language() or "").startswith("en")
    return f"{said} {problem.message}" if is_english and code in _DETAILED else said
