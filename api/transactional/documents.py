"""How the operations read in the OpenAPI document: bodies, answers, errors, examples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema

from api.bodies import Body
from api.outputs import Output
from api.transactional.errors import PROBLEMS
from api.transactional.outputs import ProblemDocument

_ALWAYS: Final = ("api_key_missing", "scope_missing", "rate_limited")
_WITH_BODY: Final = ("invalid_json", "body_too_large", "media_type_unsupported", "validation_failed")
_STATUS_TEXT: Final = {
    400: "The body is not valid JSON.",
    401: "The API key is missing, unknown, expired or revoked, or its organisation is suspended.",
    403: "The API key lacks the scope.",
    404: "There is no such object in this organisation.",
    409: "The provider is not connected, or the first request with this Idempotency-Key is still running.",
    413: "The body is too large.",
    415: "The body is not application/json.",
    422: "Some fields are not valid; `errors` names them.",
    429: "A rate or a limit is used up; `Retry-After` says when to come back.",
}
_HEADERS: Final = {
    "X-RateLimit-Limit": "Requests per minute of this key.",
    "X-RateLimit-Remaining": "What is left now.",
    "X-RateLimit-Reset": "Unix time at which all of it is there again.",
}
_IDEMPOTENCY: Final = OpenApiParameter(
    name="Idempotency-Key",
    type=str,
    location=OpenApiParameter.HEADER,
    required=False,
    description="1 to 255 printable characters. The same request with the same key within 24 hours has no second "
    "effect: it gets the first answer, with `Idempotent-Replayed: true`.",
)


def operation(
    *,
    id: str,
    tag: str,
    scope: str,
    summary: str,
    description: str,
    answer: type[Output],
    done: str,
    status: int = 200,
    body: type[Body] | None = None,
    errors: tuple[str, ...] = (),
    idempotent: bool = False,
    path_id: str = "",
) -> Callable[[Any], Any]:
    """Describe one operation. `errors` are codes of PROBLEMS beyond those that every operation has."""
    codes = (*_ALWAYS, *(_WITH_BODY if body else ()), *errors)
    parameters = [_IDEMPOTENCY] if idempotent else []
    if path_id:
        parameters.append(OpenApiParameter("id", {"type": "string", "format": "uuid"}, "path", description=path_id))
    decorate: Callable[[Any], Any] = extend_schema(
        operation_id=id,
        tags=[tag],
        summary=summary,
        description=f"{description}\n\nScope: `{scope}`.",
        request=body,
        parameters=[*parameters, *_rate_headers({status, *_statuses(codes)})],
        responses={status: _answer(answer, done)}
        | {(code, "application/problem+json"): _problem(code, codes) for code in _statuses(codes)},
        examples=_request_examples(body),
        extensions={"x-scope": scope},
    )
    return decorate


def _statuses(codes: tuple[str, ...]) -> list[int]:
    return sorted({PROBLEMS[code][0] for code in codes})


def _answer(answer: type[Output], description: str) -> OpenApiResponse:
    examples = [OpenApiExample(name, value=value, response_only=True) for name, value in answer.examples.items()]
    return OpenApiResponse(answer, description=description, examples=examples)


def _problem(status: int, codes: tuple[str, ...]) -> OpenApiResponse:
    own = [code for code in codes if PROBLEMS[code][0] == status]
    examples = [OpenApiExample(code, value=_problem_example(code), response_only=True) for code in own]
    return OpenApiResponse(ProblemDocument, description=_STATUS_TEXT[status], examples=examples)


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


def _request_examples(body: type[Body] | None) -> list[OpenApiExample]:
    if body is None:
        return []
    return [OpenApiExample(name, value=value, request_only=True) for name, value in body.examples.items()]


def _rate_headers(statuses: set[int]) -> list[OpenApiParameter]:
    counted = sorted(status for status in statuses if status != 401)
    return [
        OpenApiParameter(name, int, OpenApiParameter.HEADER, response=counted, description=text)
        for name, text in _HEADERS.items()
    ]
