"""How the operations read in the OpenAPI document: the errors are problem documents."""

from __future__ import annotations

from typing import Any, Final

from api.documents import SurfaceDocument
from api.transactional.errors import CONTENT_TYPE, PROBLEMS
from api.transactional.outputs import ProblemDocument

_STATUS_TEXT: Final = {
    400: "The body is not valid JSON.",
    401: "The API key is missing, unknown, expired or revoked, or its organisation is suspended.",
    402: "Not enough credits.",
    403: "The API key lacks the scope.",
    404: "There is no such object in this organisation.",
    409: "The provider is not connected, or the first request with this Idempotency-Key is still running.",
    413: "The body is too large.",
    415: "The body is not application/json.",
    422: "Some fields are not valid; `errors` names them.",
    429: "A rate or a limit is used up; `Retry-After` says when to come back.",
}


def _problem_example(code: str) -> dict[str, Any]:
    status, title = PROBLEMS[code]
    wrong = [{"field": "to", "code": "required", "message": "This field is required."}]
    return {
        "type": f"/docs/transactional/#{code}",
        "title": title,
        "status": status,
        "detail": f"{title}.",
        "code": code,
        "instance": "/api/v1/messages/send",
        "request_id": "0f1d8a3ecb6a4a0d9d1a7a52f6e0f1b2",
        "errors": wrong if code == "validation_failed" else [],
    }


operation = SurfaceDocument(
    problems=PROBLEMS,
    problem=ProblemDocument,
    problem_type=CONTENT_TYPE,
    problem_example=_problem_example,
    status_text=_STATUS_TEXT,
    always=("api_key_missing", "scope_missing", "rate_limited"),
    with_body=("invalid_json", "body_too_large", "media_type_unsupported", "validation_failed"),
    path_schemas={"id": {"type": "string", "format": "uuid"}},
).operation
