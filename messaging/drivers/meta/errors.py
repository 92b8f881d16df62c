"""Errors of Meta's Graph API as data: what a code means to people, and what the engine does about it.

Each product has its own table; the envelope, the decision and the answers without an envelope are the same for all.
The decision is made by `code` (and `error_subcode` where that matters), never by title or HTTP status.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from messaging.drivers.base import Ambiguous, HttpResponse, Scope, SendError
from messaging.drivers.texts import marked as _

# error_reason is a column of 500 characters.
_REASON_LENGTH: Final = 480


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table. `detailed`: Meta's own details are appended, because they name the wrong parameter."""

    reason: str
    retryable: bool = False
    scope: Scope = Scope.MESSAGE
    retry_after: float | None = None
    max_retries: int | None = None
    pauses: bool = False
    opt_out: bool = False
    counts_as: str = ""
    detailed: bool = False
    # Meta's usage header says how many minutes to wait.
    by_usage: bool = False


def retry(
    reason: str,
    *,
    scope: Scope = Scope.MESSAGE,
    after: float | None = None,
    at_most: int | None = None,
    by_usage: bool = False,
    detailed: bool = False,
) -> Rule:
    """Worth another attempt: after `after` seconds, `at_most` times (None: as the engine does)."""
    return Rule(
        reason,
        retryable=True,
        scope=scope,
        retry_after=after,
        max_retries=at_most,
        by_usage=by_usage,
        detailed=detailed,
    )


def pause(reason: str, *, detailed: bool = False) -> Rule:
    """The channel stops. The message itself is not at fault and may go out once somebody has mended the channel."""
    return Rule(reason, retryable=True, scope=Scope.CHANNEL, pauses=True, detailed=detailed)


def never(
    reason: str, *, scope: Scope = Scope.MESSAGE, counts_as: str = "", opt_out: bool = False, detailed: bool = False
) -> Rule:
    """Final: another attempt would end the same way."""
    return Rule(reason, scope=scope, counts_as=counts_as, opt_out=opt_out, detailed=detailed)


@dataclass(frozen=True, slots=True)
class ErrorTable:
    """The errors of one product.

    `rules`: (code, subcode or None) -> rule, a row with the subcode wins. `permission`: codes 200 to 299 that have no
    row of their own. `undelivered`: the beginning of a sentence, for codes in webhooks that the table does not know.
    """

    rules: Mapping[tuple[int, int | None], Rule]
    permission: Rule
    undelivered: str

    def rule_of(self, code: int, subcode: int | None) -> Rule | None:
        """The row for a code, None for a code that the table does not know."""
        rule = self.rules.get((code, subcode)) or self.rules.get((code, None))
        return self.permission if rule is None and 200 <= code <= 299 else rule

    def in_response(self, response: HttpResponse) -> SendError | Ambiguous:
        """What a refused or unreadable answer means.

        A code that the table does not know, and a 5xx or broken body without Meta's envelope, leave the outcome
        unknown: the message may have gone out. A 4xx without the envelope did not come from Meta's API: nothing was
        accepted.
        """
        envelope = error_envelope(response.body)
        if envelope is None:
            return _without_envelope(response)
        code, subcode = error_codes(envelope)
        rule = self.rule_of(code, subcode) if code is not None else None
        if code is None or rule is None:
            return Ambiguous(
                f"Meta answered HTTP {response.status} with error {envelope.get('code')}, which is not known"
            )
        return self._send_error(rule, code, subcode, envelope, response.headers)

    def in_webhook(self, errors: Any) -> SendError:
        """What the `errors` list of a failed status means; the outcome is known here: it failed."""
        error = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], Mapping) else {}
        code = _number(error.get("code"))
        if code is None:
            return SendError("unknown", f"{self.undelivered} and gave no reason.")
        rule = self.rule_of(code, None)
        if rule is None:
            title = str(error.get("message") or error.get("title") or "no explanation")
            return SendError(str(code), _cut(f"{self.undelivered}: {title}"))
        return self._send_error(rule, code, None, error, {})

    def _send_error(
        self, rule: Rule, code: int, subcode: int | None, error: Mapping[str, Any], headers: Mapping[str, str]
    ) -> SendError:
        named = f"{code}/{subcode}" if (code, subcode) in self.rules and subcode is not None else str(code)
        details = _details(error) if rule.detailed else ""
        return SendError(
            named,
            _cut(f"{rule.reason} Meta says: {details}" if details else rule.reason),
            retryable=rule.retryable,
            scope=rule.scope,
            retry_after=_regain_seconds(headers) if rule.by_usage else rule.retry_after,
            max_retries=rule.max_retries,
            pauses=rule.pauses,
            opt_out=rule.opt_out,
            counts_as=rule.counts_as,
        )


def error_codes(envelope: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """(code, subcode) of an error's envelope."""
    return _number(envelope.get("code")), _number(envelope.get("error_subcode"))


def _without_envelope(response: HttpResponse) -> SendError | Ambiguous:
    if response.status == 429:
        after = _number(response.headers.get("retry-after"))
        return SendError(
            "http_429",
            _("Meta asks for fewer calls."),
            retryable=True,
            scope=Scope.CHANNEL,
            retry_after=float(after or 5),
        )
    if 400 <= response.status < 500 and response.status not in {408, 425}:
        return SendError(
            f"http_{response.status}",
            f"The address of the Graph API answered HTTP {response.status} without an explanation. Check the address.",
            retryable=True,
            scope=Scope.CHANNEL,
            pauses=True,
        )
    return Ambiguous(f"HTTP {response.status} without a readable answer")


def error_envelope(body: bytes) -> Mapping[str, Any] | None:
    """The object `error` of an answer, or None."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    error = parsed.get("error") if isinstance(parsed, dict) else None
    return error if isinstance(error, dict) else None


def _details(error: Mapping[str, Any]) -> str:
    """`error_data` is an object with `details`, a plain string, or absent."""
    data = error.get("error_data")
    details = data.get("details") if isinstance(data, Mapping) else data
    return str(details or error.get("error_user_msg") or error.get("message") or "").strip()


def _regain_seconds(headers: Mapping[str, str]) -> float | None:
    """Seconds until calls are allowed again, from `x-business-use-case-usage` (minutes), or None."""
    try:
        usage = orjson.loads(headers.get("x-business-use-case-usage", "{}"))
    except orjson.JSONDecodeError:
        return None
    rows = [row for account in usage.values() for row in account] if isinstance(usage, dict) else []
    minutes = [_number(row.get("estimated_time_to_regain_access")) or 0 for row in rows if isinstance(row, dict)]
    longest = max(minutes, default=0)
    return float(longest * 60) if longest > 0 else None


def _number(value: Any) -> int | None:
    """A whole number from a JSON number or a string of digits; Meta writes both."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, float):
        return int(value) if math.isfinite(value) else None
    if isinstance(value, int):
        return value
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else None


def _cut(text: str) -> str:
    return text if len(text) <= _REASON_LENGTH else f"{text[: _REASON_LENGTH - 1]}…"
