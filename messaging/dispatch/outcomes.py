"""From a driver's answer to what happens to the message: sent, retry, failed, in doubt, or back to the queue."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Final

from messaging.drivers.base import Scope, SendError, Sent

# Waits between attempts, in seconds; after the last one the message fails.
BACKOFF: Final = (2, 8, 30, 120, 600, 1800)
# 131056 (pair rate): the provider's own advice is 4^attempt seconds for this one recipient.
PAIR_BASE: Final = 4
JITTER: Final = 0.2


@dataclass(frozen=True, slots=True)
class Result:
    """One row of the settle statement. `delay` is in seconds from now, None when nothing is scheduled."""

    id: int
    status: str
    provider_id: str | None = None
    code: str = ""
    reason: str = ""
    delay: float | None = None
    left_at: float | None = None
    risks: tuple[str, ...] = field(default=())
    pause_reason: str = ""
    opt_out: str = ""
    slow_down: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether the message was sent and that is all there is to say."""
        return self.status == "sent"


def result_sent(*, message_id: int, sent: Sent, at: float) -> Result:
    """The provider took the message at epoch time `at`."""
    return Result(message_id, "sent", provider_id=sent.provider_id or None, left_at=at)


def result_in_doubt(*, message_id: int, window: float, why: str) -> Result:
    """The request left and no answer says what became of it; decided by an echo, or after `window` seconds."""
    return Result(message_id, "in_doubt", code="in_doubt", reason=why[:500], delay=window)


def result_expired(*, message_id: int) -> Result:
    """Too late to be of use, such as a one-time password that can no longer be entered."""
    return Result(message_id, "failed", code="expired", reason="Not sent: it would have arrived after its time limit.")


def result_suppressed(*, message_id: int, scope: str) -> Result:
    """The person was blacklisted or opted out while it waited; `scope` is all or marketing."""
    what = "has been blacklisted or has opted out" if scope == "all" else "has opted out of marketing messages"
    return Result(message_id, "failed", code="suppressed", reason=f"Not sent: this person {what} meanwhile.")


def result_unsent(*, message_id: int, attempts: int) -> Result:
    """The provider could not be reached at all: nothing left, so trying again is safe."""
    error = SendError("unreachable", "The provider could not be reached.", retryable=True)
    return result_refused(message_id=message_id, address="", attempts=attempts, error=error)


def result_refused(*, message_id: int, address: str, attempts: int, error: SendError) -> Result:
    """The provider refused. `attempts` counts this one."""
    risks = (error.counts_as,) if error.counts_as else ()
    reason = error.reason[:500]
    if error.pauses:
        # Not this message's fault: it waits in the queue until the channel works again.
        return Result(message_id, "queued", code=error.code, reason=reason, risks=risks, pause_reason=reason)
    limit = len(BACKOFF) if error.max_retries is None else error.max_retries
    if error.retryable and attempts <= limit:
        return Result(
            message_id,
            "scheduled",
            code=error.code,
            reason=reason,
            delay=_delay(error, attempts),
            risks=risks,
            slow_down=error.scope is Scope.CHANNEL,
        )
    return Result(
        message_id, "failed", code=error.code, reason=reason, risks=risks, opt_out=address if error.opt_out else ""
    )


def _delay(error: SendError, attempts: int) -> float:
    if error.retry_after is not None:
        return error.retry_after
    if error.scope is Scope.CONTACT:
        return float(PAIR_BASE ** min(attempts, 6))
    base = BACKOFF[min(attempts, len(BACKOFF)) - 1]
    return base * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311  jitter, not a secret
