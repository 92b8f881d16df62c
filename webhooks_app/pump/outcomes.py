"""From a receiver's answer to what happens to the delivery: done, another attempt, failed for good, gone."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

# Seconds before each further attempt (design: now, 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 10 h); then every 10 h.
SCHEDULE: Final = (5, 300, 1_800, 7_200, 18_000, 36_000, 36_000)
JITTER: Final = 0.2
# A receiver may ask for more time than the schedule gives, within reason.
RETRY_AFTER_MOST: Final = 86_400
HEAD_LENGTH: Final = 1_000
_ERROR_LENGTH: Final = 300
_RESPECTED: Final = frozenset({413, 429, 503})


@dataclass(frozen=True, slots=True)
class Answer:
    """One attempt as it went. `code` is None when no answer came; `error` then says why, for people.

    `at`: epoch seconds of the start, `latency` in seconds, `retry_after` as the header has it.
    """

    at: float
    latency: float
    code: int | None = None
    head: str = ""
    error: str = ""
    retry_after: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """One row of the settle statement: `status` of the delivery, and for `pending` the seconds until the next try."""

    id: int
    status: str
    answer: Answer
    error: str
    delay: float | None = None

    @property
    def is_gone(self) -> bool:
        """The receiver says that it will never take anything again."""
        return self.answer.code == HTTPStatus.GONE


def result_of(*, delivery_id: int, attempts: int, retry_limit: int, answer: Answer, now: float) -> Result:
    """What follows from `answer` to attempt number `attempts` (1 is the first); `now` in epoch seconds."""
    code = answer.code
    if code is not None and 200 <= code < 300:
        return Result(delivery_id, "succeeded", answer, "")
    error = (answer.error or _words(code))[:_ERROR_LENGTH]
    if code == HTTPStatus.GONE or attempts > retry_limit:
        return Result(delivery_id, "failed", answer, error)
    return Result(delivery_id, "pending", answer, error, _delay(attempts, answer, now))


def result_impossible(*, delivery_id: int, why: str, now: float) -> Result:
    """Nothing can be sent, now or later."""
    return Result(delivery_id, "failed", Answer(now, 0.0, error=why), why[:_ERROR_LENGTH])


def _words(code: int | None) -> str:
    if code is None:
        return "No answer."
    if 300 <= code < 400:
        return f"The address answers with a redirect (HTTP {code}), which is not followed. Register the final address."
    if code == HTTPStatus.GONE:
        return "The receiver says that it is gone for good (HTTP 410)."
    return f"The receiver answered with HTTP {code}."


def _delay(attempts: int, answer: Answer, now: float) -> float:
    base = SCHEDULE[min(attempts, len(SCHEDULE)) - 1]
    planned = base * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311  jitter, not a secret
    asked = retry_after_seconds(answer.retry_after, now) if answer.code in _RESPECTED else 0.0
    return max(planned, min(asked, RETRY_AFTER_MOST))


def retry_after_seconds(text: str, now: float) -> float:
    """Seconds of a Retry-After header (RFC 9110 10.2.3: a number or a date); 0 for none and for what is neither."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.fromtimestamp(now, UTC)).total_seconds())
