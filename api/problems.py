"""Refusals on their way to an answer, before a surface gives them its own form."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import UnreadablePostError

from api.bodies import BodyInvalid, FieldProblem
from otp.limits import OtpLimitReached
from tenants.errors import Conflict, Forbidden, InvalidInput, LimitReached, NotFound, ServiceError

_STATUS_OF_ERROR: Final[tuple[tuple[type[ServiceError], int], ...]] = (
    (InvalidInput, 422),
    (NotFound, 404),
    (Conflict, 409),
    (Forbidden, 403),
    (LimitReached, 429),
)


@dataclass(eq=False)
class Problem(Exception):
    """An answer that is an error. `extra` are further members of the answer, `headers` its headers."""

    code: str
    detail: str
    errors: list[FieldProblem] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    # Only for codes of services that the surface's table does not have.
    status: int = 0


def problem_of(
    error: Exception, *, names: Mapping[str, str], renamed: Mapping[str, tuple[str, str]] | None = None
) -> Problem:
    """The problem that stands for `error`; unknown errors are `internal_error`.

    `names`: what the fields of the services are called in this operation's body (`text.body` -> `message`).
    `renamed`: code of a service -> the surface's own code and words for it.
    """
    problem = _problem_of(error, renamed or {})
    problem.errors = [replace(item, field=names.get(item.field, item.field)) for item in problem.errors]
    return problem


def _problem_of(error: Exception, renamed: Mapping[str, tuple[str, str]]) -> Problem:
    match error:
        case Problem():
            return error
        case BodyInvalid():
            return Problem("validation_failed", _invalid_detail(error.problems), error.problems)
        case ServiceError():
            return _service_problem(error, renamed)
        case RequestDataTooBig():
            limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
            return Problem("body_too_large", f"The body is larger than {limit} bytes.")
        case UnreadablePostError():
            return Problem("invalid_json", "The body ended before its announced length.")
        case OperationalError() | InterfaceError():
            return Problem("temporarily_unavailable", "Please try again in a moment.", headers={"Retry-After": "2"})
        case _:
            return Problem("internal_error", "The error has been recorded. Quote the request_id when you report it.")


def _invalid_detail(problems: list[FieldProblem]) -> str:
    if len(problems) == 1:
        return f"{problems[0].field}: {problems[0].message}"
    return f"{len(problems)} fields are not valid: {', '.join(problem.field for problem in problems[:5])}."


def _service_problem(error: ServiceError, renamed: Mapping[str, tuple[str, str]]) -> Problem:
    status = next(status for kind, status in _STATUS_OF_ERROR if isinstance(error, kind))
    errors = [FieldProblem(name, error.code, text) for name, text in error.fields.items()]
    headers = {}
    if error.retry_after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    code, detail = renamed.get(error.code, (error.code, error.message))
    extra = {"limit": error.limit} if isinstance(error, OtpLimitReached) else {}
    return Problem(code, detail, errors, headers, extra, status)
