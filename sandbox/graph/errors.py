"""Graph API errors: the catalogue, the envelope of synchronous ones and the form they take in webhooks.

Codes, HTTP statuses and texts follow the table of Meta's error documentation; where today's page gives no HTTP status
the older official table counts, and 400 where neither has one.
"""

from __future__ import annotations

import itertools
import secrets
from dataclasses import dataclass

from sandbox.http import Reply, json_reply

DOCS = "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/"


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """One row of the catalogue. `details` is the default text of error_data; None means no error_data at all."""

    http: int
    title: str
    details: str | None = None
    prefixed: bool = True
    transient: bool | None = None


def _plain(http: int, title: str, *, prefixed: bool = True, transient: bool | None = None) -> ErrorKind:
    return ErrorKind(http, title, None, prefixed, transient)


KINDS: dict[int, ErrorKind] = {
    0: _plain(401, "AuthException", prefixed=False),
    1: _plain(400, "An unknown error occurred"),
    2: _plain(
        503, "An unexpected error has occurred. Please retry your request later.", prefixed=False, transient=True
    ),
    3: _plain(500, "Application does not have the capability to make this API call."),
    4: _plain(400, "Application request limit reached", transient=True),
    10: _plain(403, "Application does not have permission for this action"),
    33: _plain(400, "Parameter value is not valid"),
    100: ErrorKind(400, "Invalid parameter", "Invalid parameter"),
    190: _plain(401, "Invalid OAuth access token - Cannot parse access token", prefixed=False),
    200: _plain(403, "Provide valid app ID"),
    368: _plain(403, "Temporarily blocked for policies violations"),
    32: _plain(400, "Page request limit reached", transient=True),
    551: _plain(400, "This person isn't available right now."),
    613: _plain(429, "Calls to this api have exceeded the rate limit."),
    2200: _plain(400, "Callback verification failed"),
    80007: _plain(
        400,
        "There have been too many calls from this WhatsApp Business account. Wait a bit and try again.",
        transient=True,
    ),
    130403: ErrorKind(403, "User blocked", "The user has blocked this business."),
    130429: ErrorKind(
        400,
        "Rate limit hit",
        "Message failed to send because there were too many messages sent from this phone number "
        "in a short period of time",
    ),
    130472: ErrorKind(
        400,
        "User's number is part of an experiment",
        "Failed to send message because this user's phone number is part of an experiment",
    ),
    130497: ErrorKind(403, "Business account is restricted from messaging users in this country", "Restricted."),
    131000: ErrorKind(500, "Something went wrong", "Message failed to send due to an unknown error."),
    131005: ErrorKind(403, "Access denied", "Permission is either not granted or has been removed."),
    131008: ErrorKind(400, "Required parameter is missing", "The request is missing a required parameter."),
    131009: ErrorKind(400, "Parameter value is not valid", "One or more parameter values are invalid."),
    131016: ErrorKind(500, "Service unavailable", "A service is temporarily unavailable."),
    131021: ErrorKind(400, "Recipient cannot be sender", "Recipient phone number cannot be sender phone number"),
    131026: ErrorKind(400, "Message undeliverable", "Message undeliverable."),
    131030: ErrorKind(
        400,
        "Recipient phone number not in allowed list",
        "Recipient phone number not in allowed list: Add recipient phone number to recipient list and try again.",
    ),
    131031: ErrorKind(403, "Business Account locked", "Business account has been locked."),
    131037: ErrorKind(400, "Display name approval required", "The display name of this number is not approved yet."),
    131042: ErrorKind(
        400,
        "Business eligibility payment issue",
        "Message failed to send because there were one or more errors related to your payment method.",
    ),
    131045: ErrorKind(500, "Incorrect certificate", "The phone number is not registered correctly."),
    131047: ErrorKind(
        400,
        "Re-engagement message",
        "Message failed to send because more than 24 hours have passed since the customer last replied to this number.",
    ),
    131048: ErrorKind(
        400,
        "Spam rate limit hit",
        "Message failed to send because there are restrictions on how many messages can be sent "
        "from this phone number.",
    ),
    131049: ErrorKind(
        400,
        "This message was not delivered to maintain healthy ecosystem engagement.",
        "In order to maintain a healthy ecosystem engagement, the message failed to be delivered.",
    ),
    131050: ErrorKind(
        400,
        "Unable to deliver the message. This recipient has chosen to stop receiving marketing messages "
        "on WhatsApp from your business",
        "The user has stopped receiving marketing messages.",
    ),
    131051: ErrorKind(400, "Unsupported message type", "Message type is currently not supported."),
    131052: ErrorKind(400, "Media download error", "Failed to download the media from the sender."),
    131053: ErrorKind(
        400,
        "Media upload error",
        "Downloading media from weblink failed with http code 404, status message Not Found",
    ),
    131055: ErrorKind(400, "Method not allowed", "This method is not allowed here."),
    131056: ErrorKind(
        400,
        "(Business Account, Consumer Account) pair rate limit hit",
        "Message failed to send because there were too many messages sent from this phone number "
        "to the same phone number in a short period of time.",
    ),
    131057: ErrorKind(500, "Account in maintenance mode", "Business Account is in maintenance mode"),
    131059: ErrorKind(400, "Invalid cursor", "The cursor is not valid any more; start the listing again."),
    131060: ErrorKind(400, "Message not available", "The message is not available."),
    131062: ErrorKind(
        400, "Business-scoped user id not allowed", "This message cannot be sent to a business-scoped user id."
    ),
    131063: ErrorKind(400, "Marketing messages disabled", "Marketing messages are disabled on this API."),
    131064: ErrorKind(400, "Message classification limit", "Sending is limited by the classification of the messages."),
    132000: ErrorKind(400, "Number of parameters does not match the expected number of params", "Wrong count."),
    132001: ErrorKind(404, "Template name does not exist in the translation", "The template does not exist."),
    132005: ErrorKind(400, "Translated text too long", "The text is too long after its variables are filled."),
    132007: ErrorKind(400, "Template format character policy violated", "The template breaks a character policy."),
    132012: ErrorKind(400, "Parameter format does not match format in the created template", "Format mismatch."),
    132015: ErrorKind(
        400,
        "Template is paused",
        "Template is paused due to low quality so it cannot be sent in a template message.",
    ),
    132016: ErrorKind(
        400,
        "Template is disabled",
        "Template has been paused too many times due to low quality and is now permanently disabled.",
    ),
    132018: ErrorKind(400, "Template parameter content is not valid", "A parameter has forbidden characters."),
    132068: ErrorKind(400, "Flow is in blocked state", "The flow is blocked."),
    132069: ErrorKind(400, "Flow is in throttled state", "The flow is throttled."),
    133000: ErrorKind(500, "Incomplete deregistration", "A previous deregistration failed."),
    133004: ErrorKind(503, "Server temporarily unavailable", "The server is temporarily unavailable."),
    133005: ErrorKind(400, "Two step verification PIN mismatch", "The PIN is wrong."),
    133006: ErrorKind(400, "Phone number re-verification needed", "The phone number needs to be verified."),
    133008: ErrorKind(400, "Too many two step verification PIN guesses", "Too many PIN guesses."),
    133009: ErrorKind(400, "Two step verification PIN guessed too fast", "The PIN was entered too fast."),
    133010: ErrorKind(400, "Phone number is not registered", "The account is not registered"),
    133015: ErrorKind(400, "Phone number was deleted recently", "Wait before registering this number again."),
    133016: ErrorKind(
        400, "Account register/deregister rate limit exceeded", "Too many attempts for this phone number"
    ),
    134011: ErrorKind(400, "Payments terms not accepted", "The payments terms are not accepted."),
    134100: ErrorKind(400, "Not a marketing template", "Only marketing templates can be sent here."),
    134101: ErrorKind(400, "Template not synced", "The template is still being synced."),
    134102: ErrorKind(500, "Template unavailable", "The template is not available."),
    135000: ErrorKind(400, "Generic user error", "Message failed to send: an unknown error with the request."),
    137000: ErrorKind(400, "Identity key changed", "The identity key hash does not match."),
}

_BOOT = secrets.token_hex(6)
_traces = itertools.count(1)
_UNLISTED = ErrorKind(400, "Unlisted error")


class GraphError(Exception):
    """An error that the Graph API answers with. `details` replaces the catalogue's, `message` the whole text."""

    def __init__(
        self,
        code: int,
        details: str | None = None,
        *,
        subcode: int | None = None,
        message: str | None = None,
        kind: str = "OAuthException",
        user_title: str | None = None,
        user_message: str | None = None,
        bare: bool = False,
    ) -> None:
        super().__init__(details or message or str(code))
        self.code = code
        self.details = details
        self.subcode = subcode
        self.message = message
        self.kind = kind
        self.user_title = user_title
        self.user_message = user_message
        self.bare = bare

    @property
    def http(self) -> int:
        return KINDS.get(self.code, _UNLISTED).http

    def envelope(self) -> dict[str, object]:
        """The body of the answer, its keys in Meta's order."""
        row = KINDS.get(self.code, _UNLISTED)
        text = self.message or (f"(#{self.code}) {row.title}" if row.prefixed else row.title)
        error: dict[str, object] = {"message": text, "type": self.kind, "code": self.code}
        details = self.details or row.details
        if details is not None and not self.bare:
            error["error_data"] = {"messaging_product": "whatsapp", "details": details}
        if self.subcode is not None:
            error["error_subcode"] = self.subcode
        if self.user_title is not None:
            error["is_transient"] = False
            error["error_user_title"] = self.user_title
            error["error_user_msg"] = self.user_message or ""
        elif row.transient is not None:
            error["is_transient"] = row.transient
        error["fbtrace_id"] = trace_id()
        return {"error": error}

    def reply(self) -> Reply:
        return json_reply(self.envelope(), self.http)


def webhook_error(code: int, details: str | None = None) -> dict[str, object]:
    """The form that an error takes in a `failed` status."""
    row = KINDS.get(code, _UNLISTED)
    return {
        "code": code,
        "title": row.title,
        "message": row.title,
        "error_data": {"details": details or row.details or row.title},
        "href": DOCS,
    }


def trace_id() -> str:
    """A trace id in the form of Meta's: `A` and 22 more characters, unique in this process."""
    return f"A{_BOOT}{next(_traces):010x}"


def unknown_object(object_id: str, method: str) -> GraphError:
    """Wrong id and missing permission look alike on purpose."""
    return GraphError(
        100,
        message=(
            f"Unsupported {method.lower()} request. Object with ID '{object_id}' does not exist, cannot be loaded due "
            "to missing permissions, or does not support this operation. Please read the Graph API documentation at "
            "https://developers.facebook.com/docs/graph-api"
        ),
        subcode=33,
        kind="GraphMethodException",
        bare=True,
    )


def required(parameter: str) -> GraphError:
    """A top-level parameter is absent."""
    return GraphError(100, message=f"(#100) The parameter {parameter} is required.", bare=True)
