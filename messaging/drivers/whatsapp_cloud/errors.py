"""Meta's error codes as data: what each one means to people, and what the engine does about it.

Codes and actions: Meta's error reference for the Cloud API, and the practice of clients that have run for years. The
decision is made by `code` (and `error_subcode` where that matters), never by title or HTTP status.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from messaging.drivers.base import Ambiguous, HttpResponse, Scope, SendError

# error_reason is a column of 500 characters.
_REASON_LENGTH: Final = 480
DAY: Final = 86_400.0


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


def _retry(
    reason: str,
    *,
    scope: Scope = Scope.MESSAGE,
    after: float | None = None,
    at_most: int | None = None,
    by_usage: bool = False,
    detailed: bool = False,
) -> Rule:
    return Rule(
        reason,
        retryable=True,
        scope=scope,
        retry_after=after,
        max_retries=at_most,
        by_usage=by_usage,
        detailed=detailed,
    )


def _pause(reason: str, *, detailed: bool = False) -> Rule:
    """The channel stops. The message itself is not at fault and may go out once somebody has mended the channel."""
    return Rule(reason, retryable=True, scope=Scope.CHANNEL, pauses=True, detailed=detailed)


def _never(
    reason: str, *, scope: Scope = Scope.MESSAGE, counts_as: str = "", opt_out: bool = False, detailed: bool = False
) -> Rule:
    return Rule(reason, scope=scope, counts_as=counts_as, opt_out=opt_out, detailed=detailed)


_TOKEN = _pause("The access token is invalid or has expired. Enter a new one.")
_PERMISSION = _pause("The access token may not send from this number. Check its permissions.", detailed=True)
_NO_OBJECT = _pause("Meta does not know this phone number id, or the access token may not use it.")
_CALLS = _retry("Too many calls to Meta. They go on when Meta allows it.", scope=Scope.CHANNEL, by_usage=True)
_PIN = _pause("The number's registration at Meta failed: its PIN or its verification is wrong.", detailed=True)
_FLOW_SYNC = _never("Meta refused the message for its marketing or payment terms.", detailed=True)

# (code, subcode or None) -> rule; a row with the subcode wins.
RULES: Final[Mapping[tuple[int, int | None], Rule]] = {
    (0, None): _TOKEN,
    (190, None): _TOKEN,
    (190, 458): _pause("The app was removed from the business. Connect the number again."),
    (190, 460): _pause("The access token ended because a password changed. Enter a new one."),
    (190, 463): _pause("The access token has expired. Enter a new one."),
    (190, 467): _pause("The access token has been revoked. Enter a new one."),
    (3, None): _PERMISSION,
    (10, None): _PERMISSION,
    (1, None): _retry("Meta could not read the request.", at_most=2, detailed=True),
    (2, None): _retry("Meta is down for a moment."),
    (4, None): _CALLS,
    (80007, None): _CALLS,
    (613, None): _CALLS,
    (33, None): _NO_OBJECT,
    (100, 33): _NO_OBJECT,
    (100, None): _never("Meta does not accept a value of this message.", detailed=True),
    (368, None): _pause("Meta has blocked this account for a while, for breaking its policies."),
    (130403, None): _never("The customer has blocked this business.", scope=Scope.CONTACT, counts_as="quality"),
    # The bucket of 80 messages a second refills within a second.
    (130429, None): _retry("The number's rate at Meta is used up.", scope=Scope.CHANNEL, after=1.0),
    (130472, None): _never(
        "Meta leaves this customer out of marketing messages for an experiment.", scope=Scope.CONTACT
    ),
    (130497, None): _never("This business may not write to customers in this country.", scope=Scope.CONTACT),
    (131000, None): _retry("Meta had an error of its own."),
    (131005, None): _pause("Meta denies access. Check the permissions of the access token."),
    (131008, None): _never("A required value of the message is missing.", detailed=True),
    (131009, None): _never("A value of the message is not valid.", detailed=True),
    (131016, None): _retry("Meta is not available for a moment."),
    (131021, None): _never("The recipient is the sending number itself.", scope=Scope.CONTACT),
    (131026, None): _never(
        "The message cannot be delivered: the number may not be on WhatsApp, use an old version or have blocked you.",
        scope=Scope.CONTACT,
    ),
    (131030, None): _never("A test number may write only to the recipients listed at Meta.", scope=Scope.CONTACT),
    (131031, None): _pause("Meta has locked the account. See the account's page at Meta."),
    (131037, None): _pause("Meta has not approved the number's display name yet."),
    (131042, None): _pause("There is a problem with the payment method of the account at Meta."),
    (131045, None): _pause("The number is not registered correctly at Meta. Register it again."),
    (131047, None): _never(
        "The customer has not written in the last 24 hours. Send an approved template instead.", scope=Scope.CONTACT
    ),
    (131048, None): _never(
        "Meta limits this number because too many messages were reported or blocked.",
        scope=Scope.CHANNEL,
        counts_as="spam",
    ),
    (131064, None): _never(
        "Meta limits this account's messages for how they were classified.", scope=Scope.CHANNEL, counts_as="spam"
    ),
    # Meta: no attempt within 24 hours, each one makes it worse.
    (131049, None): Rule(
        "The customer has received enough marketing messages for now. Meta allows no new attempt within a day.",
        retryable=True,
        scope=Scope.CONTACT,
        retry_after=DAY,
        max_retries=2,
        counts_as="quality",
    ),
    (131050, None): _never(
        "The customer has stopped marketing messages from this business.",
        scope=Scope.CONTACT,
        opt_out=True,
        counts_as="quality",
    ),
    (131051, None): _never("WhatsApp does not support this type of message."),
    (131052, None): _never("The file that the customer sent could not be downloaded.", detailed=True),
    (131053, None): _retry("Meta could not fetch or read the media file.", at_most=1, detailed=True),
    (131055, None): _never("Meta does not allow this method here.", detailed=True),
    # 4^X seconds after the X-th attempt, for this recipient only: the engine's back-off of scope CONTACT.
    (131056, None): _retry("Too many messages to this customer in a short time.", scope=Scope.CONTACT),
    (131057, None): _retry("The account is in maintenance for a moment.", scope=Scope.CHANNEL, after=60.0),
    (131059, None): _never("The list at Meta has changed. Load it again."),
    (131060, None): _never("The message is no longer available at Meta."),
    (131062, None): _never("This message needs a phone number; the customer is known by a user name only."),
    (131063, None): _never("Marketing messages are disabled for this account."),
    (132000, None): _never("The number of template variables is wrong.", detailed=True),
    (132001, None): _never("The template does not exist in this language or is not approved yet.", detailed=True),
    (132005, None): _never("The text is too long after filling in the variables.", detailed=True),
    (132007, None): _never("The template breaks a policy of Meta.", detailed=True),
    (132012, None): _never("A template variable has the wrong format.", detailed=True),
    (132015, None): _never("Meta has paused the template for low quality.", counts_as="template_pause"),
    (132016, None): _never("Meta has disabled the template for good.", counts_as="template_pause"),
    (132018, None): _never("A template variable has characters that are not allowed.", detailed=True),
    (132068, None): _never("Meta has blocked the flow."),
    (132069, None): _retry("Meta slows down this flow."),
    (133000, None): _retry("Meta has not finished an earlier deregistration of the number."),
    (133004, None): _retry("Meta's registration server is not available for a moment."),
    (133005, None): _PIN,
    (133006, None): _PIN,
    (133008, None): _PIN,
    (133009, None): _PIN,
    (133010, None): _pause("The number is not registered at Meta. Register it."),
    (133015, None): _pause("The number was deleted a moment ago. Wait five minutes and register it again."),
    (133016, None): _pause("The number was registered too often. Meta allows it again after 72 hours."),
    (134011, None): _FLOW_SYNC,
    (134100, None): _FLOW_SYNC,
    (134101, None): _FLOW_SYNC,
    (134102, None): _FLOW_SYNC,
    (135000, None): _never("Meta refused the message without saying why.", detailed=True),
    (137000, None): _never("The customer's identity has changed and must be confirmed again.", scope=Scope.CONTACT),
}


def rule_of(code: int, subcode: int | None) -> Rule | None:
    """The row for a code, None for a code that the table does not know."""
    if 200 <= code <= 299:
        return _PERMISSION
    return RULES.get((code, subcode)) or RULES.get((code, None))


def error_in_response(response: HttpResponse) -> SendError | Ambiguous:
    """What a refused or unreadable answer means.

    A code that the table does not know, and a 5xx or broken body without Meta's envelope, leave the outcome unknown:
    the message may have gone out. A 4xx without the envelope did not come from Meta's API: nothing was accepted.
    """
    envelope = _envelope(response.body)
    if envelope is None:
        return _without_envelope(response)
    code, subcode = _number(envelope.get("code")), _number(envelope.get("error_subcode"))
    rule = rule_of(code, subcode) if code is not None else None
    if code is None or rule is None:
        return Ambiguous(f"Meta answered HTTP {response.status} with error {envelope.get('code')}, which is not known")
    return _send_error(rule, code, subcode, envelope, response.headers)


def error_in_webhook(errors: Any) -> SendError:
    """What the `errors` list of a failed status means; the outcome is known here: it failed."""
    error = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], Mapping) else {}
    code = _number(error.get("code"))
    if code is None:
        return SendError("unknown", "WhatsApp did not deliver the message and gave no reason.")
    rule = rule_of(code, None)
    if rule is None:
        title = str(error.get("message") or error.get("title") or "no explanation")
        return SendError(str(code), _cut(f"WhatsApp did not deliver the message: {title}"))
    return _send_error(rule, code, None, error, {})


def _send_error(
    rule: Rule, code: int, subcode: int | None, error: Mapping[str, Any], headers: Mapping[str, str]
) -> SendError:
    named = f"{code}/{subcode}" if (code, subcode) in RULES and subcode is not None else str(code)
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


def _without_envelope(response: HttpResponse) -> SendError | Ambiguous:
    if response.status == 429:
        after = _number(response.headers.get("retry-after"))
        return SendError(
            "http_429", "Meta asks for fewer calls.", retryable=True, scope=Scope.CHANNEL, retry_after=float(after or 5)
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


def _envelope(body: bytes) -> Mapping[str, Any] | None:
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
