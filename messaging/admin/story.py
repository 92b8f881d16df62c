"""The life of one message in the order in which it happened, and what to do when it went wrong."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from config.reasons import reason_said
from messaging.models import Message, SendAttempt

Status = Message.Status
GOOD, BAD, WARN, PLAIN = "good", "bad", "warn", "plain"

STATUS_COLOURS = {
    Status.QUEUED: "info",
    Status.SCHEDULED: "info",
    Status.PROCESSING: "info",
    Status.IN_DOUBT: "warning",
    Status.SENT: "success",
    Status.DELIVERED: "success",
    Status.READ: "success",
    Status.FAILED: "danger",
    Status.CANCELLED: "default",
    Status.RECEIVED: "primary",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened. `at` is None for what has not happened yet."""

    title: str
    at: datetime | None
    text: str = ""
    tone: str = PLAIN


def message_story(message: Message, attempts: list[SendAttempt]) -> list[Step]:
    """All steps of `message`, oldest first, the pending one last."""
    if message.direction == Message.Direction.IN:
        text = _("Written by the customer on %(channel)s.") % {"channel": message.channel}
        return [Step(_("Received"), message.queued_at, text, GOOD)]
    steps = [_attempt(attempt) for attempt in attempts]
    if message.sent_at:
        steps.append(Step(_("Sent"), message.sent_at, _("The provider took it over."), GOOD))
    if message.delivered_at:
        steps.append(Step(_("Delivered"), message.delivered_at, _("It is on the customer's device."), GOOD))
    if message.read_at:
        steps.append(Step(_("Read"), message.read_at, _("The customer has opened it."), GOOD))
    told = bool(attempts) and attempts[-1].outcome == SendAttempt.Outcome.FAILED
    if message.status == Status.FAILED and not told:
        steps.append(Step(_("Failed"), message.failed_at, reason_said(message.error_reason), BAD))
    steps.sort(key=lambda step: step.at or message.queued_at)
    return [_accepted(message), *steps, *_pending(message)]


def _accepted(message: Message) -> Step:
    text = _("%(origin)s, through %(channel)s.") % {
        "origin": message.get_origin_display(),
        "channel": message.channel,
    }
    return Step(_("Accepted"), message.queued_at, text, GOOD)


def _attempt(attempt: SendAttempt) -> Step:
    title = _("Attempt %(number)s") % {"number": attempt.number}
    tone = {SendAttempt.Outcome.FAILED: BAD, SendAttempt.Outcome.RESOLVED: GOOD}.get(attempt.outcome, WARN)  # type: ignore[call-overload]
    code = f" ({attempt.code})" if attempt.code else ""
    return Step(
        title, attempt.at, f"{attempt.get_outcome_display()}{code}. {reason_said(attempt.reason)}".strip(), tone
    )


def _pending(message: Message) -> list[Step]:
    expiry = _(" It is not sent any more once its time limit is over.") if message.expires_at else ""
    texts = {
        Status.QUEUED: (_("Waiting"), _("In the channel's queue; more urgent messages go first.") + expiry),
        Status.SCHEDULED: (_("Waiting for its time"), expiry.strip()),
        Status.PROCESSING: (_("Being sent"), _("The request to the provider is under way.")),
        Status.IN_DOUBT: (
            _("In doubt"),
            _(
                "The request left, but no answer came. It is not sent again blindly: "
                "the provider's notices are awaited first."
            ),
        ),
        Status.CANCELLED: (_("Cancelled"), _("It was taken back before it was sent.")),
    }
    if message.status not in texts:
        return []
    title, text = texts[Status(message.status)]
    tone = WARN if message.status == Status.IN_DOUBT else PLAIN
    return [Step(title, message.due_at if message.status == Status.SCHEDULED else None, text, tone)]


def message_advice(message: Message) -> str:
    """What a person can do about it now; empty when there is nothing to do."""
    if message.status == Status.IN_DOUBT:
        return _("Nothing to do: it is decided by itself, as soon as the provider reports or the waiting time is over.")
    if message.status == Status.QUEUED and message.channel.status != "connected":
        return _("The channel is not connected: %(reason)s Messages go out when it is resumed.") % {
            "reason": reason_said(message.channel.status_reason) or message.channel.get_status_display()
        }
    if message.status != Status.FAILED:
        return ""
    if message.is_sensitive:
        return _("Ask for a new code; a one-time password is never sent a second time.")
    if message.error_code == "expired":
        return _("It waited too long. See on the channel's page why, then send it again if it is still useful.")
    if message.error_code == "suppressed":
        return _("Nothing to do: this person does not want to be written to, or must not be.")
    if message.error_code == "in_doubt":
        return _(
            "Whether it arrived is not known. Ask the customer before you send it again, or they may get it twice."
        )
    return _(
        "Correct what the reason names. If the message itself was fine, it can be sent again with the button above."
    )
