"""How the operations read in the OpenAPI document."""

from __future__ import annotations

from typing import Any, Final

from api.documents import SurfaceDocument
from api.gateway.errors import PROBLEMS
from api.gateway.outputs.answers import Refusal

_STATUS_TEXT: Final = {
    400: "The body is not valid JSON.",
    401: "The API key is missing, unknown, expired or revoked, or its account is suspended.",
    402: "Not enough credits.",
    403: "This is not allowed.",
    404: "There is no such object in this account.",
    409: "The state does not allow it now.",
    413: "The body is too large.",
    415: "The body is not application/json.",
    422: "Some fields are not valid; `error.fields` names them.",
    429: "A rate or a limit is used up.",
    503: "The provider does not answer or is busy: try again.",
}


def _problem_example(code: str) -> dict[str, Any]:
    _status, title = PROBLEMS[code]
    fields = {"to": "This field is required."} if code == "validation_failed" else {}
    return {
        "success": False,
        "error": {"code": code, "message": f"{title}.", "fields": fields},
        "requestId": "0f1d8a3ecb6a4a0d9d1a7a52f6e0f1b2",
    }


operation = SurfaceDocument(
    problems=PROBLEMS,
    problem=Refusal,
    problem_type="application/json",
    problem_example=_problem_example,
    status_text=_STATUS_TEXT,
    always=("api_key_missing", "scope_missing", "rate_limited"),
    with_body=("invalid_json", "body_too_large", "media_type_unsupported", "validation_failed"),
    path_schemas={},
).operation
PROVIDER_ERRORS: Final = ("provider_refused", "channel_refused", "provider_unreachable", "provider_busy")
